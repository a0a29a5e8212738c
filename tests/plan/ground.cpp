// The question behind `drill doctor` runs for real under three shells; its judgement meets hosts
// that this machine does not have: Red Hat's, with watchdogs, with an audit that halts.
#include "plan/ground.hpp"

#include "base/text.hpp"
#include "plan/facts.hpp"
#include "plan/gates.hpp"
#include "plan/sample.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdio>

using namespace drill;
using namespace drill::test;

namespace {

const Kind nft_kind{.name = "net-loss", .summary = "loses", .needs = "nft ip"};
const Kind netem_kind{.name = "net-delay", .summary = "delays", .needs = "tc"};
const Kind plain_kind{.name = "noop", .summary = "nothing"};
const Kind* const some_kinds[] = {&netem_kind, &nft_kind, &plain_kind};

std::string run(const std::string& shell, const std::string& script) {
    const std::string command = "printf %s " + shell_quote(script) + " | " + shell + " -s";
    std::string out;
    std::FILE* pipe = popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::array<char, 4096> buffer{};
    for (std::size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
        out.append(buffer.data(), n);
    }
    CHECK(pclose(pipe) == 0);
    return out;
}

/// A host in order; `change` alters what it says.
GroundInput input(const std::string& facts = "", const std::string& ground = "") {
    GroundInput in;
    in.connection.host = "app-1";
    in.connection.address = "10.0.0.1";
    auto parsed = parse_facts(
        "boot_id=b\nuptime_cs=1\nuid=0\nuser=root\nlogin_user=root\nkernel=6.1.0\ninit=systemd\n"
        "tool.setsid=/usr/bin/setsid\ntool.nft=/usr/sbin/nft\ntool.ip=/usr/sbin/ip\n"
        "tool.tc=/sbin/tc\nos_id=debian\nos_version=\"12\"\naging=20000:99999::\n"
        "exec_directory=/var/lib/drill/bin\n" +
        facts + "facts_end=1\n");
    REQUIRE(parsed);
    in.facts = *parsed;
    auto answer = parse_ground(
        "version=nft nftables v1.0.6 (Lester Gooch #5)\nrun_writable=1\n"
        "kernel_config=/boot/config\nconfig=NF_TABLES y\nconfig=NETFILTER_EGRESS y\n"
        "config=NFT_NUMGEN m\nmodules=1\nmodule=nft_numgen\nconfig=NET_SCH_NETEM y\n" +
        ground + "ground_end=1.000000000\n");
    REQUIRE(answer);
    in.answer = *answer;
    in.now = Wall{} + std::chrono::hours{24 * 20'100};
    in.need = std::chrono::minutes{6};
    return in;
}

bool says(const HostGround& ground, Concern concern, const std::string& words) {
    return std::any_of(ground.remarks.begin(), ground.remarks.end(), [&](const Remark& one) {
        return one.concern == concern &&
               (one.says + " | " + one.fix).find(words) != std::string::npos;
    });
}
const KindGround& kind(const HostGround& ground, const std::string& name) {
    const auto found = std::find_if(ground.kinds.begin(), ground.kinds.end(),
                                    [&](const KindGround& one) { return one.kind == name; });
    REQUIRE(found != ground.kinds.end());
    return *found;
}

}  // namespace

TEST_CASE("the ground is told alike by dash, bash and busybox") {
    for (const std::string shell : {"dash", "bash", "busybox sh"}) {
        CAPTURE(shell);
        const auto answer = parse_ground(run(shell, ground_question().input));
        REQUIRE(answer);
        CHECK(answer->contains("home_fs"));
        CHECK(answer->contains("login_shell"));
        CHECK(answer->at("version").front().starts_with("nft nftables v"));
        CHECK(parse_wall(answer->at("ground_end").front()));
    }
}

TEST_CASE("an answer without its end is no answer") {
    CHECK(!parse_ground("version=nft nftables v1.0.6\n"));
    CHECK(parse_ground("ground_end=5\n"));
}

TEST_CASE("names that nobody asked for and floods are left out") {
    std::string out = "colour=red\n";
    for (int i = 0; i < 1000; ++i) { out += "process=p" + std::to_string(i) + "\n"; }
    const auto answer = parse_ground(out + "process=p0\nground_end=5\n");
    REQUIRE(answer);
    CHECK(!answer->contains("colour"));
    CHECK(answer->at("process").size() == 256);
}

TEST_CASE("a host in order is usable with every kind") {
    const HostGround ground = judge_ground(input(), some_kinds);
    CHECK(usable(ground));
    for (const KindGround& one : ground.kinds) {
        CAPTURE(one.kind);
        CHECK(one.possible == Possible::yes);
    }
}

TEST_CASE("only what was tried is called tested") {
    CHECK(says(judge_ground(input(), some_kinds), Concern::good, "(tested)"));
    const auto standing = [](const std::string& facts) {
        return judge_ground(input(facts), some_kinds);
    };
    CHECK(says(standing("os_id=\"rhel\"\nos_version=\"9.4\"\n"), Concern::good,
               "expected to work by the versions of its parts, not tested"));
    CHECK(says(standing("os_id=ubuntu\nos_version=\"22.04\"\n"), Concern::good, "not tested"));
    CHECK(says(standing("os_id=\"sles\"\nos_version=\"15.5\"\n"), Concern::good, "not tested"));
    CHECK(says(standing("os_id=gentoo\n"), Concern::good, "neither tested nor expected"));
}

TEST_CASE("a missing tool closes its kinds in the words of the gate, with the host's package") {
    GroundInput in = input("os_id=\"rhel\"\nos_like=\"fedora\"\n");
    in.facts.erase("tool.nft");
    in.facts.erase("tool.tc");
    const HostGround ground = judge_ground(in, some_kinds);
    CHECK(usable(ground));
    CHECK(kind(ground, "noop").possible == Possible::yes);
    REQUIRE(kind(ground, "net-loss").possible == Possible::no);
    CHECK(sentence(kind(ground, "net-loss").lacks.front()) ==
          "`nft` is missing; dnf install nftables");
    CHECK(sentence(kind(ground, "net-delay").lacks.front()) ==
          "`tc` is missing; dnf install iproute-tc");
    DraftHost host;
    host.tools = {"nft"};
    CHECK(host_gates("app-1", host, in.facts) ==
          std::vector<std::string>{"app-1: `nft` is missing; dnf install nftables"});
}

TEST_CASE("an nft without typeof closes the kinds of nft") {
    GroundInput in = input();
    in.answer["version"] = {"nft nftables v0.9.3 (Topsy)"};
    const HostGround ground = judge_ground(in, some_kinds);
    CHECK(kind(ground, "net-loss").possible == Possible::no);
    CHECK(kind(ground, "net-loss").lacks.front().fix == "nft 0.9.4 or later");
}

TEST_CASE("without the egress hook one direction is left, and that is said") {
    GroundInput in = input();
    in.answer["config"] = {"NF_TABLES y", "NFT_NUMGEN y", "NETFILTER_EGRESS not set"};
    const KindGround loss = kind(judge_ground(in, some_kinds), "net-loss");
    CHECK(loss.possible == Possible::unsure);
    CHECK(loss.lacks.front().fix.find("direction = \"in\" works without") != std::string::npos);
}

TEST_CASE("a module that is configured and not installed is missing") {
    GroundInput in = input();
    in.answer["config"] = {"NF_TABLES y", "NET_SCH_NETEM m"};
    CHECK(kernel_has(in.answer, "NET_SCH_NETEM", "sch_netem") == Has::no);
    in.answer["module"].push_back("sch_netem");
    CHECK(kernel_has(in.answer, "NET_SCH_NETEM", "sch_netem") == Has::yes);
    in.answer.erase("kernel_config");
    CHECK(kernel_has(in.answer, "NET_SCH_TBF", "sch_tbf") == Has::unknown);
}

TEST_CASE("a kind whose part could not be seen is unsure, never possible") {
    GroundInput in = input();
    in.answer.erase("kernel_config");
    in.answer.erase("config");
    CHECK(kind(judge_ground(in, some_kinds), "net-delay").possible == Possible::unsure);
}

TEST_CASE("whoever is not root can use no kind") {
    const HostGround ground = judge_ground(input("uid=1000\nuser=kim\n"), some_kinds);
    CHECK(!usable(ground));
    CHECK(says(ground, Concern::trouble, "commands run as kim, not as root"));
    CHECK(kind(ground, "noop").possible == Possible::no);
}

TEST_CASE("a refused become is told with the verb that prints the line") {
    GroundInput in = input("uid=1000\nuser=ops\n");
    in.connection.become = "sudo";
    in.became = false;
    in.refusal = "sudo -n is not allowed for ops on app-1";
    const HostGround ground = judge_ground(in, some_kinds);
    CHECK(says(ground, Concern::trouble, "drill doctor --sudoers app-1"));
    CHECK(!says(ground, Concern::trouble, "did not give root"));
}

TEST_CASE("what reacts to a fault is named") {
    const HostGround ground =
        judge_ground(input("",
                           "process=pacemakerd\nprocess=patroni\nwatchdog=watchdog0 active 60\n"
                           "restart=orders.service\nrestart=systemd-journald.service\n"),
                     some_kinds);
    CHECK(says(ground, Concern::note, "pacemakerd moves or fences"));
    CHECK(says(ground, Concern::note, "patroni promotes a replica"));
    CHECK(says(ground, Concern::doubt, "watchdog0 is armed: a starved host resets after 60 s"));
    CHECK(says(ground, Concern::note, "systemd restarts orders.service |"));
}

TEST_CASE("an audit that halts on a full disk is a doubt, while auditd runs") {
    const std::string lines = "audit=disk_full_action HALT\n";
    CHECK(says(judge_ground(input("", lines + "process=auditd\n"), some_kinds), Concern::doubt,
               "a full disk stops this host"));
    CHECK(!says(judge_ground(input("", lines), some_kinds), Concern::doubt, "a full disk"));
}

TEST_CASE("what a login depends on is named") {
    const HostGround ground =
        judge_ground(input("identity_raw=nameserver 10.0.0.53\n",
                           "nsswitch=passwd: files sss\nkrb5=1\nhome_fs=nfs4\n"
                           "sshd=AuthorizedKeysCommand /usr/bin/sss_ssh_authorizedkeys\n"),
                     some_kinds);
    CHECK(says(ground, Concern::note, "passwd by sss"));
    CHECK(says(ground, Concern::note, "Kerberos (krb5.conf)"));
    CHECK(says(ground, Concern::note, "the home directory on nfs4"));
    CHECK(says(ground, Concern::note, "authorized keys by /usr/bin/sss_ssh_authorizedkeys"));
}

TEST_CASE("a clock that is not synchronised is a doubt") {
    CHECK(says(judge_ground(input("", "sync=chrony Normal\n"), some_kinds), Concern::good,
               "synchronised by chrony"));
    CHECK(says(judge_ground(input("", "sync=chrony Not synchronised\n"), some_kinds),
               Concern::doubt, "NOT synchronised"));
    CHECK(says(judge_ground(input("", "sync=timedatectl no\n"), some_kinds), Concern::doubt,
               "NOT synchronised"));
    CHECK(says(judge_ground(input(), some_kinds), Concern::doubt, "could tell whether"));
}

TEST_CASE("an offset is a doubt only when the whole interval is off") {
    GroundInput in = input();
    in.offset = ClockOffset{-2s, 1s};
    CHECK(!says(judge_ground(in, some_kinds), Concern::doubt, "laid beside"));
    in.offset = ClockOffset{1840ms, 1850ms};
    CHECK(says(judge_ground(in, some_kinds), Concern::doubt, "between +1.84 s and +1.85 s"));
}

TEST_CASE("the offset's interval holds the truth, whatever part of the call took the time") {
    // Controller 100.0 .. 100.5, target ahead by 3 s, its readings 0.1 s after and before.
    const ClockOffset offset =
        clock_offset({103100ms, Nanos{1}}, {103400ms, Nanos{1}}, 100s, 100500ms);
    CHECK(offset.low == 2900ms);
    CHECK(offset.high == 3100ms + Nanos{1});
    const ClockOffset coarse = clock_offset({103s, 1s}, {103s, 1s}, 100s, 100500ms);
    CHECK(coarse.low <= 3s);
    CHECK(coarse.high >= 3s);
}

TEST_CASE("a wall clock is read with its grain") {
    CHECK(parse_wall("17.000000005\n")->since_epoch == 17s + Nanos{5});
    CHECK(parse_wall("17.%N")->grain == 1s);
    CHECK(parse_wall("17")->grain == 1s);
    CHECK(!parse_wall("soon"));
    CHECK(!parse_wall("99999999999.000000000"));
}

TEST_CASE("an account that ends within a run is trouble") {
    GroundInput in = input("aging=20000:99999::20101\n");
    CHECK(!says(judge_ground(in, some_kinds), Concern::trouble, "the account root"));
    in.now = Wall{} + std::chrono::hours{24 * 20'101} - 1min;
    CHECK(
        says(judge_ground(in, some_kinds), Concern::trouble, "the account root ends in 1 m 00 s"));
}

TEST_CASE("control bytes of a host do not reach a remark") {
    const HostGround ground =
        judge_ground(input("os_name=\"\x1b[31mred\"\n", "sync=chrony \x1b[2J\n"), some_kinds);
    for (const Remark& one : ground.remarks) {
        CHECK((one.says + one.fix).find('\x1b') == std::string::npos);
    }
}

TEST_CASE("a host without an answer has the fix for its reason") {
    Connection to;
    to.host = "app-9";
    to.address = "10.0.0.9";
    CHECK(!usable(unreached(to, fail(Code::unreachable, "no route"))));
    CHECK(says(unreached(to, fail(Code::host_key, "unknown key")), Concern::trouble,
               "drill trust app-9"));
    CHECK(says(unreached(to, fail(Code::unreachable, "no route")), Concern::trouble, "is it on"));
    CHECK(says(unreached(to, fail(Code::auth_failed, "sudo rejected the password of ops")),
               Concern::trouble, "become_password"));
}

TEST_CASE("sudoers lines tell a sudo that asks, and doas, apart") {
    Connection ops;
    ops.host = "app-1";
    ops.user = "ops";
    ops.become = "sudo";
    ops.become_password.file = "/secret";
    const std::string asked = sudoers_lines({ops}, {"noop"});
    CHECK(asked.find("\nops ALL=(root) PASSWD: /bin/sh -c *\n") != std::string::npos);
    CHECK(asked.find("NOPASSWD") == std::string::npos);
    CHECK(asked.find("/secret") == std::string::npos);
    ops.become = "doas";
    const std::string doas = sudoers_lines({ops}, {"noop"});
    CHECK(doas.find("permit nopass ops as root") != std::string::npos);
    CHECK(doas.find("ALL=") == std::string::npos);
}

TEST_CASE("sudoers lines name the hosts of each login, and say that they are root") {
    Connection ops;
    ops.host = "app-1";
    ops.user = "ops";
    ops.become = "sudo";
    Connection root;
    root.host = "db-1";
    CHECK(sudoers_lines({root}, {"noop"}).empty());
    const std::string lines = sudoers_lines({ops, root}, {"noop"});
    CHECK(lines.find("\nops ALL=(root) NOPASSWD: /bin/sh -s -- *\n") != std::string::npos);
    CHECK(lines.find("is root there") != std::string::npos);
    CHECK(lines.find("db-1") == std::string::npos);
}
