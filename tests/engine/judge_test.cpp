// The verdict as a table: what beats what, and what never counts as a pass.
// Next: core/engine/judge.hpp; design, section 3.
#include "engine/judge.hpp"
#include "measure/series.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

using namespace drill;
using namespace drill::test;

namespace {

/// A run in which all went well; a case breaks parts of it.
struct Run {
    Plan plan;
    std::vector<std::vector<Sample>> series{draw(std::string(200, 'o'))};
    RunFacts facts{.plan = plan, .series = series};

    Run() {
        plan.probes = {spec_of()};
        facts.began = 0s;
        facts.now = 19s;
        facts.steps_done = true;
        facts.changes = {{.step = "a",
                          .host = "h1",
                          .kind = "watched",
                          .lease = "abcdef012345",
                          .applied = true,
                          .bit = true,
                          .state = LeaseState::released}};
        facts.faults = {{.step = "a", .applied = 5s, .undo_sent = 10s}};
        facts.during = {{.from = 5s, .to = 10s}};
    }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    void claim_during(int ppm) {
        Predicate predicate{};
        predicate.compare = Predicate::Compare::ge;
        predicate.ppm = ppm;
        predicate.text = "success >= claimed";
        plan.hypotheses.push_back({.probe = "order",
                                   .before = std::nullopt,
                                   .during = predicate,
                                   .regain = std::nullopt});
    }
    void claim_regain(Nanos within) {
        plan.hypotheses.push_back(
            {.probe = "order",
             .before = std::nullopt,
             .during = std::nullopt,
             .regain = Regain{.within = within, .hold = 1s, .from = Regain::From::fault}});
    }
    /// From 5 s on for so many tenths of a second.
    void answer(char letter, std::size_t count) {
        std::string letters(200, 'o');
        letters.replace(50, count, std::string(count, letter));
        series = {draw(letters)};
        facts.series = series;
    }
};

void make_broken(Run& run) {
    run.claim_during(900'000);
    run.answer('f', 30);
}
void make_undecided(Run& run) {
    run.claim_during(900'000);
    run.answer('u', 50);
}
void make_stopped(Run& run) {
    run.facts.stopped = true;
    run.facts.steps_done = false;
}
void make_dirty(Run& run) {
    run.facts.dirty = true;
    run.facts.changes[0].state = LeaseState::stuck;
    run.facts.changes[0].note = "undo is not proven";
}

}  // namespace

TEST_CASE("a run in which everything held and was proven has PASSED") {
    Run run;
    run.claim_during(900'000);
    run.claim_regain(3s);
    const Outcome outcome = judge(run.facts);
    CHECK(outcome.verdict == Verdict::passed);
    CHECK(outcome.reasons.empty());
    CHECK_FALSE(outcome.incomplete);
}

TEST_CASE("DIRTY beats FAILED beats INVALID, and a halt beats only a pass") {
    struct Row {
        const char* name;
        std::vector<std::function<void(Run&)>> parts;
        Verdict verdict;
        bool incomplete;
    };
    const std::vector<Row> rows{
        {"all well", {}, Verdict::passed, false},
        {"dirty", {make_dirty}, Verdict::dirty, false},
        {"broken", {make_broken}, Verdict::failed, false},
        {"undecided", {make_undecided}, Verdict::invalid, false},
        {"stopped", {make_stopped}, Verdict::halted, false},
        {"dirty and broken", {make_dirty, make_broken}, Verdict::dirty, false},
        {"dirty and undecided", {make_dirty, make_undecided}, Verdict::dirty, false},
        {"dirty and stopped", {make_dirty, make_stopped}, Verdict::dirty, false},
        {"broken and stopped", {make_broken, make_stopped}, Verdict::failed, true},
        {"undecided and stopped", {make_undecided, make_stopped}, Verdict::halted, false},
        {"dirty, broken and stopped",
         {make_dirty, make_broken, make_stopped},
         Verdict::dirty,
         false}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Run run;
        for (const auto& part : row.parts) { part(run); }
        const Outcome outcome = judge(run.facts);
        CHECK(outcome.verdict == row.verdict);
        CHECK(outcome.incomplete == row.incomplete);
    }
}

TEST_CASE("FAILED beside something that could not be judged is incomplete") {
    Run run;
    make_broken(run);
    run.facts.changes[0].bit = false;
    const Outcome outcome = judge(run.facts);
    CHECK(outcome.verdict == Verdict::failed);
    CHECK(outcome.incomplete);
}

TEST_CASE("a halt condition that tripped on data is FAILED though every hypothesis held") {
    Run run;
    run.facts.halt_tripped = true;
    run.facts.steps_done = false;
    run.facts.ended_by = "halt condition";
    const Outcome outcome = judge(run.facts);
    CHECK(outcome.verdict == Verdict::failed);
    CHECK(outcome.ended_by == "halt condition");
    CHECK(outcome.incomplete);
}

TEST_CASE("steps that were not carried out to their end are no pass") {
    Run run;
    run.facts.steps_done = false;  // a blind halt condition, for one
    CHECK(judge(run.facts).verdict == Verdict::invalid);
}

TEST_CASE("what a halt left unjudged is no reason of its own") {
    Run run;
    make_undecided(run);
    make_stopped(run);
    run.facts.reasons = {"SIGINT"};
    const Outcome outcome = judge(run.facts);
    CHECK(outcome.reasons == std::vector<std::string>{"SIGINT"});
}

TEST_CASE("REFUSED keeps its reasons and judges nothing") {
    Run run;
    run.facts.refused = true;
    run.facts.steps_done = false;
    run.facts.reasons = {"the steady state does not hold"};
    run.claim_during(900'000);
    const Outcome outcome = judge(run.facts);
    CHECK(outcome.verdict == Verdict::refused);
    CHECK(outcome.reasons == run.facts.reasons);
    CHECK(outcome.hypotheses.empty());
}

TEST_CASE("a refused run whose rehearsal guard cannot be removed is DIRTY") {
    Run run;
    run.facts.refused = true;
    run.facts.dirty = true;
    run.facts.changes.clear();
    run.facts.faults.clear();
    run.facts.during.clear();
    CHECK(judge(run.facts).verdict == Verdict::dirty);
}

TEST_CASE("no change at all is no pass") {
    Run run;
    run.facts.changes.clear();
    CHECK(judge(run.facts).verdict == Verdict::invalid);
}

TEST_CASE("a change that is not wholly proven is no pass, whatever the service did") {
    struct Row {
        const char* name;
        std::function<void(ChangeOutcome&)> change;
    };
    const std::vector<Row> rows{
        {"not applied", [](ChangeOutcome& c) { c.applied = c.bit = false; }},
        {"no bite", [](ChangeOutcome& c) { c.bit = false; }},
        {"ended by others", [](ChangeOutcome& c) { c.note = "ended by others at 14:02"; }},
        {"closed by a person", [](ChangeOutcome& c) { c.state = LeaseState::closed; }},
        {"still armed", [](ChangeOutcome& c) { c.state = LeaseState::armed; }},
        {"its check was not asked", [](ChangeOutcome& c) {
             c.check = "it is back: could not be asked";
             c.check_finding = Finding::undecided;
         }}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Run run;
        row.change(run.facts.changes[0]);
        const Outcome outcome = judge(run.facts);
        CHECK(outcome.verdict == Verdict::invalid);
    }
}

TEST_CASE("one of several changes without a bite is enough to be INVALID") {
    Run run;
    run.facts.changes.push_back(run.facts.changes[0]);
    run.facts.changes[1].host = "h2";
    run.facts.changes[1].bit = false;
    const Outcome outcome = judge(run.facts);
    CHECK(outcome.verdict == Verdict::invalid);
    REQUIRE(outcome.reasons.size() == 1);
    CHECK(outcome.reasons[0].find("h2") != std::string::npos);
}

TEST_CASE("an expectation that was missed is a finding: FAILED, never DIRTY") {
    Run run;
    run.facts.changes[0].check = "it is back within 2 s: not so";
    run.facts.changes[0].check_finding = Finding::broken;
    const Outcome outcome = judge(run.facts);
    CHECK(outcome.verdict == Verdict::failed);
    CHECK_FALSE(outcome.incomplete);
}

TEST_CASE("an RPO that nothing measures is shown and blocks no pass") {
    Run run;
    run.plan.rpo = 0s;
    const Outcome outcome = judge(run.facts);
    CHECK(outcome.verdict == Verdict::passed);
    REQUIRE(outcome.objectives.size() == 1);
    CHECK(outcome.objectives[0].measured == "not measured");
    CHECK(outcome.objectives[0].finding == Finding::undecided);
}

TEST_CASE("an RTO is judged on the outage that was measured") {
    struct Row {
        char letter;
        std::size_t away;  // tenths of a second
        Verdict verdict;
    };
    for (const Row& row : {Row{'f', 10, Verdict::passed}, Row{'f', 40, Verdict::failed},
                           Row{'f', 30, Verdict::invalid}, Row{'u', 40, Verdict::invalid}}) {
        CAPTURE(row.away);
        Run run;
        run.plan.rto = 3s;
        run.claim_regain(8s);
        run.answer(row.letter, row.away);
        CHECK(judge(run.facts).verdict == row.verdict);
    }
}

TEST_CASE("an RTO without a probe is undecided, so the run is INVALID") {
    Run run;
    run.plan.rto = 3s;
    CHECK(judge(run.facts).verdict == Verdict::invalid);
}

TEST_CASE("an RTO without a fault that took effect is undecided") {
    Run run;
    run.plan.rto = 3s;
    run.claim_regain(3s);
    run.facts.faults.clear();
    run.facts.during.clear();
    const Outcome outcome = judge(run.facts);
    CHECK(outcome.verdict == Verdict::invalid);
    CHECK(outcome.objectives[0].measured == "no fault took effect");
}

TEST_CASE("a claim about the time of the fault is undecided when no fault took effect") {
    Run run;
    run.claim_during(1);
    run.facts.during.clear();
    CHECK(judge(run.facts).verdict == Verdict::invalid);
}

TEST_CASE("an outage names the last fault before it") {
    Run run;
    run.claim_regain(8s);
    run.facts.faults = {{.step = "a", .applied = 2s, .undo_sent = 3s},
                        {.step = "b", .applied = 5s, .undo_sent = 10s}};
    run.answer('f', 10);
    const Outcome outcome = judge(run.facts);
    REQUIRE(outcome.outages.size() == 1);
    CHECK(outcome.outages[0].step == "b");
}

namespace {

HypothesisSpec rule(Nanos within, Nanos hold, Regain::From from = Regain::From::fault) {
    return {.probe = "order",
            .before = std::nullopt,
            .during = std::nullopt,
            .regain = Regain{.within = within, .hold = hold, .from = from}};
}

/// All ok but for these tenths of a second.
std::vector<Sample> away(std::vector<std::pair<std::size_t, std::size_t>> spans,
                         std::size_t length = 200) {
    std::string letters(length, 'o');
    for (const auto& [from, to] : spans) {
        letters.replace(from, to - from, std::string(to - from, 'f'));
    }
    return draw(letters);
}

}  // namespace

TEST_CASE("one fault is judged once, on its own outage") {
    const std::vector<FaultSpan> faults{{.step = "a", .applied = 5s, .undo_sent = 8s}};
    const auto held = regained(rule(3s, 1s), spec_of(), away({{51, 71}}), faults, 19s);
    REQUIRE(held.outcomes.size() == 1);
    CHECK(held.final);
    CHECK(held.outcomes[0].finding == Finding::held);
    CHECK(held.outcomes[0].claim.find("a:") == std::string::npos);  // one fault needs no name
    const auto broken = regained(rule(1s, 1s), spec_of(), away({{51, 71}}), faults, 19s);
    CHECK(broken.outcomes[0].finding == Finding::broken);
}

TEST_CASE("faults far apart are judged each, and an outage counts only for its own") {
    const std::vector<FaultSpan> faults{{.step = "a", .applied = 2s, .undo_sent = 3s},
                                        {.step = "b", .applied = 10s, .undo_sent = 11s}};
    const auto result = regained(rule(2s, 1s), spec_of(), away({{101, 141}}), faults, 19s);
    REQUIRE(result.outcomes.size() == 2);
    CHECK(result.outcomes[0].finding == Finding::held);
    CHECK(result.outcomes[1].finding == Finding::broken);
    CHECK(result.outcomes[0].claim.find("a: ") == 0);
    CHECK(result.outcomes[1].claim.find("b: ") == 0);
}

TEST_CASE("faults closer together than the time to regain and hold count as one, from the last") {
    // The second comes 2.9 s after the first: within 2 s and hold 1 s could not both be seen.
    const std::vector<FaultSpan> faults{{.step = "a", .applied = 2s, .undo_sent = 3s},
                                        {.step = "b", .applied = 4900ms, .undo_sent = 6s}};
    const auto result = regained(rule(2s, 1s), spec_of(), away({{21, 65}}), faults, 19s);
    REQUIRE(result.outcomes.size() == 1);
    CHECK(result.outcomes[0].claim.find("b: ") == 0);
    CHECK(result.outcomes[0].finding == Finding::held);
    // Exactly that far apart, each is judged.
    const std::vector<FaultSpan> apart{{.step = "a", .applied = 2s, .undo_sent = 3s},
                                       {.step = "b", .applied = 5s, .undo_sent = 6s}};
    CHECK(regained(rule(2s, 1s), spec_of(), away({{21, 65}}), apart, 19s).outcomes.size() == 2);
}

TEST_CASE("counted from the undo, the time of the fault itself does not count") {
    const std::vector<FaultSpan> faults{{.step = "a", .applied = 2s, .undo_sent = 10s}};
    const auto from_undo =
        regained(rule(2s, 1s, Regain::From::undo), spec_of(), away({{21, 110}}), faults, 19s);
    CHECK(from_undo.outcomes[0].finding == Finding::held);
    const auto from_fault = regained(rule(2s, 1s), spec_of(), away({{21, 110}}), faults, 19s);
    CHECK(from_fault.outcomes[0].finding == Finding::broken);
}

TEST_CASE("counted from an undo that was never sent, nothing is decided") {
    const std::vector<FaultSpan> faults{{.step = "a", .applied = 2s, .undo_sent = std::nullopt}};
    const auto result =
        regained(rule(2s, 1s, Regain::From::undo), spec_of(), away({}), faults, 19s);
    CHECK_FALSE(result.final);
    REQUIRE(result.outcomes.size() == 1);
    CHECK(result.outcomes[0].finding == Finding::undecided);
}

TEST_CASE("a finding that may still change is no finding") {
    const std::vector<FaultSpan> faults{{.step = "a", .applied = 5s, .undo_sent = 6s}};
    const auto early = regained(rule(10s, 1s), spec_of(), away({}, 70), faults, 7s);
    CHECK_FALSE(early.final);
    CHECK(early.needed_until >= 16s);
    CHECK(early.outcomes[0].finding == Finding::undecided);
}

TEST_CASE("no fault, nothing to regain") {
    const auto result = regained(rule(2s, 1s), spec_of(), away({}), {}, 19s);
    CHECK(result.final);
    CHECK(result.outcomes.empty());
}

TEST_CASE("a pass that the ledger does not hold is INVALID, and says why") {
    Outcome outcome{};
    outcome.verdict = Verdict::passed;
    not_recorded(outcome, "the disk is full");
    CHECK(outcome.verdict == Verdict::invalid);
    CHECK(outcome.incomplete);
    CHECK(outcome.reasons.back().find("the disk is full") != std::string::npos);
    for (const Verdict verdict :
         {Verdict::failed, Verdict::refused, Verdict::halted, Verdict::dirty}) {
        Outcome other{};
        other.verdict = verdict;
        not_recorded(other, "the disk is full");
        CHECK(other.verdict == verdict);
        CHECK(other.incomplete);
    }
}

namespace {

/// A fault that can hurt the data of a stateful service, undone at 10 s of 20 s.
void risk_data(Run& run) {
    PlannedChange change;
    change.host = "h1";
    change.data_of = "orders";
    run.plan.steps = {{.name = "a",
                       .kind = "watched",
                       .target = "t",
                       .params = {},
                       .hold = {},
                       .after = {},
                       .cuts_control = false,
                       .changes = {change}}};
    run.claim_during(900'000);
}
void look_at_data(Run& run) {
    run.plan.hypotheses[0].integrity = 2s;
    run.facts.integrity_from = 12s;
}

}  // namespace

TEST_CASE("data at risk that nobody looked at is told and does not change the verdict") {
    Run run;
    risk_data(run);
    const Outcome outcome = judge(run.facts);
    CHECK(outcome.verdict == Verdict::passed);
    CHECK(outcome.integrity == Integrity::not_checked);
}

TEST_CASE("without data at risk nothing is said of it") {
    Run run;
    run.claim_during(900'000);
    CHECK(judge(run.facts).integrity == Integrity::not_applicable);
}

TEST_CASE("a fault that was never sent puts no data at risk") {
    Run run;
    risk_data(run);
    run.facts.changes[0].applied = false;
    run.facts.changes[0].lease.clear();
    CHECK(judge(run.facts).integrity == Integrity::not_applicable);
}

TEST_CASE("right answers after the last undo check the data") {
    Run run;
    risk_data(run);
    look_at_data(run);
    const Outcome outcome = judge(run.facts);
    CHECK(outcome.verdict == Verdict::passed);
    CHECK(outcome.integrity == Integrity::checked);
    CHECK(outcome.hypotheses.back().measured == "20 of 20 right, 0 unknown");
}

TEST_CASE("one wrong answer after the last undo breaks the data, and the run has FAILED") {
    Run run;
    risk_data(run);
    look_at_data(run);
    std::string letters(200, 'o');
    letters[125] = 'f';
    run.series = {draw(letters)};
    run.facts.series = run.series;
    const Outcome outcome = judge(run.facts);
    CHECK(outcome.verdict == Verdict::failed);
    CHECK(outcome.integrity == Integrity::broken);
}

TEST_CASE("answers from before the last undo do not check the data") {
    Run run;
    risk_data(run);
    look_at_data(run);
    run.series = {draw(std::string(121, 'o'))};  // the last was sent as the time began
    run.facts.series = run.series;
    const Outcome outcome = judge(run.facts);
    CHECK(outcome.verdict == Verdict::invalid);
    CHECK(outcome.integrity == Integrity::not_checked);
}

TEST_CASE("answers that are late are right; unknown ones check nothing") {
    struct Row {
        char letter;
        Integrity integrity;
    };
    for (const Row row : {Row{'d', Integrity::checked}, Row{'u', Integrity::not_checked}}) {
        CAPTURE(row.letter);
        Run run;
        risk_data(run);
        look_at_data(run);
        std::string letters(200, 'o');
        letters.replace(120, 20, std::string(20, row.letter));
        run.series = {draw(letters)};
        run.facts.series = run.series;
        CHECK(judge(run.facts).integrity == row.integrity);
    }
}

TEST_CASE("a run that ended before its integrity check did not check the data") {
    Run run;
    risk_data(run);
    look_at_data(run);
    run.facts.integrity_from.reset();
    make_stopped(run);
    const Outcome outcome = judge(run.facts);
    CHECK(outcome.verdict == Verdict::halted);
    CHECK(outcome.integrity == Integrity::not_checked);
}
