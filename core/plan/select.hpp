// Which hosts: resolves selections against the catalog, draws the picked ones by seed, and does
// the arithmetic of the limit (blast radius). Pure; the order of the catalog does not matter.
// Must not: know the live state of a host. Next: order.hpp (what can overlap), planner.hpp.
#pragma once

#include "base/random.hpp"
#include "base/result.hpp"
#include "model/definition.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace drill {

/// "role=orders-app site=a", "app-1, app-2" or "all hosts".
[[nodiscard]] std::string describe_selection(const Selection& selection);

/// Sorted, unique names of the catalog hosts that match. Failure: Code::invalid when a name is
/// not in the catalog (with the nearest one), nothing is asked for, or nothing matches.
[[nodiscard]] Result<std::vector<std::string>> select_hosts(const Selection& selection,
                                                            const Catalog& catalog);

/// Draws from `matches` (sorted): the same seed and matches give the same hosts, sorted.
/// A percentage is rounded down. Failure: Code::refused when that is none, or more than match.
[[nodiscard]] Result<std::vector<std::string>> pick_hosts(const Pick& pick,
                                                          std::vector<std::string> matches,
                                                          std::uint64_t seed);
/// A seed for one target, so that adding a target leaves the picks of the others alone.
[[nodiscard]] std::uint64_t seed_for(std::uint64_t seed, std::string_view target);

/// "1", "50%" or "all", as in TOML.
[[nodiscard]] std::string describe_pick(const Pick& pick);

struct Limit {
    std::int64_t hosts{0};           ///< most hosts changed at one time, others' changes included
    std::string says;                ///< "at most 1 of 2 hosts (50 % of role=orders-app)"
    std::vector<std::string> group;  ///< sorted; whose live leases count
};

/// A target with the hosts that were picked for it.
struct PickedTarget {
    const TargetSpec* spec{nullptr};
    std::vector<std::string> hosts;
};

/// The limit in force: the least of `hosts` and of `share`, which is rounded down. Without
/// `limit.of` each target's share is of its own group (its labels; for targets given by name
/// the hosts of the same role), and the least one holds. Failure: Code::invalid without any
/// limit; Code::refused with the arithmetic when it comes to no host, or when a target lies
/// outside of `limit.of`.
[[nodiscard]] Result<Limit> limit_in_force(const LimitSpec& spec, const Catalog& catalog,
                                           std::span<const PickedTarget> targets);

}  // namespace drill
