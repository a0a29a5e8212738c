// The shipped kinds as the simulation plans them: parameters and peers for their steps, and what
// a healthy host answers to their questions. Must not: judge anything; the kinds do.
// Next: core/faults/kinds.hpp, sim/simulation.cpp.
#pragma once

#include "model/kind.hpp"
#include "model/plan.hpp"

#include <string_view>
#include <vector>

namespace drill::sim {

/// Fills in the parameters of a step of a shipped kind, and the peers of its changes.
/// Steps of the simulation's own kinds stay as they are.
void fill_in(PlannedStep& step);

/// What a host answers to the questions of a kind, one reply for each command.
[[nodiscard]] std::vector<CommandReply> canned_answers(std::string_view kind, std::size_t commands);

}  // namespace drill::sim
