// The ground of the tests of kinds with a holder: a lease directory, a small file system in a mount
// namespace of this process, cgroups with limits, a process whose limits may be lowered.
// Must not: touch a file system or cgroup that the test did not make. Next: holder_real_test.cpp.
#pragma once

#include "faults/requests.hpp"
#include "faults/runner.hpp"

#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace drill::test {

namespace fs = std::filesystem;

inline const std::string shells[] = {"dash", "bash", "busybox"};
using Steady = std::chrono::steady_clock;

inline std::string text_of_file(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}
inline long number_of_file(const std::string& path) {
    return std::atol(text_of_file(path).c_str());
}

template <class Condition>
bool within(double seconds, Condition holds) {
    const auto end = Steady::now() + std::chrono::duration<double>(seconds);
    while (!holds()) {
        if (Steady::now() > end) { return false; }
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    return true;
}

/// Mounts of this process are nobody else's, and go away with it.
inline bool own_mounts() {
    static const bool made = is_root() && unshare(CLONE_NEWNS) == 0 &&
                             mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    return made;
}

/// A lease directory, a place for the program, and a small file system.
struct Ground {
    Place place;
    std::string disk, programs;
    explicit Ground(const std::string& shell = "dash") : place{shell, make_directory(), ""} {
        programs = place.directory + ".bin";
        disk = place.directory + ".disk";
        fs::create_directory(disk);
        REQUIRE(own_mounts());
        REQUIRE(mount("drill-test", disk.c_str(), "tmpfs", 0, "size=16m,nr_inodes=600") == 0);
    }
    Ground(const Ground&) = delete;
    Ground& operator=(const Ground&) = delete;
    ~Ground() {
        for (const pid_t pid : processes()) { kill(pid, SIGKILL); }
        umount2(disk.c_str(), MNT_DETACH);
        for (const std::string& left : {disk, programs, place.directory}) {
            remove_directory(left);
        }
    }
    [[nodiscard]] ChangeRequest request(const char* kind) const {
        ChangeRequest made = request_for(kind_of(kind), Binding::run);
        made.directory = place.directory;
        made.ttl = std::chrono::seconds{30};
        made.params = defaults_of(kind_of(kind));
        made.params["path"] = disk;
        if (std::string_view(kind) == "memory") { made.params["leave"] = std::string("1GiB"); }
        made.facts["init"] = "";
        made.observed.clear();
        return made;
    }
    /// Observed and composed as on a host; the programs lie in a folder of the test.
    [[nodiscard]] Result<Change> compose(const char* kind, ChangeRequest request) const {
        const Kind& found = kind_of(kind);
        request.observed = run_all(found.observe(request), place);
        Result<Change> change = found.compose(request);
        if (!change) { return change; }
        for (auto* commands : {&change->arm, &change->apply, &change->undo}) {
            for (Exec& exec : *commands) {
                for (std::string& word : exec.argv) {
                    const std::string folder = "/var/lib/drill/bin";
                    if (word.starts_with(folder)) { word.replace(0, folder.size(), programs); }
                }
            }
        }
        return change;
    }
    [[nodiscard]] CommandReply apply(const Change& change) const {
        CHECK(status_of(change.arm, place) == 0);
        return run(change.apply.front(), place);
    }
    /// Applied, and seen to bite.
    [[nodiscard]] Change hold(const char* kind, const ChangeRequest& request) const {
        Result<Change> change = compose(kind, request);
        if (!change) { FAIL(change.error().message); }
        const CommandReply reply = apply(*change);
        CAPTURE(reply.err);
        CAPTURE(reply.out);
        CHECK(reply.status == 0);
        CHECK(within(5, [&] { return presence(*change, place) == Presence::bites; }));
        return *change;
    }
    [[nodiscard]] std::string said(const Change& change) const {
        return run(change.read_back.front(), place).out;
    }
    [[nodiscard]] pid_t keeper() const { return pid_at(1); }
    [[nodiscard]] pid_t worker() const { return pid_at(2); }
    [[nodiscard]] pid_t pid_at(int field) const {
        std::istringstream record(text_of_file(place.directory + "/holder"));
        std::string word;
        for (int i = 0; i <= field; ++i) { record >> word; }
        return std::atoi(word.c_str());
    }
    /// Processes that were started with this lease directory.
    [[nodiscard]] std::vector<pid_t> processes() const {
        std::vector<pid_t> found;
        for (const auto& entry : fs::directory_iterator("/proc")) {
            const pid_t pid = std::atoi(entry.path().filename().c_str());
            if (pid <= 1 || pid == getpid()) { continue; }
            const std::string line = text_of_file(entry.path() / "cmdline");
            if (line.starts_with(programs) && line.find(place.directory) != std::string::npos) {
                found.push_back(pid);
            }
        }
        return found;
    }
    [[nodiscard]] bool ends_within(double seconds) const {
        return within(seconds, [&] { return processes().empty(); });
    }
};

inline long free_space(const std::string& path) {
    struct statvfs now {};
    REQUIRE(statvfs(path.c_str(), &now) == 0);
    return static_cast<long>(now.f_bavail * now.f_frsize);
}
inline long free_inodes(const std::string& path) {
    struct statvfs now {};
    REQUIRE(statvfs(path.c_str(), &now) == 0);
    return static_cast<long>(now.f_favail);
}

/// A cgroup with a limit; empty path where this machine does not let us make one.
struct Cgroup {
    std::string name = "drl" + std::to_string(getpid());
    std::string path;
    Cgroup(const std::string& hierarchy, const std::string& file, const std::string& limit) {
        const std::string wanted = "/sys/fs/cgroup/" + hierarchy + "/" + name;
        std::error_code failed;
        if (!fs::create_directory(wanted, failed)) { return; }
        path = wanted;
        std::ofstream(path + "/" + file) << limit << std::flush;
    }
    Cgroup(const Cgroup&) = delete;
    Cgroup& operator=(const Cgroup&) = delete;
    ~Cgroup() {
        if (!path.empty()) {
            CHECK(within(5, [&] { return rmdir(path.c_str()) == 0; }));
        }
    }
    [[nodiscard]] long number(const std::string& file) const {
        return number_of_file(path + "/" + file);
    }
};

/// ~1 s after `begin` + `lease`: how much longer the effect was there, in ms.
inline long overstay(Steady::time_point begin, std::chrono::milliseconds lease) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - begin - lease)
        .count();
}

inline std::pair<long, long> file_limits(pid_t pid) {
    rlimit now{};
    REQUIRE(prlimit(pid, RLIMIT_NOFILE, nullptr, &now) == 0);
    return {static_cast<long>(now.rlim_cur), static_cast<long>(now.rlim_max)};
}

/// fd-exhaust on a process of ours, which is a link to sleep of a name nobody else has.
struct Limited {
    const Ground& ground;
    std::string name = "limit" + std::to_string(getpid() % 100000);
    Process victim;
    explicit Limited(const Ground& here)
        : ground(here), victim({link_to_sleep(here.place.directory, name), "614"}) {}
    static std::string link_to_sleep(const std::string& directory, const std::string& name) {
        const std::string path = directory + "/" + name;
        fs::create_symlink("/usr/bin/sleep", path);
        return path;
    }
    [[nodiscard]] ChangeRequest request() const {
        ChangeRequest made = ground.request("fd-exhaust");
        made.params["process"] = name;
        return made;
    }
};

}  // namespace drill::test
