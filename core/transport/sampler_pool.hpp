// The parts of sampling that must block, on threads of their own: commands and names.
// Must not: touch the poll loop's state; results go through a locked list and an eventfd.
// Next: sampler.cpp.
#pragma once

#include "transport/sampler.hpp"
#include "transport/sampler_ask.hpp"
#include "transport/sampler_tcp.hpp"
#include "transport/wait.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

namespace drill::sampling {

/// A command in the pool. Shared: the loop may give it up while a worker still runs it.
struct PooledQuestion {
    std::uint64_t token{0};
    CommandQuestion question;
    Nanos timeout{0};
    std::atomic<std::int64_t> started{0};  ///< boot time in ns, 0 = still waiting
    std::atomic<bool> dropped{false};
};

/// Runs commands, at most `threads` at once. The destructor asks the runner to stop and waits.
class CommandPool {
public:
    CommandPool(std::size_t threads, CommandRunner runner, Clock& clock);
    CommandPool(const CommandPool&) = delete;
    CommandPool& operator=(const CommandPool&) = delete;
    ~CommandPool();

    void submit(std::shared_ptr<PooledQuestion> pooled);
    /// Readable when collect() has something.
    [[nodiscard]] int event() const noexcept { return event_.get(); }
    void collect(Ends& ends);

private:
    void work(const std::stop_token& stop);
    [[nodiscard]] Done run(PooledQuestion& pooled, const std::stop_token& stop);

    CommandRunner runner_;
    Clock& clock_;
    Fd event_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<std::shared_ptr<PooledQuestion>> queue_;
    Ends ends_;
    std::vector<std::jthread> threads_;  // last: they use everything above
};

struct Resolved {
    std::uint64_t token{0};
    std::vector<Address> addresses;  ///< empty: `answer` says why
    Answer answer;
};

/// Looks names up, on detached threads: getaddrinfo cannot be interrupted, and stop must not
/// wait for it. They keep their own state alive and touch nothing else.
class Resolver {
public:
    explicit Resolver(std::size_t threads);
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;
    ~Resolver();

    void submit(std::uint64_t token, std::string host, std::uint16_t port);
    [[nodiscard]] int event() const noexcept;
    [[nodiscard]] std::vector<Resolved> collect();

    struct State;

private:
    std::shared_ptr<State> state_;
};

}  // namespace drill::sampling
