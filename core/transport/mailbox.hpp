// The real mailbox: where answers, samples and stop requests reach the one deciding thread.
// Must not: decide or reorder anything. Read next: transport/transport.hpp.
#pragma once

#include "transport/transport.hpp"
#include "transport/wait.hpp"

#include <cstddef>
#include <mutex>

namespace drill {

/// `post` from any thread, never blocks; `take` from one thread at a time. Wakes by an eventfd:
/// tens of microseconds on an idle machine.
class ThreadMailbox : public Mailbox {
public:
    /// Samples that may wait. Answers, stop requests and withheld orders are always kept: orders
    /// bound them, and losing one would lose an effect.
    static constexpr std::size_t most_samples = 65'536;

    ThreadMailbox();
    /// A sample beyond the bound is dropped and counted: the gap in its numbers shows, and the
    /// conductor counts missing numbers as unknown.
    void post(News news) override;
    [[nodiscard]] std::vector<News> take(std::optional<Nanos> until) override;

    [[nodiscard]] std::size_t dropped() const;

private:
    [[nodiscard]] std::vector<News> grab();

    mutable std::mutex mutex_;
    std::vector<News> news_;
    std::size_t samples_{0};
    std::size_t dropped_{0};
    Fd event_;
};

}  // namespace drill
