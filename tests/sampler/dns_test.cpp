// The dns probe against a real name server, and the reading of messages that no server would send.
#include "transport/sampler_dns.hpp"

#include "sampler/parts.hpp"

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include <array>

using namespace drill;
using namespace drill::test;
using namespace drill::sampling;
using namespace std::chrono_literals;

namespace {

Named& server() {
    static Named named;
    return named;
}

ProbeSpec with(ProbeSpec spec, const std::string& name, Value value) {
    spec.params.insert_or_assign(name, std::move(value));
    return spec;
}

using Texts = std::vector<std::string>;

DnsQuestion question(const std::string& name = "app.orders.lab", std::uint16_t type = 1) {
    DnsQuestion asked;
    asked.server = "127.0.0.1";
    asked.name = name;
    asked.type = type;
    return asked;
}

/// The answer that a server would give to this query: `records` stand as bytes.
std::string reply_to(std::string query, unsigned flags, unsigned count,
                     const std::string& records) {
    query[2] = static_cast<char>(flags >> 8U);
    query[3] = static_cast<char>(flags & 0xffU);
    query[7] = static_cast<char>(count);
    return query + records;
}

}  // namespace

TEST_CASE("dns: the right record of an authoritative server is ok") {
    ProbeSpec spec = with(server().probe("app.orders.lab"), "ok.value", std::string("192.0.2.7"));
    const Sample sample = ask_once(with(spec, "ok.authoritative", true));
    CHECK(sample.detail.empty());
    CHECK(sample.state == SampleState::ok);
}

TEST_CASE("dns: records of every type are read as people write them") {
    const auto values = [](const char* name, const char* type, const Texts& all) {
        return ask_once(with(server().probe(name, type), "ok.values", all)).detail;
    };
    CHECK(values("app.orders.lab", "AAAA", {"2001:DB8:0::7"}).empty());
    CHECK(values("WWW.orders.lab.", "CNAME", {"app.Orders.lab."}).empty());
    CHECK(values("orders.lab", "MX", {"10 mail.orders.lab"}).empty());
    CHECK(values("orders.lab", "NS", {"ns.orders.lab"}).empty());
    CHECK(values("note.orders.lab", "TXT", {"v=1 Two parts"}).empty());
    CHECK(values("_sql._tcp.orders.lab", "SRV", {"1 2 5432 app.orders.lab"}).empty());
    CHECK(
        values("orders.lab", "SOA", {"ns.orders.lab hostmaster.orders.lab 7 60 60 60 60"}).empty());
}

TEST_CASE("dns: another record is failed and shown") {
    const Sample sample =
        ask_once(with(server().probe("app.orders.lab"), "ok.value", std::string("192.0.2.8")));
    CHECK(sample.state == SampleState::failed);
    CHECK(sample.detail == "192.0.2.7");
}

TEST_CASE("dns: a name that is not there is failed, unless that is right") {
    CHECK(ask_once(server().probe("gone.orders.lab")).detail == "NXDOMAIN");
    CHECK(ask_once(with(server().probe("gone.orders.lab"), "ok.rcode", std::string("NXDOMAIN")))
              .state == SampleState::ok);
}

TEST_CASE("dns: a name without such a record is failed, unless none is right") {
    CHECK(ask_once(server().probe("note.orders.lab")).detail == "no record");
    CHECK(ask_once(with(server().probe("note.orders.lab"), "ok.values", Texts{})).state ==
          SampleState::ok);
}

TEST_CASE("dns: a server that does not know the zone says so") {
    CHECK(ask_once(server().probe("example.org")).detail == "REFUSED");
}

TEST_CASE("dns: a truncated answer is asked for again by TCP") {
    Texts all;
    for (int i = 1; i <= 80; ++i) { all.push_back("198.51.100." + std::to_string(i)); }
    const Sample sample = ask_once(with(server().probe("many.orders.lab"), "ok.values", all));
    CHECK(sample.detail.empty());
    CHECK(sample.state == SampleState::ok);
}

TEST_CASE("dns: TCP at once where that is told") {
    ProbeSpec spec = with(server().probe("app.orders.lab"), "transport", std::string("tcp"));
    CHECK(ask_once(with(spec, "ok.value", std::string("192.0.2.7"))).state == SampleState::ok);
}

TEST_CASE("dns: a port where nobody listens is failed at once") {
    for (const char* transport : {"udp", "tcp"}) {
        ProbeSpec spec = with(server().probe("app.orders.lab"), "port", std::int64_t{free_port()});
        const Sample sample = ask_once(with(spec, "transport", std::string(transport)));
        CHECK(sample.state == SampleState::failed);
        CHECK(sample.detail == "connection refused");
    }
}

TEST_CASE("dns: silence is failed at the time-out") {
    const Fd silent{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    REQUIRE(::bind(silent.get(), reinterpret_cast<const sockaddr*>(&where), size) == 0);
    REQUIRE(::getsockname(silent.get(), reinterpret_cast<sockaddr*>(&where), &size) == 0);
    ProbeSpec spec =
        with(server().probe("app.orders.lab"), "port", std::int64_t{ntohs(where.sin_port)});
    spec.timeout = 100ms;
    const Sample sample = ask_once(spec);
    CHECK(sample.detail == "no answer in time");
    CHECK(sample.received - sample.sent == 100ms);
}

TEST_CASE("dns: an answer to another question or number is passed over") {
    const std::string query = dns_query(question(), 7);
    const std::string record("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7", 16);
    const auto right = read_dns_reply(reply_to(query, 0x8400, 1, record), question(), 7);
    REQUIRE(right);
    CHECK(right->answer.values == Texts{"192.0.2.7"});
    CHECK(right->answer.authoritative);
    CHECK_FALSE(read_dns_reply(reply_to(query, 0x8400, 1, record), question(), 8));
    CHECK_FALSE(read_dns_reply(reply_to(query, 0x8400, 1, record), question("www.orders.lab"), 7));
    CHECK_FALSE(
        read_dns_reply(reply_to(query, 0x8400, 1, record), question("app.orders.lab", 28), 7));
    CHECK_FALSE(read_dns_reply(query, question(), 7));  // our own question, sent back
}

TEST_CASE("dns: a message that ends early is a problem, wherever it ends") {
    const std::string query = dns_query(question(), 7);
    const std::string record("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7", 16);
    const std::string whole = reply_to(query, 0x8400, 1, record);
    for (std::size_t size = query.size(); size < whole.size(); ++size) {
        const auto cut = read_dns_reply(whole.substr(0, size), question(), 7);
        REQUIRE(cut);
        CHECK(cut->answer.problem == "the answer cannot be read");
    }
    for (std::size_t size = 0; size < query.size(); ++size) {
        CHECK_FALSE(read_dns_reply(whole.substr(0, size), question(), 7));
    }
}

TEST_CASE("dns: names that point at themselves end") {
    const std::string query = dns_query(question(), 7);
    const std::string loop("\xc0\x1f\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7", 16);
    std::string turning = loop;
    turning[1] = static_cast<char>(query.size());
    const auto read = read_dns_reply(reply_to(query, 0x8400, 1, turning), question(), 7);
    REQUIRE(read);
    CHECK(read->answer.problem == "the answer cannot be read");
}
