// process-kill, process-pause, noop and command on real processes, under three shells.
#include "faults/requests.hpp"
#include "faults/runner.hpp"

#include <doctest/doctest.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace drill;
using namespace drill::test;

namespace {

const std::string shells[] = {"dash", "bash", "busybox"};
/// A name that every naive reader of /proc/PID/stat gets wrong.
const std::string odd_name = "a) R 1 (b c";

/// A lease directory and programs that are called as we like.
struct Ground {
    Place place;
    explicit Ground(const std::string& shell = "dash") : place{shell, make_directory(), ""} {}
    Ground(const Ground&) = delete;
    Ground& operator=(const Ground&) = delete;
    ~Ground() { remove_directory(place.directory); }
    [[nodiscard]] std::vector<std::string> sleeper(const std::string& name,
                                                   const std::string& seconds) const {
        const std::string path = place.directory + "/" + name;
        if (!std::filesystem::exists(path)) {
            std::filesystem::create_symlink("/usr/bin/sleep", path);
        }
        return {path, seconds};
    }
    [[nodiscard]] ChangeRequest request(const char* kind, const std::string& process) const {
        ChangeRequest made = request_for(kind_of(kind), Binding::run);
        made.directory = place.directory;
        made.params["process"] = process;
        made.facts["init"] = "";
        made.observed.clear();
        return made;
    }
    Result<Change> compose(const char* kind, ChangeRequest request) const {
        request.observed = run_all(kind_of(kind).observe(request), place);
        return kind_of(kind).compose(request);
    }
};

/// Unique to this test process, so that no other process of the machine can match.
std::string unique(const std::string& stem) { return stem + std::to_string(getpid() % 100000); }

std::string listing(const Ground& ground, const ChangeRequest& request) {
    return run(kind_of("process-kill").observe(request).front(), ground.place).out;
}

}  // namespace

TEST_CASE("a kill ends the process that was chosen, also with blanks and brackets in its name") {
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Ground ground(shell);
        Process victim(ground.sleeper(odd_name, "601"));
        const Result<Change> change =
            ground.compose("process-kill", ground.request("process-kill", odd_name));
        REQUIRE(bool(change));
        CHECK(change->apply.front().argv.back() == victim.name() + ":" + victim.start());
        CHECK(presence(*change, ground.place) == Presence::idle);
        CHECK(status_of(change->apply, ground.place) == 0);
        CHECK(victim.becomes('Z'));
        CHECK(presence(*change, ground.place) == Presence::bites);
        victim.end();
        CHECK(presence(*change, ground.place) == Presence::bites);
    }
}

TEST_CASE("a process that came back is met by the check, the victim is not") {
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Ground ground(shell);
        const std::string name = unique("back");
        Process victim(ground.sleeper(name, "602"));
        const Result<Change> change =
            ground.compose("process-kill", ground.request("process-kill", name));
        REQUIRE(bool(change));
        CHECK(status_of(change->check, ground.place) == 1);
        CHECK(status_of(change->apply, ground.place) == 0);
        victim.end();
        CHECK(status_of(change->check, ground.place) == 1);
        const Process again(ground.sleeper(name, "602"));
        CHECK(status_of(change->check, ground.place) == 0);
    }
}

TEST_CASE("a pid that was handed on is not signalled") {
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Ground ground(shell);
        Process other(ground.sleeper(unique("other"), "603"));
        ChangeRequest request = ground.request("process-kill", unique("other"));
        request.observed = {{0, "victim " + other.name() + " 5 0 S earlier\n", ""}};
        const Result<Change> killing = kind_of("process-kill").compose(request);
        REQUIRE(bool(killing));
        CHECK(status_of(killing->apply, ground.place) == 1);
        const Result<Change> pausing = kind_of("process-pause").compose(request);
        REQUIRE(bool(pausing));
        CHECK(status_of(pausing->apply, ground.place) == 1);
        CHECK(other.becomes('S'));
        // Stopped by somebody else: the undo of another process' pause must not continue it.
        REQUIRE(kill(other.pid(), SIGSTOP) == 0);
        REQUIRE(other.becomes('T'));
        CHECK(status_of(pausing->undo, ground.place) == 0);
        CHECK(other.state() == 'T');
    }
}

TEST_CASE("nothing is signalled when one of several victims is another process by now") {
    const Ground ground;
    Process first(ground.sleeper(unique("many"), "604"));
    ChangeRequest request = ground.request("process-kill", unique("many"));
    request.params["count"] = std::int64_t{2};
    request.observed = {{0,
                         "victim " + first.name() + " " + first.start() + " 0 S x\nvictim " +
                             first.name() + " 7 0 S y\n",
                         ""}};
    const Result<Change> change = kind_of("process-kill").compose(request);
    REQUIRE(bool(change));
    CHECK(run(change->apply.front(), ground.place).err.find("nothing was signalled") !=
          std::string::npos);
    CHECK(first.becomes('S'));
}

TEST_CASE("a pause stops the process, its undo lets it go on") {
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Ground ground(shell);
        Process victim(ground.sleeper(odd_name, "605"));
        const Result<Change> change =
            ground.compose("process-pause", ground.request("process-pause", odd_name));
        REQUIRE(bool(change));
        CHECK(presence(*change, ground.place) == Presence::absent);
        CHECK(status_of(change->apply, ground.place) == 0);
        CHECK(victim.state() == 'T');
        CHECK(presence(*change, ground.place) == Presence::bites);
        CHECK_FALSE(
            bool(ground.compose("process-pause", ground.request("process-pause", odd_name))));
        CHECK(status_of(change->undo, ground.place) == 0);
        CHECK(victim.becomes('S'));
        CHECK(presence(*change, ground.place) == Presence::absent);
        CHECK(status_of(change->undo, ground.place) == 0);
    }
}

TEST_CASE("a paused process that goes away is altered before the undo and absent after it") {
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Ground ground(shell);
        Process victim(ground.sleeper(unique("gone"), "606"));
        const Result<Change> change =
            ground.compose("process-pause", ground.request("process-pause", unique("gone")));
        REQUIRE(bool(change));
        CHECK(status_of(change->apply, ground.place) == 0);
        const std::string pid = victim.name();
        victim.end();
        CHECK(presence(*change, ground.place) == Presence::altered);
        CHECK(run(change->read_back.front(), ground.place).out == "process " + pid + " is gone\n");
        CHECK(status_of(change->undo, ground.place) == 0);
        CHECK(presence(*change, ground.place) == Presence::absent);
    }
}

TEST_CASE("one of two paused processes that runs again is idle, never proof of an undo") {
    const Ground ground;
    Process first(ground.sleeper(unique("pair"), "607"));
    Process second(ground.sleeper(unique("pair"), "607"));
    ChangeRequest request = ground.request("process-pause", unique("pair"));
    request.params["count"] = std::int64_t{2};
    const Result<Change> change = ground.compose("process-pause", request);
    REQUIRE(bool(change));
    CHECK(status_of(change->apply, ground.place) == 0);
    CHECK(presence(*change, ground.place) == Presence::bites);
    REQUIRE(kill(first.pid(), SIGCONT) == 0);
    REQUIRE(first.becomes('S'));
    CHECK(presence(*change, ground.place) == Presence::idle);
    second.end();
    CHECK(presence(*change, ground.place) == Presence::altered);
}

TEST_CASE("the undo of a pause forks nothing") {
    if (!has_program("strace")) {
        MESSAGE("skipped: needs strace");
        return;
    }
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Ground ground(shell);
        Process victim(ground.sleeper(unique("fork"), "608"));
        const Result<Change> change =
            ground.compose("process-pause", ground.request("process-pause", unique("fork")));
        REQUIRE(bool(change));
        CHECK(status_of(change->apply, ground.place) == 0);
        const std::string trace = ground.place.directory + "/trace";
        Exec traced = change->undo.front();
        traced.argv.insert(traced.argv.begin(), {"/usr/bin/strace", "-f", "-o", trace, "-e",
                                                 "trace=clone,clone3,fork,vfork,kill"});
        CHECK(run(traced, ground.place).status == 0);
        std::ostringstream calls;
        calls << std::ifstream(trace).rdbuf();
        CHECK(calls.str().find("kill(" + victim.name() + ", SIGCONT)") != std::string::npos);
        CHECK(calls.str().find("fork(") == std::string::npos);
        CHECK(calls.str().find("clone") == std::string::npos);
    }
}

TEST_CASE("a pattern matches command lines, and never our own scripts") {
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Ground ground(shell);
        ChangeRequest request = ground.request("process-kill", "");
        request.params["match"] = unique("pat") + " 6[0-9]+";
        CHECK(listing(ground, request).empty());
        Process victim(ground.sleeper(unique("pat"), "609"));
        const std::string rows = listing(ground, request);
        CHECK(rows.find("victim " + victim.name() + " " + victim.start() + " 0 S ") == 0);
        CHECK(rows.find(unique("pat") + " 609") != std::string::npos);
        CHECK(std::count(rows.begin(), rows.end(), '\n') == 1);
        request.params["match"] = std::string("a(");
        CHECK(run(kind_of("process-kill").observe(request).front(), ground.place).status == 2);
    }
}

TEST_CASE("a pattern that fits everything lists no kernel thread, none of ours, pid 1 protected") {
    const Ground ground;
    ChangeRequest request = ground.request("process-kill", "");
    request.params["match"] = std::string(".");
    const std::string rows = listing(ground, request);
    CHECK(rows.find(" " + std::to_string(getpid()) + " ") == std::string::npos);
    CHECK(rows.find("victim 1 ") == std::string::npos);
    CHECK(rows.find("protected 1 ") != std::string::npos);
    CHECK(rows.find("kthreadd") == std::string::npos);
    CHECK(rows.find("drill-step") == std::string::npos);
}

TEST_CASE("a guard of ours is no victim") {
    const Ground ground;
    const Process guard(ground.sleeper("drill-abc123def456", "610"));
    CHECK(listing(ground, ground.request("process-kill", "drill-abc123def")).empty());
}

TEST_CASE("a pidfile chooses its process and nothing when it holds no pid") {
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Ground ground(shell);
        Process victim(ground.sleeper(unique("file"), "611"));
        ChangeRequest request = ground.request("process-kill", "");
        request.params["pidfile"] = ground.place.directory + "/pid";
        CHECK(listing(ground, request).empty());
        std::ofstream(ground.place.directory + "/pid") << victim.name() << "\n";
        CHECK(listing(ground, request).find("victim " + victim.name()) == 0);
        request.params["process"] = std::string("another");
        CHECK(listing(ground, request).empty());
        request.params["process"] = std::string();
        std::ofstream(ground.place.directory + "/pid") << "../1\n";
        CHECK(listing(ground, request).empty());
    }
}

TEST_CASE("a unit is the processes of its cgroup") {
    // What systemd would make: a cgroup that is named after the unit, in whichever hierarchy.
    const std::string unit = "drl" + std::to_string(getpid()) + ".service";
    const Ground ground;
    Process victim(ground.sleeper(unique("unit"), "613"));
    std::string group;
    for (const std::string root : {"/sys/fs/cgroup/systemd/", "/sys/fs/cgroup/"}) {
        if (!std::filesystem::exists(root + "cgroup.procs")) { continue; }
        std::error_code failed;
        if (!std::filesystem::create_directory(root + unit, failed)) { continue; }
        group = root + unit;
        std::ofstream(group + "/cgroup.procs") << victim.name() << std::endl;
        break;
    }
    if (group.empty()) {
        MESSAGE("skipped: no cgroup can be made");
        return;
    }
    for (const std::string& shell : shells) {
        Place place = ground.place;
        place.shell = shell;
        ChangeRequest request = ground.request("process-kill", "");
        request.params["unit"] = unit;
        const Exec question = kind_of("process-kill").observe(request).front();
        CHECK(run(question, place).out.find("victim " + victim.name() + " ") == 0);
        request.params["unit"] = unit.substr(1);
        CHECK(run(kind_of("process-kill").observe(request).front(), place).out.empty());
        request.params["unit"] = std::string("*.service");
        CHECK(run(kind_of("process-kill").observe(request).front(), place).out.empty());
    }
    victim.end();
    CHECK(rmdir(group.c_str()) == 0);
}

TEST_CASE("the default signal can be another one, and TERM is seen to end the process") {
    const Ground ground;
    Process victim(ground.sleeper(unique("term"), "612"));
    ChangeRequest request = ground.request("process-kill", unique("term"));
    request.params["signal"] = std::string("TERM");
    const Result<Change> change = ground.compose("process-kill", request);
    REQUIRE(bool(change));
    CHECK(status_of(change->apply, ground.place) == 0);
    CHECK(victim.becomes('Z'));
    CHECK(presence(*change, ground.place) == Presence::bites);
}

TEST_CASE("a parameter that looks like shell code is only text") {
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Ground ground(shell);
        const std::string trap = ground.place.directory + "/trap";
        for (const char* name : {"process", "match", "unit", "pidfile"}) {
            ChangeRequest request = ground.request("process-kill", "");
            request.params[name] = (std::string(name) == "pidfile" ? "/" : "") +
                                   ("$(touch " + trap + ")'\"`touch " + trap + "`");
            CHECK(listing(ground, request).empty());
        }
        CHECK_FALSE(std::filesystem::exists(trap));
    }
}

TEST_CASE("noop leaves its marker, sees it altered, and removes it") {
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Ground ground(shell);
        ChangeRequest request = request_for(kind_of("noop"), Binding::run);
        request.directory = ground.place.directory;
        request.params["say"] = std::string("it's \"$HOME\" `x`");
        const Result<Change> change = kind_of("noop").compose(request);
        REQUIRE(bool(change));
        CHECK(presence(*change, ground.place) == Presence::absent);
        CHECK(status_of(change->apply, ground.place) == 0);
        CHECK(presence(*change, ground.place) == Presence::bites);
        std::ofstream(ground.place.directory + "/marker") << "other\n";
        CHECK(presence(*change, ground.place) == Presence::altered);
        CHECK(status_of(change->undo, ground.place) == 0);
        CHECK(status_of(change->undo, ground.place) == 0);
        CHECK(presence(*change, ground.place) == Presence::absent);
    }
}

TEST_CASE("command carries out what was written, in the lease directory") {
    const Ground ground;
    ChangeRequest request = request_for(kind_of("command"), Binding::run);
    request.params["apply"] = std::vector<std::string>{"touch", "a b$c"};
    request.params["undo"] = std::vector<std::string>{"rm", "-f", "a b$c"};
    request.params["read_back"] =
        std::vector<std::string>{"sh", "-c", "test ! -e 'a b$c' || exit 10"};
    const Result<Change> change = kind_of("command").compose(request);
    REQUIRE(bool(change));
    CHECK(status_of(change->apply, ground.place) == 0);
    CHECK(std::filesystem::exists(ground.place.directory + "/a b$c"));
    CHECK(presence(*change, ground.place) == Presence::bites);
    CHECK(status_of(change->undo, ground.place) == 0);
    CHECK(presence(*change, ground.place) == Presence::absent);
}
