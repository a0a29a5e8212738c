#!/bin/bash
# What the pages show is so: README.md, core/README.md, core/*/*.md. Needs root (it starts a lab).
# The program is $DRILL_BUILD/drill, else build/dev/drill.
#
# Conventions for pages:
# - A fenced block whose first line begins with "$ " is a transcript. Its commands are run in order
#   in one lab: `drill ..` and `scripts/lab ..` there, `scripts/sim ..` on the machine. The lines up to the
#   next "$ " are what it prints, both streams; "(exit status N)" as the last one, if not 0.
# - Lines of code indented by four blanks are run too, and have to exit 0 (hosts of the lab stand for
#   the hosts of the reader). What builds or installs (scripts/test, check, setup, demo, bench, cmake,
#   ninja, git, cd) is not run; a script has to exist.
# - ```toml: `[environment]` is a catalog; `[experiment]` stands alone; `[[step]]` and `[[probe]]` are put
#   into a small experiment. Each is validated; the examples of kinds are planned on the lab as well.
# - ```sh: has to parse, with <placeholders> filled in. That of core/ledger/README.md is run on the lab's
#   ledger and has to say "the chain holds".
# - Any other block (```text or ``` without "$ ", ```cpp) is a picture and not looked at. What stands
#   between the marks <!-- demo-output: begin --> and end is made by scripts/demo, and not run again.
# Compared are words: blanks and line ends count as one blank; times, durations, hashes, seeds, ids,
# run numbers, sample counts and the lab's directory count as equal.
# Each line is "ok    claim", "FAIL  claim" or "skip  claim: reason". Must not: change a page.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
passed=0 failed=0 skipped=0
most_seconds=60 # one command
export DRILL_BUILD=${DRILL_BUILD:-$PWD/build/dev}
unset DRILL_LAB_DIR DRILL_CONFIG DRILL_STATE
export DRILL_LAB_ID=doc$$ DRILL_LAB_OWNER=$$

good() { echo "ok    $1"; passed=$((passed + 1)); }
bad() { # TEXT, explanation on standard input
    echo "FAIL  $1"
    head -n 40 | sed 's/^/          /'
    failed=$((failed + 1))
}
skip() { echo "skip  $1: $2"; skipped=$((skipped + 1)); }
finish() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ $failed = 0 ] && [ $((passed + skipped)) -gt 0 ]
    exit
}
if [ "$(id -u)" != 0 ]; then
    skip "the pages" "needs root"
    finish
fi
[ -x "$DRILL_BUILD/drill" ] || { echo "no program in $DRILL_BUILD" | bad "there is a program to run"; finish; }

work=$(mktemp -d) || exit 1
trap 'scripts/lab down >/dev/null 2>&1; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# Takes the pages apart into $work/NNN.<sort>: transcript, line, toml, sh. First line: page:line.
take_apart() {
    python3 - "$work" "$@" <<'PY'
import re, sys
out, count = sys.argv[1], 0
def emit(sort, place, lines):
    global count
    count += 1
    with open(f"{out}/{count:03}.{sort}", "w") as file:
        file.write("\n".join([place] + lines) + "\n")
for page in sys.argv[2:]:
    fence = None          # (indentation, language, first line, lines)
    made = False          # between the marks of scripts/demo
    for number, line in enumerate(open(page, encoding="utf-8").read().split("\n"), 1):
        mark = re.match(r"( *)```(\w*)", line)
        if fence is None and "demo-output: begin" in line: made = True
        elif fence is None and "demo-output: end" in line: made = False
        elif fence is None and mark: fence = (len(mark[1]), mark[2], number, [])
        elif fence is not None and line.strip() == "```":
            indent, language, first, lines = fence
            fence = None
            place = f"{page}:{first}"
            if made: continue
            if lines and lines[0].startswith("$ "): emit("transcript", place, lines)
            elif language in ("toml", "sh"): emit(language, place, lines)
        elif fence is not None: fence[3].append(line[fence[0]:])
        elif not made and re.match(r" {4,}(drill|scripts/\w+|cmake|ninja|git) ", line + " "):
            command = re.split(r"  +", line.strip())  # a remark may follow
            words = line.strip() if command[0].split()[0] == "drill" else command[0]
            emit("line", f"{page}:{number}", [re.sub(r" {2,}", " ", words)])
PY
}
words() { # the text on standard input as words, volatile ones made equal
    sed -E -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g' -e 's/\b[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?/TIME/g' \
        -e 's/^ *[0-9]+ +TIME/N TIME/' -e 's#/tmp/drill-lab-[a-z0-9]+#LAB#g' -e "s/\blab $DRILL_LAB_ID/lab ID/g" |
        tr -s '[:space:]' ' ' |
        sed -E -e 's/\b[0-9a-f]{12,64}\b/HASH/g' -e 's/run id [a-z0-9]{10}/run id ID/g' \
            -e 's/lease [a-z0-9]{12}/lease ID/g' -e 's/\b(run|show) [0-9]+/\1 N/g' -e 's/\b[0-9]{10,}\b/SEED/g' \
            -e 's/[0-9.]+ % of [0-9]+ \([0-9]+ failed, [0-9]+ unknown\)/SHARE/g' \
            -e 's/[+]?[0-9]+(\.[0-9]+)? (ns|us|µs|ms|s|m|h)\b( [0-9]+ s\b)?/SPAN/g' -e 's/^ //; s/ $//'
}

# carry_out COMMAND: to $work/out; sets status. 200: not to be run, 201: cannot be run here.
carry_out() {
    local simulation=$DRILL_BUILD/tests/sim/drill_sim argument
    status=200
    case $1 in
    'scripts/lab up' | 'scripts/lab down') return ;; # one lab serves all pages
    drill* | 'scripts/lab enter '*)
        timeout "$most_seconds" scripts/lab enter sh -c "${1#scripts/lab enter }" >"$work/out" 2>&1 </dev/null ;;
    'scripts/lab '*) timeout "$most_seconds" sh -c "$1" >"$work/out" 2>&1 </dev/null ;;
    'scripts/sim '*)
        [ -x "$simulation" ] || { status=201; return; }
        read -ra argument <<<"${1#scripts/sim }"
        timeout "$most_seconds" "$simulation" "${argument[@]}" >"$work/out" 2>&1 ;;
    scripts/*) [ -x "${1%% *}" ] || status=127; return ;;
    *) return ;;
    esac
    status=$?
}

transcript() { # FILE: a block of commands and what they print
    local place line command='' wanted=0
    { read -r place; : >"$work/shown"
      while IFS= read -r line || [ -n "$line" ]; do
          case $line in
          '$ '*) [ -z "$command" ] || one "$place" "$command"; command=${line#\$ }; wanted=0; : >"$work/shown" ;;
          '(exit status '*) wanted=${line//[!0-9]/} ;;
          *) printf '%s\n' "$line" >>"$work/shown" ;;
          esac
      done; one "$place" "$command"; } <"$1"
}
one() { # PLACE COMMAND; wanted, $work/shown
    local claim="$1 \$ $2"
    carry_out "$2"
    case $status in
    200) return ;;
    201) skip "$claim" "$DRILL_BUILD has no simulation"; return ;;
    esac
    words <"$work/shown" >"$work/expected"
    words <"$work/out" >"$work/got"
    if [ "$status" = "$wanted" ] && cmp -s "$work/expected" "$work/got"; then
        good "$claim"
    else
        { [ "$status" = "$wanted" ] || echo "exit status $status, not $wanted"
          echo "words that differ (- page, + program):"
          diff -U 2 <(tr ' ' '\n' <"$work/expected") <(tr ' ' '\n' <"$work/got") | tail -n +4 | tr '\n' ' ' | fold -sw 110
          echo; echo "the program printed:"; head -n 30 "$work/out"; } | bad "$claim"
    fi
}
line() { # FILE: one command of an indented block
    local place command
    { read -r place; read -r command; } <"$1"
    carry_out "$command"
    case $status in
    0) good "$place $command" ;;
    200) ;;
    201) skip "$place $command" "$DRILL_BUILD has no simulation" ;;
    *) bad "$place $command: exit status $status" <"$work/out" ;;
    esac
}

experiment() { # EXAMPLE: prints a whole experiment around it
    local probe=controller
    printf '[experiment]\nname = "example"\ntitle = "An example of a page"\n'
    printf '[limit]\nhosts = 1\nlongest = "5m"\n[target.backend]\nmatch = { role = "orders-app" }\npick = 1\n'
    if grep -q '^\[\[probe]]' "$1"; then
        probe=$(sed -n 's/^name *= *"\(.*\)"/\1/p' "$1" | head -n 1)
    else
        printf '[[probe]]\nname = "controller"\nkind = "command"\nargv = ["true"]\nevery = "1s"\ntimeout = "2s"\n'
    fi
    printf '[[hypothesis]]\nprobe = "%s"\nduring = "success >= 50%%"\n' "$probe"
    grep -q '^\[\[step]]' "$1" || printf '[[step]]\nname = "nothing"\nfault = "noop"\non = "backend"\nhold = "1s"\n'
    cat "$1"
}
toml() { # FILE
    local place verb
    read -r place <"$1"
    tail -n +2 "$1" >"$work/example.toml"
    if grep -q '^\[environment]' "$work/example.toml"; then
        catalog "$place"
        return
    fi
    if grep -q '^\[experiment]' "$work/example.toml"; then
        cp "$work/example.toml" "$work/whole.toml"
    else
        experiment "$work/example.toml" >"$work/whole.toml"
    fi
    for verb in validate plan; do
        scripts/lab enter drill "$verb" "$work/whole.toml" >"$work/out" 2>&1 </dev/null
        case $verb-$? in
        *-0) good "$place: the example passes drill $verb" ;;
        # Paths, services and kernel modules of a page are those of its reader's hosts.
        plan-3) skip "$place: the example passes drill plan" "$(head -n 1 "$work/out")" ;;
        *) bad "$place: the example passes drill $verb" <"$work/out" ;;
        esac
    done
}
catalog() { # PLACE: with a home directory in which the files that it names exist
    local home=$work/home
    mkdir -p "$home/.ssh" "$work/catalog"
    : >"$home/.ssh/known_hosts"
    [ -f "$home/.ssh/id_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -f "$home/.ssh/id_ed25519"
    cp "$work/example.toml" "$work/catalog/drill.toml"
    chmod 700 "$work" "$work/catalog" "$home" "$home/.ssh"
    chmod 600 "$work/catalog/drill.toml"
    if HOME=$home "$DRILL_BUILD/drill" --config "$work/catalog/drill.toml" validate experiments/hello.toml \
        >"$work/out" 2>&1 </dev/null; then
        good "$1: the catalog serves the first experiment"
    else
        bad "$1: the catalog serves the first experiment" <"$work/out"
    fi
}
shell() { # FILE
    local place
    read -r place <"$1"
    tail -n +2 "$1" | sed 's/<[a-z]*>/x/g' >"$work/shell"
    if ! bash -n "$work/shell" 2>"$work/out"; then
        bad "$place: the commands parse" <"$work/out"
    elif [[ $place == core/ledger/* ]]; then
        (cd "$work/state" && bash "$work/shell") >"$work/out" 2>&1
        if [ "$(cat "$work/out")" = "the chain holds" ]; then
            good "$place: the chain is verified by hand"
        else
            bad "$place: the chain is verified by hand" <"$work/out"
        fi
    else
        good "$place: the commands parse"
    fi
}
verbs() { # every `drill VERB` of the pages is a verb
    "$DRILL_BUILD/drill" --help | sed -n '/^Subcommands:/,$s/^  \([a-z]\{1,\}\) .*/\1/p' >"$work/verbs"
    grep -noE '`drill [a-z]+' "$@" | while IFS= read -r found; do
        grep -qx "${found##* }" "$work/verbs" || echo "$found"
    done >"$work/out"
    if [ -s "$work/verbs" ] && [ ! -s "$work/out" ]; then
        good "every verb that the pages name is a verb of the program"
    else
        bad "every verb that the pages name is a verb of the program" <"$work/out"
    fi
}

# core/README.md comes first, as its transcripts count runs from 1.
mapfile -t pages < <(git ls-files 'core/*/*.md' | sort)
pages=(core/README.md "${pages[@]}" README.md)
shopt -s nullglob
take_apart "${pages[@]}"
scripts/lab up >"$work/out" 2>&1 || { bad "the lab comes up" <"$work/out"; finish; }
verbs "${pages[@]}"
for file in "$work"/*.transcript; do transcript "$file"; done
for file in "$work"/*.toml; do [[ ${file##*/} =~ ^[0-9] ]] && toml "$file"; done
for file in "$work"/*.line; do line "$file"; done
mkdir "$work/state"
cp "/tmp/drill-lab-$DRILL_LAB_ID/state"/ledger.db "$work/state/"
for file in "$work"/*.sh; do shell "$file"; done
finish
