// Events: immutable facts about a run. And what flows between runner and conductor.
#pragma once

#include "model/action.hpp"
#include "model/host.hpp"
#include "model/lease.hpp"
#include "model/probe.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace drill {

using Datum = std::variant<std::string, std::int64_t, bool>;

struct Event {
    Instant at;
    std::string type;                   ///< "run.started", "fault.held", ...; list in engine/README
    std::string step, host, lease;      ///< "" where it does not apply
    std::string message;                ///< the line a person reads
    std::map<std::string, Datum> data;  ///< durations in ns, no floats
    std::map<std::string, std::string>
        personal;  ///< names and captured output: digests in the chain, text beside it
};

/// An order of the conductor. Undo and question are sent even when the ledger cannot be written.
enum class Urgency : std::uint8_t { undo, change, question };
struct Order {
    std::uint64_t id{0};
    Connection to;
    Action action;
    Nanos deadline{0};  ///< controller's CLOCK_BOOTTIME; the answer comes by then
    Urgency urgency{Urgency::question};
    bool fresh{false};  ///< over a new connection, the kept one is closed first
};

struct Answered {
    std::uint64_t order{0};
    Result<Reply> reply;
    Nanos sent{0};  ///< controller's boot time when the call began on the wire
    Nanos received{0};
};
struct Sampled {
    Sample sample;
};
/// Somebody wants the run to end: a signal, `drill halt`.
struct StopAsked {
    std::string reason;        ///< "SIGINT", "halted from elsewhere"; no names, it is kept
    std::string letter{};      ///< of `drill halt`: the file in the inbox that asked for it
    std::string by{}, text{};  ///< of `drill halt`: who and why; personal
};
/// A person's remark, to be kept (`drill note`).
struct Noted {
    std::string letter, by, text;
};
/// The ledger could not be written: these change orders were not sent.
struct Withheld {
    std::vector<std::uint64_t> orders;
    Error error;
};
/// Enter was pressed for a step that is held until then (`drill run --hold STEP`).
struct HoldEnded {
    std::string step;
};
using News = std::variant<Answered, Sampled, StopAsked, Withheld, Noted, HoldEnded>;

/// What the conductor wants. The runner commits events and leases first, then sends orders.
struct Turn {
    std::vector<Event> events;
    std::vector<Lease> leases;
    std::vector<Order> orders;
    std::optional<Nanos> wake_at;  ///< next time something is due without news
    bool start_probes{false};
    bool stop_probes{false};
    bool finished{false};
};

}  // namespace drill
