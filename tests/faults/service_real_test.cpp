// service-stop and service-restart on a service of the test's own: three programs that start, stop
// and look at one real process, under three shells. systemd and init scripts: host_faults_test.sh.
#include "faults/requests.hpp"
#include "faults/runner.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace drill;
using namespace drill::test;

namespace {

using Texts = std::vector<std::string>;
const std::string shells[] = {"dash", "bash", "busybox"};

std::string text_in(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

/// A daemon in miniature: `start` leaves a sleep behind, whose pid is in a file.
struct Daemon {
    Place place;
    std::string home{make_directory()};
    explicit Daemon(const std::string& shell) : place{shell, make_directory(), ""} { act(start()); }
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;
    ~Daemon() {
        act(stop());
        remove_directory(home);
        remove_directory(place.directory);
    }
    [[nodiscard]] Texts start() const {
        return {"sh", "-c",
                "umask >\"$0/mask\"; cat /proc/self/oom_score_adj >\"$0/score\"; "
                "sleep 604 & echo $! >\"$0/pid\"; echo started",
                home};
    }
    [[nodiscard]] Texts stop() const {
        return {"sh", "-c",
                "read -r pid <\"$0/pid\" && kill -9 $pid; "
                "while [ -d /proc/$pid ] && ! grep -q '^State:.Z' /proc/$pid/status; do :; done; "
                "rm -f \"$0/pid\"",
                home};
    }
    [[nodiscard]] Texts status() const { return {"sh", "-c", "test -e \"$0/pid\"", home}; }
    void act(const Texts& argv) const { (void)run({argv, {}}, place); }
    [[nodiscard]] bool runs() const { return std::filesystem::exists(home + "/pid"); }
    [[nodiscard]] Change compose(const char* kind, Values more = {}) const {
        ChangeRequest request = request_for(kind_of(kind), Binding::run);
        request.directory = place.directory;
        request.params.erase("unit");
        request.params["stop"] = stop();
        request.params["start"] = start();
        request.params["status"] = status();
        request.params.merge(more);
        request.observed = run_all(kind_of(kind).observe(request), place);
        Result<Change> change = kind_of(kind).compose(request);
        REQUIRE(bool(change));
        return *change;
    }
};

}  // namespace

TEST_CASE("a service is stopped, bites while it is down and runs again after the undo") {
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Daemon daemon(shell);
        const Change change = daemon.compose("service-stop");
        CHECK(status_of(change.arm, daemon.place) == 0);
        CHECK(presence(change, daemon.place) == Presence::absent);
        CHECK(status_of(change.apply, daemon.place) == 0);
        CHECK_FALSE(daemon.runs());
        CHECK(presence(change, daemon.place) == Presence::bites);
        CHECK(status_of(change.undo, daemon.place) == 0);
        CHECK(daemon.runs());
        CHECK(presence(change, daemon.place) == Presence::absent);
        const std::string pid = text_in(daemon.home + "/pid");
        CHECK(status_of(change.undo, daemon.place) == 0);
        CHECK(text_in(daemon.home + "/pid") == pid);  // not started twice
    }
}

TEST_CASE("what the undo starts gets the umask and OOM score of PID 1, not those of the lease") {
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Daemon daemon(shell);
        const Change change = daemon.compose("service-stop");
        daemon.act(daemon.stop());
        CHECK(status_of(change.undo, daemon.place) == 0);
        CHECK(text_in(daemon.home + "/mask") == "0022\n");
        CHECK(text_in(daemon.home + "/score") == text_in("/proc/1/oom_score_adj"));
        CHECK(text_in(daemon.place.directory + "/start.log") == "started\n");
    }
}

TEST_CASE("a service that does not run is not stopped") {
    const Daemon daemon("dash");
    const Change change = daemon.compose("service-stop");
    daemon.act(daemon.stop());
    CHECK(status_of(change.arm, daemon.place) == 1);
}

TEST_CASE("kept out by hand: the undo starts nothing, and that is what was meant") {
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Daemon daemon(shell);
        const Change change = daemon.compose("service-stop", {{"return", std::string("by-hand")}});
        CHECK(status_of(change.apply, daemon.place) == 0);
        CHECK(presence(change, daemon.place) == Presence::bites);
        CHECK(status_of(change.undo, daemon.place) == 0);
        CHECK_FALSE(daemon.runs());
        CHECK(presence(change, daemon.place) == Presence::absent);
        CHECK(run(change.read_back[0], daemon.place).out == "kept out on purpose\n");
    }
}

TEST_CASE("a restart is seen by the time in which it was down, and runs at the end") {
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Daemon daemon(shell);
        const Change change = daemon.compose("service-restart");
        const std::string pid = text_in(daemon.home + "/pid");
        CHECK(presence(change, daemon.place) == Presence::idle);
        CHECK(status_of(change.apply, daemon.place) == 0);
        CHECK(presence(change, daemon.place) == Presence::bites);
        CHECK(daemon.runs());
        CHECK(text_in(daemon.home + "/pid") != pid);
        CHECK(status_of(change.check, daemon.place) == 0);
        daemon.act(daemon.stop());  // it crashed after the restart
        CHECK(status_of(change.undo, daemon.place) == 0);
        CHECK(daemon.runs());
        CHECK(presence(change, daemon.place) == Presence::absent);
    }
}

TEST_CASE("a start that failed is not undone before it runs") {
    const Daemon daemon("dash");
    const Change change = daemon.compose("service-restart");
    REQUIRE(status_of({change.undo[0]}, daemon.place) == 0);
    daemon.act(daemon.stop());
    CHECK(presence(change, daemon.place) == Presence::bites);
}
