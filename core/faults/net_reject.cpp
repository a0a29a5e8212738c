// net-reject: traffic between the target and its peers is refused with an answer (ICMP
// unreachable, TCP reset), as a firewall or a closed port does, until the lease ends.
// Must not: touch a foreign table, cut our own way in. Next: parts/net_rules.hpp, net-reject.md.
#include "faults/parts/net_rules.hpp"
#include "faults/parts/values.hpp"

namespace drill::faults {

namespace {

constexpr Param answer{
    .name = "answer",
    .type = ParamType::choice,
    .fallback = "port-unreachable",
    .help = "What the sender is told; tcp-reset answers other protocols with port-unreachable.",
    .choices = "port-unreachable|host-unreachable|admin-prohibited|no-route|tcp-reset"};
constexpr Param params[] = {net_from,      net_addresses, answer,
                            net_direction, net_protocol,  net_ports};

Result<Change> compose(const ChangeRequest& request) {
    DRILL_CHECK(examine_choice(request.params, answer));
    NetWish wish;
    wish.treatment = Treatment::reject;
    wish.answer = text_of(request.params, "answer");
    return net_compose(request, wish);
}

std::string describe(const ChangeRequest& request) {
    return net_describe(request, "reject (" + text_of(request.params, "answer") + ")");
}

}  // namespace

extern const Kind net_reject;
const Kind net_reject{
    .name = "net-reject",
    .summary = "Refuses traffic between the target and other hosts with ICMP or a TCP reset.",
    .ending = Ending::kernel,
    .peers_param = "from",
    .needs = "nft ip",
    .params = params,
    .observe = net_observe,
    .compose = compose,
    .describe = describe,
};

}  // namespace drill::faults
