// From definitions, or from an approved plan, to a plan: pure and staged, so that whoever owns
// the connections asks the questions. start() -> ask -> observe() -> ask -> compose().
// Must not: do I/O or read a clock. Nonces of the questions come from the operating system and
// never enter a plan: the same inputs and answers give the same hash.
// Reading order: select.hpp, order.hpp, draft.hpp, facts.hpp, gates.hpp.
#pragma once

#include "plan/draft.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace drill {

/// One question to one host, read-only (Phase::ask).
struct Ask {
    std::string host;
    Connection to;
    Envelope envelope;
};
struct AskAnswer {
    std::string host;
    Result<Reply> reply;
    Nanos sent{0}, received{0};  ///< controller's boot time
};

/// A host as it was when it was asked. Low and high bound the controller's boot time at which
/// the target's CLOCK_BOOTTIME was `uptime`.
struct HostState {
    Facts facts;
    Nanos uptime{0};
    Nanos low{0}, high{0};
    std::string host_key;
};

class Planner {
public:
    Planner(Catalog catalog, Experiment experiment, Kinds kinds, ProbeKinds probes,
            PlannerOptions options);
    /// Plans again what was approved, on the hosts that it names: compose() gives the plan as
    /// it would be now. Its hash differs from the approved one when anything hashed changed;
    /// diff_plans says what.
    Planner(const Plan& approved, Kinds kinds, PlannerOptions options);

    /// Resolves everything and asks every host that matters for its base facts: targets, peers
    /// without addresses, vantage points, the group of the limit. Failure: Code::invalid or
    /// refused with every problem found.
    Result<std::vector<Ask>> start();
    /// Takes one answer for each question of start(), in any order, and asks what the kinds
    /// want to know, one question per host; may ask nothing. Failure: Code::refused, every
    /// closed gate of every host at once.
    Result<std::vector<Ask>> observe(const std::vector<AskAnswer>& answers);
    /// Takes one answer for each question of observe() and composes every change with volatile
    /// facts as placeholders. Failure: Code::refused, every reason at once.
    Result<Plan> compose(const std::vector<AskAnswer>& answers);

    /// Hosts that answered, after observe().
    [[nodiscard]] const std::map<std::string, HostState>& states() const { return states_; }
    /// The reasons of the last failure, one sentence each.
    [[nodiscard]] const std::vector<std::string>& reasons() const { return problems_.reasons; }

private:
    /// Where the answers to one change's questions lie in the answer of its host.
    struct Slice {
        std::size_t step{0};
        std::string host;
        std::size_t from{0}, count{0};
    };
    [[nodiscard]] ChangeRequest request_for(std::size_t step, const std::string& host);
    [[nodiscard]] Ask ask(const std::string& host, std::vector<Exec> commands) const;
    void take_facts(const std::string& host, const AskAnswer& answer);
    void judge_limits();
    void judge_credentials();
    void compose_change(const Slice& slice, std::vector<CommandReply> observed);
    void check_change(const std::string& where, const Change& change);
    void add_hosts();

    std::optional<Catalog> catalog_;
    std::optional<Experiment> experiment_;
    std::optional<Plan> approved_;
    Kinds kinds_;
    ProbeKinds probes_;
    PlannerOptions options_;
    Draft draft_;
    Problems problems_;
    std::map<std::string, HostState> states_;
    std::map<std::string, std::string> silent_;  ///< counted hosts without answer, and why
    std::map<std::string, std::vector<Exec>> questions_;
    std::vector<Slice> slices_;
};

/// The lease directory and the TTL that a change of this step gets: the hold where the step
/// cuts its own path, since then nobody can renew.
[[nodiscard]] Nanos ttl_of(const PlannedStep& step, Nanos lease_ttl);

}  // namespace drill
