// Ends one open lease and proves it: undo, read back, disarm. Used by the conductor for every
// change of a run and by `drill undo` for what a dead run left; needs nothing but the lease.
// Must not: know kinds, clocks or transports. Undo is idempotent, so a lost answer is asked again.
#pragma once

#include "engine/turn_writer.hpp"
#include "model/event.hpp"

#include <optional>
#include <string>

namespace drill {

class Release {
public:
    /// Gives up (stuck) when nothing is proven by `give_up_at`, controller's boot time.
    Release(Lease lease, Nanos give_up_at);

    /// Commits `releasing` and sends the undo.
    void begin(TurnWriter& turn);
    /// True when the answer was to an order of this release.
    bool answer(TurnWriter& turn, const Answered& answered);
    /// Sends retries that are due; call once a turn.
    void tick(TurnWriter& turn);
    void give_up_by(Nanos when) { give_up_at_ = when; }

    [[nodiscard]] bool finished() const { return !is_open(lease_.state) || gave_up_; }
    [[nodiscard]] const Lease& lease() const { return lease_; }
    [[nodiscard]] std::optional<Nanos> undo_sent() const { return undo_sent_; }
    [[nodiscard]] std::optional<Nanos> undone_at() const { return undone_at_; }
    /// What was found after the undo; altered = nothing of ours is there, nor the state before.
    [[nodiscard]] Presence found() const { return found_; }
    [[nodiscard]] bool rebooted() const { return rebooted_; }
    /// What the host said of a change that stays, "" else.
    [[nodiscard]] const std::string& said() const { return said_; }

private:
    enum class Part : std::uint8_t { undo, disarm };
    void send(TurnWriter& turn);
    void judge_undo(TurnWriter& turn, const Reply& reply, Nanos received);
    void judge_disarm(TurnWriter& turn, const Reply& reply);
    void retry(TurnWriter& turn, std::string why);

    Lease lease_;
    Nanos give_up_at_;
    bool apply_unknown_;  ///< whether the apply reached the host is not known
    Part part_{Part::undo};
    std::optional<std::uint64_t> order_;
    std::optional<Nanos> retry_at_;
    Nanos pause_{0};
    std::optional<Nanos> undo_sent_, undone_at_;
    Presence found_{Presence::unclear};
    bool rebooted_{false};
    bool gave_up_{false};
    std::string why_, said_;
};

}  // namespace drill
