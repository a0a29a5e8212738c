// TCP questions in the poll loop: non-blocking connects, any number at once.
// Must not: block, resolve names (sampler_pool.hpp does), or judge. Next: sampler.cpp.
#pragma once

#include "transport/sampler_ask.hpp"
#include "transport/wait.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace drill::sampling {

struct Address {
    sockaddr_storage storage{};
    socklen_t size{0};
};

/// The address when `host` is one already; no look-up of any kind.
[[nodiscard]] std::optional<Address> numeric_address(const std::string& host, std::uint16_t port);

/// A connection to the first of some addresses that accepts one; for talks.
class Dial {
public:
    explicit Dial(std::vector<Address> addresses) : addresses_(std::move(addresses)) {}
    enum class State : std::uint8_t { waiting, connected, failed };
    /// To be called first, and then whenever the socket is writable. Does not block.
    [[nodiscard]] State advance();
    [[nodiscard]] int error() const noexcept { return error_ != 0 ? error_ : EADDRNOTAVAIL; }
    [[nodiscard]] Fd& socket() noexcept { return socket_; }

private:
    std::vector<Address> addresses_;
    std::size_t next_{0};
    Fd socket_;
    int error_{0};
};

/// Used by one thread.
class TcpAsker {
public:
    TcpAsker(int epoll, Clock& clock) : epoll_(epoll), clock_(clock) {}

    /// Tries the addresses in order, the next when one fails. Appends to `ends` what ends at once.
    void begin(std::uint64_t token, std::vector<Address> addresses, Ends& ends);
    /// An event of this token's socket; a token that is gone is ignored.
    void ready(std::uint64_t token, Ends& ends);
    void drop(std::uint64_t token) { open_.erase(token); }
    void drop_all() { open_.clear(); }

private:
    struct Attempt {
        std::vector<Address> addresses;
        std::size_t next{0};
        Fd socket;
        int error{0};
    };
    /// True when it has ended, well or badly.
    bool advance(std::uint64_t token, Attempt& attempt, Ends& ends);
    void end(std::uint64_t token, int error, Ends& ends);

    int epoll_;
    Clock& clock_;
    std::unordered_map<std::uint64_t, Attempt> open_;
};

}  // namespace drill::sampling
