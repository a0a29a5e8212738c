// Selections, picks and the arithmetic of limits, as tables.
#include "plan/select.hpp"

#include "plan/sample.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

using namespace drill;
using namespace drill::test;

namespace {

Catalog fleet_of(int count) {
    Catalog catalog;
    for (int i = 0; i < count; ++i) { catalog.hosts.push_back(host("h" + std::to_string(i), "x")); }
    return catalog;
}

Result<Limit> limit(const LimitSpec& spec, const TargetSpec& target, const Catalog& catalog) {
    auto hosts = select_hosts(target.match, catalog);
    REQUIRE(hosts);
    const std::vector<PickedTarget> picked{{&target, *hosts}};
    return limit_in_force(spec, catalog, picked);
}

}  // namespace

TEST_CASE("selections resolve to sorted names") {
    const Catalog catalog = sample_catalog();
    CHECK(*select_hosts(by_role("orders-app"), catalog) ==
          std::vector<std::string>{"app-1", "app-2"});
    CHECK(*select_hosts({.hosts = {"db-1", "app-2", "db-1"}}, catalog) ==
          std::vector<std::string>{"app-2", "db-1"});
    CHECK(select_hosts({.all = true}, catalog)->size() == 5);
    CHECK(*select_hosts({.labels = {{"role", "orders-app"}, {"site", "b"}}}, catalog) ==
          std::vector<std::string>{"app-2"});
}

TEST_CASE("a selection that names nothing, nobody or a stranger is an error") {
    const Catalog catalog = sample_catalog();
    CHECK(select_hosts({}, catalog).error().code == Code::invalid);
    CHECK(select_hosts(by_role("nobody"), catalog).error().message ==
          "no catalog host matches role=nobody");
    CHECK(select_hosts({.hosts = {"app-3"}}, catalog).error().message ==
          "no host `app-3` in the catalog; did you mean `app-1`?");
}

TEST_CASE("picks count, and percentages round down") {
    struct Row {
        Pick pick;
        int of{0};
        int picked{0};  // 0 = refused
    };
    const Row rows[] = {{{Pick::How::count, 1, {}}, 3, 1},
                        {{Pick::How::count, 3, {}}, 3, 3},
                        {{Pick::How::count, 4, {}}, 3, 0},
                        {{Pick::How::count, 0, {}}, 3, 0},
                        {{Pick::How::percent, 0, {500000}}, 3, 1},
                        {{Pick::How::percent, 0, {330000}}, 3, 0},
                        {{Pick::How::percent, 0, {333400}}, 3, 1},
                        {{Pick::How::percent, 0, {1000000}}, 3, 3},
                        {{Pick::How::all, 0, {}}, 7, 7}};
    for (const Row& row : rows) {
        CAPTURE(describe_pick(row.pick));
        CAPTURE(row.of);
        const auto hosts = *select_hosts({.all = true}, fleet_of(row.of));
        const auto picked = pick_hosts(row.pick, hosts, 1);
        CHECK((picked ? static_cast<int>(picked->size()) : 0) == row.picked);
    }
}

TEST_CASE("the same seed picks the same hosts, whatever the order of the catalog") {
    auto hosts = *select_hosts({.all = true}, fleet_of(20));
    auto reversed = hosts;
    std::reverse(reversed.begin(), reversed.end());
    const Pick pick{Pick::How::count, 5, {}};
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        CHECK(*pick_hosts(pick, hosts, seed) == *pick_hosts(pick, reversed, seed));
    }
}

TEST_CASE("over many seeds every host is picked sometimes") {
    const auto hosts = *select_hosts({.all = true}, fleet_of(5));
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        seen.insert(pick_hosts({Pick::How::count, 1, {}}, hosts, seed)->front());
    }
    CHECK(seen.size() == 5);
}

TEST_CASE("targets draw apart from each other") {
    CHECK(seed_for(1, "a") != seed_for(1, "b"));
    CHECK(seed_for(1, "a") != seed_for(2, "a"));
}

TEST_CASE("the limit in force is the least of hosts and share, rounded down") {
    struct Row {
        std::int64_t hosts;
        int share_ppm;  // 0 = not given
        int fleet;
        std::int64_t in_force;  // 0 = refused
    };
    const Row rows[] = {{1, 0, 10, 1},      {3, 500000, 10, 3}, {9, 500000, 10, 5},
                        {0, 500000, 3, 1},  {0, 333300, 3, 0},  {5, 100000, 9, 0},
                        {0, 1000000, 4, 4}, {2, 250000, 9, 2}};
    for (const Row& row : rows) {
        CAPTURE(row.share_ppm);
        CAPTURE(row.fleet);
        LimitSpec spec;
        spec.hosts = row.hosts;
        if (row.share_ppm > 0) { spec.share = Percent{row.share_ppm}; }
        const TargetSpec target{.name = "t", .match = by_role("x")};
        const auto result = limit(spec, target, fleet_of(row.fleet));
        CHECK((result ? result->hosts : 0) == row.in_force);
        if (!result) { CHECK(result.error().code == Code::refused); }
    }
}

TEST_CASE("a limit says its arithmetic") {
    LimitSpec spec;
    spec.share = Percent{500000};
    const TargetSpec target{.name = "backend", .match = by_role("orders-app")};
    CHECK(limit(spec, target, sample_catalog())->says ==
          "at most 1 of 2 hosts (50 % of role=orders-app)");
    spec.share = Percent{400000};
    CHECK(limit(spec, target, sample_catalog()).error().message ==
          "the limit allows no host: 40 % of 2 hosts (role=orders-app) is 40 % x 2 = less than 1, "
          "rounded down 0");
    spec = {};
    spec.hosts = 1;
    CHECK(limit(spec, target, sample_catalog())->says == "at most 1 of 2 hosts");
}

TEST_CASE("no limit is an error") {
    const TargetSpec target{.name = "t", .match = by_role("x")};
    CHECK(limit({}, target, fleet_of(3)).error().code == Code::invalid);
}

TEST_CASE("the share of a target that is given by name is of its role") {
    LimitSpec spec;
    spec.share = Percent{500000};
    const TargetSpec target{.name = "backend", .match = {.hosts = {"app-1"}}};
    const auto result = limit(spec, target, sample_catalog());
    REQUIRE(result);
    CHECK(result->hosts == 1);
    CHECK(result->group == std::vector<std::string>{"app-1", "app-2"});
}

TEST_CASE("of two targets the narrower share holds") {
    Catalog catalog = fleet_of(10);
    catalog.hosts.push_back(host("z1", "db"));
    catalog.hosts.push_back(host("z2", "db"));
    const TargetSpec wide{.name = "wide", .match = by_role("x")};
    const TargetSpec narrow{.name = "narrow", .match = by_role("db")};
    const std::vector<PickedTarget> picked{{&wide, {"h0"}}, {&narrow, {"z1"}}};
    LimitSpec spec;
    spec.share = Percent{500000};
    const auto result = limit_in_force(spec, catalog, picked);
    REQUIRE(result);
    CHECK(result->hosts == 1);
    CHECK(result->group.size() == 12);
}

TEST_CASE("a target outside of limit.of is refused") {
    LimitSpec spec;
    spec.hosts = 1;
    spec.of = by_role("db");
    const TargetSpec target{.name = "backend", .match = by_role("orders-app")};
    CHECK(limit(spec, target, sample_catalog()).error().message ==
          "target `backend` has app-1, which is outside of limit.of (role=db)");
    spec.of = Selection{.all = true};
    spec.share = Percent{500000};
    CHECK(limit(spec, target, sample_catalog())->says == "at most 1 of 5 hosts");
}
