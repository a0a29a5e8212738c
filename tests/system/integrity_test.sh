#!/bin/bash
# What the verdict line says of data after a fault that can hurt it: nobody looked, looked and right,
# looked and wrong. On a host of the lab, whose service is called stateful here. Needs root.
# $DRILL_BUILD is where drill is, as for scripts/lab. Each line is "ok    claim", "FAIL  claim" or
# "skip  claim: reason"; the last one counts them.
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
    echo "skip  data integrity: needs root"
    skipped=1
    finish
fi
unset DRILL_LAB_DIR DRILL_CONFIG DRILL_STATE
if [ -z "${INTEGRITY_LAB:-}" ]; then # a lab that is there already is for whoever writes this file
    export DRILL_LAB_ID=d$$ DRILL_LAB_OWNER=$$
    clean() {
        trap - EXIT
        "$lab" down
    }
    trap 'clean; exit 130' INT TERM HUP
    trap 'clean' EXIT
    "$lab" up >/dev/null || exit 1
    "$lab" wait >/dev/null
else
    export DRILL_LAB_ID=$INTEGRITY_LAB
fi
work=$(mktemp -d "/tmp/drill-lab-$DRILL_LAB_ID/integrity.XXXXXX")
cd "$work" || exit 1

claim() { # TEXT CMD..
    if "${@:2}" >claim.log 2>&1; then
        echo "ok    $1"
        passed=$((passed + 1))
    else
        echo "FAIL  $1"
        for file in claim.log out err; do tail -n 30 $file | sed 's/^/      /'; done
        failed=$((failed + 1))
    fi
}
sed "s|^rto   = .*|&\nstateful = true|" "$work/../drill.toml" >"$work/../drill-stateful.toml"
drill() { "$lab" enter drill --no-input --state "$work/state" "$@" >out 2>err </dev/null; }
status() { # WANTED CMD..
    "${@:2}"
    local got=$?
    [ $got = "$1" ] || { echo "status $got instead of $1"; return 1; }
}
said() { tr -s ' \n' ' ' <out | grep -q -- "$1" || tr -s ' \n' ' ' <err | grep -q -- "$1"; }

data() {
    cat >experiment.toml <<TOML
[experiment]
name    = "data"
service = "orders"
[limit]
hosts   = 1
of      = ["app-1", "app-2"]
longest = "1m"
[target.one]
match = ["app-1"]
pick  = 1
[[probe]]
name    = "app"
kind    = "http"
url     = "http://10.77.0.21:8080/orders"
every   = "200ms"
timeout = "1s"
[[hypothesis]]
probe  = "app"
before = "success >= 90% for 2s"
regain = { within = "15s", hold = "2s" }
[[step]]
name  = "kill"
fault = "process-kill"
on    = "one"
with  = { process = "orders-app", expect_restart = "10s" }
hold  = "1s"
TOML
    local all=(drill --config "$work/../drill-stateful.toml" run experiment.toml)
    claim "a kill on a stateful service, nobody looks at data: PASSED" status 0 "${all[@]}"
    claim "its verdict line says so" said "data integrity: not checked"
    sed -i 's/^regain = .*/&\nintegrity = "2s"/' experiment.toml
    claim "with a look at data it is PASSED too" status 0 "${all[@]}"
    claim "its verdict line says that it was checked" said "data integrity: checked"
    cat >>experiment.toml <<TOML
[[probe]]
name    = "rows"
kind    = "command"
argv    = ["sh", "-c", "[ ! -e $work/undone ] || exit 3"]
every   = "200ms"
timeout = "1s"
[[hypothesis]]
probe     = "rows"
integrity = "2s"
TOML
    rm -f err
    ( # as if the kill had cost a row that was written
        for _ in $(seq 600); do
            grep -q "kill on app-1: instant, nothing to undo" err 2>/dev/null && break
            sleep 0.05
        done
        : >"$work/undone"
    ) &
    local hurt=$!
    claim "data that is wrong afterwards is FAILED" status 1 "${all[@]}"
    wait $hurt
    claim "its verdict line says that data is broken" said "data integrity: broken"
}

data
finish
