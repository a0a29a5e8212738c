// What only OpenSSH's client can do, and that it fails as the ssh carrier does: keys and hosts
// signed by an authority, ProxyCommand, its life. Read next: core/transport/openssh.hpp.
#include "transport/openssh.hpp"
#include "base/text.hpp"
#include "ssh_lab.hpp"
#include "transport/clock.hpp"
#include "transport/openssh_master.hpp"

#include <doctest/doctest.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <thread>

using namespace drill;
using namespace std::chrono_literals;

namespace {

std::string text_of(const Result<Reply>& reply) { return reply ? "" : reply.error().text(); }

bool says(const Error& error, std::string_view words) {
    INFO("message: " << error.text());
    CHECK(error.text().find(words) != std::string::npos);
    return true;
}

/// ~/.ssh/config of root, for as long as it lives.
struct UserConfig {
    explicit UserConfig(const std::string& text) { lab::spill("/root/.ssh/config", text); }
    ~UserConfig() { std::filesystem::remove("/root/.ssh/config"); }
    UserConfig(const UserConfig&) = delete;
    UserConfig& operator=(const UserConfig&) = delete;
};

pid_t server_pid(Carrier& carrier) {
    const auto reply = lab::perform(carrier, {"sh", "-c", "echo $PPID"});
    REQUIRE_MESSAGE(reply, text_of(reply));
    return std::atoi(reply->out.c_str());
}

/// What a carrier answers when known_hosts has this text.
Result<Reply> with_known(const std::string& text, const std::string& seen = {}) {
    Connection connection = lab::plain().connection();
    connection.known_hosts = lab::fresh_name("known");
    connection.host_key = seen;
    lab::spill(connection.known_hosts, text);
    return lab::perform(*make_openssh(connection), {"true"});
}

std::string line(const std::string& names, const HostKey& key) {
    return names + " " + key.type + " " + key.blob + "\n";
}

void refused(const Result<Reply>& reply, std::string_view words) {
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::host_key);
    CHECK(reply.error().effect == Effect::none);
    says(reply.error(), words);
    says(reply.error(), fingerprint(lab::plain().host_key()));
    says(reply.error(), "drill trust h127.0.1.1");
}

/// An authority that signs a key: `-h` for host keys. Returns the public half of the authority.
std::string sign(const std::string& public_key, const std::vector<std::string>& how) {
    const std::string authority = lab::fresh_name("authority");
    lab::run({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", authority});
    std::vector<std::string> argv{"ssh-keygen", "-q", "-s", authority, "-I", "test"};
    argv.insert(argv.end(), how.begin(), how.end());
    argv.push_back(public_key);
    lab::run(argv);
    return std::string(trim(lab::slurp(authority + ".pub")));
}

}  // namespace

TEST_CASE("by openssh's client the answer names the host key of the connection") {
    const auto reply = with_known(line("127.0.1.1", lab::plain().host_key()));
    REQUIRE_MESSAGE(reply, text_of(reply));
    CHECK(reply->host_key == fingerprint(lab::plain().host_key()));
    REQUIRE(reply->way.size() == 1);
    CHECK(reply->way[0].host == "h127.0.1.1");
    CHECK(reply->way[0].method == "publickey " + lab::key("ed25519"));
}

TEST_CASE("by openssh's client untrusted host keys stop as by ssh, with the same words") {
    const HostKey& key = lab::plain().host_key();
    refused(with_known(""), "is not known");
    refused(with_known(line("other", key)), "is not known");
    refused(with_known(line("127.0.1.1", lab::bastion().host_key())), "CHANGED");
    refused(with_known(line("127.0.1.1", key) + line("@revoked *", key)), "@revoked");
}

TEST_CASE("by openssh's client the key of a lease is as good as a missing known_hosts") {
    const std::string seen = fingerprint(lab::plain().host_key());
    const auto pinned = with_known("", seen);
    CHECK_MESSAGE(pinned, text_of(pinned));
    refused(with_known("", fingerprint(lab::bastion().host_key())), "is not known");
    refused(with_known(line("127.0.1.1", lab::bastion().host_key()), seen), "CHANGED");
    refused(with_known(line("@revoked *", lab::plain().host_key()), seen), "@revoked");
}

TEST_CASE("a host key that an authority signed is trusted by its @cert-authority line") {
    const std::string host_key = lab::fresh_name("hostkey");
    lab::run({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host_key});
    const std::string authority =
        sign(host_key + ".pub", {"-h", "-n", "127.0.4.1", "-V", "-1h:+1h"});
    lab::Server server(
        {.address = "127.0.4.1",
         .extra = "HostKey " + host_key + "\nHostCertificate " + host_key +
                  "-cert.pub\nHostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com\n"});
    Connection connection = server.connection();
    connection.known_hosts = lab::fresh_name("known");
    lab::spill(connection.known_hosts, "@cert-authority 127.0.4.* " + authority + "\n");
    const auto reply = lab::perform(*make_openssh(connection), {"true"});
    REQUIRE_MESSAGE(reply, text_of(reply));
    CHECK(reply->host_key.starts_with("SHA256:"));

    // Another authority, and the right one for other names only.
    for (const std::string& text :
         {"@cert-authority 127.0.4.* " + sign(lab::key("rsa") + ".pub", {"-n", "x"}),
          "@cert-authority 127.0.5.* " + authority}) {
        lab::spill(connection.known_hosts, text + "\n");
        const auto other = lab::perform(*make_openssh(connection), {"true"});
        REQUIRE(!other);
        INFO(other.error().text());
        CHECK(other.error().code == Code::host_key);
        CHECK(other.error().effect == Effect::none);
    }
}

TEST_CASE("a user certificate beside the key, or named in ssh_config, lets in") {
    const std::string key = lab::fresh_name("certified");
    lab::run({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key});
    const std::string authority = sign(key + ".pub", {"-n", "root", "-V", "-1h:+1h"});
    const std::string trusted = lab::fresh_name("trusted");
    lab::spill(trusted, authority + "\n");
    lab::Server server({.address = "127.0.4.2", .extra = "TrustedUserCAKeys " + trusted + "\n"});
    Connection connection = server.connection();
    connection.key_file = key;
    const auto beside = lab::perform(*make_openssh(connection), {"true"});
    CHECK_MESSAGE(beside, text_of(beside));

    const std::string moved = lab::fresh_name("moved");
    std::filesystem::rename(key + "-cert.pub", moved);
    const auto without = lab::perform(*make_openssh(connection), {"true"});
    REQUIRE(!without);
    CHECK(without.error().code == Code::auth_failed);
    const UserConfig config("Host 127.0.4.2\n  CertificateFile " + moved + "\n");
    const auto named = lab::perform(*make_openssh(connection), {"true"});
    CHECK_MESSAGE(named, text_of(named));
}

TEST_CASE("a host behind the ProxyCommand of ssh_config is reached, by its alias alone") {
    const UserConfig config(
        "Host behind\n  HostName 127.0.1.1\n  User root\n  ProxyCommand nc %h %p"
        "\n  IdentityFile " +
        lab::key("ed25519") + "\n  UserKnownHostsFile " + lab::plain().known_hosts() + "\n");
    const Connection connection{.host = "app-1",
                                .transport = "openssh",
                                .address = "behind",
                                .port = 0,
                                .user = "",
                                .known_hosts = ""};
    const auto reply = lab::perform(*make_openssh(connection), {"sh", "-c", "id -un"});
    REQUIRE_MESSAGE(reply, text_of(reply));
    CHECK(reply->out == "root\n");
    CHECK(reply->host_key == fingerprint(lab::plain().host_key()));
}

TEST_CASE("what the catalog says goes before ssh_config") {
    const UserConfig config(
        "Host *\n  User nobody\n  Port 9\n  IdentityFile /nonexistent\n"
        "  ControlMaster auto\n  ControlPath /tmp/never-%C\n"
        "  RemoteCommand false\n  RequestTTY force\n  LogLevel QUIET\n"
        "  ForwardAgent yes\n  LocalCommand touch /run/drl/local-command\n"
        "  PermitLocalCommand yes\n");
    const auto reply =
        lab::perform(*make_openssh(lab::plain().connection()), {"sh", "-c", "id -un; tty"});
    REQUIRE_MESSAGE(reply, text_of(reply));
    CHECK(reply->out == "root\nnot a tty\n");
    CHECK(lab::run({"sh", "-c", "ls /tmp/never-* /run/drl/local-command 2>/dev/null || true"})
              .empty());
}

TEST_CASE("an ssh_config that is wrong is told as that") {
    const UserConfig config("Hosst *\n");
    const auto reply = lab::perform(*make_openssh(lab::plain().connection()), {"true"});
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::invalid);
    says(reply.error(), "/root/.ssh/config");
}

TEST_CASE("by openssh's client a wrong key says who, what the server offers and what was tried") {
    Connection connection = lab::plain().connection();
    connection.key_file = lab::key("stranger");
    const auto reply = lab::perform(*make_openssh(connection), {"true"});
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::auth_failed);
    CHECK(reply.error().effect == Effect::none);
    says(reply.error(), "root@127.0.1.1 was not let in");
    says(reply.error(), "offers publickey");
    says(reply.error(), lab::key("stranger"));
    connection.key_file = "/nonexistent/key";
    says(lab::perform(*make_openssh(connection), {"true"}).error(), "No such file");
}

TEST_CASE("by openssh's client a host that refuses or has no name is unreachable") {
    Connection connection = lab::plain().connection();
    connection.port = 9;
    auto reply = lab::perform(*make_openssh(connection), {"true"});
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::unreachable);
    CHECK(reply.error().effect == Effect::none);
    says(reply.error(), "refused");
    connection.address = "no-such-host.invalid";
    reply = make_openssh(connection)->perform(Exec{.argv = {"true"}}, boot_now() + 5s, {});
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::unreachable);
    CHECK(reply.error().effect == Effect::none);
    connection.address = "-oProxyCommand=x";
    CHECK(lab::perform(*make_openssh(connection), {"true"}).error().code == Code::invalid);
}

TEST_CASE("by openssh's client a failure at a jump host names the jump host") {
    Connection target = lab::plain().connection();
    Connection jump = lab::bastion().connection();
    jump.host = "bastion";
    jump.key_file = lab::key("stranger");
    target.jumps = {jump};
    const auto reply = lab::perform(*make_openssh(target), {"true"});
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::auth_failed);
    CHECK(reply.error().effect == Effect::none);
    says(reply.error(), "jump host bastion");
}

TEST_CASE("openssh's client fetches a host key without judging it, through ProxyCommand too") {
    const UserConfig config("Host 127.0.1.1\n  ProxyCommand nc %h %p\n");
    Connection connection = lab::plain().connection();
    connection.known_hosts = lab::fresh_name("known");
    const auto seen = openssh_fetch_host_key(connection, boot_now() + 20s, {});
    REQUIRE(seen);
    CHECK(seen->key == lab::plain().host_key());
    REQUIRE(trust_add(connection.known_hosts, connection, seen->line));
    CHECK(lab::perform(*make_openssh(connection), {"true"}));
    // What ssh_config makes of the name is what the key is recorded under.
    const UserConfig alias("Host app\n  HostName 127.0.1.2\n  Port 2222\n");
    const auto other = openssh_fetch_host_key(
        Connection{.host = "app", .transport = "openssh", .address = "app", .port = 0, .user = ""},
        boot_now() + 20s, {});
    REQUIRE(other);
    CHECK(other->line.starts_with("[127.0.1.2]:2222 ssh-ed25519 "));
    connection.port = 9;
    const auto down = openssh_fetch_host_key(connection, boot_now() + 20s, {});
    REQUIRE(!down);
    CHECK(down.error().code == Code::unreachable);
}

TEST_CASE("a server that opens no sessions refuses openssh's client, without effect") {
    lab::Server server({.address = "127.0.4.3", .extra = "MaxSessions 0\n"});
    const auto reply = lab::perform(*make_openssh(server.connection()), {"true"});
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::refused);
    CHECK(reply.error().effect == Effect::none);
}

TEST_CASE("a master is kept between orders, and a fresh one really is another") {
    const auto carrier = make_openssh(lab::plain().connection());
    const pid_t first = server_pid(*carrier);
    CHECK(server_pid(*carrier) == first);
    carrier->disconnect();
    CHECK(server_pid(*carrier) != first);
}

TEST_CASE("a connection that openssh's client loses in mid-command is unknown and not repeated") {
    const auto carrier = make_openssh(lab::plain().connection());
    const std::string file = lab::fresh_name("lost");
    std::jthread killer([&] { ::kill(std::atoi(lab::await_text(file).c_str()), SIGKILL); });
    const auto reply = carrier->perform(
        Exec{.argv = {"sh", "-c", "echo $PPID >>" + file + "; sleep 15"}}, boot_now() + 20s, {});
    REQUIRE(!reply);
    CHECK(reply.error().effect == Effect::unknown);
    killer.join();
    REQUIRE(lab::perform(*carrier, {"true"}));
    const std::string lines = lab::slurp(file);
    CHECK(std::count(lines.begin(), lines.end(), '\n') == 1);
}

TEST_CASE("a kept master whose server died or fell silent is made anew") {
    const auto carrier = make_openssh(lab::plain().connection());
    const pid_t first = server_pid(*carrier);
    REQUIRE(::kill(first, SIGKILL) == 0);
    lab::await_gone(first);
    const pid_t second = server_pid(*carrier);
    CHECK(second != first);
    REQUIRE(::kill(second, SIGSTOP) == 0);
    const auto reply =
        carrier->perform(Exec{.argv = {"sh", "-c", "echo $PPID"}}, boot_now() + 6s, {});
    ::kill(second, SIGKILL);
    REQUIRE_MESSAGE(reply, text_of(reply));
    CHECK(std::atoi(reply->out.c_str()) != second);
}

TEST_CASE("when the controller is killed its master ends too") {
    // A child plays the controller: it logs in, tells its session's pid, and waits. Killed, it
    // leaves an empty directory behind, and nothing in it.
    const auto directories = [] {
        std::set<std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator("/tmp")) {
            const std::string name = entry.path().string();
            if (name.starts_with("/tmp/drill-") && name.size() == 17) { found.insert(name); }
        }
        return found;
    };
    const std::set<std::string> before = directories();
    const std::string file = lab::fresh_name("controller");
    [[maybe_unused]] const auto& server = lab::plain();
    const pid_t controller = ::fork();
    if (controller == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const auto carrier = make_openssh(lab::plain().connection());
        const auto reply = carrier->perform(Exec{.argv = {"sh", "-c", "echo $PPID >" + file}},
                                            boot_now() + 20s, {});
        ::pause();
        ::_exit(reply ? 0 : 1);
    }
    const pid_t session = std::atoi(lab::await_text(file).c_str());
    REQUIRE(session > 1);
    ::kill(controller, SIGKILL);
    ::waitpid(controller, nullptr, 0);
    lab::await_gone(session);
    for (const std::string& directory : directories()) {
        if (!before.contains(directory)) { CHECK(::rmdir(directory.c_str()) == 0); }
    }
}

TEST_CASE("an order of any size goes over the control socket") {
    const auto carrier = make_openssh(lab::plain().connection());
    const auto reply = lab::perform(*carrier, {"printf", "%s", std::string(120'000, 'x')});
    REQUIRE_MESSAGE(reply, text_of(reply));
    CHECK(reply->out.size() == 120'000);
}
