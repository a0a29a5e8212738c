#!/bin/bash
# Every shipped experiment, run on a lab: the verdict that its first lines promise ("# On the lab:
# VERDICT"), a report, and nothing left on any host. Needs root. $DRILL_BUILD as for scripts/lab.
# Three labs share the files. "# On the lab: not: REASON" is a skip. Arguments: files, only these.
# Must not: end a process that it did not start.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
labs=3 passed=0 failed=0 skipped=0
ok() { passed=$((passed + 1)); echo "ok    $1"; }
bad() { failed=$((failed + 1)); echo "FAIL  $1"; [ ! -f "${2:-}" ] || sed 's/^/      | /' "$2"; }
skip() { skipped=$((skipped + 1)); echo "skip  $1: $2"; }
finish() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ $failed = 0 ]
    exit
}
if [ "$(id -u)" != 0 ]; then
    skip "the shipped experiments" "needs root"
    finish
fi
unset DRILL_LAB_DIR DRILL_CONFIG DRILL_STATE
export DRILL_LAB_OWNER=$$ # each lab's keeper ends it soon after this shell
work=$(mktemp -d "${TMPDIR:-/tmp}/drl$$-experiments-XXXXXX") || exit 1
id() { echo "x$1$$"; }
clean() {
    local i
    trap - EXIT
    for ((i = 0; i < labs; i++)); do DRILL_LAB_ID=$(id $i) scripts/lab down 2>/dev/null; done
    rm -rf "$work"
}
trap 'clean; exit 130' INT TERM HUP
trap clean EXIT

left() { # what hosts hold of drill
    local host
    for host in bal-1 app-1 app-2 spare-1; do
        scripts/lab exec "$host" sh -c 'nft list tables | grep drill_; for d in /run/drill/*/; do [ ! -d "$d" ] || echo "$d"; done
            for f in /sys/fs/cgroup/*/drill* /sys/fs/cgroup/drill*; do [ ! -e "$f" ] || echo "$f"; done' 2>/dev/null |
            sed "s/^/$host: /"
    done
}
one() { # FILE: writes NAME.verdict, NAME.left, NAME.out
    local name
    name=$(basename "$1" .toml)
    scripts/lab wait >/dev/null 2>&1
    timeout 180 scripts/lab enter drill --no-input --state "$work/state-$name" run "$1" --seed 1 >"$work/$name.out" 2>&1 </dev/null
    echo $? >"$work/$name.verdict"
    scripts/lab wait >>"$work/$name.out" 2>&1 || echo "the service did not come back" >"$work/$name.left"
    left >>"$work/$name.left"
}
lane() { # NUMBER: takes the next file until there is none
    local file
    export DRILL_LAB_ID
    DRILL_LAB_ID=$(id "$1")
    scripts/lab up >"$work/lab-$1" 2>&1 || return
    while file=$(flock "$work/lock" sh -c 'head -n 1 "$1"; sed -i 1d "$1"' sh "$work/queue") && [ -n "$file" ]; do
        one "$file"
    done
    scripts/lab down >/dev/null 2>&1
}

files=("$@")
[ $# -gt 0 ] || files=(experiments/*.toml)
for file in "${files[@]}"; do
    grep -q '^# On the lab: not: ' "$file" || echo "$file"
done >"$work/queue"
for ((i = 0; i < labs; i++)); do lane "$i" & done
wait

declare -A codes=([PASSED]=0 [FAILED]=1 [INVALID]=5)
for file in "${files[@]}"; do
    name=$(basename "$file" .toml)
    promised=$(sed -n 's/^# On the lab: //p' "$file")
    case $promised in
    not:*) skip "$name is run on the lab" "${promised#not: }"; continue ;;
    '') bad "$name says how it ends on the lab"; continue ;;
    esac
    found=$(cat "$work/$name.verdict" 2>/dev/null)
    if [ "$found" = "${codes[$promised]:-none}" ] && grep -q "^$promised" "$work/$name.out"; then
        ok "$name is $promised on the lab"
    else
        bad "$name is $promised on the lab (exit ${found:-none})" "$work/$name.out"
    fi
    if [ -f "$work/$name.left" ] && [ ! -s "$work/$name.left" ]; then
        ok "$name leaves nothing behind"
    else
        bad "$name leaves nothing behind" "$work/$name.left"
    fi
done
finish
