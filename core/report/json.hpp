// An outcome as JSON text, for the ledger and for `--json`: sorted keys, no floats, durations
// in nanoseconds with keys ending in `_ns`. Must not: lose a member on the way there and back.
// Next: model/outcome.hpp.
#pragma once

#include "base/result.hpp"
#include "model/outcome.hpp"

#include <string>
#include <string_view>

namespace drill {

/// Invalid UTF-8 is replaced (U+FFFD). The same outcome gives the same bytes.
[[nodiscard]] std::string outcome_to_json(const Outcome& outcome);
/// Failure: Code::invalid with the member that is missing or wrong; Code::newer for a later
/// version of the format. At most 16 MiB.
[[nodiscard]] Result<Outcome> outcome_from_json(std::string_view text);

}  // namespace drill
