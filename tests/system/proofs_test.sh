#!/bin/bash
# What drill promises, shown on real parts: hosts of the lab, real controllers, real faults.
# First thirty controllers are killed with -9 (proofs_farm.py); then everything else that can happen
# to a run or a host, each on hosts of its own and all at one time. Needs root.
# $DRILL_BUILD is where drill is, as for scripts/lab. Each line is "ok    claim", "FAIL  claim" or
# "skip  claim: reason"; the last one counts them. Arguments: names of proofs, only these. Must not: end a process that it did not start.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lab=$here/../../scripts/lab
files=$here/experiments
passed=0 failed=0 skipped=0
finish() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ $failed = 0 ]
    exit
}
if [ "$(id -u)" != 0 ]; then
    echo "skip  the proofs: needs root"
    skipped=1
    finish
fi

unset DRILL_LAB_DIR DRILL_CONFIG DRILL_STATE
id=p$$ # the lab's keeper ends it soon after this shell, however that ended
export DRILL_LAB_ID=$id DRILL_LAB_OWNER=$$
work=/tmp/drill-lab-$id/proofs # the keeper removes it with the lab
clean() {
    trap - EXIT
    "$lab" down
}
trap 'clean; exit 130' INT TERM HUP
trap 'clean' EXIT

# --- words of the proofs; each proof runs in a shell of its own, in its own directory --------------

claim() { # TEXT CMD..
    if "${@:2}" >>claims.log 2>&1; then
        echo "ok    $1" >>claims
    else
        echo "FAIL  $1" >>claims
        echo "--- $1" >>evidence
        tail -n 40 out err seen >>evidence 2>/dev/null
    fi
}
not() { ! "$@"; }
drill() { "$lab" enter drill --no-input --state "$PWD/state" "$@" >>out 2>>err </dev/null; }
start() { # VERB..: in the background, sets controller; `enter` execs, so the pid stays
    : >out; : >err
    (exec "$lab" enter drill --no-input --state "$PWD/state" "$@" >>out 2>>err </dev/null) &
    controller=$!
}
signal() { # NAME: to the controller that we started, and to nothing else
    [ "$(cat "/proc/$controller/comm")" = drill ] && kill "-$1" "$controller"
}
ended() { # sets code
    { wait "$controller"; code=$?; } 2>/dev/null # of the shell's own word about a killed one
}
soon() { # CMD..: until it holds, 30 s at most
    local i
    for ((i = 0; i < 300; i++)); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    return 1
}
bites() { soon grep -q ': bites' err; }
says() { tr -s ' \n' ' ' <out | grep -q -- "$1" || grep -q -- "$1" err; } # reports are wrapped
on() { "$lab" exec "$@"; } # HOST CMD..: not over the network
clean_host() { # HOST
    on "$1" sh -c 'ls -d /run/drill/*/ 2>/dev/null; ls -d /var/lib/drill/*/ 2>/dev/null
        nft list tables | grep drill_
        grep -l "^State:.T" /proc/[0-9]*/status 2>/dev/null
        grep -laE "run/dril[l]/[a-z0-9]+/guard" /proc/[0-9]*/cmdline 2>/dev/null' >seen 2>&1
    [ ! -s seen ]
}
open_leases() { drill ls && tail -n 30 out; }
copy() { # FILE HOST: the experiment, made for that host
    sed -E "s/^(match|of) += \[\"farm-[0-9]*\"\]/\1 = [\"$2\"]/" "$files/$1" >experiment.toml
}
since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.2f", b - a}'; }
below() { awk -v a="$1" -v b="$2" 'BEGIN {exit !(a < b)}'; }
reachable() { timeout 0.7 "$lab" enter bash -c "exec 3<>/dev/tcp/$1/22; read -r -t 1 line <&3"; }
cut_off() { on "$1" nft list table inet cutself; }

# --- the proofs ------------------------------------------------------------------------------------

cut_control() { # hosts farm-31, farm-32
    copy cut-control.toml farm-31
    start run experiment.toml
    soon cut_off farm-31
    claim "a fault cuts its host off from the controller" not reachable 10.77.1.31
    ended
    claim "cut off by its own fault: PASSED, as the host wrote down when it bit and ended" [ $code = 0 ]
    claim "cut off by its own fault: how long it was on is told" says "on for [45].* by the host's own clock"
    claim "cut off by its own fault: reachable again at the end" reachable 10.77.1.31
    claim "cut off by its own fault: nothing is left" clean_host farm-31
    copy cut-control.toml farm-32
    start run experiment.toml
    soon cut_off farm-32
    local cut=$EPOCHREALTIME
    signal KILL
    ended
    claim "cut off and the controller killed: it was killed while the fault held" [ $code = 137 ]
    soon reachable 10.77.1.32
    local away
    away=$(since "$cut")
    claim "cut off and the controller killed: reachable at lease time (5 s) + 2 s, was $away s" below "$away" 7
    claim "cut off and the controller killed: undo proves it" drill undo
    claim "cut off and the controller killed: nothing is left" clean_host farm-32
}

reboot() { # farm-33
    copy hold.toml farm-33
    start run experiment.toml
    bites
    on farm-33 cat /proc/sys/kernel/random/boot_id >before
    "$lab" power farm-33 reset
    ended
    claim "a reboot in mid-fault is INVALID, exit 5 (was $code)" [ $code = 5 ]
    claim "a reboot in mid-fault is called a reboot" says rebooted
    claim "a reboot in mid-fault is told by the boot id" not cmp -s before <(on farm-33 cat /proc/sys/kernel/random/boot_id)
    claim "after a reboot nothing is left" clean_host farm-33
    claim "after a reboot no lease is open" drill undo
}

reload() { # farm-34
    copy hold.toml farm-34
    start run experiment.toml
    bites
    on farm-34 nft flush ruleset
    ended
    claim "a foreign reload of nftables is INVALID, exit 5 (was $code)" [ $code = 5 ]
    claim "a foreign reload is told as ended by others" says 'ended by others'
    claim "after a foreign reload nothing is left" clean_host farm-34
}

halted_by() { # SIGNAL HOST
    local sent took
    copy hold.toml "$2"
    start run experiment.toml
    bites
    sent=$EPOCHREALTIME
    signal "$1"
    soon grep -q 'undone, read back' err
    took=$(since "$sent")
    ended
    claim "SIG$1 in mid-hold is HALTED, exit 4 (was $code)" [ $code = 4 ]
    claim "SIG$1: everything is undone within 2 s, was $took s" below "$took" 2
    claim "SIG$1: nothing is left" clean_host "$2"
}
interrupt() { halted_by INT farm-35; }
hang_up() { # farm-36
    copy hold.toml farm-36
    start run experiment.toml
    bites
    signal TSTP
    claim "SIGTSTP is refused with a message" soon grep -q 'not suspended' err
    claim "SIGTSTP does not stop the controller" grep -q '^State:.[SR]' "/proc/$controller/status"
    signal INT
    ended
    claim "after SIGTSTP a run can still be halted" [ $code = 4 ]
    halted_by HUP farm-36
}

stop_file() { # farm-37
    local made took
    copy hold.toml farm-37
    start run experiment.toml
    bites
    signal STOP # the host ends the fault without the controller
    made=$EPOCHREALTIME
    on farm-37 touch /run/drill/stop
    soon not on farm-37 sh -c 'nft list tables | grep drill_'
    took=$(since "$made")
    claim "the stop file ends the fault without the controller within 2 s, was $took s" below "$took" 2
    signal CONT
    ended
    claim "a run that was ended by the stop file is INVALID, exit 5 (was $code)" [ $code = 5 ]
    on farm-37 rm /run/drill/stop
    claim "after the stop file nothing is left" clean_host farm-37
}

lost_ledger() { # farm-38
    copy hold.toml farm-38
    start run experiment.toml
    bites
    signal KILL
    ended
    rm -rf state
    claim "before the sweep something is there" not clean_host farm-38
    drill undo
    claim "undo without a ledger says so and cannot help" not clean_host farm-38
    claim "sweep exits 0" drill sweep farm-38
    claim "sweep removes what a killed controller with a lost ledger left" clean_host farm-38
    claim "a second sweep finds nothing" drill sweep farm-38
}

halt_condition() { # app-1, app-2
    start run "$files/halt.toml"
    ended
    claim "a halt condition that trips is FAILED, exit 1 (was $code)" [ $code = 1 ]
    claim "the halt condition is named as the end" says 'ended by halt'
    claim "after the halt condition nothing is left on app-1" clean_host app-1
    claim "after the halt condition nothing is left on app-2" clean_host app-2
    claim "after the halt condition the service is up again" "$lab" wait
}

no_bite() { # farm-39
    on farm-39 sh -c 'ln -s /bin/sleep /root/deaf; trap "" HUP; /root/deaf 36000 </dev/null >/dev/null 2>&1 &'
    copy no-bite.toml farm-39
    start run experiment.toml
    ended
    claim "a fault that does not bite is INVALID, exit 5 (was $code)" [ $code = 5 ]
    claim "a fault that does not bite is told so" says 'no bite'
    claim "after no bite nothing is left" clean_host farm-39
}

not_steady() { # farm-40
    copy not-steady.toml farm-40
    start run experiment.toml
    ended
    claim "no steady state before is REFUSED, exit 3 (was $code)" [ $code = 3 ]
    drill show 1 --events
    claim "REFUSED: the reason is the steady state" says 'steady state does not hold'
    claim "REFUSED: no fault was ever begun" not says 'fault.applied\|lease.intended\|step.started\|: applied\|cut begins'
    claim "REFUSED: nothing is left" clean_host farm-40
}

together() { # farm-41, farm-42
    cp "$files/together.toml" experiment.toml
    claim "a plan is written" drill plan experiment.toml --seed 1 -o p.plan
    start run p.plan
    soon grep -q 'second on farm-41: bites' err
    claim "after = [\"first:held\"]: both faults on one host at one time" \
        [ "$(on farm-41 sh -c 'nft list tables inet' | grep -c drill_)" = 2 ]
    ended
    claim "a plan file runs: PASSED, exit 0 (was $code)" [ $code = 0 ]
    grep -nE ': bites|begins' err >order
    claim "after = []: both begin at once, before either holds" \
        awk -F: '/first begins/ {f = $1} /beside begins/ {b = $1} /: bites/ && !h {h = $1} END {exit !(f && b && h && f < h && b < h)}' order
    claim "\"first:held\": the step waits for the hold" \
        awk -F: '/second begins/ {s = $1} /first on farm-41: bites/ {h = $1} END {exit !(s && h && h < s)}' order
    claim "two faults at one time: nothing is left" eval 'clean_host farm-41 && clean_host farm-42'
    on farm-42 ip addr add 10.77.9.42/16 dev eth0
    start run p.plan
    ended
    claim "a host that changed since the plan: REFUSED, exit 3 (was $code)" [ $code = 3 ]
    claim "the difference to the plan is shown" says '10.77.9.42'
    claim "a changed host: nothing is left" eval 'clean_host farm-41 && clean_host farm-42'
}

# --- the order of things ---------------------------------------------------------------------------

report() { # FILE: counts and prints claims
    local line
    while IFS= read -r line; do
        echo "$line"
        case $line in
        ok*) passed=$((passed + 1)) ;;
        FAIL*) failed=$((failed + 1)) ;;
        skip*) skipped=$((skipped + 1)) ;;
        esac
    done <"$1"
}

farm() {
    local i yes text figures
    for ((i = 2; i <= 30; i += 3)); do
        on "farm-$i" sh -c 'ln -s /bin/sleep /root/paused; /root/paused 36000 </dev/null >/dev/null 2>&1 &'
    done
    mkdir "$work/farm"
    python3 "$here/proofs_farm.py" "$lab" "/tmp/drill-lab-$id" "$id" "$work/farm" \
        "$files/farm.toml" >"$work/farm.out" 2>"$work/farm.err" ||
        echo "claim the kills come to their end|no|$(tail -n 1 "$work/farm.err")" >>"$work/farm.out"
    while IFS='|' read -r text yes figures; do
        echo "$([ "$yes" = yes ] && echo 'ok   ' || echo 'FAIL ') ${text#claim }${figures:+ ($figures)}"
    done <"$work/farm.out" >"$work/farm.claims"
    report "$work/farm.claims"
}

proofs=(farm cut_control reboot reload interrupt hang_up stop_file lost_ledger halt_condition no_bite
    not_steady together)
if ! "$lab" up --size 42 2>&1 || ! mkdir "$work"; then
    echo "FAIL  the lab comes up"
    failed=1
    finish
fi
[ $# = 0 ] || proofs=("$@") # a name or several: only these
running=()
for proof in "${proofs[@]}"; do
    [ "$proof" != farm ] || { farm; continue; } # first, and with the machine to itself
    mkdir "$work/$proof"
    (
        trap - EXIT INT TERM HUP
        cd "$work/$proof" && "$proof"
    ) &
    running+=($!)
done
wait "${running[@]}"
for proof in "${proofs[@]}"; do
    [ "$proof" != farm ] || continue
    [ -s "$work/$proof/claims" ] || echo "FAIL  $proof: it made no claim" >"$work/$proof/claims"
    report "$work/$proof/claims"
    [ ! -s "$work/$proof/evidence" ] || cat "$work/$proof/evidence"
done
finish
