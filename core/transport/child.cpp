// Boost.Process v2 forks and execs; everything after that is ours, as its own wait has no bound.
// Must not: run code in the child that is not async-signal-safe. Read next: transport/child.hpp.
#include "transport/child.hpp"

#include "transport/clock.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/process/v2/posix/default_launcher.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/stdio.hpp>

#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <exception>

namespace drill {

namespace {

namespace process = boost::process::v2;

constexpr Nanos term_grace = std::chrono::milliseconds{250};
constexpr Nanos kill_grace = std::chrono::milliseconds{500};
constexpr std::array<const char*, 6> search_path{
    "/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"};

/// What happens in the child between fork and exec.
struct ChildSetup {
    const char* const* environment;
    Bond bond;
    pid_t parent;

    template <class Launcher, class Path, class Line>
    boost::system::error_code on_setup(Launcher& launcher, const Path&, Line&) const {
        launcher.env = environment;
        return {};
    }
    template <class Launcher, class Path, class Line>
    boost::system::error_code on_exec_setup(Launcher&, const Path&, Line&) const {
        // A session of its own: its group can be ended whole, ^C at our terminal does not reach it.
        ::setsid();
        if (bond == Bond::thread) {
            ::prctl(PR_SET_PDEATHSIG, SIGTERM);
            if (::getppid() != parent) { ::_exit(127); }  // it ended before the line above
        }
        // Our blocked and ignored signals would be inherited through exec.
        struct sigaction plain {};
        plain.sa_handler = SIG_DFL;  // NOLINT: a macro of the system
        for (int number = 1; number < SIGRTMIN; ++number) {
            if (number != SIGKILL && number != SIGSTOP) { ::sigaction(number, &plain, nullptr); }
        }
        sigset_t none;
        ::sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        // Our own descriptors are close-on-exec; this is for those that we were started with. The
        // launcher of 1.81 overlooks all that are numbered below its error pipe.
        ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
        return {};
    }
    /// Without this the launcher calls exit() in the child, which would flush our stdio buffers a
    /// second time and run our atexit functions. Takes any arguments: 1.81 tests for a signature
    /// of five and calls one of four.
    template <class... Any>
    boost::system::error_code on_exec_error(Any&&...) const {
        ::_exit(127);
    }
};

/// The leader is not reaped yet, so its number cannot belong to somebody else.
bool gone(const Child& child, Nanos within) {
    Wait grace(boot_now() + within, {});
    std::array<pollfd, 1> fds{{{child.pidfd.get(), POLLIN, 0}}};
    return grace.wait(fds) == Woken::ready;
}

}  // namespace

std::string find_program(const std::string& name) {
    if (name.find('/') != std::string::npos) {
        return ::access(name.c_str(), X_OK) == 0 ? name : std::string{};
    }
    for (const char* directory : search_path) {
        std::string path = directory + name;
        if (::access(path.c_str(), X_OK) == 0) { return path; }
    }
    return {};
}

Result<Child> start_child(const ChildStart& start) {
    std::vector<const char*> pointers;
    pointers.reserve(start.environment.size() + 1);
    for (const std::string& variable : start.environment) { pointers.push_back(variable.c_str()); }
    pointers.push_back(nullptr);
    Child child;
    try {
        boost::asio::io_context context;  // the launcher wants one; nothing ever runs on it
        process::posix::default_launcher launcher;
        boost::system::error_code code;
        auto started = launcher(
            context.get_executor(), code, boost::filesystem::path(start.program), start.arguments,
            process::process_stdio{.in = start.in, .out = start.out, .err = start.err},
            ChildSetup{pointers.data(), start.bond, ::getpid()});
        if (code) {
            return fail(Code::internal, start.program + " cannot be started: " + code.message());
        }
        child.pid = started.id();
        // By number: the header of glibc 2.36 declares pidfd_open without C linkage.
        child.pidfd = Fd{static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0))};
        started.detach();  // from here on the child is ours to reap
    } catch (const std::exception& error) {
        return fail(Code::internal, start.program + ": " + error.what(), Effect::unknown);
    }
    if (!child.pidfd.open()) {
        ::kill(-child.pid, SIGKILL);
        ::waitpid(child.pid, nullptr, 0);
        return fail(Code::internal, "no pidfd for " + start.program, Effect::unknown);
    }
    return child;
}

int reap_child(const Child& child) {
    int status = 0;
    pid_t got = 0;
    do { got = ::waitpid(child.pid, &status, WNOHANG); } while (got < 0 && errno == EINTR);
    return got == child.pid ? status : -1;
}

void end_group(const Child& child) {
    ::kill(-child.pid, SIGTERM);
    const bool soft = gone(child, term_grace);
    // Also when the leader went by TERM: others of its group may have ignored that.
    ::kill(-child.pid, SIGKILL);
    if (soft || gone(child, kill_grace)) { static_cast<void>(reap_child(child)); }
}

void kill_group(const Child& child) {
    ::kill(-child.pid, SIGKILL);
    if (gone(child, kill_grace)) { static_cast<void>(reap_child(child)); }
}

}  // namespace drill
