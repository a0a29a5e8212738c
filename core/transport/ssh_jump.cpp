// Jump hosts: one session and one thread for each. libssh wants a descriptor for the inner
// session, so each channel ends in a socketpair; at most 64 KiB wait in each direction.
// Must not: let one channel hold up another. Read next: transport/ssh_link.hpp.
#include "transport/ssh_jump.hpp"

#include "base/ids.hpp"
#include "transport/clock.hpp"
#include "transport/tcp.hpp"

#include <libssh/callbacks.h>

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <deque>
#include <exception>
#include <list>
#include <optional>
#include <thread>

namespace drill {

namespace {

constexpr Nanos admission_pause = std::chrono::milliseconds{10};
constexpr Nanos jump_login_within = std::chrono::seconds{30};
// A login that is hung up on before the key exchange is tried again after one to four pauses.
constexpr int login_tries = 4;
constexpr Nanos login_pause = std::chrono::milliseconds{100};
constexpr std::size_t chunk = 32'768;
// Channel passes before the loop looks for new channels and stops again.
constexpr int most_passes = 64;
constexpr Nanos no_deadline = std::chrono::hours{24 * 3650};

std::string place(const Connection& connection) {
    return connection.user + "@" + known_name(connection.address, connection.port);
}

/// The jump with everything before it: what makes it the same session.
std::string chain(const Connection& jump) {
    std::string key;
    for (const Connection& hop : jump.jumps) { key += place(hop) + ">"; }
    return key + place(jump) + " " + jump.key_file + " " + jump.known_hosts;
}

}  // namespace

Admission::Ticket& Admission::Ticket::operator=(Ticket&& other) noexcept {
    if (this != &other) {
        give_back();
        from_ = std::exchange(other.from_, nullptr);
        key_ = std::move(other.key_);
    }
    return *this;
}

void Admission::Ticket::give_back() noexcept {
    if (from_ != nullptr) { from_->leave(key_); }
    from_ = nullptr;
}

bool Admission::try_enter(const std::string& key, Nanos now) {
    const std::lock_guard lock(mutex_);
    Gate& gate = gates_[key];
    const Nanos interval = Nanos{std::chrono::seconds{1}} / std::max(1, limits_.per_second);
    const Nanos ahead = interval * std::max(0, limits_.burst - 1);
    if (gate.half_open >= limits_.half_open || gate.next > now + ahead) { return false; }
    ++gate.half_open;
    gate.next = std::max(gate.next, now) + interval;
    return true;
}

void Admission::leave(const std::string& key) noexcept {
    const std::lock_guard lock(mutex_);
    --gates_[key].half_open;
}

Result<Admission::Ticket> Admission::enter(const std::string& key, Wait& wait) {
    for (;;) {
        const Nanos now = boot_now();
        if (try_enter(key, now)) { return Ticket(*this, key); }
        const Woken woken = wait.wait({}, now + admission_pause);
        if (woken != Woken::until) {
            return ended(woken, "waiting for its turn to log in", Effect::none);
        }
    }
}

/// One jump host: its session, its thread and its channels.
class Jump {
public:
    Jump(Connection connection, SshOptions options, JumpPool::Inside& pool)
        : connection_(std::move(connection)), options_(std::move(options)) {
        options_.jumps.reset();  // the pool owns this
        thread_ = std::jthread([this, &pool](const std::stop_token& stop) { run(pool, stop); });
    }
    ~Jump() {
        thread_.request_stop();
        thread_.join();
    }
    Jump(const Jump&) = delete;
    Jump& operator=(const Jump&) = delete;

    [[nodiscard]] bool over() const noexcept { return over_; }
    [[nodiscard]] Result<Fd> open(const std::string& address, std::uint16_t port, Wait& wait);
    /// After an open that succeeded.
    [[nodiscard]] JumpPool::Inside::Legs legs() {
        const std::lock_guard lock(mutex_);
        return legs_;
    }

private:
    /// Asked by a carrier's thread, answered by ours.
    struct Request {
        std::string address;
        std::uint16_t port{0};
        Fd done{make_event()};
        std::mutex mutex;
        std::optional<Result<Fd>> answer;
        bool abandoned{false};
    };
    struct Channel {
        ssh_channel channel{nullptr};
        ssh_channel_callbacks_struct callbacks{};
        std::shared_ptr<Request> request;  // empty once answered
        Fd pair;
        std::string to_pair, to_channel;
        bool arrived{false};
        bool finished{false};
    };

    void run(JumpPool::Inside& pool, const std::stop_token& stop);
    void move_bytes(SshLink& link, Wait& wait);
    void adopt(SshLink& link);
    [[nodiscard]] bool step(Channel& one);
    [[nodiscard]] bool finish_opening(Channel& one);
    [[nodiscard]] bool to_pair(Channel& one);
    [[nodiscard]] bool to_channel(Channel& one);
    [[nodiscard]] Woken pause(SshLink& link, Wait& wait);
    void close(Channel& one);
    void end_all(const Error& error);
    static void answer(Request& request, Result<Fd> result);

    Connection connection_;
    SshOptions options_;
    std::mutex mutex_;
    std::deque<std::shared_ptr<Request>> asked_;  // shared: a carrier may give up before us
    bool closed_{false};
    JumpPool::Inside::Legs legs_;
    std::atomic<bool> over_{false};
    Fd wake_{make_event()};
    std::list<Channel> channels_;  // a list: libssh keeps pointers to the callbacks
    std::jthread thread_;
};

void Jump::answer(Request& request, Result<Fd> result) {
    {
        const std::lock_guard lock(request.mutex);
        if (!request.abandoned) { request.answer = std::move(result); }
    }
    raise_event(request.done.get());
}

Result<Fd> Jump::open(const std::string& address, std::uint16_t port, Wait& wait) {
    auto request = std::make_shared<Request>();
    request->address = address;
    request->port = port;
    {
        const std::lock_guard lock(mutex_);
        if (closed_) { return fail(Code::unreachable, "the session to the jump host has ended"); }
        asked_.push_back(request);
    }
    raise_event(wake_.get());
    std::array<pollfd, 1> fds{{{request->done.get(), POLLIN, 0}}};
    const Woken woken = wait.wait(fds);
    const std::lock_guard lock(request->mutex);
    if (request->answer) { return std::move(*request->answer); }
    request->abandoned = true;
    const std::string doing = "reaching " + address + " through " + connection_.host;
    if (woken == Woken::deadline) {
        return fail(Code::unreachable, "no answer before the deadline while " + doing);
    }
    return ended(woken == Woken::ready ? Woken::broken : woken, doing, Effect::none);
}

void Jump::run(JumpPool::Inside& pool, const std::stop_token& stop) {
    Wait login(boot_now() + jump_login_within, stop);
    auto link = open_link(connection_, options_, pool, login);
    Error error = fail(Code::unreachable, "the session to the jump host has ended");
    if (link) {
        {
            const std::lock_guard lock(mutex_);
            legs_ = {.way = (*link)->way(), .ready = boot_now()};
        }
        Wait wait(no_deadline, stop);
        move_bytes(**link, wait);
    } else {
        error = std::move(link).error();
    }
    over_ = true;
    end_all(error);
}

void Jump::move_bytes(SshLink& link, Wait& wait) {
    for (;;) {
        adopt(link);
        bool busy = true;
        for (int pass = 0; busy && pass < most_passes; ++pass) {
            if (!link.pump()) { return; }
            busy = false;
            for (Channel& one : channels_) { busy = step(one) || busy; }
        }
        for (Channel& one : channels_) {
            if (one.finished) { close(one); }
        }
        channels_.remove_if([](const Channel& one) { return one.finished; });
        if (busy) {
            if (wait.check() != Woken::ready) { return; }
            continue;
        }
        if (pause(link, wait) != Woken::ready) { return; }
    }
}

Woken Jump::pause(SshLink& link, Wait& wait) {
    std::vector<pollfd> fds{link.poll_entry(), {wake_.get(), POLLIN, 0}};
    for (const Channel& one : channels_) {
        int events = one.to_pair.empty() ? 0 : POLLOUT;
        if (one.pair.open() && one.to_channel.empty() && ssh_channel_window_size(one.channel) > 0) {
            events |= POLLIN;
        }
        fds.push_back({one.pair.get(), static_cast<short>(events), 0});
    }
    const Woken woken = wait.wait(fds);
    clear_event(wake_.get());
    std::size_t i = 2;
    for (Channel& one : channels_) {
        // A peer that is gone shows POLLHUP whether asked for or not.
        const bool gone = (fds[i].revents & (POLLHUP | POLLERR)) != 0;
        if (gone && (fds[i].revents & POLLIN) == 0) { one.finished = true; }
        ++i;
    }
    return woken;
}

void Jump::adopt(SshLink& link) {
    std::deque<std::shared_ptr<Request>> fresh;
    {
        const std::lock_guard lock(mutex_);
        fresh.swap(asked_);
    }
    for (std::shared_ptr<Request>& request : fresh) {
        ssh_channel channel = ssh_channel_new(link.session());
        if (channel == nullptr) {
            answer(*request, fail(Code::internal, "libssh has no channel"));
            continue;
        }
        Channel& one = channels_.emplace_back();
        one.channel = channel;
        one.request = std::move(request);
        one.callbacks.size = sizeof one.callbacks;
        one.callbacks.userdata = &one;
        // Takes nothing: the bytes stay in libssh, whose window bounds them. It only tells that
        // packets were handled while another channel was being served.
        one.callbacks.channel_data_function = [](ssh_session, ssh_channel, void*, uint32_t, int,
                                                 void* self) {
            static_cast<Channel*>(self)->arrived = true;
            return 0;
        };
        ssh_set_channel_callbacks(channel, &one.callbacks);
    }
}

bool Jump::finish_opening(Channel& one) {
    Request& request = *one.request;
    const int got = ssh_channel_open_forward(one.channel, request.address.c_str(), request.port,
                                             "127.0.0.1", 0);
    if (got == SSH_AGAIN) { return false; }
    std::array<int, 2> ends{};
    if (got != SSH_OK) {
        const std::string why = ssh_get_error(ssh_channel_get_session(one.channel));
        answer(request,
               fail(Code::unreachable, connection_.host + " cannot reach " + request.address +
                                           " port " + std::to_string(request.port) + ": " + why));
        one.finished = true;
    } else if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        answer(request, fail(Code::internal, "no socket pair for a channel"));
        one.finished = true;
    } else {
        one.pair = Fd{ends[0]};
        Fd theirs{ends[1]};
        bound_sends(theirs);
        answer(request, std::move(theirs));  // closed here if nobody waits: step() sees the end
    }
    one.request.reset();
    return true;
}

bool Jump::to_pair(Channel& one) {
    bool progress = false;
    if (one.to_pair.empty()) {
        std::array<char, chunk> buffer{};
        const int got = ssh_channel_read_nonblocking(one.channel, buffer.data(), chunk, 0);
        if (got > 0) {
            one.to_pair.assign(buffer.data(), static_cast<std::size_t>(got));
            progress = true;
        } else if (got < 0 || ssh_channel_is_eof(one.channel) != 0) {
            one.finished = true;
            return false;
        }
    }
    if (!one.to_pair.empty()) {
        const ssize_t put = ::send(one.pair.get(), one.to_pair.data(), one.to_pair.size(),
                                   MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put > 0) {
            one.to_pair.erase(0, static_cast<std::size_t>(put));
            progress = true;
        } else if (errno != EAGAIN && errno != EINTR) {
            one.finished = true;
        }
    }
    return progress;
}

bool Jump::to_channel(Channel& one) {
    bool progress = false;
    const std::size_t room = std::min<std::size_t>(ssh_channel_window_size(one.channel), chunk);
    if (one.to_channel.empty() && room > 0) {
        std::array<char, chunk> buffer{};
        const ssize_t got = ::recv(one.pair.get(), buffer.data(), room, MSG_DONTWAIT);
        if (got > 0) {
            one.to_channel.assign(buffer.data(), static_cast<std::size_t>(got));
            progress = true;
        } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            one.finished = true;
            return false;
        }
    }
    if (!one.to_channel.empty()) {
        const int put = ssh_channel_write(one.channel, one.to_channel.data(),
                                          static_cast<uint32_t>(one.to_channel.size()));
        if (put > 0) {
            one.to_channel.erase(0, static_cast<std::size_t>(put));
            progress = true;
        } else if (put == SSH_ERROR) {
            one.finished = true;
        }
    }
    return progress;
}

bool Jump::step(Channel& one) {
    if (one.finished) { return false; }
    if (one.request) { return finish_opening(one); }
    const bool arrived = std::exchange(one.arrived, false);
    const bool down = to_pair(one);
    const bool up = !one.finished && to_channel(one);
    return arrived || down || up;
}

void Jump::close(Channel& one) {
    ssh_remove_channel_callbacks(one.channel, &one.callbacks);
    ssh_channel_free(one.channel);
    one.channel = nullptr;
    one.pair.reset();
}

void Jump::end_all(const Error& error) {
    std::deque<std::shared_ptr<Request>> left;
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        left.swap(asked_);
    }
    for (const auto& request : left) { answer(*request, error); }
    for (Channel& one : channels_) {
        if (one.request) { answer(*one.request, error); }
        close(one);
    }
    channels_.clear();
}

JumpPool::JumpPool(LoginLimits limits) : inside_(std::make_unique<Inside>(limits)) {}
JumpPool::~JumpPool() = default;

JumpPool::Inside::~Inside() {
    std::map<std::string, std::shared_ptr<Jump>> last;
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        last.swap(jumps_);
    }
    // Without the lock: the thread of a second jump host may just be asking for the first.
    last.clear();
}

Result<Fd> JumpPool::Inside::through(const Connection& connection, const SshOptions& options,
                                     Legs& legs, Wait& wait) {
    Connection last = connection.jumps.back();
    last.jumps.assign(connection.jumps.begin(), connection.jumps.end() - 1);
    const std::string key = chain(last);
    std::shared_ptr<Jump> jump;
    std::shared_ptr<Jump> dead;  // destroyed, and its thread joined, without the lock
    try {
        const std::lock_guard lock(mutex_);
        if (ending_) { return fail(Code::cancelled, "the jump hosts are being left"); }
        std::shared_ptr<Jump>& slot = jumps_[key];
        if (slot && slot->over()) { dead = std::move(slot); }
        if (!slot) { slot = std::make_shared<Jump>(last, options, *this); }
        jump = slot;
    } catch (const std::exception& error) {
        return fail(Code::internal, std::string("no thread for a jump host: ") + error.what());
    }
    auto opened = jump->open(connection.address, connection.port, wait);
    if (!opened) { return std::move(opened).error().at("jump host " + last.host); }
    legs = jump->legs();
    return std::move(*opened);
}

namespace {

/// A socket to the host, directly or through its jumps, with the right to log in; `way` has the
/// legs that led there, how long the last one took to connect included.
Result<Fd> reach(const Connection& connection, const SshOptions& options, JumpPool::Inside& pool,
                 std::vector<Admission::Ticket>& tickets, std::vector<Hop>& way, Wait& wait) {
    const std::string target = known_name(connection.address, connection.port);
    // In this order for everybody, so that two never wait for each other.
    if (!connection.jumps.empty()) {
        DRILL_TRY(auto by_jump,
                  pool.admission.enter("through " + place(connection.jumps.back()), wait));
        tickets.push_back(std::move(by_jump));
    }
    DRILL_TRY(auto ticket, pool.admission.enter(target, wait));
    tickets.push_back(std::move(ticket));
    JumpPool::Inside::Legs legs{};
    const Nanos begun = boot_now();
    auto socket = connection.jumps.empty() ? connect_tcp(connection.address, connection.port,
                                                         options.connect_within, wait)
                                           : pool.through(connection, options, legs, wait);
    // The first one through a jump host also waits for that one's login: not a part of this leg.
    way = std::move(legs.way);
    way.push_back({.host = connection.host, .connected = boot_now() - std::max(begun, legs.ready)});
    return socket;
}

}  // namespace

Result<std::unique_ptr<SshLink>> shake_hands(const Connection& connection,
                                             const SshOptions& options, JumpPool::Inside& pool,
                                             std::vector<Admission::Ticket>& tickets, Wait& wait) {
    for (int left = login_tries - 1;; --left) {
        std::vector<Hop> way;
        DRILL_TRY(Fd socket, reach(connection, options, pool, tickets, way, wait));
        auto link = SshLink::shake_hands(std::move(socket), connection, wait);
        if (link) { (*link)->set_way(std::move(way)); }
        if (link || left == 0 || link.error().code != Code::unreachable ||
            wait.check() != Woken::ready) {
            return link;
        }
        // Hung up before the key exchange: sshd is past its MaxStartups, by logins of others.
        tickets.clear();
        const Nanos pause = login_pause * static_cast<int>(1 + random_seed() % 4);
        if (wait.wait({}, boot_now() + pause) != Woken::until) { return link; }
    }
}

Result<std::unique_ptr<SshLink>> open_link(const Connection& connection, const SshOptions& options,
                                           JumpPool::Inside& pool, Wait& wait) {
    std::vector<Admission::Ticket> tickets;
    DRILL_TRY(auto link, shake_hands(connection, options, pool, tickets, wait));
    if (auto judged = link->judge(); !judged) { return std::move(judged).error(); }
    const Nanos begun = boot_now();
    if (auto in = link->log_in(options.agent_socket, wait); !in) { return std::move(in).error(); }
    std::vector<Hop> way = link->way();
    way.back().logged_in = boot_now() - begun;
    way.back().method = link->method();
    link->set_way(std::move(way));
    return link;
}

}  // namespace drill
