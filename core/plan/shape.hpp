// Partition shapes: who is cut off from whom within one group of hosts. Pure and seeded: the same
// hosts and seed give the same answer. Must not: know addresses or what a fault does with them.
// Next: draft.cpp, which asks; ../faults/net-partition.md says what each shape means.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace drill {

/// For each host the hosts that it is cut off from, sorted; a host that is cut off from nobody has
/// none. Always mutual. `shape` is halves, isolate, bridge or majority-ring.
/// Failure: Code::invalid for another shape; Code::refused when there are too few hosts for it.
[[nodiscard]] Result<std::map<std::string, std::vector<std::string>>> cut_by_shape(
    std::string_view shape, std::vector<std::string> hosts, std::uint64_t seed);

}  // namespace drill
