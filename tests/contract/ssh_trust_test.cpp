// Host keys over real connections. The file format has its own tests beside known_hosts.hpp.
#include "base/text.hpp"
#include "ssh_lab.hpp"
#include "transport/clock.hpp"
#include "transport/ssh.hpp"

#include <doctest/doctest.h>

using namespace drill;
using namespace std::chrono_literals;

namespace {

constexpr const char* name = "127.0.1.1";

std::string line(const std::string& names, const HostKey& key) {
    return names + " " + key.type + " " + key.blob + "\n";
}

/// What a carrier answers when known_hosts has this text.
Result<Reply> with_known(const std::string& text, const std::string& seen = {}) {
    Connection connection = lab::plain().connection();
    connection.known_hosts = lab::fresh_name("known");
    connection.host_key = seen;
    lab::spill(connection.known_hosts, text);
    return lab::perform(*make_ssh(connection), {"true"});
}

void refused(const Result<Reply>& reply, std::string_view words) {
    REQUIRE(!reply);
    INFO("message: " << reply.error().text());
    CHECK(reply.error().code == Code::host_key);
    CHECK(reply.error().effect == Effect::none);
    CHECK(reply.error().message.find(words) != std::string::npos);
    CHECK(reply.error().message.find(fingerprint(lab::plain().host_key())) != std::string::npos);
    CHECK(reply.error().message.find("drill trust h127.0.1.1") != std::string::npos);
}

}  // namespace

TEST_CASE("the answer names the host key of the connection that carried it") {
    const auto reply = with_known(line(name, lab::plain().host_key()));
    REQUIRE(reply);
    CHECK(reply->host_key == fingerprint(lab::plain().host_key()));
}

TEST_CASE("an unknown host key stops before the login") {
    refused(with_known(""), "is not known");
    refused(with_known(line("other", lab::plain().host_key())), "is not known");
}

TEST_CASE("a changed host key stops before the login") {
    refused(with_known(line(name, lab::bastion().host_key())), "CHANGED");
}

TEST_CASE("a revoked host key stops although it is recorded too") {
    refused(with_known(line(name, lab::plain().host_key()) +
                       line("@revoked *", lab::plain().host_key())),
            "@revoked");
}

TEST_CASE("a host that only an authority vouches for is told apart and stops") {
    refused(with_known(line("@cert-authority *", lab::bastion().host_key())), "@cert-authority");
}

TEST_CASE("the key that a lease was made with is as good as a missing known_hosts") {
    const std::string seen = fingerprint(lab::plain().host_key());
    CHECK(with_known("", seen));
    refused(with_known("", fingerprint(lab::bastion().host_key())), "is not known");
    refused(with_known(line(name, lab::bastion().host_key()), seen), "CHANGED");
    refused(with_known(line("@revoked *", lab::plain().host_key()), seen), "@revoked");
}

TEST_CASE("a host known by its RSA key alone is asked for that one") {
    lab::Server server(
        {.address = "127.0.3.1", .extra = "HostKey " + lab::key("ed25519") + "\n", .type = "rsa"});
    const auto reply = lab::perform(*make_ssh(server.connection()), {"true"});
    REQUIRE(reply);
    CHECK(reply->host_key == fingerprint(server.host_key()));
}

TEST_CASE("the fetched key is the server's, its line can be trusted, and then it connects") {
    Connection connection = lab::bastion().connection();
    connection.known_hosts = lab::fresh_name("known");
    const auto seen = fetch_host_key(connection, boot_now() + 20s, {});
    REQUIRE(seen);
    CHECK(seen->key == lab::bastion().host_key());
    CHECK(seen->fingerprint == fingerprint(lab::bastion().host_key()));
    CHECK(seen->line.starts_with("[127.0.1.2]:2222 ssh-ed25519 "));
    REQUIRE(trust_add(connection.known_hosts, connection, seen->line));
    CHECK(lab::perform(*make_ssh(connection), {"true"}));
}

TEST_CASE("a host key is fetched through a jump host too") {
    Connection connection = lab::plain().connection();
    connection.jumps = {lab::bastion().connection()};
    connection.known_hosts = "/dev/null";
    const auto seen = fetch_host_key(connection, boot_now() + 20s, {});
    REQUIRE(seen);
    CHECK(seen->key == lab::plain().host_key());
}

TEST_CASE("a host key cannot be fetched from a host that is down") {
    Connection connection = lab::plain().connection();
    connection.port = 9;
    const auto seen = fetch_host_key(connection, boot_now() + 5s, {});
    REQUIRE(!seen);
    CHECK(seen.error().code == Code::unreachable);
}

TEST_CASE("an unknown key of a jump host stops there") {
    Connection connection = lab::plain().connection();
    connection.jumps = {lab::bastion().connection()};
    connection.jumps[0].known_hosts = "/dev/null";
    const auto reply = lab::perform(*make_ssh(connection), {"true"});
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::host_key);
    CHECK(reply.error().text().find("jump host h127.0.1.2") != std::string::npos);
}
