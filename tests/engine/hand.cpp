// See hand.hpp.
#include "engine/hand.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>

namespace drill::test {

namespace {

Exec program(std::string name, const ChangeRequest& request) {
    return {.argv = {std::move(name), request.lease}, .input = ""};
}

Change change_of(const ChangeRequest& request, Ending ending) {
    Change change{};
    change.apply = {program("apply", request)};
    change.read_back = {program("read-back", request)};
    change.ending = ending;
    if (ending != Ending::instant) { change.undo = {program("undo", request)}; }
    if (ending == Ending::kernel) {
        change.renew = {{.argv = {"renew", std::to_string(request.ttl.count())}, .input = ""}};
    }
    return change;
}
Result<Change> watched(const ChangeRequest& r) { return change_of(r, Ending::watcher); }
Result<Change> fused(const ChangeRequest& r) { return change_of(r, Ending::kernel); }
Result<Change> once(const ChangeRequest& r) { return change_of(r, Ending::instant); }
Result<Change> refuses(const ChangeRequest&) { return fail(Code::refused, "not on this host"); }
Result<Change> checks(const ChangeRequest& r) {
    Change change = change_of(r, Ending::instant);
    change.check = {program("check", r)};
    change.check_within = 2s;
    change.check_claim = "it is back";
    return change;
}
std::vector<Exec> ask_one(const ChangeRequest&) { return {{.argv = {"question"}, .input = ""}}; }

const Kind kind_watched{
    .name = "watched", .summary = "", .ending = Ending::watcher, .compose = watched};
const Kind kind_fused{.name = "fused", .summary = "", .ending = Ending::kernel, .compose = fused};
const Kind kind_once{.name = "once", .summary = "", .ending = Ending::instant, .compose = once};
const Kind kind_asks{.name = "asks",
                     .summary = "",
                     .ending = Ending::watcher,
                     .observe = ask_one,
                     .compose = watched};
const Kind kind_refuses{
    .name = "refuses", .summary = "", .ending = Ending::watcher, .compose = refuses};
const Kind kind_checks{
    .name = "checks", .summary = "", .ending = Ending::instant, .compose = checks};
const std::array<const Kind*, 6> table{&kind_asks, &kind_checks,  &kind_fused,
                                       &kind_once, &kind_refuses, &kind_watched};

ConductorInput input_of(Plan plan, Nanos now) {
    ConductorInput input{};
    for (const PlannedStep& step : plan.steps) {
        for (const PlannedChange& change : step.changes) {
            input.hosts[change.host] = ObservedHost{.facts = {{"boot_id", "boot-1"}},
                                                    .uptime = 5000s,
                                                    .asked = now - 1s,
                                                    .answered = now - 1s};
        }
    }
    input.plan = std::move(plan);
    input.kinds = hand_kinds();
    input.frame.run = "run1";
    input.frame.number = 7;
    input.frame.by = "kim";
    input.frame.contact = "kim on 4711";
    input.frame.controller_boot = "here";
    input.seed = 3;
    return input;
}

}  // namespace

Kinds hand_kinds() { return table; }

PlannedStep step_of(std::string name, std::string kind, std::vector<std::string> hosts) {
    PlannedStep step{};
    step.name = std::move(name);
    step.kind = std::move(kind);
    step.target = "all";
    step.hold = 30s;
    for (std::string& host : hosts) {
        step.changes.push_back(
            {.host = std::move(host), .says = "changes it", .peers = {}, .change = {}});
    }
    return step;
}

Plan plan_of(std::vector<PlannedStep> steps) {
    Plan plan{};
    plan.experiment = "by-hand";
    plan.limit_hosts = 10;
    plan.longest = 60s;
    plan.lease_ttl = 15s;
    plan.steps = std::move(steps);
    for (const PlannedStep& step : plan.steps) {
        for (const PlannedChange& change : step.changes) {
            plan.hosts[change.host].connection.host = change.host;
        }
    }
    return plan;
}

void add_probe(Plan& plan, const std::string& name) {
    plan.probes.push_back(
        {.name = name, .kind = "tcp", .params = {}, .every = 100ms, .timeout = 1s});
}

Reply done(std::string boot_id) {
    Reply reply{};
    reply.boot_id = std::move(boot_id);
    return reply;
}

Reply parts(std::vector<int> statuses, std::string out) {
    Reply reply = done();
    for (const int status : statuses) {
        reply.parts.push_back({.status = status, .out = out, .err = ""});
    }
    return reply;
}

Reply undone(int read_back) {
    Reply reply = parts({0, read_back});
    reply.read_back_from = 1;
    return reply;
}

const Envelope& envelope_of(const Order& order) { return std::get<Envelope>(order.action); }

Answered answer_to(const Order& order, Result<Reply> reply, Nanos sent, Nanos received) {
    return {.order = order.id, .reply = std::move(reply), .sent = sent, .received = received};
}

Sample sample_at(std::uint64_t number, Nanos sent, SampleState state, std::uint32_t probe) {
    return {.probe = probe,
            .number = number,
            .intended = sent,
            .sent = sent,
            .received = sent + 1ms,
            .state = state,
            .detail = state == SampleState::ok ? "" : "why \"not\""};
}

Hand::Hand(Plan plan) : conductor(input_of(std::move(plan), now)) {}
Hand::Hand(Plan plan, void (*change)(ConductorInput&))
    : conductor([&] {
          ConductorInput input = input_of(std::move(plan), now);
          change(input);
          return input;
      }()) {}

const Turn& Hand::turn(std::vector<News> news) {
    REQUIRE_FALSE(finished());
    Turn made = conductor.turn({.boot = now, .wall = Wall{}}, std::move(news));
    for (const Lease& lease : made.leases) { leases[lease.id] = lease; }
    orders.insert(orders.end(), made.orders.begin(), made.orders.end());
    turns.push_back(std::move(made));
    return turns.back();
}

const Turn& Hand::pass(Nanos span) {
    now += span;
    return turn();
}

const Order* Hand::open(Phase phase, const std::string& host) const {
    for (const Order& order : orders) {
        if (envelope_of(order).phase == phase && (host.empty() || order.to.host == host) &&
            std::find(answered.begin(), answered.end(), order.id) == answered.end()) {
            return &order;
        }
    }
    return nullptr;
}

std::size_t Hand::count(Phase phase) const {
    return static_cast<std::size_t>(
        std::count_if(orders.begin(), orders.end(),
                      [&](const Order& order) { return envelope_of(order).phase == phase; }));
}

const Turn& Hand::answer(Phase phase, Result<Reply> reply, const std::string& host) {
    const Order* order = open(phase, host);
    REQUIRE(order != nullptr);
    answered.push_back(order->id);
    const Nanos sent = now;
    now += 10ms;
    std::vector<News> news;
    news.emplace_back(answer_to(*order, std::move(reply), sent, now));
    return turn(std::move(news));
}

void Hand::rehearse() {
    if (turns.empty()) { turn(); }
    while (open(Phase::rehearse) != nullptr) { answer(Phase::rehearse, done()); }
    while (open(Phase::rehearsed) != nullptr) { answer(Phase::rehearsed, done()); }
}

void Hand::hold() {
    rehearse();
    while (open(Phase::apply) != nullptr) { answer(Phase::apply, parts({0})); }
    while (open(Phase::read_back) != nullptr) { answer(Phase::read_back, parts({10})); }
}

void Hand::keep(Nanos span) {
    const Nanos end = now + span;
    while (now < end && open(Phase::undo) == nullptr && !finished()) {
        pass(std::min<Nanos>(1s, end - now));
        while (open(Phase::read_back) != nullptr) { answer(Phase::read_back, parts({10})); }
        while (open(Phase::renew) != nullptr) { answer(Phase::renew, done()); }
    }
}

std::size_t Hand::events(const std::string& type) const {
    std::size_t found = 0;
    for (const Turn& one : turns) {
        for (const Event& event : one.events) { found += event.type == type ? 1U : 0U; }
    }
    return found;
}

std::string Hand::reasons() const {
    std::string text;
    for (const std::string& reason : outcome().reasons) { text += reason + "\n"; }
    return text;
}

}  // namespace drill::test
