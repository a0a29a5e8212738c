// net-partition and net-loss on a real network: the composed commands are carried out in
// namespaces, and packets tell what they did.
#include "faults/net_fault.hpp"

#include <unistd.h>
#include <chrono>
#include <cmath>
#include <cstdio>

using namespace drill;
using namespace drill::test;

namespace {

std::vector<Way> peer_ways() {
    return {{"peer to target, IPv4", "p", address_of("t", 4), 7000},
            {"peer to target, IPv6", "p", address_of("t", 6), 7000},
            {"target to peer, IPv4", "t", address_of("p", 4), 7000},
            {"target to peer, IPv6", "t", address_of("p", 6), 7000},
            {"peer to a DNAT port of the container", "p", address_of("t", 4), 8080},
            {"peer to the container, routed", "p", address_of("k", 4), 80},
            {"container to peer", "k", address_of("p", 4), 7000},
            {"container to peer, masqueraded", "k", address_of("p", 4), 9099}};
}

void check_others() {
    check_all({{"other to target", "o", address_of("t", 4), 7000},
               {"other to target, IPv6", "o", address_of("t", 6), 7000},
               {"other to the container's DNAT port", "o", address_of("t", 4), 8080},
               {"target to other", "t", address_of("o", 4), 7000},
               {"container to other", "k", address_of("o", 4), 7000},
               {"controller to sshd", "c", address_of("t", 4), 22}},
              true);
}

/// Asks until it works again or `most` is over.
bool works_within(const Way& way, std::chrono::milliseconds most) {
    const auto deadline = std::chrono::steady_clock::now() + most;
    while (std::chrono::steady_clock::now() < deadline) {
        if (fabric().tcp(way.from, way.to, way.port)) { return true; }
    }
    return false;
}

}  // namespace

TEST_CASE("a partition cuts the peer in both families and ways, and nobody else") {
    if (skipped()) { return; }
    check_all(peer_ways(), true);
    Fault fault("net-partition");
    fault.apply();
    check_all(peer_ways(), false);
    check_others();
    CHECK(fault.seen() == Presence::bites);
    CHECK(fault.undo() == 0);
    CHECK(fault.seen() == Presence::absent);
    check_all(peer_ways(), true);
}

TEST_CASE("established connections stall without a reset and go on after the undo") {
    if (skipped()) { return; }
    const int v4 = fabric().connect("p", address_of("t", 4), 7000);
    const int v6 = fabric().connect("t", address_of("p", 6), 7000);
    REQUIRE(v4 >= 0);
    REQUIRE(v6 >= 0);
    CHECK(echoes(v4, 500));
    CHECK(echoes(v6, 500));
    Fault fault("net-partition");
    fault.apply();
    CHECK_FALSE(echoes(v4, 300));
    CHECK_FALSE(echoes(v6, 300));
    CHECK(fault.undo() == 0);
    CHECK(echoes(v4, 5000));
    CHECK(echoes(v6, 5000));
    close(v4);
    close(v6);
}

TEST_CASE("a quiet partition is idle until our own packets make it bite") {
    if (skipped()) { return; }
    for (const std::string protocol : {"all", "tcp", "udp"}) {
        CAPTURE(protocol);
        Fault fault("net-partition");
        fault.request.params["protocol"] = protocol;
        fault.apply();
        CHECK(fault.seen() == Presence::idle);
        for (const Stimulus& stimulus : fault.change.stimulate) {
            Place there = fault.place;
            there.netns = fabric().netns(stimulus.host);
            CHECK(run(stimulus.exec, there).status == 0);
        }
        CHECK(fault.seen() == Presence::bites);
    }
}

TEST_CASE("a controller that is a peer keeps its connection to sshd and nothing else") {
    if (skipped()) { return; }
    Fault fault("net-partition");
    fault.request.peers.push_back({"c", {address_of("c", 4)}});
    fault.apply();
    CHECK(fabric().tcp("c", address_of("t", 4), 22));
    CHECK_FALSE(fabric().tcp("c", address_of("t", 4), 7000));
    CHECK_FALSE(fabric().tcp("t", address_of("c", 4), 7000));
}

TEST_CASE("a service that logins need keeps its own ports and nothing else") {
    if (skipped()) { return; }
    Fault fault("net-partition");
    fault.request.facts["identity_services"] = address_of("p", 4) + " " + address_of("p", 6);
    fault.apply();
    CHECK(fabric().udp("t", address_of("p", 4), 53));
    CHECK(fabric().tcp("t", address_of("p", 6), 53));
    CHECK_FALSE(fabric().tcp("t", address_of("p", 4), 7000));
}

TEST_CASE("inbound alone lets the target send, outbound alone lets it hear") {
    if (skipped()) { return; }
    for (const int family : {4, 6}) {
        CAPTURE(family);
        Fault in("net-partition");
        in.request.params["direction"] = std::string("in");
        in.apply();
        // The question arrives and its answer is dropped: both ends see silence, no error.
        const Fabric::Counted out = fabric().count("t", address_of("p", family), 7000, 5);
        CHECK(out.errors == 0);
        CHECK(out.answers == 0);
        CHECK(in.said().find("inet: dropped 5 of 5 packets") != std::string::npos);
        CHECK(in.said().find("netdev") == std::string::npos);
        REQUIRE(in.undo() == 0);
        Fault only_out("net-partition");
        only_out.request.params["direction"] = std::string("out");
        only_out.apply();
        const Fabric::Counted lost = fabric().count("t", address_of("p", family), 7000, 5);
        CHECK(lost.errors == 0);
        CHECK(lost.answers == 0);
        CHECK(only_out.said() == "netdev: dropped 5 of 5 packets\n");
    }
}

TEST_CASE("ports and protocol narrow the cut to a service of either side") {
    if (skipped()) { return; }
    Fault tcp("net-partition");
    tcp.request.params["protocol"] = std::string("tcp");
    tcp.request.params["ports"] = std::vector<std::string>{"6999-7000"};
    tcp.apply();
    check_all({{"peer to 7000", "p", address_of("t", 4), 7000},
               {"peer to 7000, IPv6", "p", address_of("t", 6), 7000},
               {"target to 7000", "t", address_of("p", 4), 7000},
               {"target to 7000, IPv6", "t", address_of("p", 6), 7000}},
              false);
    check_all({{"peer to 7001", "p", address_of("t", 4), 7001},
               {"target to 7001, IPv6", "t", address_of("p", 6), 7001}},
              true);
    CHECK(fabric().udp("p", address_of("t", 4), 7000));
    REQUIRE(tcp.undo() == 0);
    Fault udp("net-partition");
    udp.request.params["protocol"] = std::string("udp");
    udp.apply();
    CHECK_FALSE(fabric().udp("p", address_of("t", 6), 7001));
    CHECK(fabric().tcp("p", address_of("t", 6), 7001));
}

TEST_CASE("answers of a service carry its port as the source and are cut inbound too") {
    if (skipped()) { return; }
    Fault fault("net-partition");
    fault.request.params["direction"] = std::string("in");
    fault.request.params["ports"] = std::vector<std::string>{"7000"};
    fault.apply();
    CHECK_FALSE(fabric().udp("t", address_of("p", 4), 7000));
    CHECK(fabric().udp("t", address_of("p", 4), 7001));
    CHECK(fault.seen() == Presence::bites);
}

TEST_CASE("a protocol of icmp leaves TCP alone and neighbours known") {
    if (skipped()) { return; }
    Fault fault("net-partition");
    fault.request.params["protocol"] = std::string("icmp");
    fault.apply();
    check_all(peer_ways(), true);
    const CommandReply flush =
        run({{"ip", "-6", "neigh", "flush", "dev", "eth0"}, ""}, fault.place);
    CHECK(flush.status == 0);
    CHECK(fabric().tcp("t", address_of("p", 6), 7000));
    Place busybox = fault.place;
    busybox.shell = "busybox";
    CHECK(run({{"ping", "-c1", "-W1", address_of("p", 4)}, ""}, busybox).status != 0);
    CHECK(run({{"ping", "-c1", "-W1", address_of("o", 4)}, ""}, busybox).status == 0);
}

TEST_CASE("peers behind several devices are cut on each of them") {
    if (skipped()) { return; }
    Fault fault("net-partition");
    fault.request.peers.push_back({"k", {address_of("k", 4)}});
    fault.apply();
    CHECK_FALSE(fabric().tcp("t", address_of("k", 4), 80));
    CHECK_FALSE(fabric().tcp("t", address_of("p", 4), 7000));
    CHECK(fault.change.apply.front().input.find("device \"k0\"") != std::string::npos);
}

TEST_CASE("a partition ends at its time with no process of ours, and is never revived") {
    if (skipped()) { return; }
    Fault fault("net-partition");
    fault.request.ttl = std::chrono::seconds{1};
    fault.apply();
    const Way way{"", "p", address_of("t", 6), 7000};
    CHECK_FALSE(fabric().tcp(way.from, way.to, way.port));
    CHECK(works_within(way, std::chrono::seconds{5}));
    CHECK(status_of(fault.change.renew, fault.place) != 0);
    CHECK(fabric().tcp(way.from, way.to, way.port));
    CHECK(fault.seen() == Presence::altered);
    CHECK(fault.said().find("has ended") != std::string::npos);
    CHECK(fault.undo() == 0);
    CHECK(fault.seen() == Presence::absent);
}

TEST_CASE("renewals keep a partition past its first time") {
    if (skipped()) { return; }
    Fault fault("net-partition");
    fault.request.ttl = std::chrono::seconds{2};
    fault.apply();
    const auto begun = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begun < std::chrono::milliseconds{2600}) {
        CHECK_FALSE(fabric().tcp("p", address_of("t", 4), 7000));
        REQUIRE(status_of(fault.change.renew, fault.place) == 0);
    }
    CHECK_FALSE(fabric().tcp("p", address_of("t", 4), 7000));
}

TEST_CASE("an undo is harmless twice, without an apply, and after half an apply") {
    if (skipped()) { return; }
    Fault fault("net-partition");
    fault.compose();
    CHECK(fault.undo() == 0);
    CHECK(fault.seen() == Presence::absent);
    REQUIRE(run(fault.change.apply.front(), fault.place).status == 0);
    CHECK(fault.seen() == Presence::unclear);  // there, but no record to compare it with
    CHECK(fault.undo() == 0);
    CHECK(fault.undo() == 0);
    CHECK(fault.seen() == Presence::absent);
}

TEST_CASE("a table that the undo could not delete is never taken for ended") {
    if (skipped()) { return; }
    for (const std::size_t failing : {std::size_t{1}, std::size_t{2}}) {
        CAPTURE(failing);
        Fault fault("net-partition");
        fault.apply();
        REQUIRE(fault.change.undo.size() == 3);
        for (std::size_t i = 0; i < 3; ++i) {
            if (i != failing) { REQUIRE(run(fault.change.undo[i], fault.place).status == 0); }
        }
        CHECK(fault.seen() == Presence::unclear);
        CHECK(fault.said().find("is there without a record") != std::string::npos);
        CHECK(fault.undo() == 0);
        CHECK(fault.seen() == Presence::absent);
    }
}

TEST_CASE("a second apply of the same lease fails and changes nothing") {
    if (skipped()) { return; }
    Fault fault("net-partition");
    fault.apply();
    const std::string before = fault.nft({"-s", "list", "ruleset"}).out;
    CHECK(run(fault.change.apply.front(), fault.place).status != 0);
    CHECK(fault.nft({"-s", "list", "ruleset"}).out == before);
}

TEST_CASE("what somebody else did to our tables is seen and named") {
    if (skipped()) { return; }
    const std::string table = "drill_abc123def456";
    const std::string hostnat =
        run({{"nft", "list", "ruleset"}, ""}, {"dash", "", fabric().netns("t")}).out;
    {
        Fault fault("net-partition");
        fault.apply();
        REQUIRE(fault.nft({"flush", "ruleset"}).status == 0);
        CHECK(fault.seen() == Presence::altered);
        CHECK(fault.said().find("was removed by somebody else") != std::string::npos);
        CHECK(fault.undo() == 0);
        CHECK(fault.seen() == Presence::absent);
        REQUIRE(run({{"nft", "-f", "-"}, hostnat}, fault.place).status == 0);
    }
    {
        Fault fault("net-partition");
        fault.apply();
        REQUIRE(fault.nft({"delete", "table", "netdev", table}).status == 0);
        CHECK(fault.said() == "table netdev " + table + " is gone\n");
        CHECK(fault.seen() == Presence::altered);
    }
    {
        Fault fault("net-partition");
        fault.apply();
        REQUIRE(fault.nft({"flush", "chain", "inet", table, "pre"}).status == 0);
        CHECK(fault.said() == "table inet " + table + " was altered\n");
        CHECK(fault.seen() == Presence::altered);
    }
    {
        Fault fault("net-partition");
        fault.apply();
        REQUIRE(fault.nft({"delete", "element", "inet", table, "p4", "{", address_of("p", 4), "}"})
                    .status == 0);
        CHECK(fault.seen() == Presence::altered);
    }
}

TEST_CASE("foreign rules are the same before and after") {
    if (skipped()) { return; }
    Fault fault("net-partition");
    const std::string before = fault.nft({"list", "ruleset"}).out;
    fault.apply();
    CHECK(fault.undo() == 0);
    CHECK(fault.nft({"list", "ruleset"}).out == before);
}

TEST_CASE("the scripts judge alike in every shell") {
    if (skipped()) { return; }
    for (const std::string shell : {"dash", "bash", "busybox"}) {
        CAPTURE(shell);
        for (const std::string kind : {"net-partition", "net-loss"}) {
            CAPTURE(kind);
            Fault fault(kind, shell);
            fault.request.params["loss"] = Percent{900'000};
            fault.apply();
            CHECK(fault.seen() == Presence::idle);
            const Fabric::Counted sent = fabric().count("p", address_of("t", 4), 7000, 20);
            CHECK(sent.answers < 20);
            const Fabric::Counted back = fabric().count("t", address_of("p", 4), 7000, 20);
            CHECK(back.errors == 0);
            CHECK(fault.seen() == Presence::bites);
            REQUIRE(fault.nft({"flush", "chain", "inet", "drill_abc123def456", "pre"}).status == 0);
            CHECK(fault.seen() == Presence::altered);
            CHECK(fault.undo() == 0);
            CHECK(fault.seen() == Presence::absent);
        }
    }
}

TEST_CASE("a loss of 30 percent loses about 30 percent, and of nobody else") {
    if (skipped()) { return; }
    for (const char* direction : {"in", "out"}) {
        CAPTURE(direction);
        Fault fault("net-loss");
        fault.request.params["loss"] = Percent{300'000};
        fault.request.params["direction"] = std::string(direction);
        fault.request.params["protocol"] = std::string("udp");
        fault.request.params["ports"] = std::vector<std::string>{"7000"};
        fault.apply();
        const Fabric::Counted counted = fabric().count("p", address_of("t", 6), 7000, 2000);
        MESSAGE("answers " << counted.answers << " of 2000; " << fault.said());
        // A busy machine loses datagrams in socket buffers too, so the rule's own counters judge:
        // 30 % of what it saw, give or take seven standard deviations.
        int seen = 0, dropped = 0;
        const std::string said = fault.said();
        REQUIRE(std::sscanf(said.c_str(), "%*[a-z]: dropped %d of %d packets", &dropped, &seen) ==
                2);
        CHECK(counted.errors == 0);
        CHECK(seen <= 2000);
        CHECK(seen >= 1000);
        CHECK(std::abs(dropped - 0.3 * seen) < 7 * std::sqrt(0.21 * seen));
        CHECK(counted.answers <= seen - dropped);
        CHECK(counted.answers >= 500);
        CHECK(fabric().count("o", address_of("t", 4), 7000, 20).answers == 20);
        CHECK(fault.undo() == 0);
        CHECK(fabric().count("p", address_of("t", 6), 7000, 20).answers == 20);
    }
}

TEST_CASE("a small loss on a quiet link bites by a burst of our own") {
    if (skipped()) { return; }
    Fault fault("net-loss");
    fault.request.params["loss"] = Percent{50'000};
    fault.apply();
    CHECK(fault.seen() == Presence::idle);
    for (const Stimulus& stimulus : fault.change.stimulate) {
        Place there = fault.place;
        there.netns = fabric().netns(stimulus.host);
        CHECK(run(stimulus.exec, there).status == 0);
    }
    CHECK(fault.seen() == Presence::bites);
}
