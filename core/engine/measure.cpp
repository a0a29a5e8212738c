// Shares, percentiles and halt conditions; outages and objectives are in measure_outage.cpp.
// Must not: divide by what was not asked, or count a question that is still under way.
// Next: measure.hpp for the definitions.
#include "engine/measure.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <utility>

namespace drill {
namespace {

/// Beyond this a sample that was sent late is counted where it was intended; it bounds how far
/// a look goes back in a long series.
constexpr Nanos latest_sent = std::chrono::seconds{10};
/// Delivery through the mailbox, on top of the time-out.
constexpr Nanos delivery = std::chrono::milliseconds{250};

std::vector<Window> merged(std::span<const Window> windows) {
    std::vector<Window> sorted;
    for (const Window& window : windows) {
        if (window.from < window.to) { sorted.push_back(window); }
    }
    std::ranges::sort(sorted, {}, &Window::from);
    std::vector<Window> result;
    for (const Window& window : sorted) {
        if (!result.empty() && window.from <= result.back().to) {
            result.back().to = std::max(result.back().to, window.to);
        } else {
            result.push_back(window);
        }
    }
    return result;
}

/// The distance of the schedule as the series shows it; zero where it cannot be told.
Nanos step_of(std::span<const Sample> series) {
    Nanos step = Nanos::max();
    for (std::size_t i = 1; i < series.size(); ++i) {
        const auto numbers = static_cast<std::int64_t>(series[i].number - series[i - 1].number);
        const Nanos apart = series[i].intended - series[i - 1].intended;
        if (numbers > 0 && apart > Nanos{0}) { step = std::min(step, apart / numbers); }
    }
    return step == Nanos::max() ? Nanos{0} : step;
}

bool within(const Window& window, Nanos at) { return at >= window.from && at < window.to; }

/// Questions of one window that left no sample.
std::uint64_t missing(std::span<const Sample> series, const Window& window, Nanos step) {
    if (step <= Nanos{0}) { return 0; }
    std::uint64_t seen = 0;
    std::uint64_t gaps = 0;
    const Sample* before = nullptr;
    for (const Sample& sample : series) {
        const bool meant = within(window, sample.intended);
        if (meant || within(window, sample.sent)) { ++seen; }
        if (!meant) { continue; }
        if (before != nullptr) { gaps += sample.number - before->number - 1; }
        before = &sample;
    }
    // One less: the window's edges may fall anywhere between two questions.
    const auto due = static_cast<std::uint64_t>((window.to - window.from) / step);
    const std::uint64_t absent = due > seen + 1 ? due - seen - 1 : 0;
    return std::max(gaps, absent);
}

std::string counts(const Tally& tally) {
    std::string text = " of " + std::to_string(tally.known()) + " (";
    text += std::to_string(tally.failed) + " failed, ";
    if (tally.degraded > 0) { text += std::to_string(tally.degraded) + " degraded, "; }
    return text + std::to_string(tally.unknown) + " unknown)";
}

/// Rounded down to the hundredth shown, so that 99.998 % never reads as 100 %.
std::string share_text(std::uint64_t part, std::uint64_t whole) {
    const auto ppm = static_cast<int>(part * 1'000'000U / whole);
    return show_percent(ppm - ppm % 100);
}

template <class T>
bool compares(Predicate::Compare compare, T left, T right) {
    switch (compare) {
        case Predicate::Compare::ge: return left >= right;
        case Predicate::Compare::gt: return left > right;
        case Predicate::Compare::le: return left <= right;
        case Predicate::Compare::lt: return left < right;
    }
    return false;
}

Measured judged(bool holds, std::string text) {
    return {holds ? Judgement::holds : Judgement::broken, std::move(text)};
}

Measured judge_success(const Predicate& predicate, const Tally& tally) {
    // Cross-multiplied: exact, and no sample count of a run comes near the range of 64 bits.
    const bool holds = compares(predicate.compare, tally.ok * 1'000'000U,
                                static_cast<std::uint64_t>(predicate.ppm) * tally.known());
    return judged(holds, share_text(tally.ok, tally.known()) + counts(tally));
}

struct Percentile {
    const char* name;
    std::uint64_t rank;
};

Percentile percentile_of(Predicate::Metric metric) {
    switch (metric) {
        case Predicate::Metric::p50: return {"p50 ", 50};
        case Predicate::Metric::p90: return {"p90 ", 90};
        case Predicate::Metric::p95: return {"p95 ", 95};
        case Predicate::Metric::p99:
        case Predicate::Metric::success: break;
    }
    return {"p99 ", 99};
}

Measured judge_percentile(const Predicate& predicate, const Tally& tally,
                          std::vector<Nanos> latencies) {
    const Percentile wanted = percentile_of(predicate.metric);
    const std::uint64_t index = (wanted.rank * tally.known() + 99) / 100 - 1;  // nearest rank
    if (index >= latencies.size()) {  // falls on a failed sample: slower than any limit
        const bool holds = predicate.compare == Predicate::Compare::ge ||
                           predicate.compare == Predicate::Compare::gt;
        return judged(holds, std::string(wanted.name) + "no right answer" + counts(tally));
    }
    const auto nth = latencies.begin() + static_cast<std::ptrdiff_t>(index);
    std::nth_element(latencies.begin(), nth, latencies.end());
    return judged(compares(predicate.compare, *nth, predicate.latency),
                  std::string(wanted.name) + show_duration(*nth) + counts(tally));
}

}  // namespace

bool Tally::blind() const noexcept {
    return unknown * 1'000'000U > static_cast<std::uint64_t>(blind_ppm) * all();
}

void add_sample(std::vector<Sample>& series, Sample sample) {
    auto place = series.end();
    while (place != series.begin() && std::prev(place)->number >= sample.number) { --place; }
    if (place != series.end() && place->number == sample.number) { return; }
    series.insert(place, std::move(sample));
}

Nanos lost_after(const ProbeSpec& spec) noexcept {
    return spec.timeout + 2 * spec.every + delivery;
}

bool settled(std::span<const Sample> series, const ProbeSpec& spec, Nanos until,
             Nanos now) noexcept {
    if (now >= until + lost_after(spec)) { return true; }
    if (series.empty() || series.back().intended + spec.every < until) { return false; }
    for (std::size_t i = series.size(); i-- > 1;) {
        if (now >= series[i].intended + lost_after(spec)) { break; }  // what is missing is lost
        const bool gap = series[i].number != series[i - 1].number + 1;
        if (gap && series[i - 1].intended + spec.every < until) { return false; }
    }
    return true;
}

Tally tally(std::span<const Sample> series, std::span<const Window> windows) {
    const std::vector<Window> spans = merged(windows);
    const Nanos step = step_of(series);
    Tally result;
    for (const Window& window : spans) {
        for (const Sample& sample : series) {
            if (!within(window, sample.sent)) { continue; }
            switch (sample.state) {
                case SampleState::ok: ++result.ok; break;
                case SampleState::degraded: ++result.degraded; break;
                case SampleState::failed: ++result.failed; break;
                case SampleState::unknown: ++result.unknown; break;
            }
        }
        result.unknown += missing(series, window, step);
    }
    return result;
}

Measured evaluate(const Predicate& predicate, std::span<const Sample> series,
                  std::span<const Window> windows) {
    const std::vector<Window> spans = merged(windows);
    const Tally counted = tally(series, spans);
    if (counted.blind()) {
        return {Judgement::blind, "blind: " + std::to_string(counted.unknown) + " of " +
                                      std::to_string(counted.all()) + " unknown"};
    }
    if (counted.known() < fewest_answers) {
        return {Judgement::too_few, "only " + std::to_string(counted.known()) + " answers, " +
                                        std::to_string(fewest_answers) + " needed"};
    }
    Nanos covered{0};
    for (const Window& window : spans) { covered += window.to - window.from; }
    if (predicate.span && covered < *predicate.span) {
        return {Judgement::too_few, "watched for " + show_duration(covered) + ", " +
                                        show_duration(*predicate.span) + " needed"};
    }
    if (predicate.metric == Predicate::Metric::success) {
        return judge_success(predicate, counted);
    }
    std::vector<Nanos> latencies;
    for (const Sample& sample : series) {
        const bool answered =
            sample.state == SampleState::ok || sample.state == SampleState::degraded;
        if (answered &&
            std::ranges::any_of(spans, [&](const Window& w) { return within(w, sample.sent); })) {
            latencies.push_back(sample.received - sample.intended);
        }
    }
    return judge_percentile(predicate, counted, std::move(latencies));
}

HaltLook look(HaltState& state, const HaltSpec& spec, const ProbeSpec& probe,
              std::span<const Sample> series, Nanos began, Nanos now) {
    const Nanos span = spec.when.span.value_or(Nanos{0});
    // The window ends where all answers are in; a silent sampler cannot hold it back.
    Nanos to = now - lost_after(probe);
    for (Nanos edge = now; edge > to; edge -= std::max(probe.every, delivery)) {
        if (settled(series, probe, edge, now)) {
            to = edge;
            break;
        }
    }
    if (to - span < began) { return {}; }
    const Window window{to - span, to};
    const auto first = std::ranges::partition_point(
        series, [&](const Sample& s) { return s.intended < window.from - latest_sent; });
    const std::span<const Sample> recent(first, series.end());
    Predicate when = spec.when;
    when.span.reset();  // the window is that long by construction
    const Measured measured = evaluate(when, recent, std::span(&window, 1));
    const std::string head = spec.probe + ": " + spec.when.text + ": ";
    if (measured.judgement == Judgement::holds) { return {true, false, head + measured.text}; }
    if (measured.judgement == Judgement::broken) {
        state.unjudged_since.reset();
        return {};
    }
    if (!state.unjudged_since) { state.unjudged_since = to; }
    const bool silent = tally(recent, std::span(&window, 1)).known() == 0;
    if (!silent && to - *state.unjudged_since < span) { return {}; }
    return {true, true, head + "cannot be judged, " + measured.text};
}

}  // namespace drill
