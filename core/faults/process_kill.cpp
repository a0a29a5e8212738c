// process-kill: a signal that ends chosen processes. What is ended stays ended; whether it comes
// back is the question of the drill (`expect_restart`).
// Must not: signal a process that is not the one that was chosen. Next: parts/processes.hpp.
#include "base/text.hpp"
#include "faults/parts/processes.hpp"
#include "faults/parts/values.hpp"

namespace drill::faults {

namespace {

constexpr Param signal_param{.name = "signal",
                             .type = ParamType::choice,
                             .fallback = "KILL",
                             .help = "The signal; it has to end the process, else nothing bites.",
                             .choices = "KILL|TERM|INT|QUIT|HUP|ABRT|SEGV|BUS"};

constexpr Param params[] = {
    process_name,
    process_match,
    process_unit,
    process_pidfile,
    process_count,
    signal_param,
    {.name = "expect_restart",
     .type = ParamType::duration,
     .help = "As many new processes must match within this time.",
     .least = 100,
     .most = 3'600'000},
};

// All are looked at before the first is signalled, and each again right before its own signal.
// Between that look and the signal the kernel could still hand the pid on; see the page.
constexpr std::string_view send_signal = R"sh(
signal=$1
shift
for victim do
    if ! same "$victim"; then
        echo "process ${victim%:*} is not the one that was chosen; nothing was signalled" >&2
        exit 1
    fi
done
failed=0
for victim do
    if same "$victim"; then kill "-$signal" "${victim%:*}" || failed=1; fi
done
exit $failed
)sh";

constexpr std::string_view read_victims = R"sh(
left=
for victim do
    if same "$victim"; then
        case $state in Z | X | x) ;; *) left="$left ${victim%:*}" ;; esac
    fi
done
[ -n "$left" ] || exit 10
echo "still there:$left"
exit 11
)sh";

Result<Change> compose(const ChangeRequest& request) {
    DRILL_CHECK(examine_choice(request.params, signal_param));
    DRILL_TRY(const std::vector<std::string> victims, victims_of(request, Stopped::allowed));
    std::vector<std::string> arguments{text_of(request.params, "signal")};
    arguments.insert(arguments.end(), victims.begin(), victims.end());
    Change change;
    change.apply = {process_script(send_signal, arguments)};
    change.read_back = {process_script(read_victims, victims)};
    if (const Nanos* within = value_of<Nanos>(request.params, "expect_restart")) {
        change.check = {process_enough(request, victims)};
        change.check_within = *within;
        change.check_claim =
            process_words(request) + " back within " + show_duration(change.check_within);
    }
    change.ending = Ending::instant;
    return change;
}

std::string describe(const ChangeRequest& request) {
    return "send SIG" + text_of(request.params, "signal") + " to " + process_words(request) +
           " on " + request.host;
}

}  // namespace

extern const Kind process_kill;
const Kind process_kill{
    .name = "process-kill",
    .summary = "Ends processes by a signal, and checks whether they come back.",
    .ending = Ending::instant,
    .peers_param = "",
    .needs = "",
    .params = params,
    .observe = process_observe,
    .compose = compose,
    .describe = describe,
    .harms_data = true,
};

}  // namespace drill::faults
