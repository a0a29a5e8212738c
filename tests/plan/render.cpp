// Plans as a person reads them.
#include "plan/render.hpp"

#include "base/text.hpp"
#include "plan/sample.hpp"
#include "report/sample.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace drill;
using namespace drill::test;

namespace {

const std::string golden = std::string(DRILL_SOURCE_DIR) + "/tests/plan/golden/";

Plan plan_of(const Experiment& experiment = sample_experiment(),
             const Catalog& catalog = sample_catalog()) {
    auto plan = make_plan({}, experiment, catalog);
    REQUIRE(plan);
    plan->hash = std::string(64, 'c');  // the form of the JSON is none of this page's business
    return *plan;
}
bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}
std::string flat(const Plan& plan) { return render_plan(plan, {.width = 1000}); }

}  // namespace

TEST_CASE("a plan fits a terminal of 80 columns") {
    const std::string text = render_plan(plan_of(), {.file = "orders.plan"});
    check_golden(golden + "plan.txt", text);
    check_width(text, 80);
}

TEST_CASE("with -v every command stands with its undo") {
    const std::string text = render_plan(plan_of(), {.verbose = true, .file = "orders.plan"});
    check_golden(golden + "plan-verbose.txt", text);
    CHECK(has(text, "nft delete table inet 'drill_{lease}'"));
    CHECK(has(text, "| "));
}

TEST_CASE("a guarded environment is said, and the command asks for name and reason") {
    Catalog catalog = sample_catalog();
    catalog.environment = "prod dr1";
    catalog.environment_class = "production";
    const std::string text = flat(plan_of(sample_experiment(), catalog));
    CHECK(has(text, "guarded"));
    CHECK(has(text, "drill run FILE.plan --confirm 'prod dr1' --reason '...'"));
    CHECK_FALSE(has(flat(plan_of()), "--confirm"));
}

TEST_CASE("without a plan file the next command makes the same picks") {
    const std::string text = render_plan(plan_of(), {.width = 1000, .source = "my orders.toml"});
    CHECK(has(text, "  drill run 'my orders.toml' --seed 4711\n"));
    const std::string again =
        render_plan(plan_of(), {.width = 1000, .of_plan = true, .source = "orders.plan"});
    CHECK(has(again, "  drill run orders.plan\n"));
}

TEST_CASE("a fault that cuts its own path says that halt cannot reach it") {
    Plan plan = plan_of();
    plan.steps[0].cuts_control = true;
    CHECK(has(flat(plan), "halt cannot reach this; ends by T + hold + 1 s (T + 31 s)"));
}

TEST_CASE("each ending says what holds without the controller") {
    Plan plan = plan_of();
    Change& change = plan.steps[0].changes[0].change;
    const auto with = [&](Ending ending) {
        change.ending = ending;
        return flat(plan);
    };
    CHECK(has(with(Ending::kernel),
              "by itself: the kernel lifts it at most 15 s after the last renewal"));
    CHECK(has(with(Ending::holder), "by itself: its holder process ends at most 15 s"));
    CHECK(has(with(Ending::watcher), "by itself: a guard on the host undoes it at most 15 s"));
    CHECK(has(with(Ending::durable), "and so does a reboot"));
    CHECK(has(with(Ending::off_target), "only drill ends it"));
    CHECK(has(with(Ending::instant), "at once, nothing to undo"));
    change.lasting = Lasting::stays;
    CHECK(has(flat(plan), "it stays until somebody decides"));
}

TEST_CASE("an objective that nothing measures is said to be unmeasured") {
    CHECK(has(flat(plan_of()), "RPO 0 s, not measured"));
}

TEST_CASE("text from files and hosts is escaped and long names are folded") {
    Plan plan = plan_of();
    const std::string evil = "x\x1b]0;owned\x07\n" + std::string(120, 'y');
    plan.title = plan.experiment = plan.environment = plan.contact = evil;
    plan.limit_says = evil;
    plan.steps[0].name = evil;
    plan.steps[0].changes[0].host = evil;
    plan.steps[0].changes[0].says = evil;
    plan.steps[0].changes[0].change.apply = {
        {.argv = {evil, std::string("a\0b", 3)}, .input = evil}};
    plan.probes[0].name = evil;
    plan.steps[1].after = {};
    const std::string text = render_plan(plan, {});
    CHECK_FALSE(has(text, "\x1b"));
    check_width(text, 80);
    const std::string verbose = render_plan(plan, {.verbose = true});
    CHECK_FALSE(has(verbose, "\x1b"));
    CHECK_FALSE(has(verbose, std::string(1, '\0')));
}

TEST_CASE("an ASCII page of a plan holds only ASCII") {
    Plan plan = plan_of();
    plan.title = "Größe";
    const std::string text = render_plan(plan, {.ascii = true});
    CHECK(std::all_of(text.begin(), text.end(), [](char c) { return c == '\n' || c >= ' '; }));
}

TEST_CASE("the estimate adds baseline, holds, checks and regain") {
    const Estimate time = estimate(plan_of());
    CHECK(time.about == 10s + 30s + 5s);
    CHECK(time.at_most == 10s + 30s + 20s + 15s + 10s + 5s);
}

TEST_CASE("starts are said in words") {
    CHECK(describe_after({}) == "at once");
    CHECK(describe_after({{"a", false}, {"b", true}}) ==
          "after a is undone and as soon as b holds");
}

TEST_CASE("values are described as they would be written") {
    CHECK(describe_value(Value{Nanos{90s}}) == "1m30s");
    CHECK(describe_value(Value{Percent{500000}}) == "50 %");
    CHECK(describe_value(Value{by_role("balancer")}) == "role=balancer");
    CHECK(describe_value(Value{std::vector<std::string>{"a", "b"}}) == "a b");
    CHECK(describe_value(Value{true}) == "true");
}
