// One simulated run, from the first turn to the moment at which everything has to be over, with
// the invariants that must hold whatever the weather and wherever the controller dies.
#pragma once

#include "model/kind.hpp"
#include "model/outcome.hpp"
#include "support/world.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace drill::sim {

struct SimOptions {
    std::uint64_t seed{1};
    std::size_t hosts{1};
    std::vector<std::string> kinds;  ///< one step each, in this order; empty = drawn by seed
    Weather weather;
    std::uint64_t die_at{0};  ///< crossing of the run at which the controller dies, 0 = never
    std::vector<std::uint64_t>
        undo_dies_at;          ///< the same for each `undo` after it; the last one lives
    bool stop_by_seed{false};  ///< a person halts at a drawn time
    /// The controller that dies was stopped by SIGSTOP before: `drill halt` ends it after 2 s.
    bool halted{false};
    bool goes_on{false};  ///< on_partial = "continue" on every step
    bool closes{false};   ///< a person closes one lease that is open when all undos are over
    bool tracing{false};
};

struct SimResult {
    std::vector<std::string> broken;  ///< invariants that did not hold; empty = all held
    std::uint64_t crossings{0};       ///< of the run
    std::vector<std::uint64_t> undo_crossings;
    bool died{false};
    bool closed{false};  ///< a person closed a lease
    Verdict verdict{Verdict::invalid};
    std::vector<std::string> reasons;
    std::vector<std::string> trace;
};

[[nodiscard]] SimResult simulate(const SimOptions& options);

/// Options of a random run, all drawn from its seed.
[[nodiscard]] SimOptions drawn(std::uint64_t seed);

/// Kinds of the simulation: one for each way to end.
[[nodiscard]] Kinds sim_kinds();
/// Those and the shipped ones, which compose their changes from canned answers.
[[nodiscard]] Kinds every_kind();

}  // namespace drill::sim
