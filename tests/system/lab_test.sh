#!/bin/bash
# Claims about scripts/lab: what the other system tests and the demo stand on. Needs root.
# Each line is "ok    claim", "FAIL  claim" or "skip  claim: reason"; the last one counts them.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lab=$here/../../scripts/lab
passed=0 failed=0 skipped=0
claim() { # TEXT CMD..
    if "${@:2}" >/dev/null 2>&1; then
        echo "ok    $1"
        passed=$((passed + 1))
    else
        echo "FAIL  $1"
        failed=$((failed + 1))
    fi
}
finish() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ $failed = 0 ]
    exit
}
not() { ! "$@"; }
if [ "$(id -u)" != 0 ]; then
    echo "skip  the lab: needs root"
    skipped=1
    finish
fi

unset DRILL_LAB_DIR DRILL_CONFIG DRILL_STATE
export DRILL_LAB_OWNER=$$
one=t$$a two=t$$b
in_lab() { local id=$1; shift; DRILL_LAB_ID=$id "$lab" "$@"; }
A() { in_lab "$one" "$@"; }
B() { in_lab "$two" "$@"; }
trap 'A down; B down; exit 130' INT TERM
trap 'A down; B down' EXIT 2>/dev/null

machine() { ip -o link; ip -o addr; nft list ruleset 2>/dev/null; } # counters of links do not show
boot_id() { A ssh "$1" cat /proc/sys/kernel/random/boot_id; }
soon() { # CMD..: until it holds, 10 s at most
    local i
    for ((i = 0; i < 100; i++)); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    return 1
}
left_behind() { # ID: prints what carries the id
    ip netns list | grep -F "drl$1-"
    find /sys/fs/cgroup -maxdepth 2 -name "drl$1" 2>/dev/null
    ls -d "/tmp/drill-lab-$1" "/run/drill-lab/$1" 2>/dev/null
    grep -F "/tmp/drill-lab-$1" /proc/mounts
    grep -laF "/tmp/drill-lab-$1/" /proc/[0-9]*/cmdline 2>/dev/null
}
answers() { A enter curl -sf -m 2 --noproxy '*' http://10.77.0.10:8080/orders; }
hosts_that_answer() { for _ in 1 2 3 4 5 6; do answers; done | grep -o '"host": "[^"]*"' | sort -u | wc -l; }

bounded() { # HOST: SYS_MODULE 16, SYS_RAWIO 17, SYS_TIME 25, MKNOD 27, SYSLOG 34 are off
    local set
    set=$(A ssh "$1" sed -n 's/^CapBnd://p' /proc/1/status)
    [ -n "$set" ] && [ $((0x${set//[[:space:]]/} & (1 << 16 | 1 << 17 | 1 << 25 | 1 << 27 | 1 << 34))) = 0 ]
}

before=$(machine)
for round in first second; do
    claim "up, $round time" A up
    claim "down, $round time" A down
    claim "nothing is left after down, $round time" [ -z "$(left_behind "$one")" ]
done

claim "a lab comes up" A up
claim "a second lab comes up beside it" B up
claim "the two labs do not see each other's files" not cmp -s "/tmp/drill-lab-$one/id_ed25519" "/tmp/drill-lab-$two/id_ed25519"
claim "without an id, several labs are an error" not env -u DRILL_LAB_ID "$lab" status
B exec app-1 touch /root/mark
claim "a file on one lab's host is not on the other's" not A exec app-1 test -e /root/mark
claim "the machine's own network namespace is unchanged" [ "$(machine)" = "$before" ]
claim "the second lab goes down" B down
claim "the first lab still serves after the second's end" answers

for host in bal-1 app-1 app-2 spare-1; do
    claim "$host: root logs in with the catalog's key, host key checked" A ssh "$host" true
    claim "$host: /run refuses to execute, /tmp does not" A ssh "$host" \
        'for d in run tmp; do cp /bin/busybox /$d/busybox; done; /tmp/busybox true && ! /run/busybox true'
    claim "$host: no process can get at clock, modules, raw devices, kernel log" bounded "$host"
    claim "$host: /proc/sys is read-only outside net" \
        not A ssh "$host" 'read -r now </proc/sys/vm/swappiness && echo "$now" >/proc/sys/vm/swappiness'
    claim "$host: nft works" A ssh "$host" 'nft add table inet t && nft delete table inet t'
    claim "$host: answers over IPv6" A enter ping -6 -c 1 -W 2 "$(sed -n 's/^ip6=//p' "/tmp/drill-lab-$one/hosts/$host/env")"
done
claim "app-1 has no systemd running" not A ssh app-1 test -e /run/systemd/system
claim "app-2 is a running systemd host" [ "$(A ssh app-2 systemctl is-system-running 2>&1)" = running ]
claim "app-2 runs only the units that the lab enables" not A ssh app-2 'systemctl is-active -q haproxy'
claim "spare-1 has busybox and no bash" A ssh spare-1 'command -v busybox && ! command -v bash'
claim "spare-1 answers through dropbear" A enter bash -c 'exec 3<>/dev/tcp/10.77.0.31/22; read -r -t 5 line <&3; [[ $line == *dropbear* ]]'
for host in bal-1 app-1 app-2; do
    claim "$host: ops becomes root by sudo without a password" \
        [ "$(A ssh "$host" -l ops sudo -n id -un)" = root ]
done
claim "MaxSessions and MaxStartups are sshd's defaults" A ssh app-1 '! grep -q ^Max /etc/ssh/sshd_config'

claim "both servers serve through the balancer" [ "$(hosts_that_answer)" = 2 ]
for host in app-1 app-2; do
    victim=$(A exec "$host" pgrep -x orders-app)
    A exec "$host" kill -9 "$victim"
    claim "$host: the application comes back after a kill" soon A exec "$host" sh -c "pgrep -x orders-app | grep -qvx $victim"
done
soon A wait
A unplug app-1
claim "the balancer goes on with one server" soon [ "$(hosts_that_answer)" = 1 ]
claim "requests succeed while one server is unplugged" answers
claim "an unplugged host does not answer" not A enter ping -c 1 -W 1 10.77.0.21
A plug app-1
claim "a host that is plugged in again answers" soon A enter ping -c 1 -W 1 10.77.0.21
claim "the balancer takes the server back" A wait

machine_id=$(cat /proc/sys/kernel/random/boot_id)
for host in app-1 app-2 spare-1; do
    first=$(boot_id "$host")
    A ssh "$host" 'echo kept >/root/disk; echo lost >/run/memory; nft add table inet lost'
    claim "$host: power off" A power "$host" off
    claim "$host: is silent while off" not A enter ping -c 1 -W 1 "$(sed -n 's/^ip4=//p' "/tmp/drill-lab-$one/hosts/$host/env")"
    claim "$host: power on" A power "$host" on
    second=$(boot_id "$host")
    claim "$host: a new boot id for each power-on, never the machine's" \
        [ ${#first} = 36 -a ${#second} = 36 -a "$(printf '%s\n' "$first" "$second" "$machine_id" | sort -u | wc -l)" = 3 ]
    claim "$host: the disk is kept; /run and rules are gone" \
        A ssh "$host" 'test -e /root/disk && ! test -e /run/memory && ! nft list table inet lost 2>/dev/null'
    claim "$host: hard reset" A power "$host" reset
    claim "$host: a reset is a boot too" [ "$(boot_id "$host")" != "$second" ]
done
second=$(boot_id app-1)
A ssh app-1 busybox reboot -f 2>/dev/null
claim "app-1: reboot from inside starts it again" soon eval '[ "$(boot_id app-1)" != "$second" ] && A ssh app-1 true'
A power app-1 hang
claim "a hung host answers ping and no login" eval 'A enter ping -c 1 -W 1 10.77.0.21 && ! timeout 3 "$lab" ssh app-1 true'
claim "a hung host can be reset" A power app-1 reset
claim "a reset host is not hung any more" A ssh app-1 true

# What a crash leaves: the keeper and every host-power killed, hosts and namespaces still there.
A unplug app-1
for file in "/tmp/drill-lab-$one/keeper" "/tmp/drill-lab-$one"/hosts/*/power.pid; do
    kill -9 "$(cut -d' ' -f1 "$file")"
done
claim "a crashed lab is still there" [ -n "$(left_behind "$one")" ]
claim "the next up sweeps it" eval 'B up | grep -q "removing what lab $one left"'
claim "nothing of it is left" [ -z "$(left_behind "$one")" ]
kill -9 "$(cut -d' ' -f1 "/tmp/drill-lab-$two/hosts/app-2/power.pid")"
kill -9 "$(cut -d' ' -f1 "/tmp/drill-lab-$two/keeper")"
claim "down works after the lab's processes were killed" B down
claim "and leaves nothing" [ -z "$(left_behind "$two")" ]

sleep 300 & owner=$!
claim "a lab with an owner comes up" env DRILL_LAB_OWNER=$owner DRILL_LAB_ID="$one" "$lab" up
kill -9 $owner
wait $owner 2>/dev/null
claim "it ends by itself when its owner dies" soon [ ! -e "/run/drill-lab/$one" ]
claim "and leaves nothing behind" soon eval '[ -z "$(left_behind "$one")" ]'

claim "the machine's own network namespace is unchanged at the end" [ "$(machine)" = "$before" ]
trap - EXIT
finish
