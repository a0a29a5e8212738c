// What may go wrong around an envelope: a full disk, a shell that is killed anywhere, calls side
// by side, a connection that breaks, a person who undoes by hand. Nothing may stay behind.
#include "base/random.hpp"
#include "base/text.hpp"
#include "envelope/everywhere.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <filesystem>
#include <fstream>

using namespace drill;
namespace fs = std::filesystem;

namespace {

/// A mount namespace of its own for the calling thread; false where that is not allowed.
bool own_mounts() {
    return ::unshare(CLONE_FS | CLONE_NEWNS) == 0 &&
           ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

bool mount_small(const std::string& at, const std::string& options) {
    fs::create_directories(at);
    return ::mount("drill-test", at.c_str(), "tmpfs", 0, options.c_str()) == 0;
}

/// After whatever happened, time passes and an undo comes: the effect must be gone, and with the
/// disarm the lease directory too.
std::string clears_up(const Drill& drill, RealTarget& target) {
    const int undone = drill.call(target, Phase::undo);
    if (undone != 0) { return "undo answers " + std::to_string(undone); }
    DRILL_EXPECT(!target.effect_present());
    DRILL_EXPECT(drill.call(target, Phase::disarm) == 0);
    DRILL_EXPECT(!fs::exists(drill.directory(target)));
    DRILL_EXPECT(drill.call(target, Phase::apply) == EnvelopeStatus::undone_before);
    DRILL_EXPECT(within(3, [&] { return processes_with(target.directory + "/run").empty(); }));
    return {};
}

/// Kills the shell of a call after a while, with all that it runs in the foreground or without.
void kill_call(RealTarget& target, const Envelope& envelope, Random& random) {
    const pid_t pid = target.start(render_envelope(envelope, target.places));
    std::this_thread::sleep_for(std::chrono::microseconds{random.below(45'000)});
    ::kill(random.chance(500) ? pid : -pid, SIGKILL);
    (void)target.finish(pid);
}

}  // namespace

TEST_CASE("an apply that is killed anywhere is ended by the guard, and by an undo") {
    everywhere([](RealTarget& first) {
        Random random(7);
        const std::string shell = first.shell;
        for (int round = 0; round < 8; ++round) {
            RealTarget target(shell);
            const Drill drill(target);
            kill_call(target, drill.envelope(target, Phase::apply), random);
            if (round % 2 == 0) {
                target.pass_time(drill.ttl + std::chrono::seconds{1});
                if (target.effect_present()) { return "round " + std::to_string(round); }
            }
            const std::string wrong = clears_up(drill, target);
            if (!wrong.empty()) { return "round " + std::to_string(round) + ": " + wrong; }
        }
        return std::string();
    });
}

TEST_CASE("an undo that is killed anywhere leaves the guard armed until it has worked") {
    everywhere([](RealTarget& first) {
        Random random(11);
        const std::string shell = first.shell;
        for (int round = 0; round < 8; ++round) {
            RealTarget target(shell);
            const Drill drill(target);
            DRILL_EXPECT(drill.call(target, Phase::apply) == 0);
            kill_call(target, drill.envelope(target, Phase::undo), random);
            if (round % 2 == 0) {
                target.pass_time(drill.ttl + std::chrono::seconds{1});
                if (target.effect_present()) { return "round " + std::to_string(round); }
            }
            const std::string wrong = clears_up(drill, target);
            if (!wrong.empty()) { return "round " + std::to_string(round) + ": " + wrong; }
        }
        return std::string();
    });
}

TEST_CASE("a renewal that is killed anywhere leaves a guard that ends the effect") {
    everywhere([](RealTarget& first) {
        Random random(13);
        const std::string shell = first.shell;
        for (int round = 0; round < 8; ++round) {
            RealTarget target(shell);
            const Drill drill(target);
            DRILL_EXPECT(drill.call(target, Phase::apply) == 0);
            kill_call(target, drill.envelope(target, Phase::renew), random);
            if (round % 2 == 0) {
                target.pass_time(drill.ttl + std::chrono::seconds{1});
                if (target.effect_present()) { return "round " + std::to_string(round); }
            }
            const std::string wrong = clears_up(drill, target);
            if (!wrong.empty()) { return "round " + std::to_string(round) + ": " + wrong; }
        }
        return std::string();
    });
}

TEST_CASE("two undos and an apply side by side end without the effect") {
    everywhere([](RealTarget& first) {
        Random random(17);
        const std::string shell = first.shell;
        for (int round = 0; round < 8; ++round) {
            RealTarget target(shell);
            const Drill drill(target);
            const auto begin = [&](Phase phase) {
                return target.start(render_envelope(drill.envelope(target, phase), target.places));
            };
            const pid_t apply = begin(Phase::apply);
            std::this_thread::sleep_for(std::chrono::microseconds{random.below(40'000)});
            const pid_t one = begin(Phase::undo);
            const pid_t two = begin(Phase::undo);
            const int one_status = target.finish(one).status;
            const int two_status = target.finish(two).status;
            (void)target.finish(apply);
            if (one_status != 0 || two_status != 0 || target.effect_present()) {
                return "round " + std::to_string(round) + ": " + std::to_string(one_status) + " " +
                       std::to_string(two_status);
            }
            const std::string wrong = clears_up(drill, target);
            if (!wrong.empty()) { return "round " + std::to_string(round) + ": " + wrong; }
        }
        return std::string();
    });
}

TEST_CASE("a disk with any number of free blocks or files either holds a whole lease or none") {
    everywhere([](RealTarget& first) {
        if (!own_mounts()) { return std::string("needs root"); }
        const std::string shell = first.shell;
        int refused = 0;
        int applied = 0;
        for (const int room : {1, 4, 8, 12, 15, 17, 19, 21, 24, 30}) {
            for (const bool blocks : {true, false}) {
                RealTarget target(shell);
                const std::string count = std::to_string(room);
                DRILL_EXPECT(mount_small(target.places.run,
                                         blocks ? "nr_blocks=" + count : "nr_inodes=" + count));
                Drill drill(target);
                const int status = drill.call(target, Phase::apply);
                const bool present = target.effect_present();
                const int undone = present ? drill.call(target, Phase::undo) : 0;
                const bool left = target.effect_present();
                ::umount2(target.places.run.c_str(), MNT_DETACH);
                const std::string at = (blocks ? "blocks " : "files ") + count + ": status " +
                                       std::to_string(status) + ", undo " + std::to_string(undone);
                const bool said_no = status == EnvelopeStatus::no_directory ||
                                     status == EnvelopeStatus::no_guard ||
                                     status == EnvelopeStatus::apply_failed;
                if (present != (status == 0) || (status != 0 && !said_no) || left) { return at; }
                ++(status == 0 ? applied : refused);
            }
        }
        DRILL_EXPECT(refused > 4 && applied > 4);
        return std::string();
    });
}

TEST_CASE("a disk that fills up while the effect is held hinders neither guard nor undo") {
    everywhere([](RealTarget& first) {
        if (!own_mounts()) { return std::string("needs root"); }
        const std::string shell = first.shell;
        for (const bool by_guard : {true, false}) {
            RealTarget target(shell);
            DRILL_EXPECT(mount_small(target.places.run, "size=1m,nr_inodes=60"));
            const Drill drill(target);
            const int status = drill.call(target, Phase::apply);
            std::ofstream(target.places.run + "/fill") << std::string(2'000'000, 'x');
            for (int i = 0; i < 60; ++i) {
                const std::ofstream file(target.places.run + "/fill" + std::to_string(i));
            }
            if (by_guard) { target.pass_time(drill.ttl + std::chrono::seconds{1}); }
            const int undone = by_guard ? 0 : drill.call(target, Phase::undo);
            const bool left = target.effect_present();
            ::umount2(target.places.run.c_str(), MNT_DETACH);
            DRILL_EXPECT(status == 0);
            DRILL_EXPECT(!left);
            // Without room for a tombstone an undo that worked must still say that it is not sure.
            DRILL_EXPECT(by_guard || undone == EnvelopeStatus::undo_failed);
        }
        return std::string();
    });
}

TEST_CASE("an undo whose connection breaks still undoes all") {
    everywhere([](RealTarget& target) {
        Drill drill(target);
        const std::string chatty = "echo; echo; sleep 0.05; echo; rm -f \"$1\"";
        drill.undo = {{{"sh", "-c", chatty, "undo", target.directory + "/effect"}, ""}};
        DRILL_EXPECT(drill.call(target, Phase::apply) == 0);
        target.before = {"/bin/sh", "-c", "\"$@\" 2>&1 | true", "broken"};
        (void)target.run(render_envelope(drill.envelope(target, Phase::undo), target.places));
        DRILL_EXPECT(within(3, [&] { return !target.effect_present(); }));
        target.before.clear();
        return clears_up(drill, target);
    });
}

TEST_CASE("an undo that fails leaves the guard, which tries again") {
    everywhere([](RealTarget& target) {
        const Drill drill(target);
        DRILL_EXPECT(drill.call(target, Phase::apply) == 0);
        Envelope undo = drill.envelope(target, Phase::undo);
        undo.undo = {target.failing(), target.failing()};
        const auto reply = target.call(undo);
        DRILL_EXPECT(reply && reply->status == EnvelopeStatus::undo_failed);
        DRILL_EXPECT(reply->parts.size() == 3 && reply->read_back_from == 2);
        DRILL_EXPECT(target.effect_present());
        target.pass_time(drill.ttl + std::chrono::seconds{1});
        DRILL_EXPECT(!target.effect_present());
        return std::string();
    });
}

TEST_CASE("a person on the host ends it with the undo in the lease directory") {
    everywhere([](RealTarget& target) {
        const Drill drill(target);
        DRILL_EXPECT(drill.call(target, Phase::apply) == 0);
        const std::string directory = drill.directory(target);
        DRILL_EXPECT(file_text(directory + "/README").find("run 1 by nobody") != std::string::npos);
        const Ran ran = target.run(target.places.shell + " " + directory + "/undo\n");
        DRILL_EXPECT(ran.status == 0);
        DRILL_EXPECT(ran.out.find("undo command 1 of 1: exit 0") != std::string::npos);
        DRILL_EXPECT(!target.effect_present());
        DRILL_EXPECT(guard_fields(directory).at(0) == "ended");
        DRILL_EXPECT(drill.call(target, Phase::renew) == EnvelopeStatus::undone_before);
        return clears_up(drill, target);
    });
}

TEST_CASE("everything of an ended lease is gone once no apply can be on its way") {
    everywhere([](RealTarget& target) {
        const Drill drill(target);
        DRILL_EXPECT(drill.call(target, Phase::apply) == 0);
        DRILL_EXPECT(drill.call(target, Phase::undo) == 0);
        DRILL_EXPECT(drill.call(target, Phase::disarm) == 0);
        DRILL_EXPECT(fs::exists(drill.directory(target) + ".gone"));
        target.pass_time(std::chrono::seconds{61});
        DRILL_EXPECT(drill.call(target, Phase::ask) == 0);
        DRILL_EXPECT(!fs::exists(target.places.run));
        return std::string();
    });
}

TEST_CASE("a durable lease lies in the durable place and goes the same way") {
    everywhere([](RealTarget& target) {
        const Drill drill(target);
        const std::string directory = lease_directory(drill.lease, true, target.places);
        for (const Phase phase : {Phase::apply, Phase::renew, Phase::undo, Phase::disarm}) {
            Envelope envelope = drill.envelope(target, phase);
            envelope.durable = true;
            const auto reply = target.call(envelope);
            DRILL_EXPECT(reply && reply->status == 0);
            DRILL_EXPECT(fs::exists(directory) == (phase != Phase::disarm));
        }
        DRILL_EXPECT(!target.effect_present());
        return std::string();
    });
}

TEST_CASE("after a reboot the pids that a durable lease recorded are nobody's") {
    everywhere([](RealTarget& target) {
        const Drill drill(target);
        Envelope envelope = drill.envelope(target, Phase::apply);
        envelope.durable = true;
        const auto applied = target.call(envelope);
        DRILL_EXPECT(applied && applied->status == 0);
        const std::string directory = lease_directory(drill.lease, true, target.places);
        const std::vector<std::string> fields = guard_fields(directory);
        DRILL_EXPECT(fields.size() >= 6);
        // The same processes now stand for strangers: they must not be touched.
        write_file(target.places.boot_id, "33333333-0000-4000-8000-000000000000\n");
        envelope = drill.envelope(target, Phase::undo);
        envelope.durable = true;
        const auto undone = target.call(envelope);
        DRILL_EXPECT(undone && undone->status == 0);
        DRILL_EXPECT(!target.effect_present());
        const bool timer_lives = ::kill(std::stoi(fields[3]), 0) == 0;
        ::kill(std::stoi(fields[3]), SIGTERM);
        DRILL_EXPECT(timer_lives);
        return std::string();
    });
}

TEST_CASE("an apply that finds the tombstone behind its arm commands applies nothing") {
    everywhere([](RealTarget& target) {
        const Drill drill(target);
        Envelope apply = drill.envelope(target, Phase::apply);
        apply.arm = {{{"touch", drill.directory(target) + ".gone"}, ""}};
        const auto reply = target.call(apply);
        DRILL_EXPECT(reply && reply->status == EnvelopeStatus::undone_before);
        DRILL_EXPECT(!target.effect_present());
        DRILL_EXPECT(processes_with("drill-" + drill.lease).empty());
        return std::string();
    });
}

TEST_CASE("a run directory that is a link or another user's is refused") {
    everywhere([](RealTarget& target) {
        const Drill drill(target);
        fs::create_directory(target.directory + "/elsewhere");
        fs::create_directory_symlink(target.directory + "/elsewhere", target.places.run);
        DRILL_EXPECT(drill.call(target, Phase::apply) == EnvelopeStatus::no_directory);
        DRILL_EXPECT(!target.effect_present());
        fs::remove(target.places.run);
        if (::geteuid() != 0) { return std::string(); }
        fs::create_directory(target.places.run);
        DRILL_EXPECT(::chown(target.places.run.c_str(), 1000, 1000) == 0);
        DRILL_EXPECT(drill.call(target, Phase::apply) == EnvelopeStatus::no_directory);
        DRILL_EXPECT(!target.effect_present());
        return std::string();
    });
}

TEST_CASE("a deny file that cannot be read is a veto") {
    everywhere([](RealTarget& target) {
        const Drill drill(target);
        fs::create_directory(target.places.deny);
        DRILL_EXPECT(drill.call(target, Phase::apply) == EnvelopeStatus::denied);
        fs::remove(target.places.deny);
        std::ofstream(target.places.deny) << "test-kind\r\n";
        DRILL_EXPECT(drill.call(target, Phase::apply) == EnvelopeStatus::denied);
        std::ofstream(target.places.deny) << "other\ntest-kind";
        DRILL_EXPECT(drill.call(target, Phase::apply) == EnvelopeStatus::denied);
        return std::string();
    });
}

TEST_CASE("outputs of an apply are recorded, and come again with the repeated answer") {
    everywhere([](RealTarget& target) {
        const Drill drill(target);
        Envelope apply = drill.envelope(target, Phase::apply);
        apply.arm = {{{"printf", "%s", "saved"}, ""}};
        apply.commands = {{{"cat"}, "no newline"}, {{"sh", "-c", "echo oops >&2; exit 3"}, ""}};
        for (const bool repeated : {false, true}) {
            apply.nonce = random_id(nonce_length);
            const auto reply = target.call(apply);
            DRILL_EXPECT(reply && reply->status == EnvelopeStatus::apply_failed);
            DRILL_EXPECT(reply->repeated == repeated);
            DRILL_EXPECT(reply->parts.size() == 3);
            DRILL_EXPECT(reply->parts[0].out == "saved");
            DRILL_EXPECT(reply->parts[1].out == "no newline");
            DRILL_EXPECT(reply->parts[2].status == 3);
            DRILL_EXPECT(reply->err == "oops\n");
        }
        return clears_up(drill, target);
    });
}

TEST_CASE("a sweep lists what is there, alive or fired") {
    everywhere([](RealTarget& target) {
        const Drill one(target);
        const Drill two(target);
        DRILL_EXPECT(one.call(target, Phase::apply) == 0);
        target.pass_time(one.ttl + std::chrono::seconds{1});
        DRILL_EXPECT(two.call(target, Phase::apply) == 0);
        Envelope sweep;
        sweep.phase = Phase::sweep;
        sweep.nonce = "n1";
        const auto reply = target.call(sweep);
        DRILL_EXPECT(reply && reply->parts.size() == 1);
        const auto found = parse_sweep(reply->parts[0].out);
        int seen = 0;
        for (const FoundLease& lease : found) {
            if (lease.lease != one.lease && lease.lease != two.lease) { continue; }
            const bool first = lease.lease == one.lease;
            ++seen;
            DRILL_EXPECT(lease.kind == "test-kind" && lease.label == "run 1 by nobody");
            DRILL_EXPECT(lease.boot_id == target.boot_id() && lease.applied);
            DRILL_EXPECT(lease.fired == first && lease.tombstone == first);
            DRILL_EXPECT(lease.guard_alive != first);
            DRILL_EXPECT(lease.deadline.has_value());
        }
        DRILL_EXPECT(seen == 2);
        return std::string();
    });
}

TEST_CASE("an undo that was held up until after the disarm leaves no directory") {
    everywhere([](RealTarget& target) -> std::string {
        const Drill drill(target);
        DRILL_EXPECT(drill.call(target, Phase::apply) == EnvelopeStatus::done);
        DRILL_EXPECT(drill.call(target, Phase::undo) == EnvelopeStatus::done);
        DRILL_EXPECT(drill.call(target, Phase::disarm) == EnvelopeStatus::done);
        DRILL_EXPECT(drill.call(target, Phase::undo) == EnvelopeStatus::done);
        DRILL_EXPECT(!std::filesystem::exists(drill.directory(target)));
        return "";
    });
}

TEST_CASE("a rehearsal that comes twice is refused the second time") {
    everywhere([](RealTarget& target) -> std::string {
        const Drill drill(target);
        DRILL_EXPECT(drill.call(target, Phase::rehearse) == EnvelopeStatus::done);
        DRILL_EXPECT(drill.call(target, Phase::rehearsed) == EnvelopeStatus::done);
        DRILL_EXPECT(drill.call(target, Phase::rehearse) == EnvelopeStatus::undone_before);
        DRILL_EXPECT(!std::filesystem::exists(drill.directory(target)));
        return "";
    });
}
