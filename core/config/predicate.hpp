// The grammar of predicates:  METRIC COMPARE VALUE [for DURATION]
//   METRIC   success | p50 | p90 | p95 | p99
//   COMPARE  >= | > | <= | <
//   VALUE    a percentage for success, a duration for the others
// Must not: judge samples (engine/). Next: reader.hpp.
#pragma once

#include "config/document.hpp"
#include "model/definition.hpp"

#include <optional>
#include <string_view>

namespace drill {

/// Reports and returns nothing when the text is no predicate; carets stand under the part that
/// is wrong where the text has no escapes.
[[nodiscard]] std::optional<Predicate> read_predicate(Report& report, const Node& node,
                                                      std::string_view key);

}  // namespace drill
