// dns-fail on a real network: the servers of the fabric echo datagrams on port 53, so what comes
// back from there shows what became of an answer.
#include "faults/net_fault.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <optional>

using namespace drill;
using namespace drill::test;

namespace {

/// The head of an answer without an error: id, flags (QR, RD, RA; status 0), one question.
constexpr std::array<unsigned char, 17> answer{0x64, 0x72, 0x81, 0x80, 0, 1, 0, 0, 0,
                                               0,    0,    0,    0,    0, 2, 0, 1};

sockaddr_in6 place_of(const std::string& to, int port) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(static_cast<std::uint16_t>(port));
    const std::string text = to.find(':') == std::string::npos ? "::ffff:" + to : to;
    inet_pton(AF_INET6, text.c_str(), &address.sin6_addr);
    return address;
}

/// The status (lowest four bits) of what comes back from `to`: -1 nothing, -2 an error.
int status_from(const std::string& from, const std::string& to, int port) {
    int status = -1;
    fabric().in(from, [&] {
        const int client = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        const sockaddr_in6 server = place_of(to, port);
        if (connect(client, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0 ||
            send(client, answer.data(), answer.size(), 0) < 0) {
            status = -2;
        }
        pollfd one{client, POLLIN, 0};
        std::array<unsigned char, 64> back{};
        if (status == -1 && poll(&one, 1, 400) == 1) {
            const ssize_t got = recv(client, back.data(), back.size(), 0);
            status = got == static_cast<ssize_t>(answer.size()) ? back[3] & 15 : -2;
        }
        close(client);
    });
    return status;
}

/// The same with a server of the target's own on loopback.
int status_at_home() {
    int status = -1;
    fabric().in("t", [&] {
        const int server = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        const sockaddr_in6 home = place_of("::1", 53);
        if (bind(server, reinterpret_cast<const sockaddr*>(&home), sizeof home) != 0) {
            close(server);
            status = -9;
            return;
        }
        const int client = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        sendto(client, answer.data(), answer.size(), 0, reinterpret_cast<const sockaddr*>(&home),
               sizeof home);
        std::array<unsigned char, 64> bytes{};
        sockaddr_in6 asker{};
        socklen_t size = sizeof asker;
        pollfd one{server, POLLIN, 0};
        if (poll(&one, 1, 300) == 1) {
            const ssize_t got = recvfrom(server, bytes.data(), bytes.size(), 0,
                                         reinterpret_cast<sockaddr*>(&asker), &size);
            sendto(server, bytes.data(), static_cast<std::size_t>(got), 0,
                   reinterpret_cast<const sockaddr*>(&asker), size);
            one.fd = client;
            if (poll(&one, 1, 300) == 1 && recv(client, bytes.data(), bytes.size(), 0) > 0) {
                status = bytes[3] & 15;
            }
        }
        close(client);
        close(server);
    });
    return status;
}

struct DnsFault : Fault {
    explicit DnsFault(const char* kind_of_answer) : Fault("dns-fail") {
        request.peers.clear();
        request.params["answer"] = std::string(kind_of_answer);
    }
};

}  // namespace

TEST_CASE("silence: questions go nowhere in both families, other traffic and servers do") {
    if (skipped()) { return; }
    CHECK(status_from("t", address_of("p", 4), 53) == 0);
    CHECK(status_at_home() == 0);
    DnsFault fault("none");
    fault.apply();
    CHECK(fault.seen() == Presence::idle);
    for (const int family : {4, 6}) {
        CHECK(status_from("t", address_of("p", family), 53) == -1);
        CHECK_FALSE(fabric().tcp("t", address_of("o", family), 53));
        CHECK(fabric().tcp("t", address_of("p", family), 7000));
        CHECK(status_from("o", address_of("p", family), 53) == 0);
    }
    CHECK(status_from("k", address_of("p", 4), 53) == -1);
    CHECK(status_at_home() == -1);
    CHECK(fabric().tcp("c", address_of("t", 4), 22));
    CHECK(fault.seen() == Presence::bites);
    CHECK(fault.undo() == 0);
    CHECK(fault.seen() == Presence::absent);
    CHECK(status_from("t", address_of("p", 6), 53) == 0);
}

TEST_CASE("refusal: questions fail at once, over UDP and TCP, also those of a container") {
    if (skipped()) { return; }
    DnsFault fault("refused");
    fault.apply();
    for (const int family : {4, 6}) {
        CHECK(status_from("t", address_of("p", family), 53) == -2);
        CHECK_FALSE(fabric().tcp("t", address_of("o", family), 53));
        CHECK(fabric().udp("t", address_of("p", family), 7000));
    }
    CHECK(status_from("k", address_of("p", 4), 53) == -2);
    CHECK(status_at_home() == -1);
    CHECK(fault.seen() == Presence::bites);
    CHECK(fault.undo() == 0);
    CHECK(status_from("t", address_of("p", 4), 53) == 0);
}

TEST_CASE("a wrong answer arrives whole, with another status, and only over UDP") {
    if (skipped()) { return; }
    struct Wrong {
        const char* answer;
        int status;
    };
    for (const Wrong& wrong : {Wrong{"nxdomain", 3}, Wrong{"servfail", 2}}) {
        CAPTURE(wrong.answer);
        DnsFault fault(wrong.answer);
        fault.apply();
        CHECK(fault.seen() == Presence::idle);
        for (const int family : {4, 6}) {
            CHECK(status_from("t", address_of("p", family), 53) == wrong.status);
            CHECK(status_from("t", address_of("p", family), 7000) == 0);
            CHECK_FALSE(fabric().tcp("t", address_of("p", family), 53));
            CHECK(status_from("o", address_of("p", family), 53) == 0);
        }
        CHECK(status_from("k", address_of("p", 4), 53) == wrong.status);
        CHECK(status_at_home() == wrong.status);
        CHECK(fault.seen() == Presence::bites);
        CHECK(fault.said().find("falsified") != std::string::npos);
        CHECK(fault.undo() == 0);
        CHECK(fault.seen() == Presence::absent);
        CHECK(status_from("t", address_of("p", 4), 53) == 0);
    }
}

TEST_CASE("a resolver on the target itself is left alone where that was asked") {
    if (skipped()) { return; }
    for (const char* kind : {"none", "refused", "nxdomain"}) {
        CAPTURE(kind);
        DnsFault fault(kind);
        fault.request.params["local"] = false;
        fault.apply();
        CHECK(status_at_home() == 0);
        CHECK(status_from("t", address_of("p", 4), 53) != 0);
        CHECK(fault.undo() == 0);
    }
}

TEST_CASE("wrong answers end at their time with no process of ours") {
    if (skipped()) { return; }
    DnsFault fault("nxdomain");
    fault.request.ttl = std::chrono::seconds{1};
    fault.apply();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{5};
    int status = 3;
    while (status != 0 && std::chrono::steady_clock::now() < deadline) {
        status = status_from("t", address_of("p", 6), 53);
    }
    CHECK(status == 0);
    CHECK(status_of(fault.change.renew, fault.place) != 0);
    CHECK(fault.undo() == 0);
    CHECK(fault.seen() == Presence::absent);
}
