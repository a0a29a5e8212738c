// Programs on the controller. child.cpp forks and execs; waiting and the pipes are our own poll
// loop, as Boost's futures know neither CLOCK_BOOTTIME nor stop tokens, and its own wait has no
// bound. Must not: block longer than told in local.hpp. Read next: transport/wait.hpp.
#include "transport/local.hpp"

#include "transport/child.hpp"
#include "transport/clock.hpp"
#include "transport/command.hpp"
#include "transport/entry.hpp"
#include "transport/wait.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>

namespace drill {

namespace {

// A pipe holds 64 KiB unless the writer enlarged it (1 MiB for ordinary users).
constexpr int most_drain_reads = 64;
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
struct Running {
    Child child;
    Fd in, out, err;
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
            DRILL_TRY(Running running, start(program, command));
            return follow(running, entry, action, wait);
        } catch (const std::exception& error) {
            return fail(Code::internal, command.argv[0] + ": " + error.what(), Effect::unknown);
        }
    }

    void disconnect() override {}

private:
    Result<Running> start(const std::string& program, const Command& command);
    Result<Reply> follow(Running& running, Entry& entry, const Action& action, Wait& wait);
    static Ended reap(const Running& running, Ended ended);

    Connection connection_;
    LocalOptions options_;
};

Result<Running> Local::start(const std::string& program, const Command& command) {
    DRILL_TRY(Pipe in, make_pipe());
    DRILL_TRY(Pipe out, make_pipe());
    DRILL_TRY(Pipe err, make_pipe());
    Running running;
    DRILL_TRY(running.child,
              start_child({.program = program,
                           .arguments = {command.argv.begin() + 1, command.argv.end()},
                           .environment = environment(),
                           .in = in.read.get(),
                           .out = out.write.get(),
                           .err = err.write.get()}));
    running.in = std::move(in.write);
    running.out = std::move(out.read);
    running.err = std::move(err.read);
    no_blocking(running.in);
    no_blocking(running.out);
    no_blocking(running.err);
    return running;
}

Result<Reply> Local::follow(Running& running, Entry& entry, const Action& action, Wait& wait) {
    const PipeSignal held_back;
    Ended end;
    for (;;) {
        entry.heard(end.err);
        if (entry.at_end()) { running.in.reset(); }
        const std::string_view more = entry.to_send();
        std::array<pollfd, 4> fds{{{running.child.pidfd.get(), POLLIN, 0},
                                   {running.out.get(), POLLIN, 0},
                                   {running.err.get(), POLLIN, 0},
                                   {more.empty() ? -1 : running.in.get(), POLLOUT, 0}}};
        const Woken woken = wait.wait(fds);
        if (woken != Woken::ready) {
            end_group(running.child);
            return drill::ended(woken, "a program was running", Effect::unknown);
        }
        if (fds[1].revents != 0 && !read_some(running.out, end.out, end.truncated)) {
            running.out.reset();
        }
        if (fds[2].revents != 0 && !read_some(running.err, end.err, end.truncated)) {
            running.err.reset();
        }
        if (fds[3].revents != 0) {
            const ssize_t put = ::write(running.in.get(), more.data(), more.size());
            if (put > 0) { entry.sent(static_cast<std::size_t>(put)); }
            // A program need not read its input: EPIPE is no failure of it.
            if (put < 0 && errno != EAGAIN && errno != EINTR) { entry.give_up(); }
        }
        if (fds[0].revents != 0) {
            drain(running.out, end.out, end.truncated);
            drain(running.err, end.err, end.truncated);
            entry.heard(end.err);
            end.entered = entry.state();
            return reply_of(action, connection_, reap(running, std::move(end)));
        }
    }
}

Ended Local::reap(const Running& running, Ended ended) {
    const int status = reap_child(running.child);
    if (status < 0) { return ended; }  // somebody else reaped it: the status stays unknown
    if (WIFEXITED(status)) {
        ended.status = WEXITSTATUS(status);
    } else if (WIFSIGNALED(status)) {
        const char* name = ::sigabbrev_np(WTERMSIG(status));
        ended.signal = name != nullptr ? name : std::to_string(WTERMSIG(status));
    }
    return ended;
}

}  // namespace

std::unique_ptr<Carrier> make_local(const Connection& connection, LocalOptions options) {
    return std::make_unique<Local>(connection, std::move(options));
}

}  // namespace drill
