// The undo of a dead run: it needs nothing but leases, proves each end, and knows when to give up.
// Next: core/engine/undoing.hpp, release.hpp.
#include "engine/undoing.hpp"
#include "engine/attest.hpp"
#include "engine/hand.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using namespace drill;
using namespace drill::test;

namespace {

Lease lease_of(const std::string& id, LeaseState state) {
    Lease lease{};
    lease.id = id;
    lease.run = "run1";
    lease.step = "a";
    lease.kind = "kind-of-a-later-version";
    lease.connection.host = "h-" + id;
    lease.change.apply = {{.argv = {"apply"}, .input = ""}};
    lease.change.undo = {{.argv = {"undo", id}, .input = ""}};
    lease.change.read_back = {{.argv = {"look", id}, .input = ""}};
    lease.state = state;
    lease.boot_id = "boot-1";
    lease.not_after = 5000s;
    lease.controller_boot = "before";
    return lease;
}

class Undo {
public:
    explicit Undo(std::vector<Lease> leases, Nanos budget = 30s, const std::string& boot = "here")
        : undoing(std::move(leases), boot, budget, 5) {}

    const Turn& turn(std::vector<News> news = {}) {
        REQUIRE_FALSE(finished());
        Turn made = undoing.turn({.boot = now, .wall = Wall{}}, std::move(news));
        orders.insert(orders.end(), made.orders.begin(), made.orders.end());
        for (const Event& event : made.events) { told.push_back(event.message); }
        last = std::move(made);
        return last;
    }
    const Turn& pass(Nanos span) {
        now += span;
        return turn();
    }
    /// Answers the last order.
    const Turn& answer(Result<Reply> reply) {
        REQUIRE_FALSE(orders.empty());
        const Nanos sent = now;
        now += 10ms;
        std::vector<News> news;
        news.emplace_back(answer_to(orders.back(), std::move(reply), sent, now));
        return turn(std::move(news));
    }
    [[nodiscard]] bool finished() const { return last.finished; }
    [[nodiscard]] const Envelope& sent() const { return envelope_of(orders.back()); }
    [[nodiscard]] const Lease& lease() const { return undoing.releases().front().lease(); }
    /// The same answer for ever, until it finishes. False: it did not within 20 minutes.
    bool insist(const Result<Reply>& reply) {
        std::size_t answered = orders.size() - 1;
        const Nanos end = now + 20min;
        while (!finished() && now < end) {
            if (orders.size() > answered) {
                answered = orders.size();
                answer(reply);
            } else {
                pass(250ms);
            }
        }
        return finished();
    }

    Nanos now{1000s};
    std::vector<Order> orders;
    std::vector<std::string> told;
    Turn last;
    Undoing undoing;
};

Reply status(int number, std::vector<int> commands, std::size_t from) {
    Reply reply = parts(std::move(commands));
    reply.status = number;
    reply.read_back_from = from;
    return reply;
}

}  // namespace

TEST_CASE("a lease of a kind that this version does not know is undone and proven") {
    for (const LeaseState state : {LeaseState::intended, LeaseState::armed, LeaseState::held,
                                   LeaseState::releasing, LeaseState::stuck}) {
        CAPTURE(name_of(state));
        Undo undo({lease_of("abcdef012345", state)});
        undo.turn();
        REQUIRE(undo.orders.size() == 1);
        CHECK(undo.orders[0].urgency == Urgency::undo);
        CHECK(undo.orders[0].to.host == "h-abcdef012345");
        CHECK(undo.sent().phase == Phase::undo);
        CHECK(undo.sent().undo[0].argv == std::vector<std::string>{"undo", "abcdef012345"});
        CHECK(undo.sent().read_back.size() == 1);
        CHECK(undo.sent().not_after == 5000s);
        undo.answer(undone());
        CHECK(undo.sent().phase == Phase::disarm);
        CHECK_FALSE(undo.undoing.clean());
        undo.answer(done());
        CHECK(undo.finished());
        CHECK(undo.undoing.clean());
        CHECK(undo.lease().state == LeaseState::released);
        CHECK(undo.lease().note.empty());
    }
}

TEST_CASE("the end of a lease is committed as releasing before its undo is sent") {
    Undo undo({lease_of("abcdef012345", LeaseState::held)});
    undo.turn();
    REQUIRE(undo.last.leases.size() == 1);
    CHECK(undo.last.leases[0].state == LeaseState::releasing);
    CHECK(undo.last.orders.size() == 1);
}

TEST_CASE("no lease, nothing to do: finished and clean") {
    Undo undo({});
    undo.turn();
    CHECK(undo.finished());
    CHECK(undo.undoing.clean());
}

TEST_CASE("several leases are undone side by side, one that sticks holds up no other") {
    Undo undo(
        {lease_of("aaaaaaaaaaaa", LeaseState::held), lease_of("bbbbbbbbbbbb", LeaseState::held)});
    undo.turn();
    REQUIRE(undo.orders.size() == 2);
    undo.answer(undone());  // of the second
    undo.answer(done());
    CHECK_FALSE(undo.finished());
    CHECK(undo.undoing.releases()[1].lease().state == LeaseState::released);
    CHECK(undo.undoing.releases()[0].lease().state == LeaseState::releasing);
}

TEST_CASE("a durable lease is looked for in its durable directory") {
    Lease lease = lease_of("abcdef012345", LeaseState::held);
    lease.change.ending = Ending::durable;
    Undo undo({lease});
    undo.turn();
    CHECK(undo.sent().durable);
    undo.answer(undone());
    CHECK(undo.sent().durable);
}

TEST_CASE("what is over at once gets a tombstone and runs no command") {
    Lease lease = lease_of("abcdef012345", LeaseState::intended);
    lease.change.ending = Ending::instant;
    Undo undo({lease});
    undo.turn();
    CHECK(undo.sent().undo.empty());
    CHECK(undo.sent().read_back.empty());
    undo.answer(done());
    undo.answer(done());
    CHECK(undo.undoing.clean());
}

TEST_CASE("a host that is unreachable and comes back is undone then") {
    Undo undo({lease_of("abcdef012345", LeaseState::held)}, 60s);
    undo.turn();
    for (int i = 0; i < 5; ++i) {
        undo.answer(fail(Code::unreachable, "no route to host", Effect::none));
        while (undo.last.orders.empty()) { undo.pass(500ms); }
    }
    CHECK(undo.lease().state == LeaseState::releasing);
    undo.answer(undone());
    undo.answer(done());
    CHECK(undo.undoing.clean());
}

TEST_CASE("retries pause longer and longer, but never past a few seconds") {
    Undo undo({lease_of("abcdef012345", LeaseState::held)}, 60s);
    undo.turn();
    Nanos pause{0};
    for (int i = 0; i < 8; ++i) {
        undo.answer(fail(Code::unreachable, "no route to host", Effect::none));
        REQUIRE(undo.last.wake_at.has_value());
        const Nanos next = *undo.last.wake_at - undo.now;
        CHECK(next >= pause);
        CHECK(next <= 3s);
        pause = next;
        undo.pass(next);
        REQUIRE(undo.last.orders.size() == 1);
    }
    CHECK(pause == 3s);
}

TEST_CASE("within its budget an undo is not given up, after it the lease is stuck with a reason") {
    Undo undo({lease_of("abcdef012345", LeaseState::held)}, 30s);
    undo.turn();
    REQUIRE(undo.insist(fail(Code::unreachable, "no route to host", Effect::none)));
    CHECK(undo.now >= 1000s + 26s);
    CHECK(undo.now <= 1000s + 31s);
    CHECK_FALSE(undo.undoing.clean());
    CHECK(undo.lease().state == LeaseState::stuck);
    CHECK(undo.lease().note.find("undo is not proven: ") == 0);
    CHECK(undo.lease().note.find("no route to host") != std::string::npos);
    REQUIRE_FALSE(undo.last.leases.empty());
    CHECK(undo.last.leases.back().state == LeaseState::stuck);
}

TEST_CASE("a lease of this boot is tried until its own end, within five minutes") {
    Lease lease = lease_of("abcdef012345", LeaseState::held);
    lease.controller_boot = "here";
    lease.until = 1000s + 90s;
    Undo soon({lease}, 10s);
    soon.turn();
    REQUIRE(soon.insist(fail(Code::unreachable, "down", Effect::none)));
    CHECK(soon.now >= 1000s + 90s);
    CHECK(soon.now <= 1000s + 96s);
    lease.until = 1000s + 3600s;
    Undo late({lease}, 10s);
    late.turn();
    REQUIRE(late.insist(fail(Code::unreachable, "down", Effect::none)));
    CHECK(late.now <= 1000s + 301s);
}

TEST_CASE("a lease of another boot of this machine has no end that could be waited for") {
    Lease lease = lease_of("abcdef012345", LeaseState::held);
    lease.until = 1000s + 200s;
    Undo undo({lease}, 10s);
    undo.turn();
    REQUIRE(undo.insist(fail(Code::unreachable, "down", Effect::none)));
    CHECK(undo.now <= 1000s + 11s);
}

TEST_CASE("only absent or altered by others ends an undo, nothing else is proof") {
    struct Row {
        int found;
        bool proven;
    };
    for (const Row& row : {Row{0, true}, Row{12, true}, Row{10, false}, Row{11, false},
                           Row{1, false}, Row{99, false}, Row{127, false}, Row{255, false}}) {
        CAPTURE(row.found);
        Undo undo({lease_of("abcdef012345", LeaseState::held)});
        undo.turn();
        undo.answer(undone(row.found));
        CHECK((undo.sent().phase == Phase::disarm) == row.proven);
        if (!row.proven) {
            undo.pass(300ms);
            CHECK(undo.orders.size() == 2);  // asked again
        }
    }
}

TEST_CASE("an undo whose read-back did not run proves nothing") {
    Undo undo({lease_of("abcdef012345", LeaseState::held)});
    undo.turn();
    SUBCASE("no command ran") { undo.answer(status(0, {}, 0)); }
    SUBCASE("the undo command ran") { undo.answer(status(0, {0}, 1)); }
    CHECK(undo.lease().state == LeaseState::releasing);
    CHECK(undo.sent().phase == Phase::undo);
}

TEST_CASE("one read-back of several that is not absent is enough to go on") {
    for (const std::vector<int>& found :
         {std::vector<int>{0, 0, 10}, std::vector<int>{0, 10, 0}, std::vector<int>{0, 0, 1}}) {
        Undo undo({lease_of("abcdef012345", LeaseState::held)});
        undo.turn();
        undo.answer(status(0, found, 1));
        CHECK(undo.sent().phase == Phase::undo);
    }
}

TEST_CASE("an undo that the host refused is no undo, whatever its parts say") {
    for (int number = 31; number <= 43; ++number) {
        if (number == EnvelopeStatus::undo_failed) { continue; }
        CAPTURE(number);
        Undo undo({lease_of("abcdef012345", LeaseState::held)});
        undo.turn();
        undo.answer(status(number, {0, 0}, 1));
        CHECK(undo.sent().phase == Phase::undo);
    }
}

TEST_CASE("a failed undo command is judged by the read-back") {
    Undo gone({lease_of("abcdef012345", LeaseState::held)});
    gone.turn();
    gone.answer(status(EnvelopeStatus::undo_failed, {1, 0}, 1));
    CHECK(gone.sent().phase == Phase::disarm);
    Undo there({lease_of("abcdef012345", LeaseState::held)});
    there.turn();
    there.answer(status(EnvelopeStatus::undo_failed, {1, 10}, 1));
    CHECK(there.sent().phase == Phase::undo);
}

TEST_CASE("without a mark on the host an apply that may be on its way is waited for") {
    // 42 though every command worked: no room for the tombstone.
    for (const LeaseState state :
         {LeaseState::intended, LeaseState::releasing, LeaseState::stuck}) {
        CAPTURE(name_of(state));
        Undo undo({lease_of("abcdef012345", state)}, 60s);
        undo.turn();
        undo.answer(status(EnvelopeStatus::undo_failed, {0, 0}, 1));
        CHECK(undo.sent().phase == Phase::undo);
        while (undo.sent().phase == Phase::undo && undo.now < 1060s) {
            if (undo.last.orders.empty()) {
                undo.pass(250ms);
            } else {
                undo.answer(status(EnvelopeStatus::undo_failed, {0, 0}, 1));
            }
        }
        CHECK(undo.sent().phase == Phase::disarm);
        CHECK(undo.now >= 1000s + 15s);  // by then the host refuses the apply
    }
}

TEST_CASE("a change that was known to be applied needs no such wait") {
    for (const LeaseState state : {LeaseState::armed, LeaseState::held}) {
        Undo undo({lease_of("abcdef012345", state)});
        undo.turn();
        undo.answer(status(EnvelopeStatus::undo_failed, {0, 0}, 1));
        CHECK(undo.sent().phase == Phase::disarm);
    }
}

TEST_CASE("a reboot in between is told, and the read-back still has to prove it") {
    Undo undo({lease_of("abcdef012345", LeaseState::held)});
    undo.turn();
    Reply other = undone(10);
    other.boot_id = "boot-2";
    undo.answer(other);
    CHECK(undo.undoing.releases()[0].rebooted());
    CHECK(undo.sent().phase == Phase::undo);
    undo.pass(300ms);
    other = undone(0);
    other.boot_id = "boot-2";
    undo.answer(other);
    CHECK(undo.sent().phase == Phase::disarm);
    CHECK(std::any_of(undo.told.begin(), undo.told.end(), [](const std::string& message) {
        return message.find("rebooted meanwhile") != std::string::npos;
    }));
}

TEST_CASE("a failed disarm is tried again, and the lease is open until it worked") {
    Undo undo({lease_of("abcdef012345", LeaseState::held)});
    undo.turn();
    undo.answer(undone());
    undo.answer(status(EnvelopeStatus::disarm_failed, {}, 0));
    CHECK(undo.lease().state == LeaseState::releasing);
    CHECK_FALSE(undo.finished());
    undo.pass(300ms);
    CHECK(undo.sent().phase == Phase::disarm);
    undo.answer(done());
    CHECK(undo.undoing.clean());
}

TEST_CASE("a disarm that never works leaves the lease stuck, and says that the fault is over") {
    Undo undo({lease_of("abcdef012345", LeaseState::held)});
    undo.turn();
    undo.answer(undone());
    REQUIRE(undo.insist(status(EnvelopeStatus::disarm_failed, {}, 0)));
    CHECK(undo.lease().state == LeaseState::stuck);
    CHECK(undo.lease().note.find("undone, but not tidied: ") == 0);
}

TEST_CASE("a person who interrupts gets the leases that are left, as stuck") {
    Undo undo({lease_of("abcdef012345", LeaseState::held)}, 60s);
    undo.turn();
    undo.turn({StopAsked{.reason = "SIGINT"}});
    CHECK_FALSE(undo.finished());  // the undo under way is waited for
    undo.answer(fail(Code::unreachable, "down", Effect::none));
    CHECK(undo.finished());
    CHECK(undo.lease().state == LeaseState::stuck);
}

TEST_CASE("an interrupted undo that is proven by the answer under way is clean") {
    Undo undo({lease_of("abcdef012345", LeaseState::held)}, 60s);
    undo.turn();
    undo.turn({StopAsked{.reason = "SIGINT"}});
    undo.answer(undone());
    undo.answer(done());
    CHECK(undo.finished());
    CHECK(undo.undoing.clean());
}

TEST_CASE("what a host says of itself is escaped in the reason") {
    Undo undo({lease_of("abcdef012345", LeaseState::held)});
    undo.turn();
    Reply reply = parts({0, 10}, "\x1b[2Jfine\nall well");
    reply.read_back_from = 1;
    REQUIRE(undo.insist(reply));
    CHECK(undo.lease().note.find('\x1b') == std::string::npos);
    CHECK(undo.lease().note.find('\n') == std::string::npos);
    CHECK(undo.lease().note.find("fine") != std::string::npos);
}

TEST_CASE("a lease that a person closes says so, and by whom only where it can be erased") {
    Lease lease{};
    lease.id = "l1";
    lease.step = "cut";
    lease.connection.host = "h1";
    lease.state = LeaseState::stuck;
    lease.note = "undo is not proven: no answer";
    const Attested out = attest(lease, {.by = "kim", .reason = "wiped", .at = {}});
    CHECK(out.lease.state == LeaseState::closed);
    CHECK(out.lease.note == "closed by a person, was stuck: undo is not proven: no answer");
    CHECK(out.event.type == "lease.closed");
    CHECK(out.event.lease == "l1");
    CHECK(std::get<std::string>(out.event.data.at("was")) == "stuck");
    CHECK(out.event.personal.at("by") == "kim");
    CHECK(out.event.message.find("kim") == std::string::npos);
    CHECK(out.lease.note.find("kim") == std::string::npos);
}
