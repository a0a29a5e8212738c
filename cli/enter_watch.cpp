// See enter_watch.hpp.
#include "cli/enter_watch.hpp"

#include <poll.h>
#include <termios.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>

namespace drill::cli {

namespace {
constexpr int look_every_ms = 50;  // for the end of the program; Enter wakes at once
}

bool has_person() { return isatty(STDIN_FILENO) == 1 && tcgetpgrp(STDIN_FILENO) == getpgrp(); }

EnterWatch::EnterWatch(std::string step, Mailbox& mailbox)
    : step_(std::move(step)), mailbox_(mailbox) {
    if (step_.empty()) { return; }
    // Sent to the background later, a read must fail and not stop the controller.
    std::signal(SIGTTIN, SIG_IGN);
    tcflush(STDIN_FILENO, TCIFLUSH);
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

EnterWatch::~EnterWatch() {
    if (!thread_.joinable()) { return; }
    thread_.request_stop();
    thread_.join();
}

void EnterWatch::serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        pollfd waited{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
        if (poll(&waited, 1, look_every_ms) <= 0) { continue; }
        std::array<char, 256> buffer{};
        const ssize_t got = read(STDIN_FILENO, buffer.data(), buffer.size());
        const bool background = got < 0 && errno == EIO && tcgetpgrp(STDIN_FILENO) > 0;
        if (background || (got < 0 && (errno == EINTR || errno == EAGAIN))) {
            std::this_thread::sleep_for(std::chrono::milliseconds{look_every_ms});
            continue;
        }
        if (got <= 0) {  // nobody is there any more
            mailbox_.post(HoldEnded{.step = step_});
            return;
        }
        if (std::find(buffer.begin(), buffer.begin() + got, '\n') != buffer.begin() + got) {
            mailbox_.post(HoldEnded{.step = step_});
        }
    }
}

}  // namespace drill::cli
