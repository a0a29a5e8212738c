// A run to report about, and comparison with golden files. Goldens are reviewed as code;
// DRILL_GOLDEN_WRITE=1 in the environment writes them anew.
#pragma once

#include "model/outcome.hpp"
#include "model/plan.hpp"
#include "report/text.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

namespace drill::test {

using namespace std::chrono_literals;

inline void check_golden(const std::string& path, const std::string& text) {
    if (std::getenv("DRILL_GOLDEN_WRITE") != nullptr) {
        std::ofstream(path, std::ios::binary) << text;
    }
    std::ifstream file(path, std::ios::binary);
    std::stringstream expected;
    expected << file.rdbuf();
    CAPTURE(path);
    CHECK(text == expected.str());
}

inline void check_width(const std::string& text, std::size_t columns) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        CAPTURE(line);
        CHECK(visible_width(line) <= columns);
        CHECK_FALSE(line.ends_with(' '));
    }
}

inline Plan sample_plan() {
    Plan plan;
    plan.experiment = "orders-backend-loss";
    plan.title = "Orders keeps answering when one backend is cut off";
    plan.environment = "lab";
    plan.environment_class = "lab";
    plan.hash = "9f3c07be5a1122334455667788990011";
    PlannedChange cut;
    cut.host = "app-1";
    cut.change.ending = Ending::kernel;
    PlannedChange kill;
    kill.host = "app-1";
    kill.change.ending = Ending::instant;
    plan.steps.push_back({"cut-off", "net-partition", "backend", {}, 30s, {}, false, {cut}});
    plan.steps.push_back({"kill-app", "process-kill", "backend", {}, 0s, {}, false, {kill}});
    return plan;
}

inline Outcome sample_outcome() {
    Outcome outcome;
    outcome.verdict = Verdict::passed;
    outcome.began = 100s;
    outcome.ended = 162s;
    outcome.hypotheses = {
        {"order", "before", "success >= 99% for 10s", Finding::held, "100 % of 200"},
        {"order", "during", "success >= 90%", Finding::held,
         "97.2 % of 580 (16 failed, 0 unknown)"},
        {"order", "regain", "within 10 s, held 5 s", Finding::held, "3.61 s"}};
    outcome.objectives = {{"rto", 10s, Finding::held, "3.52 s to 3.61 s (probe order, 50 ms)"}};
    outcome.outages = {{"order", 3520ms, 3610ms, 111s, Nanos{114600ms}, "cut-off"}};
    ChangeOutcome cut{"cut-off", "app-1", "net-partition", "abcdefghijkl"};
    cut.applied = cut.bit = true;
    cut.state = LeaseState::released;
    cut.bite_at = 110400ms;
    cut.undo_sent = 140400ms;
    cut.undone_at = 140500ms;
    ChangeOutcome kill{"kill-app", "app-1", "process-kill", "mnopqrstuvwx"};
    kill.applied = kill.bit = true;
    kill.state = LeaseState::released;
    kill.bite_at = 141s;
    kill.undo_sent = 142s;
    kill.check = "orders-app is back after 1.2 s";
    outcome.changes = {cut, kill};
    return outcome;
}

inline ReportInput sample_report(const Plan& plan) {
    ReportInput input;
    input.outcome = sample_outcome();
    input.plan = &plan;
    input.run_id = "4f9k2m7q0z1x";
    input.number = 7;
    input.began = Wall{std::chrono::milliseconds{1'795'528'951'204}};
    input.by = "kim";
    input.ledger = "/home/kim/.local/state/drill/ledger.db";
    return input;
}

}  // namespace drill::test
