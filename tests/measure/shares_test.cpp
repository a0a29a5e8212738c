// Tallies, predicates, halt conditions: tables over drawn series.
#include "measure/series.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace drill;
using namespace drill::test;

namespace {

Predicate success(Predicate::Compare compare, int percent) {
    Predicate predicate;
    predicate.compare = compare;
    predicate.ppm = percent * 10'000;
    predicate.text = "success";
    return predicate;
}

Predicate latency(Predicate::Metric metric, Predicate::Compare compare, Nanos limit) {
    Predicate predicate;
    predicate.metric = metric;
    predicate.compare = compare;
    predicate.latency = limit;
    return predicate;
}

std::string times(char letter, std::size_t count) { return std::string(count, letter); }

Measured whole(const Predicate& predicate, const std::vector<Sample>& series) {
    const Nanos end = series.empty() ? Nanos{1s} : series.back().intended + 100ms;
    const Window window{0s, end};
    return evaluate(predicate, series, std::span(&window, 1));
}

constexpr auto ge = Predicate::Compare::ge;
constexpr auto gt = Predicate::Compare::gt;
constexpr auto le = Predicate::Compare::le;
constexpr auto lt = Predicate::Compare::lt;

}  // namespace

TEST_CASE("a window takes what was sent from its start up to, not including, its end") {
    const auto series = draw("ofdo");
    const Window window{100ms, 300ms};
    const Tally counted = tally(series, std::span(&window, 1));
    CHECK(counted.ok == 0);
    CHECK(counted.failed == 1);
    CHECK(counted.degraded == 1);
    CHECK(counted.unknown == 0);
}

TEST_CASE("overlapping windows count a sample once") {
    const auto series = draw(times('o', 20));
    const std::vector<Window> windows{{0s, 1s}, {500ms, 2s}};
    CHECK(tally(series, windows).ok == 20);
    CHECK(tally(series, windows).unknown == 0);
}

TEST_CASE("a question without a sample counts as unknown") {
    const Window window{0s, 2s};
    SUBCASE("in the middle") {
        CHECK(tally(draw("oooooooooo  oooooooo"), std::span(&window, 1)).unknown == 2);
    }
    SUBCASE("when the sampler fell silent") {
        // One question less than due is taken for the edge of the window.
        CHECK(tally(draw("oooooooooo"), std::span(&window, 1)).unknown == 9);
    }
    SUBCASE("when the probe began later than the window") {
        CHECK(tally(draw("oooooooooo", 100ms, 1s), std::span(&window, 1)).unknown == 9);
    }
}

TEST_CASE("success is ok by all that is known, compared exactly") {
    const auto series = draw(times('o', 90) + times('f', 6) + times('d', 4));
    CHECK(whole(success(ge, 90), series).judgement == Judgement::holds);
    CHECK(whole(success(gt, 90), series).judgement == Judgement::broken);
    CHECK(whole(success(le, 90), series).judgement == Judgement::holds);
    CHECK(whole(success(lt, 90), series).judgement == Judgement::broken);
    CHECK(whole(success(ge, 91), series).judgement == Judgement::broken);
    CHECK(whole(success(ge, 90), series).text == "90 % of 100 (6 failed, 4 degraded, 0 unknown)");
}

TEST_CASE("a share just below a limit is not rounded up to it in the text") {
    std::vector<Sample> series = draw(times('o', 99'999) + "f", 1ms);
    const Window window{0s, 100s};
    CHECK(evaluate(success(ge, 100), series, std::span(&window, 1)).text ==
          "99.99 % of 100000 (1 failed, 0 unknown)");
}

TEST_CASE("unknown leaves the denominator up to 5 %, more of it is blind") {
    CHECK(whole(success(ge, 100), draw(times('o', 95) + times('u', 5))).judgement ==
          Judgement::holds);
    const Measured six = whole(success(ge, 10), draw(times('o', 94) + times('u', 6)));
    CHECK(six.judgement == Judgement::blind);
    CHECK(six.text == "blind: 6 of 100 unknown");
}

TEST_CASE("nothing and next to nothing are not judged") {
    CHECK(whole(success(ge, 0), {}).judgement == Judgement::too_few);
    CHECK(whole(success(ge, 0), draw("oo")).judgement == Judgement::too_few);
    CHECK(whole(success(ge, 0), draw("ooo")).judgement == Judgement::holds);
    CHECK(evaluate(success(ge, 0), draw("ooo"), {}).judgement == Judgement::too_few);
}

TEST_CASE("a predicate with a span needs windows of that length in sum") {
    Predicate predicate = success(ge, 99);
    predicate.span = 2s;
    const auto series = draw(times('o', 40));
    const std::vector<Window> enough{{0s, 1s}, {2s, 3s}};
    const std::vector<Window> less{{0s, 1s}, {2s, 2999ms}};
    CHECK(evaluate(predicate, series, enough).judgement == Judgement::holds);
    CHECK(evaluate(predicate, series, less).judgement == Judgement::too_few);
}

TEST_CASE("percentiles are nearest ranks") {
    std::vector<Sample> series = draw(times('o', 100));
    for (std::size_t i = 0; i < series.size(); ++i) {
        series[i].received = series[i].intended + std::chrono::milliseconds(100 - i);
    }
    using Metric = Predicate::Metric;
    CHECK(whole(latency(Metric::p50, le, 50ms), series).judgement == Judgement::holds);
    CHECK(whole(latency(Metric::p50, lt, 50ms), series).judgement == Judgement::broken);
    CHECK(whole(latency(Metric::p90, le, 90ms), series).judgement == Judgement::holds);
    CHECK(whole(latency(Metric::p95, le, 94ms), series).judgement == Judgement::broken);
    CHECK(whole(latency(Metric::p99, ge, 99ms), series).judgement == Judgement::holds);
    CHECK(whole(latency(Metric::p99, le, 99ms), series).text ==
          "p99 99 ms of 100 (0 failed, 0 unknown)");
    series.resize(3);
    CHECK(whole(latency(Metric::p50, le, 99ms), series).judgement == Judgement::holds);
}

TEST_CASE("a percentile counts from the intended send") {
    auto series = draw(times('o', 10));
    for (Sample& sample : series) {
        sample.sent += 40ms;
        sample.received = sample.sent + 1ms;
    }
    CHECK(whole(latency(Predicate::Metric::p50, le, 40ms), series).judgement == Judgement::broken);
}

TEST_CASE("loss, also a fast refusal, makes a percentile no better") {
    using Metric = Predicate::Metric;
    const auto two_lost = draw(times('o', 98) + "ff");
    CHECK(whole(latency(Metric::p99, le, 10s), two_lost).judgement == Judgement::broken);
    CHECK(whole(latency(Metric::p99, ge, 10s), two_lost).judgement == Judgement::holds);
    CHECK(whole(latency(Metric::p99, le, 10s), two_lost).text ==
          "p99 no right answer of 100 (2 failed, 0 unknown)");
    const auto one_lost = draw(times('o', 99) + "t");
    CHECK(whole(latency(Metric::p99, le, 1ms), one_lost).judgement == Judgement::holds);
}

TEST_CASE("samples are kept by number and a repeated one is ignored") {
    std::vector<Sample> series;
    const auto drawn = draw("ofou");
    for (const std::size_t i : {2U, 0U, 3U, 1U, 2U}) { add_sample(series, drawn[i]); }
    REQUIRE(series.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) { CHECK(series[i].number == i); }
}

TEST_CASE("a window is settled when its answers are in or lost") {
    const ProbeSpec spec = spec_of();
    CHECK(lost_after(spec) == 1450ms);
    CHECK(settled(draw("oooooooooo"), spec, 1s, 1s));
    CHECK_FALSE(settled(draw("ooooooooo"), spec, 1s, 1s));    // number 9 was due at 0.9 s
    CHECK_FALSE(settled(draw("ooo ooooooo"), spec, 1s, 1s));  // number 3 may still fail
    CHECK(settled(draw("ooo ooooooo"), spec, 300ms, 1s));     // it was due at, not before, 0.3 s
    CHECK(settled(draw("ooo ooooooo"), spec, 1s, 2450ms));
    CHECK_FALSE(settled({}, spec, 1s, 2449ms));
    CHECK(settled({}, spec, 1s, 2450ms));
}

namespace {

HaltSpec halt_below(int percent, Nanos span) {
    HaltSpec spec;
    spec.probe = "order";
    spec.when = success(lt, percent);
    spec.when.span = span;
    spec.when.text = "success < 20% for 2s";
    return spec;
}

/// Looks after each sample has come in; the first that trips.
std::pair<HaltLook, Nanos> first_trip(std::string_view letters, Nanos until) {
    HaltState state;
    const auto series = draw(letters);
    for (Nanos now = 0s; now <= until; now += 100ms) {
        std::vector<Sample> seen;
        for (const Sample& sample : series) {
            if (sample.received <= now) { seen.push_back(sample); }
        }
        HaltLook found = look(state, halt_below(20, 2s), spec_of(), seen, 0s, now);
        if (found.trips) { return {found, now}; }
    }
    return {};
}

}  // namespace

TEST_CASE("a halt condition trips when it held over a full span, not before") {
    const auto [found, at] = first_trip(times('o', 50) + times('f', 50), 10s);
    CHECK(found.trips);
    CHECK_FALSE(found.blind);
    CHECK(found.reason == "order: success < 20% for 2s: 15 % of 20 (17 failed, 0 unknown)");
    CHECK(at == 6700ms);
}

TEST_CASE("a halt condition waits for a full span also when all fails from the start") {
    CHECK(first_trip(times('f', 100), 10s).second == 2s);
}

TEST_CASE("a halt condition sees time-outs when they are over, not as a hole") {
    const auto [found, at] = first_trip(times('o', 50) + times('t', 80), 12s);
    CHECK(found.trips);
    CHECK_FALSE(found.blind);
    CHECK(at >= 7600ms);
    CHECK(at <= 8200ms);
}

TEST_CASE("a halt condition that does not hold never trips") {
    CHECK_FALSE(first_trip(times('o', 100), 9900ms).first.trips);
}

TEST_CASE("a halt condition that cannot be judged for its span trips, and says so") {
    SUBCASE("all unknown") {
        const auto [found, at] = first_trip(times('o', 50) + times('u', 80), 12s);
        CHECK(found.trips);
        CHECK(found.blind);
        CHECK(at >= 7s);
        CHECK(at <= 7200ms);
    }
    SUBCASE("the sampler fell silent") {
        const auto [found, at] = first_trip(times('o', 50), 12s);
        CHECK(found.trips);
        CHECK(found.blind);
        CHECK(at <= 5s + 2s + 1450ms + 100ms);
    }
    SUBCASE("one in ten unknown") {
        std::string letters = times('o', 50);
        for (int i = 0; i < 8; ++i) { letters += "uooooooooo"; }
        const auto [found, at] = first_trip(letters, 12s);
        CHECK(found.trips);
        CHECK(found.blind);
    }
    SUBCASE("nothing was ever seen") {
        const auto [found, at] = first_trip("", 12s);
        CHECK(found.trips);
        CHECK(found.blind);
        CHECK(at <= 3500ms);
    }
}

TEST_CASE("a short blind stretch does not trip a halt condition") {
    CHECK_FALSE(first_trip(times('o', 50) + "uu" + times('o', 80), 12s).first.trips);
}
