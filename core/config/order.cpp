// See order.hpp.
#include "config/order.hpp"

#include "config/codes.hpp"

#include <cstdint>
#include <map>

namespace drill {

namespace {

enum class Seen : std::uint8_t { not_yet, on_the_way, finished };

struct Visit {
    std::size_t step;
    std::size_t next{0};  ///< which of its edges comes next
};

using Edges = std::vector<std::vector<std::size_t>>;

Edges edges_of(std::span<const StepOrder> steps) {
    std::map<std::string_view, std::size_t> by_name;
    for (std::size_t i = 0; i < steps.size(); ++i) { by_name.emplace(steps[i].name, i); }
    Edges edges(steps.size());
    for (std::size_t i = 0; i < steps.size(); ++i) {
        for (const std::string& name : steps[i].after) {
            const auto found = by_name.find(name);
            if (found != by_name.end()) { edges[i].push_back(found->second); }
        }
        if (!steps[i].given && i > 0) { edges[i].push_back(i - 1); }
    }
    return edges;
}

void report_cycle(std::span<const StepOrder> steps, const std::vector<Visit>& path,
                  std::size_t back_to, Report& report) {
    std::size_t from = 0;
    while (path[from].step != back_to) { ++from; }
    std::string names;
    // Carets go under an `after` of the cycle: what is waited for by file order has no key.
    std::size_t shown = path.back().step;
    for (std::size_t i = from; i < path.size(); ++i) {
        names += steps[path[i].step].name + " -> ";
        if (!steps[shown].given) { shown = path[i].step; }
    }
    const bool itself = path.back().step == back_to;
    report.error(codes::cycle, steps[shown].spot,
                 itself ? "this step waits for itself" : "these steps wait for each other",
                 names + steps[back_to].name +
                     (itself ? "" : "  (a step without `after` waits for the one before it)"));
}

}  // namespace

void report_cycles(std::span<const StepOrder> steps, Report& report) {
    const Edges edges = edges_of(steps);
    std::vector<Seen> seen(steps.size(), Seen::not_yet);
    for (std::size_t start = 0; start < steps.size(); ++start) {
        if (seen[start] != Seen::not_yet) { continue; }
        std::vector<Visit> path{{start}};  // no recursion: a file may have many steps
        seen[start] = Seen::on_the_way;
        while (!path.empty()) {
            Visit& top = path.back();
            if (top.next == edges[top.step].size()) {
                seen[top.step] = Seen::finished;
                path.pop_back();
                continue;
            }
            const std::size_t to = edges[top.step][top.next++];
            if (seen[to] == Seen::on_the_way) {
                report_cycle(steps, path, to, report);
            } else if (seen[to] == Seen::not_yet) {
                seen[to] = Seen::on_the_way;
                path.push_back({to});
            }
        }
    }
}

}  // namespace drill
