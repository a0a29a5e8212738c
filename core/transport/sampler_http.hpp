// HTTP questions in the poll loop: libcurl's multi interface, driven by sockets and timers.
// Must not: keep connections or cached names, follow redirects, use proxies or .netrc, judge.
// Next: sampler.cpp.
#pragma once

#include "transport/sampler_ask.hpp"

#include <memory>
#include <optional>

namespace drill::sampling {

/// Used by one thread.
class HttpAsker {
public:
    HttpAsker(int epoll, Clock& clock);
    HttpAsker(const HttpAsker&) = delete;
    HttpAsker& operator=(const HttpAsker&) = delete;
    ~HttpAsker();

    /// The caller ends it by `drop` at its own time-out; `limit` only bounds what is forgotten.
    void begin(std::uint64_t token, const HttpQuestion& question, Nanos limit, Ends& ends);
    /// Its steps, one after the other, each over a connection of its own; cookies are kept within
    /// it. `question` must outlive it. The answer is that of the last step; a problem names one.
    void begin(std::uint64_t token, const TransactionQuestion& question, Nanos limit, Ends& ends);
    /// "step pay", "" for what is no transaction.
    [[nodiscard]] std::string stage(std::uint64_t token) const;
    void ready(int socket, std::uint32_t epoll_events, Ends& ends);
    /// When expire() must be called next (boot time).
    [[nodiscard]] std::optional<Nanos> due() const;
    void expire(Ends& ends);
    /// Ends a question. Says how long after its begin the request was on its way: zero when the
    /// connection never stood or the token is gone, Nanos::max() when it stood and nothing was
    /// sent. Does not block, also while a name is being resolved.
    Nanos drop(std::uint64_t token);
    void drop_all();

    struct Parts;  ///< hides libcurl; known to sampler_http.cpp only

private:
    std::unique_ptr<Parts> parts_;
};

}  // namespace drill::sampling
