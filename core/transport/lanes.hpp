// The real transport: one ordered queue (lane) for each host, carried out by a bounded pool of
// threads that are made on demand. A lane without orders costs no thread, only its kept session.
// Must not: repeat an order, or let one host wait for another but for a thread.
// Read next: transport/ssh.hpp, transport/local.hpp (carriers).
#pragma once

#include "base/instant.hpp"
#include "transport/transport.hpp"

#include <cstddef>
#include <functional>
#include <memory>

namespace drill {

struct LanesOptions {
    std::size_t threads{64};  ///< at most; more than 64 logins in flight gain nothing
    std::function<std::unique_ptr<Carrier>(const Connection&)> carrier;
    bool undo_ends_question{true};  ///< an undo cancels the question that its host is busy with
};

/// `submit` from any thread, never blocks. Exactly one Answered for each order.
/// An undo goes before everything else in its lane, and its lane before other lanes.
/// An order that is still queued at its deadline is answered timed_out, Effect::none.
class Lanes : public Transport {
public:
    Lanes(Clock& clock, Mailbox& mailbox, LanesOptions options);
    /// Stops what runs and answers what is queued (cancelled, none); as bounded as the carriers.
    ~Lanes() override;
    void submit(Order order) override;

    /// Threads made so far.
    [[nodiscard]] std::size_t threads() const;

private:
    class Inside;
    std::unique_ptr<Inside> inside_;
};

}  // namespace drill
