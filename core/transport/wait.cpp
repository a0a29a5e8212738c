// poll() bounded by a deadline on CLOCK_BOOTTIME and by a stop request.
// Must not: know what it waits for. Read next: transport/wait.hpp.
#include "transport/wait.hpp"

#include "transport/clock.hpp"

#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <ctime>
#include <string>
#include <vector>

namespace drill {

void Fd::reset() noexcept {
    if (fd_ >= 0) { ::close(fd_); }
    fd_ = -1;
}

Fd make_event() { return Fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)}; }

void raise_event(int fd) noexcept {
    const std::uint64_t one = 1;
    // EAGAIN means that the counter is full: the event is raised already.
    [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
}

void clear_event(int fd) noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(fd, &count, sizeof count);
}

PipeSignal::PipeSignal() noexcept {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
}

PipeSignal::~PipeSignal() {
    if (::sigismember(&before_, SIGPIPE) == 1) { return; }
    const timespec now{};
    while (::sigtimedwait(&pipe_, nullptr, &now) == SIGPIPE) {}
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

Wait::Wait(Nanos deadline, std::stop_token stop)
    : deadline_(deadline),
      stop_(std::move(stop)),
      event_(make_event()),
      timer_(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)),
      callback_(stop_, Raise{event_.get()}) {}

Woken Wait::check() {
    if (!event_.open() || !timer_.open()) { return Woken::broken; }
    if (stop_.stop_requested()) { return Woken::stopped; }
    return boot_now() >= deadline_ ? Woken::deadline : Woken::ready;
}

Woken Wait::wait(std::span<pollfd> fds, std::optional<Nanos> until) {
    if (!event_.open() || !timer_.open()) { return Woken::broken; }
    if (stop_.stop_requested()) { return Woken::stopped; }
    const Nanos end = until && *until < deadline_ ? *until : deadline_;
    if (armed_ != end) {
        // A zero time would disarm the timer; anything in the past fires at once.
        const Nanos at = end > Nanos{1} ? end : Nanos{1};
        itimerspec spec{};
        spec.it_value.tv_sec = at.count() / 1'000'000'000;
        spec.it_value.tv_nsec = at.count() % 1'000'000'000;
        if (::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr) != 0) {
            return Woken::broken;
        }
        armed_ = end;
    }
    std::vector<pollfd> all(fds.begin(), fds.end());
    all.push_back({event_.get(), POLLIN, 0});
    all.push_back({timer_.get(), POLLIN, 0});
    int count = 0;
    do { count = ::poll(all.data(), all.size(), -1); } while (count < 0 && errno == EINTR);
    if (count < 0) { return Woken::broken; }
    bool ready = false;
    for (std::size_t i = 0; i < fds.size(); ++i) {
        fds[i].revents = all[i].revents;
        ready = ready || all[i].revents != 0;
    }
    if (stop_.stop_requested()) { return Woken::stopped; }
    if (ready) { return Woken::ready; }
    return boot_now() >= deadline_ ? Woken::deadline : Woken::until;
}

Error ended(Woken woken, std::string_view doing, Effect effect) {
    const std::string what(doing);
    switch (woken) {
        case Woken::stopped: return fail(Code::cancelled, "stopped while " + what, effect);
        case Woken::broken:
            return fail(Code::internal, "no file descriptors left while " + what, effect);
        case Woken::ready:
        case Woken::until:
        case Woken::deadline: break;
    }
    return fail(Code::timed_out, "deadline passed while " + what, effect);
}

}  // namespace drill
