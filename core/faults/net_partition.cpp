// net-partition: nothing passes between the target and its peers, in silence, until the lease
// ends; the kernel's own fuse ends it. Must not: touch a foreign table, cut our own way in.
// Next: parts/net_rules.hpp, net-partition.md.
#include "faults/parts/net_rules.hpp"
#include "faults/parts/values.hpp"

namespace drill::faults {

namespace {

constexpr Param shape{
    .name = "shape",
    .type = ParamType::choice,
    .help = "Instead of `from`: cuts the hosts of the target off from one another in this shape.",
    .choices = "halves|isolate|bridge|majority-ring"};
constexpr Param params[] = {shape, net_from, net_addresses, net_direction, net_protocol, net_ports};

Result<Change> compose(const ChangeRequest& request) {
    if (!text_of(request.params, "shape").empty()) {
        DRILL_CHECK(examine_choice(request.params, shape));
        if (value_of<Selection>(request.params, "from") != nullptr) {
            return fail(Code::refused,
                        "`shape` and `from` both choose the peers; take one of them away");
        }
    }
    return net_compose(request, {});
}

std::string describe(const ChangeRequest& request) { return net_describe(request, "drop"); }

}  // namespace

extern const Kind net_partition;
const Kind net_partition{
    .name = "net-partition",
    .summary = "Drops all packets between the target and other hosts, both address families.",
    .ending = Ending::kernel,
    .peers_param = "from",
    .shape_param = "shape",
    .needs = "nft ip",
    .params = params,
    .observe = net_observe,
    .compose = compose,
    .describe = describe,
};

}  // namespace drill::faults
