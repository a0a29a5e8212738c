// The guard on its own: it fires by itself, once, in order, without forking, whatever part of it
// is killed and whatever is exhausted. Here its timers really run. Read next: envelope.md.
#include "base/text.hpp"
#include "envelope/everywhere.hpp"

#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace drill;
namespace fs = std::filesystem;

namespace {

constexpr Nanos one_second = std::chrono::seconds{1};

/// Two undo programs that say in `log` when they run; the first takes a while. They need dash or
/// bash below them, not the shell of the guard.
std::vector<Exec> two_undos(const RealTarget& target) {
    const std::string log = target.directory + "/log";
    const std::string first =
        "echo first >>\"$1\"; sleep 0.1; rm -f \"$2\"; echo first-over >>\"$1\"";
    return {{{"/bin/sh", "-c", first, "undo", log, target.directory + "/effect"}, ""},
            {{"/bin/sh", "-c", "echo second >>\"$1\"", "undo", log}, ""}};
}

std::string in_order() { return "first\nfirst-over\nsecond\n"; }

std::string undo_log(const RealTarget& target) { return file_text(target.directory + "/log"); }

/// True when both undos ran in order, and ran once: nothing of the guard is left to run them again.
bool fired_once(const RealTarget& target, double seconds) {
    if (!within(seconds, [&] { return undo_log(target) == in_order(); })) { return false; }
    within(1.5, [&] { return processes_with(target.directory + "/run").empty(); });
    return undo_log(target) == in_order();
}

pid_t pid_of(const std::vector<std::string>& fields, std::size_t at) {
    return fields.size() > at ? std::atoi(fields[at].c_str()) : 0;
}
constexpr std::size_t main_field = 1;
constexpr std::size_t timer_field = 3;

/// Processes of the guard that wait for "go": those that are neither main nor its watch.
std::vector<pid_t> workers(const Drill& drill, const RealTarget& target) {
    std::vector<pid_t> found;
    for (const pid_t pid : processes_with("drill-" + drill.lease)) {
        const std::string open = "/proc/" + std::to_string(pid) + "/fd/3";
        std::error_code problem;
        const std::string what = fs::read_symlink(open, problem);
        if (what.starts_with(drill.directory(target) + "/w")) { found.push_back(pid); }
    }
    std::sort(found.begin(), found.end());
    return found;
}

/// Another generation of the guard, as a renewal starts it; true once it has said something.
bool start_by_hand(RealTarget& target, const Drill& drill, int generation) {
    const std::string directory = drill.directory(target);
    const std::string number = std::to_string(generation);
    (void)target.run("setsid " + target.places.shell + " " + directory + "/guard drill-" +
                     drill.lease + " main " + number + " 30 >/dev/null 2>&1 &\n");
    return within(3, [&] { return file_text(directory + "/guard." + number).ends_with("\n"); });
}

/// SIGKILL to what `pick` names, right after the apply; then everything must still fire once.
template <class Pick>
std::string survives(RealTarget& target, Nanos ttl, Pick pick) {
    Drill drill(target);
    drill.ttl = ttl;
    drill.undo = two_undos(target);
    DRILL_EXPECT(drill.call(target, Phase::apply) == 0);
    const std::vector<std::string> fields = guard_fields(drill.directory(target));
    DRILL_EXPECT(fields.size() >= 6 && fields[0] == "armed");
    for (const pid_t pid : pick(drill, fields)) {
        DRILL_EXPECT(pid > 1);
        ::kill(pid, SIGKILL);
    }
    DRILL_EXPECT(fired_once(target, 5));
    DRILL_EXPECT(!target.effect_present());
    return {};
}

}  // namespace

TEST_CASE("the guard fires by itself, in order and once, with boot time standing still") {
    everywhere([](RealTarget& target) {
        return survives(target, one_second,
                        [](const Drill&, const auto&) { return std::vector<pid_t>{}; });
    });
}

TEST_CASE("main killed: the undos run at the deadline") {
    everywhere([](RealTarget& target) {
        return survives(target, one_second, [](const Drill&, const auto& fields) {
            return std::vector<pid_t>{pid_of(fields, main_field)};
        });
    });
}

TEST_CASE("the timer killed: the undos run at once") {
    everywhere([](RealTarget& target) {
        return survives(target, std::chrono::hours{1}, [](const Drill&, const auto& fields) {
            return std::vector<pid_t>{pid_of(fields, timer_field)};
        });
    });
}

TEST_CASE("main and timer killed: the undos run at once") {
    everywhere([](RealTarget& target) {
        return survives(target, std::chrono::hours{1}, [](const Drill&, const auto& fields) {
            return std::vector<pid_t>{pid_of(fields, main_field), pid_of(fields, timer_field)};
        });
    });
}

TEST_CASE("a worker killed: main runs its undo") {
    everywhere([](RealTarget& target) {
        return survives(target, one_second, [&](const Drill& drill, const auto&) {
            return std::vector<pid_t>{workers(drill, target).at(0)};
        });
    });
}

TEST_CASE("main told to end by a signal: the undos run at once") {
    everywhere([](RealTarget& target) {
        Drill drill(target);
        drill.ttl = std::chrono::hours{1};
        drill.undo = two_undos(target);
        DRILL_EXPECT(drill.call(target, Phase::apply) == 0);
        ::kill(pid_of(guard_fields(drill.directory(target)), main_field), SIGTERM);
        DRILL_EXPECT(fired_once(target, 5));
        return std::string();
    });
}

TEST_CASE("the guard fires when nothing can be forked") {
    const fs::path groups = "/sys/fs/cgroup/pids";
    if (!fs::exists(groups / "pids.max") && !fs::exists(groups / "cgroup.procs")) {
        MESSAGE("skipped: no pids controller of cgroup v1");
        return;
    }
    everywhere([&](RealTarget& target) {
        const fs::path group = groups / fs::path(target.directory).filename();
        fs::create_directory(group);
        target.before = {"/bin/sh", "-c", "echo $$ >\"$0/cgroup.procs\"; exec \"$@\"", group};
        Drill drill(target);
        drill.ttl = std::chrono::seconds{2};
        const int status = drill.call(target, Phase::apply);
        std::ofstream(group / "pids.max") << "1";
        target.before.insert(target.before.end() - 1, "");
        target.before.erase(target.before.end() - 2);
        const bool lifted = within(6, [&] { return !target.effect_present(); });
        std::ofstream(group / "pids.max") << "max";
        target.before.clear();
        const int undone = drill.call(target, Phase::undo);
        within(3, [&] { return trim(file_text(group / "cgroup.procs")).empty(); });
        ::rmdir(group.c_str());
        DRILL_EXPECT(status == 0);
        DRILL_EXPECT(lifted);
        DRILL_EXPECT(undone == 0);
        return std::string();
    });
}

TEST_CASE(
    "renewals that meet the deadline: the effect ends once, and the answer is what happened") {
    everywhere([](RealTarget& target) {
        constexpr int drills = 8;
        std::vector<std::string> said(drills);
        std::vector<std::jthread> threads;
        const std::string shell = target.shell;
        for (int i = 0; i < drills; ++i) {
            threads.emplace_back([&said, shell, i] {
                said[static_cast<std::size_t>(i)] = [&]() -> std::string {
                    RealTarget own(shell);
                    Drill drill(own);
                    drill.ttl = one_second;
                    drill.undo = two_undos(own);
                    DRILL_EXPECT(drill.call(own, Phase::apply) == 0);
                    std::this_thread::sleep_for(std::chrono::milliseconds{940 + 10 * i});
                    const int status = drill.call(own, Phase::renew);
                    DRILL_EXPECT(status == 0 || status == EnvelopeStatus::ended ||
                                 status == EnvelopeStatus::no_guard);
                    DRILL_EXPECT(fired_once(own, 5));
                    const std::string by{trim(file_text(drill.directory(own) + "/fired"))};
                    DRILL_EXPECT(by == (status == 0 ? "2" : "1"));
                    return {};
                }();
            });
        }
        threads.clear();
        for (const std::string& one : said) {
            if (!one.empty()) { return one; }
        }
        return std::string();
    });
}

TEST_CASE("two generations that a cut-off renewal left: one of them undoes, once") {
    everywhere([](RealTarget& target) {
        Drill drill(target);
        drill.undo = two_undos(target);
        DRILL_EXPECT(drill.call(target, Phase::apply) == 0);
        DRILL_EXPECT(start_by_hand(target, drill, 2));
        DRILL_EXPECT(guard_fields(drill.directory(target)).at(0) == "armed");
        target.pass_time(drill.ttl + std::chrono::seconds{1});
        DRILL_EXPECT(fired_once(target, 3));
        return std::string();
    });
}

TEST_CASE("a guard that starts after the undo ends itself") {
    everywhere([](RealTarget& target) {
        const Drill drill(target);
        DRILL_EXPECT(drill.call(target, Phase::apply) == 0);
        DRILL_EXPECT(drill.call(target, Phase::undo) == 0);
        DRILL_EXPECT(start_by_hand(target, drill, 2));
        DRILL_EXPECT(
            within(2, [&] { return guard_fields(drill.directory(target)).at(0) == "ended"; }));
        DRILL_EXPECT(within(3, [&] { return processes_with("drill-" + drill.lease).empty(); }));
        return std::string();
    });
}

TEST_CASE("an armed guard holds nothing of the connection that armed it") {
    everywhere([](RealTarget& target) {
        const Drill drill(target);
        DRILL_EXPECT(drill.call(target, Phase::apply) == 0);
        const std::vector<pid_t> guards = processes_with("drill-" + drill.lease);
        DRILL_EXPECT(guards.size() >= 2);
        for (const pid_t pid : guards) {
            const std::string base = "/proc/" + std::to_string(pid);
            std::error_code problem;
            for (const auto& entry : fs::directory_iterator(base + "/fd", problem)) {
                const std::string what = fs::read_symlink(entry.path(), problem);
                DRILL_EXPECT(!what.starts_with(target.directory + "/call"));
            }
            // Only with CAP_SYS_RESOURCE may a process say that it is never a victim.
            if (target.run("echo -1000 2>/dev/null >/proc/self/oom_score_adj").status == 0) {
                DRILL_EXPECT(trim(file_text(base + "/oom_score_adj")) == "-1000");
            }
        }
        return std::string();
    });
}

TEST_CASE("the timer is a relative sleep, which no step of the wall clock moves") {
    if (!fs::exists("/usr/bin/strace")) {
        MESSAGE("skipped: no strace");
        return;
    }
    everywhere([](RealTarget& target) {
        const std::string trace = target.directory + "/trace";
        target.before = {"/usr/bin/strace",
                         "-f",
                         "-qq",
                         "-e",
                         "trace=nanosleep,clock_nanosleep,timer_settime,setitimer",
                         "-o",
                         trace};
        Drill drill(target);
        drill.ttl = std::chrono::seconds{1};
        DRILL_EXPECT(drill.call(target, Phase::apply) == 0);
        DRILL_EXPECT(within(5, [&] { return !target.effect_present(); }));
        bool slept = false;
        for (const std::string& line : split(file_text(trace), '\n')) {
            if (line.find("TIMER_ABSTIME") != std::string::npos) { return line; }
            slept = slept || line.find("nanosleep(") != std::string::npos;
        }
        DRILL_EXPECT(slept);
        return std::string();
    });
}
