#!/bin/bash
# Each figure of a report can be recomputed from the ledger: a run with failures, slow answers and
# two faults on this machine, and figures.py, which shares no code with drill, beside its report.
# Needs root: the run has namespaces of its own (mounts, network, processes), which end with it.
# The program is $DRILL_BUILD/drill, else build/dev/drill. Each line is "ok    claim" or "FAIL  ..".
# Must not: use /run, or a port, of the machine.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
program=$(realpath "${DRILL_BUILD:-build/dev}")/drill
here=$PWD/tests/system
if [ "$(id -u)" != 0 ]; then
    echo "skip  figures of a report from the ledger: needs root"
    echo "0 passed, 0 failed, 1 skipped"
    exit
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/drl$$-figures-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

cat >"$work/drill.toml" <<'TOML'
[environment]
name = "here"
class = "lab"
[host.here]
address = "localhost"
transport = "local"
labels = { role = "self" }
TOML
cat >"$work/figures.toml" <<'TOML'
[experiment]
name = "figures"
title = "A service that is away, and later slow"
[objective]
rto = "8s"
[limit]
hosts = 1
longest = "30s"
[target.self]
match = { role = "self" }
pick = 1
[[probe]]
name = "order"
kind = "http"
url = "http://127.0.0.1:8099/"
every = "100ms"
timeout = "1500ms"
ok = { status = 200, within = "400ms" }
[[probe]]
name = "door"
kind = "tcp"
host = "127.0.0.1"
port = 8099
every = "70ms"
timeout = "1500ms"
[[hypothesis]]
probe = "order"
before = "success >= 10% for 1s"
during = "success >= 1%"
regain = { within = "6s", hold = "1s", from = "undo" }
[[hypothesis]]
probe = "door"
before = "p90 < 1400ms for 1s"
during = "p95 < 900ms"
regain = { within = "1s", hold = "500ms", from = "fault" }
[[step]]
name = "away"
fault = "command"
on = "self"
hold = "3s"
with = { apply = ["touch", "/run/figures/away"], undo = ["rm", "-f", "/run/figures/away"], read_back = ["sh", "-c", "[ ! -e /run/figures/away ] || exit 10"] }
[[step]]
name = "slow"
fault = "command"
on = "self"
hold = "4s"
with = { apply = ["touch", "/run/figures/slow"], undo = ["rm", "-f", "/run/figures/slow"], read_back = ["sh", "-c", "[ ! -e /run/figures/slow ] || exit 10"] }
TOML
cat >"$work/service.py" <<'PY'
import http.server, os, time
class Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if os.path.exists("/run/figures/slow"): time.sleep(0.6)
        self.send_response(503 if os.path.exists("/run/figures/away") else 200)
        self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", 8099), Service).serve_forever()
PY
cat >"$work/inside.sh" <<'SH'
work=$1 program=$2
mount -t tmpfs none /run && mkdir /run/figures && ip link set lo up || exit 99
python3 "$work/service.py" &
for _ in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/8099) 2>/dev/null && break; sleep 0.1; done
cd "$work" || exit 99
"$program" --no-input --state "$work/state" run figures.toml --seed 1
echo $? >"$work/code"
"$program" --state "$work/state" report 1 --format json >"$work/report.json" &&
    NO_COLOR=1 "$program" --state "$work/state" report 1 >"$work/report.txt"
SH
timeout 120 unshare --mount --net --pid --fork --kill-child --mount-proc \
    bash "$work/inside.sh" "$work" "$program" >"$work/out" 2>&1 </dev/null
if [ -s "$work/report.json" ] && [ -s "$work/report.txt" ]; then
    python3 "$here/figures.py" "$work/state/ledger.db" "$work/report.json" "$work/report.txt" >"$work/claims" 2>&1
    code=$?
    cat "$work/claims"
    # A program that broke off has judged nothing.
    if [ "$code" != 0 ] && ! grep -q '^FAIL' "$work/claims"; then echo "FAIL  figures.py ends (exit $code)"; fi
else
    echo "FAIL  the run has a report (exit $(cat "$work/code" 2>/dev/null))"
    sed 's/^/      | /' "$work/out"
fi | tee "$work/all"
passed=$(grep -c '^ok ' "$work/all") broken=$(grep -c '^FAIL' "$work/all")
echo "$passed passed, $broken failed, 0 skipped"
[ "$broken" = 0 ] && [ "$passed" -gt 0 ]
