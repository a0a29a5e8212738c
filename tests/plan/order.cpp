// Order of steps, overlap and time.
#include "plan/order.hpp"

#include <doctest/doctest.h>

using namespace drill;
using namespace std::chrono_literals;

namespace {

StepSpec spec(const std::string& name, std::optional<std::vector<After>> after = {}) {
    StepSpec out;
    out.name = name;
    out.after = std::move(after);
    return out;
}
OrderedStep on(const std::string& name, std::vector<std::string> hosts, std::vector<After> after) {
    return {name, std::move(hosts), std::move(after), 10s};
}
std::size_t crowd(const std::vector<OrderedStep>& steps,
                  const std::vector<std::string>& always = {}) {
    const auto result = most_at_once(steps, always);
    REQUIRE(result);
    return result->hosts.size();
}

}  // namespace

TEST_CASE("without `after` a step waits until the one before it is undone") {
    const std::vector<StepSpec> steps{spec("a"), spec("b"), spec("c", std::vector<After>{})};
    const auto after = resolve_after(steps);
    REQUIRE(after);
    CHECK((*after)[0].empty());
    CHECK((*after)[1] == std::vector<After>{{"a", false}});
    CHECK((*after)[2].empty());
}

TEST_CASE("names that are unknown, doubled or waited for in a circle are errors") {
    const auto message = [](const std::vector<StepSpec>& steps) {
        const auto after = resolve_after(steps);
        REQUIRE_FALSE(after);
        CHECK(after.error().code == Code::invalid);
        return after.error().message;
    };
    CHECK(message({spec("cut-off"), spec("b", std::vector<After>{{"cut-of", false}})}) ==
          "step `b` waits for `cut-of`, which does not exist; did you mean `cut-off`?");
    CHECK(message({spec("a"), spec("a")}) == "two steps are named `a`");
    CHECK(message({spec("a", std::vector<After>{{"b", false}}),
                   spec("b", std::vector<After>{{"a", true}})}) ==
          "steps wait for each other in a circle: `a`, `b`");
    CHECK(message({spec("a", std::vector<After>{{"a", false}})}) ==
          "steps wait for each other in a circle: `a`");
}

TEST_CASE("steps one after the other change one host at a time") {
    CHECK(crowd({on("a", {"1"}, {}), on("b", {"2"}, {{"a", false}}),
                 on("c", {"3"}, {{"b", false}})}) == 1);
}

TEST_CASE("a step that starts as soon as another holds overlaps it") {
    CHECK(crowd({on("a", {"1"}, {}), on("b", {"2"}, {{"a", true}})}) == 2);
    CHECK(crowd({on("a", {"1"}, {}), on("b", {"1"}, {{"a", true}})}) == 1);
}

TEST_CASE("a chain through `held` does not wait for the first step's end") {
    CHECK(crowd({on("a", {"1"}, {}), on("b", {"2"}, {{"a", true}}),
                 on("c", {"3"}, {{"b", false}})}) == 2);
    CHECK(crowd({on("a", {"1"}, {}), on("b", {"2"}, {{"a", false}}),
                 on("c", {"3"}, {{"b", true}})}) == 2);
}

TEST_CASE("steps that start at once are all in force together") {
    CHECK(crowd({on("a", {"1"}, {}), on("b", {"2", "3"}, {}), on("c", {"3", "4"}, {})}) == 4);
}

TEST_CASE("hosts changed by others count besides, once") {
    CHECK(crowd({on("a", {"1"}, {})}, {"2", "3"}) == 3);
    CHECK(crowd({on("a", {"1"}, {})}, {"1"}) == 1);
}

TEST_CASE("the crowd names its steps in file order") {
    const std::vector<OrderedStep> steps{on("a", {"1"}, {}), on("b", {"2"}, {{"a", false}}),
                                         on("c", {"3", "4"}, {{"a", false}})};
    CHECK(most_at_once(steps, {})->steps == std::vector<std::string>{"b", "c"});
}

TEST_CASE("what cannot be counted is refused, not guessed") {
    std::vector<OrderedStep> many;
    for (int i = 0; i < 65; ++i) { many.push_back(on("s" + std::to_string(i), {"1"}, {})); }
    CHECK(most_at_once(many, {}).error().code == Code::refused);
    // 20 pairs of which one waits for the other: 2^20 crowds.
    many.clear();
    for (int i = 0; i < 20; ++i) {
        const std::string n = std::to_string(i);
        many.push_back(on("a" + n, {"a" + n}, {}));
        many.push_back(on("b" + n, {"b" + n}, {{"a" + n, false}}));
    }
    CHECK(most_at_once(many, {}).error().code == Code::refused);
}

TEST_CASE("the longest path adds what waits and overlaps what does not") {
    std::vector<OrderedStep> steps{on("a", {"1"}, {}), on("b", {"2"}, {{"a", true}}),
                                   on("c", {"3"}, {{"b", false}})};
    CHECK(longest_path(steps).time == 20s);
    CHECK(longest_path(steps).steps == std::vector<std::string>{"a", "b", "c"});
    steps[0].hold = 60s;
    CHECK(longest_path(steps).time == 60s);
    CHECK(longest_path(steps).steps == std::vector<std::string>{"a"});
    CHECK(longest_path({}).time == 0s);
}
