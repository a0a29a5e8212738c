// service-restart: a service is stopped and started again at once by whoever runs it. What is
// measured is how its users take it; the undo only sees to it that it runs at the end.
// Must not: restart a member of a stateful group that nobody said may come back. Next:
// parts/services.hpp, service-restart.md.
#include "base/text.hpp"
#include "faults/parts/services.hpp"
#include "faults/parts/values.hpp"

namespace drill::faults {

namespace {

constexpr Param return_param{.name = "return",
                             .type = ParamType::choice,
                             .help = "Has to be spelled out as `always` for a stateful service.",
                             .choices = "always"};

constexpr Param params[] = {
    service_unit,
    service_also,
    service_stop_argv,
    service_start_argv,
    service_status_argv,
    service_stateful,
    return_param,
    {.name = "expect_back",
     .type = ParamType::duration,
     .help = "It must run again within this time of the apply.",
     .least = 100,
     .most = 3'600'000},
};

// A new invocation id is what systemd gives every start: the same id means that nothing happened.
constexpr std::string_view arm_systemd = R"sh(
directory=$1
shift
for unit do
    state=$(systemctl show "$unit" -p ActiveState --value)
    if [ "$state" != active ]; then
        echo "$unit is ${state:-unknown}, not active; nothing was restarted" >&2
        exit 1
    fi
done
systemctl show "$1" -p InvocationID --value >"$directory/before"
)sh";

constexpr std::string_view read_systemd = R"sh(
directory=$1
shift
resting=
for unit do
    case $(systemctl show "$unit" -p ActiveState --value) in
    active | reloading) ;;
    inactive | failed | activating | deactivating) resting="$resting $unit" ;;
    *) exit 99 ;;
    esac
done
if [ -e "$directory/over" ] || [ ! -d "$directory" ]; then
    [ -n "$resting" ] || exit 0
    echo "not running:$resting"
    exit 10
fi
before=
{ read -r before <"$directory/before"; } 2>/dev/null
[ -n "$before" ] || exit 99
[ "$(systemctl show "$1" -p InvocationID --value)" = "$before" ] || exit 10
exit 11
)sh";

// `stop` has to be seen to have worked, else a start would prove nothing.
constexpr std::string_view restart = R"sh(
directory=$1 stop=$2 status=$3
shift 3
pick 0 "$status" "$@" </dev/null >/dev/null 2>&1
[ $? = 0 ] || { echo "it does not run; nothing was restarted" >&2; exit 1; }
pick "$status" "$stop" "$@" </dev/null || exit 1
tries=0
while pick 0 "$status" "$@" </dev/null >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -ge 50 ]; then echo "it runs on after its stop" >&2; exit 1; fi
    sleep 0.2 2>/dev/null || { sleep 1; tries=$((tries + 4)); }
done
echo down >"$directory/down"
shift $((stop + status))
start_clean "$directory" "$@"
)sh";

constexpr std::string_view read_programs = R"sh(
directory=$1
shift
"$@" </dev/null >/dev/null 2>&1
code=$?
case $code in
0 | 1 | 2 | 3) ;;
*) echo "its status program says $code"; exit 99 ;;
esac
if [ -e "$directory/over" ] || [ ! -d "$directory" ]; then
    [ "$code" != 0 ] || exit 0
    echo "not running"
    exit 10
fi
[ ! -e "$directory/down" ] || exit 10
exit 11
)sh";

constexpr std::string_view mark_over = R"sh(
[ ! -d "$1" ] || echo over >"$1/over"
)sh";

constexpr std::string_view running_again = R"sh(
[ "$(systemctl show "$1" -p ActiveState --value)" = active ]
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
    Change change;
    if (service.under == Under::systemd) {
        const std::vector<std::string> units = with({service.unit}, service.also);
        change.arm = {script(arm_systemd, with({request.directory}, units))};
        change.apply = {{{"systemctl", "--no-ask-password", "restart", service.unit}, {}}};
        change.read_back = {script(read_systemd, with({request.directory}, units))};
    } else {
        const std::vector<std::string> counts{request.directory,
                                              std::to_string(service.stop.size()),
                                              std::to_string(service.status.size())};
        change.apply = {service_script(
            restart, with(with(with(counts, service.status), service.stop), service.start))};
        change.read_back = {script(read_programs, with({request.directory}, service.status))};
    }
    change.undo = {script(mark_over, {request.directory}),
                   service_start_again(service, request.directory)};
    if (const Nanos* within = value_of<Nanos>(request.params, "expect_back")) {
        change.check = {service.under == Under::systemd ? script(running_again, {service.unit})
                                                        : Exec{service.status, {}}};
        change.check_within = *within;
        change.check_claim =
            service_words(request) + " runs again within " + show_duration(change.check_within);
    }
    change.ending = Ending::watcher;
    return change;
}

std::string describe(const ChangeRequest& request) {
    return "restart " + service_words(request) + " on " + request.host;
}

}  // namespace

extern const Kind service_restart;
const Kind service_restart{
    .name = "service-restart",
    .summary =
        "Restarts a service through systemd or its init script, and sees to it that it runs at the "
        "end.",
    .ending = Ending::watcher,
    .peers_param = "",
    .needs = "",
    .params = params,
    .observe = service_observe,
    .compose = compose,
    .describe = describe,
};

}  // namespace drill::faults
