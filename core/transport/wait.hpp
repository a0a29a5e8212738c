// The one way in which this folder blocks: poll() on descriptors, ended by a deadline on
// CLOCK_BOOTTIME (a timerfd, so that a suspend does not stretch it) or at once by a stop request.
// Must not: be shared between threads. Read next: transport/local.cpp, transport/ssh.cpp.
#pragma once

#include "base/instant.hpp"
#include "base/result.hpp"

#include <poll.h>

#include <csignal>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <utility>

namespace drill {

/// A file descriptor that closes itself. -1 = none.
class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) noexcept : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            reset();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { reset(); }
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] bool open() const noexcept { return fd_ >= 0; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    void reset() noexcept;

private:
    int fd_{-1};
};

/// An eventfd, close-on-exec and non-blocking; not open when the process has no descriptors left.
[[nodiscard]] Fd make_event();
/// Wakes whoever polls the event. Safe from any thread and in a signal handler.
void raise_event(int fd) noexcept;
void clear_event(int fd) noexcept;

/// SIGPIPE is held back on this thread, and swallowed if it came. For writers that cannot say
/// MSG_NOSIGNAL.
class PipeSignal {
public:
    PipeSignal() noexcept;
    ~PipeSignal();
    PipeSignal(const PipeSignal&) = delete;
    PipeSignal& operator=(const PipeSignal&) = delete;

private:
    sigset_t pipe_{};
    sigset_t before_{};
};

enum class Woken : unsigned char {
    ready,     ///< a descriptor has revents
    until,     ///< the earlier time `until` came
    deadline,  ///< the deadline came
    stopped,   ///< a stop was asked for
    broken,    ///< this machine failed: no descriptors left
};

/// One bounded activity: its deadline and its stop request.
class Wait {
public:
    Wait(Nanos deadline, std::stop_token stop);
    ~Wait() = default;
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

    /// Blocks until a descriptor is ready, `until` or the deadline has come (boot time), or a stop
    /// was asked for. A stop wins over everything, readiness over time.
    [[nodiscard]] Woken wait(std::span<pollfd> fds, std::optional<Nanos> until = {});
    /// Not `ready` when the deadline has passed or a stop was asked for. Does not block.
    [[nodiscard]] Woken check();

    [[nodiscard]] Nanos deadline() const noexcept { return deadline_; }
    [[nodiscard]] const std::stop_token& token() const noexcept { return stop_; }

private:
    struct Raise {
        int fd;
        void operator()() const noexcept { raise_event(fd); }
    };
    Nanos deadline_;
    std::stop_token stop_;
    Fd event_;
    Fd timer_;
    Nanos armed_{-1};
    std::stop_callback<Raise> callback_;  // last: it uses event_
};

/// The error for a wait that ended: timed_out, cancelled or internal.
/// `doing` completes "deadline passed while ...".
[[nodiscard]] Error ended(Woken woken, std::string_view doing, Effect effect);

}  // namespace drill
