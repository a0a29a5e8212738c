// net-corrupt: a share of the packets that the target sends to its peers has a bit turned over.
// Must not: replace a qdisc that somebody set. Next: parts/net_queue.hpp, net-corrupt.md.
#include "base/text.hpp"
#include "faults/parts/net_queue.hpp"
#include "faults/parts/values.hpp"

namespace drill::faults {

namespace {

constexpr Param params[] = {net_to,
                            net_addresses,
                            {.name = "corrupt",
                             .type = ParamType::percent,
                             .required = true,
                             .help = "Share of matching packets in which one bit is turned over.",
                             .least = 1,
                             .most = drop_every_packet},
                            net_protocol,
                            net_ports};

Result<Change> compose(const ChangeRequest& request) {
    const int ppm = value_or<Percent>(request.params, "corrupt", {}).ppm;
    if (ppm < 1 || ppm > drop_every_packet) {
        return fail(Code::refused, "`corrupt` must be above 0 % and at most 100 %");
    }
    return queue_compose(request, {"limit 20000 corrupt " + tc_percent(ppm), 0, ppm});
}

std::string describe(const ChangeRequest& request) {
    const int ppm = value_or<Percent>(request.params, "corrupt", {}).ppm;
    return net_describe_outward(request, "corrupt " + show_percent(ppm) + " of");
}

}  // namespace

extern const Kind net_corrupt;
const Kind net_corrupt{
    .name = "net-corrupt",
    .summary = "Turns over one bit in a share of the packets that the target sends to other hosts.",
    .ending = Ending::kernel,
    .peers_param = "to",
    .needs = "nft ip tc",
    .params = params,
    .observe = queue_observe,
    .compose = compose,
    .describe = describe,
};

}  // namespace drill::faults
