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

/// The hosts of a shape all drop what comes from their peers, which cuts both directions. A host
/// that also dropped what it sends would hide it from its peer's rule, which then has no bite.
ChangeRequest inward(ChangeRequest request) {
    if (!text_of(request.params, "shape").empty()) {
        request.params["direction"] = std::string("in");
    }
    return request;
}

std::vector<Exec> observe(const ChangeRequest& request) { return net_observe(inward(request)); }

Result<Change> compose(const ChangeRequest& request) {
    if (!text_of(request.params, "shape").empty()) {
        DRILL_CHECK(examine_choice(request.params, shape));
        if (value_of<Selection>(request.params, "from") != nullptr) {
            return fail(Code::refused,
                        "`shape` and `from` both choose the peers; take one of them away");
        }
        if (text_of(request.params, "direction") == "out") {
            return fail(Code::refused,
                        "a `shape` cuts both directions, each host what comes from its peers; "
                        "take `direction` away");
        }
    }
    return net_compose(inward(request), {});
}

std::string describe(const ChangeRequest& request) { return net_describe(inward(request), "drop"); }

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
    .observe = observe,
    .compose = compose,
    .describe = describe,
};

}  // namespace drill::faults
