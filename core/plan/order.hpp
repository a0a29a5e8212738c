// The order of steps as a graph: what waits for what, which steps can overlap, how many hosts
// can be changed at one time, and how long it takes. Pure arithmetic over names.
// Must not: know kinds or hosts' state. Next: planner.hpp.
#pragma once

#include "base/instant.hpp"
#include "base/result.hpp"
#include "model/definition.hpp"
#include "model/plan.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace drill {

/// `after` of every step, file order resolved (the step before, released). Failure:
/// Code::invalid for an unknown or doubled name, a step that waits for itself, or a circle.
[[nodiscard]] Result<std::vector<std::vector<After>>> resolve_after(
    std::span<const StepSpec> steps);

/// A step as the graph sees it.
struct OrderedStep {
    std::string name;
    std::vector<std::string> hosts;
    std::vector<After> after;
    Nanos hold{0};
};

/// Hosts that can be changed at one time, in the worst case: the largest set of steps that can
/// overlap. B waits for the end of A only through a chain that has A released; "x:held" and []
/// overlap.
struct Crowd {
    std::vector<std::string> hosts;  ///< sorted
    std::vector<std::string> steps;  ///< in file order
};
/// Steps must be free of circles. `always` are hosts that count in any case (others' leases).
/// Failure: Code::refused past 64 steps or when there are too many combinations to look at.
[[nodiscard]] Result<Crowd> most_at_once(std::span<const OrderedStep> steps,
                                         std::span<const std::string> always);

/// The time from the first bite to the last undo, were everything else instant, with the steps
/// on the way, in order.
struct LongestPath {
    Nanos time{0};
    std::vector<std::string> steps;
};
[[nodiscard]] LongestPath longest_path(std::span<const OrderedStep> steps);

/// The steps of a plan in that form.
[[nodiscard]] std::vector<OrderedStep> ordered_steps(const Plan& plan);

}  // namespace drill
