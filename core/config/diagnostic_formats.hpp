// Diagnostics for other programs: JSON, annotations of a pull request, SARIF 2.1.0.
// Must not: leave out or reorder a diagnostic. Next: base/diagnostic.hpp, for people.
#pragma once

#include "base/diagnostic.hpp"

#include <span>
#include <string>
#include <string_view>

namespace drill {

/// What was found in one file; a good one has none.
struct FileDiagnostics {
    std::string file;
    Diagnostics diagnostics;
};

/// One object; columns and lengths in code points, line 0 = the file as a whole.
[[nodiscard]] std::string diagnostics_to_json(std::span<const FileDiagnostics> files);
/// One `::error` or `::warning` command a line; "" without diagnostics.
[[nodiscard]] std::string diagnostics_to_github(std::span<const FileDiagnostics> files);
/// A log with one run; its rules are the codes that occur, with their meanings.
[[nodiscard]] std::string diagnostics_to_sarif(std::span<const FileDiagnostics> files,
                                               std::string_view version);

}  // namespace drill
