// A run that is steered: rehearsed, held until Enter, gone on with without a target that failed.
#include "engine/hand.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace drill;
using namespace drill::test;

namespace {

/// One change, and a baseline of 90 % for a second.
Plan guarded_plan() {
    Plan plan = plan_of({step_of("a", "watched", {"h1"})});
    add_probe(plan, "order");
    plan.hypotheses.push_back({.probe = "order",
                               .before = Predicate{.metric = Predicate::Metric::success,
                                                   .compare = Predicate::Compare::ge,
                                                   .ppm = 900'000,
                                                   .latency = {},
                                                   .span = 1s,
                                                   .text = "success"},
                               .during = std::nullopt,
                               .regain = std::nullopt});
    return plan;
}

void see(Hand& hand, SampleState state, int count) {
    for (int i = 0; i < count && !hand.finished(); ++i) {
        const Nanos sent = hand.now;
        hand.now += 100ms;
        hand.turn({Sampled{sample_at(static_cast<std::uint64_t>(i), sent, state)}});
    }
}

}  // namespace

TEST_CASE("a rehearsal measures, rehearses guards, and applies nothing") {
    Hand hand(guarded_plan(), [](ConductorInput& input) { input.rehearse = true; });
    hand.turn();
    hand.rehearse();
    see(hand, SampleState::ok, 20);
    REQUIRE(hand.finished());
    CHECK(hand.count(Phase::apply) == 0);
    CHECK(hand.count(Phase::rehearsed) == 1);
    CHECK(hand.outcome().verdict == Verdict::rehearsed);
    CHECK(exit_code_of(hand.outcome().verdict) == 0);
    CHECK(hand.outcome().fidelity == "rehearsal");
    REQUIRE(hand.outcome().hypotheses.size() == 1);
    CHECK(hand.outcome().hypotheses.front().finding == Finding::held);
}

TEST_CASE("a rehearsal whose steady state does not hold is REFUSED, and still a rehearsal") {
    Hand hand(guarded_plan(), [](ConductorInput& input) { input.rehearse = true; });
    hand.turn();
    hand.rehearse();
    see(hand, SampleState::failed, 20);
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::refused);
    CHECK(hand.outcome().fidelity == "rehearsal");
}

TEST_CASE("a rehearsal whose guard does not live is REFUSED") {
    Hand hand(plan_of({step_of("a", "watched", {"h1"})}),
              [](ConductorInput& input) { input.rehearse = true; });
    hand.turn();
    hand.answer(Phase::rehearse, done());
    Reply dead = done();
    dead.status = EnvelopeStatus::unknown_lease;
    hand.answer(Phase::rehearsed, dead);
    hand.answer(Phase::undo, undone());
    hand.answer(Phase::disarm, done());
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::refused);
}

TEST_CASE("a step is held past its time until Enter, and Enter ends it") {
    Hand hand(plan_of({step_of("a", "watched", {"h1"})}),
              [](ConductorInput& input) { input.hold = "a"; });
    hand.hold();
    hand.keep(40s);  // its file says 30 s
    CHECK(hand.count(Phase::undo) == 0);
    hand.turn({HoldEnded{.step = "a"}});
    hand.keep(3s);
    CHECK(hand.events("hold.ended") == 1);
    CHECK(hand.count(Phase::undo) == 1);
    hand.answer(Phase::undo, undone());
    hand.answer(Phase::disarm, done());
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::passed);
}

TEST_CASE("without Enter a hold ends before the limit, undone and read back") {
    Hand hand(plan_of({step_of("a", "watched", {"h1"})}),
              [](ConductorInput& input) { input.hold = "a"; });
    hand.hold();
    hand.keep(59s);  // limit.longest is 60 s
    CHECK(hand.count(Phase::undo) == 1);
    hand.answer(Phase::undo, undone());
    hand.answer(Phase::disarm, done());
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::passed);
}

TEST_CASE("Enter before the bite ends nothing and says so") {
    Hand hand(plan_of({step_of("a", "watched", {"h1"})}),
              [](ConductorInput& input) { input.hold = "a"; });
    hand.turn();
    hand.rehearse();
    hand.turn({HoldEnded{.step = "a"}});
    CHECK(hand.events("hold.waits") == 1);
    CHECK(hand.count(Phase::undo) == 0);
}

namespace {
/// Three hosts; the apply of h2 fails there and is undone.
void fail_on_one(Hand& hand) {
    hand.turn();
    hand.rehearse();
    Reply failed = done();
    failed.status = EnvelopeStatus::apply_failed;
    hand.answer(Phase::apply, failed, "h2");
    for (const char* host : {"h1", "h3"}) {
        if (hand.open(Phase::apply, host) == nullptr) { continue; }
        hand.answer(Phase::apply, done(), host);
        if (hand.open(Phase::read_back, host) == nullptr) { continue; }
        hand.answer(Phase::read_back, parts({10}), host);
    }
}
void undo_all(Hand& hand) {
    for (const char* host : {"h1", "h2", "h3"}) {
        if (hand.open(Phase::undo, host) != nullptr) { hand.answer(Phase::undo, undone(), host); }
        if (hand.open(Phase::disarm, host) != nullptr) { hand.answer(Phase::disarm, done(), host); }
    }
}
Took took_on(const Hand& hand, const std::string& host) {
    for (const ChangeOutcome& one : hand.outcome().changes) {
        if (one.host == host) { return one.took; }
    }
    return Took::not_begun;
}
}  // namespace

TEST_CASE("by default a failure on one of three targets undoes all of them") {
    Hand hand(plan_of({step_of("a", "watched", {"h1", "h2", "h3"})}));
    fail_on_one(hand);
    undo_all(hand);
    if (!hand.finished()) { undo_all(hand); }
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::invalid);
    CHECK(took_on(hand, "h2") == Took::apply_failed);
    CHECK(hand.events("step.partial") == 0);
}

TEST_CASE("on_partial = continue holds the others, names the failed one, and is not PASSED") {
    Plan plan = plan_of({step_of("a", "watched", {"h1", "h2", "h3"})});
    plan.steps[0].on_partial = OnPartial::go_on;
    Hand hand(plan);
    fail_on_one(hand);
    undo_all(hand);  // only h2 has one
    CHECK(hand.count(Phase::undo) == 1);
    CHECK(hand.events("step.partial") == 1);
    CHECK(hand.events("run.ending") == 0);
    hand.keep(32s);
    CHECK(hand.count(Phase::undo) == 3);
    undo_all(hand);
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::invalid);
    CHECK(took_on(hand, "h1") == Took::bit);
    CHECK(took_on(hand, "h2") == Took::apply_failed);
    CHECK(took_on(hand, "h3") == Took::bit);
    CHECK(hand.reasons().find("some of its targets only") != std::string::npos);
    CHECK(hand.reasons().find("h2") != std::string::npos);
}

TEST_CASE("on_partial = continue ends the run when no target is left") {
    Plan plan = plan_of({step_of("a", "watched", {"h1", "h2"})});
    plan.steps[0].on_partial = OnPartial::go_on;
    Hand hand(plan);
    hand.turn();
    hand.rehearse();
    Reply failed = done();
    failed.status = EnvelopeStatus::apply_failed;
    hand.answer(Phase::apply, failed, "h1");
    CHECK(hand.events("run.ending") == 0);
    hand.answer(Phase::apply, failed, "h2");
    CHECK(hand.events("run.ending") == 1);
}

TEST_CASE("on_partial = continue does not go on without a fault that had held") {
    Plan plan = plan_of({step_of("a", "watched", {"h1", "h2"})});
    plan.steps[0].on_partial = OnPartial::go_on;
    Hand hand(plan);
    hand.hold();
    hand.pass(6s);
    hand.answer(Phase::read_back, parts({12}, "gone"), "h1");
    CHECK(hand.events("run.ending") == 1);
}
