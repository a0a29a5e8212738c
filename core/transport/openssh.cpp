// Commands over the control socket of a master: one connection for each, over which its three
// descriptors are passed. The master asks for the program only when the server has opened a
// session, and says so on the socket before it writes to the network: what it has not said when it
// is dead was never sent. Must not: repeat an action after that.
// Read next: openssh_master.cpp.
#include "transport/openssh.hpp"

#include "base/text.hpp"
#include "transport/clock.hpp"
#include "transport/command.hpp"
#include "transport/entry.hpp"
#include "transport/openssh_master.hpp"
#include "transport/ssh_jump.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace drill {

namespace {

// As in ssh.cpp, for the same reasons.
constexpr Nanos kept_answers_within = std::chrono::seconds{5};
constexpr Nanos output_quiet = std::chrono::seconds{1};
constexpr std::size_t longest_packet = std::size_t{1} << 20U;
constexpr int most_drain_reads = 64;  // a pipe holds 64 KiB
// sun_path has 108 bytes, and ssh binds a name that is 17 longer first.
constexpr std::size_t longest_directory = 64;

namespace mux {
constexpr std::uint32_t version = 4;
constexpr std::uint32_t hello = 0x00000001;
constexpr std::uint32_t new_session = 0x10000002;
constexpr std::uint32_t permission_denied = 0x80000002;
constexpr std::uint32_t failure = 0x80000003;
constexpr std::uint32_t exit_message = 0x80000004;
constexpr std::uint32_t session_opened = 0x80000006;
}  // namespace mux

void put(std::string& packet, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        packet += static_cast<char>((value >> static_cast<unsigned>(shift)) & 0xffU);
    }
}

void put(std::string& packet, std::string_view text) {
    put(packet, static_cast<std::uint32_t>(text.size()));
    packet += text;
}

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        value = (value << 8U) |
                (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    return value;
}

Fd connect_control(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) { return {}; }
    std::memcpy(address.sun_path, path.data(), path.size());
    Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    // The interface wants the general address form.
    if (!fd.open() ||
        ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return {};
    }
    return fd;
}

bool pass_descriptor(const Fd& over, int passed) {
    char byte = 0;
    iovec vector{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &passed, sizeof passed);
    return ::sendmsg(over.get(), &message, MSG_NOSIGNAL) == 1;
}

/// Reads what is there. Bytes beyond capture_limit are thrown away. False at end of file.
bool read_some(const Fd& from, std::string& into, bool& truncated) {
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

/// One program: the connection to the master and our ends of its pipes.
struct Session {
    Fd control, in, out, err;
    std::string buffer;  // of control, not yet read as a packet
    bool opened{false};
    std::optional<std::uint32_t> status;
    std::string refusal;

    enum class Heard : unsigned char { nothing, packet, end };
    Heard hear();

private:
    bool take_packet();
};

/// True when a whole packet was there.
bool Session::take_packet() {
    if (buffer.size() < 4) { return false; }
    const std::size_t length = number_at(buffer, 0);
    if (length > longest_packet || buffer.size() < 4 + length) { return false; }
    const std::string packet = buffer.substr(4, length);
    buffer.erase(0, 4 + length);
    switch (number_at(packet, 0)) {
        case mux::session_opened: opened = true; break;
        case mux::exit_message: status = number_at(packet, 8); break;
        case mux::permission_denied:
        case mux::failure:
            refusal = packet.size() > 12 ? packet.substr(12, number_at(packet, 8)) : "no reason";
            break;
        default: break;  // hello and what later versions add
    }
    return true;
}

Session::Heard Session::hear() {
    if (take_packet()) { return Heard::packet; }
    std::array<char, 4096> bytes{};
    const ssize_t got = ::read(control.get(), bytes.data(), bytes.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) { return Heard::nothing; }
    if (got <= 0) { return Heard::end; }
    buffer.append(bytes.data(), static_cast<std::size_t>(got));
    return take_packet() ? Heard::packet : Heard::nothing;
}

class Openssh : public Carrier {
public:
    Openssh(const Connection& connection, OpensshOptions options)
        : connection_(connection), options_(std::move(options)) {
        SshOptions& ssh = options_.ssh;
        if (!ssh.jumps) { ssh.jumps = std::make_shared<JumpPool>(); }
        if (!ssh.passwords) { ssh.passwords = std::make_shared<Passwords>(); }
        if (!options_.directory) { options_.directory = std::make_shared<ControlDirectory>(); }
    }

    Result<Reply> perform(const Action& action, Nanos deadline, std::stop_token stop) override {
        DRILL_TRY(const Command command, command_of(action, connection_, options_.ssh.places));
        Wait wait(deadline, std::move(stop));
        if (const Woken now = wait.check(); now != Woken::ready) {
            return ended(now, "waiting to reach " + connection_.host, Effect::none);
        }
        // Before the session is opened: with that the program begins.
        DRILL_TRY(Entry entry, Entry::begin(command, connection_, *options_.ssh.passwords, wait));
        auto answered = attempt(action, command, entry, wait);
        if (!answered && answered.error().effect == Effect::unknown) { disconnect(); }
        if (answered && master_) {
            answered->host_key = master_->host_key();
            answered->way = {master_->way()};
        }
        return answered;
    }

    void disconnect() override { master_.reset(); }

private:
    Result<Reply> attempt(const Action& action, const Command& command, Entry& entry, Wait& wait);
    Status log_in(Wait& wait);
    Status open(const Command& command, Session& session, bool kept, Wait& wait);
    Error abandon(Session& session, Error why);
    Status ask(const Command& command, Session& session);
    Result<Ended> follow(Entry& entry, Session& session, Wait& wait);
    Ended finish(Entry& entry, Session& session, Ended end, std::size_t log_before);

    Connection connection_;
    OpensshOptions options_;
    std::unique_ptr<OpensshMaster> master_;
};

Result<Reply> Openssh::attempt(const Action& action, const Command& command, Entry& entry,
                               Wait& wait) {
    for (bool again = true;; again = false) {
        const bool kept = master_ != nullptr;
        if (!kept) { DRILL_CHECK(log_in(wait)); }
        Session session;
        const Nanos asked = boot_now();
        const Status opened = open(command, session, kept, wait);
        if (opened) {
            auto end = follow(entry, session, wait);
            if (!end) { return std::move(end).error(); }
            auto reply = reply_of(action, connection_, std::move(*end));
            if (reply) { reply->asked = asked; }
            return reply;
        }
        Error error = opened.error();
        // Only a kept master that turned out dead or silent is replaced, and only once.
        if (!again || !kept || error.code != Code::unreachable || error.effect != Effect::none) {
            return error;
        }
    }
}

Status Openssh::log_in(Wait& wait) {
    DRILL_TRY(const std::string control, options_.directory->fresh());
    const std::string key = connection_.jumps.empty()
                                ? known_name(connection_.address, connection_.port)
                                : "through " + connection_.jumps.front().address;
    DRILL_TRY(const auto ticket, options_.ssh.jumps->inside().admission.enter(key, wait));
    DRILL_TRY(master_, OpensshMaster::start(connection_, control, wait));
    return ok();
}

Status Openssh::ask(const Command& command, Session& session) {
    std::array<std::array<int, 2>, 3> pipes{};
    for (auto& pipe : pipes) {
        if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
            return fail(Code::internal, std::string("no pipe: ") + std::strerror(errno));
        }
    }
    const Fd theirs_in{pipes[0][0]};
    session.in = Fd{pipes[0][1]};
    session.out = Fd{pipes[1][0]};
    const Fd theirs_out{pipes[1][1]};
    session.err = Fd{pipes[2][0]};
    const Fd theirs_err{pipes[2][1]};
    for (const Fd* ours : {&session.in, &session.out, &session.err}) {
        ::fcntl(ours->get(), F_SETFL, O_NONBLOCK);
    }
    session.control = connect_control(master_->control());
    std::string request;
    put(request, mux::new_session);
    put(request, 1U);  // request id
    put(request, std::string_view());
    for (int flag = 0; flag < 4; ++flag) { put(request, 0U); }  // tty, X11, agent, subsystem
    put(request, 0xffffffffU);                                  // no escape character
    put(request, std::string_view());                           // terminal
    put(request, command.line);
    std::string greeting;
    put(greeting, mux::hello);
    put(greeting, mux::version);
    std::string all;
    put(all, greeting);
    put(all, request);
    // At most 128 KiB: the buffer of a local socket takes them whole or the master is stuck.
    const bool sent = session.control.open() &&
                      ::send(session.control.get(), all.data(), all.size(), MSG_NOSIGNAL) ==
                          static_cast<ssize_t>(all.size()) &&
                      pass_descriptor(session.control, theirs_in.get()) &&
                      pass_descriptor(session.control, theirs_out.get()) &&
                      pass_descriptor(session.control, theirs_err.get());
    if (!sent) { return fail(Code::unreachable, connection_.host + ": the connection is gone"); }
    return ok();
}

/// Ends the master and looks what it had said until then.
Error Openssh::abandon(Session& session, Error why) {
    master_->kill();
    while (session.hear() == Session::Heard::packet) {}
    for (int i = 0; session.control.open() && i < most_drain_reads; ++i) {
        if (session.hear() == Session::Heard::end) { break; }
    }
    why.effect = session.opened ? Effect::unknown : Effect::none;
    disconnect();
    return why;
}

Status Openssh::open(const Command& command, Session& session, bool kept, Wait& wait) {
    if (auto asked = ask(command, session); !asked) {
        return abandon(session, std::move(asked).error());
    }
    std::optional<Nanos> until;
    if (kept) {
        const Nanos now = boot_now();
        until = now + std::min(kept_answers_within, (wait.deadline() - now) / 2);
    }
    for (;;) {
        const Session::Heard heard = session.hear();
        if (session.opened) { return ok(); }
        if (!session.refusal.empty()) {
            return fail(Code::refused, connection_.host +
                                           " opens no session (sshd's MaxSessions?): " +
                                           escape_control(session.refusal, Lines::one));
        }
        if (heard == Session::Heard::end) {
            return abandon(session,
                           fail(Code::unreachable, connection_.host + ": the connection was lost"));
        }
        if (heard == Session::Heard::packet) { continue; }
        std::array<pollfd, 1> fds{{{session.control.get(), POLLIN, 0}}};
        const Woken woken = wait.wait(fds, until);
        if (woken == Woken::ready) { continue; }
        const std::string doing = "opening a session on " + connection_.host;
        return abandon(session, woken == Woken::until
                                    ? fail(Code::unreachable,
                                           connection_.host + ": the kept session is silent")
                                    : ended(woken, doing, Effect::none));
    }
}

Result<Ended> Openssh::follow(Entry& entry, Session& session, Wait& wait) {
    const PipeSignal held_back;
    const std::size_t log_before = master_->log_size();
    Ended end;
    std::optional<Nanos> quiet_until;
    for (;;) {
        entry.heard(end.err);
        if (entry.at_end()) { session.in.reset(); }
        const std::string_view more = entry.to_send();
        if (session.status && !session.out.open() && !session.err.open()) {
            return finish(entry, session, std::move(end), log_before);
        }
        std::array<pollfd, 4> fds{{{session.control.get(), POLLIN, 0},
                                   {session.out.get(), POLLIN, 0},
                                   {session.err.get(), POLLIN, 0},
                                   {more.empty() ? -1 : session.in.get(), POLLOUT, 0}}};
        const Woken woken = wait.wait(fds, quiet_until);
        if (woken == Woken::until) {
            end.truncated = true;
            return finish(entry, session, std::move(end), log_before);
        }
        if (woken != Woken::ready) {
            return ended(woken, "a command ran on " + connection_.host, Effect::unknown);
        }
        if (fds[1].revents != 0 && !read_some(session.out, end.out, end.truncated)) {
            session.out.reset();
        }
        if (fds[2].revents != 0 && !read_some(session.err, end.err, end.truncated)) {
            session.err.reset();
        }
        if (fds[3].revents != 0) {
            const ssize_t written = ::write(session.in.get(), more.data(), more.size());
            if (written > 0) { entry.sent(static_cast<std::size_t>(written)); }
            // A program need not read its input: EPIPE is no failure of it.
            if (written < 0 && errno != EAGAIN && errno != EINTR) { entry.give_up(); }
        }
        if (fds[0].revents != 0 && session.hear() == Session::Heard::end) {
            return finish(entry, session, std::move(end), log_before);
        }
        if (session.status) { quiet_until = boot_now() + output_quiet; }
    }
}

Ended Openssh::finish(Entry& entry, Session& session, Ended end, std::size_t log_before) {
    for (const auto& [from, into] : {std::pair{&session.out, &end.out}, {&session.err, &end.err}}) {
        for (int i = 0; from->open() && i < most_drain_reads; ++i) {
            pollfd one{from->get(), POLLIN, 0};
            if (::poll(&one, 1, 0) != 1 || !read_some(*from, *into, end.truncated)) { break; }
        }
    }
    while (session.hear() == Session::Heard::packet) {}
    entry.heard(end.err);
    end.entered = entry.state();
    if (session.status) {
        end.status = static_cast<int>(*session.status);
    } else if (master_->alive()) {
        const std::string log = master_->log();
        const std::size_t written = master_->log_size() - log_before;
        const std::string_view recent =
            std::string_view(log).substr(log.size() - std::min(log.size(), written));
        if (recent.find("rtype exit-signal") != std::string_view::npos) {
            end.signal = "(which one is not told)";
        }
    }
    return end;
}

}  // namespace

ControlDirectory::~ControlDirectory() {
    if (!path_.empty()) { ::rmdir(path_.c_str()); }  // masters have removed their sockets
}

Result<std::string> ControlDirectory::fresh() {
    const std::lock_guard lock(mutex_);
    if (path_.empty()) {
        struct stat info {};
        const std::string own = "/run/user/" + std::to_string(::geteuid());
        const bool usable = ::stat(own.c_str(), &info) == 0 && info.st_uid == ::geteuid() &&
                            ::access(own.c_str(), W_OK) == 0;
        std::string pattern = (usable ? own : std::string("/tmp")) + "/drill-XXXXXX";
        DRILL_ASSERT(pattern.size() <= longest_directory);
        if (::mkdtemp(pattern.data()) == nullptr) {
            return fail(Code::internal, "no directory for the sockets of ssh: " + pattern + ": " +
                                            std::strerror(errno));
        }
        path_ = pattern;
    }
    return path_ + "/" + std::to_string(++number_);
}

std::unique_ptr<Carrier> make_openssh(const Connection& connection, OpensshOptions options) {
    return std::make_unique<Openssh>(connection, std::move(options));
}

}  // namespace drill
