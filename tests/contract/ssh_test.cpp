// What only the ssh carrier can do: lose connections, log in, go through jump hosts, become root.
// Read next: core/transport/ssh.hpp.
#include "transport/ssh.hpp"
#include "ssh_lab.hpp"
#include "transport/clock.hpp"
#include "transport/lanes.hpp"
#include "transport/mailbox.hpp"
#include "transport/wait.hpp"

#include <doctest/doctest.h>

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <thread>

using namespace drill;
using namespace std::chrono_literals;

namespace {

std::string text_of(const Result<Reply>& reply) { return reply ? "" : reply.error().text(); }

/// The process that serves the connection: the parent of our program.
pid_t server_pid(Carrier& carrier) {
    const auto reply = lab::perform(carrier, {"sh", "-c", "echo $PPID"});
    REQUIRE_MESSAGE(reply, text_of(reply));
    return std::atoi(reply->out.c_str());
}

bool says(const Error& error, std::string_view words) {
    INFO("message: " << error.text());
    CHECK(error.text().find(words) != std::string::npos);
    return true;
}

/// A TCP listener that never says a word.
Fd silent_listener(std::uint16_t port) {
    Fd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(fd.get(), 16) == 0);
    return fd;
}

/// nft drops everything to this port, for as long as it lives.
struct Partition {
    explicit Partition(const std::string& rule) {
        lab::run({"nft",
                  "add table inet cut; add chain inet cut in { type filter hook input"
                  " priority 0; }; add rule inet cut in " +
                      rule + " drop"});
    }
    ~Partition() { lab::run({"nft", "delete table inet cut"}); }
    Partition(const Partition&) = delete;
    Partition& operator=(const Partition&) = delete;
};

}  // namespace

TEST_CASE("a session is kept between orders, and a fresh one really is another") {
    const auto carrier = make_ssh(lab::plain().connection());
    const pid_t first = server_pid(*carrier);
    CHECK(server_pid(*carrier) == first);
    carrier->disconnect();
    CHECK(server_pid(*carrier) != first);
}

TEST_CASE("a connection lost in mid-command is an unknown effect and is not repeated") {
    const auto carrier = make_ssh(lab::plain().connection());
    const std::string file = lab::fresh_name("lost");
    std::jthread killer([&] { ::kill(std::atoi(lab::await_text(file).c_str()), SIGKILL); });
    const auto reply = carrier->perform(
        Exec{.argv = {"sh", "-c", "echo $PPID >>" + file + "; sleep 15"}}, boot_now() + 20s, {});
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::unreachable);
    CHECK(reply.error().effect == Effect::unknown);
    killer.join();
    REQUIRE(lab::perform(*carrier, {"true"}));
    const std::string lines = lab::slurp(file);
    CHECK(std::count(lines.begin(), lines.end(), '\n') == 1);
}

TEST_CASE("a kept session that died before the request is made anew") {
    const auto carrier = make_ssh(lab::plain().connection());
    const pid_t first = server_pid(*carrier);
    REQUIRE(::kill(first, SIGKILL) == 0);
    lab::await_gone(first);
    CHECK(server_pid(*carrier) != first);
}

TEST_CASE("a kept session that became silent before the request is made anew") {
    const auto carrier = make_ssh(lab::plain().connection());
    const pid_t first = server_pid(*carrier);
    REQUIRE(::kill(first, SIGSTOP) == 0);
    const auto reply =
        carrier->perform(Exec{.argv = {"sh", "-c", "echo $PPID"}}, boot_now() + 4s, {});
    ::kill(first, SIGKILL);
    REQUIRE_MESSAGE(reply, text_of(reply));
    CHECK(std::atoi(reply->out.c_str()) != first);
}

TEST_CASE("a silent partition in mid-command is an unknown effect at the deadline") {
    lab::Server server({.address = "127.0.2.1", .port = 2301});
    const auto carrier = make_ssh(server.connection());
    REQUIRE(lab::perform(*carrier, {"true"}));
    const std::string file = lab::fresh_name("cut");
    std::unique_ptr<Partition> cut;
    std::jthread cutter([&] {
        [[maybe_unused]] const std::string begun = lab::await_text(file);
        cut = std::make_unique<Partition>("tcp sport 2301");
    });
    const auto reply =
        carrier->perform(Exec{.argv = {"sh", "-c", "echo 1 >" + file + "; sleep 1; echo done"}},
                         boot_now() + 2s, {});
    cutter.join();
    REQUIRE(!reply);
    CHECK(reply.error().effect == Effect::unknown);
}

TEST_CASE("a large input into a partition still ends at the deadline") {
    lab::Server server({.address = "127.0.2.2", .port = 2302});
    const auto carrier = make_ssh(server.connection());
    REQUIRE(lab::perform(*carrier, {"true"}));
    const std::string file = lab::fresh_name("cut");
    std::unique_ptr<Partition> cut;
    std::jthread cutter([&] {
        [[maybe_unused]] const std::string begun = lab::await_text(file);
        cut = std::make_unique<Partition>("tcp dport 2302");
    });
    const Nanos before = boot_now();
    const auto reply =
        carrier->perform(Exec{.argv = {"sh", "-c", "echo 1 >" + file + "; sleep 1; cat >/dev/null"},
                              .input = std::string(20U << 20U, 'x')},
                         before + 2s, {});
    CHECK(boot_now() - before < 10s);
    cutter.join();
    REQUIRE(!reply);
    CHECK(reply.error().effect == Effect::unknown);
}

TEST_CASE("a host that refuses or drops connections is unreachable, without effect") {
    Connection refused = lab::plain().connection();
    refused.port = 9;
    const auto first = lab::perform(*make_ssh(refused), {"true"});
    REQUIRE(!first);
    CHECK(first.error().code == Code::unreachable);
    CHECK(first.error().effect == Effect::none);
    says(first.error(), "refused");

    const Partition cut("ip daddr 127.0.2.3");
    Connection hole = lab::plain().connection();
    hole.address = "127.0.2.3";
    const auto second = make_ssh(hole)->perform(Exec{.argv = {"true"}}, boot_now() + 1s, {});
    REQUIRE(!second);
    CHECK(second.error().code == Code::unreachable);
    CHECK(second.error().effect == Effect::none);
}

TEST_CASE("a stop ends a connect at once, without effect") {
    const Partition cut("ip daddr 127.0.2.4");
    Connection hole = lab::plain().connection();
    hole.address = "127.0.2.4";
    std::stop_source stop;
    std::jthread stopper([&] { stop.request_stop(); });
    const auto reply =
        make_ssh(hole)->perform(Exec{.argv = {"true"}}, boot_now() + 1h, stop.get_token());
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::cancelled);
    CHECK(reply.error().effect == Effect::none);
}

TEST_CASE("a server that accepts and says nothing is unreachable at the deadline") {
    const Fd listener = silent_listener(2303);
    Connection silent = lab::plain().connection();
    silent.address = "127.0.0.1";
    silent.port = 2303;
    const auto reply = make_ssh(silent)->perform(Exec{.argv = {"true"}}, boot_now() + 1s, {});
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::unreachable);
    CHECK(reply.error().effect == Effect::none);
}

TEST_CASE("a name that does not resolve is unreachable, without effect") {
    Connection unknown = lab::plain().connection();
    unknown.address = "no-such-host.invalid";
    const auto reply = make_ssh(unknown)->perform(Exec{.argv = {"true"}}, boot_now() + 3s, {});
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::unreachable);
    CHECK(reply.error().effect == Effect::none);
    unknown.address = "-oProxyCommand=x";
    CHECK(lab::perform(*make_ssh(unknown), {"true"}).error().code == Code::invalid);
}

TEST_CASE("RSA and ECDSA keys log in") {
    for (const char* name : {"rsa", "ecdsa"}) {
        INFO(name);
        Connection connection = lab::plain().connection();
        connection.key_file = lab::key(name);
        const auto reply = lab::perform(*make_ssh(connection), {"true"});
        CHECK_MESSAGE(reply, text_of(reply));
    }
    Connection connection = lab::dropbear().connection();
    connection.key_file = lab::key("rsa");
    CHECK(lab::perform(*make_ssh(connection), {"true"}));
}

TEST_CASE("a wrong key says who, what the server offers and what was tried") {
    Connection connection = lab::plain().connection();
    connection.key_file = lab::key("stranger");
    const auto reply = lab::perform(*make_ssh(connection), {"true"});
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::auth_failed);
    CHECK(reply.error().effect == Effect::none);
    says(reply.error(), "root@127.0.1.1 was not let in");
    says(reply.error(), "offers publickey");
    says(reply.error(), lab::key("stranger"));
}

TEST_CASE("a key file that is missing, readable by others or no key says so") {
    Connection connection = lab::plain().connection();
    connection.key_file = "/nonexistent/key";
    says(lab::perform(*make_ssh(connection), {"true"}).error(), "No such file");
    connection.key_file = lab::fresh_name("open");
    lab::run({"cp", lab::key("ed25519"), connection.key_file});
    lab::run({"chmod", "644", connection.key_file});
    says(lab::perform(*make_ssh(connection), {"true"}).error(), "chmod 600");
    lab::spill(connection.key_file, "garbage");
    lab::run({"chmod", "600", connection.key_file});
    const auto reply = lab::perform(*make_ssh(connection), {"true"});
    CHECK(reply.error().code == Code::auth_failed);
    says(reply.error(), "not a private key");
}

TEST_CASE("an encrypted key points to the agent, and the agent serves it without forwarding") {
    Connection connection = lab::plain().connection();
    connection.key_file = lab::key("encrypted");
    const auto without = lab::perform(*make_ssh(connection), {"true"});
    REQUIRE(!without);
    CHECK(without.error().code == Code::auth_failed);
    says(without.error(), "encrypted");
    says(without.error(), "ssh-add");

    const std::string socket = lab::fresh_name("agent");
    const std::string started = lab::run({"ssh-agent", "-s", "-a", socket});
    const pid_t agent = std::atoi(started.c_str() + started.find("SSH_AGENT_PID=") + 14);
    const std::string ask = lab::fresh_name("askpass");
    lab::spill(ask, "#!/bin/sh\necho secret\n");
    lab::run({"chmod", "700", ask});
    lab::run({"env", "SSH_AUTH_SOCK=" + socket, "SSH_ASKPASS=" + ask, "SSH_ASKPASS_REQUIRE=force",
              "ssh-add", "-q", lab::key("encrypted")});
    const auto with = lab::perform(*make_ssh(connection, {.agent_socket = socket}),
                                   {"sh", "-c", "echo \"[$SSH_AUTH_SOCK]\""});
    connection.key_file.clear();
    const auto only = lab::perform(*make_ssh(connection, {.agent_socket = socket}), {"true"});
    ::kill(agent, SIGKILL);
    REQUIRE_MESSAGE(with, text_of(with));
    CHECK(with->out == "[]\n");
    CHECK_MESSAGE(only, text_of(only));
}

TEST_CASE("an agent that never answers cannot hold us beyond the deadline") {
    const std::string path = lab::fresh_name("deaf");
    const Fd listener{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener.get(), 4) == 0);
    Connection connection = lab::plain().connection();
    connection.key_file.clear();
    const auto reply = make_ssh(connection, {.agent_socket = path})
                           ->perform(Exec{.argv = {"true"}}, boot_now() + 1s, {});
    REQUIRE(!reply);
    CHECK(reply.error().effect == Effect::none);
}

TEST_CASE("sudo -n serves a user who may, and says how to allow one who may not") {
    Connection connection = lab::plain().connection("admin");
    connection.become = "sudo";
    const auto may = lab::perform(*make_ssh(connection), {"id", "-u"});
    REQUIRE_MESSAGE(may, text_of(may));
    CHECK(may->out == "0\n");

    connection.user = "plain";
    const auto may_not = lab::perform(*make_ssh(connection), {"touch", lab::directory + "/no"});
    REQUIRE(!may_not);
    CHECK(may_not.error().code == Code::refused);
    CHECK(may_not.error().effect == Effect::none);
    says(may_not.error(), "sudo -n is not allowed for plain on");
}

TEST_CASE("an envelope runs as root by sudo, and a refused sudo is no unknown effect") {
    Connection connection = lab::plain().connection("admin");
    connection.become = "sudo";
    const Envelope envelope{
        .phase = Phase::ask, .nonce = "n1", .commands = {Exec{.argv = {"sh", "-c", "id -u"}}}};
    const auto may = make_ssh(connection)->perform(envelope, boot_now() + 20s, {});
    REQUIRE_MESSAGE(may, text_of(may));
    REQUIRE(may->parts.size() == 1);
    CHECK(may->parts[0].out == "0\n");
    connection.user = "plain";
    const auto may_not = make_ssh(connection)->perform(envelope, boot_now() + 20s, {});
    REQUIRE(!may_not);
    CHECK(may_not.error().code == Code::refused);
    CHECK(may_not.error().effect == Effect::none);
}

TEST_CASE("one session at a time is enough, also when a program stays behind in the last one") {
    lab::Server server({.address = "127.0.2.5", .extra = "MaxSessions 1\n"});
    const auto carrier = make_ssh(server.connection());
    for (int i = 0; i < 3; ++i) {
        const auto reply = lab::perform(*carrier, {"echo", "x"});
        REQUIRE_MESSAGE(reply, text_of(reply));
    }
    const auto stays = lab::perform(*carrier, {"sh", "-c", "sleep 15 & echo $!"});
    REQUIRE_MESSAGE(stays, text_of(stays));
    const auto next = lab::perform(*carrier, {"echo", "next"});
    ::kill(std::atoi(stays->out.c_str()), SIGKILL);
    REQUIRE_MESSAGE(next, text_of(next));
    CHECK(next->out == "next\n");
}

TEST_CASE("a server that opens no sessions at all refuses, without effect") {
    lab::Server server({.address = "127.0.2.6", .extra = "MaxSessions 0\n"});
    const auto reply = lab::perform(*make_ssh(server.connection()), {"true"});
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::refused);
    CHECK(reply.error().effect == Effect::none);
}

TEST_CASE("a failure at a jump host names the jump host") {
    Connection target = lab::plain().connection();
    Connection jump = lab::bastion().connection();
    jump.host = "bastion";
    jump.key_file = lab::key("stranger");
    target.jumps = {jump};
    const auto login = lab::perform(*make_ssh(target), {"true"});
    REQUIRE(!login);
    CHECK(login.error().code == Code::auth_failed);
    says(login.error(), "jump host bastion");

    target.jumps[0].key_file = lab::key("ed25519");
    target.port = 9;
    const auto beyond = lab::perform(*make_ssh(target), {"true"});
    REQUIRE(!beyond);
    CHECK(beyond.error().code == Code::unreachable);
    CHECK(beyond.error().effect == Effect::none);
    says(beyond.error(), "jump host bastion");
}

TEST_CASE("a jump host that dies and comes back serves the next order") {
    auto server =
        std::make_unique<lab::Server>(lab::ServerOptions{.address = "127.0.2.7", .extra = ""});
    Connection target = lab::plain().connection();
    target.jumps = {server->connection()};
    const auto carrier = make_ssh(target);
    REQUIRE(lab::perform(*carrier, {"true"}));
    server.reset();
    const auto down = carrier->perform(Exec{.argv = {"true"}}, boot_now() + 2s, {});
    REQUIRE(!down);
    CHECK(down.error().effect == Effect::none);
    server = std::make_unique<lab::Server>(lab::ServerOptions{.address = "127.0.2.7"});
    // The new server has a new key; its known_hosts replaces the old file's content.
    lab::run({"cp", server->known_hosts(), target.jumps[0].known_hosts});
    const auto up = lab::perform(*carrier, {"true"});
    CHECK_MESSAGE(up, text_of(up));
}

TEST_CASE("forty hosts behind one jump host share its one session, within MaxStartups") {
    lab::Server jump({.address = "127.0.2.8", .extra = "LogLevel VERBOSE\n"});
    const auto pool = std::make_shared<JumpPool>();
    SystemClock clock;
    ThreadMailbox mailbox;
    std::size_t answered = 0;
    std::size_t good = 0;
    {
        Lanes lanes(clock, mailbox, {.threads = 40, .carrier = [&](const Connection& to) {
                                         return make_ssh(to, {.jumps = pool});
                                     }});
        for (std::uint64_t i = 0; i < 40; ++i) {
            Connection target = lab::inner().connection();
            target.host = "app-" + std::to_string(i);
            target.jumps = {jump.connection()};
            lanes.submit(Order{.id = i,
                               .to = target,
                               .action = Exec{.argv = {"echo", "x"}},
                               .deadline = boot_now() + 30s});
        }
        while (answered < 40) {
            for (const News& news : mailbox.take({})) {
                const auto& reply = std::get<Answered>(news).reply;
                INFO(text_of(reply));
                CHECK(reply);
                good += reply ? 1U : 0U;
                ++answered;
            }
        }
    }
    CHECK(good == 40);
    const std::string log = jump.log();
    std::size_t logins = 0;
    for (std::size_t at = 0; (at = log.find("Accepted publickey", at)) != std::string::npos; ++at) {
        ++logins;
    }
    CHECK(logins == 1);
}

TEST_CASE("sixty logins at once to one sshd stay within MaxStartups") {
    const auto pool = std::make_shared<JumpPool>();
    SystemClock clock;
    ThreadMailbox mailbox;
    // Every eleventh half-open login would be dropped.
    lab::Server server({.address = "127.0.2.9", .extra = "MaxStartups 10:100:10\n"});
    Lanes lanes(clock, mailbox, {.threads = 64, .carrier = [&](const Connection& to) {
                                     return make_ssh(to, {.jumps = pool});
                                 }});
    for (std::uint64_t i = 0; i < 60; ++i) {
        Connection target = server.connection();
        target.host = "app-" + std::to_string(i);
        lanes.submit(Order{
            .id = i, .to = target, .action = Exec{.argv = {"true"}}, .deadline = boot_now() + 30s});
    }
    for (std::size_t answered = 0; answered < 60;) {
        for (const News& news : mailbox.take({})) {
            const auto& reply = std::get<Answered>(news).reply;
            INFO(text_of(reply));
            CHECK(reply);
            ++answered;
        }
    }
}

TEST_CASE("leaving while a chain of jump hosts is still being built ends at once") {
    const Fd listener = silent_listener(2304);
    Connection second = lab::inner().connection();
    second.address = "127.0.0.1";
    second.port = 2304;  // reached through the first, and then silent
    Connection target = lab::plain().connection();
    target.jumps = {lab::bastion().connection(), second};
    const Nanos before = boot_now();
    const auto reply = make_ssh(target)->perform(Exec{.argv = {"true"}}, before + 500ms, {});
    CHECK(boot_now() - before < 10s);  // the login of the jump host alone may take 30 s
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::unreachable);
    CHECK(reply.error().effect == Effect::none);
}
