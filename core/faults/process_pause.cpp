// process-pause: SIGSTOP to chosen processes, SIGCONT as the undo: they hang, hold their locks and
// connections, and answer nothing. Must not: continue a process that somebody else had stopped, or
// signal a pid that was handed on. Next: parts/processes.hpp, process-pause.md.
#include "faults/parts/processes.hpp"
#include "faults/parts/values.hpp"

namespace drill::faults {

namespace {

constexpr Param params[] = {process_name, process_match, process_unit, process_pidfile,
                            process_count};

// The stop takes effect when the process next runs or sleeps interruptibly, so it is waited for.
constexpr std::string_view stop = R"sh(
for victim do
    if ! same "$victim" || [ "$state" = T ]; then
        echo "process ${victim%:*} is not the one that was chosen; nothing was stopped" >&2
        exit 1
    fi
done
for victim do
    same "$victim" && kill -STOP "${victim%:*}" || exit 1
done
tries=0
while [ "$tries" -lt 20 ]; do
    running=
    for victim do
        same "$victim" && [ "$state" = T ] || running=$victim
    done
    [ -n "$running" ] || exit 0
    tries=$((tries + 1))
    sleep 0.1 2>/dev/null || sleep 1
done
echo "process ${running%:*} has not stopped" >&2
exit 1
)sh";

// Builtins only: the guard runs it when no process can be forked. The mark tells a process that is
// gone after the undo from one that went away while it was held.
constexpr std::string_view go_on = R"sh(
directory=$1
shift
failed=0
for victim do
    if same "$victim"; then kill -CONT "${victim%:*}" || failed=1; fi
done
if [ -d "$directory" ]; then echo ended >"$directory/continued"; fi
exit $failed
)sh";

// Some of several running again counts as ours being there still: an undo is not proven by it.
constexpr std::string_view read_victims = R"sh(
directory=$1
shift
stopped= running= gone=
for victim do
    if ! same "$victim"; then gone="$gone ${victim%:*}"; continue; fi
    case $state in
    T | t) stopped="$stopped ${victim%:*}" ;;
    Z | X | x) gone="$gone ${victim%:*}" ;;
    *) running="$running ${victim%:*}" ;;
    esac
done
if [ -n "$stopped" ]; then
    [ -n "$running$gone" ] || exit 10
    echo "still stopped:$stopped; running:${running:- none}; gone:${gone:- none}"
    exit 11
fi
[ -n "$gone" ] || exit 0
[ ! -e "$directory/continued" ] || exit 0
for pid in $gone; do echo "process $pid is gone"; done
exit 12
)sh";

Result<Change> compose(const ChangeRequest& request) {
    DRILL_TRY(const std::vector<std::string> victims, victims_of(request, Stopped::refused));
    std::vector<std::string> arguments{request.directory};
    arguments.insert(arguments.end(), victims.begin(), victims.end());
    Change change;
    change.apply = {process_script(stop, victims)};
    change.undo = {process_script(go_on, arguments)};
    change.read_back = {process_script(read_victims, arguments)};
    change.ending = Ending::watcher;
    return change;
}

std::string describe(const ChangeRequest& request) {
    return "stop (SIGSTOP) " + process_words(request) + " on " + request.host;
}

}  // namespace

extern const Kind process_pause;
const Kind process_pause{
    .name = "process-pause",
    .summary = "Stops processes with SIGSTOP and lets them go on at the end.",
    .ending = Ending::watcher,
    .peers_param = "",
    .needs = "",
    .params = params,
    .observe = process_observe,
    .compose = compose,
    .describe = describe,
};

}  // namespace drill::faults
