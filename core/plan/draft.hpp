// A plan before any host was asked: selections resolved, hosts picked, order and limit fixed.
// Made from definitions, or again from an approved plan. Must not: hold observed facts.
// Next: gates.hpp (what may refuse it), planner.hpp (the stages).
#pragma once

#include "base/result.hpp"
#include "model/definition.hpp"
#include "model/ground.hpp"
#include "model/kind.hpp"
#include "model/plan.hpp"
#include "model/probe.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace drill {

struct PlannerOptions {
    std::uint64_t seed{0};  ///< of the picks; recorded in the plan
    std::string drill_version;
    std::string directory_base{"/run/drill"};    ///< lease directories on targets
    std::string durable_base{"/var/lib/drill"};  ///< the same for durable kinds
    Wall now{};  ///< for the ends of credentials; the epoch = they are not judged
    std::vector<Credential> credentials;  ///< the controller's, and which hosts they open
};

struct DraftHost {
    Connection connection;
    std::map<std::string, std::string> labels;
    std::set<std::string> kinds;  ///< of the changes on it; empty = a bystander
    std::set<std::string> tools;  ///< that those kinds need
    bool needed{false};   ///< no plan without its answer: changed, vantage, or peer to be asked
    bool counted{false};  ///< in the group of the limit
    [[nodiscard]] bool changed() const { return !kinds.empty(); }
    [[nodiscard]] bool asked() const { return needed || counted; }
};

struct DraftStep {
    const Kind* kind{nullptr};
    std::vector<std::string> hosts;                            ///< sorted
    std::vector<std::string> peers;                            ///< sorted; may hold a target itself
    std::map<std::string, std::vector<std::string>> peers_of;  ///< by shape: each host's own
    std::map<std::string, std::string> data_of{};              ///< host to the service it may hurt
};

struct Draft {
    Plan plan;                     ///< all but hosts, changes and hash; group and limit are set
    std::vector<DraftStep> steps;  ///< as in plan.steps
    std::map<std::string, DraftHost> hosts;
    std::map<std::string, std::vector<std::string>> addresses;  ///< of peers, known without asking
};

/// Every problem at once, one message each. `code` is invalid when the input is wrong, refused
/// when only a limit says no.
struct Problems {
    Code code{Code::refused};
    std::vector<std::string> reasons;
    void add(const Error& error);
    void add(Code kind, std::string reason);
    /// One error out of them: a sentence, or "2 reasons" and a line for each. Not for none.
    [[nodiscard]] Error error() const;
};

/// Failure: Code::invalid or refused, `problems` has them singly.
[[nodiscard]] Result<Draft> draft_from(const Catalog& catalog, const Experiment& experiment,
                                       Kinds kinds, ProbeKinds probes,
                                       const PlannerOptions& options, Problems& problems);
/// The same draft out of an approved plan, its catalog and definition gone.
[[nodiscard]] Result<Draft> draft_from(const Plan& approved, Kinds kinds, Problems& problems);

}  // namespace drill
