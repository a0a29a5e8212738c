// The kinds with a holder on file systems, cgroups and processes of our own: they bite by what they
// take, and give all of it back. How they end whatever is killed: holder_end_test.cpp.
// All is bounded: small tmpfs and ext4 in a mount namespace of this process, cgroups with limits.
#include "faults/holder_ground.hpp"
#include "holder/program.hpp"

#include <fcntl.h>
#include <atomic>

using namespace drill;
using namespace drill::test;

TEST_CASE("the holder is one static program of less than a mebibyte") {
    CHECK(
        holder_program().bytes.starts_with("\x7f"
                                           "ELF"));
    CHECK(holder_program().bytes.size() < 1048576);
    CHECK(holder_program().sha256.size() == 64);
    CHECK(holder_program().bytes.find("/lib64/ld-linux") == std::string_view::npos);
}

TEST_CASE("the program is pushed once, believed by its sum, and runs") {
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Ground ground(shell);
        ChangeRequest request = ground.request("disk-fill");
        request.params["size"] = std::string("1MiB");
        const Result<Change> change = ground.compose("disk-fill", request);
        REQUIRE(bool(change));
        CHECK(status_of(change->arm, ground.place) == 0);
        const std::string program = ground.programs + "/" + std::string(holder_program().sha256);
        CHECK(text_of_file(program) == holder_program().bytes);
        CHECK((fs::status(program).permissions() & fs::perms::all) == fs::perms{0755});
        const auto written = fs::last_write_time(program);
        CHECK(status_of(change->arm, ground.place) == 0);
        CHECK((fs::last_write_time(program) == written));
        // Another content under that name is replaced, never run.
        std::ofstream(program) << "#!/bin/sh\ntouch " << ground.place.directory << "/trap\n";
        CHECK(status_of(change->arm, ground.place) == 0);
        CHECK(text_of_file(program) == holder_program().bytes);
        CHECK_FALSE(fs::exists(ground.place.directory + "/trap"));
        CHECK(std::distance(fs::directory_iterator(ground.programs), {}) == 1);
    }
}

TEST_CASE("many pushes at once leave one whole program") {
    const Ground ground;
    ChangeRequest request = ground.request("disk-fill");
    request.params["size"] = std::string("1MiB");
    const Result<Change> change = ground.compose("disk-fill", request);
    REQUIRE(bool(change));
    std::vector<std::thread> pushes;
    std::atomic<int> good{0};
    for (int i = 0; i < 8; ++i) {
        pushes.emplace_back([&] { good += status_of(change->arm, ground.place) == 0 ? 1 : 0; });
    }
    for (std::thread& push : pushes) { push.join(); }
    CHECK(good == 8);
    const std::string program = ground.programs + "/" + std::string(holder_program().sha256);
    CHECK(text_of_file(program) == holder_program().bytes);
    CHECK(std::distance(fs::directory_iterator(ground.programs), {}) == 1);
}

TEST_CASE("a push to a file system with noexec or without room says so") {
    Ground ground;
    ground.programs = ground.disk + "/bin";
    ChangeRequest request = ground.request("disk-fill");
    request.params["size"] = std::string("1MiB");
    const Result<Change> change = ground.compose("disk-fill", request);
    REQUIRE(bool(change));
    const std::string options = "size=16m,nr_inodes=600";
    REQUIRE(mount("", ground.disk.c_str(), "", MS_REMOUNT | MS_NOEXEC, options.c_str()) == 0);
    const CommandReply noexec = run(change->arm.front(), ground.place);
    CHECK(noexec.status != 0);
    CHECK(noexec.err.find("noexec") != std::string::npos);
    remove_directory(ground.programs);
    REQUIRE(mount("", ground.disk.c_str(), "", MS_REMOUNT, "size=8k,nr_inodes=600") == 0);
    const CommandReply full = run(change->arm.front(), ground.place);
    CHECK(full.status != 0);
    CHECK(full.err.find("is the file system full?") != std::string::npos);
    CHECK(std::distance(fs::directory_iterator(ground.programs), {}) == 0);
}

TEST_CASE("a target whose program folder is noexec is refused with the fix") {
    const Ground ground;
    ChangeRequest request = ground.request("disk-fill");
    request.params["size"] = std::string("1MiB");
    Exec question = kind_of("disk-fill").observe(request).front();
    REQUIRE(mount("", ground.disk.c_str(), "", MS_REMOUNT | MS_NOEXEC, "size=16m,nr_inodes=600") ==
            0);
    for (std::string& word : question.argv) {
        if (word == "/var/lib/drill/bin") { word = ground.disk + "/drill/bin"; }
    }
    request.observed = {run(question, ground.place)};
    const std::string refusal = refusal_of(kind_of("disk-fill"), request);
    CHECK(refusal.find(ground.disk + " is mounted noexec; mount -o remount,exec " + ground.disk) !=
          std::string::npos);
}

TEST_CASE("a disk fill takes the space, and its undo gives all of it back") {
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Ground ground(shell);
        const long before = free_space(ground.disk);
        ChangeRequest request = ground.request("disk-fill");
        request.params["percent"] = Percent{1'000'000};
        request.params["leave"] = std::string("1MiB");
        const Change change = ground.hold("disk-fill", request);
        CHECK(free_space(ground.disk) <= 1048576);
        CHECK(free_space(ground.disk) > 1048576 - 65536);
        CHECK(ground.said(change).find("free space 16 MiB -> 1024 KiB") == 0);
        CHECK(fs::is_empty(ground.disk));
        CHECK(status_of(change.undo, ground.place) == 0);
        CHECK(free_space(ground.disk) == before);
        CHECK(presence(change, ground.place) == Presence::absent);
        CHECK(status_of(change.undo, ground.place) == 0);
        CHECK(ground.processes().empty());
    }
}

TEST_CASE("ext4 is filled to the last block that is not root's, and to the last inode") {
    const Ground ground;
    const std::string image = ground.place.directory + ".ext4";
    const std::string mounted = ground.place.directory + ".mnt";
    fs::create_directory(mounted);
    const Place anywhere{"dash", "", ""};
    const auto shell = [&](const std::string& text) {
        return run({{"sh", "-c", text, "x", image, mounted}, {}}, anywhere).status;
    };
    if (!has_program("mkfs.ext4") || shell("truncate -s 64M \"$1\" && mkfs.ext4 -q -N 2048 \"$1\" "
                                           "&& mount -o loop \"$1\" \"$2\"") != 0) {
        MESSAGE("skipped: needs mkfs.ext4 and a loop device");
        remove_directory(image);
        remove_directory(mounted);
        return;
    }
    const long space = free_space(mounted);
    ChangeRequest request = ground.request("disk-fill");
    request.params["path"] = mounted;
    request.params["percent"] = Percent{1'000'000};
    {
        const Change change = ground.hold("disk-fill", request);
        CHECK(free_space(mounted) < 65536);
        CHECK(status_of(change.undo, ground.place) == 0);
        CHECK(free_space(mounted) == space);
    }
    const long inodes = free_inodes(mounted);
    request = ground.request("inode-fill");
    request.params["path"] = mounted;
    request.params["percent"] = Percent{1'000'000};
    const Change change = ground.hold("inode-fill", request);
    CHECK(free_inodes(mounted) < 4);
    CHECK(open((mounted + "/new").c_str(), O_CREAT | O_WRONLY, 0600) < 0);
    CHECK(status_of(change.undo, ground.place) == 0);
    CHECK(free_inodes(mounted) >= inodes - 1);
    CHECK(shell("umount \"$2\" && rm \"$1\" && rmdir \"$2\"") == 0);
}

TEST_CASE("an inode fill by number takes as many and gives them back") {
    const Ground ground;
    const long before = free_inodes(ground.disk);
    ChangeRequest request = ground.request("inode-fill");
    request.params["take"] = std::int64_t{100};
    const Change change = ground.hold("inode-fill", request);
    CHECK(free_inodes(ground.disk) == before - 100);
    CHECK(status_of(change.undo, ground.place) == 0);
    CHECK(free_inodes(ground.disk) == before);
}

TEST_CASE("processors are kept busy by processes that get time, and then no more") {
    const Ground ground;
    ChangeRequest request = ground.request("cpu");
    request.params["cores"] = std::string("2");
    request.params["load"] = Percent{300'000};
    const Change change = ground.hold("cpu", request);
    CHECK(ground.processes().size() == 3);
    CHECK(ground.said(change).find("60 % asked for") != std::string::npos);
    CHECK(number_of_file("/proc/" + std::to_string(ground.worker()) + "/oom_score_adj") == 1000);
    CHECK(getpriority(PRIO_PROCESS, static_cast<id_t>(ground.keeper())) == -20);
    CHECK(getpriority(PRIO_PROCESS, static_cast<id_t>(ground.worker())) == 0);
    CHECK(status_of(change.undo, ground.place) == 0);
    CHECK(ground.ends_within(2));
}

TEST_CASE("memory of a cgroup is taken up to the share, and is free again") {
    const Cgroup cgroup("memory", "memory.limit_in_bytes", "64M");
    if (cgroup.path.empty()) {
        MESSAGE("skipped: no memory cgroup can be made");
        return;
    }
    const Ground ground;
    ChangeRequest request = ground.request("memory");
    request.params["percent"] = Percent{750'000};
    request.params["leave"] = std::string("4MiB");
    request.params["cgroup"] = cgroup.name;
    const Change change = ground.hold("memory", request);
    CHECK(cgroup.number("memory.usage_in_bytes") > 32 * 1048576);
    CHECK(cgroup.number("memory.usage_in_bytes") < 56 * 1048576);
    CHECK(status_of(change.undo, ground.place) == 0);
    CHECK(cgroup.number("memory.usage_in_bytes") < 8 * 1048576);
}

TEST_CASE("a rest that comes first is idle, and says how far it came") {
    const Cgroup cgroup("memory", "memory.limit_in_bytes", "64M");
    if (cgroup.path.empty()) {
        MESSAGE("skipped: no memory cgroup can be made");
        return;
    }
    const Ground ground;
    ChangeRequest request = ground.request("memory");
    request.params["size"] = std::string("128MiB");
    request.params["leave"] = std::string("16MiB");
    request.params["cgroup"] = cgroup.name;
    const Result<Change> change = ground.compose("memory", request);
    REQUIRE(bool(change));
    CHECK(ground.apply(*change).status == 0);
    CHECK(within(3, [&] { return ground.said(*change).find("holds 4") == 0; }));
    CHECK(presence(*change, ground.place) == Presence::idle);
    CHECK(status_of(change->undo, ground.place) == 0);
    CHECK(presence(*change, ground.place) == Presence::absent);
}

TEST_CASE("when memory runs out the holder is the victim, and that is told as its end") {
    const Cgroup cgroup("memory", "memory.limit_in_bytes", "64M");
    if (cgroup.path.empty() || !has_program("python3")) {
        MESSAGE("skipped: no memory cgroup can be made");
        return;
    }
    const Ground ground;
    ChangeRequest request = ground.request("memory");
    request.params["size"] = std::string("40MiB");
    request.params["leave"] = std::string("0");
    request.params["cgroup"] = cgroup.name;
    const Change change = ground.hold("memory", request);
    // A service of that cgroup needs 40 MiB as well: both do not fit.
    const std::string service =
        "echo $$ >'" + cgroup.path + "/cgroup.procs' && exec python3 -c 'x = b\"x\" * (40 << 20)'";
    CHECK(run({{"sh", "-c", service}, {}}, ground.place).status == 0);
    CHECK(within(3, [&] { return presence(change, ground.place) == Presence::altered; }));
    CHECK(ground.said(change) == "the holder is gone: its worker was ended by signal 9\n");
    CHECK(status_of(change.undo, ground.place) == 0);
    CHECK(presence(change, ground.place) == Presence::absent);
}

TEST_CASE("the process table of a cgroup is full for others, and its undo works from inside") {
    const Cgroup cgroup("pids", "pids.max", "100");
    if (cgroup.path.empty()) {
        MESSAGE("skipped: no pids cgroup can be made");
        return;
    }
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Ground ground(shell);
        ChangeRequest request = ground.request("pid-exhaust");
        request.params["cgroup"] = cgroup.name;
        request.params["leave"] = std::int64_t{1};
        Result<Change> change = ground.compose("pid-exhaust", request);
        REQUIRE(bool(change));
        CHECK(ground.apply(*change).status == 0);
        CHECK(within(3, [&] { return presence(*change, ground.place) == Presence::bites; }));
        CHECK(cgroup.number("pids.current") == 99);
        const std::string enter = "echo $$ >'" + cgroup.path + "/cgroup.procs' && ";
        const Exec fork{{"/bin/dash", "-c", enter + "(:)"}, {}};
        CHECK(run(fork, ground.place).err.find("annot fork") != std::string::npos);
        Exec inside = change->undo.front();
        inside.argv.insert(inside.argv.begin(),
                           {"/bin/dash", "-c", enter + "exec \"$@\"", "inside"});
        CHECK(run(inside, ground.place).status == 0);
        // What init has not waited for yet counts a little longer.
        CHECK(within(3, [&] { return cgroup.number("pids.current") == 0; }));
        CHECK(presence(*change, ground.place) == Presence::absent);
    }
}

TEST_CASE("a user has as many processes less as were taken") {
    const Ground ground;
    ChangeRequest request = ground.request("pid-exhaust");
    request.params["user"] = std::string("nobody");
    request.params["take"] = std::int64_t{50};
    const Change change = ground.hold("pid-exhaust", request);
    const std::string threads = "/proc/" + std::to_string(ground.worker()) + "/task";
    CHECK(std::distance(fs::directory_iterator(threads), {}) == 50);
    CHECK(
        text_of_file("/proc/" + std::to_string(ground.worker()) + "/status").find("Uid:\t65534") !=
        std::string::npos);
    CHECK(status_of(change.undo, ground.place) == 0);
    CHECK(within(2, [&] { return !fs::exists(threads); }));
}

TEST_CASE("open files of the host are taken by number and given back") {
    const Ground ground;
    ChangeRequest request = ground.request("fd-exhaust");
    request.params["host"] = true;
    request.params["take"] = std::int64_t{8'000};
    const long before = number_of_file("/proc/sys/fs/file-nr");
    const Change change = ground.hold("fd-exhaust", request);
    CHECK(number_of_file("/proc/sys/fs/file-nr") > before + 6'000);
    CHECK(status_of(change.undo, ground.place) == 0);
    CHECK(within(3, [&] { return number_of_file("/proc/sys/fs/file-nr") < before + 3'000; }));
}

TEST_CASE("a process can open no more files, and after the undo it can") {
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Ground ground(shell);
        const Limited limited(ground);
        const auto before = file_limits(limited.victim.pid());
        const Change change = ground.hold("fd-exhaust", limited.request());
        long open = 0;
        while (fs::exists(
            fs::symlink_status("/proc/" + limited.victim.name() + "/fd/" + std::to_string(open)))) {
            ++open;
        }
        CHECK(file_limits(limited.victim.pid()).first == open);
        CHECK(file_limits(limited.victim.pid()).second == before.second);
        CHECK(status_of(change.undo, ground.place) == 0);
        CHECK(file_limits(limited.victim.pid()) == before);
        CHECK(presence(change, ground.place) == Presence::absent);
    }
}

TEST_CASE("a limit that somebody else sets is told, and stays as they set it") {
    const Ground ground;
    const Limited limited(ground);
    const Change change = ground.hold("fd-exhaust", limited.request());
    const rlimit other{77, static_cast<rlim_t>(file_limits(limited.victim.pid()).second)};
    REQUIRE(prlimit(limited.victim.pid(), RLIMIT_NOFILE, &other, nullptr) == 0);
    CHECK(within(2, [&] { return presence(change, ground.place) == Presence::altered; }));
    CHECK(ground.said(change).find("set by somebody else") != std::string::npos);
    CHECK(status_of(change.undo, ground.place) == 0);
    CHECK(file_limits(limited.victim.pid()).first == 77);
}

TEST_CASE("a file system that also holds our leases is refused unless it is named") {
    for (const std::string& shell : shells) {
        CAPTURE(shell);
        const Ground ground(shell);
        ChangeRequest request = ground.request("disk-fill");
        request.params["path"] = std::string("/");
        request.params["size"] = std::string("4MiB");
        const Result<Change> change = ground.compose("disk-fill", request);
        REQUIRE_FALSE(bool(change));
        CHECK(change.error().message.find("/var/lib/drill") != std::string::npos);
        CHECK(change.error().message.find("/var/log") != std::string::npos);
        request.params["path"] = ground.disk;
        CHECK(bool(ground.compose("disk-fill", request)));
        request.params["path"] = ground.disk + "/none";
        CHECK_FALSE(bool(ground.compose("disk-fill", request)));
    }
}

TEST_CASE("the cgroup of our own login is refused") {
    const Cgroup cgroup("pids", "pids.max", "100");
    if (cgroup.path.empty()) {
        MESSAGE("skipped: no pids cgroup can be made");
        return;
    }
    const Ground ground;
    ChangeRequest request = ground.request("pid-exhaust");
    request.params["cgroup"] = cgroup.name;
    Exec question = kind_of("pid-exhaust").observe(request).front();
    question.argv.insert(question.argv.begin(),
                         {"/bin/dash", "-c",
                          "echo $$ >'" + cgroup.path + "/cgroup.procs' && exec \"$@\"", "inside"});
    request.observed = {run(question, ground.place)};
    CHECK(refusal_of(kind_of("pid-exhaust"), request).find("holds this login") !=
          std::string::npos);
}
