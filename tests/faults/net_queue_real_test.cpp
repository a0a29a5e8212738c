// net-bandwidth and the netem kinds on a real network. What this kernel cannot do is skipped here
// and run by scripts/test-vm, whose last output is vm_output.txt.
#include "faults/net_fault.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <chrono>
#include <cstdlib>

using namespace drill;
using namespace drill::test;

namespace {

using Steady = std::chrono::steady_clock;

bool has_netem() {
    const CommandReply reply =
        run({{"sh", "-c", "grep -qE ' netem_enqueue([[:space:]]|$)' /proc/kallsyms"}, ""}, {});
    if (reply.status != 0) { MESSAGE("skipped: this kernel has no netem; see scripts/test-vm"); }
    return reply.status == 0;
}

std::string queues(const Place& place) {
    return run({{"tc", "-j", "qdisc", "show"}, ""}, place).out;
}

/// How long 256 KiB to the peer and back take.
Nanos round_of_bulk(const char* to, int family) {
    const int client = fabric().connect("t", address_of(to, family), 7000);
    if (client < 0) { return std::chrono::seconds{99}; }
    const std::vector<char> bytes(256 * 1024, 'x');
    std::vector<char> sink(65536);
    const auto begun = Steady::now();
    std::size_t sent = 0, back = 0;
    while (back < bytes.size() && Steady::now() - begun < std::chrono::seconds{15}) {
        const short events = sent < bytes.size() ? POLLIN | POLLOUT : POLLIN;
        pollfd one{client, events, 0};
        if (poll(&one, 1, 1000) < 0) { break; }
        if ((one.revents & POLLOUT) != 0) {
            // In pieces that the echo takes whole.
            const ssize_t put =
                send(client, bytes.data(), std::min<std::size_t>(256, bytes.size() - sent),
                     MSG_DONTWAIT | MSG_NOSIGNAL);
            if (put > 0) { sent += static_cast<std::size_t>(put); }
        }
        const ssize_t got = recv(client, sink.data(), sink.size(), MSG_DONTWAIT);
        if (got > 0) { back += static_cast<std::size_t>(got); }
    }
    close(client);
    return Steady::now() - begun;
}

/// The quickest of three questions and answers on a connection that stands.
Nanos quickest_echo(const char* to, int family) {
    const int client = fabric().connect("t", address_of(to, family), 7000);
    if (client < 0) { return std::chrono::seconds{99}; }
    Nanos best = std::chrono::seconds{99};
    for (int i = 0; i < 3; ++i) {
        const auto begun = Steady::now();
        if (echoes(client, 3000)) { best = std::min<Nanos>(best, Steady::now() - begun); }
    }
    close(client);
    return best;
}

void send_own_packets(const Fault& fault) {
    for (const Stimulus& stimulus : fault.change.stimulate) {
        Place there = fault.place;
        there.netns = fabric().netns(stimulus.host);
        CHECK(run(stimulus.exec, there).status == 0);
    }
}

Fault& with_arm(Fault& fault) {
    fault.compose();
    REQUIRE(status_of(fault.change.arm, fault.place) == 0);
    REQUIRE(status_of(fault.change.apply, fault.place) == 0);
    return fault;
}

}  // namespace

TEST_CASE("a rate holds back what goes to the peer through a queue, and nobody else") {
    if (skipped()) { return; }
    const std::string before = queues({"dash", "", fabric().netns("t")});
    Fault fault("net-bandwidth");
    fault.request.params["rate"] = std::string("1mbit");
    with_arm(fault);
    CHECK(fault.seen() == Presence::idle);
    // 256 KiB at 1 Mbit/s are two seconds; the others have no such limit.
    for (const int family : {4, 6}) {
        CAPTURE(family);
        const Nanos limited = round_of_bulk("p", family);
        CHECK(limited > std::chrono::milliseconds{1500});
        CHECK(round_of_bulk("o", family) < limited);
    }
    CHECK(fabric().tcp("c", address_of("t", 4), 22));
    CHECK(fault.seen() == Presence::bites);
    REQUIRE(status_of(fault.change.renew, fault.place) == 0);
    CHECK(fault.seen() == Presence::bites);
    CHECK(fault.undo() == 0);
    CHECK(fault.seen() == Presence::absent);
    CHECK(queues(fault.place) == before);
    CHECK(fault.undo() == 0);
    CHECK(fault.seen() == Presence::absent);
}

TEST_CASE("the queue has no effect once the fuse has ended, with no process of ours") {
    if (skipped()) { return; }
    Fault fault("net-bandwidth");
    fault.request.params["rate"] = std::string("100kbit");
    fault.request.ttl = std::chrono::seconds{1};
    with_arm(fault);
    const auto deadline = Steady::now() + std::chrono::seconds{5};
    while (status_of(
               {{{"nft", "get", "element", "inet", "drill_abc123def456", "fuse", "{", "ipv4", "}"},
                 ""}},
               fault.place) == 0 &&
           Steady::now() < deadline) {}
    CHECK(round_of_bulk("p", 4) < std::chrono::seconds{5});  // 21 s at that rate
    CHECK(status_of(fault.change.renew, fault.place) != 0);
    CHECK(fault.seen() == Presence::altered);
    CHECK(fault.undo() == 0);
    CHECK(fault.seen() == Presence::absent);
}

TEST_CASE("a quiet queue bites by our own packets") {
    if (skipped()) { return; }
    Fault fault("net-bandwidth");
    fault.request.params["rate"] = std::string("1mbit");
    with_arm(fault);
    CHECK(fault.seen() == Presence::idle);
    send_own_packets(fault);
    CHECK(fault.seen() == Presence::bites);
}

TEST_CASE(
    "a queue that somebody set is refused, and is the same after a queue that came too late") {
    if (skipped()) { return; }
    Fault fault("net-bandwidth");
    fault.request.params["rate"] = std::string("1mbit");
    fault.compose();
    REQUIRE(status_of(fault.change.arm, fault.place) == 0);
    REQUIRE(run({{"tc", "qdisc", "add", "dev", "eth0", "root", "handle", "77:", "htb"}, ""},
                fault.place)
                .status == 0);
    const std::string before = queues(fault.place);
    CHECK(status_of(fault.change.apply, fault.place) != 0);
    CHECK(fault.undo() == 0);
    CHECK(queues(fault.place) == before);
    fault.request.observed = run_all(kind_of("net-bandwidth").observe(fault.request), fault.place);
    CHECK(refusal_of(kind_of("net-bandwidth"), fault.request)
              .find("eth0 of t has a queue that somebody set (htb 77:)") != std::string::npos);
    REQUIRE(run({{"tc", "qdisc", "del", "dev", "eth0", "root"}, ""}, fault.place).status == 0);
}

TEST_CASE("what somebody else did to our queue is seen, and the undo leaves theirs alone") {
    if (skipped()) { return; }
    Fault fault("net-bandwidth");
    fault.request.params["rate"] = std::string("1mbit");
    with_arm(fault);
    REQUIRE(run({{"tc", "qdisc", "del", "dev", "eth0", "root"}, ""}, fault.place).status == 0);
    CHECK(fault.seen() == Presence::altered);
    REQUIRE(run({{"tc", "qdisc", "add", "dev", "eth0", "root", "handle", "77:", "htb"}, ""},
                fault.place)
                .status == 0);
    CHECK(fault.seen() == Presence::altered);
    CHECK(fault.undo() == 0);
    CHECK(queues(fault.place).find("77:") != std::string::npos);
    CHECK(fault.seen() == Presence::altered);
    REQUIRE(run({{"tc", "qdisc", "del", "dev", "eth0", "root"}, ""}, fault.place).status == 0);
    CHECK(fault.seen() == Presence::absent);
}

TEST_CASE("a kernel without netem refuses the netem kinds and names the package") {
    if (skipped()) { return; }
    for (const char* kind : {"net-delay", "net-corrupt", "net-duplicate", "net-reorder"}) {
        CAPTURE(kind);
        Fault fault(kind);
        fault.request.observed = run_all(kind_of(kind).observe(fault.request), fault.place);
        REQUIRE(fault.request.observed.size() == 2);
        if (fault.request.observed[1].out.find("lacks") == std::string::npos) { continue; }
        CHECK(refusal_of(kind_of(kind), fault.request).find("linux-modules-extra") !=
              std::string::npos);
    }
}

TEST_CASE("netem delays what goes to the peer, in both families, and nobody else") {
    if (skipped() || !has_netem()) { return; }
    const std::string before = queues({"dash", "", fabric().netns("t")});
    Fault fault("net-delay");
    fault.request.params["delay"] = Nanos{std::chrono::milliseconds{200}};
    fault.request.params["jitter"] = Nanos{std::chrono::milliseconds{10}};
    with_arm(fault);
    CHECK(fault.seen() == Presence::idle);
    for (const int family : {4, 6}) {
        CHECK(quickest_echo("p", family) > std::chrono::milliseconds{150});
        CHECK(quickest_echo("o", family) < std::chrono::milliseconds{150});
    }
    CHECK(fault.seen() == Presence::bites);
    CHECK(fabric().tcp("c", address_of("t", 4), 22));
    CHECK(fault.undo() == 0);
    CHECK(fault.seen() == Presence::absent);
    CHECK(queues(fault.place) == before);
    CHECK(quickest_echo("p", 4) < std::chrono::milliseconds{150});
}

TEST_CASE("netem delays nothing any more once the fuse has ended") {
    if (skipped() || !has_netem()) { return; }
    Fault fault("net-delay");
    fault.request.params["delay"] = Nanos{std::chrono::milliseconds{400}};
    fault.request.ttl = std::chrono::seconds{3};
    with_arm(fault);
    CHECK(quickest_echo("p", 6) > std::chrono::milliseconds{300});
    const auto deadline = Steady::now() + std::chrono::seconds{10};
    Nanos took = std::chrono::seconds{9};
    while (took > std::chrono::milliseconds{300} && Steady::now() < deadline) {
        took = quickest_echo("p", 6);
    }
    CHECK(took < std::chrono::milliseconds{300});
    CHECK(fault.undo() == 0);
    CHECK(fault.seen() == Presence::absent);
}

TEST_CASE("netem duplicates, corrupts and reorders datagrams to the peer only") {
    if (skipped() || !has_netem()) { return; }
    for (const std::string share : {"duplicate", "corrupt", "reorder"}) {
        CAPTURE(share);
        Fault fault("net-" + share);
        fault.request.params[share] = Percent{300'000};
        fault.request.params["delay"] = Nanos{std::chrono::milliseconds{5}};
        with_arm(fault);
        CHECK(fault.seen() == Presence::idle);
        send_own_packets(fault);
        CHECK(fault.seen() == Presence::bites);
        const Fabric::Counted peer = fabric().count("t", address_of("p", 4), 7000, 200);
        const Fabric::Counted other = fabric().count("t", address_of("o", 4), 7000, 200);
        MESSAGE(share << ": " << peer.answers << " answers of the peer, " << other.answers
                      << " of another");
        if (share == "duplicate") { CHECK(peer.answers >= 200); }
        if (share == "corrupt") { CHECK(peer.answers < 190); }
        CHECK(other.answers == 200);
        CHECK(fault.undo() == 0);
        CHECK(fault.seen() == Presence::absent);
    }
}

TEST_CASE("netem goes and a device with several transmit queues has its own back, byte for byte") {
    const char* device = std::getenv("DRILL_TEST_DEVICE");
    if (device == nullptr || skipped() || !has_netem()) {
        MESSAGE("skipped: a device with several queues is given by scripts/test-vm only");
        return;
    }
    Fault fault("net-delay");
    fault.place.netns = "";
    REQUIRE(run({{"ip", "addr", "add", "192.0.2.1/24", "dev", device}, ""}, fault.place).status ==
            0);
    REQUIRE(run({{"ip", "link", "set", device, "up"}, ""}, fault.place).status == 0);
    const std::string before = queues(fault.place);
    MESSAGE(run({{"tc", "qdisc", "show"}, ""}, fault.place).out);
    CHECK(before.find("\"mq\"") != std::string::npos);
    fault.request.peers.clear();
    fault.request.params["addresses"] = std::vector<std::string>{"192.0.2.9", "192.0.2.128/25"};
    fault.request.params["delay"] = Nanos{std::chrono::milliseconds{20}};
    with_arm(fault);
    MESSAGE(run({{"tc", "qdisc", "show"}, ""}, fault.place).out);
    CHECK(queues(fault.place) != before);
    CHECK(fault.undo() == 0);
    CHECK(fault.seen() == Presence::absent);
    CHECK(queues(fault.place) == before);
}
