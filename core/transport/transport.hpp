// The transport seam: how an action reaches a target. Concrete ones are put together in cli/.
// Must not: decide anything, repeat an action, or turn a lost answer into a failure.
#pragma once

#include "model/event.hpp"

#include <optional>
#include <stop_token>
#include <vector>

namespace drill {

/// Where answers, samples and stop requests arrive. `post` may be called from any thread.
class Mailbox {
public:
    Mailbox() = default;
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;
    virtual ~Mailbox() = default;
    virtual void post(News news) = 0;
    /// Blocks until there is news or `until` (boot time) has come; empty on the latter.
    [[nodiscard]] virtual std::vector<News> take(std::optional<Nanos> until) = 0;
};

/// Non-blocking: exactly one Answered for each order will appear in the mailbox, by its
/// deadline. Orders of one host are carried out one after the other; urgency undo goes before
/// everything else in the lane of its host. A lost answer is Effect::unknown, never repeated.
class Transport {
public:
    Transport() = default;
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;
    virtual ~Transport() = default;
    virtual void submit(Order order) = 0;
};

/// One way to reach one host, used by one lane at a time (not thread-safe).
/// Blocks at most until the deadline or a stop request. Reports Effect::unknown when the action
/// was sent and no complete answer came. Keeps its connection between calls.
class Carrier {
public:
    Carrier() = default;
    Carrier(const Carrier&) = delete;
    Carrier& operator=(const Carrier&) = delete;
    virtual ~Carrier() = default;
    [[nodiscard]] virtual Result<Reply> perform(const Action& action, Nanos deadline,
                                                std::stop_token stop) = 0;
    /// Ends the kept connection; the next perform makes a new one.
    virtual void disconnect() = 0;
};

/// The probes of a plan, sampled on an absolute schedule until stopped.
class Sampler {
public:
    Sampler() = default;
    Sampler(const Sampler&) = delete;
    Sampler& operator=(const Sampler&) = delete;
    virtual ~Sampler() = default;
    virtual void start(Mailbox& mailbox) = 0;
    virtual void stop() = 0;
};

}  // namespace drill
