// What a live host, or the live state of a group, says against a plan. Each gate gives a
// sentence with the host and the fix. Pure. Must not: stop at the first reason.
// Next: planner.hpp, which asks and gathers.
#pragma once

#include "model/host.hpp"
#include "plan/draft.hpp"

#include <map>
#include <string>
#include <vector>

namespace drill {

/// The gates of a host that is to be changed: tools, root, veto file, stop file, a guard that
/// can be armed, foreign leases on it, the controller reached by a detour.
[[nodiscard]] std::vector<std::string> host_gates(const std::string& name, const DraftHost& host,
                                                  const Facts& facts);

/// Hosts of the group that count as changed although this plan leaves them alone, each with the
/// reason: "lease 4fk2... of another run", or that it could not be asked.
using InForce = std::map<std::string, std::string>;

/// The limit on hosts at one time and on time. `draft.plan` has the steps; hosts are the
/// draft's.
[[nodiscard]] std::vector<std::string> limit_gates(const Draft& draft, const InForce& in_force);

/// "apt install nftables" for "nft"; "" for a tool that is not known.
[[nodiscard]] std::string fix_for_tool(const std::string& tool);

}  // namespace drill
