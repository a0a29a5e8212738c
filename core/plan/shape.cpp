// See shape.hpp.
#include "plan/shape.hpp"

#include "base/random.hpp"

#include <algorithm>

namespace drill {

namespace {

/// Whether two places of the shuffled group are cut off from each other.
using Apart = bool (*)(std::size_t one, std::size_t other, std::size_t count);

bool halves(std::size_t one, std::size_t other, std::size_t count) {
    return (one < count / 2) != (other < count / 2);
}

bool isolate(std::size_t one, std::size_t other, std::size_t) { return (one == 0) != (other == 0); }

/// The first sees everybody; the others are two halves.
bool bridge(std::size_t one, std::size_t other, std::size_t count) {
    return one != 0 && other != 0 && halves(one - 1, other - 1, count - 1);
}

/// On a ring each sees as many neighbours to both sides as it takes for a majority with itself.
bool majority_ring(std::size_t one, std::size_t other, std::size_t count) {
    const std::size_t a = one > other ? one - other : other - one;
    const std::size_t distance = std::min(a, count - a);
    const std::size_t each_side = (count / 2 + 1) / 2;
    return distance > each_side;
}

struct Shape {
    std::string_view name;
    std::size_t least;  ///< hosts, so that somebody is cut off
    Apart apart;
};
constexpr Shape shapes[] = {{"halves", 2, halves},
                            {"isolate", 2, isolate},
                            {"bridge", 3, bridge},
                            {"majority-ring", 4, majority_ring}};

}  // namespace

Result<std::map<std::string, std::vector<std::string>>> cut_by_shape(std::string_view shape,
                                                                     std::vector<std::string> hosts,
                                                                     std::uint64_t seed) {
    const Shape* chosen = nullptr;
    for (const Shape& candidate : shapes) {
        if (candidate.name == shape) { chosen = &candidate; }
    }
    if (chosen == nullptr) {
        return fail(Code::invalid, "there is no shape `" + std::string(shape) + "`");
    }
    if (hosts.size() < chosen->least) {
        return fail(Code::refused, "shape = \"" + std::string(shape) + "\" needs " +
                                       std::to_string(chosen->least) +
                                       " hosts or more, and the target has " +
                                       std::to_string(hosts.size()));
    }
    std::sort(hosts.begin(), hosts.end());
    Random random(seed);
    random.shuffle(hosts);
    std::map<std::string, std::vector<std::string>> cut;
    for (std::size_t one = 0; one < hosts.size(); ++one) {
        std::vector<std::string>& peers = cut[hosts[one]];
        for (std::size_t other = 0; other < hosts.size(); ++other) {
            if (one != other && chosen->apart(one, other, hosts.size())) {
                peers.push_back(hosts[other]);
            }
        }
        std::sort(peers.begin(), peers.end());
    }
    return cut;
}

}  // namespace drill
