// The conductor decides what a run does next: same news, same turns. No I/O, no clock, no
// thread, no global state; the runner (runner.hpp) feeds it and carries its turns out.
// Reading order: change_run.hpp (one change), release.hpp (its end), judge.hpp (the verdict).
#pragma once

#include "engine/change_run.hpp"
#include "engine/judge.hpp"
#include "engine/measure.hpp"
#include "engine/turn_writer.hpp"
#include "model/outcome.hpp"
#include "model/plan.hpp"

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace drill {

struct ConductorInput {
    Plan plan;
    Kinds kinds;
    std::map<std::string, ObservedHost> hosts;  ///< every host that a step changes
    RunFrame frame;
    bool rehearse{false};   ///< probes, gates and guards are real, no step begins
    std::string hold;       ///< a step that is held until HoldEnded, "" = none
    std::uint64_t seed{0};  ///< of lease ids and nonces; from the operating system
};

/// Proves, once per host and run, that a guard outlives the connection that armed it.
class Rehearsal {
public:
    Rehearsal(std::string host, const Connection& connection, const ObservedHost& known,
              const RunFrame& frame);
    void begin(TurnWriter& turn);
    bool answer(TurnWriter& turn, const Answered& answered);
    void withheld(std::uint64_t order);
    void tick(TurnWriter& turn);
    [[nodiscard]] bool proven() const { return proven_; }
    [[nodiscard]] const std::string& why() const { return why_; }  ///< "" or what failed
    /// Nothing of it is under way any more.
    [[nodiscard]] bool settled() const;
    [[nodiscard]] bool stuck() const;
    [[nodiscard]] const std::string& host() const { return host_; }
    [[nodiscard]] const Lease& lease() const { return lease_; }

private:
    void fail_with(TurnWriter& turn, std::string why);
    std::string host_;
    const Connection& connection_;
    const ObservedHost& known_;
    const RunFrame& frame_;
    Lease lease_;
    std::optional<std::uint64_t> order_;
    Phase phase_{Phase::rehearse};
    std::optional<Release> release_;
    bool proven_{false};
    bool begun_{false};
    std::string why_;
};

class Conductor {
public:
    explicit Conductor(ConductorInput input);
    Conductor(const Conductor&) = delete;
    Conductor& operator=(const Conductor&) = delete;

    Turn turn(const Instant& now, std::vector<News> news);

    /// Valid after a turn with `finished`.
    [[nodiscard]] const Outcome& outcome() const { return outcome_; }
    /// What is open right now, one line each, for an operator who interrupts.
    [[nodiscard]] std::vector<std::string> still_open() const;

private:
    enum class Stage : std::uint8_t { preparing, injecting, releasing, settling, finished };
    /// Why the run ends, in the order in which later ones do not replace earlier ones.
    enum class Cause : std::uint8_t {
        none,
        completed,
        rehearsed,
        stopped,
        halt_tripped,
        halt_blind,
        baseline,
        rehearsal,
        change,
        ledger,
    };

    void take(TurnWriter& turn, News& news);
    void prepare(TurnWriter& turn);
    void inject(TurnWriter& turn);
    void start_steps(TurnWriter& turn);
    [[nodiscard]] bool ended_by_a_change(TurnWriter& turn);
    /// The step goes on without this change; tells it once all its changes are decided.
    [[nodiscard]] bool goes_on_without(TurnWriter& turn, const ChangeRun& failed);
    void end_hold(TurnWriter& turn, const std::string& step);
    [[nodiscard]] std::vector<FaultSpan> faults() const;
    void watch_changes(TurnWriter& turn);
    void watch_halts(TurnWriter& turn);
    void settle(TurnWriter& turn);
    void end(TurnWriter& turn, Cause cause, std::string why);
    void finish(TurnWriter& turn, Turn& out);
    void flush_samples(TurnWriter& turn, bool all);
    [[nodiscard]] bool baseline_known(TurnWriter& turn);
    [[nodiscard]] bool regains_known(TurnWriter& turn);
    [[nodiscard]] bool integrity_known(TurnWriter& turn);
    [[nodiscard]] bool step_over(const std::string& name, bool held_is_enough) const;
    [[nodiscard]] std::size_t probe_index(const std::string& name) const;

    ConductorInput input_;
    Random random_;
    std::uint64_t next_order_{1};
    Stage stage_{Stage::preparing};
    Cause cause_{Cause::none};
    std::string why_;
    bool begun_{false};
    Nanos began_{0};
    std::deque<Rehearsal> rehearsals_;
    std::deque<ChangeRun> changes_;            ///< addresses stay: they hold references
    std::set<std::string> started_;            ///< steps
    std::set<std::string> partial_;            ///< steps that took effect on some targets only
    std::vector<std::vector<Sample>> series_;  ///< per probe
    std::vector<std::vector<Sample>> unflushed_;
    Nanos flushed_at_{0};
    std::vector<HaltState> halts_;
    std::vector<HypothesisOutcome> baseline_;
    bool baseline_done_{false};
    std::optional<Nanos> released_at_;     ///< all changes over
    std::optional<Nanos> integrity_from_;  ///< and every regain decided
    Outcome outcome_;
};

}  // namespace drill
