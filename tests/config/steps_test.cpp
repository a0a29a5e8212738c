// Parameters that are an array of tables, as the steps of a transaction: read flat, in their order.
#include "config/codes.hpp"
#include "samples.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>

using namespace drill;
using namespace drill::test;

namespace {

/// Loads the sample with a probe kind that has steps; `steps` stands after its other keys.
LoadedExperiment load_steps(const std::string& steps) {
    static constexpr std::array<Param, 3> items{
        {{.name = "url", .type = ParamType::text, .required = true},
         {.name = "take", .type = ParamType::table},
         {.name = "ok.status", .type = ParamType::integer, .fallback = "200", .most = 599}}};
    static constexpr std::array<Param, 1> params{{{.name = "step",
                                                   .type = ParamType::steps,
                                                   .required = true,
                                                   .items = items.data(),
                                                   .item_count = items.size()}}};
    static constexpr ProbeKind walk{.name = "walk", .params = params};
    static constexpr std::array<const ProbeKind*, 2> table{&http, &walk};
    const std::string text =
        with(sample_experiment, "[[hypothesis]]",
             "[[probe]]\nname = \"walk\"\nkind = \"walk\"\nevery = \"1s\"\ntimeout = \"1s\"\n" +
                 steps + "\n[[hypothesis]]");
    return parse_experiment(text, "two.toml", kinds, table, nullptr);
}

}  // namespace

TEST_CASE("steps of a probe stand flat, numbered in their order, with their defaults") {
    const LoadedExperiment loaded = load_steps(
        "[[probe.step]]\nurl = \"a\"\ntake = { id = \"x\" }\n[[probe.step]]\nurl = \"b\"\n"
        "ok = { status = 201 }");
    REQUIRE(loaded.diagnostics.empty());
    const Values wanted{{"step.0.url", "a"},
                        {"step.0.take.id", "x"},
                        {"step.0.ok.status", std::int64_t{200}},
                        {"step.1.url", "b"},
                        {"step.1.ok.status", std::int64_t{201}}};
    CHECK(loaded.experiment.probes.at(1).params == wanted);
}

TEST_CASE(
    "a step with an unknown or missing key, no step, and too many are errors at their place") {
    const auto code = [](const std::string& steps) {
        const Diagnostics found = load_steps(steps).diagnostics;
        return found.size() == 1 ? found[0].code : std::to_string(found.size());
    };
    CHECK(code("[[probe.step]]\nurl = \"a\"\nulr = \"b\"") == codes::unknown_key);
    CHECK(code("[[probe.step]]\ntake = { id = \"x\" }") == codes::missing_key);
    CHECK(code("") == codes::missing_key);
    CHECK(code("step = []") == codes::out_of_range);
    CHECK(code("step = 1") == codes::wrong_type);
    std::string many;
    for (int i = 0; i < 17; ++i) { many += "[[probe.step]]\nurl = \"a\"\n"; }
    CHECK(code(many) == codes::out_of_range);
}
