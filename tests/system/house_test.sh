#!/bin/bash
# House rules that neither compiler nor clang-tidy sees: who may include whom, headers that compile
# alone, lengths, words, pages of kinds, blanks, presets, shell syntax, foreign paths.
# Looks at the files that git knows, in the directory $DRILL_HOUSE or in this tree. No root, no build.
# With an argument only the claims that hold these words are looked at.
# Each line is "ok    claim", "FAIL  claim" (with what breaks it below) or "skip  claim: reason".
# Must not: change a file. A rule that does not fit any more is changed here, with its reason.
set -u
cd "${DRILL_HOUSE:-$(dirname "${BASH_SOURCE[0]}")/../..}" || exit 1
passed=0 failed=0 skipped=0
jobs=2       # headers compiled at a time
most_shown=8 # lines below a claim that fails
only=${1:-}

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# claim TEXT CMD..: holds when CMD prints nothing and succeeds; what it prints breaks the rule.
claim() {
    [[ $1 == *"$only"* ]] || return 0
    if "${@:2}" >"$work/said" 2>&1 && [ ! -s "$work/said" ]; then
        echo "ok    $1"
        passed=$((passed + 1))
        return
    fi
    echo "FAIL  $1"
    head -n "$most_shown" "$work/said" | sed 's/^/          /'
    failed=$((failed + 1))
}
skip() { # TEXT REASON
    echo "skip  $1: $2"
    skipped=$((skipped + 1))
}
finish() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ $failed = 0 ] && [ $passed -gt 0 ]
    exit
}

files() { # [PATTERN..]: tracked files that are there
    git ls-files -- "$@" | while IFS= read -r file; do [ -f "$file" ] && echo "$file"; done
}
code() { files 'core/*.cpp' 'core/*.hpp' 'cli/*.cpp' 'cli/*.hpp'; }
scripts() { # shell scripts: "FILE INTERPRETER"
    local file first
    for file in $(files scripts tests/system .ci '*.sh'); do
        read -r first <"$file"
        case $first in
        '#!'*bash) echo "$file bash" ;;
        '#!'*sh) echo "$file sh" ;;
        *) [[ $file != *.sh ]] || echo "$file sh" ;; # a part of a script, as envelope.sh
        esac
    done
}

# --- who includes whom ---------------------------------------------------------------------------

includes() { # FROM-FILE, FOLDER, INCLUDED, one per line and per #include "..."
    code | xargs grep -H '^ *# *include *"' |
        sed -n 's/^\([^:]*\):[^"]*"\([^"]*\)".*/\1 \2/p' |
        while read -r from to; do
            folder=${from#core/}
            echo "$from ${folder%%/*} $to"
        done
}
wrong_directions() {
    local from folder to see
    while read -r from folder to; do
        case $folder in
        base) see='base' ;;
        holder) see='holder' ;; # a program for targets; its bytes are seen by faults
        faults) see='base model faults holder' ;;
        model) see='base model' ;;
        config | probes | cutovers | restores | transport | ledger | report)
            see="base model $folder" ;;
        plan) see='base model config faults probes cutovers restores transport ledger report plan' ;;
        engine) see='base model config faults probes cutovers restores transport ledger report plan engine' ;;
        cli) continue ;; # puts everything together
        *) echo "$from: folder $folder is not in the picture of core/README.md"; continue ;;
        esac
        case " $see " in *" ${to%%/*} "*) ;; *) echo "$from includes $to" ;; esac
    done < <(includes)
}
cli_from_core() { includes | awk '$2 != "cli" && $3 ~ /^cli\// {print $1 " includes " $3}'; }
# A kind is a .cpp directly in its folder; it may see parts/ and kinds.hpp never sees a kind.
kinds_of_kinds() {
    local from folder to
    while read -r from folder to; do
        case $folder in faults | probes | cutovers | restores) ;; *) continue ;; esac
        case $to in "$folder"/parts/* | base/* | model/* | holder/program.hpp) ;; *) echo "$from includes $to" ;; esac
    done < <(includes)
    files 'core/faults/*.hpp' 'core/probes/*.hpp' 'core/cutovers/*.hpp' 'core/restores/*.hpp' |
        grep -vE '/(parts/[^/]+|kinds\.hpp)$' # a kind needs no header: its table is generated
    true
}
relative_includes() { code | xargs grep -nE '^ *# *include *"(\.|[^"/]*")'; true; }
# library NAME HEADER-PATTERN FOLDER-PATTERN: prints users elsewhere
library() { code | grep -vE "^($2)/" | xargs grep -nE "^ *# *include *[<\"]($1)"; true; }

# --- headers -------------------------------------------------------------------------------------

headers_alone() {
    local flags
    flags=$(pkg-config --cflags libssh tomlplusplus 2>/dev/null)
    # shellcheck disable=SC2016
    files 'core/*.hpp' 'cli/*.hpp' 'tests/*.hpp' | FLAGS=$flags xargs -P "$jobs" -I{} sh -c '
        printf "#include \"%s\"\n" "$1" |
            g++ -std=c++20 -fsyntax-only -O0 -Icore -Itests -I. -DDRILL_VERSION=\"0\" -DDRILL_SOURCE_DIR=\".\" \
                $FLAGS -x c++ - >/dev/null 2>&1 || echo "$1 does not compile alone"' sh {}
}
without_pragma() { files '*.hpp' | xargs grep -L '^#pragma once$'; true; }

# --- lengths, words, blanks ----------------------------------------------------------------------

too_long() {
    local lines file
    files '*.cpp' '*.hpp' '*.sh' '*.py' '*.cmake' '*CMakeLists.txt' scripts cli core tests | sort -u |
        grep -vE '\.(md|txt|json)$' | while IFS= read -r file; do
        lines=$(wc -l <"$file")
        [ "$lines" -le 600 ] || head -n 30 "$file" | tr -d '\n' | grep -q 'Longer than 600 lines because' ||
            echo "$file: $lines lines, and no reason at its head"
    done
}
unfinished() { files | grep -vFx "$this" | xargs grep -InwE 'TODO|FIXME|XXX'; true; }
# Words of identifiers in code: literals, comments and includes taken out, camel case taken apart.
banned_words() {
    files 'core/*' 'cli/*' | grep -E '\.(cpp|hpp|sh|cmake)$|CMakeLists.txt$' >"$work/list"
    python3 - "$work/list" <<'PY'
import os, re, sys
banned = {"attack", "attacks", "attacker", "rollback", "task", "tasks", "job", "jobs", "manager",
          "managers", "helper", "helpers", "util", "utils", "recover", "recovers"}
noise = re.compile(r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/|^[ \t]*#[ \t]*include[^\n]*', re.S | re.M)
shell = re.compile(r"(?:^|(?<=\s))#[^\n]*|'[^'\n]*'")
for path in map(str.strip, open(sys.argv[1])):
    text = open(path, encoding="utf-8").read()
    rule = noise if path.endswith((".cpp", ".hpp")) else shell
    text = rule.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)
    lines = [(0, os.path.splitext(path)[0])] + list(enumerate(text.split("\n"), 1))
    for number, line in lines:
        for word in re.findall(r"[A-Za-z][A-Za-z0-9_]*", line):
            apart = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", word).lower().split("_")
            for bad in banned.intersection(apart):
                print(f"{path}:{number}: {word} ({bad})")
PY
}
trailing_blanks() { files | grep -vE '/golden/|^LICENSE$' | xargs grep -InE '[[:blank:]]+$'; true; }
tabs() { files '*.cpp' '*.hpp' | xargs grep -nP '\t'; true; }
no_last_newline() {
    local file
    files | while IFS= read -r file; do
        [ -s "$file" ] && [ -n "$(tail -c 1 "$file")" ] && echo "$file"
    done
    true
}
# Sample users of examples are kim and ops. The patterns do not match themselves.
foreign_paths() {
    files | grep -vE '^LICENSE$' | xargs grep -InE \
        '(^|[^A-Za-z0-9_}.])/[h]ome/[a-z]|/[U]sers/[a-z]|(^|[^A-Za-z0-9_}/.])/[w]ork/' |
        grep -vE '/home/(kim|ops)\b'
    true
}
registries() {
    files | grep -vE '^LICENSE$' | xargs grep -InE \
        '(pypi|npmjs|crates|rubygems|maven|conan|dockerhub|hub[.]docker|artifactory|nexus)[.](org|io|com|center)|(deb|security|snapshot|ftp)[.]debian[.]org|archive[.]ubuntu[.]com|docker[.]io/|ghcr[.]io|quay[.]io|gcr[.]io|goprox[y]|proxy[.]golang'
    true
}

# --- pages, presets, scripts ---------------------------------------------------------------------

pages() { # FOLDER HEADING..: each kind has its page, with these headings in this order
    local folder=$1 source page
    shift
    printf '## %s\n' "$@" >"$work/wanted"
    for source in $(files "core/$folder/*.cpp" | grep -E "^core/$folder/[^/]+$"); do
        page=${source%.cpp}
        page=core/$folder/$(basename "$page" | tr _ -).md
        [ -f "$page" ] || { echo "$source has no page $page"; continue; }
        grep -Fx -f "$work/wanted" "$page" | cmp -s - "$work/wanted" || echo "$page: headings, or their order"
        head -n 1 "$page" | grep -qx "# $(basename "$page" .md)" || echo "$page: its first line is not its name"
        grep -q '^```toml$' "$page" || echo "$page: no example"
    done
}
presets() {
    if [ -f CMakePresets.json ]; then
        cmake --list-presets=all . >"$work/presets" 2>&1 || { cat "$work/presets"; return; }
        local name
        for name in dev asan tsan release; do
            grep -q "\"$name\"" "$work/presets" || echo "preset $name is absent"
        done
    else
        echo "CMakePresets.json is absent"
    fi
}
not_executable() { scripts | while read -r file how; do
    case $file in core/* | *.d/*) continue ;; esac
    [ -z "$how" ] || [ -x "$file" ] || echo "$file"
done; }
bad_shell() { scripts | while read -r file how; do "$how" -n "$file"; done; }
shellcheck_all() {
    scripts | while read -r file how; do echo "$file"; done |
        xargs -P "$jobs" -n 2 shellcheck -S warning -x -f gcc
    true
}
dead_links() { # relative links of pages, and folders the map does not know
    local page target
    for page in $(files '*.md'); do
        grep -oE '\]\([^)#]+' "$page" | sed 's/^](//' | while IFS= read -r target; do
            case $target in http*:* | mailto:*) continue ;; esac
            [ -e "$(dirname "$page")/$target" ] || echo "$page: $target"
        done
    done
}
unmapped_folders() {
    local folder
    for folder in $(files 'core/*/*' | cut -d/ -f2 | sort -u); do
        grep -q "^\*\*\`core/$folder\`" core/README.md || echo "core/README.md has no paragraph on core/$folder"
    done
}

this=tests/system/house_test.sh
claim "dependencies point one way, and peers do not see each other" wrong_directions
claim "nothing in core/ includes cli/" cli_from_core
claim "kinds do not include each other, nor have headers" kinds_of_kinds
claim "includes are written from the root: folder/file" relative_includes
claim "toml++ is included in core/config only" library 'toml' 'core/config'
claim "sqlite3 is included in core/ledger only" library 'sqlite3' 'core/ledger'
claim "libssh, curl, libpq and Boost are included in core/transport only" library 'libssh|curl|libpq|boost' 'core/transport'
claim "CLI11 is included in cli/ only" library 'CLI/|CLI11' 'cli'
claim "OpenSSL is included in core/base and core/transport only" library 'openssl' 'core/base|core/transport'
claim "every header has #pragma once" without_pragma
claim "every header compiles alone" headers_alone
claim "no file is longer than 600 lines without a reason at its head" too_long
claim "nothing is marked as unfinished" unfinished
claim "identifiers use the words of the design" banned_words
claim "no line ends in blanks" trailing_blanks
claim "C++ files hold no tabs" tabs
claim "every file ends with a newline" no_last_newline
claim "no path of somebody's own machine" foreign_paths
claim "no host name of a package registry" registries
claim "every fault kind has a page with the fixed headings" pages faults 'What it does' \
    'Needs on the target' 'Parameters' 'How it is undone' 'Undo by hand' 'How to see it worked' 'Example'
claim "every probe kind has a page with the fixed headings" pages probes 'What it asks' 'Parameters' \
    'When a sample is ok, degraded, failed, unknown' 'Example'
claim "links between pages lead somewhere" dead_links
claim "the map has a paragraph for each folder" unmapped_folders
claim "the CMake presets parse" presets
claim "shell scripts parse" bad_shell
claim "scripts can be executed" not_executable
if command -v shellcheck >/dev/null; then
    claim "shellcheck has no warning" shellcheck_all
else
    skip "shellcheck has no warning" "it is not installed"
fi
finish
