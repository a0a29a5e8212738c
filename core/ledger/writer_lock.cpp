// See writer_lock.hpp.
#include "ledger/writer_lock.hpp"

#include "base/text.hpp"
#include "ledger/state_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 does not say that its functions are C
}

namespace drill {

namespace {

constexpr std::size_t largest_record = 4096;
/// lock_holder() takes a shared lock for a moment; a writer must not be refused for that.
constexpr int tries = 10;
constexpr std::chrono::milliseconds between_tries{20};

std::string lock_path(const std::string& directory) { return directory + "/ledger.lock"; }

template <class T>
bool parse_number(std::string_view text, T& out) {
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
    return code == std::errc() && end == text.data() + text.size();
}

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

struct Process {
    std::uint64_t start_time{0};  ///< 0 when there is no such process, or only its zombie
    char state{0};
};

Process process_of(std::int64_t pid) {
    const std::string line = first_line("/proc/" + std::to_string(pid) + "/stat");
    const std::size_t name_end = line.rfind(')');  // the name may hold blanks and brackets
    if (name_end == std::string::npos || name_end + 2 >= line.size()) { return {}; }
    const std::vector<std::string> words = split(line.substr(name_end + 2), ' ');
    std::uint64_t ticks = 0;
    if (words.size() <= 19 || words[0].empty() || words[0] == "Z" ||
        !parse_number(words[19], ticks)) {
        return {};
    }
    return {.start_time = ticks, .state = words[0].front()};
}

std::uint64_t start_time_of(std::int64_t pid) { return process_of(pid).start_time; }

std::string record_of(const WriterId& writer) {
    return "pid " + std::to_string(writer.pid) + "\nstart " + std::to_string(writer.start_time) +
           "\nboot " + escape_control(writer.boot_id, Lines::one) + "\nrun " +
           escape_control(writer.run, Lines::one) + "\nverb " +
           escape_control(writer.verb, Lines::one) + "\nend\n";
}

std::optional<WriterId> parse_record(std::string_view text) {
    WriterId writer;
    bool whole = false;
    for (const std::string& line : split(text, '\n')) {
        const std::size_t blank = line.find(' ');
        const std::string name = line.substr(0, blank);
        const std::string value = blank == std::string::npos ? "" : line.substr(blank + 1);
        if (name == "pid" && !parse_number(value, writer.pid)) { return std::nullopt; }
        if (name == "start" && !parse_number(value, writer.start_time)) { return std::nullopt; }
        if (name == "boot") { writer.boot_id = value; }
        if (name == "run") { writer.run = value; }
        if (name == "verb") { writer.verb = value; }
        if (name == "end") {
            whole = true;
            break;
        }
    }
    return whole && writer.pid > 0 ? std::optional(writer) : std::nullopt;
}

std::optional<WriterId> read_record(int fd) {
    std::array<char, largest_record> buffer{};
    const ssize_t got = pread(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) { return std::nullopt; }
    return parse_record({buffer.data(), static_cast<std::size_t>(got)});
}

/// A clean end leaves this word instead of an empty file: its block stays allocated, so that the
/// next record can be written on a full disk.
constexpr std::string_view clean_end = "clean\n";

bool ended_cleanly(int fd) {
    std::array<char, clean_end.size()> buffer{};
    const ssize_t got = pread(fd, buffer.data(), buffer.size(), 0);
    return got == 0 || (got == static_cast<ssize_t>(clean_end.size()) &&
                        std::string_view(buffer.data(), buffer.size()) == clean_end);
}

Error held_by(const std::string& directory, const std::optional<WriterId>& holder) {
    std::string who = "another process";
    if (holder) {
        who = "`drill " + holder->verb + "`, pid " + std::to_string(holder->pid);
        if (!holder->run.empty()) { who += ", run " + holder->run; }
    }
    return fail(Code::busy, "the ledger in " + directory + " is being written by " + who +
                                ": wait for it, or end it, which undoes its changes: "
                                "drill halt");
}

}  // namespace

WriterId this_writer(std::string run, std::string verb) {
    const std::int64_t pid = getpid();
    return {.pid = pid,
            .start_time = start_time_of(pid),
            .boot_id = first_line("/proc/sys/kernel/random/boot_id"),
            .run = std::move(run),
            .verb = std::move(verb)};
}

bool is_alive(const WriterId& writer) {
    return writer.pid > 0 && writer.start_time != 0 &&
           writer.boot_id == first_line("/proc/sys/kernel/random/boot_id") &&
           start_time_of(writer.pid) == writer.start_time;
}

bool is_stopped(const WriterId& writer) {
    const char state = process_of(writer.pid).state;
    return is_alive(writer) && (state == 'T' || state == 't');
}

Status signal_writer(const WriterId& writer, int signal) {
    const auto gone = [&] {
        return fail(Code::not_found, "process " + std::to_string(writer.pid) + " is gone");
    };
    if (!is_alive(writer)) { return gone(); }
    const int process = pidfd_open(static_cast<pid_t>(writer.pid), 0);
    if (process < 0) {
        return errno == ESRCH ? gone() : file_error("cannot reach the process", errno);
    }
    // The descriptor holds on to one process; only now is it known whether it is the right one.
    Status done = ok();
    if (!is_alive(writer)) {
        done = gone();
    } else if (pidfd_send_signal(process, signal, nullptr, 0) != 0) {
        const int number = errno;
        done = file_error("cannot signal process " + std::to_string(writer.pid), number);
        if (number == EPERM) {
            done = fail(Code::refused, "process " + std::to_string(writer.pid) +
                                           " is another user's: try again as that user or as root");
        }
        if (number == ESRCH) { done = gone(); }
    }
    close(process);
    return done;
}

Result<std::optional<WriterId>> lock_holder(const std::string& directory) {
    const std::string path = lock_path(directory);
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        if (errno == ENOENT || errno == ENOTDIR) { return std::optional<WriterId>(); }
        return file_error("cannot open " + path, errno);
    }
    std::optional<WriterId> holder;
    if (flock(fd, LOCK_SH | LOCK_NB) != 0) { holder = read_record(fd).value_or(WriterId{}); }
    close(fd);
    return holder;
}

Result<WriterLock> WriterLock::take(const std::string& directory, const WriterId& writer) {
    const std::string path = lock_path(directory);
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) { return file_error("cannot open " + path, errno); }
    WriterLock lock(fd);
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; ++i) {
        const int number = errno;
        if (number != EWOULDBLOCK && number != EINTR) {
            lock.fd_ = -1;
            close(fd);
            return file_error("cannot lock " + path, number);
        }
        if (i >= tries) {
            const std::optional<WriterId> holder = read_record(fd);
            lock.fd_ = -1;  // its record is not ours to clear
            close(fd);
            return held_by(directory, holder);
        }
        std::this_thread::sleep_for(between_tries);
    }
    if (!ended_cleanly(fd)) { lock.stale_ = read_record(fd).value_or(WriterId{}); }
    // Without its record the lock still holds; an undo must not fail because of it.
    static_cast<void>(lock.write(writer));
    return lock;
}

Status WriterLock::write(const WriterId& writer) const {
    const std::string record = record_of(writer);
    // Written before the rest is cut off, so that a reader never finds an empty record; "end"
    // marks where it stops.
    const ssize_t put = pwrite(fd_, record.data(), record.size(), 0);
    if (put != static_cast<ssize_t>(record.size())) {
        return file_error("cannot write the lock record", put < 0 ? errno : ENOSPC);
    }
    if (ftruncate(fd_, static_cast<off_t>(record.size())) != 0) {
        return file_error("cannot write the lock record", errno);
    }
    return ok();
}

WriterLock::~WriterLock() {
    if (fd_ < 0) { return; }
    // Where this fails the next writer takes the end for an unclean one and checks more.
    if (pwrite(fd_, clean_end.data(), clean_end.size(), 0) > 0) {
        static_cast<void>(!ftruncate(fd_, static_cast<off_t>(clean_end.size())));
    }
    close(fd_);
}

}  // namespace drill
