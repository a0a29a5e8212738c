// How a link to a host comes about: logins in measured numbers, directly or through jump hosts.
// Must not: run programs on a jump host. Read next: transport/ssh_jump.cpp.
#pragma once

#include "transport/ssh.hpp"
#include "transport/ssh_link.hpp"
#include "transport/wait.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace drill {

/// Counts half-open logins and their rate, by key (an address, or a jump host). Thread-safe.
class Admission {
public:
    explicit Admission(LoginLimits limits) : limits_(limits) {}

    /// The right to be half open; given back on destruction.
    class Ticket {
    public:
        Ticket() = default;
        Ticket(Admission& from, std::string key) : from_(&from), key_(std::move(key)) {}
        Ticket(Ticket&& other) noexcept
            : from_(std::exchange(other.from_, nullptr)), key_(std::move(other.key_)) {}
        Ticket& operator=(Ticket&& other) noexcept;
        Ticket(const Ticket&) = delete;
        Ticket& operator=(const Ticket&) = delete;
        ~Ticket() { give_back(); }

    private:
        void give_back() noexcept;
        Admission* from_{nullptr};
        std::string key_;
    };

    /// Blocks until there is room, the deadline or a stop.
    [[nodiscard]] Result<Ticket> enter(const std::string& key, Wait& wait);

private:
    struct Gate {
        int half_open{0};
        Nanos next{0};  ///< when the rate allows the next one, were there no burst
    };
    [[nodiscard]] bool try_enter(const std::string& key, Nanos now);
    void leave(const std::string& key) noexcept;

    LoginLimits limits_;
    std::mutex mutex_;
    std::map<std::string, Gate> gates_;
};

class Jump;

class JumpPool::Inside {
public:
    explicit Inside(LoginLimits limits) : admission(limits) {}
    ~Inside();
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

    Admission admission;
    /// A socket that is a direct-tcpip channel from the last of connection.jumps to the address.
    /// `legs` gets the legs up to that jump host, and when its session was ready (boot time).
    struct Legs {
        std::vector<Hop> way;
        Nanos ready{0};
    };
    [[nodiscard]] Result<Fd> through(const Connection& connection, const SshOptions& options,
                                     Legs& legs, Wait& wait);

private:
    std::mutex mutex_;
    bool ending_{false};
    std::map<std::string, std::shared_ptr<Jump>> jumps_;  // shared with those that open a channel
};

/// A link after the key exchange, not judged, not logged in: the last of its legs is without the
/// time of the login. `tickets` stay until login is over.
[[nodiscard]] Result<std::unique_ptr<SshLink>> shake_hands(const Connection& connection,
                                                           const SshOptions& options,
                                                           JumpPool::Inside& pool,
                                                           std::vector<Admission::Ticket>& tickets,
                                                           Wait& wait);
/// A judged, logged-in link.
[[nodiscard]] Result<std::unique_ptr<SshLink>> open_link(const Connection& connection,
                                                         const SshOptions& options,
                                                         JumpPool::Inside& pool, Wait& wait);

}  // namespace drill
