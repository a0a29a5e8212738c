// A conductor fed by hand: no world, no time but what a case gives it. A case answers orders one
// by one and looks at each turn. Must not: answer anything by itself that a case did not ask for.
#pragma once

#include "engine/conductor.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace drill::test {

using namespace std::chrono_literals;

/// "watched", "fused" (kernel, renew commands), "once" (instant), "asks" (observes first),
/// "refuses" (compose says no), "checks" (instant with an expectation within 2 s).
[[nodiscard]] Kinds hand_kinds();

/// A step "a", "b", ... of a kind on hosts, held for 30 s.
[[nodiscard]] PlannedStep step_of(std::string name, std::string kind,
                                  std::vector<std::string> hosts);
/// No probes, lease of 15 s, longest 60 s, limit 10 hosts.
[[nodiscard]] Plan plan_of(std::vector<PlannedStep> steps);
/// One probe every 100 ms with a time-out of 1 s.
void add_probe(Plan& plan, const std::string& name);

[[nodiscard]] Reply done(std::string boot_id = "boot-1");
/// An answer of the envelope whose commands ended with these statuses.
[[nodiscard]] Reply parts(std::vector<int> statuses, std::string out = "");
/// undo: one command and one read-back.
[[nodiscard]] Reply undone(int read_back = 0);

class Hand {
public:
    explicit Hand(Plan plan);
    /// With what is said beside the plan: a rehearsal, a hold.
    Hand(Plan plan, void (*change)(ConductorInput&));

    /// One turn with this news, at the present time.
    const Turn& turn(std::vector<News> news = {});
    /// Lets time pass, then takes a turn without news.
    const Turn& pass(Nanos span);
    /// Answers the oldest open order of that phase (on that host). Fails the case if none is open.
    const Turn& answer(Phase phase, Result<Reply> reply, const std::string& host = "");
    /// Both halves of every rehearsal.
    void rehearse();
    /// Rehearsal, apply and a bite on every host whose change began.
    void hold();
    /// Lets the time go by in seconds; read-backs say that it bites, renewals work. Ends early
    /// when an undo is sent.
    void keep(Nanos span);
    /// An order of that phase that is not yet answered (on that host).
    [[nodiscard]] const Order* open(Phase phase, const std::string& host = "") const;
    [[nodiscard]] std::size_t count(Phase phase) const;  ///< orders of that phase ever given
    [[nodiscard]] const Turn& last() const { return turns.back(); }
    [[nodiscard]] bool finished() const { return !turns.empty() && turns.back().finished; }
    [[nodiscard]] std::size_t events(const std::string& type) const;
    [[nodiscard]] const Outcome& outcome() const { return conductor.outcome(); }
    [[nodiscard]] std::string reasons() const;

    Nanos now{1000s};
    std::vector<Turn> turns;
    std::vector<Order> orders;            ///< all that were ever given
    std::map<std::string, Lease> leases;  ///< as the ledger would hold them
    std::vector<std::uint64_t> answered;
    Conductor conductor;
};

[[nodiscard]] const Envelope& envelope_of(const Order& order);
[[nodiscard]] Answered answer_to(const Order& order, Result<Reply> reply, Nanos sent,
                                 Nanos received);
[[nodiscard]] Sample sample_at(std::uint64_t number, Nanos sent, SampleState state,
                               std::uint32_t probe = 0);

}  // namespace drill::test
