// net-reorder: packets that the target sends to its peers overtake one another.
// Must not: replace a qdisc that somebody set. Next: parts/net_queue.hpp, net-reorder.md.
#include "base/text.hpp"
#include "faults/parts/net_queue.hpp"
#include "faults/parts/values.hpp"

namespace drill::faults {

namespace {

constexpr Param params[] = {net_to,
                            net_addresses,
                            {.name = "reorder",
                             .type = ParamType::percent,
                             .required = true,
                             .help = "Share of matching packets that overtake those before them.",
                             .least = 1,
                             .most = drop_every_packet},
                            {.name = "delay",
                             .type = ParamType::duration,
                             .fallback = "10ms",
                             .help = "How much later the packets leave that are overtaken.",
                             .least = 1,
                             .most = 60'000},
                            net_protocol,
                            net_ports};

Result<Change> compose(const ChangeRequest& request) {
    const int ppm = value_or<Percent>(request.params, "reorder", {}).ppm;
    const Nanos delay = value_or<Nanos>(request.params, "delay", Nanos{0});
    if (ppm < 1 || ppm >= drop_every_packet) {
        return fail(Code::refused,
                    "`reorder` must be above 0 % and below 100 %: some packets have "
                    "to be overtaken");
    }
    if (delay < std::chrono::milliseconds{1}) {
        return fail(Code::refused, "`delay` must be at least 1 ms");
    }
    return queue_compose(
        request, {"limit 20000 delay " + tc_time(delay) + " reorder " + tc_percent(ppm), 0, ppm});
}

std::string describe(const ChangeRequest& request) {
    const int ppm = value_or<Percent>(request.params, "reorder", {}).ppm;
    const Nanos delay = value_or<Nanos>(request.params, "delay", Nanos{0});
    return net_describe_outward(request, "reorder " + show_percent(ppm) + " (the others " +
                                             show_duration(delay) + " later) of");
}

}  // namespace

extern const Kind net_reorder;
const Kind net_reorder{
    .name = "net-reorder",
    .summary = "Lets packets that the target sends to other hosts overtake one another.",
    .ending = Ending::kernel,
    .peers_param = "to",
    .needs = "nft ip tc",
    .params = params,
    .observe = queue_observe,
    .compose = compose,
    .describe = describe,
};

}  // namespace drill::faults
