// What a live host, or the live state of a group, says against a plan. Each gate gives a
// sentence with the host and the fix. Pure. Must not: stop at the first reason.
// Next: planner.hpp, which asks and gathers.
#pragma once

#include "model/ground.hpp"
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

/// What keeps every change from a host: no root, the stop file, no guard, a foreign lease, the
/// controller reached by a detour. host_gates and doctor both say it in these words.
[[nodiscard]] std::vector<Lack> host_lacks(const std::string& name, const Connection& connection,
                                           const Facts& facts);
/// What keeps one kind from a host: tools that it needs (blank-separated), the veto file.
[[nodiscard]] std::vector<Lack> kind_lacks(std::string_view kind, std::string_view needs,
                                           const Facts& facts);
/// "says; fix", or what it says alone.
[[nodiscard]] std::string sentence(const Lack& lack);

/// The install command of the host's distribution, "apt install nftables" for "nft" where it is
/// not known; "" for a tool that is not known.
[[nodiscard]] std::string fix_for_tool(const std::string& tool, const Facts& facts = {});

/// When the login's account or password on the host ends, by its aging (plan/facts.hpp); as
/// sshd with PAM refuses commands from then on. Empty: never, or not known.
[[nodiscard]] std::vector<Credential> account_ends(const std::string& name,
                                                   const Connection& connection,
                                                   const Facts& facts);
/// What a run needs its credentials for: the limit on time, the lease and the time an undo is
/// tried for after it.
[[nodiscard]] Nanos credential_need(Nanos longest, Nanos lease_ttl);
/// A reason for each credential that ends within `need` of `now`.
[[nodiscard]] std::vector<std::string> credential_gates(const std::vector<Credential>& credentials,
                                                        Wall now, Nanos need);

}  // namespace drill
