#!/bin/bash
# Control from elsewhere, on hosts of a lab of its own: a run is halted while it lives, stopped by
# SIGSTOP, killed; runs are blocked and let go; notes, watching, closing, undo by target; a fault
# that is held until Enter; a rehearsal; targets of which some fail. Needs root.
# Uses the drill of $DRILL_BUILD as scripts/lab does. Arguments: names of parts, only these.
# Each line is "ok    claim", "FAIL  claim" or "skip  claim: reason"; the last one counts them.
# Must not: touch another lab, signal a process that it did not start, or leave anything behind.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
passed=0 failed=0 skipped=0
ok() { passed=$((passed + 1)); printf 'ok    %s\n' "$1"; }
bad() { failed=$((failed + 1)); printf 'FAIL  %s\n' "$1"; [ -z "${2:-}" ] || printf '%s\n' "$2" | head -n 60 | sed 's/^/      | /'; }
finish() { printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"; [ $failed = 0 ]; exit; }
if [ "$(id -u)" != 0 ]; then
    echo "skip  control on real hosts: needs root"
    skipped=1
    finish
fi

unset DRILL_LAB_DIR DRILL_CONFIG DRILL_STATE NO_COLOR
export DRILL_LAB_ID=ctl$$ DRILL_LAB_OWNER=$$ LC_ALL=C.UTF-8
lab=/tmp/drill-lab-$DRILL_LAB_ID
W=$lab/words # goes with the lab, also when this script is killed
L=scripts/lab
trap 'trap - EXIT; $L down' EXIT
trap 'exit 130' INT TERM
up=$($L up 2>&1) || { bad "a lab starts" "$up"; finish; }
mkdir "$W"
S=$W/state # most parts use this ledger, one after the other

# --- what is said, and what is expected ------------------------------------------------------------

drill() { # ARG..: sets out, err, rc; no terminal anywhere
    timeout 120 $L enter drill --state "$S" "$@" </dev/null >"$W/out" 2>"$W/err"
    rc=$?
}
start() { # ARG..: in the background, sets controller; `enter` execs, so the pid stays
    : >"$W/run.out"; : >"$W/run.err"
    (exec $L enter drill --state "$S" "$@" </dev/null >"$W/run.out" 2>"$W/run.err") &
    controller=$!
}
signal() { # NAME: to the controller that we started, and to nothing else
    [ "$(cat "/proc/$controller/comm")" = drill ] && kill "-$1" "$controller"
}
ended() { { wait "$controller"; code=$?; } 2>/dev/null; } # of the shell's own word about a killed one
words() { tr '\n' ' ' | tr -s ' '; }
# expect CLAIM CODE WORDS..: words of the last drill, blanks squeezed; !WORDS must not be there.
expect() {
    local claim=$1 wanted=$2 word said why='' wide
    shift 2
    said=$(cat "$W/out" "$W/err" | words)
    [ "$rc" = "$wanted" ] || why="exit code $rc instead of $wanted; "
    for word in "$@"; do
        case $word in
        !*) [[ $said != *"${word#!}"* ]] || why+="says: ${word#!}; " ;;
        *) [[ $said == *"$word"* ]] || why+="does not say: $word; " ;;
        esac
    done
    wide=$(cat "$W/out" "$W/err" | grep -v "^ *drill \|^[0-9]* *20\|$lab\|: found \|^{" | awk 'length($0) > 84')
    [ -z "$wide" ] || why+="wider than 80 columns: $wide; "
    [ -z "$why" ] && ok "$claim" || bad "$claim" "$why
$(cat "$W/out" "$W/err")"
}
claim() { # CLAIM CMD..
    if "${@:2}" >"$W/seen" 2>&1; then ok "$1"; else bad "$1" "$(cat "$W/seen"; tail -n 20 "$W/run.out" "$W/run.err")"; fi
}
not() { ! "$@"; }
soon() { # CMD..: until it holds, 30 s at most
    local i
    for ((i = 0; i < 300; i++)); do "$@" >/dev/null 2>&1 && return 0; sleep 0.1; done
    return 1
}
bites() { soon grep -q ': bites' "$W/run.err"; }
begins() { start "$@" && bites; }
run_says() { words <"$W/run.out" | grep -qF -- "$1" || words <"$W/run.err" | grep -qF -- "$1"; }
clean() { # what hosts hold of drill: nothing
    local host
    for host in bal-1 app-1 app-2 spare-1; do
        $L exec "$host" sh -c 'ls -d /run/drill/*/ 2>/dev/null; nft list tables 2>/dev/null | grep drill_
            grep -laE "run/dril[l]/[a-z0-9]+/guard" /proc/[0-9]*/cmdline 2>/dev/null'
    done | grep . && return 1
    return 0
}
cut_off() { $L exec app-1 nft list tables | grep -q drill_; }
last_run() { sqlite3 "$S/ledger.db" 'SELECT max(number) FROM run'; }
verdict_of() { sqlite3 "$S/ledger.db" "SELECT verdict FROM verdict WHERE run = $1"; }
events_of() { sqlite3 "$S/ledger.db" "SELECT group_concat(type, ' ') FROM event WHERE run = $1"; }
personal() { # RUN WORDS: stands in the erasable texts of the run, not in its chain
    [ "$(sqlite3 "$S/ledger.db" "SELECT count(*) FROM personal WHERE run = $1 AND text = CAST('$2' AS BLOB)")" -gt 0 ] &&
        [ "$(sqlite3 "$S/ledger.db" "SELECT count(*) FROM event WHERE run = $1 AND body LIKE '%$2%'")" = 0 ]
}
chain_holds() { drill show "$1" --events && [ "$rc" = 0 ]; }

cat >"$W/cut.toml" <<'TOML'
[experiment]
name  = "cut"
title = "A cut that lasts"
[limit]
hosts   = 1
longest = "2m"
lease   = "9s"
[target.any]
match = ["app-1"]
pick  = 1
[[probe]]
name    = "controller"
kind    = "command"
argv    = ["true"]
every   = "100ms"
timeout = "2s"
[[hypothesis]]
probe  = "controller"
before = "success >= 99% for 500ms"
during = "success >= 90%"
[[step]]
name  = "cut-off"
fault = "net-partition"
on    = "any"
with  = { from = { role = "balancer" }, direction = "both" }
hold  = "60s"
TOML
sed 's/^hold .*/hold = "1s"/' "$W/cut.toml" >"$W/short.toml"

# --- halt ------------------------------------------------------------------------------------------

halt_alive() {
    S=$W/halt
    drill halt --reason nothing
    expect "without a ledger there is nothing to halt" 0 "nothing was ever run"
    begins run "$W/cut.toml"
    claim "the fault is there before it is halted" cut_off
    drill halt nosuchrun --reason mistyped
    expect "a run that is not there is named, and nothing is halted" 2 "there is no run \`nosuchrun\`"
    claim "a mistyped halt leaves the run alone" cut_off
    drill halt --reason 'the pager rang'
    expect "a live run is halted from elsewhere" 0 "answered: it undoes everything now" "is HALTED" "Nothing of it is open"
    ended
    claim "its controller ends as HALTED" [ $code = 4 ]
    claim "its report says who ended it" run_says "ended by halt"
    claim "nothing is left on any host" clean
    claim "reason and name are erasable texts" personal 1 'the pager rang'
    claim "the chain holds with the halt in it" chain_holds 1
    claim "the inbox is empty afterwards" [ -z "$(ls "$S/inbox" 2>/dev/null)" ]
    drill show 1 --events
    expect "the events say by whom and why" 0 "run.halting" "by root: the pager rang"
    drill halt --reason again
    expect "a halt without a run says so" 0 "nothing is running and nothing is open"
    drill halt 1 --reason again
    expect "a halt of a run that is over says its verdict" 0 "run 1 (cut) is HALTED" "Nothing of it is open"
    begins run "$W/cut.toml"
    drill halt 1 --reason wrong
    expect "a halt of an ended run, while another one runs, names that one" 2 "run 1 is not running" "run 2 (cut)" "drill halt 2"
    claim "and leaves it alone" cut_off
    drill halt 2 --reason right
    expect "a run is halted by its number" 0 "run 2 (cut) is HALTED"
    ended
}
halt_stopped() {
    S=$W/stopped
    begins run "$W/cut.toml"
    signal STOP
    drill halt --reason 'it hangs'
    expect "a controller stopped by SIGSTOP is ended, its fault undone" 0 "no answer for 2 s" "is stopped" "Everything is undone" "is HALTED"
    ended
    claim "the stopped controller was killed" [ $code = 137 ]
    claim "nothing is left after it" clean
    claim "its run is HALTED in the ledger" [ "$(verdict_of 1)" = HALTED ]
    claim "the reason is kept for a dead controller too" personal 1 'it hangs'
    claim "the chain holds after the change of writer" chain_holds 1
    # Stopped while it undoes: the halt had been answered by then.
    begins run "$W/cut.toml"
    $L unplug app-1
    signal INT
    soon grep -q 'undo sent' "$W/run.err"
    signal STOP
    $L plug app-1
    drill halt --reason 'it hangs in its undo'
    expect "a controller stopped in the middle of its undo is ended as well" 0 "is stopped" "Nothing of it is open"
    ended
    claim "nothing is left after that" clean
}
halt_killed() {
    S=$W/killed
    begins run "$W/cut.toml"
    signal KILL
    ended
    drill halt --reason 'it was killed'
    expect "the leases of a killed controller are undone" 0 "Everything is undone and read back"
    claim "nothing is left of them" clean
    claim "a run whose controller was lost is INVALID" [ "$(verdict_of 1)" = INVALID ]
}
block() {
    S=$W/block
    drill run "$W/short.toml"
    rc=$(verdict_of 1)
    begins run "$W/cut.toml"
    drill halt --all --reason 'incident 4711'
    expect "halt --all halts what runs and blocks" 0 "new runs are blocked" "is HALTED"
    ended
    claim "nothing is left of what ran" clean
    drill run "$W/short.toml"
    expect "a run is REFUSED meanwhile, and told who, why and the next command" 3 \
        "runs are blocked by root since 20" "incident 4711" "REFUSED. Nothing was touched" "drill unblock"
    claim "nothing was recorded of it" [ "$(last_run)" = 2 ]
    drill unblock
    expect "unblock says what it took away" 0 "runs may begin again" "incident 4711"
    drill unblock
    expect "a second unblock has nothing to do" 0 "runs are not blocked"
    drill run "$W/short.toml"
    expect "then a run begins again" 0 "PASSED"
    mkdir "$S/blocked"
    drill run "$W/short.toml"
    expect "a block that cannot be read blocks as well" 3 "cannot be read" "drill unblock"
    rmdir "$S/blocked"
    S=$W/fresh
    drill halt --all --reason 'before the first run'
    expect "a ledger that is not there yet can be blocked" 0 "new runs are blocked"
    drill run "$W/short.toml"
    expect "and its first run is REFUSED" 3 "before the first run"
}
two_ledgers() {
    S=$W/one
    begins run "$W/cut.toml"
    S=$W/two
    drill halt --reason 'another ledger'
    expect "another ledger knows nothing of this run" 0 "nothing was ever run"
    drill halt --all --reason 'another ledger'
    claim "a halt of another ledger leaves the run alone" cut_off
    S=$W/one
    drill halt --reason 'the right one'
    expect "its own ledger halts it" 0 "is HALTED"
    ended
    drill run "$W/short.toml"
    expect "and is not blocked by the other one" 0 "PASSED"
}

# --- watch, note -------------------------------------------------------------------------------------

watch_note() {
    S=$W/notes
    drill watch
    expect "without a ledger there is nothing to watch" 2 "there is no ledger"
    begins run "$W/cut.toml"
    (exec $L enter drill --state "$S" watch </dev/null >"$W/watch.out" 2>"$W/watch.err") &
    local watcher=$!
    drill note 'the graph looks flat'
    expect "a note is taken by the run that goes on" 0 "noted in run 1 (cut)"
    drill note 1 'and again'
    expect "a run may be named" 0 "noted in run 1 (cut)"
    drill note 9 'nobody'
    expect "a note for no run is not kept" 2 "there is no run \`9\`"
    drill note '  '
    expect "an empty note is not kept" 2 "the note is empty"
    drill halt --reason 'seen enough'
    ended
    wait $watcher
    claim "watch ends with the run" [ $? = 0 ]
    claim "watch shows what was before it and what came" grep -q 'cut-off on app-1: bites' "$W/watch.out"
    claim "watch shows notes with their author" grep -q 'note by root: the graph looks flat' "$W/watch.out"
    claim "watch ends with the verdict" grep -q '^HALTED  cut' "$W/watch.out"
    drill watch 1
    expect "an ended run is shown to its end" 0 "undone, read back" "HALTED cut" "drill show 1"
    drill watch 7
    expect "watching a run that is not there is a mistake" 2 "there is no run \`7\`"
    drill note 'written afterwards'
    expect "a note comes to a run that is over" 0 "noted in run 1"
    claim "it is an erasable text" personal 1 'written afterwards'
    claim "the chain holds behind the verdict" chain_holds 1
    begins run "$W/cut.toml"
    signal STOP
    drill note 'left in the inbox'
    expect "a stopped run takes no note, and it is kept" 0 "has not taken it yet"
    signal KILL
    ended
    drill watch
    expect "watch says that a controller is gone" 6 "its controller is gone" "1 lease is open" "drill undo"
    drill undo
    expect "undo files the note" 0 "Everything is undone"
    claim "the note stands in the chain once" [ "$(events_of 2 | grep -o run.noted | wc -l)" = 1 ]
}

# --- close, undo by target -------------------------------------------------------------------------

close_undo() {
    S=$W/close
    local lease
    drill close abc --reason x
    expect "without a ledger there is nothing to close" 2 "there is no ledger"
    begins run "$W/cut.toml"
    lease=$(sqlite3 "$S/ledger.db" "SELECT id FROM lease WHERE step = 'cut-off'")
    drill close "$lease" --reason 'I looked'
    expect "a lease of a run that is alive is not closed" 3 "REFUSED. Nothing was recorded" "drill halt"
    signal KILL
    ended
    drill undo --target app-7
    expect "undo of a host without leases names what is open" 2 "no lease on app-7 is open" "cut-off on app-1"
    drill undo --step elsewhere
    expect "undo of a step without leases as well" 2 "no lease of step elsewhere is open"
    drill close nope --reason 'I looked'
    expect "no such lease" 2 "there is no lease \`nope\`"
    drill close "$lease" --reason '  '
    expect "a close without a reason is not recorded" 2 "--reason is empty"
    drill close "${lease:0:6}" --reason 'looked on app-1'
    expect "a person closes an open lease by the beginning of its id" 0 "closed: lease $lease" "changed nothing on app-1" "vouches"
    claim "the reason is an erasable text" personal 1 'looked on app-1'
    claim "a run with a closed lease is DIRTY, not undone" [ "$(verdict_of 1)" = DIRTY ]
    claim "the chain holds" chain_holds 1
    drill show 1
    expect "the report says that nothing was proven" 0 "closed by a person"
    drill undo
    expect "undo leaves a closed lease alone" 0 "nothing is open"
    drill close "$lease" --reason 'again'
    expect "a closed lease is not closed again" 3 "closed by a person already"
    drill sweep app-1
    expect "sweep clears the host" 0
    drill run "$W/short.toml"
    lease=$(sqlite3 "$S/ledger.db" "SELECT id FROM lease WHERE step = 'cut-off' AND run = 2")
    drill close "$lease" --reason 'again'
    expect "a released lease is not closed" 3 "its undo was read back"
    begins run "$W/cut.toml"
    signal KILL
    ended
    drill undo --target app-1 --step cut-off
    expect "undo by target and step proves what was asked for" 0 "undone, read back"
    claim "nothing is left" clean
}

# --- permissions -------------------------------------------------------------------------------------

permissions() {
    S=$W/private
    drill run "$W/short.toml"
    chmod 0755 "$lab" "$W"
    local other='setpriv --reuid 65534 --regid 65534 --clear-groups'
    timeout 60 $L enter $other drill --state "$S" halt --reason x </dev/null >"$W/out" 2>"$W/err"
    rc=$?
    expect "another user cannot halt, and is told" 6 "cannot be reached"
    timeout 60 $L enter $other drill --state "$S" halt --all --reason x </dev/null >"$W/out" 2>"$W/err"
    rc=$?
    expect "nor block, and is told that nothing is blocked" 6 "NEW RUNS ARE NOT BLOCKED"
    claim "the directory of the ledger is private" [ "$(stat -c %a "$S")" = 700 ]
}

# --- rehearsal, hold until Enter, partial ------------------------------------------------------------

rehearsal() {
    S=$W/rehearsal
    drill run --rehearse "$W/cut.toml"
    expect "a rehearsal ends as REHEARSED with exit code 0" 0 "REHEARSED" "no fault was applied" "Nothing was changed" "!PASSED"
    claim "no fault was applied" not grep -q 'fault.applied' <<<"$(events_of 1)"
    claim "the ledger says REHEARSED" [ "$(verdict_of 1)" = REHEARSED ]
    claim "the chain holds" chain_holds 1
    drill show 1 --json
    expect "JSON says the fidelity" 0 '"fidelity":"rehearsal"' '"verdict":"REHEARSED"' "!PASSED"
    drill ls
    expect "ls does not call it PASSED" 0 "REHEARSED" "!PASSED"
    claim "nothing is left" clean
    $L exec app-1 sh -c 'mkdir -p /run/drill; touch /run/drill/stop'
    drill run --rehearse "$W/cut.toml"
    expect "a gate that is closed refuses the rehearsal" 3 "/run/drill/stop"
    $L exec app-1 rm /run/drill/stop
}
on_a_terminal() { # SECONDS-BEFORE-ENTER ARG..: drill with a terminal, Enter after the bite; sets rc
    local pause=$1
    shift
    python3 - "$pause" "$W/out" $L enter drill --state "$S" "$@" <<'PY'
import os, pty, re, select, sys, time
pause, out, argv = float(sys.argv[1]), sys.argv[2], sys.argv[3:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(argv[0], argv)
said, pressed, until = b"", None, time.monotonic() + 60
while time.monotonic() < until:
    if select.select([fd], [], [], 0.1)[0]:
        try:
            more = os.read(fd, 65536)
        except OSError:
            break
        if not more:
            break
        said += more
    if pressed is None and b"held until Enter" in said:
        pressed = time.monotonic() + pause
    if pressed and time.monotonic() > pressed and pause >= 0:
        os.write(fd, b"\n")
        pressed = until + 1
open(out, "wb").write(re.sub(rb"\r|\x1b\[[0-9;]*m", b"", said))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
    rc=$?
    : >"$W/err"
}
hold_enter() {
    S=$W/hold
    drill run --hold cut-off "$W/short.toml"
    expect "a hold until Enter without a terminal is refused up front" 2 "no terminal" "Nothing was touched"
    claim "nothing was recorded of it" [ ! -e "$S/ledger.db" ]
    on_a_terminal 3 run --hold cut-of "$W/short.toml"
    expect "a step that is not there is named" 2 "did you mean" "cut-off"
    on_a_terminal 3 run --hold cut-off "$W/short.toml"
    expect "Enter ends the hold, long after the time of the file" 0 "held until Enter" "Enter, its hold is over" "PASSED"
    claim "it was held longer than the file says" [ "$(sqlite3 "$S/ledger.db" "SELECT (SELECT at_wall_ms FROM event WHERE run = 1 AND type = 'undo.sent') - (SELECT at_wall_ms FROM event WHERE run = 1 AND type = 'fault.bit') > 2500")" = 1 ]
    sed 's/^longest .*/longest = "12s"/' "$W/short.toml" >"$W/narrow.toml"
    on_a_terminal -1 run --hold cut-off "$W/narrow.toml"
    expect "without Enter the longest hold ends it" 0 "held until Enter" "PASSED" "!Enter, its"
    claim "nothing is left" clean
}
partial() {
    local marks # of the lives before, which a proven rehearsal leaves
    S=$W/partial
    sed -e 's/^match .*/match = ["app-1", "app-2", "bal-1"]/' -e 's/^pick .*/pick = "all"/' -e 's/^hosts .*/hosts = 3/' \
        -e 's/^fault .*/fault = "noop"/' -e '/^with /d' -e 's/^hold .*/hold = "2s"/' "$W/cut.toml" >"$W/three.toml"
    sed '/^hold /a on_partial = "continue"' "$W/three.toml" >"$W/goes_on.toml"
    drill plan "$W/goes_on.toml"
    expect "the plan says what a failure on some targets means" 0 "the other targets are held" "never PASSED"
    drill plan "$W/three.toml"
    expect "and what it means by default" 0 "if some fail" "everything is undone and the run ends"
    drill plan "$W/goes_on.toml" -o "$W/goes_on.plan"
    # The veto comes after the gates: between the rehearsal of the guards and the apply.
    sed -i 's/^before .*/before = "success >= 99% for 4s"/' "$W/goes_on.toml" "$W/three.toml"
    start run "$W/goes_on.toml"
    soon $L exec app-2 sh -c 'ls /run/drill/*.gone'
    $L exec app-2 sh -c 'mkdir -p /etc/drill; echo noop >/etc/drill/deny'
    ended
    claim "with some of its targets a run goes on, and is INVALID" [ $code = 5 ]
    claim "live lines say on how many, and on which not" grep -q 'took effect on 2 of 3 targets, not on app-2' "$W/run.err"
    claim "the report tells the refused target from the others" grep -Eq 'app-2 +noop +.* refused, not applied' "$W/run.out"
    claim "the others bit and were held" [ "$(grep -cE '(app-1|bal-1) +noop +.* bit at' "$W/run.out")" = 2 ]
    drill show 1 --json
    expect "JSON tells each target's state" 0 '"took":"refused"' '"took":"bit"'
    $L exec app-2 rm /etc/drill/deny
    marks=$($L exec app-2 sh -c 'ls /run/drill/*.gone | wc -l')
    start run "$W/three.toml"
    soon $L exec app-2 sh -c '[ "$(ls /run/drill/*.gone | wc -l)" -gt "$1" ]' sh "$marks"
    $L exec app-2 sh -c 'echo noop >/etc/drill/deny'
    ended
    claim "by default everything is undone" [ $code = 5 ]
    claim "and no fault was held to its end" not grep -q 'took effect on' "$W/run.err"
    $L exec app-2 rm /etc/drill/deny
    claim "nothing is left" clean
}

[ $# -gt 0 ] || set -- rehearsal hold_enter partial halt_alive halt_stopped halt_killed block two_ledgers watch_note close_undo permissions
for part in "$@"; do "$part"; done
finish
