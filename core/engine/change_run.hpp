// The life of one change on one host within a run:
// observe, intent, arm + apply, bite, held, renew, undo, read back, disarm.
// Must not: judge hypotheses or decide when a run ends; the conductor does. Next: conductor.hpp.
#pragma once

#include "engine/release.hpp"
#include "engine/turn_writer.hpp"
#include "model/kind.hpp"
#include "model/outcome.hpp"
#include "model/plan.hpp"

#include <optional>
#include <string>
#include <vector>

namespace drill {

/// What is known of a host when the run begins, and the relation of its clock to ours.
struct ObservedHost {
    Facts facts;
    Nanos uptime{0};    ///< the host's CLOCK_BOOTTIME as it answered
    Nanos asked{0};     ///< controller's boot time: the question was sent
    Nanos answered{0};  ///< and its answer received; `uptime` was true in between

    [[nodiscard]] std::string boot_id() const;
    /// The host's CLOCK_BOOTTIME cannot be earlier than this at the controller's `now`.
    [[nodiscard]] Nanos uptime_at_least(Nanos now) const { return uptime + (now - answered); }
};

/// What is the same for every change of a run.
struct RunFrame {
    std::string run;  ///< run id
    std::int64_t number{0};
    std::string by;  ///< who runs it, for the label on targets
    std::string contact;
    std::string controller_boot;  ///< boot id of this machine
    std::string lease_base{"/run/drill"};
};

class ChangeRun {
public:
    enum class Stage : std::uint8_t {
        waiting,  ///< its step has not begun
        observing,
        applying,
        seeking,  ///< applied, bite not yet seen
        held,
        releasing,
        done,  ///< released, stuck, or never sent
    };
    /// Why a change ended before its hold was over.
    enum class Failure : std::uint8_t { none, refused, apply_failed, no_bite, altered, lost, late };

    ChangeRun(const PlannedStep& step, const PlannedChange& planned, const Plan& plan,
              const Kind* kind, const ObservedHost& host, const RunFrame& frame);

    void begin(TurnWriter& turn);
    bool answer(TurnWriter& turn, const Answered& answered);
    void withheld(TurnWriter& turn, std::uint64_t order);
    void tick(TurnWriter& turn);
    /// Ends it now; a change that was never sent is simply not made.
    void end(TurnWriter& turn);
    /// Held until end_hold() instead of for the planned time, as long as the limit allows.
    void hold_open() { open_ = true; }
    /// Its hold is over: at once, or, where it does not bite yet, when it does.
    void end_hold(TurnWriter& turn);

    [[nodiscard]] Stage stage() const { return stage_; }
    [[nodiscard]] Failure failure() const { return failure_; }
    [[nodiscard]] const std::string& why() const { return why_; }
    [[nodiscard]] bool has_lease() const { return lease_.has_value(); }
    /// Its lease exists and is not proven to be over: counts toward the limit.
    [[nodiscard]] bool in_force() const;
    [[nodiscard]] bool stuck() const;
    [[nodiscard]] Took took() const;
    /// It failed before it was seen to bite: on_partial says what follows.
    [[nodiscard]] bool did_not_take() const { return failure_ != Failure::none && !bite_at_; }
    [[nodiscard]] const std::string& step() const { return step_.name; }
    [[nodiscard]] const std::string& host() const { return planned_.host; }
    [[nodiscard]] std::optional<Nanos> apply_sent() const { return apply_sent_; }
    [[nodiscard]] std::optional<Nanos> bite_at() const { return bite_at_; }
    [[nodiscard]] std::optional<Nanos> undo_sent() const;
    /// The last moment at which it is proven to have been in effect, for a hold that was full.
    [[nodiscard]] std::optional<Nanos> proven_until() const { return proven_until_; }
    [[nodiscard]] ChangeOutcome outcome() const;

private:
    void compose(TurnWriter& turn);
    void apply(TurnWriter& turn, Change change);
    void applied(TurnWriter& turn, const Answered& answered);
    void ask_presence(TurnWriter& turn);
    void presence(TurnWriter& turn, const Answered& answered);
    void seek(TurnWriter& turn, Presence found, Nanos received, const std::string& said);
    void stimulate(TurnWriter& turn);
    void renew(TurnWriter& turn);
    void renewed(TurnWriter& turn, const Answered& answered);
    void ask_check(TurnWriter& turn);
    void checked(TurnWriter& turn, const Answered& answered);
    void await_return(TurnWriter& turn);
    void ask_testimony(TurnWriter& turn);
    void returned(TurnWriter& turn, const Answered& answered);
    void testify(TurnWriter& turn, const Answered& answered, Presence found);
    void release(TurnWriter& turn);
    void fail_with(TurnWriter& turn, Failure failure, std::string why);
    [[nodiscard]] ChangeRequest request(Nanos ttl) const;
    [[nodiscard]] Envelope call(Phase phase) const;
    [[nodiscard]] std::string place() const { return step_.name + " on " + planned_.host; }
    [[nodiscard]] Nanos last_end() const;
    /// Nobody can ask while it is on; what is over at once is asked like any other.
    [[nodiscard]] bool cuts_its_way() const;
    [[nodiscard]] Nanos longest_hold(Nanos bite) const;
    /// The hold, and what is asked while it lasts, are over at `when`.
    [[nodiscard]] bool hold_over(Nanos when) const;

    const PlannedStep& step_;
    const PlannedChange& planned_;
    const Plan& plan_;
    const Kind* kind_;
    const ObservedHost& known_;
    const RunFrame& frame_;
    Nanos ttl_;  ///< of a lease period: the hold where the step cuts its own path

    Stage stage_{Stage::waiting};
    Failure failure_{Failure::none};
    std::string why_;
    std::vector<CommandReply> observed_;
    std::string lease_id_;
    std::optional<Lease> lease_;
    std::optional<Release> release_;

    std::optional<std::uint64_t> order_;  ///< observe, apply, read_back or renew
    Phase order_phase_{Phase::ask};
    std::optional<std::uint64_t> check_order_;
    std::vector<std::uint64_t> stimulus_orders_;
    std::optional<Nanos> ask_at_;  ///< next read-back or renewal
    std::optional<Nanos> check_at_;

    std::optional<Nanos> apply_sent_, apply_answered_, bite_at_, hold_ends_, bite_by_, check_by_;
    Nanos renewed_at_{0};    ///< when the last successful apply or renewal was sent
    Nanos period_{0};        ///< the time that it asked for
    Nanos asked_period_{0};  ///< the time that the renewal under way asks for
    std::optional<Nanos> proven_until_;
    bool unsure_{false};  ///< the last read-back was unclear, asked again at ask_at_
    bool never_sent_{false};
    bool away_{false};               ///< it cuts its own way: silence until its end is expected
    std::optional<Nanos> ended_at_;  ///< by the host's own log, where nobody could ask
    bool ending_{false};
    bool open_{false};       ///< held until somebody says so
    bool hold_told_{false};  ///< and somebody did
    bool stimulated_{false};
    Finding check_finding_{Finding::held};
    std::string check_text_;
    std::string remark_;  ///< ChangeOutcome::remark
};

/// Runs a read-back on the target, at most 6 s, until it says that the change bites, and writes the
/// time of that into the lease directory. For a change during which nobody can ask.
[[nodiscard]] Exec witness_of(const Exec& look);

}  // namespace drill
