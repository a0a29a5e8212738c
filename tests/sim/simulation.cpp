// See simulation.hpp.
#include "sim/simulation.hpp"

#include "base/text.hpp"
#include "engine/attest.hpp"
#include "engine/conductor.hpp"
#include "engine/runner.hpp"
#include "engine/undoing.hpp"
#include "faults/kinds.hpp"
#include "support/real_kinds.hpp"

#include <algorithm>
#include <array>

namespace drill::sim {

namespace {

constexpr Nanos s(std::int64_t n) { return std::chrono::seconds{n}; }

// The last read-back before an undo is at most this old (core/engine/change_run.cpp).
constexpr Nanos presence_age = s(2);

// The world takes commands as opaque: three small kinds stand for the ways to end.
Result<Change> compose(const ChangeRequest& request, Ending ending) {
    Change change{};
    change.apply = {{.argv = {"apply", request.lease}, .input = ""}};
    change.read_back = {{.argv = {"read-back", request.lease}, .input = ""}};
    change.ending = ending;
    if (ending != Ending::instant) {
        change.undo = {{.argv = {"undo", request.lease}, .input = ""}};
    }
    if (ending == Ending::kernel) {
        change.renew = {
            {.argv = {"renew", request.lease, format_duration(request.ttl)}, .input = ""}};
    }
    return change;
}
Result<Change> compose_kernel(const ChangeRequest& r) { return compose(r, Ending::kernel); }
Result<Change> compose_watcher(const ChangeRequest& r) { return compose(r, Ending::watcher); }
Result<Change> compose_instant(const ChangeRequest& r) { return compose(r, Ending::instant); }
std::vector<Exec> observe_one(const ChangeRequest&) { return {{.argv = {"observe"}, .input = ""}}; }

const Kind kernel{.name = "sim-kernel",
                  .summary = "ends in the kernel",
                  .ending = Ending::kernel,
                  .observe = observe_one,
                  .compose = compose_kernel};
const Kind watcher{.name = "sim-watcher",
                   .summary = "ends by its guard",
                   .ending = Ending::watcher,
                   .observe = nullptr,
                   .compose = compose_watcher};
const Kind instant{.name = "sim-instant",
                   .summary = "is over at once",
                   .ending = Ending::instant,
                   .observe = observe_one,
                   .compose = compose_instant};
const std::array<const Kind*, 3> all_kinds{&instant, &kernel, &watcher};

Predicate at_least(int ppm, std::optional<Nanos> span, const char* text) {
    return {.metric = Predicate::Metric::success,
            .compare = Predicate::Compare::ge,
            .ppm = ppm,
            .latency = {},
            .span = span,
            .text = text};
}

Plan make_plan(const SimOptions& options, Random& random) {
    Plan plan{};
    plan.experiment = "sim";
    plan.environment = "lab";
    plan.environment_class = "lab";
    plan.limit_hosts = static_cast<std::int64_t>(options.hosts);
    plan.longest = s(60);
    plan.lease_ttl = s(static_cast<std::int64_t>(3 + random.below(13)));
    plan.probes.push_back({.name = "service",
                           .kind = "tcp",
                           .params = {},
                           .every = std::chrono::milliseconds{500},
                           .timeout = std::chrono::milliseconds{400}});
    plan.hypotheses.push_back(
        {.probe = "service",
         .before = at_least(900'000, s(2), "success >= 90% for 2s"),
         .during = at_least(1, std::nullopt, "success > 0%"),
         .regain = Regain{.within = s(3), .hold = s(1), .from = Regain::From::fault}});
    plan.halts.push_back({.probe = "service",
                          .when = {.metric = Predicate::Metric::success,
                                   .compare = Predicate::Compare::lt,
                                   .ppm = 1,
                                   .latency = {},
                                   .span = s(8),
                                   .text = "success < 0.0001% for 8s"}});
    std::vector<std::string> kinds = options.kinds;
    if (kinds.empty()) {
        const std::size_t count = 1 + random.below(3);
        for (std::size_t i = 0; i < count; ++i) {
            kinds.emplace_back(every_kind()[random.below(every_kind().size())]->name);
        }
    }
    // Steps that wait for nothing but the limit: each has hosts of its own, one step's fit in.
    const bool crowded = options.kinds.empty() && kinds.size() > 1 &&
                         options.hosts >= kinds.size() && random.chance(400);
    if (crowded) {
        plan.limit_hosts =
            static_cast<std::int64_t>((options.hosts + kinds.size() - 1) / kinds.size());
    }
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        PlannedStep step{};
        step.name = "step-" + std::to_string(i);
        step.kind = kinds[i];
        step.target = "all";
        step.hold = s(static_cast<std::int64_t>(2 + random.below(12)));
        if (i > 0 && !crowded) {
            step.after = {{.step = "step-" + std::to_string(i - 1), .held = random.chance(300)}};
        }
        for (std::size_t h = 0; h < options.hosts; ++h) {
            if (crowded && h % kinds.size() != i) { continue; }
            step.changes.push_back(
                {.host = "h" + std::to_string(h), .says = "changes it", .peers = {}, .change = {}});
        }
        if (options.goes_on) { step.on_partial = OnPartial::go_on; }
        fill_in(step);
        plan.steps.push_back(std::move(step));
    }
    for (std::size_t h = 0; h < options.hosts; ++h) {
        PlannedHost host{};
        host.connection.host = "h" + std::to_string(h);
        plan.hosts[host.connection.host] = std::move(host);
    }
    return plan;
}

struct Check {
    const World& world;
    const MemoryLedger& ledger;
    std::vector<std::string>& broken;

    void hold(bool condition, const std::string& claim) const {
        if (!condition) { broken.push_back(claim); }
    }

    void effects_are_leases() const {
        for (const SeenEffect& effect : world.effects()) {
            const auto lease = ledger.leases.find(effect.lease);
            hold(lease != ledger.leases.end(),
                 "an effect on " + effect.host + " has no lease in the ledger");
            if (lease == ledger.leases.end()) { continue; }
            hold(ledger.first_seen.at(effect.lease) <= effect.began,
                 "an effect began before its intent was durable: " + effect.lease);
            const auto released = ledger.released_at.find(effect.lease);
            if (released == ledger.released_at.end()) { continue; }
            hold(effect.ended.has_value() && *effect.ended <= released->second,
                 "the ledger says released, the effect was there: " + effect.lease);
            hold(effect.began <= released->second,
                 "an effect began after its release: " + effect.lease);
        }
    }

    /// After every lease time plus a second, with nobody's help.
    void over_without_help(Nanos now) const {
        for (const SeenEffect& effect : world.effects()) {
            // A watcher whose guard somebody killed has lost its dead man; an open lease says so.
            const Kind* kind = find_kind(every_kind(), effect.kind);
            if (effect.guard_killed && kind->ending == Ending::watcher && !effect.ended) {
                const auto lease = ledger.leases.find(effect.lease);
                hold(lease != ledger.leases.end() && is_open(lease->second.state),
                     "a fault without a guard is open, and no lease says so");
                continue;
            }
            if (effect.ended) {
                hold(effect.ended_by != "guard" || *effect.ended <= effect.promised + s(1),
                     "overstay of " + effect.lease);
            } else {
                hold(now <= effect.promised + s(1),
                     "still there after its lease time: " + effect.lease);
            }
        }
    }

    void nothing_left() const {
        hold(world.hosts_affected() == 0, "an effect is left at the end");
        for (const std::string& left : world.residue()) {
            const std::string id = left.substr(left.find(' ') + 1);
            const auto lease = ledger.leases.find(id);
            hold(lease != ledger.leases.end() && is_open(lease->second.state),
                 "left on a host, and no open lease says so: " + left);
        }
    }
};

std::string drawn_reason(Random& random) { return random.chance(500) ? "SIGINT" : "halt"; }

}  // namespace

Kinds sim_kinds() { return all_kinds; }

Kinds every_kind() {
    static const std::vector<const Kind*> table = [] {
        std::vector<const Kind*> all(all_kinds.begin(), all_kinds.end());
        all.insert(all.end(), fault_kinds().begin(), fault_kinds().end());
        return all;
    }();
    return table;
}

SimResult simulate(const SimOptions& options) {
    SimResult result{};
    Random random(options.seed * 2 + 1);
    World world(options.seed, every_kind(), options.weather);
    world.tracing = options.tracing;
    MemoryLedger ledger(world, options.seed + 7, options.weather.ledger_fails);
    const Plan plan = make_plan(options, random);
    ConductorInput input{};
    input.plan = plan;
    input.kinds = every_kind();
    input.frame.run = "run1";
    input.frame.number = 1;
    input.frame.by = "sim";
    input.frame.controller_boot = "controller-boot";
    input.seed = options.seed;
    for (std::size_t h = 0; h < options.hosts; ++h) {
        const std::string name = "h" + std::to_string(h);
        world.add_host(name);
        const Nanos now = world.now().boot;
        input.hosts[name] = ObservedHost{.facts = world.facts_of(name),
                                         .uptime = world.uptime_of(name),
                                         .asked = now,
                                         .answered = now};
    }
    if (options.stop_by_seed) {
        world.schedule(
            world.now().boot + std::chrono::milliseconds{random.below(30'000)},
            [&world, why = drawn_reason(random)] { world.post(StopAsked{.reason = why}); });
    }
    const auto show = [&](const Event& event) {
        if (options.tracing && event.type != "probe.samples") {
            world.trace.push_back(show_duration(event.at.boot - s(1000)) + "    * " + event.type +
                                  " " + event.message);
        }
    };
    WorldSampler sampler(world, plan.probes);
    world.crossing.die_at = options.die_at;
    Conductor conductor(std::move(input));
    try {
        const RunnerReport report =
            run([&](const Instant& now,
                    std::vector<News> news) { return conductor.turn(now, std::move(news)); },
                {.clock = world,
                 .mailbox = world,
                 .transport = world,
                 .ledger = ledger,
                 .sampler = &sampler,
                 .show = show});
        Outcome outcome = conductor.outcome();
        if (!report.complete) { not_recorded(outcome, report.ledger_problem); }
        result.verdict = outcome.verdict;
        result.reasons = outcome.reasons;
    } catch (const SimulatedCrash&) {
        result.died = true;
        result.verdict = Verdict::dirty;
        sampler.stop();
    }
    result.crossings = world.crossing.count;
    const Check check{world, ledger, result.broken};
    check.effects_are_leases();
    check.hold(world.most_affected() <= static_cast<std::size_t>(plan.limit_hosts),
               "the limit was exceeded");
    if (!result.died && result.verdict == Verdict::passed) {
        check.nothing_left();
        check.hold(ledger.open_leases().empty(), "PASSED with an open lease");
        std::size_t bit = 0;
        std::size_t changes = 0;
        for (const PlannedStep& step : plan.steps) { changes += step.changes.size(); }
        for (const Event& event : ledger.events) { bit += event.type == "fault.bit" ? 1U : 0U; }
        check.hold(bit == changes, "PASSED without every bite in the ledger");
        check.hold(world.effects().size() == changes, "PASSED, yet the world saw fewer effects");
        for (const SeenEffect& effect : world.effects()) {
            if (effect.ended_by == "undo" || effect.ended_by == "instant") { continue; }
            const bool after_undo =
                std::any_of(ledger.events.begin(), ledger.events.end(), [&](const Event& event) {
                    return event.type == "undo.sent" && event.lease == effect.lease &&
                           event.at.boot <= *effect.ended + presence_age;
                });
            check.hold(after_undo, "PASSED, yet an effect had ended before its undo was sent");
        }
    }
    if (!result.died && result.verdict != Verdict::dirty && !world.effects().empty()) {
        check.hold(world.hosts_affected() == 0, "not DIRTY, yet an effect is there");
    }
    world.controller_died();
    if (options.halted && result.died) { world.pass(s(2)); }  // nobody renews, nobody answers
    for (const std::uint64_t die_at : options.undo_dies_at) {
        world.crossing.die_at = die_at;
        Undoing undoing(ledger.open_leases(), "controller-boot", s(30), options.seed + die_at);
        try {
            (void)run([&](const Instant& now,
                          std::vector<News> news) { return undoing.turn(now, std::move(news)); },
                      {.clock = world,
                       .mailbox = world,
                       .transport = world,
                       .ledger = ledger,
                       .sampler = nullptr,
                       .show = show});
        } catch (const SimulatedCrash&) {
            if (options.tracing) { world.trace.emplace_back("undo dies"); }
        }
        result.undo_crossings.push_back(world.crossing.count);
        world.controller_died();
        check.effects_are_leases();
    }
    std::string closed;
    if (const std::vector<Lease> open = ledger.open_leases(); options.closes && !open.empty()) {
        const Attested attested =
            attest(open.front(), {.by = "kim", .reason = "looked", .at = world.now()});
        closed = attested.lease.id;
        ledger.fails_left = 0;
        check.hold(static_cast<bool>(ledger.commit({&attested.event, 1}, {&attested.lease, 1})),
                   "a lease could not be closed");
        result.closed = true;
    }
    // Without help: every lease time, every message that is still on its way, and a second.
    world.pass(s(1) + plan.lease_ttl);
    if (options.undo_dies_at.empty()) {
        world.pass(s(60));
        check.over_without_help(world.now().boot);
        check.effects_are_leases();
    }
    // And then with help, in calm weather: clean, and proven.
    world.calm();
    world.pass(s(2));
    ledger.fails_left = 0;
    Undoing last(ledger.open_leases(), "controller-boot", s(30), options.seed + 99);
    (void)run(
        [&](const Instant& now, std::vector<News> news) { return last.turn(now, std::move(news)); },
        {.clock = world,
         .mailbox = world,
         .transport = world,
         .ledger = ledger,
         .sampler = nullptr,
         .show = show});
    check.hold(last.clean(), "undo in calm weather is not clean");
    for (const Release& release : last.releases()) {
        check.hold(release.lease().id != closed, "an undo tried a lease that a person had closed");
    }
    world.pass(s(90));                             // whatever is still on its way arrives
    if (closed.empty()) { check.nothing_left(); }  // a person vouched for what is left of it
    check.hold(closed.empty() || ledger.leases.at(closed).state == LeaseState::closed,
               "a closed lease came back");
    check.hold(ledger.open_leases().empty(), "a lease is open after undo");
    check.effects_are_leases();
    for (const std::string& violation : world.violations) { result.broken.push_back(violation); }
    result.trace = world.trace;
    return result;
}

SimOptions drawn(std::uint64_t seed) {
    Random random(seed ^ 0x5eedU);
    SimOptions options{};
    options.seed = seed;
    options.hosts = random.chance(600) ? 1 + random.below(3) : 4 + random.below(7);
    const auto maybe = [&](std::uint64_t most) {
        return random.chance(500) ? random.below(most) : 0;
    };
    options.weather = {.lose_request = maybe(60),
                       .lose_reply = maybe(60),
                       .delay = maybe(60),
                       .duplicate = maybe(100),
                       .reboot = maybe(15),
                       .full_disk = maybe(30),
                       .silence = maybe(30),
                       .foreign = maybe(20),
                       .kill_guard = maybe(20),
                       .ledger_fails = maybe(30)};
    options.stop_by_seed = random.chance(150);
    options.goes_on = random.chance(300);
    if (random.chance(400)) { options.die_at = 1 + random.below(60 * options.hosts); }
    const std::uint64_t undos = random.below(3);
    for (std::uint64_t i = 0; i < undos; ++i) { options.undo_dies_at.push_back(random.below(20)); }
    options.halted = random.chance(300);
    options.closes = random.chance(100);
    return options;
}

}  // namespace drill::sim
