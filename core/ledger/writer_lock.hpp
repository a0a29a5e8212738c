// Who may write the ledger: one process at a time, by flock on ledger.lock. The kernel frees the
// lock of a dead holder; the record inside only says who it is or was.
// Must not: touch the database. Next: state_directory.hpp, sqlite_ledger.cpp.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace drill {

/// A process, told apart from a later one with the same pid.
struct WriterId {
    std::int64_t pid{0};
    std::uint64_t start_time{0};  ///< clock ticks since boot, field 22 of /proc/PID/stat
    std::string boot_id;
    std::string run;   ///< "" where none is known yet
    std::string verb;  ///< "run", "undo", ...
    friend bool operator==(const WriterId&, const WriterId&) = default;
};

/// The calling process.
[[nodiscard]] WriterId this_writer(std::string run, std::string verb);
/// True when that very process lives: same boot, same pid, same start time.
[[nodiscard]] bool is_alive(const WriterId& writer);
/// It lives and does not run: stopped by SIGSTOP or a debugger.
[[nodiscard]] bool is_stopped(const WriterId& writer);
/// Sends a signal to that very process and to no later one with its pid.
/// Failure: not_found (it is not there any more), refused (it is another user's), internal.
[[nodiscard]] Status signal_writer(const WriterId& writer, int signal);
/// Who holds the lock now; empty = nobody. A holder whose record cannot be read has pid 0.
/// Failure: internal (the lock file exists and cannot be opened).
[[nodiscard]] Result<std::optional<WriterId>> lock_holder(const std::string& directory);

/// Held from take() to destruction. Not inherited by programs that are started (O_CLOEXEC).
class WriterLock {
public:
    /// Waits at most 200 ms. Failure: busy (names the holder), no_space, internal.
    [[nodiscard]] static Result<WriterLock> take(const std::string& directory,
                                                 const WriterId& writer);
    WriterLock(WriterLock&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)), stale_(std::move(other.stale_)) {}
    WriterLock(const WriterLock&) = delete;
    WriterLock& operator=(const WriterLock&) = delete;
    WriterLock& operator=(WriterLock&&) = delete;
    ~WriterLock();

    /// The record that a holder left behind which did not end cleanly.
    [[nodiscard]] const std::optional<WriterId>& stale() const { return stale_; }
    /// Renews the record, e.g. when the run is known.
    [[nodiscard]] Status write(const WriterId& writer) const;

private:
    explicit WriterLock(int fd) : fd_(fd) {}
    int fd_{-1};
    std::optional<WriterId> stale_;
};

}  // namespace drill
