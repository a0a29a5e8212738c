// net-delay: what the target sends to its peers arrives later, by a fixed time and a jitter.
// Must not: replace a qdisc that somebody set. Next: parts/net_queue.hpp, net-delay.md.
#include "base/text.hpp"
#include "faults/parts/net_queue.hpp"
#include "faults/parts/values.hpp"

namespace drill::faults {

namespace {

constexpr Param distribution{
    .name = "distribution",
    .type = ParamType::choice,
    .fallback = "uniform",
    .help = "How the jitter is spread; all but uniform need the tables of iproute2.",
    .choices = "uniform|normal|pareto|paretonormal"};
constexpr Param params[] = {net_to,
                            net_addresses,
                            {.name = "delay",
                             .type = ParamType::duration,
                             .required = true,
                             .help = "How much later a packet leaves, on average.",
                             .least = 1,
                             .most = 60'000},
                            {.name = "jitter",
                             .type = ParamType::duration,
                             .fallback = "0s",
                             .help = "How far single packets are off that; not above `delay`.",
                             .least = 0,
                             .most = 60'000},
                            distribution,
                            net_protocol,
                            net_ports};

Result<Change> compose(const ChangeRequest& request) {
    DRILL_CHECK(examine_choice(request.params, distribution));
    const Nanos delay = value_or<Nanos>(request.params, "delay", Nanos{0});
    const Nanos jitter = value_or<Nanos>(request.params, "jitter", Nanos{0});
    if (delay < std::chrono::milliseconds{1}) {
        return fail(Code::refused, "`delay` must be at least 1 ms");
    }
    if (jitter > delay) {
        return fail(Code::refused,
                    "`jitter` must not be above `delay`: no packet leaves before "
                    "it came");
    }
    std::string netem = "limit 20000 delay " + tc_time(delay);
    if (jitter > Nanos{0}) {
        netem += " " + tc_time(jitter);
        const std::string spread = text_of(request.params, "distribution");
        if (spread != "uniform") { netem += " distribution " + spread; }
    }
    return queue_compose(request, {netem, 0, drop_every_packet});
}

std::string describe(const ChangeRequest& request) {
    const Nanos jitter = value_or<Nanos>(request.params, "jitter", Nanos{0});
    std::string verb =
        "delay by " + show_duration(value_or<Nanos>(request.params, "delay", Nanos{0}));
    if (jitter > Nanos{0}) { verb += ", give or take " + show_duration(jitter) + ","; }
    return net_describe_outward(request, verb);
}

}  // namespace

extern const Kind net_delay;
const Kind net_delay{
    .name = "net-delay",
    .summary = "Delays packets that the target sends to other hosts, with or without jitter.",
    .ending = Ending::kernel,
    .peers_param = "to",
    .needs = "nft ip tc",
    .params = params,
    .observe = queue_observe,
    .compose = compose,
    .describe = describe,
};

}  // namespace drill::faults
