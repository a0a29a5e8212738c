// See order.hpp. The steps of a chain are a partial order, so the largest crowd is a clique of
// the graph "can overlap", found by plain enumeration with a bound.
#include "plan/order.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>

namespace drill {

namespace {

constexpr std::size_t most_steps = 64;  // one bit each
// Cliques looked at before the plan is refused; a chain of 64 steps has 64.
constexpr std::size_t most_cliques = 200'000;

using Mask = std::uint64_t;
constexpr Mask bit(std::size_t index) { return Mask{1} << index; }

std::map<std::string, std::size_t> indices_of(std::span<const OrderedStep> steps) {
    std::map<std::string, std::size_t> indices;
    for (std::size_t i = 0; i < steps.size(); ++i) { indices.emplace(steps[i].name, i); }
    return indices;
}

/// Steps in an order in which every step stands behind those that it waits for.
/// Shorter than `after` when there is a circle.
std::vector<std::size_t> sorted_by_dependency(
    const std::vector<std::vector<std::size_t>>& waits_for) {
    std::vector<std::size_t> order;
    std::vector<bool> placed(waits_for.size(), false);
    for (bool moved = true; moved;) {
        moved = false;
        for (std::size_t i = 0; i < waits_for.size(); ++i) {
            const bool ready =
                !placed[i] && std::all_of(waits_for[i].begin(), waits_for[i].end(),
                                          [&](std::size_t other) { return placed[other]; });
            if (ready) {
                placed[i] = true;
                order.push_back(i);
                moved = true;
            }
        }
    }
    return order;
}

std::vector<std::vector<std::size_t>> waits_of(const std::vector<std::vector<After>>& after,
                                               const std::map<std::string, std::size_t>& indices) {
    std::vector<std::vector<std::size_t>> waits(after.size());
    for (std::size_t i = 0; i < after.size(); ++i) {
        for (const After& entry : after[i]) { waits[i].push_back(indices.at(entry.step)); }
    }
    return waits;
}

std::vector<std::vector<After>> afters(std::span<const OrderedStep> steps) {
    std::vector<std::vector<After>> all;
    for (const OrderedStep& step : steps) { all.push_back(step.after); }
    return all;
}

/// For each step, the steps that are released before it starts.
std::vector<Mask> released_before(std::span<const OrderedStep> steps) {
    const auto indices = indices_of(steps);
    std::vector<Mask> released(steps.size(), 0);
    for (const std::size_t i : sorted_by_dependency(waits_of(afters(steps), indices))) {
        for (const After& entry : steps[i].after) {
            const std::size_t other = indices.at(entry.step);
            released[i] |= released[other] | (entry.held ? 0 : bit(other));
        }
    }
    return released;
}

struct CliqueSearch {
    std::span<const OrderedStep> steps;
    std::vector<Mask> overlaps;
    std::set<std::string> always;
    std::set<std::string> best_hosts;
    Mask best{0};
    std::size_t looked{0};

    void look(Mask chosen) {
        std::set<std::string> hosts = always;
        for (std::size_t i = 0; i < steps.size(); ++i) {
            if ((chosen & bit(i)) != 0) {
                hosts.insert(steps[i].hosts.begin(), steps[i].hosts.end());
            }
        }
        if (hosts.size() > best_hosts.size() || best == 0) {
            best_hosts = std::move(hosts);
            best = chosen;
        }
    }
    /// False when the bound is reached. Only cliques that cannot grow are looked at.
    bool grow(Mask chosen, Mask candidates, Mask seen) {
        if (++looked > most_cliques) { return false; }
        if (candidates == 0) {
            if (seen == 0) { look(chosen); }
            return true;
        }
        for (std::size_t i = 0; i < steps.size(); ++i) {
            if ((candidates & bit(i)) == 0) { continue; }
            if (!grow(chosen | bit(i), candidates & overlaps[i], seen & overlaps[i])) {
                return false;
            }
            candidates &= ~bit(i);
            seen |= bit(i);
        }
        return true;
    }
};

}  // namespace

Result<std::vector<std::vector<After>>> resolve_after(std::span<const StepSpec> steps) {
    std::map<std::string, std::size_t> indices;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (!indices.emplace(steps[i].name, i).second) {
            return fail(Code::invalid, "two steps are named `" + steps[i].name + "`");
        }
        names.push_back(steps[i].name);
    }
    std::vector<std::vector<After>> after(steps.size());
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (!steps[i].after) {
            if (i > 0) { after[i].push_back(After{steps[i - 1].name, false}); }
            continue;
        }
        after[i] = *steps[i].after;
        for (const After& entry : after[i]) {
            if (indices.contains(entry.step)) { continue; }
            std::string message =
                "step `" + steps[i].name + "` waits for `" + entry.step + "`, which does not exist";
            if (const auto near = nearest(entry.step, names)) {
                message += "; did you mean `" + *near + "`?";
            }
            return fail(Code::invalid, std::move(message));
        }
    }
    const auto waits = waits_of(after, indices);
    const std::vector<std::size_t> order = sorted_by_dependency(waits);
    if (order.size() == steps.size()) { return after; }
    std::vector<std::string> circle;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (std::find(order.begin(), order.end(), i) == order.end()) {
            circle.push_back("`" + steps[i].name + "`");
        }
    }
    return fail(Code::invalid, "steps wait for each other in a circle: " + join(circle, ", "));
}

Result<Crowd> most_at_once(std::span<const OrderedStep> steps,
                           std::span<const std::string> always) {
    if (steps.size() > most_steps) {
        return fail(Code::refused, "an experiment has at most " + std::to_string(most_steps) +
                                       " steps, this one has " + std::to_string(steps.size()));
    }
    const std::vector<Mask> released = released_before(steps);
    CliqueSearch search{steps, std::vector<Mask>(steps.size(), 0), {}, {}, 0, 0};
    search.always.insert(always.begin(), always.end());
    search.best_hosts = search.always;
    Mask all = 0;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        all |= bit(i);
        for (std::size_t j = 0; j < steps.size(); ++j) {
            const bool apart = (released[i] & bit(j)) != 0 || (released[j] & bit(i)) != 0;
            if (i != j && !apart) { search.overlaps[i] |= bit(j); }
        }
    }
    if (!search.grow(0, all, 0)) {
        return fail(Code::refused,
                    "too many steps can overlap to count the hosts that are "
                    "changed at one time; order them with `after`");
    }
    Crowd crowd;
    crowd.hosts.assign(search.best_hosts.begin(), search.best_hosts.end());
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if ((search.best & bit(i)) != 0) { crowd.steps.push_back(steps[i].name); }
    }
    return crowd;
}

LongestPath longest_path(std::span<const OrderedStep> steps) {
    const auto indices = indices_of(steps);
    std::vector<Nanos> start(steps.size(), Nanos{0});
    std::vector<std::optional<std::size_t>> came_from(steps.size());
    LongestPath path;
    std::optional<std::size_t> last;
    for (const std::size_t i : sorted_by_dependency(waits_of(afters(steps), indices))) {
        for (const After& entry : steps[i].after) {
            const std::size_t other = indices.at(entry.step);
            const Nanos ready = start[other] + (entry.held ? Nanos{0} : steps[other].hold);
            if (ready > start[i] || !came_from[i]) {
                start[i] = std::max(start[i], ready);
                came_from[i] = other;
            }
        }
        if (start[i] + steps[i].hold > path.time || !last) {
            path.time = start[i] + steps[i].hold;
            last = i;
        }
    }
    for (std::size_t n = 0; last && n < steps.size(); ++n) {
        path.steps.push_back(steps[*last].name);
        last = came_from[*last];
    }
    std::reverse(path.steps.begin(), path.steps.end());
    return path;
}

std::vector<OrderedStep> ordered_steps(const Plan& plan) {
    std::vector<OrderedStep> steps;
    for (const PlannedStep& step : plan.steps) {
        OrderedStep ordered{step.name, {}, step.after, step.hold};
        for (const PlannedChange& change : step.changes) { ordered.hosts.push_back(change.host); }
        steps.push_back(std::move(ordered));
    }
    return steps;
}

}  // namespace drill
