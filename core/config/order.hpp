// Finds steps that wait for each other. Must not: decide when a step starts (engine/).
#pragma once

#include "config/report.hpp"

#include <span>
#include <string>
#include <vector>

namespace drill {

/// One step in the order of the file. Without `after` it waits for the step before it.
struct StepOrder {
    std::string name;
    Spot spot;                       ///< of `after`, or of the step
    bool given{false};               ///< `after` stands in the file, perhaps empty
    std::vector<std::string> after;  ///< names of steps that exist
};

/// One E0311 for each cycle that a walk in file order meets first.
void report_cycles(std::span<const StepOrder> steps, Report& report);

}  // namespace drill
