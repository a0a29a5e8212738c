// What net-bandwidth and the netem kinds share: a queue of our own on each device that leads to the
// peers, and a table with a fuse that sends matching packets into its second class. All other
// packets pass the first one untouched, so the effect ends with the fuse, in the kernel; what
// stands then is a tree without effect, which guard or undo take away.
// Must not: replace a qdisc that somebody set. Next: net_rules.hpp, ../net-delay.md.
#pragma once

#include "faults/parts/net_rules.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace drill::faults {

inline constexpr Param net_to{.name = "to",
                              .type = ParamType::selection,
                              .help = "The hosts (peers) to which the target's packets go."};

/// What packets meet in the second class.
struct NetQueue {
    std::string netem;                    ///< words of tc-netem, "" = no netem but a rate
    std::int64_t rate{0};                 ///< bits per second, without netem
    int affected_ppm{drop_every_packet};  ///< how many of a million packets show it
};

/// Asks for what net_observe asks, then for the qdiscs of all devices and what the kernel has.
[[nodiscard]] std::vector<Exec> queue_observe(const ChangeRequest& request);
/// The whole change. Failure: Code::refused, also where the kernel lacks what it needs (with the
/// package that has it) and where a device has a qdisc that is not the kernel's default.
[[nodiscard]] Result<Change> queue_compose(const ChangeRequest& request, const NetQueue& queue);

/// "150000us" and "2.5000%", as tc reads them.
[[nodiscard]] std::string tc_time(Nanos span);
[[nodiscard]] std::string tc_percent(int ppm);

}  // namespace drill::faults
