// The contract of every carrier: local, ssh to OpenSSH, ssh to dropbear, ssh through two jump
// hosts. Each case runs on all of them. Read next: core/transport/transport.hpp (Carrier).
#include "base/digest.hpp"
#include "base/random.hpp"
#include "ssh_lab.hpp"
#include "transport/clock.hpp"
#include "transport/local.hpp"
#include "transport/openssh.hpp"
#include "transport/ssh.hpp"

#include <doctest/doctest.h>

#include <signal.h>

#include <filesystem>
#include <functional>
#include <thread>

using namespace drill;
using namespace std::chrono_literals;

namespace {

struct Way {
    std::string name;
    std::function<std::unique_ptr<Carrier>()> make;
};

std::unique_ptr<Carrier> through_jumps() {
    Connection first = lab::bastion().connection();
    Connection second = lab::inner().connection();
    Connection target = lab::plain().connection();
    target.jumps = {first, second};
    return make_ssh(target);
}

std::unique_ptr<Carrier> openssh_through_jumps() {
    Connection target = lab::plain().connection();
    target.jumps = {lab::bastion().connection(), lab::inner().connection()};
    return make_openssh(target);
}

const std::vector<Way>& ways() {
    static const std::vector<Way> all{
        {"local", [] { return make_local(Connection{.host = "here", .transport = "local"}); }},
        {"sshd", [] { return make_ssh(lab::plain().connection()); }},
        {"dropbear", [] { return make_ssh(lab::dropbear().connection()); }},
        {"two jumps", through_jumps},
        {"openssh's client", [] { return make_openssh(lab::plain().connection()); }},
        {"openssh's client to dropbear", [] { return make_openssh(lab::dropbear().connection()); }},
        {"openssh's client by two jumps", openssh_through_jumps},
    };
    return all;
}

void on_all(const std::function<void(Carrier&)>& body) {
    for (const Way& way : ways()) {
        INFO("carrier: " << way.name);
        const auto carrier = way.make();
        body(*carrier);
    }
}

/// The message of a failure, for INFO.
std::string text_of(const Result<Reply>& reply) { return reply ? "" : reply.error().text(); }

}  // namespace

TEST_CASE("arguments with blanks, quotes, newlines and all bytes arrive unchanged") {
    on_all([](Carrier& carrier) {
        std::vector<std::string> argv{"printf", "%s\\0"};
        std::string all;
        for (int c = 1; c < 256; ++c) { all += static_cast<char>(c); }
        for (const std::string& word :
             {std::string("a b"), std::string("it's"), std::string("\"\\\\\" $HOME `id` $(id)"),
              std::string("line\nline\n"), std::string(), std::string("-n"), std::string("!x"),
              std::string("\\0101\\n"), std::string("*?[a]~"), all}) {
            argv.push_back(word);
        }
        std::string expected;
        for (std::size_t i = 2; i < argv.size(); ++i) { expected += argv[i] + '\0'; }
        const auto reply = lab::perform(carrier, argv);
        REQUIRE_MESSAGE(reply, text_of(reply));
        CHECK(reply->status == 0);
        CHECK((reply->out == expected));
    });
}

TEST_CASE("output and errors come apart, with the status of the program") {
    on_all([](Carrier& carrier) {
        const auto reply = lab::perform(carrier, {"sh", "-c", "echo out; echo err >&2; exit 7"});
        REQUIRE_MESSAGE(reply, text_of(reply));
        CHECK(reply->status == 7);
        CHECK(reply->out == "out\n");
        CHECK(reply->err == "err\n");
        CHECK_FALSE(reply->truncated);
    });
}

TEST_CASE("a flood of output is capped, the rest is drained and the status still known") {
    on_all([](Carrier& carrier) {
        const auto reply = lab::perform(
            carrier,
            {"sh", "-c", "head -c 5000000 /dev/zero; head -c 2000000 /dev/zero >&2; exit 3"});
        REQUIRE_MESSAGE(reply, text_of(reply));
        CHECK(reply->status == 3);
        CHECK(reply->out.size() == capture_limit);
        CHECK(reply->err.size() == capture_limit);
        CHECK(reply->truncated);
    });
}

TEST_CASE("output of exactly the cap is not truncated") {
    on_all([](Carrier& carrier) {
        const auto reply = lab::perform(carrier, {"head", "-c", "1048576", "/dev/zero"});
        REQUIRE_MESSAGE(reply, text_of(reply));
        CHECK(reply->out.size() == capture_limit);
        CHECK_FALSE(reply->truncated);
    });
}

TEST_CASE("five megabytes of input arrive whole") {
    Random random(7);
    std::string input;
    while (input.size() < 5U << 20U) { input += static_cast<char>(random.below(256)); }
    on_all([&](Carrier& carrier) {
        const auto reply = lab::perform(carrier, {"sha256sum"}, input);
        REQUIRE_MESSAGE(reply, text_of(reply));
        CHECK(reply->out.substr(0, 64) == sha256_hex(input));
    });
}

TEST_CASE("input that is echoed while it is being sent does not lock up") {
    const std::string input(3U << 20U, 'x');
    on_all([&](Carrier& carrier) {
        const auto reply = lab::perform(carrier, {"cat"}, input);
        REQUIRE_MESSAGE(reply, text_of(reply));
        CHECK(reply->status == 0);
        CHECK(reply->out.size() == capture_limit);
    });
}

TEST_CASE("a program that does not read its input ends as it likes") {
    const std::string input(3U << 20U, 'x');
    on_all([&](Carrier& carrier) {
        const auto reply = lab::perform(carrier, {"sh", "-c", "exit 4"}, input);
        REQUIRE_MESSAGE(reply, text_of(reply));
        CHECK(reply->status == 4);
    });
}

TEST_CASE("without input a program sees the end of file") {
    on_all([](Carrier& carrier) {
        const auto reply = lab::perform(carrier, {"wc", "-c"});
        REQUIRE_MESSAGE(reply, text_of(reply));
        CHECK(reply->out == "0\n");
    });
}

TEST_CASE("a program that is not there answers 127") {
    on_all([](Carrier& carrier) {
        const auto reply = lab::perform(carrier, {"no-such-program"});
        REQUIRE_MESSAGE(reply, text_of(reply));
        CHECK(reply->status == 127);
    });
}

TEST_CASE("at the deadline the effect is unknown, and the next order works") {
    on_all([](Carrier& carrier) {
        REQUIRE(lab::perform(carrier, {"true"}));
        const Nanos before = boot_now();
        const auto reply = carrier.perform(Exec{.argv = {"sleep", "15"}}, before + 300ms, {});
        CHECK(boot_now() - before < 10s);
        REQUIRE(!reply);
        CHECK(reply.error().code == Code::timed_out);
        CHECK(reply.error().effect == Effect::unknown);
        const auto next = lab::perform(carrier, {"echo", "next"});
        REQUIRE_MESSAGE(next, text_of(next));
        CHECK(next->out == "next\n");
    });
}

TEST_CASE("a deadline also ends a flood that never pauses") {
    on_all([](Carrier& carrier) {
        REQUIRE(lab::perform(carrier, {"true"}));  // logged in: the deadline is for the rest
        const auto reply =
            carrier.perform(Exec{.argv = {"sh", "-c", "exec yes"}}, boot_now() + 500ms, {});
        REQUIRE(!reply);
        CHECK(reply.error().code == Code::timed_out);
        CHECK(reply.error().effect == Effect::unknown);
    });
}

TEST_CASE("a deadline that has passed sends nothing") {
    on_all([](Carrier& carrier) {
        const std::string file = lab::fresh_name("trace");
        const auto reply = carrier.perform(Exec{.argv = {"touch", file}}, boot_now() - 1ms, {});
        REQUIRE(!reply);
        CHECK(reply.error().effect == Effect::none);
        CHECK(lab::run({"sh", "-c", "ls " + file + " 2>/dev/null || true"}).empty());
    });
}

TEST_CASE("a stop ends a command at once, with an unknown effect") {
    on_all([](Carrier& carrier) {
        REQUIRE(lab::perform(carrier, {"true"}));
        std::stop_source stop;
        const std::string file = lab::fresh_name("begun");
        std::jthread stopper([&] {
            [[maybe_unused]] const std::string begun = lab::await_text(file);
            stop.request_stop();
        });
        const auto reply =
            carrier.perform(Exec{.argv = {"sh", "-c", "echo 1 >" + file + "; sleep 15"}},
                            boot_now() + 60s, stop.get_token());
        REQUIRE(!reply);
        CHECK(reply.error().code == Code::cancelled);
        CHECK(reply.error().effect == Effect::unknown);
    });
}

TEST_CASE("a stop that came before sends nothing") {
    on_all([](Carrier& carrier) {
        std::stop_source stop;
        stop.request_stop();
        const auto reply =
            carrier.perform(Exec{.argv = {"true"}}, boot_now() + 20s, stop.get_token());
        REQUIRE(!reply);
        CHECK(reply.error().code == Code::cancelled);
        CHECK(reply.error().effect == Effect::none);
    });
}

TEST_CASE("a program that a signal ended is an unknown effect that names the signal") {
    on_all([](Carrier& carrier) {
        const auto reply = lab::perform(carrier, {"sh", "-c", "kill -KILL $$"});
        REQUIRE(!reply);
        CHECK(reply.error().effect == Effect::unknown);
        CHECK(reply.error().message.starts_with("sh was ended by signal "));
    });
}

TEST_CASE("the signal that ended a program is named, but where OpenSSH's client keeps it") {
    for (std::size_t i = 0; i < 4; ++i) {
        const auto reply = lab::perform(*ways()[i].make(), {"sh", "-c", "kill -KILL $$"});
        REQUIRE(!reply);
        CHECK(reply.error().message == "sh was ended by signal KILL");
    }
}

TEST_CASE("a program that answers 255 is no lost connection") {
    on_all([](Carrier& carrier) {
        const auto reply = lab::perform(carrier, {"sh", "-c", "exit 255"});
        REQUIRE_MESSAGE(reply, text_of(reply));
        CHECK(reply->status == 255);
    });
}

TEST_CASE("signals that we ignore or block are not inherited by programs") {
    // SIGPIPE ignored is what most programs of this kind do.
    const auto before = ::signal(SIGPIPE, SIG_IGN);
    sigset_t blocked;
    sigset_t old;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &blocked, &old);
    on_all([](Carrier& carrier) {
        const auto reply =
            lab::perform(carrier, {"grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"});
        REQUIRE_MESSAGE(reply, text_of(reply));
        CHECK(reply->out == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    });
    ::pthread_sigmask(SIG_SETMASK, &old, nullptr);
    ::signal(SIGPIPE, before);
}

TEST_CASE("programs on the controller inherit no descriptor but the three") {
    const auto local = ways()[0].make();
    const auto reply = lab::perform(*local, {"ls", "/proc/self/fd"});
    REQUIRE_MESSAGE(reply, text_of(reply));
    CHECK(reply->out == "0\n1\n2\n3\n");  // 3 is the directory that ls reads
}

TEST_CASE("carriers give back every descriptor, whatever the end was") {
    const auto open_now = [] {
        const auto entries = std::filesystem::directory_iterator("/proc/self/fd");
        return std::distance(entries, std::filesystem::directory_iterator{});
    };
    for (const Way& way : ways()) { REQUIRE(lab::perform(*way.make(), {"true"})); }
    const auto before = open_now();
    for (int i = 0; i < 3; ++i) {
        on_all([](Carrier& carrier) {
            CHECK(lab::perform(carrier, {"sh", "-c", "exit 1"}, "input"));
            CHECK(!lab::perform(carrier, {"sh", "-c", "kill -9 $$"}));
            CHECK(!carrier.perform(Exec{.argv = {"sleep", "9"}}, boot_now() + 100ms, {}));
        });
        Connection stranger = lab::plain().connection();
        stranger.key_file = lab::key("stranger");
        CHECK(!lab::perform(*make_ssh(stranger), {"true"}));
        Connection untrusted = lab::plain().connection();
        untrusted.known_hosts.clear();
        CHECK(!lab::perform(*make_ssh(untrusted), {"true"}));
        CHECK(fetch_host_key(untrusted, boot_now() + 20s, {}));
    }
    CHECK(open_now() == before);
}

TEST_CASE("what stays in the background with our output does not hold up the answer") {
    on_all([](Carrier& carrier) {
        const auto reply = lab::perform(carrier, {"sh", "-c", "sleep 15 & echo $!; exit 5"});
        REQUIRE_MESSAGE(reply, text_of(reply));
        CHECK(reply->status == 5);
        const pid_t stayed = std::atoi(reply->out.c_str());
        REQUIRE(stayed > 1);
        CHECK(::kill(stayed, SIGKILL) == 0);  // it lives: an answered order ends nothing
        const auto next = lab::perform(carrier, {"echo", "next"});
        REQUIRE_MESSAGE(next, text_of(next));
        CHECK(next->out == "next\n");
    });
}

TEST_CASE("commands are carried out once each and in order") {
    on_all([](Carrier& carrier) {
        const std::string file = lab::fresh_name("order");
        std::string expected;
        for (int i = 0; i < 20; ++i) {
            const std::string number = std::to_string(i);
            REQUIRE(
                lab::perform(carrier, {"sh", "-c", "echo \"$1\" >>\"$2\"", "sh", number, file}));
            expected += number + "\n";
        }
        CHECK(lab::slurp(file) == expected);
    });
}

TEST_CASE("an order without a program or with a NUL byte is refused and sends nothing") {
    on_all([](Carrier& carrier) {
        CHECK(lab::perform(carrier, {}).error().code == Code::invalid);
        const auto reply = lab::perform(carrier, {"echo", std::string("a\0b", 3)});
        CHECK(reply.error().code == Code::invalid);
        CHECK(reply.error().effect == Effect::none);
    });
}

TEST_CASE("an envelope makes the round trip with the answers of its commands") {
    on_all([](Carrier& carrier) {
        const Envelope envelope{
            .phase = Phase::ask,
            .nonce = "n0nce",
            .commands = {Exec{.argv = {"printf", "%s", "it's\n"}},
                         Exec{.argv = {"sh", "-c", "cat; exit 9"}, .input = "in\nput"}}};
        const auto reply = carrier.perform(envelope, boot_now() + 20s, {});
        REQUIRE_MESSAGE(reply, text_of(reply));
        CHECK(reply->status == EnvelopeStatus::done);
        REQUIRE(reply->parts.size() == 2);
        CHECK(reply->parts[0].out == "it's\n");
        CHECK(reply->parts[1].status == 9);
        CHECK(reply->parts[1].out == "in\nput");
        CHECK(reply->boot_id == controller_boot_id());
    });
}

TEST_CASE("an envelope at its deadline is an unknown effect") {
    on_all([](Carrier& carrier) {
        REQUIRE(lab::perform(carrier, {"true"}));  // logged in: the deadline is for the rest
        const Envelope envelope{
            .phase = Phase::ask, .nonce = "n", .commands = {Exec{.argv = {"sleep", "15"}}}};
        const auto reply = carrier.perform(envelope, boot_now() + 700ms, {});
        REQUIRE(!reply);
        CHECK(reply.error().effect == Effect::unknown);
    });
}
