// A run's result for other programs: JSON with everything, JUnit for pipelines; and what every
// result has to say of itself. Must not: judge, or call anything skipped. Next: text.hpp.
#pragma once

#include "report/text.hpp"

#include <string>
#include <vector>

namespace drill {

/// What kind of truth a result is: where it was measured, how real it was, what it leaves open.
struct Scope {
    std::string environment, environment_class;
    std::string fidelity;                   ///< "real", "lab"; others come with their makers
    std::vector<std::string> not_measured;  ///< one line each
};
[[nodiscard]] Scope scope_of(const ReportInput& input);

/// The outcome as in the ledger, and its scope beside it: one line.
[[nodiscard]] std::string outcome_with_scope(const ReportInput& input);
/// The outcome beside run, plan and scope. Sorted keys, durations in ns.
[[nodiscard]] std::string report_to_json(const ReportInput& input);
/// A test case for each hypothesis, objective and change, and one for the verdict. REFUSED,
/// HALTED, INVALID and DIRTY are errors of the last one.
[[nodiscard]] std::string report_to_junit(const ReportInput& input);

}  // namespace drill
