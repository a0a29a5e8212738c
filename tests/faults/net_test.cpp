// net-partition and net-loss: what is refused, and what the rules say.
#include "base/text.hpp"
#include "faults/requests.hpp"

#include <doctest/doctest.h>

using namespace drill;
using namespace drill::test;

namespace {

const Kind& partition() { return kind_of("net-partition"); }
ChangeRequest request() { return request_for(partition(), Binding::run); }

std::string rules_of(const ChangeRequest& of, const Kind& kind = partition()) {
    const Result<Change> change = kind.compose(of);
    REQUIRE(bool(change));
    return change->apply.front().input;
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

std::string refusal(const ChangeRequest& of) { return refusal_of(partition(), of); }

}  // namespace

TEST_CASE("a missing tool is refused with its package") {
    ChangeRequest a = request();
    a.facts.erase("tool.nft");
    CHECK(refusal(a) == "nft is not installed on app-1; install nftables there");
    ChangeRequest b = request();
    b.facts.erase("tool.ip");
    CHECK(refusal(b) == "ip is not installed on app-1; install iproute2 there");
}

TEST_CASE("a kernel without egress hook is refused, but not for inbound alone") {
    ChangeRequest old = request();
    old.facts["kernel"] = "5.10.0-8-amd64";
    CHECK(has(refusal(old), "use direction = \"in\""));
    old.params["direction"] = std::string("in");
    CHECK(refusal(old).empty());
    old.params["direction"] = std::string("both");
    old.facts["kernel"] = "5.16.1";
    CHECK(refusal(old).empty());
}

TEST_CASE("no peers, and the target as its own peer, are refused") {
    ChangeRequest none = request();
    none.peers.clear();
    none.observed = {{0, "device eth0\n", ""}};
    CHECK(refusal(none) == "nobody is chosen: `from` selects no host and `addresses` is empty");
    ChangeRequest self = request();
    self.peers.push_back({"app-1", {"10.77.0.4"}});
    CHECK(has(refusal(self), "app-1 is a target and one of `from`"));
}

TEST_CASE("an address that the peer shares with the target is refused") {
    ChangeRequest by_fact = request();
    by_fact.peers.front().addresses.emplace_back("10.77.0.4");
    CHECK(refusal(by_fact) == "10.77.0.4 of bal-1 is an address of app-1 itself");
    ChangeRequest by_route = request();
    by_route.peers.front().addresses.emplace_back("10.77.0.99");
    by_route.observed.front().out +=
        "route 10.77.0.99 local 10.77.0.99 dev lo src 10.77.0.99 uid 0 \\ cache <local>\n";
    CHECK(has(refusal(by_route), "10.77.0.99 of bal-1"));
}

TEST_CASE("a peer without an address that others can use is refused") {
    ChangeRequest empty = request();
    empty.peers.front().addresses.clear();
    CHECK(has(refusal(empty), "no address of bal-1 is known"));
    ChangeRequest link_local = request();
    link_local.peers.front().addresses = {"fe80::1%eth0", "169.254.3.4"};
    CHECK(has(refusal(link_local), "no address of bal-1 is known"));
    for (const char* wrong : {"bal-1.lab", "127.0.0.1", "::1", "0.0.0.0", "ff02::1", "224.0.0.1",
                              "10.0.0.1/24", "", "1; flush ruleset"}) {
        CAPTURE(wrong);
        ChangeRequest bad = request();
        bad.peers.front().addresses = {wrong};
        CHECK(has(refusal(bad), "is not an address"));
    }
}

TEST_CASE("a peer without a route is refused for outbound and accepted for inbound") {
    ChangeRequest lost = request();
    lost.peers.push_back({"far-1", {"192.0.2.9"}});
    lost.observed.front().out += "route 192.0.2.9 \nmatch 192.0.2.9 \n";
    CHECK(has(refusal(lost), "no route from app-1 to far-1"));
    lost.params["direction"] = std::string("in");
    CHECK(refusal(lost).empty());
    lost.params["direction"] = std::string("out");
    lost.observed.front().out += "route 192.0.2.9 blackhole 192.0.2.9 dev lo \n";
    CHECK(has(refusal(lost), "no route"));
}

TEST_CASE("an unreachable family of a peer is no refusal and stays in the sets") {
    ChangeRequest half = request();
    half.peers.front().addresses.emplace_back("2001:db8::9");
    half.observed.front().out += "route 2001:db8::9 \nmatch 2001:db8::9 \n";
    CHECK(has(rules_of(half), "2001:db8::9"));
}

TEST_CASE("routes that were not read are refused") {
    ChangeRequest unread = request();
    unread.observed.clear();
    CHECK(has(refusal(unread), "could not be read"));
    unread = request();
    unread.observed.front().status = 1;
    CHECK(has(refusal(unread), "could not be read"));
}

TEST_CASE("ports are refused where they are none and where the protocol has none") {
    for (const char* wrong : {"0", "65536", "90-80", "80-", "-", "ssh", "80;", "+80", "1-70000"}) {
        CAPTURE(wrong);
        ChangeRequest bad = request();
        bad.params["ports"] = std::vector<std::string>{wrong};
        CHECK(has(refusal(bad), "is no port"));
    }
    ChangeRequest icmp = request();
    icmp.params["protocol"] = std::string("icmp");
    icmp.params["ports"] = std::vector<std::string>{"80"};
    CHECK(has(refusal(icmp), "ICMP has no ports"));
}

TEST_CASE("ports match the destination to a service and the source of its answers") {
    ChangeRequest web = request();
    web.params["protocol"] = std::string("tcp");
    web.params["ports"] = std::vector<std::string>{"8080", "80", "8000-8100"};
    const std::string rules = rules_of(web);
    for (const char* rule :
         {"meta nfproto @fuse ip saddr @p4 meta l4proto tcp th dport { 80, 8000-8100 } counter",
          "meta nfproto @fuse ip6 saddr @p6 meta l4proto tcp th sport { 80, 8000-8100 } counter",
          "meta protocol @fuse ip daddr @p4 meta l4proto tcp th sport { 80, 8000-8100 } counter",
          "meta protocol @fuse ip6 daddr @p6 meta l4proto tcp th dport { 80, 8000-8100 } "
          "counter"}) {
        CAPTURE(rule);
        CHECK(has(rules, rule));
    }
}

TEST_CASE("our own connection stays open, also for a mapped or scoped address") {
    CHECK(has(rules_of(request()), "ip saddr 10.77.0.9 tcp dport 22 accept"));
    CHECK(has(rules_of(request()), "ip daddr 10.77.0.9 tcp sport 22 accept"));
    ChangeRequest mapped = request();
    mapped.facts["ssh_client"] = "::ffff:10.77.0.9";
    CHECK(has(rules_of(mapped), "ip saddr 10.77.0.9 tcp dport 22 accept"));
    ChangeRequest scoped = request();
    scoped.facts["ssh_client"] = "fe80::9%eth0";
    CHECK(has(rules_of(scoped), "ip6 saddr fe80::9 tcp dport 22 accept"));
}

TEST_CASE("a connection that is not understood is refused; the local transport has none") {
    ChangeRequest odd = request();
    odd.facts["ssh_client"] = "UNKNOWN";
    CHECK(has(refusal(odd), "cannot be kept open"));
    odd = request();
    odd.facts["ssh_server_port"] = "";
    CHECK(has(refusal(odd), "cannot be kept open"));
    ChangeRequest local = request();
    local.facts["ssh_client"] = "";
    local.facts["ssh_server_port"] = "";
    CHECK_FALSE(has(rules_of(local), "dport 22"));
}

TEST_CASE("a fault that would be nothing but exemptions is refused") {
    ChangeRequest ours = request();
    ours.peers.front().addresses = {"10.77.0.9", "10.77.0.2"};
    ours.params["protocol"] = std::string("tcp");
    ours.params["ports"] = std::vector<std::string>{"22"};
    CHECK(has(refusal(ours), "bal-1 is where drill reaches app-1 from"));
    ours.params["ports"] = std::vector<std::string>{"22", "80"};
    CHECK(refusal(ours).empty());
    ChangeRequest names = request();
    names.peers.front().addresses = {"10.77.0.53", "10.77.0.2"};
    names.params["ports"] = std::vector<std::string>{"53"};
    CHECK(has(refusal(names), "logins to app-1 need bal-1"));
}

TEST_CASE("every device that leads to a peer gets a chain, also the other next hop") {
    const std::string rules = rules_of(request());
    CHECK(has(rules, "hook egress device \"bond0.12\""));
    CHECK(has(rules, "hook egress device \"eth0\""));
}

TEST_CASE("a device with a name that nft text cannot hold is refused") {
    ChangeRequest odd = request();
    odd.observed.front().out += "route 10.77.0.2 10.77.0.2 dev a\"b src 10.77.0.4 \n";
    CHECK(has(refusal(odd), "is not supported"));
}

TEST_CASE("one direction makes one table, one fuse and one undo of a table") {
    ChangeRequest in = request();
    in.params["direction"] = std::string("in");
    const Result<Change> change = partition().compose(in);
    REQUIRE(bool(change));
    CHECK_FALSE(has(change->apply.front().input, "netdev"));
    CHECK_FALSE(has(change->renew.front().input, "netdev"));
    CHECK(change->undo.size() == 2);
    ChangeRequest out = request();
    out.params["direction"] = std::string("out");
    CHECK_FALSE(has(rules_of(out), "inet"));
}

TEST_CASE("what makes it bite uses a packet that matches, and at most four peers") {
    ChangeRequest tcp = request();
    tcp.params["protocol"] = std::string("tcp");
    tcp.params["ports"] = std::vector<std::string>{"8000-8100"};
    for (int i = 0; i < 6; ++i) {
        const std::string address = "10.77.1." + std::to_string(i + 1);
        tcp.peers.push_back({"more-" + std::to_string(i), {address}});
        tcp.observed.front().out +=
            "route " + address + " " + address + " dev eth0 src 10.77.0.4\n";
    }
    const Result<Change> change = partition().compose(tcp);
    REQUIRE(bool(change));
    REQUIRE(change->stimulate.size() == 5);
    CHECK(change->stimulate.front().host == "app-1");
    const std::vector<std::string>& argv = change->stimulate.front().exec.argv;
    CHECK(std::vector<std::string>(argv.begin() + 4, argv.end()) ==
          std::vector<std::string>{"tcp", "8000", "1", "1", "10.77.0.2", "fd77::2", "10.78.0.3",
                                   "10.77.1.1", "10.77.1.2"});
    CHECK(change->stimulate[1].host == "bal-1");
    CHECK(change->stimulate[1].exec.argv.back() == "fd77::4");
}

TEST_CASE("loss rolls once per packet and sends enough packets to see one lost") {
    const Kind& loss = kind_of("net-loss");
    ChangeRequest some = request_for(loss, Binding::run);
    some.params["ports"] = std::vector<std::string>{"80"};
    const std::string rules = rules_of(some, loss);
    CHECK(has(rules, "numgen random mod 1000000 < 50000 counter drop"));
    CHECK(has(rules, "th dport { 80 } goto lose"));
    const Result<Change> change = loss.compose(some);
    REQUIRE(bool(change));
    CHECK(change->stimulate.front().exec.argv[6] == "141");
    some.params["loss"] = Percent{10};
    CHECK(loss.compose(some)->stimulate.front().exec.argv[6] == "500");
    some.params["loss"] = Percent{1'000'000};
    CHECK_FALSE(has(rules_of(some, loss), "numgen"));
}

TEST_CASE("no loss is refused") {
    ChangeRequest none = request_for(kind_of("net-loss"), Binding::run);
    none.params["loss"] = Percent{0};
    CHECK(has(refusal_of(kind_of("net-loss"), none), "above 0 %"));
}

TEST_CASE("very many addresses ask for devices instead of routes, and more still are refused") {
    ChangeRequest many = request();
    for (int i = 0; i < 5000; ++i) {
        many.peers.front().addresses.push_back("10.80." + std::to_string(i / 200) + "." +
                                               std::to_string(i % 200 + 1));
    }
    const std::vector<Exec> asked = partition().observe(many);
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].argv.back() == "devices");
    many.observed = {{0, "device eth0\ndevice veth12\ndevice docker0\n", ""}};
    const std::string rules = rules_of(many);
    CHECK(has(rules, "10.80.24.200"));
    CHECK(has(rules, "hook egress device \"eth0\""));
    CHECK_FALSE(has(rules, "veth12"));
    CHECK_FALSE(has(rules, "docker0"));
    for (int i = 0; i < 12000; ++i) {
        many.peers.front().addresses.push_back("10.99." + std::to_string(i / 200) + "." +
                                               std::to_string(i % 200 + 1));
    }
    CHECK(has(refusal(many), "come to more than 16384 addresses"));
}

TEST_CASE("given networks become interval sets, and the target's own traffic stays out of them") {
    ChangeRequest networks = request();
    networks.peers.clear();
    networks.observed = {{0, "device eth0\n", ""}};
    networks.params["addresses"] =
        std::vector<std::string>{"10.77.9.9/16", "192.0.2.7", "FD77:0::1/48", "2001:db8::7"};
    const std::string rules = rules_of(networks);
    CHECK(has(rules,
              "set p4 { type ipv4_addr; flags interval; auto-merge; elements = { "
              "10.77.0.0/16, 192.0.2.7 }; }"));
    CHECK(has(rules, "elements = { 2001:db8::7, fd77::/48 }; }"));
    CHECK(has(rules, "iif \"lo\" accept"));
    CHECK_FALSE(has(rules_of(request()), "\"lo\""));
    networks.params["addresses"] = std::vector<std::string>{"192.0.2.7", "192.0.2.8/32"};
    CHECK(has(rules_of(networks), "set p4 { type ipv4_addr; elements = { 192.0.2.7, 192.0.2.8 }"));
    const Result<Change> change = partition().compose(networks);
    REQUIRE(bool(change));
    REQUIRE(change->stimulate.size() == 1);
    CHECK(change->stimulate.front().exec.argv.back() == "192.0.2.8");
    CHECK(change->read_back.front().argv[4] == "any");
}

TEST_CASE("what is no address or network is refused, and so is the target's own address") {
    for (const char* wrong : {"10.0.0.0/33", "10.0.0.0/", "fd77::/129", "bal-1", "127.0.0.1", "",
                              "10.0.0.1/8/8", "fe80::1%eth0", "0.0.0.0", "1; flush ruleset"}) {
        CAPTURE(wrong);
        ChangeRequest bad = request();
        bad.params["addresses"] = std::vector<std::string>{wrong};
        CHECK(has(refusal(bad), "is no address or network"));
    }
    ChangeRequest own = request();
    own.params["addresses"] = std::vector<std::string>{"10.77.0.4"};
    CHECK(refusal(own) == "10.77.0.4 in `addresses` is an address of app-1 itself");
}

TEST_CASE("a lease that is no lease id is a mistake of the caller") {
    ChangeRequest odd = request();
    odd.lease = "x; flush ruleset";
    const Result<Change> change = partition().compose(odd);
    REQUIRE_FALSE(bool(change));
    CHECK(change.error().code == Code::invalid);
    ChangeRequest no_time = request();
    no_time.ttl = Nanos{0};
    CHECK(partition().compose(no_time).error().code == Code::invalid);
}

TEST_CASE("routes are asked for canonical addresses only") {
    ChangeRequest odd = request();
    odd.peers.front().addresses = {"::ffff:10.77.0.2", "FD77:0::2", "-4", "x"};
    odd.peers.pop_back();
    const std::vector<Exec> asked = partition().observe(odd);
    REQUIRE(asked.size() == 1);
    CHECK(std::vector<std::string>(asked[0].argv.begin() + 4, asked[0].argv.end()) ==
          std::vector<std::string>{"10.77.0.2", "fd77::2"});
}

TEST_CASE("the line for people names traffic, direction and peers") {
    ChangeRequest both = request();
    CHECK(partition().describe(both) ==
          "drop all traffic between app-1 and bal-1 (2 addresses), bal-2 (1 address)");
    both.params["direction"] = std::string("in");
    both.params["protocol"] = std::string("tcp");
    both.params["ports"] = std::vector<std::string>{"80", "443"};
    CHECK(has(partition().describe(both),
              "drop tcp traffic on ports 80, 443 that reaches app-1 from bal-1"));
}

TEST_CASE("a direction or protocol that is none is refused") {
    for (const char* name : {"direction", "protocol"}) {
        ChangeRequest odd = request();
        odd.params[name] = std::string("sideways");
        CHECK(has(refusal(odd), "is none of"));
    }
}

TEST_CASE("a host of a shape drops what comes in, as its peers do the same") {
    ChangeRequest shaped = request();
    shaped.params.erase("from");
    shaped.params["direction"] = std::string("in");
    const auto inbound = partition().compose(shaped);
    REQUIRE(inbound);
    shaped.params["shape"] = std::string("halves");
    shaped.params["direction"] = std::string("both");
    const auto cut = partition().compose(shaped);
    REQUIRE(cut);
    CHECK(cut->apply == inbound->apply);
    CHECK(has(partition().describe(shaped), "drop all traffic that reaches app-1 from"));
    shaped.params["direction"] = std::string("out");
    CHECK(has(refusal(shaped), "cuts both directions"));
}
