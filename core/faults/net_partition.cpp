// net-partition: nothing passes between the target and its peers, in silence, until the lease
// ends; the kernel's own fuse ends it. Must not: touch a foreign table, cut our own way in.
// Next: parts/net_rules.hpp, net-partition.md.
#include "faults/parts/net_rules.hpp"

namespace drill::faults {

namespace {

constexpr Param params[] = {net_from, net_addresses, net_direction, net_protocol, net_ports};

Result<Change> compose(const ChangeRequest& request) { return net_compose(request, {}); }

std::string describe(const ChangeRequest& request) { return net_describe(request, "drop"); }

}  // namespace

extern const Kind net_partition;
const Kind net_partition{
    .name = "net-partition",
    .summary = "Drops all packets between the target and other hosts, both address families.",
    .ending = Ending::kernel,
    .peers_param = "from",
    .needs = "nft ip",
    .params = params,
    .observe = net_observe,
    .compose = compose,
    .describe = describe,
};

}  // namespace drill::faults
