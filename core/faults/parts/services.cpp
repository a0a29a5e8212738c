// See services.hpp.
#include "faults/parts/services.hpp"

#include "base/text.hpp"
#include "faults/parts/values.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace drill::faults {

namespace {

constexpr std::size_t longest_name = 200;

// systemd stops what requires, is bound to or is part of a unit with it, and its start alone does
// not bring those back. Bounded: 64 units deep is no dependency, it is the whole system.
constexpr std::string_view ask_systemd = R"sh(
set -f
systemctl show "$1" -p Id -p LoadState -p ActiveState -p RefuseManualStart -p RefuseManualStop || exit 3
for one in $(systemctl show "$1" -p TriggeredBy --value); do
    if [ "$(systemctl show "$one" -p ActiveState --value)" = active ]; then echo "Trigger=$one"; fi
done
known=" $1 " queue=$1 count=0
while [ -n "$queue" ] && [ "$count" -lt 64 ]; do
    one=${queue%% *}
    case $queue in *" "*) queue=${queue#* } ;; *) queue= ;; esac
    count=$((count + 1))
    for other in $(systemctl show "$one" -p RequiredBy -p BoundBy -p ConsistsOf --value); do
        case $known in *" $other "*) continue ;; esac
        known="$known$other "
        case $(systemctl show "$other" -p ActiveState --value) in
        active | activating | reloading)
            echo "Dependent=$other"
            queue="${queue:+$queue }$other"
            ;;
        esac
    done
done
[ -z "$queue" ] || echo Dependent=more
)sh";

constexpr std::string_view ask_script = R"sh(
if [ ! -x "/etc/init.d/$1" ]; then echo LoadState=not-found; exit 0; fi
echo LoadState=loaded
shift
"$@" </dev/null >/dev/null 2>&1
echo "Status=$?"
)sh";

constexpr std::string_view ask_programs = R"sh(
echo LoadState=loaded
"$@" </dev/null >/dev/null 2>&1
echo "Status=$?"
)sh";

constexpr std::string_view tools = R"sh(
pick() {
    from=$1 most=$2
    shift 2
    total=$# place=0
    while [ "$place" -lt "$total" ]; do
        word=$1
        shift
        if [ "$place" -ge "$from" ] && [ "$place" -lt $((from + most)) ]; then
            set -- "$@" "$word"
        fi
        place=$((place + 1))
    done
    "$@"
}
start_clean() {
    log=$1/start.log
    shift
    { : >>"$log"; } 2>/dev/null || log=/dev/null
    mask=022 score=0
    while read -r key value; do
        if [ "$key" = Umask: ]; then mask=$value; fi
    done </proc/1/status
    read -r score </proc/1/oom_score_adj
    { echo "$score" >/proc/self/oom_score_adj; } 2>/dev/null
    umask "$mask"
    unset LC_ALL SSH_CONNECTION
    cd /
    if env --default-signal=HUP,PIPE true 2>/dev/null; then
        set -- env --default-signal=HUP,PIPE "$@"
    fi
    "$@" </dev/null >"$log" 2>&1 && return
    code=$?
    { cat "$log"; } >&2
    return "$code"
}
)sh";

// Idempotent: what runs already is not started again.
constexpr std::string_view start_again = R"sh(
directory=$1 count=$2
shift 2
pick 0 "$count" "$@" </dev/null >/dev/null 2>&1 && exit 0
shift "$count"
start_clean "$directory" "$@"
)sh";

Error refuse(std::string message) { return fail(Code::refused, std::move(message)); }

bool plain(std::string_view name) {
    return !name.empty() && name.size() <= longest_name && name.front() != '-' &&
           name.front() != '.' && std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      std::string_view(":_.@\\-+").find(c) != std::string_view::npos;
           });
}

/// The way in, the undo and the network that both need.
bool never_a_victim(std::string_view name) {
    name = name.substr(0, name.find('.'));
    name = name.substr(0, name.find('@'));
    static constexpr std::array<std::string_view, 14> names{
        "ssh",  "sshd", "dropbear",       "dbus",    "dbus-broker", "networking", "NetworkManager",
        "init", "user", "wpa_supplicant", "network", "session",     "drill",      "sssd"};
    return std::find(names.begin(), names.end(), name) != names.end() ||
           name.starts_with("systemd-") || name.starts_with("drill-");
}

Under under_of(const ChangeRequest& request) {
    if (!texts_of(request.params, "stop").empty()) { return Under::programs; }
    return fact_of(request.facts, "init") == "systemd" ? Under::systemd : Under::script;
}

std::string unit_of(std::string name) {
    return name.find('.') == std::string::npos ? name + ".service" : name;
}

std::vector<std::string> script_argv(const ChangeRequest& request, const char* verb) {
    const std::string name = text_of(request.params, "unit");
    if (request.facts.contains("tool.service")) { return {"service", name, verb}; }
    return {"/etc/init.d/" + name, verb};
}

ServiceOnHost named(const ChangeRequest& request) {
    ServiceOnHost service;
    service.under = under_of(request);
    const Values& params = request.params;
    switch (service.under) {
        case Under::systemd:
            service.unit = unit_of(text_of(params, "unit"));
            for (const std::string& one : texts_of(params, "also")) {
                service.also.push_back(unit_of(one));
            }
            break;
        case Under::script:
            service.unit = text_of(params, "unit");
            service.stop = script_argv(request, "stop");
            service.start = script_argv(request, "start");
            service.status = script_argv(request, "status");
            break;
        case Under::programs:
            service.stop = texts_of(params, "stop");
            service.start = texts_of(params, "start");
            service.status = texts_of(params, "status");
            break;
    }
    return service;
}

Status examine_programs(const ChangeRequest& request) {
    for (const char* name : {"stop", "start", "status"}) {
        const std::vector<std::string> argv = texts_of(request.params, name);
        if (argv.empty() || trim(argv.front()).empty()) {
            return refuse("`stop`, `start` and `status` are given together: `" + std::string(name) +
                          "` names no program");
        }
    }
    if (!text_of(request.params, "unit").empty()) {
        return refuse("give `unit`, or `stop`, `start` and `status`, not both");
    }
    return ok();
}

Status examine(const ChangeRequest& request) {
    if (under_of(request) == Under::programs) { return examine_programs(request); }
    const std::string unit = text_of(request.params, "unit");
    if (unit.empty()) { return refuse("give `unit`, or `stop`, `start` and `status`"); }
    for (const char* name : {"start", "status"}) {
        if (!texts_of(request.params, name).empty()) {
            return refuse("`" + std::string(name) + "` goes together with `stop`");
        }
    }
    std::vector<std::string> all = texts_of(request.params, "also");
    if (!all.empty() && under_of(request) == Under::script) {
        return refuse(request.host + " does not run systemd: `also` has no meaning there");
    }
    all.insert(all.begin(), unit);
    for (const std::string& one : all) {
        const std::string shown = escape_control(one, Lines::one);
        if (!plain(one)) { return refuse("`" + shown + "` is no name of a service"); }
        if (never_a_victim(one)) {
            return refuse(shown + " is never stopped: the way in and the undo depend on it");
        }
        if (under_of(request) == Under::systemd && !unit_of(one).ends_with(".service")) {
            return refuse(shown + " is no service; only *.service can be stopped");
        }
    }
    return ok();
}

/// What must not come back by itself is not brought back by us.
Status examine_return(const ChangeRequest& request) {
    const std::string back = text_of(request.params, "return");
    if (back.empty() && value_or<bool>(request.params, "stateful", false)) {
        return refuse(
            "it is stateful: say `return` = \"always\" (it may come back at once) or \"by-hand\" "
            "(it stays out until a person starts it)");
    }
    if (back == "when-safe") {
        return refuse(
            "`return` = \"when-safe\" is not built: nothing here can prove yet that there is no "
            "second writer; say \"always\" or \"by-hand\"");
    }
    return ok();
}

Status judge_systemd(const ChangeRequest& request, const ServiceOnHost& service,
                     const std::string& out) {
    std::map<std::string, std::string> unit;
    std::vector<std::string> missing;
    for (const std::string& line : split(out, '\n')) {
        const std::size_t at = line.find('=');
        if (at == std::string::npos) { continue; }
        const std::string value = escape_control(trim(line.substr(at + 1)), Lines::one);
        if (!line.starts_with("Dependent=")) {
            unit[line.substr(0, at)] = value;
        } else if (std::find(service.also.begin(), service.also.end(), value) ==
                   service.also.end()) {
            missing.push_back(value);
        }
    }
    const std::string where = service.unit + " on " + request.host;
    if (unit["LoadState"] != "loaded") {
        return refuse("there is no " + where + " (LoadState " + unit["LoadState"] + ")");
    }
    if (unit["Id"] != service.unit) {
        return refuse(service.unit + " is another name of " + unit["Id"] + " on " + request.host +
                      "; name that");
    }
    if (unit["ActiveState"] != "active") {
        return refuse(where + " is " + unit["ActiveState"] +
                      ", not active; its undo would start it");
    }
    if (unit["RefuseManualStop"] == "yes" || unit["RefuseManualStart"] == "yes") {
        return refuse(where + " may not be stopped or started by hand (its unit file says so)");
    }
    if (!unit["Trigger"].empty()) {
        return refuse(unit["Trigger"] + " would start " + where +
                      " again by itself; use `stop`, `start` and `status` with both units");
    }
    if (!missing.empty()) {
        return refuse("with " + where + " would stop " + join(missing, ", ") +
                      "; if that is meant, name them in `also`");
    }
    return ok();
}

Status judge_status(const ChangeRequest& request, const ServiceOnHost& service,
                    const std::string& out) {
    if (out.find("LoadState=loaded") == std::string::npos) {
        return refuse("there is no executable /etc/init.d/" + service.unit + " on " + request.host +
                      "; use `stop`, `start` and `status`");
    }
    const std::size_t at = out.find("Status=");
    const std::string status =
        at == std::string::npos ? "none" : std::string(trim(out.substr(at + 7)));
    if (status == "0") { return ok(); }
    return refuse("`" + shell_join(service.status) + "` on " + request.host + " says " +
                  escape_control(status, Lines::one) +
                  ": only a service that runs (0) can be stopped and started again");
}

}  // namespace

Exec service_script(std::string_view text, std::vector<std::string> arguments) {
    return script(std::string(tools) += text, std::move(arguments));
}

std::vector<Exec> service_observe(const ChangeRequest& request) {
    const ServiceOnHost service = named(request);
    std::vector<std::string> arguments = service.status;
    switch (service.under) {
        case Under::systemd: return {script(ask_systemd, {service.unit})};
        case Under::script:
            arguments.insert(arguments.begin(), service.unit);
            return {script(ask_script, arguments)};
        case Under::programs: return {script(ask_programs, arguments)};
    }
    return {};
}

Result<ServiceOnHost> service_of(const ChangeRequest& request) {
    DRILL_CHECK(examine(request));
    DRILL_CHECK(examine_return(request));
    ServiceOnHost service = named(request);
    if (request.observed.size() != 1 || request.observed.front().status != 0) {
        return refuse("the state of the service on " + request.host + " could not be read");
    }
    const std::string& out = request.observed.front().out;
    if (service.under == Under::systemd) {
        DRILL_CHECK(judge_systemd(request, service, out));
    } else {
        DRILL_CHECK(judge_status(request, service, out));
    }
    return service;
}

Exec service_start_again(const ServiceOnHost& service, const std::string& directory) {
    if (service.under == Under::systemd) {
        Exec exec{{"systemctl", "--no-ask-password", "start", service.unit}, {}};
        exec.argv.insert(exec.argv.end(), service.also.begin(), service.also.end());
        return exec;
    }
    std::vector<std::string> arguments{directory, std::to_string(service.status.size())};
    arguments.insert(arguments.end(), service.status.begin(), service.status.end());
    arguments.insert(arguments.end(), service.start.begin(), service.start.end());
    return service_script(start_again, std::move(arguments));
}

std::string service_words(const ChangeRequest& request) {
    const ServiceOnHost service = named(request);
    if (service.under == Under::programs) {
        return "the service that `" + escape_control(shell_join(service.stop), Lines::one) +
               "` stops";
    }
    return escape_control(service.unit, Lines::one) +
           (service.also.empty() ? "" : " with " + escape_control(join(service.also, ", ")));
}

}  // namespace drill::faults
