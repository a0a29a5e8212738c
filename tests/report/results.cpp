// Claims of results for other programs: JUnit never hides trouble, and says what it is worth.
#include "report/results.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace drill;

namespace {

ReportInput input_of(Verdict verdict) {
    ReportInput input;
    input.experiment = "orders & <co>";
    input.run_id = "r1";
    input.number = 7;
    input.outcome.verdict = verdict;
    input.outcome.ended = std::chrono::milliseconds{1'500};
    return input;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("REFUSED, HALTED, INVALID and DIRTY are errors in JUnit, never skipped") {
    for (const Verdict verdict :
         {Verdict::refused, Verdict::halted, Verdict::invalid, Verdict::dirty, Verdict::usage}) {
        CAPTURE(name_of(verdict));
        const std::string xml = report_to_junit(input_of(verdict));
        CHECK(has(xml, "errors=\"1\" skipped=\"0\""));
        CHECK(has(xml, std::string("<error type=\"") + name_of(verdict) + "\""));
        CHECK_FALSE(has(xml, "<skipped"));
    }
}

TEST_CASE("FAILED is a failure and PASSED has neither failure nor error") {
    CHECK(has(report_to_junit(input_of(Verdict::failed)), "failures=\"1\" errors=\"0\""));
    const std::string passed = report_to_junit(input_of(Verdict::passed));
    CHECK(has(passed, "tests=\"1\" failures=\"0\" errors=\"0\""));
    CHECK_FALSE(has(passed, "<error"));
}

TEST_CASE("what could not be judged is an error of its own in JUnit") {
    ReportInput input = input_of(Verdict::invalid);
    input.outcome.hypotheses.push_back({.probe = "order",
                                        .part = "during",
                                        .claim = "success >= 90%",
                                        .finding = Finding::undecided,
                                        .measured = "blind"});
    const std::string xml = report_to_junit(input);
    CHECK(has(xml, "tests=\"2\" failures=\"0\" errors=\"2\""));
    CHECK(has(xml, "type=\"undecided\" message=\"blind\""));
}

TEST_CASE("an undo that is not proven is an error of its change") {
    ReportInput input = input_of(Verdict::dirty);
    input.outcome.changes.push_back({.step = "cut",
                                     .host = "app-1",
                                     .kind = "noop",
                                     .lease = "l1",
                                     .applied = true,
                                     .bit = true,
                                     .state = LeaseState::stuck});
    CHECK(has(report_to_junit(input), "<error type=\"open\" message=\"its undo is not proven\"/>"));
}

TEST_CASE("text from outside cannot break the XML") {
    ReportInput input = input_of(Verdict::invalid);
    input.outcome.reasons = {"a \"quoted\" <tag> & \x1b[31m \x01"};
    const std::string xml = report_to_junit(input);
    CHECK(has(xml, "drill.orders &amp; &lt;co&gt;"));
    CHECK(has(xml, "a &quot;quoted&quot; &lt;tag&gt; &amp; "));
    CHECK_FALSE(has(xml, "\x1b"));
    CHECK_FALSE(has(xml, "\x01"));
}

TEST_CASE("every result says class, fidelity and what was not measured") {
    Plan plan;
    plan.environment = "office";
    plan.environment_class = "staging";
    ReportInput input = input_of(Verdict::passed);
    input.plan = &plan;
    input.outcome.objectives.push_back({.name = "rpo", .measured = "not measured"});
    CHECK(scope_of(input).fidelity == "real");
    const auto json = nlohmann::json::parse(report_to_json(input));
    CHECK(json.at("environment_class") == "staging");
    CHECK(json.at("fidelity") == "real");
    CHECK(json.at("not_measured").size() == 2);
    CHECK(json.at("outcome").at("verdict") == "PASSED");
    CHECK(has(report_to_junit(input), "name=\"fidelity\" value=\"real\""));
    CHECK(has(render_report(input, {}), "class staging; fidelity real"));
    CHECK(has(render_report(input, {}), "not measured: rto: no objective was given"));
    const auto outcome = nlohmann::json::parse(outcome_with_scope(input));
    CHECK(outcome.at("verdict") == "PASSED");
    CHECK(outcome.at("scope").at("fidelity") == "real");
    plan.environment_class = "lab";
    CHECK(scope_of(input).fidelity == "lab");
}
