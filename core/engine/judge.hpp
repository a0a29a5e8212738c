// The verdict: hypotheses, objectives and changes to one exit code. Pure.
// Must not: say PASSED while anything is undecided, unproven or unknown (design, section 3).
#pragma once

#include "engine/change_run.hpp"
#include "engine/measure.hpp"
#include "model/outcome.hpp"
#include "model/plan.hpp"

#include <span>
#include <string>
#include <vector>

namespace drill {

/// One fault as the judgement sees it: a step whose changes took effect.
struct FaultSpan {
    std::string step;
    Nanos applied{0};                ///< earliest apply sent
    std::optional<Nanos> undo_sent;  ///< latest
};

struct RunFacts {
    const Plan& plan;
    std::span<const std::vector<Sample>> series;
    std::vector<ChangeOutcome> changes;
    std::vector<HypothesisOutcome> baseline;
    std::vector<FaultSpan> faults;  ///< in order of `applied`
    std::vector<Window> during;  ///< apply sent to the last proof of presence, per change that bit
    Nanos began{0}, now{0};
    /// When everything was undone and every regain decided; empty: the run ended before.
    std::optional<Nanos> integrity_from{};
    bool steps_done{false};    ///< every step was carried out to its end
    bool stopped{false};       ///< a person or signal ended it
    bool halt_tripped{false};  ///< on measured data
    bool refused{false};       ///< ended before anything was applied, by a gate
    bool rehearsal{false};     ///< no fault was to be applied
    bool rehearsed{false};     ///< and all that a rehearsal asks for was seen
    bool dirty{false};         ///< something is not proven to be undone
    std::string ended_by;
    std::vector<std::string> reasons;  ///< what is known of why it ended
};

/// Regain of every fault for one hypothesis. Faults closer together than within + hold count
/// as one, from the last of them. `final` of all: see RegainResult.
struct Regained {
    bool final{true};
    Nanos needed_until{0};
    std::vector<HypothesisOutcome> outcomes;
};
[[nodiscard]] Regained regained(const HypothesisSpec& hypothesis, const ProbeSpec& probe,
                                std::span<const Sample> series, std::span<const FaultSpan> faults,
                                Nanos now);

/// The `integrity` of one hypothesis: needs samples sent from `from` on, so what a probe saw before
/// the last undo was proven never counts.
[[nodiscard]] HypothesisOutcome judge_integrity(const HypothesisSpec& hypothesis,
                                                std::span<const Sample> series,
                                                std::optional<Nanos> from);
/// A fault that may have hurt data of a stateful service was sent, or may have been.
[[nodiscard]] bool data_at_risk(const Plan& plan, std::span<const ChangeOutcome> changes);

[[nodiscard]] Outcome judge(const RunFacts& facts);

/// What the ledger could not keep is not evidence: PASSED becomes INVALID, every other verdict
/// says so beside its own reasons.
void not_recorded(Outcome& outcome, const std::string& problem);

}  // namespace drill
