// Runs one program at a time on a host over a kept SSH session.
// Must not: send a request twice. Before the first byte of the request a session may be made anew
// once; after it everything that is not a complete answer is Effect::unknown.
// Read next: transport/ssh_link.hpp, transport/ssh_jump.hpp.
#include "transport/ssh.hpp"

#include "transport/clock.hpp"
#include "transport/command.hpp"
#include "transport/entry.hpp"
#include "transport/ssh_jump.hpp"
#include "transport/ssh_link.hpp"
#include "transport/wait.hpp"

#include <libssh/callbacks.h>

#include <algorithm>
#include <array>
#include <optional>

namespace drill {

namespace {

// A kept session that does not answer a channel request for so long counts as dead: nothing was
// sent yet, so a new one may be made.
constexpr Nanos kept_answers_within = std::chrono::seconds{5};
// Output of programs that stay behind is waited for so long after the program's own end.
constexpr Nanos output_quiet = std::chrono::seconds{1};
constexpr std::size_t chunk = 32'768;

/// One program run: filled by libssh's callbacks.
struct Run {
    Ended end;
    bool closed{false};
    bool progress{false};

    static int data(ssh_session, ssh_channel, void* bytes, uint32_t size, int is_stderr,
                    void* self) {
        Run& run = *static_cast<Run*>(self);
        std::string& into = is_stderr != 0 ? run.end.err : run.end.out;
        const std::size_t room = capture_limit - std::min(capture_limit, into.size());
        into.append(static_cast<const char*>(bytes), std::min<std::size_t>(size, room));
        run.end.truncated = run.end.truncated || size > room;
        run.progress = true;
        return static_cast<int>(size);  // all of it is taken: the rest of a flood is drained
    }
    static void close(ssh_session, ssh_channel, void* self) {
        static_cast<Run*>(self)->closed = true;
    }
    static void status(ssh_session, ssh_channel, int value, void* self) {
        Run& run = *static_cast<Run*>(self);
        run.end.status = value;
        run.progress = true;
    }
    static void signal(ssh_session, ssh_channel, const char* name, int, const char*, const char*,
                       void* self) {
        Run& run = *static_cast<Run*>(self);
        run.end.signal = name != nullptr && *name != '\0' ? name : "unknown";
        run.progress = true;
    }
    [[nodiscard]] bool told() const { return end.status >= 0 || !end.signal.empty(); }
};

/// A channel with its callbacks, freed in the right order.
class Session {
public:
    explicit Session(SshLink& link) : channel_(ssh_channel_new(link.session())) {
        callbacks_.size = sizeof callbacks_;
        callbacks_.userdata = &run;
        callbacks_.channel_data_function = Run::data;
        callbacks_.channel_close_function = Run::close;
        callbacks_.channel_exit_status_function = Run::status;
        callbacks_.channel_exit_signal_function = Run::signal;
        if (channel_ != nullptr) { ssh_set_channel_callbacks(channel_, &callbacks_); }
    }
    ~Session() {
        if (channel_ == nullptr) { return; }
        ssh_remove_channel_callbacks(channel_, &callbacks_);
        ssh_channel_free(channel_);
    }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    [[nodiscard]] ssh_channel get() const noexcept { return channel_; }
    /// Writes what can be written now. True when bytes, or the end of them, went out.
    bool feed(Entry& entry);

    Run run;

private:
    bool fed_{false};  // the end of file was sent
    ssh_channel channel_;
    ssh_channel_callbacks_struct callbacks_{};
};

bool Session::feed(Entry& entry) {
    if (fed_ || run.told()) { return false; }
    if (entry.at_end()) {
        ssh_channel_send_eof(channel_);
        fed_ = true;  // once only
        return true;
    }
    const std::string_view more = entry.to_send();
    const std::size_t room = ssh_channel_window_size(channel_);
    const std::size_t part = std::min({room, more.size(), chunk});
    if (part == 0) { return false; }
    const int put = ssh_channel_write(channel_, more.data(), static_cast<uint32_t>(part));
    if (put == SSH_ERROR) {
        fed_ = true;  // closed by the other side, or the session is over: pump() tells
        return false;
    }
    entry.sent(static_cast<std::size_t>(std::max(put, 0)));
    return put > 0;
}

class Ssh : public Carrier {
public:
    Ssh(const Connection& connection, SshOptions options)
        : connection_(connection), options_(std::move(options)) {
        if (!options_.jumps) { options_.jumps = std::make_shared<JumpPool>(); }
        if (!options_.passwords) { options_.passwords = std::make_shared<Passwords>(); }
    }

    Result<Reply> perform(const Action& action, Nanos deadline, std::stop_token stop) override {
        DRILL_TRY(const Command command, command_of(action, connection_, options_.places));
        Wait wait(deadline, std::move(stop));
        if (const Woken now = wait.check(); now != Woken::ready) {
            return ended(now, "waiting to reach " + connection_.host, Effect::none);
        }
        DRILL_TRY(std::unique_ptr<Session> session, open_session(wait));
        DRILL_TRY(Entry entry, Entry::begin(command, connection_, *options_.passwords, wait));
        const Nanos asked = boot_now();
        auto answered = run(action, command, entry, *session, wait);
        session.reset();
        // Whatever ended unclear may have left packets behind; the next one begins anew.
        if (!answered && answered.error().effect == Effect::unknown) { disconnect(); }
        if (answered) { answered->asked = asked; }
        if (answered && link_) {
            answered->host_key = fingerprint(link_->key());
            answered->way = link_->way();
        }
        return answered;
    }

    void disconnect() override { link_.reset(); }

private:
    Result<std::unique_ptr<Session>> open_session(Wait& wait);
    Result<std::unique_ptr<Session>> try_session(bool kept, Wait& wait);
    Result<Reply> run(const Action& action, const Command& command, Entry& entry, Session& session,
                      Wait& wait);
    Status request(const Command& command, Session& session, Wait& wait);
    Status exchange(Entry& entry, Session& session, Wait& wait);

    Connection connection_;
    SshOptions options_;
    std::unique_ptr<SshLink> link_;
};

Result<std::unique_ptr<Session>> Ssh::open_session(Wait& wait) {
    for (bool again = true;; again = false) {
        const bool kept = link_ != nullptr;
        if (!kept) {
            DRILL_TRY(link_, open_link(connection_, options_, options_.jumps->inside(), wait));
        }
        auto session = try_session(kept, wait);
        if (session) { return session; }
        link_.reset();
        const Code code = session.error().code;
        const bool ours =
            code == Code::cancelled || code == Code::timed_out || code == Code::internal;
        if (!again || ours) { return session; }
    }
}

Result<std::unique_ptr<Session>> Ssh::try_session(bool kept, Wait& wait) {
    auto session = std::make_unique<Session>(*link_);
    if (session->get() == nullptr) { return fail(Code::internal, "libssh has no channel"); }
    std::optional<Nanos> until;
    if (kept) {
        const Nanos now = boot_now();
        until = now + std::min(kept_answers_within, (wait.deadline() - now) / 2);
    }
    for (;;) {
        const int got = link_->pump() ? ssh_channel_open_session(session->get()) : SSH_ERROR;
        if (got == SSH_OK) { return session; }
        if (got != SSH_AGAIN) {
            const std::string why = link_->problem();
            if (!link_->alive()) { return fail(Code::unreachable, connection_.host + ": " + why); }
            return fail(Code::refused,
                        connection_.host + " opens no session (sshd's MaxSessions?): " + why);
        }
        std::array<pollfd, 1> fds{link_->poll_entry()};
        const Woken woken = wait.wait(fds, until);
        if (woken == Woken::until) {
            return fail(Code::unreachable, connection_.host + ": the kept session is silent");
        }
        if (woken != Woken::ready) {
            return ended(woken, "opening a session on " + connection_.host, Effect::none);
        }
    }
}

Result<Reply> Ssh::run(const Action& action, const Command& command, Entry& entry, Session& session,
                       Wait& wait) {
    if (auto sent = request(command, session, wait); !sent) { return std::move(sent).error(); }
    auto done = exchange(entry, session, wait);
    session.run.end.entered = entry.state();
    if (!done && session.run.end.out.empty()) { return std::move(done).error(); }
    auto reply = reply_of(action, connection_, std::move(session.run.end));
    // A lost connection is only no loss when the envelope's last line had come before.
    if (!done && (!reply || std::holds_alternative<Exec>(action))) {
        return std::move(done).error();
    }
    return reply;
}

Status Ssh::request(const Command& command, Session& session, Wait& wait) {
    for (;;) {
        const int got = ssh_channel_request_exec(session.get(), command.line.c_str());
        if (got == SSH_OK) { return ok(); }
        if (got != SSH_AGAIN) {
            const std::string why = link_->problem();
            if (link_->alive() && !session.run.closed) {
                return fail(Code::refused, connection_.host + " refuses to run commands: " + why);
            }
            return fail(Code::unreachable, connection_.host + ": connection lost: " + why,
                        Effect::unknown);
        }
        std::array<pollfd, 1> fds{link_->poll_entry()};
        const Woken woken = wait.wait(fds);
        if (woken != Woken::ready) {
            return ended(woken, "a command was sent to " + connection_.host, Effect::unknown);
        }
    }
}

Status Ssh::exchange(Entry& entry, Session& session, Wait& wait) {
    Run& run = session.run;
    std::optional<Nanos> quiet_until;
    for (;;) {
        run.progress = false;
        const bool alive = link_->pump();
        if (run.closed) { return ok(); }
        if (!alive) {
            return fail(
                Code::unreachable,
                connection_.host + ": connection lost while a command ran: " + link_->problem(),
                Effect::unknown);
        }
        entry.heard(run.end.err);
        const bool wrote = session.feed(entry);
        if (run.closed) { return ok(); }
        if (run.told() && (run.progress || !quiet_until)) {
            quiet_until = boot_now() + output_quiet;
        }
        if (wrote || run.progress) {
            // A flood or a long input never waits in poll(), so look at the clock here.
            if (const Woken now = wait.check(); now != Woken::ready) {
                return ended(now, "a command ran on " + connection_.host, Effect::unknown);
            }
            continue;
        }
        std::array<pollfd, 1> fds{link_->poll_entry()};
        const Woken woken = wait.wait(fds, quiet_until);
        if (woken == Woken::until) {
            run.end.truncated = true;
            return ok();
        }
        if (woken != Woken::ready) {
            return ended(woken, "a command ran on " + connection_.host, Effect::unknown);
        }
    }
}

}  // namespace

std::unique_ptr<Carrier> make_ssh(const Connection& connection, SshOptions options) {
    return std::make_unique<Ssh>(connection, std::move(options));
}

Result<SeenKey> fetch_host_key(const Connection& connection, Nanos deadline, std::stop_token stop,
                               SshOptions options) {
    if (!options.jumps) { options.jumps = std::make_shared<JumpPool>(); }
    Wait wait(deadline, std::move(stop));
    std::vector<Admission::Ticket> tickets;
    DRILL_TRY(const auto link,
              shake_hands(connection, options, options.jumps->inside(), tickets, wait));
    const HostKey& key = link->key();
    return SeenKey{
        .key = key,
        .fingerprint = fingerprint(key),
        .line = known_name(connection.address, connection.port) + " " + key.type + " " + key.blob};
}

}  // namespace drill
