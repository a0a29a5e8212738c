// The conversation with sudo, and who may try a password. Read next: transport/entry.hpp.
#include "transport/entry.hpp"
#include "transport/clock.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace drill;
using namespace std::chrono_literals;

namespace {

struct Scratch {
    Scratch() { std::filesystem::create_directories(path); }
    ~Scratch() { std::filesystem::remove_all(path); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    [[nodiscard]] std::string file(const std::string& text, unsigned int mode = 0600) const {
        const std::string name = path + "/secret";
        std::ofstream(name) << text;
        ::chmod(name.c_str(), mode);
        return name;
    }
    std::string path = std::filesystem::temp_directory_path() / ("drl" + std::to_string(getpid()));
};

Connection asked_on(const std::string& host, const std::string& file) {
    return {.host = host,
            .user = "kim",
            .become = "sudo",
            .become_password = {.file = file, .credential = {}, .command = {}}};
}

Command conversation(const std::string& input) {
    return {.argv = {"x"}, .input = input, .line = {}, .asks = "ASKS:", .begins = "BEGINS"};
}

Result<Secret> read_now(const SecretSource& source, const std::string& directory = {}) {
    Wait wait(boot_now() + 10s, {});
    return read_secret(source, directory, wait);
}

Result<Passwords::Turn> enter_now(Passwords& passwords, const Connection& to, Nanos within = 10s) {
    Wait wait(boot_now() + within, {});
    return passwords.enter(to, wait);
}

/// Everything that can be written now.
std::string taken(Entry& entry) {
    std::string all;
    while (!entry.to_send().empty()) {
        const std::string_view part = entry.to_send().substr(0, 3);
        all += part;
        entry.sent(part.size());
    }
    return all;
}

}  // namespace

TEST_CASE("without a password the input goes at once, and then its end") {
    const Command command{.argv = {"x"}, .input = "script"};
    Entry entry(command, {});
    CHECK(taken(entry) == "script");
    CHECK(entry.at_end());
}

TEST_CASE("the password goes when sudo asks, the input when the program begins") {
    const Scratch scratch;
    Passwords passwords;
    auto turn = enter_now(passwords, asked_on("a", scratch.file("se cret\n")));
    REQUIRE(turn);
    const Command command = conversation("script");
    Entry entry(command, std::move(*turn));
    CHECK(taken(entry).empty());
    CHECK_FALSE(entry.at_end());
    std::string err = "We trust you\nASK";
    entry.heard(err);
    CHECK(taken(entry).empty());
    err += "S:";
    entry.heard(err);
    CHECK(taken(entry) == "se cret\n");
    CHECK_FALSE(entry.at_end());
    err += "\nBEGINS\nits own words\n";
    entry.heard(err);
    CHECK(err == "its own words\n");
    CHECK(entry.state() == Entered::inside);
    CHECK(taken(entry) == "script");
    CHECK(entry.at_end());
}

TEST_CASE("a sudo that does not ask never gets the password, nor does the program") {
    const Scratch scratch;
    Passwords passwords;
    auto turn = enter_now(passwords, asked_on("a", scratch.file("se cret\n")));
    REQUIRE(turn);
    const Command command = conversation("script");
    Entry entry(command, std::move(*turn));
    std::string err = "BEGINS\n";
    entry.heard(err);
    CHECK(taken(entry) == "script");
}

TEST_CASE("a second question is a wrong password, which is not given again") {
    const Scratch scratch;
    Passwords passwords;
    const Connection to = asked_on("a", scratch.file("wrong\n"));
    auto turn = enter_now(passwords, to);
    REQUIRE(turn);
    const Command command = conversation("script");
    Entry entry(command, std::move(*turn));
    std::string err = "ASKS:";
    entry.heard(err);
    CHECK(taken(entry) == "wrong\n");
    err += "\nSorry, try again.\nASKS:";
    entry.heard(err);
    CHECK(entry.state() == Entered::rejected);
    CHECK(taken(entry).empty());
    CHECK(entry.at_end());
    for (const char* host : {"a", "b"}) {
        const auto again = enter_now(passwords, asked_on(host, to.become_password.file));
        REQUIRE(!again);
        CHECK(again.error().code == Code::auth_failed);
        CHECK(again.error().effect == Effect::none);
        CHECK(again.error().text().find("wrong") == std::string::npos);
    }
}

TEST_CASE("the first try goes alone, and once it was good nobody waits") {
    const Scratch scratch;
    Passwords passwords;
    const std::string file = scratch.file("right\n");
    auto first = enter_now(passwords, asked_on("a", file));
    REQUIRE(first);
    const auto second = enter_now(passwords, asked_on("b", file), 50ms);
    REQUIRE(!second);
    CHECK(second.error().code == Code::timed_out);
    CHECK(second.error().effect == Effect::none);
    first->accepted();
    CHECK(enter_now(passwords, asked_on("b", file)));
    CHECK(enter_now(passwords, asked_on("c", file)));
}

TEST_CASE("a first try that tells nothing lets the next one try") {
    const Scratch scratch;
    Passwords passwords;
    const std::string file = scratch.file("right\n");
    { REQUIRE(enter_now(passwords, asked_on("a", file))); }
    CHECK(enter_now(passwords, asked_on("b", file)));
}

TEST_CASE("where a password was good it stays usable after it was rejected elsewhere") {
    const Scratch scratch;
    Passwords passwords;
    const std::string file = scratch.file("right\n");
    enter_now(passwords, asked_on("a", file))->accepted();
    enter_now(passwords, asked_on("b", file))->rejected();
    CHECK(enter_now(passwords, asked_on("a", file)));
    CHECK_FALSE(enter_now(passwords, asked_on("b", file)));
    CHECK_FALSE(enter_now(passwords, asked_on("c", file)));
}

TEST_CASE("a secret that others can read or that is none is refused and never shown") {
    const Scratch scratch;
    const struct {
        std::string text;
        unsigned int mode;
        const char* says;
    } bad[] = {{"hush\n", 0640, "chmod 600"},
               {"hush\n", 0604, "chmod 600"},
               {"", 0600, "gave nothing"},
               {"\n", 0600, "gave nothing"},
               {"hush\nhush\n", 0600, "more than one line"},
               {std::string(5000, 'h'), 0600, "more than 4096"}};
    for (const auto& one : bad) {
        const auto secret = read_now({.file = scratch.file(one.text, one.mode)});
        REQUIRE(!secret);
        CHECK(secret.error().code == Code::refused);
        CHECK(secret.error().message.find(one.says) != std::string::npos);
        CHECK(secret.error().message.find("hush") == std::string::npos);
    }
    CHECK_FALSE(read_now({.file = scratch.path}));
    CHECK_FALSE(read_now({.file = scratch.path + "/absent"}));
    CHECK_FALSE(read_now({}));
}

TEST_CASE("a credential lies in the directory that systemd names") {
    const Scratch scratch;
    static_cast<void>(scratch.file("from systemd\n", 0440));
    const auto secret = read_now({.file = {}, .credential = "secret", .command = {}}, scratch.path);
    REQUIRE(secret);
    CHECK(secret->reveal() == "from systemd");
    const auto without = read_now({.file = {}, .credential = "secret", .command = {}});
    REQUIRE(!without);
    CHECK(without.error().message.find("CREDENTIALS_DIRECTORY") != std::string::npos);
}

TEST_CASE("a command prints the secret, and what it says when it fails is not shown") {
    const auto secret = read_now({.file = {}, .credential = {}, .command = {"echo", "from pass"}});
    REQUIRE(secret);
    CHECK(secret->reveal() == "from pass");
    const auto bad =
        read_now({.file = {}, .credential = {}, .command = {"sh", "-c", "echo hush >&2; exit 3"}});
    REQUIRE(!bad);
    CHECK(bad.error().message.find("status 3") != std::string::npos);
    CHECK(bad.error().message.find("hush >&2; exit") == std::string::npos);
}

TEST_CASE("a secret prints as three stars") {
    std::ostringstream out;
    out << Secret(std::string_view("hush"));
    CHECK(out.str() == "***");
}
