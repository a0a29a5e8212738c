#!/bin/bash
# What people read when something is not as it should be: exit code, words, the next command, at
# most 80 columns, nothing left on a host. Every case is made real on hosts of a lab of its own.
# Uses the drill of $DRILL_BUILD as scripts/lab does. Must not: touch another lab, or leave one.
# Next: scripts/lab, cli/console.cpp (how a message is wrapped).
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
passed=0 failed=0 skipped=0
ok() { passed=$((passed + 1)); printf 'ok    %s\n' "$1"; }
bad() { failed=$((failed + 1)); printf 'FAIL  %s\n' "$1"; [ -z "${2:-}" ] || printf '%s\n' "$2" | sed 's/^/      | /'; }
skip() { skipped=$((skipped + 1)); printf 'skip  %s: %s\n' "$1" "$2"; }
summary() { printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"; }
if [ "$(id -u)" != 0 ]; then
    skip "messages on real hosts" "needs root"
    summary
    exit 0
fi

unset DRILL_LAB_DIR DRILL_CONFIG DRILL_STATE NO_COLOR
export DRILL_LAB_ID=msg$$ DRILL_LAB_OWNER=$$ LC_ALL=C.UTF-8
lab=/tmp/drill-lab-$DRILL_LAB_ID
W=$lab/words # goes with the lab, also when this script is killed
X=$W/short.toml
L=scripts/lab
finish() {
    trap - EXIT INT TERM
    [ ! -L "/run/drill-lab/$DRILL_LAB_ID" ] || $L down
}
trap finish EXIT
trap 'exit 130' INT TERM
up=$($L up 2>&1) || { bad "a lab starts" "$up"; summary; exit 1; }
mkdir "$W"

# --- what is said, and what is expected ------------------------------------------------------------

drill() { # ARG..: sets out, err, rc; no terminal anywhere
    $L enter drill "$@" </dev/null >"$W/out" 2>"$W/err"
    rc=$?
}
typed() { # ANSWER PROMPT ARG..: drill on a terminal, ANSWER typed once PROMPT is shown; 20 s at most
    $L enter python3 - "$@" >"$W/out" 2>"$W/err" <<'PY'
import os, pty, select, sys, time
os.environ["NO_COLOR"] = "1"  # a line is measured by its characters
pid, fd = pty.fork()
if pid == 0: os.execvp("drill", ["drill"] + sys.argv[3:])
seen, sent, until = b"", False, time.monotonic() + 20
while time.monotonic() < until and select.select([fd], [], [], 20)[0]:
    try: data = os.read(fd, 65536)
    except OSError: break
    seen += data
    if not sent and sys.argv[2].encode() in b" ".join(seen.split()):
        sent = True
        os.write(fd, sys.argv[1].encode() + b"\n")
sys.stdout.buffer.write(seen.replace(b"\r\n", b"\n"))
os.close(fd)  # one that still waits for an answer is hung up
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
    rc=$?
}
in_shell() { # SCRIPT: at the controller's place, in a mount namespace of its own
    $L enter unshare -m bash -c "$1" </dev/null >"$W/out" 2>"$W/err"
    rc=$?
}
flat() { cat "$W/out" "$W/err" | tr '\n' ' ' | tr -s ' '; }
# Prose, not commands to be copied (four blanks and drill), source excerpts, or paths.
wide() {
    cat "$W/out" "$W/err" | awk '!/^ *drill / && !/^ *[0-9]* \|/ && !/^ *--> / && !/^ *[^ ]*$/' |
        python3 -c 'import sys
for line in sys.stdin:
    if len(line.rstrip("\n")) > 80: print(line, end="")'
}
# expect CLAIM CODE WORDS..: words of the last drill, blanks squeezed; !WORDS must not be there.
expect() {
    local claim=$1 code=$2 word said why=
    shift 2
    said=$(flat)
    [ "$rc" = "$code" ] || why="exit code $rc instead of $code; "
    for word in "$@"; do
        case $word in
        !*) [[ $said != *"${word#!}"* ]] || why+="says: ${word#!}; " ;;
        *) [[ $said == *"$word"* ]] || why+="does not say: $word; " ;;
        esac
    done
    [ -z "$(wide)" ] || why+="wider than 80 columns: $(wide); "
    [[ $said != *": drill: "* && $said != *"app-1: app-1"* ]] || why+="a doubled prefix; "
    [ -z "$why" ] && ok "$claim" || bad "$claim" "$why
$(cat "$W/out" "$W/err")"
}
refused() { # CLAIM WORDS..: REFUSED, said on standard error only
    local claim=$1
    shift
    expect "$claim" 3 "REFUSED. Nothing was touched" "$@"
    [ ! -s "$W/out" ] || bad "$claim: standard output stays empty" "$(cat "$W/out")"
}
left() { # what hosts hold of drill
    local host
    for host in bal-1 app-1 app-2; do
        $L exec "$host" sh -c 'nft list tables | grep drill_; for d in /run/drill/*/; do [ ! -d "$d" ] || echo "$d"; done' 2>/dev/null |
            sed "s/^/$host: /"
    done
}
clean() { # CLAIM
    local there
    there=$(left)
    [ -z "$there" ] && ok "$1" || bad "$1" "$there"
}
until_true() { # SECONDS CMD..
    local i n=$(($1 * 10))
    shift
    for ((i = 0; i < n; i++)); do "$@" >/dev/null 2>&1 && return 0; sleep 0.1; done
    return 1
}
cut_off() { $L exec app-1 nft list tables | grep -q drill_; }
catalog() { # NAME SED-SCRIPT: a variant of the lab's catalog
    sed "$2" "$lab/drill.toml" >"$W/$1.toml"
}

cat >"$X" <<'TOML'
[experiment]
name  = "short"
title = "A short cut"
[limit]
hosts   = 1
longest = "1m"
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
hold  = "1s"
TOML
sed 's/^hold .*/hold = "40s"/' "$X" >"$W/long.toml"
sed -e 's/^match .*/match = ["spare-1"]/' -e 's/^fault .*/fault = "noop"/' -e '/^with /d' \
    -e 's/^hold .*/hold = "40s"/' "$X" >"$W/spare.toml"

# --- a host that goes down in mid-fault: needs its time, so it goes on beside the rest --------------

$L enter drill --state "$W/spare" run "$W/spare.toml" >"$W/spare.out" 2>"$W/spare.err" &
spare=$!
spare_bites() { grep -q bites "$W/spare.err"; }
if until_true 15 spare_bites; then $L power spare-1 off; else bad "a fault bites on spare-1" "$(cat "$W/spare.err")"; fi

# --- keys --------------------------------------------------------------------------------------------

keys() {
    local fp
    ssh-keygen -q -t ed25519 -N '' -f "$W/other"
    catalog wrong "s#^key .*#key = { file = \"$W/other\" }#"
    drill plan --config "$W/wrong.toml" "$X"
    refused "a wrong key names host, user and key" "app-1" "root@10.77.0.21 was not let in" "key $W/other"
    catalog none "s#^key .*#key = { file = \"$W/nokey\" }#"
    drill plan --config "$W/none.toml" "$X"
    expect "a missing key file is a usage error with its place" 2 "$W/nokey" "No such file" "Nothing was run"
    cp "$lab/id_ed25519" "$W/open"
    chmod 644 "$W/open"
    catalog open "s#^key .*#key = { file = \"$W/open\" }#"
    drill plan --config "$W/open.toml" "$X"
    expect "a key that others can read is refused with the chmod" 2 "chmod 600 $W/open"

    fp=$(ssh-keygen -lf "$lab/hosts/app-1/hostkey.pub" | cut -d' ' -f2)
    catalog known "s#^known_hosts .*#known_hosts = \"$W/known\"#"
    grep -v '^app-1' "$lab/known_hosts" >"$W/known"
    drill plan --config "$W/known.toml" "$X"
    refused "an unknown host key shows it and says what to type" "is not known" "$fp" "drill trust app-1"
    drill trust --config "$W/known.toml" app-1
    expect "trust without a terminal records nothing" 3 "not recorded" "drill trust app-1 --fingerprint $fp"
    drill trust --config "$W/known.toml" app-1 --fingerprint SHA256:AAAA
    expect "trust with a wrong fingerprint records nothing" 3 "SHA256:AAAA" "Nothing was recorded"
    ! grep -q '10.77.0.21' "$W/known" && ok "refused keys are not in known_hosts" || bad "refused keys are not in known_hosts"
    drill trust --config "$W/known.toml" app-11
    expect "trust of an unknown host suggests the near one" 2 'did you mean `app-1`'
    typed no "to record it:" trust --config "$W/known.toml" app-1
    expect "a person who does not type yes records nothing" 3 "$fp" "not recorded"
    typed yes "to record it:" trust --config "$W/known.toml" app-1
    expect "a person who types yes records it" 0 "$fp" "recorded in $W/known"
    sed -i '/10.77.0.21/d' "$W/known"
    drill trust --config "$W/known.toml" app-1 --fingerprint "$fp"
    expect "trust with the right fingerprint records it" 0 "recorded in $W/known"
    drill trust --config "$W/known.toml" app-1
    expect "trust of a recorded key asks nothing" 0 "recorded already"
    drill plan --config "$W/known.toml" "$X"
    expect "a trusted host is planned" 0 "plan hash"

    { grep -v '^app-1' "$lab/known_hosts"; echo "10.77.0.21 $(cut -d' ' -f1,2 "$W/other.pub")"; } >"$W/known"
    drill plan --config "$W/known.toml" "$X"
    refused "a changed key shows both and asks to find out" "has CHANGED" "$fp" "drill trust app-1 --replace"
    drill trust --config "$W/known.toml" app-1 --fingerprint "$fp"
    expect "trust does not overwrite a changed key" 3 "CHANGED" "Nothing was recorded"
    drill trust --config "$W/known.toml" app-1 --fingerprint "$fp" --replace
    expect "trust --replace does" 0 "recorded in"
    { cat "$lab/known_hosts"; echo "@revoked * $(cat "$lab/hosts/app-1/hostkey.pub")"; } >"$W/known"
    drill plan --config "$W/known.toml" "$X"
    refused "a revoked key stops the plan" "marked @revoked" "app-1"
    drill trust --config "$W/known.toml" app-1 --fingerprint "$fp" --replace
    expect "a revoked key is never trusted again" 3 "@revoked" "Nothing was recorded"
    { grep -v '^app-1' "$lab/known_hosts"; echo "@cert-authority 10.77.0.21 $(cut -d' ' -f1,2 "$W/other.pub")"; } >"$W/known"
    drill plan --config "$W/known.toml" "$X"
    refused "only an authority is known: said so" "@cert-authority" "drill trust app-1"
}

# --- root, tools, reachability ---------------------------------------------------------------------

hosts() {
    drill run --config "$lab/drill-ops.toml" "$X"
    expect "a drill as a user who becomes root by sudo passes" 0 "PASSED" "Everything is undone"
    $L exec app-1 mv /etc/sudoers.d/ops /root/ops.sudo
    drill plan --config "$lab/drill-ops.toml" "$X"
    refused "no sudo names user, host and the line that is missing" "sudo -n is not allowed for ops on app-1" "NOPASSWD"
    $L exec app-1 mv /root/ops.sudo /etc/sudoers.d/ops
    $L exec app-1 mv /usr/sbin/nft /root/nft
    drill plan "$X"
    refused "a missing tool names host, tool and package" "app-1" "nft" "apt install nftables"
    $L exec app-1 mv /root/nft /usr/sbin/nft
    drill sweep app-11
    expect "sweep of an unknown host suggests the near one" 2 'did you mean `app-1`'
    sed 's/"app-1"/"app-9"/' "$X" >"$W/host.toml"
    drill plan "$W/host.toml"
    expect "an unknown host in an experiment suggests the near one" 2 'did you mean `app-1`' "Nothing was run"
    $L exec app-1 bash -c '(exec -a "$(printf "evil\033[31m\033]0;owned\007")" sleep 60) & (exec -a other sleep 60) & disown -a' >/dev/null 2>&1
    sed -e 's/^fault .*/fault = "process-kill"/' -e 's/^with .*/with = { process = "sleep" }/' "$X" >"$W/hostile.toml"
    drill plan "$W/hostile.toml"
    expect "process names of a hostile host are escaped" 3 "2 processes on app-1 match" 'evil\x1b[31m'
    if grep -q $'\033' "$W/out" "$W/err"; then bad "no escape byte of a host reaches the terminal"; else ok "no escape byte of a host reaches the terminal"; fi
}

# --- files -----------------------------------------------------------------------------------------

files() {
    cp "$lab/drill.toml" "$W/writable.toml"
    chmod 666 "$W/writable.toml"
    drill plan --config "$W/writable.toml" "$X"
    expect "a catalog that others can write is not used" 2 "chmod go-w $W/writable.toml"
    drill run "$W/nothing.toml"
    expect "a missing file is named" 2 "$W/nothing.toml" "No such file"
    drill run "$W"
    expect "a directory is no experiment" 2 "not a regular file" "Nothing was run"
    drill plan --config "$W/nocatalog.toml" "$X"
    expect "a missing catalog is named" 2 "there is no catalog $W/nocatalog.toml"
    printf '{ "drill_plan"' >"$W/bad.plan"
    drill run "$W/bad.plan"
    expect "a corrupt plan says where, and how to make a new one" 2 "not valid JSON at byte" "Nothing was touched" "drill plan EXPERIMENT -o $W/bad.plan"
    drill plan "$X" --seed 7 -o "$W/good.plan"
    expect "a written plan names the command that runs it" 0 "drill run $W/good.plan"
    sed 's/"drill_plan":[0-9]*/"drill_plan":99/' "$W/good.plan" >"$W/newer.plan"
    drill run "$W/newer.plan"
    expect "a plan of another version is not run" 2 "99" "Nothing was touched"
    sed 's/"hold_ns":1000000000/"hold_ns":2000000000/' "$W/good.plan" >"$W/edited.plan"
    cmp -s "$W/good.plan" "$W/edited.plan" && bad "the plan was edited"
    drill run "$W/edited.plan"
    expect "a plan edited by hand is not run" 2 "hash" "Nothing was touched"
    drill plan "$X" --seed 7
    expect "without -o the next command is one that works" 0 "drill run $X --seed 7"
}

toml() { # what a user sees of mistakes: all at once, in the order of the file, the same each time
    local first
    cat >"$W/wrong.toml" <<'TOML'
[experiment]
name = "wrong"
titel = "a typo"
[limit]
hosts = 1
longest = 30
[target.none]
match = { role = "nobody" }
pick = 1
[[probe]]
name = "p"
kind = "command"
argv = ["true"]
every = "100ms"
timeout = "2s"
[[hypothesis]]
probe = "p"
during = "success >= 90%"
[[step]]
name = "a"
fault = "noop"
on = "none"
after = ["b"]
hold = "1s"
[[step]]
name = "b"
fault = "noop"
on = "none"
after = ["a"]
hold = "1s"
[[step]]
name = "b"
fault = "nop"
on = "none"
hold = "1s"
TOML
    drill validate "$W/wrong.toml"
    expect "all mistakes of a file at once: typo, unit, empty, doubled, unknown kind" 2 'did you mean `title`' "30" \
        "nobody" '`b`' 'did you mean `noop`' "Nothing was run"
    first=$(flat)
    drill validate "$W/wrong.toml"
    [ "$first" = "$(flat)" ] && ok "the same order each time" || bad "the same order each time"
    sed '/^\[limit\]/,/^longest/d' "$X" >"$W/nolimit.toml"
    drill validate "$W/nolimit.toml"
    expect "a missing limit shows how one is written" 2 "[limit]" "longest"
    sed 's/^name  = "cut-off"/&\nafter = ["cut-off"]/' "$X" >"$W/cycle.toml"
    drill validate "$W/cycle.toml"
    expect "a step that waits for itself is told" 2 "cut-off" "Nothing was run"
    drill validate "$X"
    expect "a good file is said to be ok" 0 "$X: ok"
}

# --- gates -----------------------------------------------------------------------------------------

gates() {
    catalog prod 's/^class .*/class = "production"/'
    drill run --config "$W/prod.toml" "$X"
    refused "a guarded environment wants its name and a reason" "guarded (class production)" "drill run $X --confirm lab --reason"
    drill run --config "$W/prod.toml" "$X" --confirm lap --reason test
    refused "a wrong name is not taken" '`lap` is not its name'
    drill run --config "$W/prod.toml" "$X" --confirm lab
    refused "a name without a reason is not enough" "no reason was given"
    drill run --config "$W/prod.toml" "$X" --confirm lab --reason test
    expect "name and reason open the gate" 0 PASSED
    typed lap "Type its name" run --config "$W/prod.toml" "$X" --reason test
    expect "a person who types another name is refused" 3 '`lap` is not its name' "Nothing was touched"
    typed lab "Type its name" run --config "$W/prod.toml" "$X" --reason test
    expect "a person who types its name goes on" 0 PASSED
    cp -a "$lab/state" "$W/newer"
    sqlite3 "$W/newer/ledger.db" 'PRAGMA user_version = 99'
    drill run --state "$W/newer" "$X"
    refused "a ledger of a newer version is not written" "version 99" "install that drill"
    drill ls --state "$W/newer"
    expect "nor listed, and that is no internal error" 2 "version 99"
    drill undo --state "$W/newer"
    expect "undo that cannot read its ledger does not say clean" 6 "version 99"
    clean "nothing of refused runs is on the hosts"
}

disk() {
    mkdir "$W/tiny"
    in_shell "mount -t tmpfs -o size=200k,mode=700 tiny $W/tiny; drill run --state $W/tiny $X"
    refused "a full disk under the ledger before the start" "$W/tiny" "free"
    sed 's/^hold .*/hold = "3s"/' "$X" >"$W/three.toml"
    in_shell "mount -t tmpfs -o size=4m,mode=700 tiny $W/tiny
        drill run --state $W/tiny $W/three.toml 2>$W/three.err & drill=\$!
        for i in \$(seq 150); do grep -q bites $W/three.err && break; sleep 0.1; done
        dd if=/dev/zero of=$W/tiny/full bs=4k 2>/dev/null
        wait \$drill; code=\$?
        cat $W/three.err >&2; rm -f $W/tiny/full
        drill ls --state $W/tiny; drill undo --state $W/tiny; exit \$code"
    expect "a disk that fills in mid-run: undone, and not green" 5 "ledger" "undone, read back" "!PASSED"
    clean "nothing is left by a run that lost its ledger"
}

# --- runs that are alive, and dead ones ------------------------------------------------------------

runs() {
    local pid
    $L enter drill run "$W/long.toml" >"$W/long.out" 2>"$W/long.err" &
    pid=$!
    until_true 15 cut_off || bad "a cut is there" "$(cat "$W/long.err")"
    drill run "$X"
    refused "a second run names the first: pid, run" "pid $pid" "(short)" "drill halt" "drill watch"
    drill undo
    expect "undo leaves a run alone that is alive" 6 "pid $pid" "undoes its own changes"
    drill ls
    expect "ls does not tell to undo what is alive" 0 "running" "!drill undo"
    kill -9 $pid
    wait $pid 2>/dev/null
    drill ls
    expect "ls names a dead run and what to type" 0 "its controller is gone" "drill undo"
    drill show 3
    drill run "$X"
    refused "leases of a dead run are in the way" "app-1" "drill undo"
    drill undo
    expect "undo ends and proves them" 0 "undone, read back" "Everything is undone"
    clean "nothing is left of the dead run"
    drill undo
    expect "undo with nothing open says so" 0 "nothing is open"
    drill show 999
    expect "show of an unknown run" 2 'no run `999`' "drill ls"
    $L enter drill run "$W/long.toml" >"$W/out" 2>"$W/err" &
    pid=$!
    until_true 15 cut_off
    kill -TERM $pid
    wait $pid
    rc=$?
    expect "a signal halts and undoes" 4 "SIGTERM" "HALTED" "Everything is undone"
    clean "nothing is left of the halted run"
}

# --- streams and screens -----------------------------------------------------------------------------

screen() { # COLUMNS CMD: on a terminal of that width; all lines go to $W/out
    $L enter python3 - "$@" >"$W/out" 2>"$W/err" <<'PY'
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
    os.environ["TERM"] = "xterm"
    os.execvp("sh", ["sh", "-c", sys.argv[2]])
while True:
    try: data = os.read(fd, 65536)
    except OSError: break
    if not data: break
    sys.stdout.buffer.write(data.replace(b"\r\n", b"\n"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
    rc=$?
}
streams() {
    local verb
    $L enter sh -c 'drill ls >&-' 2>"$W/err"
    rc=$? ; : >"$W/out"
    expect "ls with standard output closed" 0
    $L enter sh -c 'drill ls | head -n 1' >"$W/out" 2>"$W/err"
    rc=$?
    expect "ls into a pipe that closes" 0
    $L enter sh -c "drill run $X --state $W/closed >&- 2>&- <&-"
    rc=$?
    drill show 1 --state "$W/closed"
    expect "a run with all streams closed goes on and is recorded whole" 0 "PASSED"
    for verb in "" validate plan run undo sweep ls show trust; do
        # shellcheck disable=SC2086
        drill $verb --help
        [ "$(awk 'length > 80' "$W/out")" = "" ] && [ "$rc" = 0 ] && { [ -z "$verb" ] || [ "$(grep -c "^  drill $verb" "$W/out")" -ge 2 ]; } &&
            grep -q 'Exit codes' "$W/out" && ok "help of drill $verb: 80 columns, examples, exit codes" ||
            bad "help of drill $verb: 80 columns, examples, exit codes" "$(cat "$W/out" "$W/err")"
    done
    drill rnu
    expect "a mistyped verb suggests the near one" 2 'did you mean `drill run`'
    drill
    expect "no verb names them" 2 "validate, plan, run"
    drill run --seed x "$X"
    expect "a bad flag points to the help of that verb" 2 "drill run --help"
    for verb in "plan $X" "ls" "show 1"; do
        screen 80 "drill $verb"
        sed -i 's/\x1b\[[0-9;]*m//g' "$W/out"
        [ "$rc" = 0 ] && [ -z "$(wide)" ] && ok "drill ${verb%% *} on a terminal of 80 columns" || bad "drill ${verb%% *} on a terminal of 80 columns" "$(wide)"
    done
    screen 50 "drill plan $X"
    [ "$(sed 's/\x1b\[[0-9;]*m//g' "$W/out" | awk 'length > 50 && !/ drill run /' | wc -l)" = 0 ] && ok "the width of the terminal is used" || bad "the width of the terminal is used"
    screen 80 "drill show 1"
    grep -q $'\033' "$W/out" && ok "a terminal gets colour" || bad "a terminal gets colour"
    screen 80 "NO_COLOR=1 drill show 1"
    grep -q $'\033' "$W/out" && bad "NO_COLOR is heeded" || ok "NO_COLOR is heeded"
    drill --ascii show 1
    cp "$W/out" "$W/ascii"
    drill --ascii plan "$X"
    LC_ALL=C grep -q '[^ -~]' "$W/ascii" "$W/out" && bad "--ascii has no byte above 127" || ok "--ascii has no byte above 127"
}

down() { # the host that went off at the beginning
    local i
    for ((i = 0; i < 900; i++)); do kill -0 $spare 2>/dev/null || break; sleep 0.1; done
    wait $spare
    rc=$?
    cp "$W/spare.out" "$W/out"
    cp "$W/spare.err" "$W/err"
    expect "a host that goes down in mid-fault: DIRTY, with what to type" 6 "DIRTY" "spare-1" "not proven" "drill undo" "drill sweep spare-1"
    sed 's/"app-1"/"spare-1"/; s/^fault .*/fault = "noop"/; /^with /d' "$X" >"$W/off.toml"
    drill plan "$W/off.toml"
    refused "a host that is down is named" "spare-1 cannot be reached" "10.77.0.31"
    drill sweep spare-1
    expect "sweep of a host that is down does not say clean" 6 "spare-1" "not known" "drill sweep spare-1"
    $L power spare-1 on
    drill undo --state "$W/spare"
    expect "back again: undo proves that the fault is gone" 0 "spare-1" "undone, read back" "Everything is undone"
    drill sweep spare-1
    expect "sweep of a clean host says so" 0 "spare-1: nothing of drill"
}

keys
hosts
files
toml
gates
disk
runs
streams
down
summary
[ "$failed" = 0 ]
