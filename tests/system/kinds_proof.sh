#!/bin/bash
# Every fault kind on a real host: what was before is there again, whatever happened to the
# controller, the guard and the host meanwhile (kinds_watch.py says what is watched). Needs root.
# $DRILL_BUILD is where drill is, as for scripts/lab. Arguments: names of kinds, only these.
# With DRILL_STARVE=1 (scripts/check kinds) also on starved hosts, one after the other: minutes.
# A kind without a file in kinds/ fails, one whose file says "# not here: REASON" is skipped.
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
ok() { passed=$((passed + 1)); echo "ok    $1"; }
bad() { failed=$((failed + 1)); echo "FAIL  $1"; }
skip() { skipped=$((skipped + 1)); echo "skip  $1: $2"; }
if [ "$(id -u)" != 0 ]; then
    skip "the kinds on real hosts" "needs root"
    finish
fi

unset DRILL_LAB_DIR DRILL_CONFIG DRILL_STATE
export DRILL_LAB_ID=k$$ DRILL_LAB_OWNER=$$ # the lab's keeper ends it soon after this shell
work=/tmp/drill-lab-$DRILL_LAB_ID/kinds
clean() {
    trap - EXIT
    "$lab" down
}
trap 'clean; exit 130' INT TERM HUP
trap 'clean' EXIT
"$lab" up --size 10 && mkdir "$work" || { bad "the lab comes up"; finish; }

kinds=("$@")
if [ $# = 0 ]; then
    for page in "$here"/../../core/faults/*.md; do kinds+=("$(basename "$page" .md)"); done
fi
here_and_now=()
for kind in "${kinds[@]}"; do
    file=$here/kinds/$kind.toml
    if [ ! -f "$file" ]; then
        bad "$kind: has a file in tests/system/kinds"
    elif grep -q '^# not here: ' "$file"; then
        skip "$kind: on a real host" "$(sed -n 's/^# not here: //p' "$file")"
    else
        here_and_now+=("$kind")
    fi
done
python3 "$here/kinds_watch.py" "$lab" "/tmp/drill-lab-$DRILL_LAB_ID" "$DRILL_LAB_ID" "$work" \
    "$here/kinds" "${here_and_now[@]}" >"$work/out" 2>"$work/err" ||
    echo "claim the trials come to their end|no|$(tail -n 1 "$work/err")" >>"$work/out"
while IFS='|' read -r text yes figures; do
    case $text in
    claim*) [ "$yes" = yes ] && ok "${text#claim }${figures:+ ($figures)}" || bad "${text#claim }${figures:+ ($figures)}" ;;
    figures*) echo "      ${text#figures }" ;;
    esac
done <"$work/out"
[ $failed = 0 ] || cat "$work/err"
finish
