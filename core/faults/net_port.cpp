// net-port: ports of the target, or those it uses elsewhere, are cut whoever the other end is,
// until the lease ends. Must not: touch a foreign table, cut our own way in.
// Next: parts/net_rules.hpp, net-port.md.
#include "base/text.hpp"
#include "faults/parts/net_rules.hpp"
#include "faults/parts/values.hpp"

namespace drill::faults {

namespace {

constexpr Param ports{.name = "ports",
                      .type = ParamType::ports,
                      .required = true,
                      .help = "Service ports: of the target (in), or of others (out)."};
constexpr Param direction{
    .name = "direction",
    .type = ParamType::choice,
    .fallback = "in",
    .help = "in = services of the target, out = services elsewhere that the target uses.",
    .choices = "in|out|both"};
constexpr Param protocol{.name = "protocol",
                         .type = ParamType::choice,
                         .fallback = "tcp",
                         .help = "Which packets; all stands for TCP and UDP.",
                         .choices = "tcp|udp|all"};
constexpr Param answer{
    .name = "answer",
    .type = ParamType::choice,
    .fallback = "none",
    .help = "none = dropped in silence; else what the sender is told, as in net-reject.",
    .choices = "none|port-unreachable|host-unreachable|admin-prohibited|no-route|tcp-reset"};
constexpr Param params[] = {ports, direction, protocol, answer};

Result<Change> compose(const ChangeRequest& request) {
    DRILL_CHECK(examine_choice(request.params, answer));
    DRILL_CHECK(examine_choice(request.params, protocol));
    if (texts_of(request.params, "ports").empty()) {
        return fail(Code::refused, "`ports` names no port; the whole host is not meant here");
    }
    NetWish wish;
    wish.anyone = true;
    wish.answer = text_of(request.params, "answer");
    if (wish.answer != "none") { wish.treatment = Treatment::reject; }
    return net_compose(request, wish);
}

std::string describe(const ChangeRequest& request) {
    const std::string way = text_of(request.params, "direction");
    const std::string told = text_of(request.params, "answer");
    const std::string kind = text_of(request.params, "protocol");
    const std::string whose = way == "in"    ? "of " + request.host
                              : way == "out" ? "that " + request.host + " uses elsewhere"
                                             : "of " + request.host + " and that it uses elsewhere";
    return (told == "none" ? "drop all" : "reject (" + told + ") all") + " traffic to " +
           (kind == "all" ? "TCP and UDP" : kind) + " ports " +
           join(texts_of(request.params, "ports"), ", ") + " " + whose + ", whoever asks";
}

}  // namespace

extern const Kind net_port;
const Kind net_port{
    .name = "net-port",
    .summary = "Cuts service ports of the target, or those it uses, whoever the other end is.",
    .ending = Ending::kernel,
    .peers_param = "",
    .needs = "nft ip",
    .params = params,
    .observe = net_observe,
    .compose = compose,
    .describe = describe,
};

}  // namespace drill::faults
