// Outages, regaining and objectives: tables, and the claim that the truth lies inside the bound.
#include "measure/series.hpp"

#include "base/random.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using namespace drill;
using namespace drill::test;

namespace {

constexpr Window everything{0s, Nanos::max()};

std::vector<Outage> found_in(std::string_view letters, Nanos hold = 500ms) {
    return outages(draw(letters), spec_of(), hold, everything);
}

std::string times(char letter, std::size_t count) { return std::string(count, letter); }

}  // namespace

TEST_CASE("no outage where nothing fails") {
    CHECK(found_in("oooooo").empty());
    CHECK(found_in("oouuoo").empty());
    CHECK(found_in("").empty());
}

TEST_CASE("upper goes from the last ok sent to the first ok received, lower between failures") {
    const auto found = found_in("ooofffoooooo");
    REQUIRE(found.size() == 1);
    CHECK(found[0].first_bad == 300ms);
    CHECK(found[0].first_good == 600ms);
    CHECK(found[0].upper == 601ms - 200ms);
    CHECK(found[0].lower == 500ms - 301ms);
    CHECK(found[0].probe == "order");
}

TEST_CASE("time-outs take their time-out off the lower bound, never below zero") {
    CHECK(found_in("o" + times('t', 15) + "oooooo")[0].lower == 1500ms - 1100ms);
    CHECK(found_in("otttoooooo")[0].lower == 0ms);
}

TEST_CASE("the fail that ended first bounds the start") {
    // The first question hangs, the second is refused at once: it was away by then.
    CHECK(found_in("otfffffoooooo")[0].lower == 600ms - 201ms);
}

TEST_CASE("a single failed sample is an outage of at least nothing") {
    const auto found = found_in("ooofoooooo");
    REQUIRE(found.size() == 1);
    CHECK(found[0].lower == 0ms);
    CHECK(found[0].upper == 401ms - 200ms);
}

TEST_CASE("degraded is not ok") {
    const auto found = found_in("ooodddoooooo");
    REQUIRE(found.size() == 1);
    CHECK(found[0].first_bad == 300ms);
    CHECK(found[0].lower == 0ms);  // the first was answered 100 ms after the last was sent
}

TEST_CASE("without an ok before it the start is unbounded") {
    const auto found = found_in("fffoooooo");
    REQUIRE(found.size() == 1);
    CHECK(found[0].upper == unbounded);
    CHECK(found[0].lower == 199ms);
    CHECK(found[0].first_good == 300ms);
}

TEST_CASE("not regained means no upper bound, also when the hold was cut short") {
    for (const char* letters : {"ooofff", "ooofffooooo", "ooofffuuuuuu"}) {
        CAPTURE(letters);
        const auto found = found_in(letters);
        REQUIRE(found.size() == 1);
        CHECK_FALSE(found[0].first_good.has_value());
        CHECK(found[0].upper == unbounded);
        CHECK(found[0].lower == 199ms);
    }
}

TEST_CASE("a hold is complete with an ok sent one hold after its first") {
    CHECK(found_in("ooofffoooooo")[0].first_good.has_value());       // 600 to 1100 ms
    CHECK_FALSE(found_in("ooofffooooo")[0].first_good.has_value());  // 600 to 1000 ms
    CHECK(found_in("ooofo", 0s)[0].first_good == 400ms);
}

TEST_CASE("flapping within the hold is one outage, beyond it two") {
    const auto one = found_in("ooofoooofoooooo");
    REQUIRE(one.size() == 1);
    CHECK(one[0].lower == 800ms - 301ms);
    CHECK(one[0].upper == 901ms - 200ms);
    const auto two = found_in("ooofoooooofoooooo");
    REQUIRE(two.size() == 2);
    CHECK(two[1].first_bad == 1s);
    CHECK(two[1].upper == 1101ms - 900ms);
}

TEST_CASE("unknown next to an outage widens the upper bound") {
    CHECK(found_in("oouufffoooooo")[0].upper == 701ms - 100ms);
    CHECK(found_in("ooofffuuoooooo")[0].upper == 801ms - 200ms);
    CHECK(found_in("ooofffuuoooooo")[0].lower == 199ms);
}

TEST_CASE("unknown inside the hold may have been a failure: upper goes past it") {
    const auto found = found_in("ooof" + times('o', 10) + "u" + times('o', 40), 4s);
    REQUIRE(found.size() == 1);
    CHECK(found[0].upper == 1501ms - 200ms);
    CHECK(found[0].first_good == 400ms);
}

TEST_CASE("a number without a sample is as unknown as an unknown one") {
    CHECK(found_in("ooof" + times('o', 10) + " " + times('o', 40), 4s)[0].upper == 1501ms - 200ms);
}

TEST_CASE("a hold that is more than 5 % unknown proves nothing") {
    const auto found = found_in("ooofououououououo");
    REQUIRE(found.size() == 1);
    CHECK_FALSE(found[0].first_good.has_value());
}

TEST_CASE("answers of overlapping questions are ordered by question") {
    auto series = draw("ooofffoooooo");
    series[6].received = series[6].sent + 450ms;  // the first ok was slow, the next was not
    const auto found = outages(series, spec_of(), 500ms, everything);
    CHECK(found[0].upper == 701ms - 200ms);
}

TEST_CASE("an ok sent before the last failure, although numbered after it, ends nothing") {
    auto series = draw("ooofoooooooo");
    series[4].sent = 290ms;
    series[4].received = 291ms;
    const auto found = outages(series, spec_of(), 500ms, everything);
    CHECK(found[0].upper == 501ms - 200ms);
    CHECK(found[0].first_good == 500ms);
}

TEST_CASE("only outages that overlap the window are told") {
    const auto series = draw("oofoooooooffoooooo");
    CHECK(outages(series, spec_of(), 500ms, {0s, 10s}).size() == 2);
    CHECK(outages(series, spec_of(), 500ms, {300ms, 10s}).size() == 1);
    CHECK(outages(series, spec_of(), 500ms, {0s, 1s}).size() == 1);
    CHECK(outages(series, spec_of(), 500ms, {1100ms, 10s}).size() == 1);
}

TEST_CASE("what could have passed unseen is the longest stretch between answers") {
    CHECK(longest_unseen(draw("oooooo"), {0s, 600ms}) == 101ms);
    CHECK(longest_unseen(draw("oouuoo"), {0s, 600ms}) == 301ms);
    CHECK(longest_unseen(draw("oouuuu"), {0s, 600ms}) == 500ms);
    CHECK(longest_unseen(draw("uuoooo"), {0s, 600ms}) == 201ms);
    CHECK(longest_unseen(draw("offoooo"), {0s, 700ms}) == 101ms);
    CHECK(longest_unseen(draw("uuuuuu"), {0s, 600ms}) == unbounded);
    CHECK(longest_unseen({}, {0s, 600ms}) == unbounded);
}

namespace {

Regain claim(Nanos within, Nanos hold, Regain::From from = Regain::From::fault) {
    return {.within = within, .hold = hold, .from = from};
}

RegainResult asked(std::string_view letters, const Regain& regained, Nanos from, Nanos now) {
    return regain(regained, draw(letters), spec_of(), from, now);
}

}  // namespace

TEST_CASE("regained in time and held is final as soon as the hold is over") {
    const auto at = [](std::string_view letters) {
        return asked(letters, claim(1s, 500ms), 200ms, 1200ms);
    };
    CHECK_FALSE(at("ooofffooooo").final);
    const RegainResult result = at("ooofffoooooo");
    CHECK(result.final);
    CHECK(result.finding == Finding::held);
    CHECK(result.text == "after 300 ms to 401 ms, held 500 ms");
    REQUIRE(result.outage.has_value());
    CHECK(result.outage->upper == 401ms);
}

TEST_CASE("a failure sent past the limit breaks the claim at once") {
    const std::string letters = "oo" + times('f', 11);
    CHECK_FALSE(asked(letters, claim(1s, 500ms), 200ms, 1300ms).final);
    const RegainResult result = asked(letters + "f", claim(1s, 500ms), 200ms, 1400ms);
    CHECK(result.final);
    CHECK(result.finding == Finding::broken);
    CHECK(result.text == "not ok 1.10 s after");
}

TEST_CASE("a relapse within the hold past the limit breaks the claim") {
    const RegainResult result =
        asked("oo" + times('f', 9) + "oof", claim(1s, 500ms), 200ms, 1400ms);
    CHECK(result.final);
    CHECK(result.finding == Finding::broken);
}

TEST_CASE("a limit between the bounds is undecided") {
    const RegainResult result =
        asked("oo" + times('f', 10) + times('u', 3) + times('o', 8), claim(1s, 500ms), 200ms, 3s);
    CHECK(result.final);
    CHECK(result.finding == Finding::undecided);
}

TEST_CASE("an answer still awaited keeps a hold open") {
    const RegainResult early = asked("ooofff oooooooo", claim(1s, 500ms), 200ms, 1500ms);
    CHECK_FALSE(early.final);
    const RegainResult later =
        asked("ooofff " + times('o', 30), claim(1s, 500ms), 200ms, 600ms + 1450ms + 100ms);
    CHECK(later.final);
    CHECK(later.finding == Finding::held);
    CHECK(later.text == "after 300 ms to 501 ms, held 500 ms");
}

TEST_CASE("never away since the fault is held for now, final when the limit has passed") {
    const RegainResult early = asked(times('o', 10), claim(2s, 500ms), 100ms, 1s);
    CHECK(early.finding == Finding::held);
    CHECK_FALSE(early.final);
    const RegainResult later = asked(times('o', 23), claim(2s, 500ms), 100ms, 2300ms);
    CHECK(later.finding == Finding::held);
    CHECK(later.final);
    CHECK_FALSE(later.outage.has_value());
}

TEST_CASE("a late bite counts: fine for one hold, then away past the limit") {
    const RegainResult result =
        asked(times('o', 15) + times('f', 8), claim(2s, 500ms), 100ms, 2400ms);
    CHECK(result.final);
    CHECK(result.finding == Finding::broken);
}

TEST_CASE("counted from the undo, ok for one hold is final") {
    const Regain from_undo = claim(2s, 500ms, Regain::From::undo);
    const RegainResult result = asked("ffff" + times('o', 6), from_undo, 400ms, 1s);
    CHECK(result.final);
    CHECK(result.finding == Finding::held);
    CHECK(result.text == "never away, ok seen 1 ms after, held 500 ms");
}

TEST_CASE("a probe that fell silent is undecided, at the latest at needed_until") {
    for (const char* letters : {"", "oooooooooo", "ooofff", "ooofffooo", "uuuuuuuuu"}) {
        CAPTURE(letters);
        const RegainResult early = asked(letters, claim(1s, 500ms), 200ms, 2s);
        CHECK(early.needed_until == 200ms + 1s + 500ms + 1450ms);
        CHECK_FALSE(early.final);
        const RegainResult result = asked(letters, claim(1s, 500ms), 200ms, early.needed_until);
        CHECK(result.final);
        CHECK(result.finding == Finding::undecided);
    }
}

namespace {

ObjectiveOutcome rto(std::string_view letters, Nanos objective) {
    const auto series = draw(letters);
    const Window window{0s, 100ms * static_cast<std::int64_t>(letters.size())};
    return judge_rto(objective, outages(series, spec_of(), 500ms, window), series, spec_of(),
                     window);
}

}  // namespace

TEST_CASE("an objective is judged on the upper bound") {
    const std::string letters = "ooofffoooooo";  // 199 ms to 401 ms
    CHECK(rto(letters, 401ms).finding == Finding::held);
    CHECK(rto(letters, 400ms).finding == Finding::undecided);
    CHECK(rto(letters, 199ms).finding == Finding::undecided);
    CHECK(rto(letters, 198ms).finding == Finding::broken);
    CHECK(rto(letters, 401ms).measured == "199 ms to 401 ms (probe order, 100 ms)");
    CHECK(rto(letters, 401ms).name == "rto");
}

TEST_CASE("the worst of several outages is told and judged") {
    const ObjectiveOutcome result = rto("oofoooooooffffoooooo", 300ms);
    CHECK(result.finding == Finding::undecided);
    CHECK(result.measured == "299 ms to 501 ms (probe order, 100 ms)");
}

TEST_CASE("an outage without end never meets an objective") {
    CHECK(rto("oooffff", 10s).finding == Finding::undecided);
    CHECK(rto("oooffff", 100ms).finding == Finding::broken);
    CHECK(rto("oooffff", 10s).measured == "at least 299 ms, not regained (probe order, 100 ms)");
    CHECK(rto("fffoooooo", 10s).measured ==
          "at least 199 ms, its start was not seen (probe order, 100 ms)");
}

TEST_CASE("without an outage the objective holds as far as the probe could see") {
    CHECK(rto("oooooooooo", 101ms).finding == Finding::held);
    CHECK(rto("oooooooooo", 100ms).finding == Finding::undecided);
    CHECK(rto("oooooooooo", 0s).finding == Finding::undecided);
    const std::string seldom = times('o', 40) + "u" + times('o', 40);
    CHECK(rto(seldom, 201ms).finding == Finding::held);
    CHECK(rto(seldom, 200ms).finding == Finding::undecided);
}

TEST_CASE("a blind probe meets no objective") {
    CHECK(rto("ooouooooou", 100s).finding == Finding::undecided);
    CHECK(rto("uuuuuuuuuu", 100s).finding == Finding::undecided);
    CHECK(rto("", 100s).finding == Finding::undecided);
    CHECK(rto("ooofuuuuoooooooo", 100s).finding == Finding::undecided);
    CHECK(rto("uuuuuuuuuu", 100s).measured ==
          "not measured: 10 of 10 unknown (probe order, 100 ms)");
}

namespace {

/// A world where the truth is known: the service is away in [down, up).
struct Trial {
    Nanos down{0}, up{0};
    std::vector<Sample> series;
    ProbeSpec spec;
};

Nanos below(Random& random, Nanos bound) {
    return Nanos{static_cast<std::int64_t>(
        random.below(static_cast<std::uint64_t>(std::max<std::int64_t>(bound.count(), 1))))};
}

/// Questions leave late, travel, are refused or dropped or retried, come back out of order.
Trial simulate(std::uint64_t seed) {
    Random random(seed);
    Trial trial;
    trial.spec = spec_of(1ms + below(random, 100ms), 20ms + below(random, 1s));
    trial.down = 3s + below(random, 1s);
    trial.up = trial.down + below(random, 3s);
    const bool refuses = random.chance(500);
    const bool retries = random.chance(300);
    const std::uint64_t blind = random.below(60);  // per mille
    const Nanos lateness = random.chance(500) ? 50ms : 1ms;
    const Nanos travel = random.chance(500) ? 15ms : 200us;
    const auto away = [&](Nanos at) { return at >= trial.down && at < trial.up; };
    for (std::uint64_t number = 0;; ++number) {
        Sample sample;
        sample.number = number;
        sample.intended = trial.spec.every * static_cast<std::int64_t>(number);
        if (sample.intended > trial.up + 4s) { break; }
        sample.sent = sample.intended + below(random, lateness);
        trial.series.push_back(sample);
    }
    std::ranges::sort(trial.series, {}, &Sample::sent);  // the path keeps this order
    Nanos line{0};
    for (Sample& sample : trial.series) {
        line =
            std::max(line, sample.sent + below(random, std::min(travel, trial.spec.timeout / 2)));
        const bool again = retries && away(line);
        const Nanos arrives = again ? line + trial.spec.timeout / 3 : line;
        sample.received = arrives + below(random, travel);
        if (away(arrives)) {
            sample.state = SampleState::failed;
            if (!refuses) { sample.received = sample.sent + trial.spec.timeout; }
        } else {
            sample.state = SampleState::ok;
        }
        // Our own delay, or one of the rare reasons not to ask: nothing is known.
        if (sample.received > sample.sent + trial.spec.timeout || random.chance(blind)) {
            sample.state = SampleState::unknown;
        }
    }
    std::erase_if(trial.series, [&](const Sample& sample) {
        return sample.state == SampleState::unknown && random.chance(500);
    });
    std::ranges::sort(trial.series, {}, &Sample::number);
    return trial;
}

}  // namespace

TEST_CASE("the true outage lies inside the bound in 10 000 simulated trials") {
    std::size_t seen = 0;
    std::size_t bounded = 0;
    for (std::uint64_t seed = 1; seed <= 10'000; ++seed) {
        const Trial trial = simulate(seed);
        const Nanos truth = trial.up - trial.down;
        const auto found = outages(trial.series, trial.spec, 400ms, everything);
        CAPTURE(seed);
        if (found.empty()) {
            REQUIRE(truth <= longest_unseen(trial.series, {0s, trial.up + 4s}));
            continue;
        }
        ++seen;
        REQUIRE(found.size() == 1);
        REQUIRE(found[0].lower <= truth);
        REQUIRE(truth <= found[0].upper);
        if (found[0].upper != unbounded) { ++bounded; }
    }
    CHECK(seen > 8'000);
    CHECK(bounded > 8'000);  // bounds that say nothing would be sound, too
}

TEST_CASE("a regain is never called held when the truth is later, nor broken when it is earlier") {
    for (std::uint64_t seed = 1; seed <= 2'000; ++seed) {
        const Trial trial = simulate(seed);
        Random random(seed + 1'000'000);
        const Regain wanted = claim(below(random, 4s), 400ms);
        const RegainResult result =
            regain(wanted, trial.series, trial.spec, trial.down, trial.up + 100s);
        const Nanos truth = trial.up - trial.down;
        CAPTURE(seed);
        REQUIRE(result.final);
        const bool noticed = result.outage.has_value();
        if (noticed && result.finding == Finding::held) { REQUIRE(truth <= wanted.within); }
        if (result.finding == Finding::broken) { REQUIRE(truth > wanted.within); }
    }
}
