// What the network kinds share: from peers and routes to nft tables of our own with a
// fuse in the kernel, their renewal, undo and read-back, and the packets that make them bite.
// Must not: touch a foreign table, or let a rule outlive the lease. Every address, device and port
// that enters nft text has been parsed and written anew here.
// Next: net_text.hpp (the nft text), ../net-partition.md (for people).
#pragma once

#include "faults/parts/net_text.hpp"
#include "model/kind.hpp"

namespace drill::faults {

inline constexpr int drop_every_packet = 1'000'000;  ///< parts per million

inline constexpr Param net_from{
    .name = "from",
    .type = ParamType::selection,
    .help = "The hosts (peers) whose traffic with the target is affected."};
inline constexpr Param net_addresses{
    .name = "addresses",
    .type = ParamType::texts,
    .help = "Addresses and networks besides those hosts: \"192.0.2.7\", \"10.8.0.0/16\"."};
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

/// What a kind wants with the packets that its parameters choose.
struct NetWish {
    Treatment treatment{Treatment::drop};
    int ppm{drop_every_packet};           ///< drop: how many of a million matching packets
    std::string answer;                   ///< reject: see NetCut::answer
    bool anyone{false};                   ///< whoever the other end is: no peers, ports instead
    bool outward{false};                  ///< only what the target sends, whatever `direction` says
    int affected_ppm{drop_every_packet};  ///< how many of a million show the effect
    int packets{1};                       ///< of drill's own, at least
    int size{1};                          ///< bytes of each of them
};

/// Asks for the route to each address of the peers, or for the devices of the target where
/// networks or very many addresses are meant. Read-only; needs `ip`.
[[nodiscard]] std::vector<Exec> net_observe(const ChangeRequest& request);
/// True when the target's kernel is known to be older.
[[nodiscard]] bool kernel_before(const Facts& facts, int major, int minor);
/// The cut that a request means. Failure: Code::refused with the reason and the way out.
[[nodiscard]] Result<NetCut> net_cut(const ChangeRequest& request, const NetWish& wish);
/// Packets of drill's own that the cut would treat.
[[nodiscard]] Result<std::vector<Stimulus>> net_stimuli(const ChangeRequest& request,
                                                        const NetWish& wish);
/// The whole change for kinds that need nothing but tables.
[[nodiscard]] Result<Change> net_compose(const ChangeRequest& request, const NetWish& wish);
/// `verb` is "drop" or "drop 5 % of".
[[nodiscard]] std::string net_describe(const ChangeRequest& request, std::string_view verb);
/// The same for what only goes out: "delay by 20 ms all traffic from app-1 to bal-1 (..)".
[[nodiscard]] std::string net_describe_outward(const ChangeRequest& request, std::string_view verb);

}  // namespace drill::faults
