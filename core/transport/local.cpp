// Child processes of the controller. Boost.Process v2 forks and execs; waiting and the pipes are
// our own poll loop, as its futures know neither CLOCK_BOOTTIME nor stop tokens, and its own wait
// has no bound. Must not: block longer than told in local.hpp. Read next: transport/wait.hpp.
#include "transport/local.hpp"

#include "transport/clock.hpp"
#include "transport/command.hpp"
#include "transport/entry.hpp"
#include "transport/wait.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/process/v2/posix/default_launcher.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/stdio.hpp>

#include <fcntl.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>

namespace drill {

namespace {

namespace process = boost::process::v2;

constexpr Nanos term_grace = std::chrono::milliseconds{250};
constexpr Nanos kill_grace = std::chrono::milliseconds{500};
// A pipe holds 64 KiB unless the writer enlarged it (1 MiB for ordinary users).
constexpr int most_drain_reads = 64;
constexpr std::array<const char*, 6> search_path{
    "/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"};

/// What happens in the child between fork and exec.
struct ChildSetup {
    const char* const* environment;

    template <class Launcher, class Path, class Line>
    boost::system::error_code on_setup(Launcher& launcher, const Path&, Line&) const {
        launcher.env = environment;
        return {};
    }
    template <class Launcher, class Path, class Line>
    boost::system::error_code on_exec_setup(Launcher&, const Path&, Line&) const {
        // A session of its own: its group can be ended whole, ^C at our terminal does not reach it.
        ::setsid();
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

struct Pipe {
    Fd read, write;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return fail(Code::internal, std::string("no pipe: ") + std::strerror(errno));
    }
    return Pipe{Fd{ends[0]}, Fd{ends[1]}};
}

void no_blocking(const Fd& fd) {
    ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

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

std::vector<std::string> environment() {
    std::vector<std::string> all{
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
    std::array<char, 4096> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found) {
        all.push_back(std::string("HOME=") + entry.pw_dir);
        all.push_back(std::string("USER=") + entry.pw_name);
        all.push_back(std::string("LOGNAME=") + entry.pw_name);
    }
    return all;
}

/// A started program and our ends of its pipes.
struct Child {
    pid_t pid{-1};
    Fd pidfd, in, out, err;
};

/// Reads what is there. Bytes beyond capture_limit are counted as truncated and thrown away.
/// False at end of file.
bool read_some(Fd& from, std::string& into, bool& truncated) {
    std::array<char, 65'536> buffer{};
    const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
    if (got < 0) { return errno == EAGAIN || errno == EINTR; }
    if (got == 0) { return false; }
    const auto size = static_cast<std::size_t>(got);
    const std::size_t room = capture_limit - std::min(capture_limit, into.size());
    truncated = truncated || size > room;
    into.append(buffer.data(), std::min(size, room));
    return true;
}

/// What a pipe still holds after its writer has ended.
void drain(Fd& from, std::string& into, bool& truncated) {
    for (int i = 0; from.open() && i < most_drain_reads; ++i) {
        pollfd one{from.get(), POLLIN, 0};
        if (::poll(&one, 1, 0) != 1 || !read_some(from, into, truncated)) { return; }
    }
}

class Local : public Carrier {
public:
    Local(const Connection& connection, LocalOptions options)
        : connection_(connection), options_(std::move(options)) {
        if (!options_.passwords) { options_.passwords = std::make_shared<Passwords>(); }
    }

    Result<Reply> perform(const Action& action, Nanos deadline, std::stop_token stop) override {
        DRILL_TRY(const Command command, command_of(action, connection_, options_.places));
        Wait wait(deadline, std::move(stop));
        if (const Woken now = wait.check(); now != Woken::ready) {
            return ended(now, "waiting to start " + command.argv[0], Effect::none);
        }
        const std::string program = find_program(command.argv[0]);
        if (program.empty()) {
            return reply_of(action, connection_,
                            Ended{.status = 127, .err = command.argv[0] + ": not found\n"});
        }
        try {
            DRILL_TRY(Entry entry, Entry::begin(command, connection_, *options_.passwords, wait));
            DRILL_TRY(Child child, start(program, command));
            return follow(child, entry, action, wait);
        } catch (const std::exception& error) {
            return fail(Code::internal, command.argv[0] + ": " + error.what(), Effect::unknown);
        }
    }

    void disconnect() override {}

private:
    Result<Child> start(const std::string& program, const Command& command);
    Result<Reply> follow(Child& child, Entry& entry, const Action& action, Wait& wait);
    static Ended reap(const Child& child, Ended ended);
    static void end_group(const Child& child);

    Connection connection_;
    LocalOptions options_;
    boost::asio::io_context context_;  // the launcher wants one; nothing ever runs on it
};

Result<Child> Local::start(const std::string& program, const Command& command) {
    DRILL_TRY(Pipe in, make_pipe());
    DRILL_TRY(Pipe out, make_pipe());
    DRILL_TRY(Pipe err, make_pipe());
    const std::vector<std::string> variables = environment();
    std::vector<const char*> pointers;
    pointers.reserve(variables.size() + 1);
    for (const std::string& variable : variables) { pointers.push_back(variable.c_str()); }
    pointers.push_back(nullptr);
    const std::vector<std::string> arguments(command.argv.begin() + 1, command.argv.end());
    process::posix::default_launcher launcher;
    boost::system::error_code code;
    auto started = launcher(
        context_.get_executor(), code, boost::filesystem::path(program), arguments,
        process::process_stdio{.in = in.read.get(), .out = out.write.get(), .err = err.write.get()},
        ChildSetup{pointers.data()});
    if (code) { return fail(Code::internal, program + " cannot be started: " + code.message()); }
    Child child;
    child.pid = started.id();
    // By number: the header of glibc 2.36 declares pidfd_open without C linkage.
    child.pidfd = Fd{static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0))};
    started.detach();  // from here on the child is ours to reap
    child.in = std::move(in.write);
    child.out = std::move(out.read);
    child.err = std::move(err.read);
    no_blocking(child.in);
    no_blocking(child.out);
    no_blocking(child.err);
    if (!child.pidfd.open()) {
        ::kill(-child.pid, SIGKILL);
        ::waitpid(child.pid, nullptr, 0);
        return fail(Code::internal, "no pidfd for " + program, Effect::unknown);
    }
    return child;
}

Result<Reply> Local::follow(Child& child, Entry& entry, const Action& action, Wait& wait) {
    const PipeSignal held_back;
    Ended end;
    for (;;) {
        entry.heard(end.err);
        if (entry.at_end()) { child.in.reset(); }
        const std::string_view more = entry.to_send();
        std::array<pollfd, 4> fds{{{child.pidfd.get(), POLLIN, 0},
                                   {child.out.get(), POLLIN, 0},
                                   {child.err.get(), POLLIN, 0},
                                   {more.empty() ? -1 : child.in.get(), POLLOUT, 0}}};
        const Woken woken = wait.wait(fds);
        if (woken != Woken::ready) {
            end_group(child);
            return drill::ended(woken, "a program was running", Effect::unknown);
        }
        if (fds[1].revents != 0 && !read_some(child.out, end.out, end.truncated)) {
            child.out.reset();
        }
        if (fds[2].revents != 0 && !read_some(child.err, end.err, end.truncated)) {
            child.err.reset();
        }
        if (fds[3].revents != 0) {
            const ssize_t put = ::write(child.in.get(), more.data(), more.size());
            if (put > 0) { entry.sent(static_cast<std::size_t>(put)); }
            // A program need not read its input: EPIPE is no failure of it.
            if (put < 0 && errno != EAGAIN && errno != EINTR) { entry.give_up(); }
        }
        if (fds[0].revents != 0) {
            drain(child.out, end.out, end.truncated);
            drain(child.err, end.err, end.truncated);
            entry.heard(end.err);
            end.entered = entry.state();
            return reply_of(action, connection_, reap(child, std::move(end)));
        }
    }
}

Ended Local::reap(const Child& child, Ended ended) {
    int status = 0;
    pid_t got = 0;
    do { got = ::waitpid(child.pid, &status, WNOHANG); } while (got < 0 && errno == EINTR);
    if (got != child.pid) { return ended; }  // somebody else reaped it: the status stays unknown
    if (WIFEXITED(status)) {
        ended.status = WEXITSTATUS(status);
    } else if (WIFSIGNALED(status)) {
        const char* name = ::sigabbrev_np(WTERMSIG(status));
        ended.signal = name != nullptr ? name : std::to_string(WTERMSIG(status));
    }
    return ended;
}

void Local::end_group(const Child& child) {
    // The leader is not reaped yet, so its number cannot belong to somebody else.
    const auto gone = [&child](Nanos within) {
        Wait grace(boot_now() + within, {});
        std::array<pollfd, 1> fds{{{child.pidfd.get(), POLLIN, 0}}};
        return grace.wait(fds) == Woken::ready;
    };
    ::kill(-child.pid, SIGTERM);
    const bool soft = gone(term_grace);
    // Also when the leader went by TERM: others of its group may have ignored that.
    ::kill(-child.pid, SIGKILL);
    if (soft || gone(kill_grace)) { reap(child, {}); }
}

}  // namespace

std::unique_ptr<Carrier> make_local(const Connection& connection, LocalOptions options) {
    return std::make_unique<Local>(connection, std::move(options));
}

}  // namespace drill
