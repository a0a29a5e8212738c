// Partition shapes: who is cut off from whom, and how a plan carries it.
#include "plan/shape.hpp"

#include "plan/sample.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

using namespace drill;
using namespace drill::test;

namespace {

using Cut = std::map<std::string, std::vector<std::string>>;

std::vector<std::string> group_of(std::size_t count) {
    std::vector<std::string> hosts;
    for (std::size_t i = 0; i < count; ++i) { hosts.push_back("n" + std::to_string(i)); }
    return hosts;
}

Cut cut(std::string_view shape, std::size_t count, std::uint64_t seed = 7) {
    auto made = cut_by_shape(shape, group_of(count), seed);
    REQUIRE(bool(made));
    return *std::move(made);
}

/// What each host still sees, itself included.
std::set<std::set<std::string>> views(const Cut& cut) {
    std::set<std::set<std::string>> all;
    for (const auto& [host, peers] : cut) {
        std::set<std::string> seen;
        for (const auto& [other, ignored] : cut) {
            if (std::find(peers.begin(), peers.end(), other) == peers.end()) { seen.insert(other); }
        }
        all.insert(seen);
    }
    return all;
}

std::size_t count_with(const Cut& cut, std::size_t peers) {
    return static_cast<std::size_t>(std::count_if(
        cut.begin(), cut.end(), [peers](const auto& one) { return one.second.size() == peers; }));
}

}  // namespace

TEST_CASE("every shape is mutual, sorted, and cuts nobody off from itself") {
    for (const char* shape : {"halves", "isolate", "bridge", "majority-ring"}) {
        for (std::size_t count = 4; count < 12; ++count) {
            CAPTURE(shape);
            CAPTURE(count);
            const Cut made = cut(shape, count);
            CHECK(made.size() == count);
            for (const auto& [host, peers] : made) {
                CHECK(std::is_sorted(peers.begin(), peers.end()));
                for (const std::string& peer : peers) {
                    CHECK(peer != host);
                    const std::vector<std::string>& back = made.at(peer);
                    CHECK(std::find(back.begin(), back.end(), host) != back.end());
                }
            }
        }
    }
}

TEST_CASE("halves are two groups, isolate is one against all, bridge leaves one with everybody") {
    CHECK(count_with(cut("halves", 5), 3) == 2);
    CHECK(count_with(cut("halves", 5), 2) == 3);
    CHECK(views(cut("halves", 6)).size() == 2);
    CHECK(count_with(cut("isolate", 5), 4) == 1);
    CHECK(count_with(cut("isolate", 5), 1) == 4);
    CHECK(count_with(cut("bridge", 5), 0) == 1);
    CHECK(count_with(cut("bridge", 5), 2) == 4);
}

TEST_CASE("on a majority ring each sees a majority and no two see the same one") {
    for (std::size_t count = 4; count < 16; ++count) {
        CAPTURE(count);
        const auto seen = views(cut("majority-ring", count));
        CHECK(seen.size() == count);
        for (const auto& view : seen) {
            CHECK(view.size() > count / 2);
            CHECK(view.size() < count);
        }
    }
}

TEST_CASE("the seed decides, the order of the hosts does not") {
    std::vector<std::string> backwards = group_of(9);
    std::reverse(backwards.begin(), backwards.end());
    CHECK(*cut_by_shape("halves", backwards, 7) == cut("halves", 9, 7));
    bool differs = false;
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
        differs = differs || cut("halves", 9, seed) != cut("halves", 9, 7);
    }
    CHECK(differs);
}

TEST_CASE("too few hosts and an unknown shape are refused") {
    const auto few = cut_by_shape("majority-ring", group_of(3), 1);
    REQUIRE_FALSE(bool(few));
    CHECK(few.error().code == Code::refused);
    CHECK(few.error().message ==
          "shape = \"majority-ring\" needs 4 hosts or more, and the target has 3");
    CHECK_FALSE(bool(cut_by_shape("bridge", group_of(2), 1)));
    CHECK(cut_by_shape("star", group_of(9), 1).error().code == Code::invalid);
}

TEST_CASE("a plan freezes each host's own peers, and the approved plan keeps them") {
    Experiment experiment = sample_experiment();
    experiment.targets[0].pick = Pick{.how = Pick::How::all, .count = 0, .percent = {}};
    experiment.limit.hosts = 2;
    experiment.limit.share = Percent{1'000'000};
    experiment.steps.resize(1);
    experiment.steps[0].with.erase("from");
    experiment.steps[0].with["shape"] = std::string("isolate");
    Fleet fleet;
    const auto plan = make_plan(fleet, experiment);
    if (!plan) { MESSAGE(plan.error().message); }
    REQUIRE(bool(plan));
    REQUIRE(plan->steps[0].changes.size() == 2);
    for (const PlannedChange& change : plan->steps[0].changes) {
        REQUIRE(change.peers.size() == 1);
        CHECK(change.peers[0].host == (change.host == "app-1" ? "app-2" : "app-1"));
    }
    Planner again(*plan, sample_kinds, PlannerOptions{});
    const auto same = run_planner(again, fleet);
    REQUIRE(bool(same));
    CHECK(same->steps[0].changes[0].peers == plan->steps[0].changes[0].peers);
    CHECK(same->hash == plan->hash);
}
