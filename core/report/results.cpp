// See results.hpp.
#include "report/results.hpp"

#include "base/text.hpp"
#include "report/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

namespace drill {

namespace {

using Json = nlohmann::json;

std::string experiment_of(const ReportInput& input) {
    return input.plan != nullptr ? input.plan->experiment : input.experiment;
}

std::string seconds_text(Nanos span) {
    char text[32];
    const auto ms = std::max<std::int64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(span).count(), 0);
    std::snprintf(text, sizeof text, "%lld.%03lld", static_cast<long long>(ms / 1000),
                  static_cast<long long>(ms % 1000));
    return text;
}

/// For attributes and for text. Control bytes are made visible first: XML 1.0 cannot hold them.
std::string xml(std::string_view text) {
    std::string out;
    for (const char c : safe(text)) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&apos;"; break;
            default: out += c; break;
        }
    }
    return out;
}

struct Case {
    std::string name;
    std::string trouble;  ///< "", "failure" or "error"
    std::string type, message;
};

Case judged_case(std::string name, Finding finding, const std::string& measured) {
    Case one{std::move(name), "", "", measured};
    if (finding == Finding::broken) {
        one.trouble = "failure";
        one.type = "broken";
    } else if (finding == Finding::undecided) {
        one.trouble = "error";
        one.type = "undecided";
    }
    return one;
}

Case change_case(const ChangeOutcome& change) {
    Case one{change.step + " on " + change.host + ": " + change.kind + " bites and is undone", "",
             "", change.note};
    const bool undone =
        change.state == LeaseState::released || (!change.applied && change.lease.empty());
    if (!undone) {
        one = {one.name, "error", "open", "its undo is not proven"};
    } else if (!change.applied || !change.bit) {
        one = {one.name, "error", "no-bite", change.note.empty() ? "no bite" : change.note};
    } else if (change.check_finding != Finding::held) {
        one = judged_case(one.name, change.check_finding, change.check);
    }
    return one;
}

Case verdict_case(const ReportInput& input) {
    const Verdict verdict = input.outcome.verdict;
    Case one{"verdict", "", name_of(verdict), join(input.outcome.reasons, "; ")};
    switch (verdict) {
        case Verdict::passed: break;
        case Verdict::failed: one.trouble = "failure"; break;
        case Verdict::usage:
        case Verdict::refused:
        case Verdict::halted:
        case Verdict::invalid:
        case Verdict::rehearsed:  // a pipeline without a drill is not green
        case Verdict::dirty: one.trouble = "error"; break;
    }
    return one;
}

std::vector<Case> cases_of(const ReportInput& input) {
    std::vector<Case> cases;
    for (const HypothesisOutcome& one : input.outcome.hypotheses) {
        cases.push_back(
            judged_case(one.probe + " " + one.part + ": " + one.claim, one.finding, one.measured));
    }
    for (const ObjectiveOutcome& one : input.outcome.objectives) {
        if (one.measured == "not measured") { continue; }  // stands in the properties
        cases.push_back(
            judged_case(one.name + " " + exact_duration(one.objective), one.finding, one.measured));
    }
    for (const ChangeOutcome& one : input.outcome.changes) { cases.push_back(change_case(one)); }
    cases.push_back(verdict_case(input));
    return cases;
}

std::string case_xml(const Case& one, const std::string& of) {
    std::string out = "    <testcase classname=\"" + xml(of) + "\" name=\"" + xml(one.name) + "\"";
    if (one.trouble.empty()) { return out + "/>\n"; }
    return out + ">\n      <" + one.trouble + " type=\"" + xml(one.type) + "\" message=\"" +
           xml(one.message) + "\"/>\n    </testcase>\n";
}

std::string property(std::string_view name, std::string_view value) {
    return "      <property name=\"" + xml(name) + "\" value=\"" + xml(value) + "\"/>\n";
}

}  // namespace

Scope scope_of(const ReportInput& input) {
    Scope scope;
    if (input.plan != nullptr) {
        scope.environment = input.plan->environment;
        scope.environment_class = input.plan->environment_class;
        scope.fidelity = scope.environment_class == "lab" ? "lab" : "real";
    } else {
        scope.environment = scope.environment_class = scope.fidelity = "not known";
    }
    const Outcome& outcome = input.outcome;
    if (outcome.fidelity != "real") { scope.fidelity = outcome.fidelity; }  // a rehearsal
    for (const HypothesisOutcome& one : outcome.hypotheses) {
        if (one.finding != Finding::undecided) { continue; }
        scope.not_measured.push_back(one.probe + " " + one.part + ": " + one.claim +
                                     (one.measured.empty() ? "" : ": " + one.measured));
    }
    bool rto = false;
    for (const ObjectiveOutcome& one : outcome.objectives) {
        rto = rto || one.name == "rto";
        if (one.finding == Finding::undecided) {
            scope.not_measured.push_back(one.name + " " + exact_duration(one.objective) + ": " +
                                         one.measured);
        }
    }
    if (outcome.integrity == Integrity::not_checked) {
        scope.not_measured.emplace_back("data integrity: not checked");
    }
    if (!rto) { scope.not_measured.emplace_back("rto: no objective was given"); }
    for (const ChangeOutcome& one : outcome.changes) {
        if (one.bit) { continue; }
        scope.not_measured.push_back(one.step + " on " + one.host + ": no bite was seen");
    }
    return scope;
}

std::string outcome_with_scope(const ReportInput& input) {
    const Scope scope = scope_of(input);
    Json json = Json::parse(outcome_to_json(input.outcome), nullptr, false);
    json["scope"] = {{"environment", scope.environment},
                     {"environment_class", scope.environment_class},
                     {"fidelity", scope.fidelity},
                     {"not_measured", scope.not_measured}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string report_to_json(const ReportInput& input) {
    const Scope scope = scope_of(input);
    Json json{{"by", input.by},
              {"drill_report", 1},
              {"environment", scope.environment},
              {"environment_class", scope.environment_class},
              {"exit_code", exit_code_of(input.outcome.verdict)},
              {"experiment", experiment_of(input)},
              {"fidelity", scope.fidelity},
              {"ledger", input.ledger},
              {"not_measured", scope.not_measured},
              {"number", input.number},
              {"began", rfc3339(input.began)},
              {"run", input.run_id}};
    json["plan_hash"] = input.plan == nullptr ? Json(nullptr) : Json(input.plan->hash);
    json["outcome"] = Json::parse(outcome_to_json(input.outcome), nullptr, false);
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string report_to_junit(const ReportInput& input) {
    const Scope scope = scope_of(input);
    const std::vector<Case> cases = cases_of(input);
    const auto count = [&](std::string_view trouble) {
        return std::to_string(std::count_if(
            cases.begin(), cases.end(), [&](const Case& one) { return one.trouble == trouble; }));
    };
    const std::string of = "drill." + experiment_of(input);
    const std::string totals = " tests=\"" + std::to_string(cases.size()) + "\" failures=\"" +
                               count("failure") + "\" errors=\"" + count("error") +
                               "\" skipped=\"0\" time=\"" +
                               seconds_text(input.outcome.ended - input.outcome.began) + "\"";
    std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites" + totals +
                      ">\n  <testsuite name=\"" + xml(of) + "\"" + totals + " timestamp=\"" +
                      rfc3339(input.began).substr(0, 19) + "\">\n    <properties>\n";
    out += property("run", std::to_string(input.number)) + property("run.id", input.run_id) +
           property("verdict", name_of(input.outcome.verdict)) +
           property("environment", scope.environment) +
           property("environment.class", scope.environment_class) +
           property("fidelity", scope.fidelity) +
           property("data.integrity", name_of(input.outcome.integrity));
    if (input.plan != nullptr) { out += property("plan.hash", input.plan->hash); }
    for (const std::string& one : scope.not_measured) { out += property("not.measured", one); }
    out += "    </properties>\n";
    for (const Case& one : cases) { out += case_xml(one, of); }
    return out + "  </testsuite>\n</testsuites>\n";
}

}  // namespace drill
