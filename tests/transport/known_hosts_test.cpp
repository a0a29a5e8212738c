// Reading, judging and writing known_hosts. Hashed names and fingerprints are checked against
// ssh-keygen. Read next: transport/known_hosts.hpp.
#include "transport/known_hosts.hpp"

#include "base/text.hpp"
#include "transport/clock.hpp"
#include "transport/local.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace drill;
using namespace std::chrono_literals;

namespace {

// Any base64 will do as a key for the judge: it compares bytes.
const HostKey key_a{.type = "ssh-ed25519", .blob = "AAAAC3NzaC1lZDI1NTE5AAAAIAAA"};
const HostKey key_b{.type = "ssh-ed25519", .blob = "AAAAC3NzaC1lZDI1NTE5AAAAIBBB"};
const HostKey key_rsa{.type = "ssh-rsa", .blob = "AAAAB3NzaC1yc2EAAAADAQABAAAB"};

std::string line(const std::string& names, const HostKey& key) {
    return names + " " + key.type + " " + key.blob + "\n";
}
Trust judge(const std::string& text, const std::string& name, const HostKey& key) {
    return judge_key(parse_known_hosts(text), name, key).trust;
}

/// A directory that goes with the test.
struct Scratch {
    std::filesystem::path path;
    Scratch() {
        std::string name = (std::filesystem::temp_directory_path() / "drl-known-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Scratch() { std::filesystem::remove_all(path); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    [[nodiscard]] std::string file(const std::string& name) const { return (path / name).string(); }
};

std::string slurp(const std::string& file) {
    std::ifstream in(file);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}
void spill(const std::string& file, const std::string& text) { std::ofstream(file) << text; }

Reply run(const std::vector<std::string>& argv) {
    const auto local = make_local(Connection{.host = "here", .transport = "local"});
    auto reply = local->perform(Exec{.argv = argv}, boot_now() + 20s, {});
    REQUIRE(reply);
    return *reply;
}

Connection app(std::uint16_t port = 22) {
    return {.host = "app-1", .address = "app-1.lab", .port = port, .known_hosts = "/etc/kh"};
}

}  // namespace

TEST_CASE("a recorded key is trusted under its name and no other") {
    const std::string text = line("app-1", key_a);
    CHECK(judge(text, "app-1", key_a) == Trust::trusted);
    CHECK(judge(text, "app-2", key_a) == Trust::unknown);
    CHECK(judge(text, "[app-1]:2222", key_a) == Trust::unknown);
    CHECK(judge("", "app-1", key_a) == Trust::unknown);
}

TEST_CASE("another key of the same type has changed, one of another type is unknown") {
    CHECK(judge(line("app-1", key_b), "app-1", key_a) == Trust::changed);
    CHECK(judge(line("app-1", key_rsa), "app-1", key_a) == Trust::unknown);
    CHECK(judge(line("app-1", key_b) + line("app-1", key_a), "app-1", key_a) == Trust::trusted);
}

TEST_CASE("a revoked key is revoked even where it is recorded too") {
    const std::string text = line("app-1", key_a) + line("@revoked *", key_a);
    CHECK(judge(text, "app-1", key_a) == Trust::revoked);
    CHECK(judge(line("@revoked app-1", key_a), "app-1", key_b) == Trust::unknown);
    CHECK(judge(line("@revoked app-2", key_a) + line("app-1", key_a), "app-1", key_a) ==
          Trust::trusted);
}

TEST_CASE("a host with nothing but an authority is told apart from an unknown one") {
    const std::string text = line("@cert-authority *.lab", key_rsa);
    CHECK(judge(text, "app-1.lab", key_a) == Trust::authority_only);
    CHECK(judge(text, "app-1.lab", key_rsa) == Trust::authority_only);
    CHECK(judge(text + line("app-1.lab", key_a), "app-1.lab", key_a) == Trust::trusted);
}

TEST_CASE("names are patterns: lists, stars, question marks, negation, any case") {
    CHECK(covers("a,b,c", "b"));
    CHECK(covers("*.lab", "app-1.lab"));
    CHECK(covers("app-?", "app-1"));
    CHECK_FALSE(covers("app-?", "app-10"));
    CHECK_FALSE(covers("*.lab,!app-1.lab", "app-1.lab"));
    CHECK_FALSE(covers("!app-1.lab,*.lab", "app-1.lab"));
    CHECK_FALSE(covers("!app-2.lab", "app-1.lab"));
    CHECK(covers("APP-1", known_name("App-1", 22)));
    CHECK(covers("[app-1]:2222", known_name("app-1", 2222)));
    CHECK(covers("*a*a*a*b", "aaaaaaaab"));
    CHECK_FALSE(covers("", "app-1"));
    CHECK_FALSE(covers("|1|broken", "app-1"));
    CHECK_FALSE(covers("|2|AAAA|AAAA", "app-1"));
}

TEST_CASE("lines that cannot be read are left out") {
    const std::string text =
        "# comment\n\n   \nonly-a-name\napp-1 ssh-ed25519 not*base64\n"
        "@unknown app-1 ssh-ed25519 AAAA\n\tapp-1\t ssh-ed25519  " +
        key_a.blob + " a comment\r\n";
    const auto known = parse_known_hosts(text);
    REQUIRE(known.size() == 1);
    CHECK(known[0].line == 7);
    CHECK(known[0].key == key_a);
}

TEST_CASE("names hashed by ssh-keygen are found, and its fingerprint is ours") {
    const Scratch scratch;
    const std::string id = scratch.file("id");
    REQUIRE(run({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", id}).status == 0);
    const std::vector<std::string> word = split(slurp(id + ".pub"), ' ');
    const HostKey key{.type = word[0], .blob = word[1]};
    const std::string file = scratch.file("known_hosts");
    spill(file, line("app-1.lab", key) + line("[app-1.lab]:2222", key));
    REQUIRE(run({"ssh-keygen", "-q", "-H", "-f", file}).status == 0);
    const std::string hashed = slurp(file);
    REQUIRE(hashed.starts_with("|1|"));
    CHECK(judge(hashed, "app-1.lab", key) == Trust::trusted);
    CHECK(judge(hashed, "[app-1.lab]:2222", key) == Trust::trusted);
    CHECK(judge(hashed, "app-2.lab", key) == Trust::unknown);
    CHECK(run({"ssh-keygen", "-lf", id + ".pub"}).out.find(fingerprint(key)) != std::string::npos);
}

TEST_CASE("reading for one name keeps exactly the lines that cover it, in any mark or case") {
    const std::string text = line("app-2", key_a) + line("@revoked *", key_b) +
                             line("APP-?,!app-2", key_a) + line("*,!app-1", key_rsa) +
                             line("@cert-authority x,app-1", key_rsa) + line("app-1", key_a);
    std::vector<std::size_t> lines;
    for (const KnownHost& host : parse_known_hosts(text, "app-1")) { lines.push_back(host.line); }
    CHECK(lines == std::vector<std::size_t>{2, 3, 5, 6});
}

TEST_CASE("recorded types keep the order of the file and leave marked lines out") {
    const auto known = parse_known_hosts(line("@revoked h", key_a) + line("h", key_rsa) +
                                         line("h", key_b) + line("x", key_a));
    CHECK(recorded_types(known, "h") == std::vector<std::string>{"ssh-rsa", "ssh-ed25519"});
}

TEST_CASE("the error for an untrusted key names both fingerprints and the next command") {
    const auto known = parse_known_hosts(line("app-1.lab", key_b));
    const Error error = untrusted(app(), key_a, judge_key(known, "app-1.lab", key_a));
    CHECK(error.code == Code::host_key);
    CHECK(error.effect == Effect::none);
    CHECK(error.message.find("CHANGED") != std::string::npos);
    CHECK(error.message.find(fingerprint(key_a)) != std::string::npos);
    CHECK(error.message.find(fingerprint(key_b)) != std::string::npos);
    CHECK(error.message.find("drill trust app-1") != std::string::npos);
}

TEST_CASE("a file that is not there knows nothing, one that cannot be read is an error") {
    const Scratch scratch;
    CHECK(read_known_hosts(scratch.file("none"))->empty());
    CHECK(read_known_hosts("")->empty());
    CHECK(read_known_hosts("/dev/null")->empty());
    CHECK(read_known_hosts(scratch.path.string()).error().code == Code::invalid);
    spill(scratch.file("big"), std::string((std::size_t{4} << 20U) + 1, '#'));
    CHECK(read_known_hosts(scratch.file("big")).error().code == Code::invalid);
}

TEST_CASE("trust makes the file, private, and keeps what is there") {
    const Scratch scratch;
    const std::string file = scratch.file("known_hosts");
    REQUIRE(trust_add(file, app(2222), key_a.type + " " + key_a.blob));
    CHECK(slurp(file) == line("[app-1.lab]:2222", key_a));
    struct stat info {};
    REQUIRE(::stat(file.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777U) == 0600U);
    spill(file, "# mine\nother ssh-rsa " + key_rsa.blob);  // no newline at the end
    REQUIRE(trust_add(file, app(), line("[app-1.lab]:2222", key_a)));
    CHECK(slurp(file) == "# mine\n" + line("other", key_rsa) + line("app-1.lab", key_a));
    CHECK(std::distance(std::filesystem::directory_iterator(scratch.path), {}) == 1);
}

TEST_CASE("trusting the same key again changes nothing") {
    const Scratch scratch;
    const std::string file = scratch.file("known_hosts");
    spill(file, line("*.lab", key_a));
    REQUIRE(trust_add(file, app(), line("x", key_a)));
    CHECK(slurp(file) == line("*.lab", key_a));
}

TEST_CASE("another key of the same type is refused until it shall replace") {
    const Scratch scratch;
    const std::string file = scratch.file("known_hosts");
    const std::string before = line("app-1.lab,app-2.lab", key_a) + line("app-1.lab", key_rsa);
    spill(file, before);
    const auto refused = trust_add(file, app(), line("x", key_b));
    REQUIRE(!refused);
    CHECK(refused.error().code == Code::refused);
    CHECK(slurp(file) == before);
    REQUIRE(trust_add(file, app(), line("x", key_b), Replace::yes));
    CHECK(slurp(file) == line("app-2.lab", key_a) + line("app-1.lab", key_b));
}

TEST_CASE("a revoked key cannot be trusted, not even as a replacement") {
    const Scratch scratch;
    const std::string file = scratch.file("known_hosts");
    spill(file, line("@revoked *", key_a));
    CHECK(!trust_add(file, app(), line("x", key_a), Replace::yes));
    CHECK(slurp(file) == line("@revoked *", key_a));
}

TEST_CASE("trust refuses what is no key and what is no host name") {
    const Scratch scratch;
    const std::string file = scratch.file("known_hosts");
    Connection odd = app();
    CHECK(trust_add(file, odd, "").error().code == Code::invalid);
    CHECK(trust_add(file, odd, "ssh-ed25519 no*base64").error().code == Code::invalid);
    CHECK(trust_add(file, odd, "@revoked " + line("x", key_a)).error().code == Code::invalid);
    for (const char* address : {"", "*", "a,b", "a b", "a\nb", "!a", "|1|a"}) {
        odd.address = address;
        CHECK(trust_add(file, odd, line("x", key_a)).error().code == Code::invalid);
    }
    CHECK_FALSE(std::filesystem::exists(file));
}

TEST_CASE("a symbolic link to the file stays one") {
    const Scratch scratch;
    spill(scratch.file("real"), "");
    std::filesystem::create_symlink("real", scratch.file("link"));
    REQUIRE(trust_add(scratch.file("link"), app(), line("x", key_a)));
    CHECK(std::filesystem::is_symlink(scratch.file("link")));
    CHECK(slurp(scratch.file("real")) == line("app-1.lab", key_a));
}

TEST_CASE("a file that cannot be written is an error and leaves nothing aside") {
    const Scratch scratch;
    const auto added = trust_add(scratch.file("none/known_hosts"), app(), line("x", key_a));
    REQUIRE(!added);
    CHECK(added.error().code == Code::invalid);
}

TEST_CASE("the name of a host is read back, and what is none changes nothing") {
    Connection connection{.address = "x", .port = 7};
    take_known_name(connection, "[fd00::1]:2222");
    CHECK(connection.address == "fd00::1");
    CHECK(connection.port == 2222);
    take_known_name(connection, "app-1");
    CHECK(connection.address == "app-1");
    CHECK(connection.port == 22);
    for (const char* bad : {"", "-o", "[app]:x", "[app]:0", "[app]:70000", "[]:22"}) {
        CAPTURE(std::string(bad));
        take_known_name(connection, bad);
        CHECK(connection.address == "app-1");
    }
}
