// Becoming root by sudo with a password and by doas, with the real programs, over each way to a
// host. Read next: core/transport/entry.hpp.
#include "ssh_lab.hpp"
#include "transport/clock.hpp"
#include "transport/lanes.hpp"
#include "transport/mailbox.hpp"
#include "transport/openssh.hpp"
#include "transport/ssh.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <functional>

using namespace drill;
using namespace std::chrono_literals;

namespace {

using Make = std::function<std::unique_ptr<Carrier>(const Connection&, std::shared_ptr<Passwords>)>;
struct Way {
    std::string name;
    Make make;
};

const std::vector<Way>& ways() {
    static const std::vector<Way> all{
        {"ssh",
         [](const Connection& to, std::shared_ptr<Passwords> passwords) {
             return make_ssh(to, {.passwords = std::move(passwords)});
         }},
        {"openssh", [](const Connection& to, std::shared_ptr<Passwords> passwords) {
             return make_openssh(to, {.ssh = {.passwords = std::move(passwords)}});
         }}};
    return all;
}

std::string secret_file(const std::string& password) {
    const std::string file = lab::fresh_name("secret");
    lab::spill(file, password + "\n");
    ::chmod(file.c_str(), 0600);
    return file;
}

Connection asked(const std::string& password) {
    Connection connection = lab::plain().connection("asked");
    connection.become = "sudo";
    connection.become_password.file = secret_file(password);
    return connection;
}

void on_all(const Connection& to, const std::function<void(Carrier&)>& body) {
    for (const Way& way : ways()) {
        INFO("way: " << way.name);
        const auto carrier = way.make(to, std::make_shared<Passwords>());
        body(*carrier);
    }
}

std::string text_of(const Result<Reply>& reply) { return reply ? "" : reply.error().text(); }

const Envelope who{
    .phase = Phase::ask,
    .nonce = "n0nce",
    .commands = {Exec{.argv = {"id", "-u"}}, Exec{.argv = {"cat"}, .input = "in\nput"}}};

/// Tries with a wrong password that sudo has recorded.
std::size_t wrong_tries() {
    const std::string log = lab::slurp(lab::sudo_log);
    std::size_t count = 0;
    for (std::size_t at = 0; (at = log.find("incorrect password", at)) != std::string::npos; ++at) {
        ++count;
    }
    return count;
}

}  // namespace

TEST_CASE("sudo with a password gives root, the program its input and its own words only") {
    on_all(asked(lab::sudo_password), [](Carrier& carrier) {
        for (int i = 0; i < 2; ++i) {
            const auto reply =
                lab::perform(carrier, {"sh", "-c", "id -u; cat; echo mine >&2; exit 4"}, "in\nput");
            REQUIRE_MESSAGE(reply, text_of(reply));
            CHECK(reply->out == "0\nin\nput");
            CHECK(reply->err == "mine\n");
            CHECK(reply->status == 4);
        }
    });
}

TEST_CASE("an envelope runs as root by sudo with a password") {
    on_all(asked(lab::sudo_password), [](Carrier& carrier) {
        const auto reply = carrier.perform(who, boot_now() + 20s, {});
        REQUIRE_MESSAGE(reply, text_of(reply));
        REQUIRE(reply->parts.size() == 2);
        CHECK(reply->parts[0].out == "0\n");
        CHECK(reply->parts[1].out == "in\nput");
    });
}

TEST_CASE("the password stands in no argument and no environment on the target") {
    on_all(asked(lab::sudo_password), [](Carrier& carrier) {
        // All of this user's and of root's processes below the session, sudo included.
        const auto reply = lab::perform(
            carrier, {"sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' ' '"});
        REQUIRE_MESSAGE(reply, text_of(reply));
        CHECK(reply->out.find("sudo -S -k -p") != std::string::npos);
        CHECK(reply->out.find(lab::sudo_password) == std::string::npos);
        CHECK(reply->err.find(lab::sudo_password) == std::string::npos);
    });
}

TEST_CASE("a user whom sudo does not ask is let in, and the program never sees the password") {
    Connection connection = asked("never given");
    connection.user = "admin";
    on_all(connection, [](Carrier& carrier) {
        const auto reply = lab::perform(carrier, {"sh", "-c", "id -u; cat"}, "input");
        REQUIRE_MESSAGE(reply, text_of(reply));
        CHECK(reply->out == "0\ninput");
    });
}

TEST_CASE("a wrong password is one try, without effect, and stops every other host") {
    for (const Way& way : ways()) {
        INFO("way: " << way.name);
        const std::size_t before = wrong_tries();
        const auto passwords = std::make_shared<Passwords>();
        const std::string trace = lab::fresh_name("trace");
        const Connection to = asked("wr0ng");
        SystemClock clock;
        ThreadMailbox mailbox;
        Lanes lanes(clock, mailbox, {.threads = 8, .carrier = [&](const Connection& one) {
                                         return way.make(one, passwords);
                                     }});
        constexpr std::uint64_t hosts = 8;
        for (std::uint64_t i = 0; i < hosts; ++i) {
            Connection one = to;
            one.host = "app-" + std::to_string(i);
            lanes.submit(Order{.id = i,
                               .to = one,
                               .action = Exec{.argv = {"touch", trace}},
                               .deadline = boot_now() + 30s});
        }
        for (std::uint64_t answered = 0; answered < hosts;) {
            for (const News& news : mailbox.take({})) {
                const auto& reply = std::get<Answered>(news).reply;
                ++answered;
                REQUIRE(!reply);
                INFO(reply.error().text());
                CHECK(reply.error().code == Code::auth_failed);
                CHECK(reply.error().effect == Effect::none);
                CHECK(reply.error().text().find("wr0ng") == std::string::npos);
            }
        }
        CHECK(wrong_tries() == before + 1);
        // sudo would have taken three of this one call.
        for (const char* more : {" 2 incorrect", " 3 incorrect"}) {
            CHECK(lab::slurp(lab::sudo_log).find(more) == std::string::npos);
        }
        CHECK(lab::run({"sh", "-c", "ls " + trace + " 2>/dev/null || true"}).empty());
    }
}

TEST_CASE("a right password of a user who may not use sudo is a refusal, not a rejection") {
    Connection connection = asked("any");
    connection.user = "plain";
    on_all(connection, [](Carrier& carrier) {
        const auto reply = carrier.perform(who, boot_now() + 20s, {});
        REQUIRE(!reply);
        INFO(reply.error().text());
        CHECK(reply.error().effect == Effect::none);
    });
}

TEST_CASE("a password file that others can read is refused before anything is sent") {
    const Connection connection = asked(lab::sudo_password);
    ::chmod(connection.become_password.file.c_str(), 0644);
    on_all(connection, [](Carrier& carrier) {
        const auto reply = lab::perform(carrier, {"true"});
        REQUIRE(!reply);
        CHECK(reply.error().code == Code::refused);
        CHECK(reply.error().effect == Effect::none);
        CHECK(reply.error().message.find("chmod 600") != std::string::npos);
    });
}

TEST_CASE("doas -n gives root to a user who may, and says how to allow one who may not") {
    Connection connection = lab::plain().connection("admin");
    connection.become = "doas";
    on_all(connection, [](Carrier& carrier) {
        const auto reply = lab::perform(carrier, {"sh", "-c", "id -u; cat"}, "input");
        REQUIRE_MESSAGE(reply, text_of(reply));
        CHECK(reply->out == "0\ninput");
        const auto envelope = carrier.perform(who, boot_now() + 20s, {});
        REQUIRE_MESSAGE(envelope, text_of(envelope));
        CHECK(envelope->parts.at(0).out == "0\n");
    });
    for (const char* user : {"asked", "plain"}) {
        connection.user = user;
        on_all(connection, [](Carrier& carrier) {
            const auto reply = carrier.perform(who, boot_now() + 20s, {});
            REQUIRE(!reply);
            CHECK(reply.error().code == Code::refused);
            CHECK(reply.error().effect == Effect::none);
            CHECK(reply.error().message.find("doas -n is not allowed") != std::string::npos);
        });
    }
}
