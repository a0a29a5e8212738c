// The tls probe against OpenSSL's own server, with certificates of a small authority.
#include "sampler/parts.hpp"

#include <doctest/doctest.h>

using namespace drill;
using namespace drill::test;
using namespace std::chrono_literals;

namespace {

Authority& authority() {
    static Authority made;
    static const bool issued = [] {
        made.issue("good", "DNS:orders.lab,IP:127.0.0.1");
        made.issue("wild", "DNS:*.orders.lab");
        made.issue("soon", "DNS:orders.lab", 3);
        made.issue("old", "DNS:orders.lab", -10);
        return true;
    }();
    static_cast<void>(issued);
    return made;
}

/// OpenSSL's server with one of the certificates.
class TlsServer {
public:
    explicit TlsServer(const std::string& name, const std::vector<std::string>& more = {})
        : port_(free_port()), child_([&] {
              std::vector<std::string> argv{"openssl",
                                            "s_server",
                                            "-quiet",
                                            "-accept",
                                            "127.0.0.1:" + std::to_string(port_),
                                            "-cert",
                                            authority().file(name + ".crt"),
                                            "-key",
                                            authority().file(name + ".key")};
              argv.insert(argv.end(), more.begin(), more.end());
              return Child::run(argv);
          }()) {
        ProbeSpec spec = probe();
        spec.kind = "tcp";
        spec.params = {{"host", std::string("127.0.0.1")}, {"port", std::int64_t{port_}}};
        Asking asking({spec});
        static_cast<void>(asking.await(SampleState::ok));
    }

    [[nodiscard]] ProbeSpec probe() const {
        ProbeSpec spec;
        spec.name = "handshake";
        spec.kind = "tls";
        spec.every = 100ms;
        spec.timeout = 5s;
        spec.params = {{"host", std::string("127.0.0.1")},
                       {"port", std::int64_t{port_}},
                       {"server_name", std::string("orders.lab")},
                       {"ca", authority().file("ca.crt")}};
        return spec;
    }
    [[nodiscard]] int pid() const { return child_.pid(); }

private:
    std::uint16_t port_;
    Child child_;
};

ProbeSpec with(ProbeSpec spec, const std::string& name, Value value) {
    spec.params.insert_or_assign(name, std::move(value));
    return spec;
}

}  // namespace

TEST_CASE("tls: a certificate of the right name and authority is ok") {
    const TlsServer server("good");
    const Sample sample = ask_once(server.probe());
    CHECK(sample.detail.empty());
    CHECK(sample.state == SampleState::ok);
}

TEST_CASE("tls: an address is looked for among the addresses of the certificate") {
    const TlsServer server("good");
    CHECK(ask_once(with(server.probe(), "server_name", std::string("127.0.0.1"))).state ==
          SampleState::ok);
    CHECK(ask_once(with(server.probe(), "server_name", std::string("127.0.0.2"))).detail ==
          "certificate: IP address mismatch");
}

TEST_CASE("tls: another name is failed") {
    const TlsServer server("good");
    const Sample sample = ask_once(with(server.probe(), "server_name", std::string("other.lab")));
    CHECK(sample.state == SampleState::failed);
    CHECK(sample.detail == "certificate: hostname mismatch");
}

TEST_CASE("tls: a wildcard stands for one label") {
    const TlsServer server("wild");
    CHECK(ask_once(with(server.probe(), "server_name", std::string("a.orders.lab"))).state ==
          SampleState::ok);
    CHECK(ask_once(with(server.probe(), "server_name", std::string("a.b.orders.lab"))).state ==
          SampleState::failed);
}

TEST_CASE("tls: an expired certificate is failed") {
    const TlsServer server("old");
    const Sample sample = ask_once(server.probe());
    CHECK(sample.state == SampleState::failed);
    CHECK(sample.detail == "certificate: certificate has expired");
}

TEST_CASE("tls: one that expires sooner than is wanted is failed") {
    const TlsServer server("soon");
    CHECK(ask_once(with(server.probe(), "ok.days", std::int64_t{2})).state == SampleState::ok);
    CHECK(ask_once(with(server.probe(), "ok.days", std::int64_t{14})).detail ==
          "expires in 2 days");
}

TEST_CASE("tls: a certificate of nobody we know is failed") {
    const TlsServer server("ca");
    ProbeSpec spec = server.probe();
    spec.params.erase("ca");
    const Sample sample = ask_once(spec);
    CHECK(sample.state == SampleState::failed);
    CHECK(sample.detail == "certificate: self-signed certificate");
}

TEST_CASE("tls: authorities that cannot be read are unknown") {
    const TlsServer server("good");
    const Sample sample = ask_once(with(server.probe(), "ca", std::string("/nonexistent/ca")));
    CHECK(sample.state == SampleState::unknown);
}

TEST_CASE("tls: the protocol that the server chooses must be the wanted one") {
    const TlsServer server("good", {"-alpn", "http/1.1"});
    const ProbeSpec spec = with(server.probe(), "alpn", std::vector<std::string>{"h2", "http/1.1"});
    CHECK(ask_once(with(spec, "ok.alpn", std::string("http/1.1"))).state == SampleState::ok);
    CHECK(ask_once(with(spec, "ok.alpn", std::string("h2"))).detail == "the protocol is http/1.1");
}

TEST_CASE("tls: a server that speaks something else is failed") {
    Server http;
    const TlsServer server("good");
    const Sample sample = ask_once(with(server.probe(), "port", std::int64_t{http.port()}));
    CHECK(sample.state == SampleState::failed);
}

TEST_CASE("tls: nobody there, and somebody who is silent") {
    const TlsServer server("good");
    CHECK(ask_once(with(server.probe(), "port", std::int64_t{free_port()})).detail ==
          "connection refused");
    std::uint16_t port = 0;
    const Fd silent = listen_on(0, port);
    ProbeSpec spec = with(server.probe(), "port", std::int64_t{port});
    spec.timeout = 150ms;
    CHECK(ask_once(spec).detail == "no answer in time");
}
