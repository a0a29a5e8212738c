// The runner's one rule: durable first, then sent; and what still goes on when the ledger fails.
// Clock, mailbox, transport and ledger write into one log, so that their order can be seen.
// Next: core/engine/runner.hpp.
#include "engine/runner.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

using namespace drill;
using namespace std::chrono_literals;

namespace {

using Log = std::vector<std::string>;

class HandClock : public Clock {
public:
    Instant now() override { return {.boot = at, .wall = Wall{}}; }
    Nanos at{100s};
};

class HandMailbox : public Mailbox {
public:
    explicit HandMailbox(HandClock& clock) : clock_(clock) {}
    void post(News news) override { waiting.push_back(std::move(news)); }
    std::vector<News> take(std::optional<Nanos> until) override {
        ++takes;
        if (waiting.empty()) {
            // Nothing will come any more: the case would hang.
            REQUIRE(until.has_value());
            clock_.at = std::max(clock_.at, *until);
            return {};
        }
        std::vector<News> news{std::make_move_iterator(waiting.begin()),
                               std::make_move_iterator(waiting.end())};
        waiting.clear();
        return news;
    }
    std::vector<News> waiting;
    std::size_t takes{0};

private:
    HandClock& clock_;
};

class HandTransport : public Transport {
public:
    explicit HandTransport(Log& log) : log_(log) {}
    void submit(Order order) override { log_.push_back("send " + std::to_string(order.id)); }

private:
    Log& log_;
};

class HandLedger : public Ledger {
public:
    explicit HandLedger(Log& log) : log_(log) {}
    Status commit(std::span<const Event> events, std::span<const Lease> leases) override {
        ++tries;
        if (failing > 0) {
            --failing;
            log_.emplace_back("commit fails");
            return fail(Code::no_space, "the disk is full");
        }
        std::string text = "commit";
        for (const Event& event : events) {
            text += " " + event.type;
            written.push_back(event.type);
        }
        for (const Lease& lease : leases) {
            text += " " + lease.id + "=" + name_of(lease.state);
            kept.push_back(lease);
        }
        log_.push_back(text);
        return ok();
    }
    int failing{0};
    int tries{0};
    std::vector<std::string> written;
    std::vector<Lease> kept;

private:
    Log& log_;
};

class HandSampler : public Sampler {
public:
    explicit HandSampler(Log& log) : log_(log) {}
    void start(Mailbox&) override { log_.emplace_back("probes start"); }
    void stop() override { log_.emplace_back("probes stop"); }

private:
    Log& log_;
};

struct Desk {
    Log log;
    HandClock clock;
    HandMailbox mailbox{clock};
    HandTransport transport{log};
    HandLedger ledger{log};
    HandSampler sampler{log};
    std::deque<Turn> script;  ///< one turn each; past the end: finished
    std::vector<std::vector<News>> told;

    RunnerReport play() {
        const auto direct = [this](const Instant&, std::vector<News> news) {
            told.push_back(std::move(news));
            REQUIRE(told.size() < 10'000);
            if (script.empty()) {
                Turn last{};
                last.finished = true;
                return last;
            }
            Turn turn = std::move(script.front());
            script.pop_front();
            if (!turn.wake_at && !turn.finished) { turn.wake_at = clock.at + 1s; }
            return turn;
        };
        return run(direct,
                   {.clock = clock,
                    .mailbox = mailbox,
                    .transport = transport,
                    .ledger = ledger,
                    .sampler = &sampler,
                    .show = [this](const Event& event) { log.push_back("show " + event.type); }});
    }
    [[nodiscard]] std::size_t place(const std::string& entry) const {
        const auto found = std::find(log.begin(), log.end(), entry);
        return static_cast<std::size_t>(found - log.begin());
    }
    [[nodiscard]] bool has(const std::string& entry) const { return place(entry) < log.size(); }
    [[nodiscard]] std::vector<Withheld> withheld() const {
        std::vector<Withheld> all;
        for (const std::vector<News>& news : told) {
            for (const News& one : news) {
                if (const auto* found = std::get_if<Withheld>(&one)) { all.push_back(*found); }
            }
        }
        return all;
    }
};

Event event_of(std::string type) {
    Event event{};
    event.type = std::move(type);
    return event;
}

Lease lease_of(std::string id, LeaseState state) {
    Lease lease{};
    lease.id = std::move(id);
    lease.state = state;
    return lease;
}

Order order_of(std::uint64_t id, Urgency urgency) {
    Order order{};
    order.id = id;
    order.urgency = urgency;
    return order;
}

Turn turn_of(std::vector<Event> events, std::vector<Lease> leases, std::vector<Order> orders) {
    Turn turn{};
    turn.events = std::move(events);
    turn.leases = std::move(leases);
    turn.orders = std::move(orders);
    return turn;
}

}  // namespace

TEST_CASE("an order leaves only after the commit of its turn has returned") {
    Desk desk;
    desk.script.push_back(turn_of({event_of("lease.intended")},
                                  {lease_of("a", LeaseState::intended)},
                                  {order_of(1, Urgency::change), order_of(2, Urgency::undo)}));
    const RunnerReport report = desk.play();
    CHECK(report.complete);
    const std::size_t commit = desk.place("commit lease.intended a=intended");
    REQUIRE(commit < desk.log.size());
    CHECK(commit < desk.place("send 1"));
    CHECK(commit < desk.place("send 2"));
    CHECK(desk.has("send 2"));
}

TEST_CASE("a turn without facts is not committed, and its orders leave") {
    Desk desk;
    desk.script.push_back(turn_of({}, {}, {order_of(1, Urgency::question)}));
    const RunnerReport report = desk.play();
    CHECK(desk.ledger.tries == 0);
    CHECK(desk.has("send 1"));
    CHECK(report.complete);
    CHECK(report.ledger_problem.empty());
}

TEST_CASE("when a commit fails changes stay here, undos and questions go out") {
    Desk desk;
    desk.ledger.failing = 1;
    desk.script.push_back(turn_of({event_of("x")}, {},
                                  {order_of(1, Urgency::change), order_of(2, Urgency::undo),
                                   order_of(3, Urgency::question)}));
    (void)desk.play();
    CHECK_FALSE(desk.has("send 1"));
    CHECK(desk.has("send 2"));
    CHECK(desk.has("send 3"));
    REQUIRE(desk.withheld().size() == 1);
    CHECK(desk.withheld()[0].orders == std::vector<std::uint64_t>{1});
    CHECK(desk.withheld()[0].error.code == Code::no_space);
}

TEST_CASE("what could not be committed is committed later, in its order and once") {
    Desk desk;
    desk.ledger.failing = 1;
    desk.script.push_back(turn_of({event_of("first")}, {lease_of("a", LeaseState::releasing)}, {}));
    desk.script.push_back(turn_of({event_of("second")}, {}, {}));
    const RunnerReport report = desk.play();
    CHECK(desk.ledger.written == std::vector<std::string>{"first", "second"});
    CHECK(desk.has("commit first second a=releasing"));
    CHECK(report.complete);
    CHECK(report.failed_commits == 1);
    CHECK(report.ledger_problem.empty());
}

TEST_CASE("a backlog is tried again though no new fact comes") {
    Desk desk;
    desk.ledger.failing = 1;
    desk.script.push_back(turn_of({event_of("first")}, {}, {}));
    for (int i = 0; i < 3; ++i) { desk.script.push_back(turn_of({}, {}, {})); }
    const std::size_t before_end = 2;
    (void)desk.play();
    CHECK(desk.place("commit first") <= before_end + 1);
}

TEST_CASE("an intent whose order was kept here never appears as a lease") {
    Desk desk;
    desk.ledger.failing = 1;
    desk.script.push_back(
        turn_of({event_of("lease.intended")},
                {lease_of("a", LeaseState::intended), lease_of("b", LeaseState::releasing)},
                {order_of(1, Urgency::change)}));
    (void)desk.play();
    REQUIRE(desk.ledger.kept.size() == 1);
    CHECK(desk.ledger.kept[0].id == "b");
}

TEST_CASE("of several states of a lease in the backlog the last one is written") {
    Desk desk;
    desk.ledger.failing = 2;
    desk.script.push_back(turn_of({}, {lease_of("a", LeaseState::releasing)}, {}));
    desk.script.push_back(turn_of({}, {lease_of("a", LeaseState::released)}, {}));
    const RunnerReport report = desk.play();
    REQUIRE(desk.ledger.kept.size() == 1);
    CHECK(desk.ledger.kept[0].state == LeaseState::released);
    CHECK(report.complete);
}

TEST_CASE("a ledger that never comes back leaves an incomplete report with its reason") {
    Desk desk;
    desk.ledger.failing = 1'000'000;
    desk.script.push_back(turn_of({event_of("x"), event_of("y")}, {}, {}));
    const RunnerReport report = desk.play();
    CHECK_FALSE(report.complete);
    CHECK(report.unwritten_events == 2);
    CHECK(report.ledger_problem.find("the disk is full") != std::string::npos);
    CHECK(report.failed_commits > 1);
    CHECK(report.failed_commits < 100);
}

TEST_CASE("the last facts are tried for a while after the end") {
    Desk desk;
    desk.ledger.failing = 5;
    desk.script.push_back(turn_of({event_of("x")}, {}, {}));
    const RunnerReport report = desk.play();
    CHECK(report.complete);
    CHECK(report.unwritten_events == 0);
}

TEST_CASE("a failing ledger makes no busy loop: turns stay as rare as their wake-ups") {
    Desk desk;
    desk.ledger.failing = 1'000'000;
    for (int i = 0; i < 20; ++i) {
        desk.script.push_back(turn_of({event_of("x")}, {}, {order_of(1, Urgency::undo)}));
    }
    (void)desk.play();
    CHECK(desk.told.size() <= 22);
    CHECK(desk.ledger.tries <= 22 + 25);
    CHECK(desk.withheld().size() == 1);  // told once, not at every turn
}

TEST_CASE("a ledger that fails again after it worked is told again") {
    Desk desk;
    desk.ledger.failing = 1;
    desk.script.push_back(turn_of({event_of("x")}, {}, {}));
    desk.script.push_back(turn_of({event_of("y")}, {}, {}));
    desk.script.push_back(turn_of({event_of("z")}, {}, {order_of(9, Urgency::change)}));
    desk.script.push_back(turn_of({}, {}, {}));
    Desk* const here = &desk;
    // It works for the second turn and fails for the third.
    int turns = 0;
    const auto direct = [here, &turns](const Instant&, std::vector<News> news) {
        here->told.push_back(std::move(news));
        if (++turns == 3) { here->ledger.failing = 1; }
        if (here->script.empty()) {
            Turn last{};
            last.finished = true;
            return last;
        }
        Turn turn = std::move(here->script.front());
        here->script.pop_front();
        turn.wake_at = here->clock.at + 1s;
        return turn;
    };
    (void)run(direct, {.clock = desk.clock,
                       .mailbox = desk.mailbox,
                       .transport = desk.transport,
                       .ledger = desk.ledger,
                       .sampler = nullptr,
                       .show = {}});
    CHECK(desk.withheld().size() == 2);
    CHECK_FALSE(desk.has("send 9"));
}

TEST_CASE("an event is shown once, after its commit was tried") {
    Desk desk;
    desk.ledger.failing = 1;
    desk.script.push_back(turn_of({event_of("x")}, {}, {}));
    (void)desk.play();
    CHECK(desk.place("commit fails") < desk.place("show x"));
    CHECK(std::count(desk.log.begin(), desk.log.end(), "show x") == 1);
}

TEST_CASE("probes start and stop with the turns that say so") {
    Desk desk;
    Turn first = turn_of({event_of("run.started")}, {}, {});
    first.start_probes = true;
    desk.script.push_back(first);
    Turn last = turn_of({}, {}, {});
    last.stop_probes = true;
    last.finished = true;
    desk.script.push_back(last);
    (void)desk.play();
    CHECK(desk.place("commit run.started") < desk.place("probes start"));
    CHECK(desk.has("probes stop"));
}

TEST_CASE("news goes to the director once and unchanged") {
    Desk desk;
    desk.mailbox.post(StopAsked{.reason = "SIGINT"});
    desk.script.push_back(turn_of({}, {}, {}));
    desk.script.push_back(turn_of({}, {}, {}));
    (void)desk.play();
    std::size_t stops = 0;
    for (const std::vector<News>& news : desk.told) {
        for (const News& one : news) { stops += std::holds_alternative<StopAsked>(one) ? 1U : 0U; }
    }
    CHECK(stops == 1);
}
