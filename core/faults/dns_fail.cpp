// dns-fail: the target's questions for names stay without an answer, are refused, or get a wrong
// one, whichever server is asked, until the lease ends. Must not: touch a resolver's files or
// process, or the answers that the target itself gives as a name server.
// Next: parts/net_text.hpp (tables and fuse), dns-fail.md.
#include "base/ids.hpp"
#include "base/text.hpp"
#include "faults/parts/net_rules.hpp"
#include "faults/parts/values.hpp"

#include <algorithm>

namespace drill::faults {

namespace {

constexpr Param answer{
    .name = "answer",
    .type = ParamType::choice,
    .fallback = "none",
    .help = "none = silence, refused = port closed, nxdomain, servfail = that wrong answer.",
    .choices = "none|refused|nxdomain|servfail"};
constexpr Param local{.name = "local",
                      .type = ParamType::boolean,
                      .fallback = "true",
                      .help =
                          "Also questions to a resolver on the target itself (127.0.0.53), so that "
                          "its cache does not hide the fault."};
constexpr Param params[] = {answer, local};

struct Wish {
    std::string answer;
    bool local{true};
};

Wish wish_of(const ChangeRequest& request) {
    return {text_of(request.params, "answer"), value_or<bool>(request.params, "local", true)};
}

/// Questions that are not for the target as a server: its own, and those it forwards.
std::string forwarded(std::string_view verdict) {
    return "        iif \"lo\" accept\n"
           "        fib daddr type local accept\n"
           "        meta nfproto @fuse meta l4proto { tcp, udp } th dport 53 " +
           std::string(verdict) + "\n";
}

std::string own_questions(const Wish& wish, std::string_view what, std::string_view verdict) {
    return std::string(wish.local ? "" : "        oif \"lo\" accept\n") +
           "        meta nfproto @fuse " + std::string(what) + " th dport 53 " +
           std::string(verdict) + "\n";
}

std::string hook(std::string_view name, std::string_view where, const std::string& rules) {
    return "    chain " + std::string(name) + " {\n        type filter hook " + std::string(where) +
           "; policy accept;\n" + rules + "    }\n";
}

std::string silence(const Wish& wish, std::set<std::string> devices) {
    if (wish.local) { devices.insert("lo"); }
    std::string text =
        "    chain cut {\n        meta protocol @fuse meta l4proto { tcp, udp } th dport 53 "
        "counter "
        "drop\n    }\n";
    std::size_t number = 0;
    for (const std::string& device : devices) {
        text += "    chain out" + std::to_string(++number) +
                " {\n        type filter hook egress device \"" + device +
                "\" priority 0; policy accept;\n        jump cut\n    }\n";
    }
    return text;
}

std::string refusal(const Wish& wish) {
    return "    chain refuse {\n        meta l4proto tcp counter reject with tcp reset\n"
           "        counter reject with icmpx type port-unreachable\n    }\n" +
           hook("pre", "prerouting priority -310", forwarded("goto refuse")) +
           hook("own", "output priority -310",
                own_questions(wish, "meta l4proto { tcp, udp }", "goto refuse"));
}

/// The answers of servers, over UDP, get another status on their way in: the four lowest bits of
/// the second 16-bit word behind the UDP header, checksum mended by the kernel. Answers over TCP
/// may be split anywhere, so connections are reset instead.
std::string wrong_answer(const Wish& wish) {
    const std::string status = wish.answer == "nxdomain" ? "3" : "2";
    // Of a resolver on the target, only answers to the target: loopback. Others' questions to the
    // target leave by output and never come in here.
    return "    chain end {\n        counter reject with tcp reset\n    }\n" +
           hook("pre", "prerouting priority -310",
                std::string(wish.local ? "" : "        iif \"lo\" accept\n") +
                    "        meta nfproto @fuse udp sport 53 @ih,16,1 1 @ih,28,4 set " + status +
                    " counter accept\n"
                    "        iif \"lo\" accept\n"
                    "        fib daddr type local accept\n"
                    "        meta nfproto @fuse tcp dport 53 goto end\n") +
           hook("own", "output priority -310", own_questions(wish, "meta l4proto tcp", "goto end"));
}

// A question for the root's name servers, over UDP, to each server that the resolver's files name.
constexpr std::string_view ask_servers = R"sh(
servers=$(sed -n 's/^[[:space:]]*nameserver[[:space:]]*//p' /etc/resolv.conf \
    /run/systemd/resolve/resolv.conf 2>/dev/null)
by_bash() {
    command -v bash >/dev/null 2>&1 && bash -c '
        exec 3<>"/dev/udp/$1/53" &&
        printf "\144\162\001\000\000\001\000\000\000\000\000\000\000\000\002\000\001" >&3 || exit 1
        timeout 1 head -c 4 <&3; exit 0' bash "$1"
}
for server in $servers; do
    { by_bash "${server%%[%#]*}" || timeout 1 nslookup -type=ns . "$server"; } \
        >/dev/null 2>&1 </dev/null &
done
wait
exit 0
)sh";

Result<Change> compose(const ChangeRequest& request) {
    DRILL_CHECK(examine_choice(request.params, answer));
    const Wish wish = wish_of(request);
    if (wish.answer != "refused" && kernel_before(request.facts, 5, 16)) {
        return fail(Code::refused, "kernel " + fact_of(request.facts, "kernel") + " of " +
                                       request.host +
                                       " is older than 5.16, which this needs; use answer = "
                                       "\"refused\"");
    }
    // What net-port would need to cut port 53 for everybody is needed here too: tools, kernel,
    // devices, a lease. The rules are others, as the target's own answers must pass.
    ChangeRequest plain = request;
    plain.params = {{"direction", std::string(wish.answer == "none" ? "out" : "in")},
                    {"protocol", std::string("all")},
                    {"ports", std::vector<std::string>{"53"}}};
    NetWish net;
    net.anyone = true;
    DRILL_TRY(const NetCut cut, net_cut(plain, net));
    NetTables tables{cut.table, cut.directory, cut.ttl, {}};
    if (wish.answer == "none") {
        tables.texts.emplace_back(&net_netdev,
                                  net_fuse(net_netdev, cut.ttl) + silence(wish, cut.devices));
    } else {
        tables.texts.emplace_back(
            &net_inet, net_fuse(net_inet, cut.ttl) +
                           (wish.answer == "refused" ? refusal(wish) : wrong_answer(wish)));
        tables.did = wish.answer == "refused" ? "rejected" : "falsified";
    }
    Change change;
    change.apply = {net_apply(tables), net_record(tables)};
    change.renew = {net_renew(tables)};
    change.undo = net_undo(tables);
    change.read_back = {net_read_back(tables)};
    change.stimulate = {{request.host, script(ask_servers, {})}};
    change.ending = Ending::kernel;
    return change;
}

std::string describe(const ChangeRequest& request) {
    const Wish wish = wish_of(request);
    const std::string what = wish.answer == "none"      ? "leave unanswered"
                             : wish.answer == "refused" ? "refuse"
                                                        : "answer " + wish.answer + " to";
    return what + " the questions of " + request.host + " for names, whichever server it asks" +
           (wish.local ? ", its own included" : "");
}

}  // namespace

extern const Kind dns_fail;
const Kind dns_fail{
    .name = "dns-fail",
    .summary = "Makes the target's questions for names fail: silence, refusal or a wrong answer.",
    .ending = Ending::kernel,
    .peers_param = "",
    .needs = "nft ip",
    .params = params,
    .observe = net_observe,
    .compose = compose,
    .describe = describe,
};

}  // namespace drill::faults
