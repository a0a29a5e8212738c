// service-stop: a service is stopped by whoever runs it and started again at the end, or kept out
// on purpose (`return` = "by-hand"). Must not: kill anything, mask a unit, or start a member of a
// stateful group that nobody said may come back. Next: parts/services.hpp, service-stop.md.
#include "faults/parts/services.hpp"
#include "faults/parts/values.hpp"

namespace drill::faults {

namespace {

constexpr Param return_param{
    .name = "return",
    .type = ParamType::choice,
    .help = "`always` starts it at the end (the same as leaving it out), `by-hand` keeps it out.",
    .choices = "always|when-safe|by-hand"};

constexpr Param params[] = {service_unit,       service_also,        service_stop_argv,
                            service_start_argv, service_status_argv, service_stateful,
                            return_param};

// The cgroup is kept because systemd forgets it with the last process, and a process that outlived
// the stop is what would show that nothing was stopped.
constexpr std::string_view arm_systemd = R"sh(
directory=$1
shift
for unit do
    state=$(systemctl show "$unit" -p ActiveState --value)
    if [ "$state" != active ]; then
        echo "$unit is ${state:-unknown}, not active; nothing was stopped" >&2
        exit 1
    fi
done
systemctl show "$1" -p ControlGroup --value >"$directory/cgroup"
)sh";

// All running = as before. None running and no process left of the first = bites. In between is
// ours and has no effect (yet): neither a bite nor an undo is proven by it.
constexpr std::string_view read_systemd = R"sh(
directory=$1 keep=$2
shift 2
running= resting= moving=
for unit do
    case $(systemctl show "$unit" -p ActiveState --value) in
    active | reloading) running="$running $unit" ;;
    inactive | failed) resting="$resting $unit" ;;
    activating | deactivating) moving="$moving $unit" ;;
    *) exit 99 ;;
    esac
done
if [ "$keep" = yes ]; then
    if [ -e "$directory/kept" ] || [ ! -d "$directory" ]; then
        echo "kept out on purpose:${resting:- none}"
        exit 0
    fi
fi
[ -n "$resting$moving" ] || exit 0
if [ -n "$running$moving" ]; then
    echo "stopped:${resting:- none}; in between:${moving:- none}; running:${running:- none}"
    exit 11
fi
group=
{ read -r group <"$directory/cgroup"; } 2>/dev/null
if [ -n "$group" ]; then
    for tree in "" /unified /systemd; do
        pid=
        { read -r pid <"/sys/fs/cgroup$tree$group/cgroup.procs"; } 2>/dev/null
        if [ -n "$pid" ]; then
            echo "stopped, but process $pid of it goes on"
            exit 11
        fi
    done
fi
exit 10
)sh";

constexpr std::string_view arm_programs = R"sh(
"$@" </dev/null >/dev/null 2>&1 && exit 0
echo "it does not run (status $?); nothing was stopped" >&2
exit 1
)sh";

constexpr std::string_view read_programs = R"sh(
directory=$1 keep=$2
shift 2
"$@" </dev/null >/dev/null 2>&1
code=$?
case $code in
0 | 1 | 2 | 3) ;;
*) echo "its status program says $code"; exit 99 ;;
esac
if [ "$keep" = yes ]; then
    if [ -e "$directory/kept" ] || [ ! -d "$directory" ]; then
        [ "$code" = 0 ] || echo "kept out on purpose"
        exit 0
    fi
fi
[ "$code" != 0 ] || exit 0
exit 10
)sh";

constexpr std::string_view keep_out = R"sh(
[ ! -d "$1" ] || echo kept >"$1/kept"
)sh";

std::vector<std::string> with(std::vector<std::string> front,
                              const std::vector<std::string>& back) {
    front.insert(front.end(), back.begin(), back.end());
    return front;
}

Result<Change> compose(const ChangeRequest& request) {
    if (!text_of(request.params, "return").empty()) {
        DRILL_CHECK(examine_choice(request.params, return_param));
    }
    DRILL_TRY(const ServiceOnHost service, service_of(request));
    const bool keep = text_of(request.params, "return") == "by-hand";
    const std::vector<std::string> judged{request.directory, keep ? "yes" : "no"};
    Change change;
    if (service.under == Under::systemd) {
        const std::vector<std::string> units = with({service.unit}, service.also);
        change.arm = {script(arm_systemd, with({request.directory}, units))};
        change.apply = {{{"systemctl", "--no-ask-password", "stop", service.unit}, {}}};
        change.read_back = {script(read_systemd, with(judged, units))};
    } else {
        change.arm = {script(arm_programs, service.status)};
        change.apply = {{service.stop, {}}};
        change.read_back = {script(read_programs, with(judged, service.status))};
    }
    if (keep) {
        change.undo = {script(keep_out, {request.directory})};
        change.lasting = Lasting::stays;
    } else {
        change.undo = {service_start_again(service, request.directory)};
    }
    change.ending = Ending::watcher;
    return change;
}

std::string describe(const ChangeRequest& request) {
    const bool keep = text_of(request.params, "return") == "by-hand";
    return "stop " + service_words(request) + " on " + request.host +
           (keep ? " and keep it out on purpose: a person starts it again" : "");
}

}  // namespace

extern const Kind service_stop;
const Kind service_stop{
    .name = "service-stop",
    .summary = "Stops a service through systemd or its init script and starts it again at the end.",
    .ending = Ending::watcher,
    .peers_param = "",
    .needs = "",
    .params = params,
    .observe = service_observe,
    .compose = compose,
    .describe = describe,
};

}  // namespace drill::faults
