// What doctor found, as text for a person and as JSON for a program. The same facts in both.
// Must not: judge (plan/ground.hpp did) or ask. Next: model/ground.hpp, page.hpp.
#pragma once

#include "model/ground.hpp"
#include "report/page.hpp"

#include <span>
#include <string>

namespace drill {

/// full: every remark; brief: one line for a host, and what is not as it should be.
enum class Depth : bool { brief, full };

struct GroundInventory {
    std::vector<HostGround> hosts;   ///< in the order in which they are shown
    std::vector<Remark> controller;  ///< of this machine: a foreign drill, its tickets
    std::string read_only;           ///< what was and was not done on the hosts
};

/// Ends with a newline. The last lines say how many hosts can be used and what to type next.
[[nodiscard]] std::string render_ground(const GroundInventory& inventory, Depth depth,
                                        PageStyle style);
/// Sorted keys, no floats, durations in nanoseconds with keys ending in `_ns`. A member
/// "drill_doctor" says the version of this shape.
[[nodiscard]] std::string ground_to_json(const GroundInventory& inventory);

}  // namespace drill
