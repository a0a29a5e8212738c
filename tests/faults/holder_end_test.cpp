// How a holder ends: by its lease, its undo, its twin, or a person, whatever is killed or stopped,
// and what is then said of it. Read next: holder_ground.hpp, core/holder/holder.cpp.
#include "faults/holder_ground.hpp"

using namespace drill;
using namespace drill::test;

TEST_CASE("whichever half of the holder is killed, the other puts the limit back") {
    for (const bool keeper : {true, false}) {
        CAPTURE(keeper);
        const Ground ground;
        const Limited limited(ground);
        const auto before = file_limits(limited.victim.pid());
        const Change change = ground.hold("fd-exhaust", limited.request());
        kill(keeper ? ground.keeper() : ground.worker(), SIGKILL);
        CHECK(within(2, [&] { return file_limits(limited.victim.pid()) == before; }));
        CHECK(ground.ends_within(2));
        CHECK(presence(change, ground.place) == Presence::altered);
        CHECK(status_of(change.undo, ground.place) == 0);
        CHECK(presence(change, ground.place) == Presence::absent);
    }
}

TEST_CASE("a limit whose holder was killed whole is still ours, and the undo puts it back") {
    const Ground ground;
    const Limited limited(ground);
    const auto before = file_limits(limited.victim.pid());
    const Change change = ground.hold("fd-exhaust", limited.request());
    CHECK(kill(-ground.keeper(), SIGKILL) == 0);
    CHECK(ground.ends_within(2));
    CHECK(presence(change, ground.place) == Presence::idle);
    CHECK(ground.said(change) ==
          "the limit of open files is still lowered: " + limited.victim.name() + "\n");
    CHECK(status_of(change.undo, ground.place) == 0);
    CHECK(file_limits(limited.victim.pid()) == before);
    CHECK(presence(change, ground.place) == Presence::absent);
}

TEST_CASE("nobody renews: the holder gives all back within a second of its lease") {
    const Ground ground;
    ChangeRequest request = ground.request("disk-fill");
    request.ttl = std::chrono::seconds{3};
    request.params["percent"] = Percent{1'000'000};
    const long before = free_space(ground.disk);
    const auto begin = Steady::now();
    const Change change = ground.hold("disk-fill", request);
    CHECK(within(5, [&] { return free_space(ground.disk) == before; }));
    const long late = overstay(begin, std::chrono::seconds{3});
    MESSAGE("overstay " << late << " ms");
    CHECK(late < 1000);
    CHECK(ground.ends_within(2));
    CHECK(presence(change, ground.place) == Presence::altered);
    CHECK(ground.said(change) == "the lease was over\n");
    CHECK(status_of(change.renew, ground.place) != 0);
    CHECK(status_of(change.undo, ground.place) == 0);
    CHECK(presence(change, ground.place) == Presence::absent);
}

TEST_CASE("a lowered limit is put back when nobody renews") {
    const Ground ground;
    const Limited limited(ground);
    const auto before = file_limits(limited.victim.pid());
    ChangeRequest request = limited.request();
    request.ttl = std::chrono::seconds{3};
    const Change change = ground.hold("fd-exhaust", request);
    CHECK(within(5, [&] { return file_limits(limited.victim.pid()) == before; }));
    CHECK(ground.ends_within(2));
}

TEST_CASE("a renewal moves the end, and none goes past the longest time") {
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Ground ground(shell);
        ChangeRequest request = ground.request("disk-fill");
        request.ttl = std::chrono::seconds{2};
        request.params["size"] = std::string("1MiB");
        const Change change = ground.hold("disk-fill", request);
        request.ttl = std::chrono::seconds{600};
        const Result<Change> longer = ground.compose("disk-fill", request);
        REQUIRE(bool(longer));
        const std::string before = text_of_file(ground.place.directory + "/until");
        CHECK(status_of(longer->renew, ground.place) == 0);
        const std::string after = text_of_file(ground.place.directory + "/until");
        CHECK(after.size() == before.size());
        CHECK(std::stol(after) - std::stol(before) > 59'000);
        CHECK(std::stol(after) - std::stol(before) < 61'000);
        CHECK_FALSE(ground.ends_within(2.5));
        CHECK(presence(change, ground.place) == Presence::bites);
        CHECK(status_of(change.undo, ground.place) == 0);
        CHECK(status_of(longer->renew, ground.place) != 0);
    }
    const Ground ground;
    ChangeRequest request = ground.request("disk-fill");
    request.params["size"] = std::string("1MiB");
    Result<Change> change = ground.compose("disk-fill", request);
    REQUIRE(bool(change));
    change->apply.front().argv[5] = "100";  // the longest time, in centiseconds
    CHECK(ground.apply(*change).status == 0);
    CHECK(status_of(change->renew, ground.place) == 0);
    CHECK(ground.ends_within(3));
}

TEST_CASE("killed or stopped by somebody, half or whole: the space comes back, and it is told") {
    struct Harm {
        const char* what;
        int signal;
        bool keeper, worker;
    };
    for (const Harm& harm :
         {Harm{"keeper killed", SIGKILL, true, false}, Harm{"worker killed", SIGKILL, false, true},
          Harm{"both killed", SIGKILL, true, true}, Harm{"keeper stopped", SIGSTOP, true, false},
          Harm{"worker stopped", SIGSTOP, false, true}}) {
        CAPTURE(harm.what);
        const Ground ground;
        const long before = free_space(ground.disk);
        ChangeRequest request = ground.request("disk-fill");
        // Killed: at once. Stopped: by the half that still looks at the time.
        request.ttl = std::chrono::seconds{harm.signal == SIGKILL ? 60 : 2};
        request.params["size"] = std::string("4MiB");
        const Change change = ground.hold("disk-fill", request);
        const pid_t keeper = ground.keeper();
        const pid_t worker = ground.worker();
        if (harm.worker) { kill(worker, harm.signal); }
        if (harm.keeper) { kill(keeper, harm.signal); }
        CHECK(within(4, [&] { return free_space(ground.disk) == before; }));
        if (harm.signal == SIGKILL) {
            CHECK(ground.ends_within(2));
            CHECK(presence(change, ground.place) == Presence::altered);
        }
        CHECK(status_of(change.undo, ground.place) == 0);
        CHECK(ground.ends_within(2));
        CHECK(presence(change, ground.place) == Presence::absent);
    }
}

TEST_CASE("a stopped holder is idle, never gone, and the undo ends it") {
    const Ground ground;
    const long before = free_space(ground.disk);
    ChangeRequest request = ground.request("disk-fill");
    request.params["size"] = std::string("4MiB");
    const Change change = ground.hold("disk-fill", request);
    CHECK(kill(-ground.keeper(), SIGSTOP) == 0);
    CHECK(within(2, [&] { return presence(change, ground.place) == Presence::idle; }));
    CHECK(status_of(change.undo, ground.place) == 0);
    CHECK(free_space(ground.disk) == before);
}

TEST_CASE("a lease directory that somebody removes takes its holder with it") {
    const Ground ground;
    const long before = free_space(ground.disk);
    ChangeRequest request = ground.request("disk-fill");
    request.params["size"] = std::string("4MiB");
    const Change change = ground.hold("disk-fill", request);
    remove_directory(ground.place.directory);
    CHECK(ground.ends_within(2));
    CHECK(free_space(ground.disk) == before);
    fs::create_directory(ground.place.directory);
    CHECK(presence(change, ground.place) == Presence::absent);
}

TEST_CASE("an undo of what was never applied does nothing and is proven") {
    for (const std::string& shell : shells) {
        const Ground ground(shell);
        for (const char* kind : {"disk-fill", "fd-exhaust"}) {
            CAPTURE(kind);
            ChangeRequest request = ground.request(kind);
            if (std::string_view(kind) == "disk-fill") {
                request.params["size"] = std::string("4MiB");
            } else {
                request.params["host"] = true;
            }
            const Result<Change> change = ground.compose(kind, request);
            REQUIRE(bool(change));
            CHECK(status_of(change->undo, ground.place) == 0);
            CHECK(presence(*change, ground.place) == Presence::absent);
            CHECK(status_of(change->renew, ground.place) != 0);
        }
    }
}

TEST_CASE("a holder that was given a pid of somebody else leaves that process alone") {
    const Ground ground;
    ChangeRequest request = ground.request("disk-fill");
    request.params["size"] = std::string("4MiB");
    const Change change = ground.hold("disk-fill", request);
    const pid_t keeper = ground.keeper();
    Process other({"/usr/bin/sleep", "615"});
    const std::string record = "full " + other.name() + ":1 " + other.name() + ":2 free\n";
    std::ofstream(ground.place.directory + "/holder.other") << record;
    kill(-keeper, SIGKILL);
    CHECK(ground.ends_within(2));
    fs::rename(ground.place.directory + "/holder.other", ground.place.directory + "/holder");
    CHECK(presence(change, ground.place) == Presence::altered);
    CHECK(status_of(change.undo, ground.place) == 0);
    CHECK(other.state() == 'S');
}

TEST_CASE("the undo of a holder forks nothing") {
    if (!has_program("strace")) {
        MESSAGE("skipped: needs strace");
        return;
    }
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Ground ground(shell);
        ChangeRequest request = ground.request("disk-fill");
        request.params["size"] = std::string("4MiB");
        const Change change = ground.hold("disk-fill", request);
        const std::string keeper = std::to_string(ground.keeper());
        const std::string trace = ground.place.directory + "/trace";
        Exec traced = change.undo.front();
        traced.argv.insert(traced.argv.begin(), {"/usr/bin/strace", "-f", "-o", trace, "-e",
                                                 "trace=clone,clone3,fork,vfork,kill"});
        CHECK(run(traced, ground.place).status == 0);
        const std::string calls = text_of_file(trace);
        CHECK(calls.find("kill(-" + keeper + ", SIGKILL)") != std::string::npos);
        CHECK(calls.find("fork(") == std::string::npos);
        CHECK(calls.find("clone") == std::string::npos);
    }
}
