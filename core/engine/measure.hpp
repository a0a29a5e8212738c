// What samples prove: shares, percentiles, outages with bounds, objectives, halt conditions.
// Pure: values in, values out; no clock, no I/O, no state but HaltState, which the caller keeps.
// Must not: take silence for health. A question without a sample counts as unknown, unknown
// never narrows a bound, and what cannot be judged is said to be undecided.
// A series holds the samples of one probe in number order (add_sample keeps it so); answers
// come in any order, so a number may be missing for a while. Next: model/probe.hpp.
#pragma once

#include "model/definition.hpp"
#include "model/outcome.hpp"
#include "model/probe.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace drill {

/// Samples by their Sample::sent, half-open: from <= sent < to.
struct Window {
    Nanos from{0}, to{0};
};

struct Tally {
    std::uint64_t ok{0}, degraded{0}, failed{0}, unknown{0};
    [[nodiscard]] std::uint64_t known() const noexcept { return ok + degraded + failed; }
    [[nodiscard]] std::uint64_t all() const noexcept { return known() + unknown; }
    /// More than blind_ppm of all is unknown.
    [[nodiscard]] bool blind() const noexcept;
};

inline constexpr int blind_ppm = 50'000;            ///< more than 5 % unknown = blind
inline constexpr std::uint64_t fewest_answers = 3;  ///< below this nothing is judged

enum class Judgement : std::uint8_t { holds, broken, blind, too_few };
struct Measured {
    Judgement judgement{Judgement::too_few};
    std::string text;  ///< "97.2 % of 580 (16 failed, 0 unknown)"
};

/// Puts a sample into its place by number, mostly the end; a number already there is ignored.
void add_sample(std::vector<Sample>& series, Sample sample);

/// How long after its intended time a question without a sample is given up as unknown.
[[nodiscard]] Nanos lost_after(const ProbeSpec& spec) noexcept;

/// True when every question intended before `until` has its sample, or the missing ones are
/// lost. Ask for a judgement of a window only when this is true: failures come last, as they
/// wait for their time-out, so an early look is too good.
[[nodiscard]] bool settled(std::span<const Sample> series, const ProbeSpec& spec, Nanos until,
                           Nanos now) noexcept;

/// Counts each sample once, however the windows overlap. Questions that the schedule put into
/// a window and that left no sample count as unknown.
[[nodiscard]] Tally tally(std::span<const Sample> series, std::span<const Window> windows);

/// success = ok / (ok + degraded + failed). A percentile is the nearest rank over latencies
/// from the intended send, where a failed sample ranks as slower than every answer, whatever
/// its kind: loss, also a fast refusal, can never make a percentile better. Where the rank
/// falls on a failed sample, no upper limit holds and every lower limit does.
/// blind comes before everything; too_few: fewer than fewest_answers, or windows shorter in
/// sum than `predicate.span`.
[[nodiscard]] Measured evaluate(const Predicate& predicate, std::span<const Sample> series,
                                std::span<const Window> windows);

/// The outages of one probe that overlap the window, in order. An outage goes from the first
/// sample that is not ok to the first ok of `hold` without another such sample; the true time
/// that the service was away lies in [lower, upper] (design, section 7):
///     upper = received(first ok after) - sent(last ok before)
///     lower = max(0, sent(last fail) - min(received, sent + timeout) of the first fail)
/// Of overlapping questions the pair that bounds best counts: the ok of the hold that was
/// answered first, the fail that ended first. Unknown inside the hold may have been a failure:
/// upper then goes to the first ok after it; more than 5 % of them start the hold anew.
/// Sound where one outage is away throughout and the questions of a probe arrive in the order
/// in which they were sent. No ok before, or not regained by the end of the series: upper =
/// unbounded. Outage::step is left empty. Samples before the window serve as "last ok before".
[[nodiscard]] std::vector<Outage> outages(std::span<const Sample> series, const ProbeSpec& spec,
                                          Nanos hold, Window window);

/// The longest part of an outage that would have left no trace in the window: the longest
/// stretch from one sent ok (or the window's start) to the receipt of the next (or the window's
/// end) with nothing but unknown between. Stretches with a failure belong to outages().
/// unbounded: no ok in the window.
[[nodiscard]] Nanos longest_unseen(std::span<const Sample> series, Window window);

struct RegainResult {
    Finding finding{Finding::undecided};
    bool final{false};             ///< false = keep sampling; the finding may still change
    Nanos needed_until{0};         ///< boot time by which it is final in any case
    std::string text;              ///< "after 3.52 s to 3.61 s, held 5 s"
    std::optional<Outage> outage;  ///< the first one since counted_from
};

/// Is the probe ok again within `regain.within` of counted_from, and stays so for
/// `regain.hold`? May be asked again and again while samples come. Judged on the upper bound;
/// a limit between the bounds is undecided.
/// Never away since counted_from: from = undo is final after one hold; from = fault only at
/// the end of `within`, as caches can delay the bite; before that the finding is held with
/// final false, and a caller who knows that the fault is over may take it.
[[nodiscard]] RegainResult regain(const Regain& regain, std::span<const Sample> series,
                                  const ProbeSpec& spec, Nanos counted_from, Nanos now);

/// Every outage must end within the objective, judged on upper; one with lower past the
/// objective breaks it, else it is undecided. No outage: held only if the probe was not blind
/// and an outage longer than the objective could not have passed unseen.
[[nodiscard]] ObjectiveOutcome judge_rto(Nanos objective, std::span<const Outage> outages,
                                         std::span<const Sample> series, const ProbeSpec& spec,
                                         Window window);

/// Memory of one halt condition between looks.
struct HaltState {
    std::optional<Nanos> unjudged_since;  ///< window end of the first look that could not judge
};
struct HaltLook {
    bool trips{false};
    bool blind{false};   ///< it trips because it cannot see, not on measured data
    std::string reason;  ///< "order: success < 20% for 20s: 12 % of 400 (...)"
};

/// `when` over the last full span since `began` (first question sent). Trips when it holds, when
/// the whole span has no answer at all, or when no look could judge for as long as the span.
/// The window ends where all answers are in, at most lost_after before now.
[[nodiscard]] HaltLook look(HaltState& state, const HaltSpec& spec, const ProbeSpec& probe,
                            std::span<const Sample> series, Nanos began, Nanos now);

}  // namespace drill
