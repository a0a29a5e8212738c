// What a run does before, between and after its changes: gates, order of steps, limit, halt,
// ledger, samples. One change by itself is in change_test.cpp. Next: core/engine/conductor.hpp.
#include "engine/hand.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using namespace drill;
using namespace drill::test;

namespace {

Predicate success(Predicate::Compare compare, int ppm, std::optional<Nanos> span) {
    return {.metric = Predicate::Metric::success,
            .compare = compare,
            .ppm = ppm,
            .latency = {},
            .span = span,
            .text = "success " + std::to_string(ppm)};
}

/// One change, and a baseline of 90 % for a second.
Plan guarded_plan() {
    Plan plan = plan_of({step_of("a", "watched", {"h1"})});
    add_probe(plan, "order");
    plan.hypotheses.push_back({.probe = "order",
                               .before = success(Predicate::Compare::ge, 900'000, 1s),
                               .during = std::nullopt,
                               .regain = std::nullopt});
    return plan;
}

/// A second of samples, all alike, and a little time for the last answer.
void see(Hand& hand, SampleState state, std::uint64_t& number, int count = 11) {
    for (int i = 0; i < count; ++i) {
        std::vector<News> news;
        const Nanos sent = hand.now;
        hand.now += 100ms;
        news.emplace_back(Sampled{sample_at(number++, sent, state)});
        hand.turn(std::move(news));
        if (hand.finished()) { return; }
    }
}

Withheld withheld(std::vector<std::uint64_t> orders) {
    return {.orders = std::move(orders), .error = fail(Code::no_space, "the disk is full")};
}

}  // namespace

TEST_CASE("nothing is applied before every guard was rehearsed over a second connection") {
    Hand hand(plan_of({step_of("a", "watched", {"h1", "h2"})}));
    hand.turn();
    CHECK(hand.count(Phase::rehearse) == 2);
    CHECK(hand.last().start_probes);
    hand.answer(Phase::rehearse, done(), "h1");
    REQUIRE(hand.open(Phase::rehearsed, "h1") != nullptr);
    CHECK(hand.open(Phase::rehearsed, "h1")->fresh);
    hand.answer(Phase::rehearsed, done(), "h1");
    CHECK(hand.count(Phase::apply) == 0);
    hand.answer(Phase::rehearse, done(), "h2");
    CHECK(hand.count(Phase::apply) == 0);
    hand.answer(Phase::rehearsed, done(), "h2");
    CHECK(hand.count(Phase::apply) == 2);
}

TEST_CASE("a proven rehearsal leaves a mark until its window is over and no lease") {
    Hand hand(plan_of({step_of("a", "watched", {"h1"})}));
    hand.turn();
    const Envelope first = envelope_of(*hand.open(Phase::rehearse));
    REQUIRE(hand.leases.contains(first.lease));
    CHECK(hand.leases.at(first.lease).state == LeaseState::intended);
    hand.answer(Phase::rehearse, done());
    const Envelope second = envelope_of(*hand.open(Phase::rehearsed));
    CHECK(second.not_after == first.not_after);
    CHECK(second.not_after > Nanos{0});
    hand.answer(Phase::rehearsed, done());
    CHECK(hand.leases.at(first.lease).state == LeaseState::released);
}

TEST_CASE("a failed rehearsal is REFUSED, after its own lease was ended") {
    struct Row {
        Phase phase;
        int status;
        const char* why;
    };
    const std::vector<Row> rows{
        {Phase::rehearse, EnvelopeStatus::no_guard, "could not be armed"},
        {Phase::rehearse, EnvelopeStatus::stop_file, "/run/drill/stop"},
        {Phase::rehearse, EnvelopeStatus::denied, "/etc/drill/deny"},
        {Phase::rehearse, EnvelopeStatus::other_boot, "rebooted"},
        {Phase::rehearsed, EnvelopeStatus::no_guard, "did not outlive the connection"},
        {Phase::rehearsed, EnvelopeStatus::unknown_lease, "did not outlive the connection"}};
    for (const Row& row : rows) {
        CAPTURE(row.why);
        Hand hand(plan_of({step_of("a", "watched", {"h1"})}));
        hand.turn();
        Reply reply = done();
        reply.status = row.status;
        if (row.phase == Phase::rehearsed) { hand.answer(Phase::rehearse, done()); }
        hand.answer(row.phase, reply);
        CHECK_FALSE(hand.finished());  // its guard is still on the host
        hand.answer(Phase::undo, done());
        CHECK_FALSE(hand.finished());
        hand.answer(Phase::disarm, done());
        REQUIRE(hand.finished());
        CHECK(hand.outcome().verdict == Verdict::refused);
        CHECK(hand.reasons().find(row.why) != std::string::npos);
        CHECK(hand.count(Phase::apply) == 0);
        CHECK(hand.leases.begin()->second.state == LeaseState::released);
    }
}

TEST_CASE("a rehearsal whose answer was lost is undone like any lease") {
    Hand hand(plan_of({step_of("a", "watched", {"h1"})}));
    hand.turn();
    hand.answer(Phase::rehearse, fail(Code::timed_out, "no answer", Effect::unknown));
    CHECK(hand.open(Phase::undo) != nullptr);
    CHECK(hand.count(Phase::apply) == 0);
}

TEST_CASE("one host that fails its rehearsal keeps the faults from all others") {
    Hand hand(plan_of({step_of("a", "watched", {"h1", "h2"})}));
    hand.turn();
    hand.answer(Phase::rehearse, done(), "h1");
    hand.answer(Phase::rehearsed, done(), "h1");
    Reply no_guard = done();
    no_guard.status = EnvelopeStatus::no_guard;
    hand.answer(Phase::rehearse, no_guard, "h2");
    hand.answer(Phase::undo, done(), "h2");
    hand.answer(Phase::disarm, done(), "h2");
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::refused);
    CHECK(hand.count(Phase::apply) == 0);
}

TEST_CASE("a run that ends while a guard is rehearsed waits until that guard is gone") {
    Hand hand(plan_of({step_of("a", "watched", {"h1"})}));
    hand.turn();
    hand.turn({StopAsked{.reason = "SIGINT"}});
    CHECK_FALSE(hand.finished());
    hand.answer(Phase::rehearse, done());
    CHECK_FALSE(hand.finished());
    hand.answer(Phase::rehearsed, done());
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::halted);
    CHECK(hand.count(Phase::apply) == 0);
}

TEST_CASE("nothing is applied to a service that is broken before the fault") {
    Hand hand(guarded_plan());
    hand.rehearse();
    std::uint64_t number = 0;
    see(hand, SampleState::failed, number);
    for (int i = 0; i < 20 && !hand.finished(); ++i) { hand.pass(100ms); }
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::refused);
    CHECK(hand.count(Phase::apply) == 0);
    CHECK(hand.reasons().find("steady state") != std::string::npos);
}

TEST_CASE("nothing is applied while the probe cannot see") {
    Hand hand(guarded_plan());
    hand.rehearse();
    std::uint64_t number = 0;
    SUBCASE("its answers are unknown") { see(hand, SampleState::unknown, number); }
    SUBCASE("it is silent") {}
    for (int i = 0; i < 400 && !hand.finished(); ++i) { hand.pass(100ms); }
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::refused);
    CHECK(hand.count(Phase::apply) == 0);
}

TEST_CASE("a service in its steady state lets the run begin") {
    Hand hand(guarded_plan());
    hand.rehearse();
    CHECK(hand.count(Phase::apply) == 0);
    std::uint64_t number = 0;
    see(hand, SampleState::ok, number);
    for (int i = 0; i < 20 && hand.count(Phase::apply) == 0; ++i) { hand.pass(100ms); }
    CHECK(hand.count(Phase::apply) == 1);
}

TEST_CASE("a step waits while the hosts in force would exceed the limit") {
    Plan plan = plan_of({step_of("a", "watched", {"h1"}), step_of("b", "watched", {"h2"})});
    plan.limit_hosts = 1;
    Hand hand(plan);
    hand.hold();
    CHECK(hand.count(Phase::apply) == 1);
    hand.keep(40s);
    hand.answer(Phase::undo, undone());
    CHECK(hand.count(Phase::apply) == 1);  // undone, but its guard is still there
    hand.answer(Phase::disarm, done());
    CHECK(hand.count(Phase::apply) == 2);
}

TEST_CASE("a second fault on a host that is changed already stays within the limit") {
    Plan plan = plan_of({step_of("a", "watched", {"h1"}), step_of("b", "fused", {"h1"})});
    plan.limit_hosts = 1;
    Hand hand(plan);
    hand.rehearse();
    CHECK(hand.count(Phase::apply) == 2);
}

TEST_CASE("a host that is still asked counts toward the limit") {
    Plan plan = plan_of({step_of("a", "asks", {"h1"}), step_of("b", "watched", {"h2"})});
    plan.limit_hosts = 1;
    Hand hand(plan);
    hand.rehearse();
    REQUIRE(hand.open(Phase::ask) != nullptr);
    CHECK(hand.count(Phase::apply) == 0);
    hand.answer(Phase::ask, parts({0}));
    CHECK(hand.count(Phase::apply) == 1);
    CHECK(hand.open(Phase::apply)->to.host == "h1");
}

TEST_CASE("an undo that is not proven keeps its host in force, and the next step out") {
    Plan plan = plan_of({step_of("a", "watched", {"h1"}), step_of("b", "watched", {"h2"})});
    plan.limit_hosts = 1;
    Hand hand(plan);
    hand.hold();
    hand.keep(40s);
    for (int i = 0; i < 200 && !hand.finished(); ++i) {
        if (hand.open(Phase::undo) != nullptr) {
            hand.answer(Phase::undo, undone(10));
        } else {
            hand.pass(1s);
        }
    }
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::dirty);
    CHECK(hand.count(Phase::apply) == 1);
    CHECK_FALSE(hand.conductor.still_open().empty());
}

TEST_CASE("after a step means after its lease is released") {
    Plan plan = plan_of({step_of("a", "watched", {"h1"}), step_of("b", "watched", {"h2"})});
    plan.steps[1].after = {{.step = "a", .held = false}};
    Hand hand(plan);
    hand.hold();
    CHECK(hand.count(Phase::apply) == 1);
    hand.keep(40s);
    hand.answer(Phase::undo, undone());
    CHECK(hand.count(Phase::apply) == 1);
    hand.answer(Phase::disarm, done());
    CHECK(hand.count(Phase::apply) == 2);
}

TEST_CASE("held after a step means as soon as it holds on every host") {
    Plan plan = plan_of({step_of("a", "watched", {"h1", "h2"}), step_of("b", "watched", {"h3"})});
    plan.steps[1].after = {{.step = "a", .held = true}};
    Hand hand(plan);
    hand.rehearse();
    hand.answer(Phase::apply, parts({0}), "h1");
    hand.answer(Phase::apply, parts({0}), "h2");
    hand.answer(Phase::read_back, parts({10}), "h1");
    CHECK(hand.count(Phase::apply) == 2);
    hand.answer(Phase::read_back, parts({10}), "h2");
    CHECK(hand.count(Phase::apply) == 3);
}

TEST_CASE("a step whose fault fails ends the run, and the next step never begins") {
    Plan plan = plan_of({step_of("a", "watched", {"h1"}), step_of("b", "watched", {"h2"})});
    plan.steps[1].after = {{.step = "a", .held = false}};
    Hand hand(plan);
    hand.rehearse();
    Reply failed = parts({1});
    failed.status = EnvelopeStatus::apply_failed;
    hand.answer(Phase::apply, failed);
    hand.answer(Phase::undo, undone());
    hand.answer(Phase::disarm, done());
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::invalid);
    CHECK(hand.count(Phase::apply) == 1);
}

TEST_CASE("a stop undoes every change at once") {
    Hand hand(plan_of({step_of("a", "watched", {"h1", "h2"})}));
    hand.hold();
    hand.turn({StopAsked{.reason = "SIGINT"}});
    CHECK(hand.open(Phase::undo, "h1") != nullptr);
    CHECK(hand.open(Phase::undo, "h2") != nullptr);
    CHECK(hand.open(Phase::undo, "h1")->urgency == Urgency::undo);
}

TEST_CASE("a second stop changes nothing: no order is given twice") {
    Hand hand(plan_of({step_of("a", "watched", {"h1"})}));
    hand.hold();
    hand.turn({StopAsked{.reason = "SIGINT"}});
    const std::size_t before = hand.orders.size();
    hand.turn({StopAsked{.reason = "SIGINT again"}});
    CHECK(hand.orders.size() == before);
    CHECK_FALSE(hand.finished());
    hand.answer(Phase::undo, undone());
    hand.answer(Phase::disarm, done());
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::halted);
    CHECK(hand.reasons().find("again") == std::string::npos);
}

TEST_CASE("the name of who stopped a run is personal and stands in no public field") {
    Hand hand(plan_of({step_of("a", "watched", {"h1"})}));
    hand.hold();
    hand.turn({StopAsked{.reason = "halt by kim: enough"}});
    bool found = false;
    for (const Event& event : hand.last().events) {
        CHECK(event.message.find("kim") == std::string::npos);
        found = found || event.personal.contains("reason");
    }
    CHECK(found);
}

TEST_CASE("orders that the ledger could not cover are refused and leave no lease") {
    Hand hand(plan_of({step_of("a", "watched", {"h1"})}));
    hand.rehearse();
    const std::uint64_t apply = hand.open(Phase::apply)->id;
    const std::string lease = envelope_of(*hand.open(Phase::apply)).lease;
    hand.leases.erase(lease);  // its commit failed
    hand.answered.push_back(apply);
    hand.turn({withheld({apply})});
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::refused);
    CHECK(hand.count(Phase::undo) == 0);
    CHECK_FALSE(hand.leases.contains(lease));
    CHECK(hand.conductor.still_open().empty());
}

TEST_CASE("a rehearsal that the ledger could not cover is refused and leaves no lease") {
    Hand hand(plan_of({step_of("a", "watched", {"h1"})}));
    hand.turn();
    const std::uint64_t order = hand.open(Phase::rehearse)->id;
    hand.turn({withheld({order})});
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::refused);
    CHECK(hand.count(Phase::undo) == 0);
}

TEST_CASE("a ledger that fails while a fault holds ends the run by its undo") {
    Hand hand(plan_of({step_of("a", "watched", {"h1"})}));
    hand.hold();
    hand.turn({withheld({})});
    hand.answer(Phase::undo, undone());
    hand.answer(Phase::disarm, done());
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::invalid);
    CHECK(hand.outcome().ended_by == "ledger");
}

namespace {

/// A held fault under a halt condition, the probe answering like this from then on.
void watch(Hand& hand, SampleState state, int seconds) {
    hand.rehearse();
    std::uint64_t number = 0;
    see(hand, SampleState::ok, number, 5);
    hand.hold();
    for (int i = 0; i < seconds * 10 && hand.count(Phase::undo) == 0; ++i) {
        see(hand, state, number, 1);
    }
}

Plan halting_plan() {
    Plan plan = plan_of({step_of("a", "watched", {"h1"})});
    add_probe(plan, "order");
    plan.halts.push_back({.probe = "order", .when = success(Predicate::Compare::lt, 200'000, 2s)});
    return plan;
}

void end(Hand& hand) {
    REQUIRE(hand.open(Phase::undo) != nullptr);
    hand.answer(Phase::undo, undone());
    hand.answer(Phase::disarm, done());
    for (int i = 0; i < 30 && !hand.finished(); ++i) { hand.pass(100ms); }
    REQUIRE(hand.finished());
}

}  // namespace

TEST_CASE("a halt condition on measured data undoes the fault, and the run has FAILED") {
    Hand hand(halting_plan());
    watch(hand, SampleState::failed, 4);
    end(hand);
    CHECK(hand.outcome().verdict == Verdict::failed);
    CHECK(hand.outcome().ended_by == "halt condition");
    CHECK(hand.outcome().incomplete);  // its step was not carried out
}

TEST_CASE("a halt condition that cannot see undoes the fault, and the run is INVALID") {
    Hand hand(halting_plan());
    watch(hand, SampleState::unknown, 8);
    end(hand);
    CHECK(hand.outcome().verdict == Verdict::invalid);
    CHECK(hand.outcome().ended_by == "blind halt condition");
}

TEST_CASE("a halt condition leaves a fault alone while the service answers") {
    Hand hand(halting_plan());
    watch(hand, SampleState::ok, 3);
    CHECK(hand.count(Phase::undo) == 0);
}

TEST_CASE("samples are written at most once a second, and the rest at the end, each once") {
    Plan plan = plan_of({step_of("a", "watched", {"h1"})});
    add_probe(plan, "order");
    Hand hand(plan);
    hand.rehearse();
    std::uint64_t number = 0;
    see(hand, SampleState::ok, number, 34);
    const Nanos span = hand.now - 1000s;
    CHECK(hand.events("probe.samples") >= 2);
    CHECK(hand.events("probe.samples") <= static_cast<std::size_t>(span / 1s));
    see(hand, SampleState::failed, number, 1);
    hand.turn({StopAsked{.reason = "SIGINT"}});
    while (!hand.finished()) {
        if (hand.open(Phase::apply) != nullptr) {
            hand.answer(Phase::apply, parts({0}));
        } else if (hand.open(Phase::undo) != nullptr) {
            hand.answer(Phase::undo, undone());
        } else {
            hand.answer(Phase::disarm, done());
        }
    }
    std::string all;
    for (const Turn& turn : hand.turns) {
        for (const Event& event : turn.events) {
            if (event.type == "probe.samples") {
                CHECK(std::get<std::string>(event.data.at("probe")) == "order");
                all += std::get<std::string>(event.data.at("samples"));
            }
        }
    }
    for (std::uint64_t i = 0; i < number; ++i) {
        const std::string row = "[" + std::to_string(i) + ",";
        const std::size_t at = all.find(row);
        CAPTURE(i);
        REQUIRE(at != std::string::npos);
        CHECK(all.find(row, at + 1) == std::string::npos);
    }
    CHECK(all.find("why \\\"not\\\"") != std::string::npos);  // quotes of a target are escaped
}

TEST_CASE("a sample of no probe of the plan is left out") {
    Hand hand(guarded_plan());
    hand.turn();
    hand.turn({Sampled{sample_at(0, hand.now, SampleState::ok, 9)}});
    hand.pass(2s);
    CHECK(hand.events("probe.samples") == 0);
}

TEST_CASE("an answer to no order of ours changes nothing") {
    Hand hand(plan_of({step_of("a", "watched", {"h1"})}));
    hand.hold();
    const std::size_t before = hand.orders.size();
    hand.turn(
        {Answered{.order = 9999, .reply = parts({0}), .sent = hand.now, .received = hand.now}});
    CHECK(hand.orders.size() == before);
    CHECK(hand.last().leases.empty());
}

TEST_CASE("a doubled answer to an apply is counted once") {
    Hand hand(plan_of({step_of("a", "watched", {"h1"})}));
    hand.rehearse();
    const Order apply = *hand.open(Phase::apply);
    hand.answer(Phase::apply, parts({0}));
    hand.turn({answer_to(apply, parts({0}), hand.now, hand.now)});
    CHECK(hand.events("fault.applied") == 1);
    CHECK(hand.count(Phase::read_back) == 1);
}

TEST_CASE("the same news gives the same turns") {
    const auto play = [] {
        Hand hand(plan_of({step_of("a", "watched", {"h1", "h2"})}));
        hand.hold();
        std::string text;
        for (const Order& order : hand.orders) {
            text += envelope_of(order).nonce + envelope_of(order).lease + order.to.host + " ";
        }
        return text;
    };
    CHECK(play() == play());
}

TEST_CASE("every order that changes a host has its lease in the ledger by then") {
    Hand hand(plan_of({step_of("a", "fused", {"h1", "h2"}), step_of("b", "watched", {"h1"})}));
    hand.hold();
    hand.pass(6s);
    while (hand.open(Phase::read_back) != nullptr) { hand.answer(Phase::read_back, parts({10})); }
    std::map<std::string, Lease> known;
    std::size_t seen = 0;
    for (const Turn& turn : hand.turns) {
        for (const Lease& lease : turn.leases) { known[lease.id] = lease; }
        for (const Order& order : turn.orders) {
            if (order.urgency != Urgency::change) { continue; }
            ++seen;
            const Envelope& envelope = envelope_of(order);
            REQUIRE(known.contains(envelope.lease));
            const Lease& lease = known.at(envelope.lease);
            CHECK(is_open(lease.state));
            CHECK(lease.until >= order.deadline - 20s + envelope.ttl);
            CHECK(lease.change.undo == envelope.undo);
            CHECK(lease.controller_boot == "here");
            CHECK(lease.connection.host == order.to.host);
        }
    }
    CHECK(seen == 2 + 3 + 3);  // rehearsals, applies, renewals
}

TEST_CASE("a halt from elsewhere undoes everything; who and why are personal") {
    Hand hand(plan_of({step_of("a", "watched", {"h1"})}));
    hand.hold();
    const Turn& turn = hand.turn({StopAsked{.reason = "halted from elsewhere",
                                            .letter = "1-x.halt",
                                            .by = "kim",
                                            .text = "the pager rang"}});
    CHECK(hand.count(Phase::undo) == 1);
    const auto halting = std::find_if(turn.events.begin(), turn.events.end(),
                                      [](const Event& e) { return e.type == "run.halting"; });
    REQUIRE(halting != turn.events.end());
    CHECK(std::get<std::string>(halting->data.at("letter")) == "1-x.halt");
    CHECK(halting->personal.at("by") == "kim");
    CHECK(halting->personal.at("reason") == "the pager rang");
    CHECK(halting->message.find("kim") == std::string::npos);
    hand.answer(Phase::undo, undone());
    hand.answer(Phase::disarm, done());
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::halted);
    CHECK(hand.reasons().find("pager") == std::string::npos);
}

TEST_CASE("a note is an event and changes nothing") {
    Hand hand(plan_of({step_of("a", "watched", {"h1"})}));
    hand.hold();
    const Turn& turn = hand.turn({Noted{.letter = "1-x.note", .by = "kim", .text = "flat"}});
    REQUIRE(turn.events.size() == 1);
    CHECK(turn.events.front().type == "run.noted");
    CHECK(turn.events.front().personal.at("text") == "flat");
    CHECK(turn.orders.empty());
    CHECK(hand.events("run.ending") == 0);
}

TEST_CASE("data is looked at after the last undo, for as long as the file says") {
    Plan plan = plan_of({step_of("a", "watched", {"h1"})});
    add_probe(plan, "rows");
    plan.hypotheses.push_back({.probe = "rows",
                               .before = std::nullopt,
                               .during = std::nullopt,
                               .regain = std::nullopt,
                               .integrity = 1s});
    Hand hand(std::move(plan));
    hand.turn();
    std::uint64_t number = 0;
    see(hand, SampleState::ok, number);
    hand.hold();
    hand.keep(40s);
    hand.answer(Phase::undo, undone());
    hand.answer(Phase::disarm, done());
    CHECK_FALSE(hand.finished());
    const Nanos undone_at = hand.now;
    see(hand, SampleState::failed, number, 5);
    CHECK_FALSE(hand.finished());
    see(hand, SampleState::ok, number, 10);
    for (int i = 0; i < 50 && !hand.finished(); ++i) { hand.pass(100ms); }
    REQUIRE(hand.finished());
    CHECK(hand.now >= undone_at + 1s);
    CHECK(hand.outcome().integrity == Integrity::broken);
    CHECK(hand.outcome().verdict == Verdict::failed);
}
