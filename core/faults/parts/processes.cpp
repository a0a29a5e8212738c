// See processes.hpp. The listing runs on the target with nothing but a POSIX shell, tr and grep.
#include "faults/parts/processes.hpp"

#include "base/text.hpp"
#include "faults/parts/values.hpp"

#include <algorithm>
#include <array>

namespace drill::faults {

namespace {

constexpr std::size_t shown_matches = 10;  ///< of a refusal
constexpr std::size_t longest_comm = 15;   ///< TASK_COMM_LEN - 1
constexpr std::size_t longest_match = 512;

// comm may hold blanks, parentheses and newlines: the fields begin behind the last ") ".
constexpr std::string_view look = R"sh(
look() {
    stat=
    while IFS= read -r line || [ -n "$line" ]; do
        stat="$stat$line "
    done 2>/dev/null <"/proc/$1/stat" || return 1
    [ -n "$stat" ] || return 1
    comm=${stat#*\(}
    comm=${comm%\)*}
    set -f
    set -- ${stat##*\) }
    set +f
    state=$1 ppid=$2 flags=$7 start=${20}
}
same() { look "${1%:*}" && [ "$start" = "${1#*:}" ]; }
)sh";

// Never listed: ourselves, whom we run under, other scripts and guards of ours. Listed as
// protected, so that a refusal can name them: pid 1, the login and bus daemons, systemd's own.
constexpr std::string_view list = R"sh(
mode=$1 name=$2 pattern=$3 unit=$4 pidfile=$5 count=$6
shift 6
old=" $* "
if [ -n "$pattern" ]; then
    echo x | grep -Eq -e "$pattern"
    if [ $? -gt 1 ]; then exit 2; fi
fi
above=" "
pid=$$
depth=0
while [ "$pid" -gt 1 ] && [ "$depth" -lt 64 ] && look "$pid"; do
    above="$above$pid "
    pid=$ppid
    depth=$((depth + 1))
done
if [ -n "$pidfile" ]; then
    pid=
    read -r pid 2>/dev/null <"$pidfile"
    case $pid in '' | *[!0-9]*) pid=none ;; esac
    set -- "/proc/$pid"
else
    set -- /proc/[0-9]*
fi
found=0
for directory do
    pid=${directory#/proc/}
    case $above in *" $pid "*) continue ;; esac
    look "$pid" || continue
    case $state in Z | X | x) continue ;; esac
    [ "$ppid" != "$$" ] || continue
    [ $((flags & 2097152)) -eq 0 ] || continue
    [ -z "$name" ] || [ "$comm" = "$name" ] || continue
    if [ -n "$unit" ]; then
        inside=
        while IFS= read -r line; do
            case $line in */"$unit" | */"$unit"/*) inside=1 ;; esac
        done 2>/dev/null <"/proc/$pid/cgroup"
        [ -n "$inside" ] || continue
    fi
    command=$(tr '\000\n\t' '   ' 2>/dev/null <"/proc/$pid/cmdline")
    case $command in *drill-* | */run/drill/*) continue ;; esac
    if [ -n "$pattern" ]; then
        printf '%s\n' "$command" | grep -Eq -e "$pattern" || continue
    fi
    role=victim
    [ "$pid" -ne 1 ] || role=protected
    case $comm in
    sshd | sshd-* | dropbear | dbus-daemon | dbus-broker* | systemd* | init | '(sd-pam)' | drill)
        role=protected ;;
    esac
    if [ "$mode" = enough ]; then
        [ "$role" = victim ] || continue
        case $old in *" $pid:$start "*) continue ;; esac
        found=$((found + 1))
        continue
    fi
    uid=-
    while read -r key value line; do
        if [ "$key" = Uid: ]; then uid=$value; fi
    done 2>/dev/null <"/proc/$pid/status"
    printf '%s %s %s %s %s ' "$role" "$pid" "$start" "$uid" "$state"
    printf '%.300s\n' "${command:-$comm}"
    found=$((found + 1))
    [ "$found" -lt 200 ] || break
done
[ "$mode" = list ] || [ "$found" -ge "$count" ]
)sh";

Exec listing(const ChangeRequest& request, std::string_view mode,
             const std::vector<std::string>& victims) {
    const Values& params = request.params;
    std::vector<std::string> arguments{
        std::string(mode),          text_of(params, "process"),
        text_of(params, "match"),   text_of(params, "unit"),
        text_of(params, "pidfile"), std::to_string(value_or<std::int64_t>(params, "count", 1))};
    std::string& unit = arguments[3];
    if (!unit.empty() && unit.find('.') == std::string::npos) { unit += ".service"; }
    arguments.insert(arguments.end(), victims.begin(), victims.end());
    return process_script(list, std::move(arguments));
}

struct Match {
    bool victim{false};
    std::string pid, start, uid, state, command;
};

std::vector<Match> parse_matches(std::string_view out) {
    std::vector<Match> matches;
    for (const std::string& line : split(out, '\n')) {
        std::array<std::string_view, 5> words;
        std::string_view rest = line;
        bool whole = true;
        for (std::string_view& word : words) {
            const std::size_t blank = rest.find(' ');
            whole = whole && blank != std::string_view::npos;
            if (!whole) { break; }
            word = rest.substr(0, blank);
            rest.remove_prefix(blank + 1);
        }
        const auto digits = [](std::string_view text) {
            return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
        };
        if (!whole || !digits(words[1]) || !digits(words[2])) { continue; }
        matches.push_back({words[0] == "victim", std::string(words[1]), std::string(words[2]),
                           std::string(words[3]), std::string(words[4]),
                           escape_control(trim(rest), Lines::one)});
    }
    return matches;
}

std::string table_of(const std::vector<Match>& matches) {
    std::string text;
    for (std::size_t i = 0; i < matches.size() && i < shown_matches; ++i) {
        const Match& match = matches[i];
        text += "\n  " + match.pid + " (uid " + match.uid + ") " + match.command +
                (match.victim ? "" : " [never a victim]");
    }
    if (matches.size() > shown_matches) {
        text += "\n  and " + std::to_string(matches.size() - shown_matches) + " more";
    }
    return text;
}

Error refuse(std::string message) { return fail(Code::refused, std::move(message)); }

bool never_a_victim(std::string_view name) {
    static constexpr std::string_view names[] = {
        "sshd", "dropbear", "dbus-daemon", "dbus-broker", "init", "systemd", "dbus-broker-lau"};
    return std::find(std::begin(names), std::end(names), name) != std::end(names) ||
           name.substr(0, 8) == "systemd-" || name.substr(0, 5) == "sshd-";
}

Status examine(const ChangeRequest& request) {
    const Values& params = request.params;
    bool any = false;
    for (const std::string_view name : {"process", "match", "unit", "pidfile"}) {
        const std::string text = text_of(params, name);
        any = any || !text.empty();
        if (text.find_first_of(std::string_view("\n\0", 2)) != std::string::npos) {
            return refuse("`" + std::string(name) + "` must be one line");
        }
    }
    if (!any) { return refuse("give at least one of `process`, `match`, `unit`, `pidfile`"); }
    const std::string name = text_of(params, "process");
    if (name.size() > longest_comm) {
        return refuse("the kernel keeps 15 bytes of a name: write process = \"" +
                      name.substr(0, longest_comm) + "\", and `match` for the rest");
    }
    if (never_a_victim(name)) {
        return refuse(name + " is never a victim: the way in and the undo depend on it");
    }
    if (text_of(params, "match").size() > longest_match) {
        return refuse("`match` is longer than " + std::to_string(longest_match) + " bytes");
    }
    const std::string pidfile = text_of(params, "pidfile");
    if (!pidfile.empty() && pidfile.front() != '/') {
        return refuse("`pidfile` must be an absolute path");
    }
    const std::string unit = text_of(params, "unit");
    if (unit.find('/') != std::string::npos) { return refuse("`unit` must be the name of a unit"); }
    const std::string init = fact_of(request.facts, "init");
    if (!unit.empty() && !init.empty() && init != "systemd") {
        return refuse(request.host + " does not run systemd, so it has no units; use `process`");
    }
    return ok();
}

}  // namespace

Exec process_script(std::string_view text, std::vector<std::string> arguments) {
    return script(std::string(look) += text, std::move(arguments));
}

std::vector<Exec> process_observe(const ChangeRequest& request) {
    return {listing(request, "list", {})};
}

Exec process_enough(const ChangeRequest& request, const std::vector<std::string>& victims) {
    return listing(request, "enough", victims);
}

Result<std::vector<std::string>> victims_of(const ChangeRequest& request, Stopped stopped) {
    DRILL_CHECK(examine(request));
    if (request.observed.size() == 1 && request.observed.front().status == 2) {
        return refuse("grep on " + request.host + " does not accept `match`: " +
                      escape_control(trim(request.observed.front().err), Lines::one));
    }
    if (request.observed.size() != 1 || request.observed.front().status != 0) {
        return refuse("the processes of " + request.host + " could not be read");
    }
    const std::vector<Match> matches = parse_matches(request.observed.front().out);
    const auto count = value_or<std::int64_t>(request.params, "count", 1);
    const auto found = std::count_if(matches.begin(), matches.end(),
                                     [](const Match& match) { return match.victim; });
    if (found != count) {
        return refuse("`count` is " + std::to_string(count) + ", but " + std::to_string(found) +
                      " processes on " + request.host + " match" + (matches.empty() ? "" : ":") +
                      table_of(matches));
    }
    std::vector<std::string> victims;
    for (const Match& match : matches) {
        if (!match.victim) { continue; }
        if (stopped == Stopped::refused && (match.state == "T" || match.state == "t")) {
            return refuse("process " + match.pid + " on " + request.host +
                          " is stopped already: " + match.command);
        }
        victims.push_back(request.binding == Binding::plan ? "{pid}:{start}"
                                                           : match.pid + ":" + match.start);
    }
    return victims;
}

std::string process_words(const ChangeRequest& request) {
    const Values& params = request.params;
    const auto count = value_or<std::int64_t>(params, "count", 1);
    std::string words = std::to_string(count) + (count == 1 ? " process" : " processes");
    const std::pair<const char*, const char*> parts[] = {{"process", " named `"},
                                                         {"match", " matching `"},
                                                         {"unit", " of unit `"},
                                                         {"pidfile", " with its pid in `"}};
    for (const auto& [name, text] : parts) {
        const std::string value = text_of(params, name);
        if (!value.empty()) { words += text + escape_control(value, Lines::one) + "`"; }
    }
    return words;
}

}  // namespace drill::faults
