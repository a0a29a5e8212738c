// Questions that are a dialogue on one socket (DNS, TLS, PostgreSQL) in the poll loop. A talk says
// what it waits for; here is all that knows epoll.
// Must not: block, resolve names (sampler_pool.hpp does), or judge.
// Next: sampler_dns.hpp, sampler_tls.hpp, sampler_postgres.hpp; sampler.cpp.
#pragma once

#include "transport/sampler_ask.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>

namespace drill::sampling {

/// One question under way. Its destructor closes what it opened and does not block.
class Talk {
public:
    struct Want {
        int fd{-1};
        std::uint32_t events{0};  ///< EPOLLIN, EPOLLOUT
        bool fresh{false};        ///< another socket than before, though maybe of the same number
    };
    Talk() = default;
    Talk(const Talk&) = delete;
    Talk& operator=(const Talk&) = delete;
    virtual ~Talk() = default;
    /// Goes on as far as it can without waiting. The answer when it has ended, else `want` is set.
    [[nodiscard]] virtual std::optional<Answer> advance(Want& want) = 0;
};

/// Used by one thread.
class TalkAsker {
public:
    TalkAsker(int epoll, Clock& clock) : epoll_(epoll), clock_(clock) {}

    /// Appends to `ends` what ends at once.
    void begin(std::uint64_t token, std::unique_ptr<Talk> talk, Ends& ends);
    /// An event of this token's socket; a token that is gone is ignored.
    void ready(std::uint64_t token, Ends& ends);
    void drop(std::uint64_t token) { open_.erase(token); }
    void drop_all() { open_.clear(); }

private:
    struct Held {
        std::unique_ptr<Talk> talk;
        int watched{-1};
    };
    void advance(std::uint64_t token, Held& held, Ends& ends);
    [[nodiscard]] bool watch(std::uint64_t token, Held& held, const Talk::Want& want);

    int epoll_;
    Clock& clock_;
    std::unordered_map<std::uint64_t, Held> open_;
};

}  // namespace drill::sampling
