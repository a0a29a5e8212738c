// Outages with bounds, regaining, and objectives. The rules stand in measure.hpp and in
// section 7 of the design; tests/measure proves them on simulated and on real outages.
// Must not: claim an end that no ok has shown, or a start that no ok has bounded.
#include "base/text.hpp"
#include "engine/measure.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace drill {
namespace {

/// A stretch of ok samples that may become the end of an outage.
struct Run {
    Nanos first_sent{0};
    std::optional<Nanos> answered{};  ///< earliest receipt since the last unknown in the run
    std::uint64_t ok{0}, unknown{0};
};

/// The state machine behind outages() and regain(): away from the first sample that is not ok,
/// back after a run of ok that is as long as the hold.
class Watch {
public:
    Watch(const ProbeSpec& spec, Nanos hold) : spec_(spec), hold_(hold) {}

    /// True when this sample completes a hold.
    bool take(const Sample& sample) {
        const std::uint64_t lost = next_ > 0 && sample.number > next_ ? sample.number - next_ : 0;
        next_ = sample.number + 1;
        if (lost > 0) { unknown(lost); }
        switch (sample.state) {
            case SampleState::ok: return good(sample);
            case SampleState::degraded:
            case SampleState::failed: bad(sample); return false;
            case SampleState::unknown: unknown(1); return false;
        }
        return false;
    }
    [[nodiscard]] bool away() const noexcept { return away_; }
    [[nodiscard]] const Run* run() const noexcept { return run_ ? &*run_ : nullptr; }
    [[nodiscard]] Nanos last_bad() const noexcept { return last_bad_; }

    /// The outage that is open, or has just been completed by take().
    [[nodiscard]] Outage outage(bool regained) const {
        Outage result;
        result.probe = spec_.name;
        result.first_bad = first_bad_;
        result.lower = std::max(Nanos{0}, last_bad_ - first_end_);
        result.upper = unbounded;
        if (regained && run_) {
            result.first_good = run_->first_sent;
            if (ok_before_ && run_->answered) { result.upper = *run_->answered - *ok_before_; }
        }
        return result;
    }
    /// After a completed hold: the next failure begins another outage.
    void back() { away_ = false; }

private:
    bool good(const Sample& sample) {
        recent_[recent_count_++ % recent_.size()] = sample.sent;
        // Sent before the last failure although numbered after it: no proof of what came later.
        if (away_ && sample.sent <= last_bad_) { return false; }
        if (!run_) { run_ = Run{.first_sent = sample.sent}; }
        ++run_->ok;
        run_->answered = std::min(run_->answered.value_or(sample.received), sample.received);
        if (sample.sent - run_->first_sent < hold_) { return false; }
        if (Tally{.ok = run_->ok, .unknown = run_->unknown}.blind()) {
            // Not seen well enough: only what came after the last unknown is worth something.
            run_ = Run{.first_sent = sample.sent, .answered = run_->answered, .ok = 1};
            return hold_ <= Nanos{0};
        }
        return true;
    }
    void bad(const Sample& sample) {
        // A slow answer can be received after the time-out only by our own delay.
        const Nanos end = std::min(sample.received, sample.sent + spec_.timeout);
        if (!away_) {
            away_ = true;
            ok_before_ = last_ok_before(sample.sent);
            first_bad_ = sample.sent;
            last_bad_ = sample.sent;
            first_end_ = end;
        }
        last_bad_ = std::max(last_bad_, sample.sent);
        first_end_ = std::min(first_end_, end);
        run_.reset();
    }
    void unknown(std::uint64_t count) {
        if (!run_) { return; }
        run_->unknown += count;
        run_->answered.reset();
    }

    /// Numbers and sending may differ in order by as many as are in flight from one probe's pool.
    [[nodiscard]] std::optional<Nanos> last_ok_before(Nanos sent) const {
        std::optional<Nanos> last;
        for (std::size_t i = 0; i < std::min(recent_count_, recent_.size()); ++i) {
            if (recent_[i] < sent && (!last || *last < recent_[i])) { last = recent_[i]; }
        }
        return last;
    }

    const ProbeSpec& spec_;
    Nanos hold_;
    std::array<Nanos, 16> recent_{};  ///< when the latest ok samples were sent
    std::size_t recent_count_{0};
    std::uint64_t next_{0};
    bool away_{false};
    std::optional<Nanos> ok_before_;
    Nanos first_bad_{0}, last_bad_{0}, first_end_{0};
    std::optional<Run> run_;
};

/// The samples up to the first one that is still awaited.
std::span<const Sample> arrived(std::span<const Sample> series, const ProbeSpec& spec, Nanos now) {
    for (std::size_t i = 1; i < series.size(); ++i) {
        const bool gap = series[i].number != series[i - 1].number + 1;
        if (gap && now < series[i].intended + lost_after(spec)) { return series.first(i); }
    }
    return series;
}

std::string between(Nanos lower, Nanos upper) {
    return show_duration(lower) + " to " + show_duration(upper);
}

/// What one pass over the samples since `from` shows.
struct Course {
    bool was_away{false};  ///< a sample that was not ok
    bool late{false};      ///< not regained, and a failure sent past the deadline
    bool held{false};      ///< a hold was completed
    bool decided{false};   ///< held, and no later sample can change it
    Nanos last_bad{0};
    Nanos answered{0};  ///< receipt that ends the wait, when held
};

Course follow(const Regain& regain, std::span<const Sample> samples, const ProbeSpec& spec,
              Nanos from) {
    Course course;
    Watch watch(spec, regain.hold);
    const Nanos deadline = from + regain.within;
    for (const Sample& sample : samples) {
        if (sample.sent < from) { continue; }
        const bool complete = watch.take(sample);
        if (watch.away()) {
            course.was_away = true;
            course.last_bad = watch.last_bad();
            const bool bad =
                sample.state == SampleState::failed || sample.state == SampleState::degraded;
            if (bad && sample.sent > deadline) {
                course.late = true;
                course.held = false;
                return course;
            }
        }
        if (!complete) { continue; }
        // Never away: the first ok counts, whatever rare unknown came later in the hold. After
        // an outage an unknown may have been its last failure: the first ok after it counts.
        if (course.was_away || !course.held) {
            course.answered = watch.run()->answered.value_or(sample.received);
        }
        course.held = true;
        if (course.was_away || regain.from == Regain::From::undo || sample.sent >= deadline) {
            course.decided = true;
            return course;
        }
    }
    return course;
}

}  // namespace

std::vector<Outage> outages(std::span<const Sample> series, const ProbeSpec& spec, Nanos hold,
                            Window window) {
    std::vector<Outage> result;
    Watch watch(spec, hold);
    const auto keep = [&](bool regained) {
        Outage outage = watch.outage(regained);
        if (outage.first_bad < window.to && watch.last_bad() >= window.from) {
            result.push_back(std::move(outage));
        }
    };
    for (const Sample& sample : series) {
        if (!watch.take(sample) || !watch.away()) { continue; }
        keep(true);
        watch.back();
    }
    if (watch.away()) { keep(false); }
    return result;
}

Nanos longest_unseen(std::span<const Sample> series, Window window) {
    Nanos since = window.from;  // the last known ok, or the edge of the window
    bool after_bad = false;     // what follows a failure is part of an outage that was seen
    bool any = false;
    Nanos longest{0};
    for (const Sample& sample : series) {
        if (sample.state == SampleState::unknown) { continue; }
        if (sample.state != SampleState::ok) {
            after_bad = true;
            continue;
        }
        const bool inside = sample.received >= window.from && sample.sent < window.to;
        if (inside && !after_bad) { longest = std::max(longest, sample.received - since); }
        any = any || inside;
        since = std::max(since, sample.sent);
        after_bad = false;
        if (sample.sent >= window.to) { break; }
    }
    if (!any) { return unbounded; }
    return after_bad ? longest : std::max(longest, window.to - since);
}

RegainResult regain(const Regain& regain, std::span<const Sample> series, const ProbeSpec& spec,
                    Nanos counted_from, Nanos now) {
    const std::span<const Sample> samples = arrived(series, spec, now);
    const Nanos deadline = counted_from + regain.within;
    RegainResult result;
    result.needed_until = deadline + regain.hold + lost_after(spec);
    if (auto found = outages(samples, spec, regain.hold, {counted_from, Nanos::max()});
        !found.empty()) {
        result.outage = std::move(found.front());
    }
    const Course course = follow(regain, samples, spec, counted_from);
    const std::string held_for = ", held " + show_duration(regain.hold);
    if (course.late) {
        result.finding = Finding::broken;
        result.final = true;
        result.text = "not ok " + show_duration(course.last_bad - counted_from) + " after";
        return result;
    }
    if (course.held) {
        const Nanos lower = course.was_away ? course.last_bad - counted_from : Nanos{0};
        const Nanos upper = course.answered - counted_from;
        result.text = (course.was_away ? "after " + between(lower, upper)
                                       : "never away, ok seen " + show_duration(upper) + " after") +
                      held_for;
        result.finding = course.answered <= deadline ? Finding::held : Finding::undecided;
        result.final = course.decided;
    } else {
        result.text = samples.empty() ? "no samples" : "not regained yet";
    }
    if (!result.final && now >= result.needed_until) {
        result.final = true;
        result.finding = Finding::undecided;
        result.text = "could not be judged: too little was seen";
    }
    return result;
}

ObjectiveOutcome judge_rto(Nanos objective, std::span<const Outage> outages,
                           std::span<const Sample> series, const ProbeSpec& spec, Window window) {
    ObjectiveOutcome result;
    result.name = "rto";
    result.objective = objective;
    const std::string by = " (probe " + spec.name + ", " + show_duration(spec.every) + ")";
    const Tally seen = tally(series, std::span(&window, 1));
    const Nanos unseen = longest_unseen(series, window);
    const bool sees = seen.known() >= fewest_answers && !seen.blind();
    if (outages.empty()) {
        if (!sees || unseen == unbounded) {
            result.measured = "not measured: " + std::to_string(seen.unknown) + " of " +
                              std::to_string(seen.all()) + " unknown" + by;
            return result;
        }
        result.finding = unseen <= objective ? Finding::held : Finding::undecided;
        result.measured = "no outage seen, none above " + show_duration(unseen) + by;
        return result;
    }
    const Outage* worst = &outages.front();
    bool past = false;
    bool fits = true;
    for (const Outage& outage : outages) {
        past = past || outage.lower > objective;
        fits = fits && outage.upper <= objective;
        if (std::pair(outage.lower > objective, std::pair(outage.upper, outage.lower)) >
            std::pair(worst->lower > objective, std::pair(worst->upper, worst->lower))) {
            worst = &outage;
        }
    }
    // An outage that a blind stretch hid may have been longer than those seen.
    const bool hidden = !sees || (unseen != unbounded && unseen > objective);
    result.finding =
        past ? Finding::broken : (fits && !hidden ? Finding::held : Finding::undecided);
    result.measured = (worst->upper == unbounded
                           ? "at least " + show_duration(worst->lower) +
                                 (worst->first_good ? ", its start was not seen" : ", not regained")
                           : between(worst->lower, worst->upper)) +
                      by;
    if (!past && hidden) { result.measured += ", but partly blind"; }
    return result;
}

}  // namespace drill
