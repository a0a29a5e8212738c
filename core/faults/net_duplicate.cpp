// net-duplicate: a share of the packets that the target sends to its peers arrives twice.
// Must not: replace a qdisc that somebody set. Next: parts/net_queue.hpp, net-duplicate.md.
#include "base/text.hpp"
#include "faults/parts/net_queue.hpp"
#include "faults/parts/values.hpp"

namespace drill::faults {

namespace {

constexpr Param params[] = {net_to,
                            net_addresses,
                            {.name = "duplicate",
                             .type = ParamType::percent,
                             .required = true,
                             .help = "Share of matching packets that are sent twice.",
                             .least = 1,
                             .most = drop_every_packet},
                            net_protocol,
                            net_ports};

Result<Change> compose(const ChangeRequest& request) {
    const int ppm = value_or<Percent>(request.params, "duplicate", {}).ppm;
    if (ppm < 1 || ppm > drop_every_packet) {
        return fail(Code::refused, "`duplicate` must be above 0 % and at most 100 %");
    }
    return queue_compose(request, {"limit 20000 duplicate " + tc_percent(ppm), 0, ppm});
}

std::string describe(const ChangeRequest& request) {
    const int ppm = value_or<Percent>(request.params, "duplicate", {}).ppm;
    return net_describe_outward(request, "duplicate " + show_percent(ppm) + " of");
}

}  // namespace

extern const Kind net_duplicate;
const Kind net_duplicate{
    .name = "net-duplicate",
    .summary = "Sends a share of the packets from the target to other hosts twice.",
    .ending = Ending::kernel,
    .peers_param = "to",
    .needs = "nft ip tc",
    .params = params,
    .observe = queue_observe,
    .compose = compose,
    .describe = describe,
};

}  // namespace drill::faults
