// net-loss: a share of the packets between the target and its peers is lost, by chance, until
// the lease ends. Rules, fuse and undo are those of net-partition with one die in front.
// Must not: add a qdisc. Next: parts/net_rules.hpp, net-loss.md.
#include "base/text.hpp"
#include "faults/parts/net_rules.hpp"
#include "faults/parts/values.hpp"

namespace drill::faults {

namespace {

constexpr Param params[] = {
    net_from,
    net_addresses,
    {.name = "loss",
     .type = ParamType::percent,
     .required = true,
     .help = "Share of matching packets that is dropped, in each direction on its own.",
     .least = 1,
     .most = drop_every_packet},
    net_direction,
    net_protocol,
    net_ports};

Result<Change> compose(const ChangeRequest& request) {
    NetWish wish;
    wish.ppm = value_or<Percent>(request.params, "loss", {}).ppm;
    return net_compose(request, wish);
}

std::string describe(const ChangeRequest& request) {
    const int ppm = value_or<Percent>(request.params, "loss", {}).ppm;
    return net_describe(request, "drop " + show_percent(ppm) + " of");
}

}  // namespace

extern const Kind net_loss;
const Kind net_loss{
    .name = "net-loss",
    .summary = "Drops a share of the packets between the target and other hosts, by chance.",
    .ending = Ending::kernel,
    .peers_param = "from",
    .needs = "nft ip",
    .params = params,
    .observe = net_observe,
    .compose = compose,
    .describe = describe,
};

}  // namespace drill::faults
