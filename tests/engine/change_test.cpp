// One change on one host, seen through the conductor: intent, apply, bite, renewals, presence,
// expectations, and every way in which it ends early. Next: core/engine/change_run.hpp.
#include "engine/hand.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace drill;
using namespace drill::test;

namespace {

Plan one(const std::string& kind, Nanos hold = 30s) {
    Plan plan = plan_of({step_of("a", kind, {"h1"})});
    plan.steps[0].hold = hold;
    return plan;
}

void finish(Hand& hand, int read_back = 0) {
    hand.answer(Phase::undo, undone(read_back));
    hand.answer(Phase::disarm, done());
    REQUIRE(hand.finished());
}

/// The lease of the fault; the other one is the rehearsal's.
const Lease& lease_of(const Hand& hand) {
    for (const auto& [id, lease] : hand.leases) {
        if (lease.kind != "rehearsal") { return lease; }
    }
    REQUIRE_MESSAGE(false, "no lease of a fault");
    return hand.leases.begin()->second;
}

}  // namespace

TEST_CASE("the intent of a change is in the turn that carries its apply, with its whole undo") {
    Hand hand(one("watched"));
    hand.rehearse();
    REQUIRE(hand.last().orders.size() == 1);
    const Envelope apply = envelope_of(hand.last().orders[0]);
    REQUIRE(apply.phase == Phase::apply);
    REQUIRE(hand.last().leases.size() == 2);  // the rehearsal's end, and the intent
    const Lease& intent = hand.last().leases[1];
    CHECK(intent.state == LeaseState::intended);
    CHECK(intent.id == apply.lease);
    CHECK(intent.change.undo == apply.undo);
    CHECK_FALSE(intent.change.read_back.empty());
    CHECK(intent.boot_id == "boot-1");
    CHECK(intent.run == "run1");
}

TEST_CASE("an apply is bound to its boot, its window and its time") {
    Hand hand(one("watched"));
    hand.rehearse();
    const Envelope apply = envelope_of(*hand.open(Phase::apply));
    CHECK(apply.boot_id == "boot-1");
    CHECK(apply.ttl == 15s);
    // The host answered uptime 5000 s one second before the run began, 20 ms ago.
    CHECK(apply.not_after == 5001s + 20ms + apply_window);
    CHECK(apply.label.find("run 7 by-hand step a by kim until ") == 0);
    CHECK(apply.label.ends_with(" contact kim on 4711"));
}

TEST_CASE("the time of a lease covers the latest apply that its host accepts") {
    Hand hand(one("watched"));
    hand.rehearse();
    const Nanos sent = hand.now;
    CHECK(lease_of(hand).until >= sent + apply_window + 15s);
    hand.answer(Phase::apply, parts({0}));
    CHECK(lease_of(hand).state == LeaseState::armed);
    CHECK(lease_of(hand).until == hand.now + 16s);
}

TEST_CASE("a whole run on one host passes") {
    Hand hand(one("watched"));
    hand.hold();
    CHECK(lease_of(hand).state == LeaseState::held);
    hand.keep(40s);
    finish(hand);
    CHECK(lease_of(hand).state == LeaseState::released);
    CHECK_MESSAGE(hand.outcome().verdict == Verdict::passed, hand.reasons());
}

TEST_CASE("nothing is renewed before a third of the lease, then at every third") {
    Hand hand(one("fused"));
    hand.hold();
    const Nanos applied = hand.now - 10ms;  // the read-back took 10 ms
    hand.now = applied + 5s - 1ms;
    hand.turn();
    CHECK(hand.count(Phase::read_back) == 1);
    hand.pass(1ms);
    CHECK(hand.count(Phase::read_back) == 2);  // looked at first
    CHECK(hand.count(Phase::renew) == 0);
    hand.answer(Phase::read_back, parts({10}));
    REQUIRE(hand.count(Phase::renew) == 1);
    CHECK(envelope_of(*hand.open(Phase::renew)).ttl == 15s);
    CHECK(hand.open(Phase::renew)->urgency == Urgency::change);
    hand.answer(Phase::renew, done());
    const Nanos renewed = hand.now;
    CHECK(lease_of(hand).until == renewed + 16s);
    hand.now = renewed + 5s - 1ms;
    hand.turn();
    CHECK(hand.count(Phase::read_back) == 2);
    hand.pass(1ms);
    CHECK(hand.count(Phase::read_back) == 3);
}

TEST_CASE("a renewal is composed for its own time") {
    Hand hand(one("fused"));
    hand.hold();
    hand.pass(5s);
    hand.answer(Phase::read_back, parts({10}));
    const Envelope renew = envelope_of(*hand.open(Phase::renew));
    REQUIRE(renew.commands.size() == 1);
    CHECK(renew.commands[0].argv[1] == std::to_string(Nanos{15s}.count()));
    CHECK(renew.boot_id == "boot-1");
    CHECK(renew.undo == lease_of(hand).change.undo);
}

TEST_CASE("no renewal reaches past the longest time, and the last period is shorter") {
    for (const char* kind : {"fused", "watched"}) {
        CAPTURE(kind);
        Hand hand(one(kind, 60s));
        hand.rehearse();
        hand.answer(Phase::apply, parts({0}));
        const Nanos end = hand.now + 60s;
        hand.answer(Phase::read_back, parts({10}));
        bool shorter = false;
        Nanos latest{0};
        for (int i = 0; i < 80 && hand.count(Phase::undo) == 0; ++i) {
            hand.pass(1s);
            while (hand.open(Phase::read_back) != nullptr) {
                hand.answer(Phase::read_back, parts({10}));
            }
            if (hand.open(Phase::renew) == nullptr) { continue; }
            const Nanos ttl = envelope_of(*hand.open(Phase::renew)).ttl;
            CHECK(hand.now + ttl <= end);
            CHECK(ttl % 1s == 0s);
            CHECK(ttl >= 2s);
            latest = hand.now + ttl;
            shorter = shorter || ttl < 15s;
            hand.answer(Phase::renew, done());
            CHECK(lease_of(hand).until <= end + 2s);  // what a person is told is what is true
        }
        CHECK(shorter);
        CHECK(latest > end - 6s);
    }
}

TEST_CASE("a hold that the longest time leaves no room for is INVALID, and says so") {
    Hand hand(one("watched", 60s));
    hand.hold();
    hand.keep(70s);
    finish(hand);
    CHECK(hand.outcome().verdict == Verdict::invalid);
    CHECK(hand.reasons().find("limit.longest was over") != std::string::npos);
    CHECK(hand.reasons().find("others") == std::string::npos);
}

TEST_CASE("an apply never asks for more than the longest time") {
    Plan plan = one("watched", 5s);
    plan.longest = 7500ms;
    Hand hand(plan);
    hand.rehearse();
    CHECK(envelope_of(*hand.open(Phase::apply)).ttl == 7s);
}

TEST_CASE("a renewal that finds the lease ended ends the run") {
    Hand hand(one("fused"));
    hand.hold();
    hand.pass(5s);
    hand.answer(Phase::read_back, parts({10}));
    Reply ended = done();
    ended.status = EnvelopeStatus::ended;
    hand.answer(Phase::renew, ended);
    finish(hand);
    CHECK(hand.outcome().verdict == Verdict::invalid);
    CHECK(hand.reasons().find("lease had ended") != std::string::npos);
}

TEST_CASE("a renewal whose answer is lost is asked again before the lease is over") {
    Hand hand(one("fused"));
    hand.hold();
    hand.pass(5s);
    hand.answer(Phase::read_back, parts({10}));
    const Nanos deadline = hand.open(Phase::renew)->deadline;
    CHECK(deadline <= hand.now + 11s);  // while there is time for another
    hand.answer(Phase::renew, fail(Code::timed_out, "no answer", Effect::unknown));
    hand.pass(2s);
    hand.answer(Phase::read_back, parts({10}));
    CHECK(hand.count(Phase::renew) == 2);
}

TEST_CASE("a lease that nothing renews for its whole time is taken for lost") {
    Hand hand(one("fused"));
    hand.hold();
    hand.pass(5s);
    REQUIRE(hand.open(Phase::read_back) != nullptr);  // and it stays unanswered
    hand.pass(9s);
    CHECK(hand.count(Phase::undo) == 0);
    hand.pass(2s);
    REQUIRE(hand.count(Phase::undo) == 1);
    finish(hand);
    CHECK(hand.outcome().verdict == Verdict::invalid);
    CHECK(hand.reasons().find("no renewal was answered") != std::string::npos);
}

TEST_CASE("a fault that somebody else removed while it was held ends the run") {
    for (const int status : {12, 0}) {
        CAPTURE(status);
        Hand hand(one("watched"));
        hand.hold();
        hand.pass(5s);
        hand.answer(Phase::read_back, parts({status}, "table is gone"));
        CHECK(hand.count(Phase::renew) == 0);
        REQUIRE(hand.open(Phase::undo) != nullptr);
        finish(hand);
        CHECK(hand.outcome().verdict == Verdict::invalid);
        CHECK(hand.reasons().find("ended by others at") != std::string::npos);
        CHECK(hand.reasons().find("table is gone") != std::string::npos);
    }
}

TEST_CASE("a fault that was removed in its last moments does not pass for one that held") {
    Hand hand(one("watched", 3s));
    hand.hold();
    hand.pass(3s);
    REQUIRE(hand.open(Phase::read_back) != nullptr);  // asked once more before the undo
    CHECK(hand.count(Phase::undo) == 0);
    hand.answer(Phase::read_back, parts({12}));
    finish(hand);
    CHECK(hand.outcome().verdict == Verdict::invalid);
}

TEST_CASE("a last look that took too long proves nothing and is repeated") {
    Hand hand(one("watched", 3s));
    hand.hold();
    hand.pass(3s);
    const Order look = *hand.open(Phase::read_back);
    hand.answered.push_back(look.id);
    const Nanos sent = hand.now;
    hand.now += 3s;
    hand.turn({answer_to(look, parts({10}), sent, hand.now)});
    CHECK(hand.count(Phase::undo) == 0);
    hand.answer(Phase::read_back, parts({10}));
    CHECK(hand.count(Phase::undo) == 1);
}

TEST_CASE("an answer from another boot ends the run as a reboot") {
    Hand hand(one("watched"));
    hand.hold();
    hand.pass(5s);
    Reply other = parts({10});
    other.boot_id = "boot-2";
    hand.answer(Phase::read_back, other);
    REQUIRE(hand.open(Phase::undo) != nullptr);
    finish(hand);
    CHECK(hand.outcome().verdict == Verdict::invalid);
    CHECK(hand.reasons().find("rebooted") != std::string::npos);
}

TEST_CASE("an answer from another boot before the bite is no bite") {
    Hand hand(one("watched"));
    hand.rehearse();
    hand.answer(Phase::apply, parts({0}));
    Reply other = parts({10});
    other.boot_id = "boot-2";
    hand.answer(Phase::read_back, other);
    CHECK(hand.events("fault.bit") == 0);
    CHECK(hand.open(Phase::undo) != nullptr);
}

TEST_CASE("an unclear look is repeated and renews nothing") {
    Hand hand(one("watched"));
    hand.hold();
    hand.pass(5s);
    hand.answer(Phase::read_back, parts({1}));
    CHECK(hand.count(Phase::renew) == 0);
    CHECK(hand.count(Phase::undo) == 0);
    hand.pass(2s);
    hand.answer(Phase::read_back, parts({10}));
    CHECK(hand.count(Phase::renew) == 1);
}

TEST_CASE("an apply that was never sent is not undone") {
    Hand hand(one("watched"));
    hand.rehearse();
    hand.answer(Phase::apply, fail(Code::unreachable, "no route to host", Effect::none));
    REQUIRE(hand.finished());
    CHECK(hand.count(Phase::undo) == 0);
    CHECK(hand.outcome().verdict == Verdict::refused);
    CHECK(lease_of(hand).state == LeaseState::released);
}

TEST_CASE("an apply whose effect is not known is undone") {
    for (const Effect effect : {Effect::unknown, Effect::done}) {
        Hand hand(one("watched"));
        hand.rehearse();
        hand.answer(Phase::apply, fail(Code::timed_out, "no answer", effect));
        CHECK(lease_of(hand).state == LeaseState::releasing);
        finish(hand);
        CHECK(hand.outcome().verdict == Verdict::invalid);
        CHECK(hand.reasons().find("no answer") != std::string::npos);
    }
}

TEST_CASE("an apply that its host did not finish is undone, whatever it answered") {
    for (int status = 31; status <= 43; ++status) {
        CAPTURE(status);
        Hand hand(one("watched"));
        hand.rehearse();
        Reply reply = parts({1});
        reply.status = status;
        hand.answer(Phase::apply, reply);
        CHECK(hand.events("fault.applied") == 0);
        finish(hand);
        CHECK(hand.outcome().verdict == Verdict::invalid);
    }
}

TEST_CASE("a stop while a fault is applied waits for the answer, then undoes") {
    Hand hand(one("watched"));
    hand.rehearse();
    hand.turn({StopAsked{.reason = "SIGINT"}});
    CHECK(hand.count(Phase::undo) == 0);
    CHECK_FALSE(hand.finished());
    hand.answer(Phase::apply, parts({0}));
    CHECK(hand.count(Phase::read_back) == 0);
    CHECK(hand.count(Phase::undo) == 1);
    finish(hand);
    CHECK(hand.outcome().verdict == Verdict::halted);
}

TEST_CASE("a stop while a host is asked applies nothing") {
    Hand hand(one("asks"));
    hand.rehearse();
    hand.turn({StopAsked{.reason = "SIGINT"}});
    hand.answer(Phase::ask, parts({0}));
    REQUIRE(hand.finished());
    CHECK(hand.count(Phase::apply) == 0);
    CHECK(hand.outcome().verdict == Verdict::halted);
}

TEST_CASE("a stop while the bite is sought undoes at once") {
    Hand hand(one("watched"));
    hand.rehearse();
    hand.answer(Phase::apply, parts({0}));
    hand.turn({StopAsked{.reason = "SIGINT"}});
    CHECK(hand.count(Phase::undo) == 1);
    // What the question finds now is no bite any more.
    hand.answer(Phase::read_back, parts({10}));
    CHECK(hand.events("fault.bit") == 0);
    finish(hand);
    CHECK(hand.outcome().verdict == Verdict::halted);
}

TEST_CASE("a kind that refuses is REFUSED, nothing sent") {
    Hand hand(one("refuses"));
    hand.rehearse();
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::refused);
    CHECK(hand.count(Phase::apply) == 0);
    CHECK(hand.reasons().find("not on this host") != std::string::npos);
}

TEST_CASE("a fault that never bites is INVALID and undone") {
    for (const int status : {11, 0, 1}) {
        CAPTURE(status);
        Hand hand(one("watched"));
        hand.rehearse();
        hand.answer(Phase::apply, parts({0}));
        for (int i = 0; i < 100 && hand.count(Phase::undo) == 0; ++i) {
            if (hand.open(Phase::read_back) != nullptr) {
                hand.answer(Phase::read_back, parts({status}));
            } else {
                hand.pass(200ms);
            }
        }
        finish(hand);
        CHECK(hand.outcome().verdict == Verdict::invalid);
        CHECK(hand.reasons().find("no bite") != std::string::npos);
        CHECK(hand.now - 1000s < 10s);
    }
}

namespace {

/// A step of 20 s that cuts its own way, with the answer of its apply lost.
Plan cutting() {
    Plan plan = one("watched", 20s);
    plan.steps[0].cuts_control = true;
    return plan;
}
void lose_the_way(Hand& hand) {
    hand.rehearse();
    hand.answer(Phase::apply, fail(Code::timed_out, "no answer", Effect::unknown));
    for (int i = 0; i < 19; ++i) { hand.pass(1s); }
}
/// What a host says that was away: its read-back, and what it wrote down.
Reply testimony(int presence, const std::string& text) {
    Reply reply = parts({presence, 0});
    reply.parts.back().out = text;
    reply.uptime = 521s;
    return reply;
}

}  // namespace

TEST_CASE("a step that cuts its own path is neither renewed nor looked at while it holds") {
    Hand hand(cutting());
    hand.rehearse();
    CHECK(envelope_of(*hand.open(Phase::apply)).ttl == 20s);
    CHECK(envelope_of(*hand.open(Phase::apply)).commands.size() == 2);  // the host looks for itself
    hand.answer(Phase::apply, parts({0, 0}));
    const std::size_t before = hand.orders.size();
    for (int i = 0; i < 20; ++i) { hand.pass(1s); }
    CHECK(hand.orders.size() == before);
    hand.pass(1s);
    REQUIRE(hand.open(Phase::read_back) != nullptr);
    CHECK(hand.open(Phase::read_back)->fresh);
    CHECK(hand.count(Phase::renew) == 0);
}

TEST_CASE("cut off, healed on time and told by the host: PASSED, with the time that it was on") {
    Hand hand(cutting());
    lose_the_way(hand);
    hand.pass(2s);
    hand.answer(Phase::read_back, fail(Code::unreachable, "no route", Effect::none));
    hand.pass(1s);
    hand.answer(Phase::read_back, testimony(0, "bit=50010\ndue=52000\nfired=52001\n"));
    REQUIRE(hand.open(Phase::undo) != nullptr);
    finish(hand);
    CHECK_MESSAGE(hand.outcome().verdict == Verdict::passed, hand.reasons());
    CHECK(hand.outcome().changes[0].bit);
    CHECK(hand.outcome().changes[0].remark.find("on for 19.9") != std::string::npos);
    CHECK(hand.events("fault.bit") == 1);
}

TEST_CASE("cut off without a bite that the host wrote down: INVALID") {
    Hand hand(cutting());
    lose_the_way(hand);
    hand.pass(2s);
    hand.answer(Phase::read_back, testimony(0, ""));
    finish(hand);
    CHECK(hand.outcome().verdict == Verdict::invalid);
    CHECK(hand.reasons().find("no bite") != std::string::npos);
}

TEST_CASE("cut off and ended before its time, or by nobody that is known: INVALID") {
    for (const char* text : {"bit=50010\ndue=52000\nfired=51000\n", "bit=50010\n",
                             "bit=50010\ndue=52000\nfired=52001\nfailed=1\n"}) {
        CAPTURE(text);
        Hand hand(cutting());
        lose_the_way(hand);
        hand.pass(2s);
        hand.answer(Phase::read_back, testimony(0, text));
        finish(hand);
        CHECK(hand.outcome().verdict == Verdict::invalid);
        CHECK(hand.reasons().find("ended by others") != std::string::npos);
    }
}

TEST_CASE("cut off and still on when it is heard again: asked on until its lease is over") {
    Hand hand(cutting());
    lose_the_way(hand);
    hand.pass(2s);
    hand.answer(Phase::read_back, testimony(10, "bit=50010\n"));
    CHECK(hand.count(Phase::undo) == 0);
    hand.pass(1s);
    CHECK(hand.open(Phase::read_back) != nullptr);
}

TEST_CASE("cut off and never heard again: the lease stays open, DIRTY") {
    Hand hand(cutting());
    lose_the_way(hand);
    for (int i = 0; i < 200 && !hand.finished(); ++i) {
        for (const Phase phase : {Phase::read_back, Phase::undo}) {
            if (hand.open(phase) != nullptr) {
                hand.answer(phase, fail(Code::unreachable, "no route", Effect::none));
            }
        }
        if (!hand.finished()) { hand.pass(1s); }
    }
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::dirty);
}

TEST_CASE("what is over at once is not renewed, and its undo runs no command") {
    Hand hand(one("once", 0s));
    hand.hold();
    hand.pass(100ms);
    REQUIRE(hand.open(Phase::undo) != nullptr);
    CHECK(envelope_of(*hand.open(Phase::undo)).undo.empty());
    hand.answer(Phase::undo, done());
    hand.answer(Phase::disarm, done());
    REQUIRE(hand.finished());
    CHECK_MESSAGE(hand.outcome().verdict == Verdict::passed, hand.reasons());
}

TEST_CASE("an expectation that is met in time is told with its time") {
    Hand hand(one("checks", 0s));
    hand.hold();
    hand.answer(Phase::ask, parts({1}));
    CHECK(hand.count(Phase::undo) == 0);
    hand.pass(200ms);
    hand.answer(Phase::ask, parts({0}));
    CHECK(hand.events("check.met") == 1);
    hand.pass(100ms);
    hand.answer(Phase::undo, done());
    hand.answer(Phase::disarm, done());
    CHECK_MESSAGE(hand.outcome().verdict == Verdict::passed, hand.reasons());
}

TEST_CASE("an expectation that was missed is FAILED, never DIRTY") {
    Hand hand(one("checks", 0s));
    hand.hold();
    for (int i = 0; i < 50 && hand.count(Phase::undo) == 0; ++i) {
        if (hand.open(Phase::ask) != nullptr) {
            hand.answer(Phase::ask, parts({1}));
        } else {
            hand.pass(200ms);
        }
    }
    CHECK(hand.events("check.missed") == 1);
    hand.answer(Phase::undo, done());
    hand.answer(Phase::disarm, done());
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::failed);
}

TEST_CASE("an expectation that could not be asked is INVALID") {
    Hand hand(one("checks", 0s));
    hand.hold();
    for (int i = 0; i < 200 && hand.count(Phase::undo) == 0; ++i) {
        if (hand.open(Phase::ask) != nullptr) {
            hand.answer(Phase::ask, fail(Code::unreachable, "no route", Effect::none));
        } else {
            hand.pass(500ms);
        }
    }
    hand.answer(Phase::undo, done());
    hand.answer(Phase::disarm, done());
    REQUIRE(hand.finished());
    CHECK(hand.outcome().verdict == Verdict::invalid);
}

TEST_CASE("an undo under way is not overtaken: its lost answer is asked again until it is proven") {
    Hand hand(one("watched"));
    hand.hold();
    hand.turn({StopAsked{.reason = "SIGTERM"}});
    const Nanos first = hand.now;
    hand.answer(Phase::undo, fail(Code::timed_out, "no answer", Effect::unknown));
    CHECK_FALSE(hand.finished());
    hand.pass(300ms);
    CHECK(hand.count(Phase::undo) == 2);
    finish(hand);
    CHECK(hand.outcome().verdict == Verdict::halted);
    // The change may have ended by the first one.
    CHECK(hand.outcome().changes[0].undo_sent == first);
    CHECK(hand.events("undo.sent") == 1);
}
