// What net-partition and net-loss share: from peers and routes to nft tables of our own with a
// fuse in the kernel, their renewal, undo and read-back, and the packets that make them bite.
// Must not: touch a foreign table, or let a rule outlive the lease. Every address, device and port
// that enters nft text has been parsed and written anew here.
// Next: net_text.hpp (the nft text), ../net-partition.md (for people).
#pragma once

#include "model/kind.hpp"

namespace drill::faults {

inline constexpr int drop_every_packet = 1'000'000;  ///< parts per million

inline constexpr Param net_from{
    .name = "from",
    .type = ParamType::selection,
    .required = true,
    .help = "The hosts (peers) whose traffic with the target is affected."};
inline constexpr Param net_direction{.name = "direction",
                                     .type = ParamType::choice,
                                     .fallback = "both",
                                     .help =
                                         "As the target sees it: in = what comes from the "
                                         "peers, out = what goes to them.",
                                     .choices = "in|out|both"};
inline constexpr Param net_protocol{.name = "protocol",
                                    .type = ParamType::choice,
                                    .fallback = "all",
                                    .help = "Which packets; icmp stands for ICMP and ICMPv6.",
                                    .choices = "all|tcp|udp|icmp"};
inline constexpr Param net_ports{
    .name = "ports",
    .type = ParamType::ports,
    .help = "Service ports of either side; without it every packet of the protocol matches."};

/// Asks for the route to each address of the peers. Read-only; needs `ip`.
[[nodiscard]] std::vector<Exec> net_observe(const ChangeRequest& request);
/// `drop_ppm` in 1..drop_every_packet: how many of a million matching packets are dropped.
[[nodiscard]] Result<Change> net_compose(const ChangeRequest& request, int drop_ppm);
/// `verb` is "drop" or "drop 5 % of".
[[nodiscard]] std::string net_describe(const ChangeRequest& request, std::string_view verb);

}  // namespace drill::faults
