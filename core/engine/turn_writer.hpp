// What the state machines of a run write into: the events, leases and orders of one turn.
// Must not: do I/O. The runner commits a turn's events and leases before it sends its orders.
#pragma once

#include "base/random.hpp"
#include "model/event.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace drill {

/// Longest time that one order may take; a host that does not answer by then is asked again.
inline constexpr Nanos order_timeout = std::chrono::seconds{20};
/// An apply that reaches its host later than this is refused there (not_after).
inline constexpr Nanos apply_window = std::chrono::seconds{15};

class TurnWriter {
public:
    TurnWriter(const Instant& now, Turn& turn, std::uint64_t& next_order, Random& random)
        : now_(now), turn_(turn), next_order_(next_order), random_(random) {}

    [[nodiscard]] const Instant& now() const { return now_; }
    [[nodiscard]] std::string nonce();
    [[nodiscard]] std::string lease_id();

    /// Queues an order and gives its id.
    std::uint64_t send(const Connection& to, Envelope envelope, Nanos timeout, Urgency urgency,
                       bool fresh = false);
    void keep(const Lease& lease) { turn_.leases.push_back(lease); }
    void wake_at(Nanos when);

    struct Note {
        std::string type, step, host, lease, message;
        std::map<std::string, Datum> data;
        std::map<std::string, std::string> personal;
    };
    void tell(Note note);

private:
    const Instant& now_;
    Turn& turn_;
    std::uint64_t& next_order_;
    Random& random_;
    [[nodiscard]] std::string letters(std::size_t count);
};

}  // namespace drill
