// Bounded TCP connects.
// Must not: block in the resolver; getaddrinfo has no deadline, so names get a thread of their own.
// Read next: transport/tcp.hpp.
#include "transport/tcp.hpp"

#include "transport/clock.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace drill {

namespace {

constexpr Nanos first_attempt = std::chrono::milliseconds{300};
constexpr Nanos longest_attempt = std::chrono::milliseconds{2400};
constexpr int user_timeout_ms = 10'000;
constexpr std::size_t most_addresses = 16;
// Look-ups that their askers gave up on end by the resolver's own time-outs (tens of seconds).
constexpr int most_lookups = 256;

struct Target {
    sockaddr_storage address{};
    socklen_t size{0};
    int family{AF_UNSPEC};
    bool dead{false};  ///< refused or no route
    std::string problem;
};

std::vector<Target> look_up(const std::string& name, std::uint16_t port, int flags,
                            std::string& problem) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int status = ::getaddrinfo(name.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (status != 0) { problem = ::gai_strerror(status); }
    std::vector<Target> targets;
    for (const addrinfo* one = found; one != nullptr && targets.size() < most_addresses;
         one = one->ai_next) {
        Target target;
        std::memcpy(&target.address, one->ai_addr, one->ai_addrlen);
        target.size = one->ai_addrlen;
        target.family = one->ai_family;
        targets.push_back(target);
    }
    if (found != nullptr) { ::freeaddrinfo(found); }
    return targets;
}

/// Shared by the asker and the thread that may outlive the asker's patience.
struct LookUp {
    Fd done{make_event()};
    std::mutex mutex;
    std::vector<Target> targets;
    std::string problem;
};

std::atomic<int>& running_lookups() {
    static std::atomic<int> count{0};
    return count;
}

Result<std::vector<Target>> resolve(const std::string& name, std::uint16_t port, Wait& wait) {
    std::string problem;
    std::vector<Target> numeric = look_up(name, port, AI_NUMERICHOST, problem);
    if (!numeric.empty()) { return numeric; }
    auto shared = std::make_shared<LookUp>();  // two owners: this call and the look-up's thread
    if (!shared->done.open()) { return ended(Woken::broken, "resolving " + name, Effect::none); }
    if (++running_lookups() > most_lookups) {
        --running_lookups();
        return fail(Code::unreachable, "too many name look-ups hang; the resolver does not answer");
    }
    try {
        std::thread([shared, name, port] {
            std::string why;
            std::vector<Target> found = look_up(name, port, AI_ADDRCONFIG, why);
            {
                const std::lock_guard lock(shared->mutex);
                shared->targets = std::move(found);
                shared->problem = std::move(why);
            }
            --running_lookups();
            raise_event(shared->done.get());
        }).detach();
    } catch (const std::exception& error) {
        --running_lookups();
        return fail(Code::internal, std::string("no thread for a name look-up: ") + error.what());
    }
    std::array<pollfd, 1> fds{{{shared->done.get(), POLLIN, 0}}};
    const Woken woken = wait.wait(fds);
    if (woken == Woken::deadline) {
        return fail(Code::unreachable, "the name " + name + " was not resolved in time");
    }
    if (woken != Woken::ready) { return ended(woken, "resolving " + name, Effect::none); }
    const std::lock_guard lock(shared->mutex);
    if (shared->targets.empty()) {
        return fail(Code::unreachable, "the name " + name + " has no address: " + shared->problem);
    }
    return std::move(shared->targets);
}

void tune(const Fd& fd) {
    const auto set = [&fd](int level, int name, int value) {
        ::setsockopt(fd.get(), level, name, &value, sizeof value);
    };
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 15);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
    set(IPPROTO_TCP, TCP_KEEPCNT, 3);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout_ms);
    bound_sends(fd);
    ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) & ~O_NONBLOCK);
}

enum class Attempt { connected, failed, over };

Attempt attempt(Target& target, Nanos until, Wait& wait, Fd& into, Woken& woken) {
    Fd fd{::socket(target.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!fd.open()) {
        target.problem = std::strerror(errno);
        target.dead = true;
        return Attempt::failed;
    }
    // A storage read as the general form is what the socket interface is made for.
    const auto* address = reinterpret_cast<const sockaddr*>(&target.address);
    int problem = ::connect(fd.get(), address, target.size) == 0 ? 0 : errno;
    if (problem == EINPROGRESS) {
        std::array<pollfd, 1> fds{{{fd.get(), POLLOUT, 0}}};
        woken = wait.wait(fds, until);
        if (woken == Woken::until) {
            target.problem = "no answer";
            return Attempt::failed;
        }
        if (woken != Woken::ready) { return Attempt::over; }
        socklen_t size = sizeof problem;
        ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &problem, &size);
    }
    if (problem != 0) {
        target.problem = std::strerror(problem);
        target.dead = true;
        return Attempt::failed;
    }
    tune(fd);
    into = std::move(fd);
    return Attempt::connected;
}

}  // namespace

void bound_sends(const Fd& socket) noexcept {
    const timeval limit{.tv_sec = 0, .tv_usec = 50'000};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

Result<Fd> connect_tcp(const std::string& address, std::uint16_t port, Nanos within, Wait& wait) {
    if (address.empty() || address.starts_with('-')) {
        return fail(Code::invalid, "not an address: \"" + address + "\"");
    }
    const std::string where = address + " port " + std::to_string(port);
    DRILL_TRY(std::vector<Target> targets, resolve(address, port, wait));
    const Nanos give_up = boot_now() + within;
    std::string problem;
    for (Nanos length = first_attempt;; length = std::min(length * 2, longest_attempt)) {
        bool alive = false;
        for (Target& target : targets) {
            if (target.dead) { continue; }
            Fd fd;
            Woken woken = Woken::ready;
            const Nanos until = std::min(boot_now() + length, give_up);
            switch (attempt(target, until, wait, fd, woken)) {
                case Attempt::connected: return fd;
                case Attempt::over:
                    if (woken == Woken::deadline) {
                        return fail(Code::unreachable, where + ": no answer before the deadline");
                    }
                    return ended(woken, "connecting to " + where, Effect::none);
                case Attempt::failed: break;
            }
            problem = target.problem;
            alive = alive || !target.dead;
        }
        if (!alive || boot_now() >= give_up) {
            return fail(Code::unreachable, std::string(where).append(": ").append(problem));
        }
    }
}

}  // namespace drill
