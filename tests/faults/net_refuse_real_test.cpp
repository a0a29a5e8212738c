// net-reject, net-port and given addresses on a real network: what senders are told, whose ports
// are cut, and that networks do not hit the target's own traffic.
#include "faults/net_fault.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>
#include <chrono>
#include <cstring>

using namespace drill;
using namespace drill::test;

namespace {

/// The error that a new TCP connection ends with within 2 s: 0 = it stands, -1 = nothing came.
int tcp_error(const std::string& from, const std::string& to, int port) {
    int error = -1;
    fabric().in(from, [&] {
        const int client = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(static_cast<std::uint16_t>(port));
        const std::string text = to.find(':') == std::string::npos ? "::ffff:" + to : to;
        inet_pton(AF_INET6, text.c_str(), &address.sin6_addr);
        if (connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
            errno != EINPROGRESS) {
            error = errno;
        } else {
            pollfd one{client, POLLOUT, 0};
            socklen_t size = sizeof error;
            if (poll(&one, 1, 2000) == 1) {
                getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &size);
            }
        }
        close(client);
    });
    return error;
}

}  // namespace

TEST_CASE("a rejected peer is told so at once, in both families and ways, and nobody else is hit") {
    if (skipped()) { return; }
    for (const char* answer : {"port-unreachable", "tcp-reset"}) {
        CAPTURE(answer);
        Fault fault("net-reject");
        fault.request.params["answer"] = std::string(answer);
        fault.apply();
        CHECK(fault.seen() == Presence::idle);
        for (const int family : {4, 6}) {
            CAPTURE(family);
            CHECK(tcp_error("p", address_of("t", family), 7000) == ECONNREFUSED);
            CHECK(tcp_error("t", address_of("p", family), 7000) == ECONNREFUSED);
            CHECK_FALSE(fabric().udp("p", address_of("t", family), 7000));
            CHECK_FALSE(fabric().udp("t", address_of("p", family), 7000));
        }
        // Forwarded: the container behind the target and the DNAT port before it.
        CHECK(tcp_error("k", address_of("p", 4), 7000) == ECONNREFUSED);
        CHECK(tcp_error("p", address_of("t", 4), 8080) == ECONNREFUSED);
        check_all({{"other to target", "o", address_of("t", 4), 7000},
                   {"target to other", "t", address_of("o", 6), 7000},
                   {"container to other", "k", address_of("o", 4), 7000},
                   {"controller to sshd", "c", address_of("t", 4), 22}},
                  true);
        CHECK(fault.seen() == Presence::bites);
        CHECK(fault.said().find("inet: rejected ") != std::string::npos);
        CHECK(fault.undo() == 0);
        CHECK(fault.seen() == Presence::absent);
        CHECK(fabric().tcp("p", address_of("t", 6), 7000));
    }
}

TEST_CASE("the error that a sender gets is the one that was asked for") {
    if (skipped()) { return; }
    struct Told {
        const char* answer;
        int error;
    };
    for (const Told& told : {Told{"host-unreachable", EHOSTUNREACH}, Told{"no-route", ENETUNREACH},
                             Told{"admin-prohibited", EHOSTUNREACH}}) {
        CAPTURE(told.answer);
        Fault fault("net-reject");
        fault.request.params["answer"] = std::string(told.answer);
        fault.request.params["direction"] = std::string("in");
        fault.apply();
        CHECK(tcp_error("p", address_of("t", 4), 7000) == told.error);
        CHECK(fault.undo() == 0);
    }
}

TEST_CASE("a reset ends an established connection") {
    if (skipped()) { return; }
    const int client = fabric().connect("p", address_of("t", 6), 7000);
    REQUIRE(client >= 0);
    CHECK(echoes(client, 500));
    Fault fault("net-reject");
    fault.request.params["answer"] = std::string("tcp-reset");
    fault.apply();
    CHECK_FALSE(echoes(client, 500));
    char byte = 0;
    CHECK(recv(client, &byte, 1, MSG_DONTWAIT) <= 0);
    CHECK(fault.undo() == 0);
    CHECK_FALSE(echoes(client, 500));
    close(client);
}

TEST_CASE("a rejection bites by our own packets and keeps the controller and name services") {
    if (skipped()) { return; }
    Fault fault("net-reject");
    fault.request.peers.push_back({"c", {address_of("c", 4)}});
    fault.request.facts["identity_services"] = address_of("p", 4) + " " + address_of("p", 6);
    fault.apply();
    CHECK(fabric().tcp("c", address_of("t", 4), 22));
    CHECK_FALSE(fabric().tcp("c", address_of("t", 4), 7000));
    CHECK(fabric().udp("t", address_of("p", 4), 53));
    CHECK(fabric().tcp("t", address_of("p", 6), 53));
    Fault quiet("net-reject");
    CHECK(fault.undo() == 0);
    quiet.apply();
    for (const Stimulus& stimulus : quiet.change.stimulate) {
        Place there = quiet.place;
        there.netns = fabric().netns(stimulus.host);
        CHECK(run(stimulus.exec, there).status == 0);
    }
    CHECK(quiet.seen() == Presence::bites);
}

TEST_CASE("a port of the target is closed to everybody but the controller's own connection") {
    if (skipped()) { return; }
    Fault fault("net-port");
    fault.request.peers.clear();
    fault.request.params["direction"] = std::string("in");
    fault.request.params["ports"] = std::vector<std::string>{"22", "7000", "8080"};
    fault.apply();
    for (const int family : {4, 6}) {
        CHECK_FALSE(fabric().tcp("p", address_of("t", family), 7000));
        CHECK_FALSE(fabric().tcp("o", address_of("t", family), 7000));
        CHECK(fabric().tcp("p", address_of("t", family), 7001));
        CHECK(fabric().tcp("t", address_of("p", family), 7000));  // a service elsewhere
        CHECK(fabric().udp("p", address_of("t", family), 7000));  // TCP was meant
        CHECK(fabric().tcp("t", address_of("t", family), 7000));  // the target itself
    }
    CHECK_FALSE(fabric().tcp("p", address_of("t", 4), 8080));  // a DNAT port of the target
    CHECK(fabric().tcp("k", address_of("p", 4), 7000));        // forwarded, not the target's
    CHECK(fabric().tcp("c", address_of("t", 4), 22));
    CHECK_FALSE(fabric().tcp("p", address_of("t", 4), 22));
    CHECK(fault.seen() == Presence::bites);
    CHECK(fault.undo() == 0);
    CHECK(fault.seen() == Presence::absent);
    CHECK(fabric().tcp("p", address_of("t", 6), 7000));
}

TEST_CASE("a port that the target uses elsewhere is cut wherever it is") {
    if (skipped()) { return; }
    for (const char* answer : {"none", "tcp-reset"}) {
        CAPTURE(answer);
        Fault fault("net-port");
        fault.request.peers.clear();
        fault.request.params["direction"] = std::string("out");
        fault.request.params["answer"] = std::string(answer);
        fault.request.params["ports"] = std::vector<std::string>{"7000"};
        fault.apply();
        const int expected = std::string(answer) == "none" ? -1 : ECONNREFUSED;
        for (const int family : {4, 6}) {
            CHECK(tcp_error("t", address_of("p", family), 7000) == expected);
            CHECK_FALSE(fabric().tcp("t", address_of("o", family), 7000));
            CHECK(fabric().tcp("t", address_of("p", family), 7001));
            CHECK(fabric().tcp("p", address_of("t", family), 7000));
        }
        CHECK(fault.seen() == Presence::bites);
        CHECK(fault.undo() == 0);
    }
}

TEST_CASE("given networks are cut in both families, the target's talk with itself is not") {
    if (skipped()) { return; }
    Fault fault("net-partition");
    fault.request.peers.clear();
    fault.request.params["addresses"] = std::vector<std::string>{"10.90.0.0/24", "fd90::/64"};
    fault.apply();
    for (const int family : {4, 6}) {
        CHECK_FALSE(fabric().tcp("p", address_of("t", family), 7000));
        CHECK_FALSE(fabric().tcp("t", address_of("o", family), 7000));
        CHECK(fabric().tcp("t", address_of("t", family), 7000));
    }
    CHECK(fabric().tcp("c", address_of("t", 4), 22));
    CHECK_FALSE(fabric().tcp("c", address_of("t", 4), 7000));
    CHECK(fault.seen() == Presence::bites);
    CHECK(fault.undo() == 0);
    CHECK(fabric().tcp("t", address_of("o", 6), 7000));
}

TEST_CASE("all networks at once, spelled, leave our own connection alone") {
    if (skipped()) { return; }
    Fault fault("net-partition");
    fault.request.peers.clear();
    fault.request.params["addresses"] = std::vector<std::string>{"0.0.0.0/0", "::/0", "10.0.0.0/8"};
    fault.apply();
    CHECK(fabric().tcp("c", address_of("t", 4), 22));
    CHECK_FALSE(fabric().tcp("p", address_of("t", 6), 7000));
    CHECK_FALSE(fabric().tcp("t", address_of("p", 4), 7000));
    CHECK(fault.undo() == 0);
}

TEST_CASE("one given address, quiet inbound, bites by our own packet") {
    if (skipped()) { return; }
    Fault fault("net-partition");
    fault.request.peers.clear();
    fault.request.params["addresses"] = std::vector<std::string>{address_of("p", 4)};
    fault.apply();
    CHECK(fault.seen() == Presence::idle);
    REQUIRE(fault.change.stimulate.size() == 1);
    CHECK(run(fault.change.stimulate.front().exec, fault.place).status == 0);
    CHECK(fault.seen() == Presence::bites);
}

TEST_CASE("refusals end at their time with no process of ours") {
    if (skipped()) { return; }
    for (const std::string kind : {"net-reject", "net-port"}) {
        CAPTURE(kind);
        Fault fault(kind);
        if (kind == "net-port") { fault.request.peers.clear(); }
        fault.request.params["ports"] = std::vector<std::string>{"7000"};
        fault.request.ttl = std::chrono::seconds{1};
        fault.apply();
        CHECK_FALSE(fabric().tcp("p", address_of("t", 6), 7000));
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{5};
        bool again = false;
        while (!again && std::chrono::steady_clock::now() < deadline) {
            again = fabric().tcp("p", address_of("t", 6), 7000);
        }
        CHECK(again);
        CHECK(status_of(fault.change.renew, fault.place) != 0);
        CHECK(fault.seen() == Presence::altered);
        CHECK(fault.undo() == 0);
        CHECK(fault.seen() == Presence::absent);
    }
}
