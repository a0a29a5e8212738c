#!/bin/bash
# The faults on whole hosts and their services, on real hosts of the lab: systemd as PID 1 (app-2),
# init scripts (app-1), busybox and nothing else (spare-1). Needs root.
# $DRILL_BUILD is where drill is, as for scripts/lab. Each line is "ok    claim", "FAIL  claim" or
# "skip  claim: reason"; the last one counts them. Arguments: names of parts, only these.
# Must not: end a process that it did not start.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lab=$here/../../scripts/lab
passed=0 failed=0 skipped=0
finish() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ $failed = 0 ]
    exit
}
if [ "$(id -u)" != 0 ]; then
    echo "skip  faults on hosts: needs root"
    skipped=1
    finish
fi
unset DRILL_LAB_DIR DRILL_CONFIG DRILL_STATE
if [ -z "${HOST_FAULTS_LAB:-}" ]; then # a lab that is there already is for whoever writes this file
    export DRILL_LAB_ID=h$$ DRILL_LAB_OWNER=$$
    clean() {
        trap - EXIT
        "$lab" down
    }
    trap 'clean; exit 130' INT TERM HUP
    trap 'clean' EXIT
    "$lab" up >/dev/null || exit 1
    "$lab" wait >/dev/null
else
    export DRILL_LAB_ID=$HOST_FAULTS_LAB
fi
work=$(mktemp -d "/tmp/drill-lab-$DRILL_LAB_ID/faults.XXXXXX")
cd "$work" || exit 1

claim() { # TEXT CMD..
    if "${@:2}" >claim.log 2>&1; then
        echo "ok    $1"
        passed=$((passed + 1))
    else
        echo "FAIL  $1"
        tail -n 12 claim.log out err 2>/dev/null | sed 's/^/      /'
        failed=$((failed + 1))
    fi
}
not() { ! "$@"; }
drill() { "$lab" enter drill --no-input --state "$work/state" "$@" >out 2>err </dev/null; }
verdict() { # WORD: of the last run
    grep -q "^$1 " out
}
said() { tr -s ' \n' ' ' <out | grep -q -- "$1" || tr -s ' \n' ' ' <err | grep -q -- "$1"; }
on() { "$lab" exec "$@"; } # HOST CMD..: not over the network
soon() { # CMD..: until it holds, 20 s at most
    local i
    for ((i = 0; i < 200; i++)); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    return 1
}
clean_host() { # HOST: nothing of ours is left
    on "$1" sh -c 'ls -d /run/drill/*/ 2>/dev/null
        grep -laE "run/dril[l]/[a-z0-9]+/guard" /proc/[0-9]*/cmdline 2>/dev/null' >seen 2>&1
    [ ! -s seen ]
}
address_of() { case $1 in app-1) echo 10.77.0.21 ;; app-2) echo 10.77.0.22 ;; spare-1) echo 10.77.0.31 ;; esac; }
experiment() { # HOST KIND WITH HOLD [MORE]: experiment.toml, with a probe that asks the host's sshd
    cat >experiment.toml <<TOML
[experiment]
name  = "host-faults"
title = "One fault on one host"
[limit]
hosts   = 1
of      = ["$1"]
longest = "2m"
lease   = "4s"
[[probe]]
name    = "sshd"
kind    = "tcp"
host    = "$(address_of "$1")"
port    = 22
every   = "100ms"
timeout = "500ms"
[[hypothesis]]
probe  = "sshd"
before = "success >= 90% for 1s"
during = "success >= 0%"
[target.one]
match = ["$1"]
pick  = 1
[[step]]
name  = "fault"
fault = "$2"
on    = "one"
with  = { $3 }
hold  = "$4"
${5:-}
TOML
}
run() { experiment "$@"; drill run experiment.toml; }
refused() { # as run: a gate says no, and nothing was touched
    run "$@"
    [ $? = 3 ]
}

# --- services --------------------------------------------------------------------------------------

active() { [ "$(on app-2 systemctl is-active "$1")" = active ]; }
services_systemd() {
    claim "systemd: a service is stopped and runs again" run app-2 service-stop 'unit = "orders-app"' 3s
    claim "systemd: the run is PASSED, its bite was seen" verdict PASSED
    claim "systemd: it is active at the end" active orders-app
    claim "systemd: nothing is left" clean_host app-2

    on app-2 sh -c 'printf "[Unit]\nRequires=orders-app.service\nAfter=orders-app.service\n[Service]\nExecStart=/bin/sleep 700\n" \
        >/etc/systemd/system/shop.service; systemctl daemon-reload; systemctl start shop'
    claim "systemd: what would stop with it is refused" refused app-2 service-stop 'unit = "orders-app"' 2s
    claim "systemd: and is named" said 'would stop shop.service'
    claim "systemd: named in \`also\`, it is stopped" run app-2 service-stop 'unit = "orders-app", also = ["shop"]' 2s
    claim "systemd: both run again" eval 'active orders-app && active shop'
    on app-2 sh -c 'systemctl stop shop; rm /etc/systemd/system/shop.service; systemctl daemon-reload'

    claim "systemd: kept out by hand" run app-2 service-stop 'unit = "orders-app", stateful = true, return = "by-hand"' 2s
    claim "systemd: kept out is PASSED and said" eval 'verdict PASSED && said "kept on purpose"'
    claim "systemd: it is still stopped" not active orders-app
    claim "systemd: and no lease is open" drill ls
    on app-2 systemctl start orders-app

    local before after
    before=$(on app-2 systemctl show orders-app -p InvocationID --value)
    claim "systemd: a restart" run app-2 service-restart 'unit = "orders-app", expect_back = "20s"' 2s
    after=$(on app-2 systemctl show orders-app -p InvocationID --value)
    claim "systemd: it was one, and it is PASSED" eval "verdict PASSED && [ '$before' != '$after' ]"
    claim "systemd: sshd is never stopped" refused app-2 service-stop 'unit = "ssh"' 2s

    experiment app-2 service-stop 'unit = "orders-app"' 30s
    (exec "$lab" enter drill --no-input --state "$work/state" run experiment.toml >out 2>err </dev/null) &
    local controller=$!
    soon grep -q ': bites' err
    kill -9 $controller
    wait $controller 2>/dev/null
    claim "systemd: with the controller killed the guard starts it" soon active orders-app
    claim "systemd: and undo proves it" drill undo
    claim "systemd: nothing is left after that" clean_host app-2
}

services_sysv() {
    on app-1 sh -c 'cat >/etc/init.d/pretend; chmod 755 /etc/init.d/pretend' <<'SH'
#!/bin/sh
pid() { { read -r pid </run/pretend.pid; } 2>/dev/null && [ -d "/proc/$pid" ]; }
case $1 in
start) pid || { sleep 701 >/dev/null 2>&1 & echo $! >/run/pretend.pid; } ;;
stop) pid && kill "$pid"; rm -f /run/pretend.pid ;;
status) pid || exit 3 ;;
esac
SH
    on app-1 /etc/init.d/pretend start
    claim "init script: a service is stopped and runs again" run app-1 service-stop 'unit = "pretend"' 3s
    claim "init script: PASSED, it runs" eval 'verdict PASSED && on app-1 /etc/init.d/pretend status'
    claim "init script: a restart is PASSED" eval 'run app-1 service-restart "unit = \"pretend\"" 2s && verdict PASSED'
    claim "init script: nothing is left" clean_host app-1
    on app-1 /etc/init.d/pretend stop
}

services_busybox() {
    on spare-1 sh -c 'cat >/bin/pretend; chmod 755 /bin/pretend' <<'SH'
#!/bin/sh
pid() { { read -r pid </run/pretend.pid; } 2>/dev/null && [ -d "/proc/$pid" ]; }
case $1 in
start) pid || { sleep 702 >/dev/null 2>&1 & echo $! >/run/pretend.pid; } ;;
stop) pid && kill "$pid"; rm -f /run/pretend.pid ;;
status) pid || exit 3 ;;
esac
SH
    on spare-1 /bin/pretend start
    claim "busybox: programs of one's own stop and start it" run spare-1 service-stop \
        'stop = ["pretend", "stop"], start = ["pretend", "start"], status = ["pretend", "status"]' 3s
    claim "busybox: PASSED, it runs" eval 'verdict PASSED && on spare-1 /bin/pretend status'
    claim "busybox: nothing is left" clean_host spare-1
    on spare-1 /bin/pretend stop
}

# --- faults that cut the way by which drill came ---------------------------------------------------

cut_off() { # HOST: its own rule keeps every packet of the controller out
    run "$1" command 'apply = ["nft", "add table inet cutself; add chain inet cutself c { type filter hook prerouting priority -400; }; add rule inet cutself c ip saddr 10.77.255.254 drop"], undo = ["nft", "add table inet cutself; delete table inet cutself"], read_back = ["sh", "-c", "nft list table inet cutself >/dev/null 2>&1 && exit 10; exit 0"]' \
        5s 'cuts_control = true'
}
cut_control() {
    local host
    for host in app-2 app-1 spare-1; do # guards under systemd, sysv and busybox
        claim "$host: cut off by its own fault, it heals by itself and is heard again" cut_off $host
        claim "$host: PASSED by what the host wrote down" verdict PASSED
        claim "$host: for how long it was on is told" said "on for [45][0-9.]* s by the host"
        claim "$host: nothing is left" clean_host $host
    done
}

[ $# -gt 0 ] || set -- services_systemd services_sysv services_busybox cut_control
for part in "$@"; do $part; done
finish
