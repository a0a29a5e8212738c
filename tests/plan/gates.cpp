// Each gate of a host by itself: closed with a sentence that names host and fix.
#include "plan/gates.hpp"

#include "plan/facts.hpp"
#include "plan/sample.hpp"

#include <doctest/doctest.h>

using namespace drill;
using namespace drill::test;

namespace {

std::vector<std::string> gates(const Lines& lines, const std::string& transport = "ssh",
                               const std::string& become = "") {
    std::string out;
    for (const auto& [key, value] : lines) { out += key + "=" + value + "\n"; }
    const auto facts = parse_facts(out);
    REQUIRE(facts);
    DraftHost host;
    host.kinds = {"net-partition"};
    host.tools = {"nft", "ip"};
    host.connection.transport = transport;
    host.connection.become = become;
    return host_gates("app-1", host, *facts);
}
Lines with(const std::string& key, const std::string& value) {
    Lines lines = sample_lines("app-1");
    lines[key] = value;
    return lines;
}
Lines without(std::initializer_list<std::string> keys) {
    Lines lines = sample_lines("app-1");
    for (const std::string& key : keys) { lines.erase(key); }
    return lines;
}
using Reasons = std::vector<std::string>;

}  // namespace

TEST_CASE("a host in order closes no gate") { CHECK(gates(sample_lines("app-1")).empty()); }

TEST_CASE("a missing tool is named with its package") {
    CHECK(gates(without({"tool.nft"})) == Reasons{"app-1: `nft` is missing; apt install nftables"});
    CHECK(fix_for_tool("no-such-tool").empty());
}

TEST_CASE("without root the way to get it is said") {
    Lines lines = with("uid", "1000");
    lines["user"] = "kim";
    CHECK(gates(lines)[0] ==
          "app-1: commands run as kim, not as root; set become = \"sudo\" or user = \"root\" in "
          "the catalog");
    CHECK(gates(with("uid", "1000"), "ssh", "sudo")[0].ends_with("`sudo` did not give root"));
    CHECK(gates(without({"uid"})).size() == 1);
}

TEST_CASE("the veto file forbids its kinds, or all") {
    CHECK(gates(with("deny", "net-loss process-kill")).empty());
    CHECK(gates(with("deny", "net-loss net-partition")) ==
          Reasons{"app-1: /etc/drill/deny there forbids net-partition"});
    CHECK(gates(with("deny", "all")).size() == 1);
    CHECK(gates(with("deny", "net-partition-2")).empty());
}

TEST_CASE("a stop file closes the host") {
    CHECK(gates(with("stop", "1")) ==
          Reasons{"app-1: /run/drill/stop exists there; whoever made it removes it"});
}

TEST_CASE("without systemd-run and setsid there is no guard") {
    CHECK(gates(without({"tool.setsid"})).empty());
    CHECK(gates(without({"tool.systemd-run"})).empty());
    CHECK(gates(without({"tool.systemd-run", "tool.setsid"})).size() == 1);
    Lines lines = without({"tool.setsid"});
    lines["init"] = "sysvinit";
    CHECK(gates(lines).size() == 1);
}

TEST_CASE("a lease of another run on the target closes it") {
    CHECK(gates(with("lease", "abcdef012345"))[0].starts_with(
        "app-1: lease abcdef012345 of another run is there; `drill undo`"));
}

TEST_CASE("the controller itself may be changed over transport local only") {
    for (const std::string client : {"127.0.0.1", "::1", "10.77.0.4"}) {
        CAPTURE(client);
        CHECK(gates(with("ssh_client", client)).size() == 1);
        CHECK(gates(with("ssh_client", client), "local").empty());
    }
    CHECK(gates(without({"ssh_client"}), "local").empty());
}
