// The question about facts runs for real under three shells; its parsing meets hostile answers.
#include "plan/facts.hpp"

#include "base/text.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <unistd.h>

using namespace drill;

namespace {

/// Runs a question under `shell` with a prepared environment; stdout of it.
std::string run(const std::string& shell, const Exec& question, const std::string& environment) {
    const std::string path =
        (std::filesystem::temp_directory_path() / ("drl" + std::to_string(getpid()) + "-facts.sh"))
            .string();
    std::ofstream(path) << question.input;
    const std::string command = environment + " " + shell + " -s < " + shell_quote(path);
    std::string out;
    std::FILE* pipe = popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::array<char, 4096> buffer{};
    for (std::size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
        out.append(buffer.data(), n);
    }
    CHECK(pclose(pipe) == 0);
    std::filesystem::remove(path);
    return out;
}

Facts parsed(const std::string& lines) {
    auto facts = parse_facts("boot_id=b\nuptime_cs=1\n" + lines + "facts_end=1\n");
    REQUIRE(facts);
    return *facts;
}

}  // namespace

TEST_CASE("the question is answered alike by dash, bash and busybox") {
    Facts first;
    for (const std::string shell : {"dash", "bash", "busybox sh"}) {
        CAPTURE(shell);
        const auto facts = parse_facts(
            run(shell, facts_question(), "SSH_CONNECTION='10.0.0.9 50000 10.0.0.1 2222'"));
        REQUIRE(facts);
        CHECK(fact(*facts, "boot_id").size() == 36);
        REQUIRE(fact_uptime(*facts));
        CHECK(*fact_uptime(*facts) > Nanos{0});
        CHECK(fact(*facts, "uid") == std::to_string(getuid()));
        CHECK(fact(*facts, "ssh_client") == "10.0.0.9");
        CHECK(fact(*facts, "ssh_server_address") == "10.0.0.1");
        CHECK(fact(*facts, "ssh_server_port") == "2222");
        CHECK(fact(*facts, "tool.nft").starts_with("/"));
        CHECK(fact(*facts, "tool.kill").starts_with("/"));
        CHECK_FALSE(fact(*facts, "interfaces").empty());
        Facts stable = *facts;
        stable.erase("uptime_cs");
        stable.erase("shell");
        if (first.empty()) { first = stable; }
        CHECK(stable == first);
    }
}

TEST_CASE("the time since boot agrees with the clock of this machine") {
    timespec before{};
    clock_gettime(CLOCK_BOOTTIME, &before);
    const auto facts = parse_facts(run("dash", facts_question(), ""));
    timespec after{};
    clock_gettime(CLOCK_BOOTTIME, &after);
    REQUIRE(facts);
    const Nanos uptime = fact_uptime(*facts).value_or(Nanos{0});
    constexpr Nanos grain = std::chrono::milliseconds{10};  // of /proc/uptime
    CHECK(uptime >= std::chrono::seconds{before.tv_sec} + Nanos{before.tv_nsec} - grain);
    CHECK(uptime <= std::chrono::seconds{after.tv_sec} + Nanos{after.tv_nsec} + grain);
}

TEST_CASE("the way in is found in a parent's environment when sudo has dropped it") {
    const auto facts = parse_facts(run("env -u SSH_CONNECTION busybox sh", facts_question(), ""));
    REQUIRE(facts);
    const Exec inner = facts_question();
    const std::string path =
        (std::filesystem::temp_directory_path() / ("drl" + std::to_string(getpid()) + "-inner.sh"))
            .string();
    std::ofstream(path) << inner.input;
    const Exec outer{.argv = {}, .input = "env -u SSH_CONNECTION sh " + path + "; exit $?\n"};
    const auto found =
        parse_facts(run("dash", outer, "SSH_CONNECTION='10.1.1.1 50000 10.1.1.2 22'"));
    std::filesystem::remove(path);
    REQUIRE(found);
    CHECK(fact(*found, "ssh_client") == "10.1.1.1");
}

TEST_CASE("tools are found outside of a short PATH, and only real files count") {
    const auto facts = parse_facts(run("dash", facts_question(), "PATH=/bin"));
    REQUIRE(facts);
    CHECK(fact(*facts, "tool.nft") == "/usr/sbin/nft");
}

TEST_CASE("asked-for tools are looked up, and a name cannot smuggle a command in") {
    const std::vector<std::string> more{"sleep", "x; touch /tmp/drill-owned", "$(id)", "-n", "a:b"};
    const Exec question = facts_question(more);
    CHECK(question.input.find("owned") == std::string::npos);
    CHECK(question.input.find("$(id)") == std::string::npos);
    const auto facts = parse_facts(run("dash", question, ""));
    REQUIRE(facts);
    CHECK(fact(*facts, "tool.sleep").ends_with("/sleep"));
}

TEST_CASE("an answer that breaks off is no answer") {
    CHECK_FALSE(parse_facts(""));
    CHECK_FALSE(parse_facts("boot_id=b\nuptime_cs=1\n"));
    CHECK_FALSE(parse_facts("uptime_cs=1\nfacts_end=1\n"));
    CHECK_FALSE(parse_facts("boot_id=b\nfacts_end=1\n"));
    CHECK_FALSE(parse_facts("boot_id=b\nuptime_cs=soon\nfacts_end=1\n"));
    CHECK_FALSE(parse_facts("boot_id=b\nuptime_cs=99999999999999999999\nfacts_end=1\n"));
}

TEST_CASE("unknown keys are passed over") {
    CHECK_FALSE(parsed("evil=1\ntool.../x=/y\nhost_key=SHA256:forged\n").contains("host_key"));
}

TEST_CASE("lists are sorted, unique, and free of loopback and rubbish") {
    const Facts facts = parsed(
        "address=10.0.0.2\naddress=10.0.0.1\naddress=10.0.0.2\naddress=127.0.0.1\naddress=::1\n"
        "address=fd00::1\naddress=nonsense\ninterface=lo\ninterface=eth1\ninterface=eth0\n");
    CHECK(fact(facts, "addresses") == "10.0.0.1 10.0.0.2 fd00::1");
    CHECK(fact(facts, "interfaces") == "eth0 eth1");
}

TEST_CASE("identity services are found in the files that name them by address") {
    const Facts facts = parsed(
        "identity_raw=nameserver 10.0.0.53\n"
        "identity_raw=nameserver 127.0.0.53\n"
        "identity_raw=nameserver fe80::1%eth0\n"
        "identity_raw=URI ldap://10.0.0.10:389/ ldaps://ldap.lab [fd00::9]\n"
        "identity_raw=  kdc = 10.0.0.11:88\n"
        "identity_raw=ldap_uri = ldap://10.0.0.12, ldap://[fd00::12]:389\n");
    CHECK(fact(facts, "identity_services") ==
          "10.0.0.10 10.0.0.11 10.0.0.12 10.0.0.53 fd00::12 fd00::9 fe80::1");
}

TEST_CASE("only names of leases count as leases") {
    const Facts facts = parsed("lease=abcdef012345\nlease=bin\nlease=ABCDEF012345\nlease=*\n");
    CHECK(fact_list(facts, "leases") == std::vector<std::string>{"abcdef012345"});
}

TEST_CASE("a veto file without a word is there and forbids nothing") {
    const Facts facts = parsed("deny=\ndeny=  \n");
    CHECK(facts.contains("deny"));
    CHECK(fact_list(facts, "deny").empty());
    CHECK(fact(parsed("deny=net-loss process-kill\ndeny=net-loss\n"), "deny") ==
          "net-loss process-kill");
}

TEST_CASE("a hostile answer stays bounded") {
    std::string many;
    for (int i = 0; i < 5000; ++i) { many += "interface=i" + std::to_string(i) + "\n"; }
    many += "hostname=" + std::string(100000, 'h') + "\n";
    const Facts facts = parsed(many);
    CHECK(fact_list(facts, "interfaces").size() <= 512);
    CHECK(fact(facts, "hostname").size() <= 16384);
}

TEST_CASE("identity holds what must not change unnoticed, and nothing volatile") {
    const Facts facts = parsed(
        "machine_id=m\ninit=systemd\nuid=0\ntool.nft=/usr/sbin/nft\ntool.tc=/usr/sbin/tc\n"
        "interface=eth0\ninterface=veth123\naddress=10.0.0.1\nssh_server_port=22\n"
        "ssh_client=10.0.0.9\nkernel=6.1\n");
    const std::vector<std::string> tools{"nft"};
    const Facts target = identity_of(facts, Part::target, tools, "SHA256:k");
    CHECK(target == Facts{{"addresses", "10.0.0.1"},
                          {"host_key", "SHA256:k"},
                          {"init", "systemd"},
                          {"interfaces", "eth0"},
                          {"machine_id", "m"},
                          {"ssh_server_port", "22"},
                          {"tool.nft", "/usr/sbin/nft"}});
    const Facts bystander = identity_of(facts, Part::bystander, {}, "");
    CHECK(bystander == Facts{{"addresses", "10.0.0.1"}, {"machine_id", "m"}});
    for (const auto& [name, value] : target) { CHECK(is_identity_fact(name)); }
    for (const char* name : {"boot_id", "uptime_cs", "ssh_client", "leases", "hostname"}) {
        CHECK_FALSE(is_identity_fact(name));
    }
}

TEST_CASE("differences of identity are named one by one") {
    const Facts planned{{"host_key", "SHA256:a"}, {"interfaces", "eth0"}, {"machine_id", "m"}};
    const Facts now{{"host_key", "SHA256:b"}, {"machine_id", "m"}, {"extra", "x"}};
    CHECK(identity_differences(planned, now) ==
          std::vector<std::string>{"host_key changed: SHA256:a -> SHA256:b",
                                   "interfaces changed: eth0 -> none"});
    CHECK(identity_differences(planned, planned).empty());
}
