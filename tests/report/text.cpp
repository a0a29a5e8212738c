// Reports, lists of runs and of leases as a person reads them.
#include "report/text.hpp"

#include "base/text.hpp"
#include "report/sample.hpp"

#include <algorithm>

using namespace drill;
using namespace std::chrono_literals;

namespace {

const std::string golden = std::string(DRILL_SOURCE_DIR) + "/tests/report/golden/";

std::string last_line(const std::string& text) {
    const std::vector<std::string> lines = split(trim(text), '\n');
    return lines.back();
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

/// Without folding, so that a sentence can be looked for.
std::string flat(const ReportInput& input) { return render_report(input, {1000, false, false}); }

LeaseLine sample_lease() {
    LeaseLine row;
    row.run_number = 7;
    row.lease.id = "abcdefghijkl";
    row.lease.step = "cut-off";
    row.lease.kind = "net-partition";
    row.lease.connection.host = "app-1";
    row.lease.state = LeaseState::held;
    row.lease.until = 112s;
    row.lease.until_wall = Wall{std::chrono::milliseconds{1'795'528'951'000}};
    row.lease.controller_boot = "boot-a";
    return row;
}

std::string leases_text(const LeaseLine& row, Nanos now = 100s) {
    return render_leases({&row, 1}, Instant{now, {}}, "boot-a", "/var/l.db", {1000, false, false});
}

}  // namespace

TEST_CASE("a passed run is reported with the verdict and the next command last") {
    const Plan plan = test::sample_plan();
    const std::string text = render_report(test::sample_report(plan), {80, false, false});
    test::check_golden(golden + "passed.txt", text);
    test::check_width(text, 80);
    CHECK(last_line(text) == "  drill show 7");
}

TEST_CASE("a change that was kept on purpose is not called undone") {
    Plan plan = test::sample_plan();
    plan.steps[0].changes[0].change.lasting = Lasting::stays;
    ReportInput input = test::sample_report(plan);
    input.outcome.changes[0].remark = "kept out on purpose: orders.service";
    const std::string text = render_report(input, {80, false, false});
    CHECK(has(text, "kept on purpose: kept out on purpose: orders.service"));
    CHECK(has(text, "1 change kept on purpose"));
    CHECK_FALSE(has(text, "Everything is undone"));
}

TEST_CASE("a dirty run names the host, the lease's reason and what to type") {
    const Plan plan = test::sample_plan();
    ReportInput input = test::sample_report(plan);
    input.outcome.verdict = Verdict::dirty;
    input.outcome.ended_by = "halt";
    input.outcome.incomplete = true;
    input.outcome.hypotheses[1].finding = Finding::broken;
    input.outcome.hypotheses[2].finding = Finding::undecided;
    input.outcome.hypotheses[2].measured = "9 % of the samples are unknown";
    input.outcome.objectives[0].finding = Finding::undecided;
    input.outcome.objectives.push_back({"rpo", 0s, Finding::undecided, "not measured"});
    input.outcome.outages.push_back({"order", 8s, unbounded, 150s, std::nullopt, "kill-app"});
    input.outcome.changes[0].state = LeaseState::stuck;
    input.outcome.changes[0].note = "nft answered rc 1: Operation not permitted";
    input.outcome.changes[1].check_finding = Finding::broken;
    input.outcome.changes[1].check = "orders-app is not back within 20 s";
    input.outcome.reasons = {"cut-off on app-1 is not proven undone",
                             "success of order during the faults was 71 %, wanted >= 90 %"};
    const std::string text = render_report(input, {80, false, false});
    test::check_golden(golden + "dirty.txt", text);
    test::check_width(text, 80);
    CHECK(has(text, "drill undo"));
    CHECK(has(text, "drill sweep app-1"));
}

TEST_CASE("the report reads the same in ASCII and without colour") {
    const Plan plan = test::sample_plan();
    const std::string text = render_report(test::sample_report(plan), {80, false, true});
    test::check_golden(golden + "passed-ascii.txt", text);
    CHECK(std::all_of(text.begin(), text.end(), [](char c) { return c == '\n' || c >= ' '; }));
}

TEST_CASE("colours carry nothing that the text does not say") {
    const Plan plan = test::sample_plan();
    const ReportInput input = test::sample_report(plan);
    std::string colored = render_report(input, {80, true, false});
    for (std::size_t at = colored.find('\x1b'); at != std::string::npos;
         at = colored.find('\x1b')) {
        colored.erase(at, colored.find('m', at) - at + 1);
    }
    CHECK(colored == render_report(input, {80, false, false}));
}

TEST_CASE("control bytes of targets do not reach the terminal") {
    const Plan plan = test::sample_plan();
    ReportInput input = test::sample_report(plan);
    const std::string evil = "a\x1b]0;owned\x07\x1b[2J\r\n\xe2\x80\xaetxt";
    input.by = evil;
    input.ledger = evil;
    input.outcome.ended_by = evil;
    input.outcome.reasons = {evil};
    input.outcome.verdict = Verdict::invalid;
    input.outcome.hypotheses[0].measured = evil;
    input.outcome.objectives[0].measured = evil;
    input.outcome.outages[0].probe = evil;
    for (ChangeOutcome& change : input.outcome.changes) {
        change.host = evil;
        change.note = evil;
        change.check = evil;
        change.state = LeaseState::stuck;
    }
    const std::string text = render_report(input, {80, false, false});
    CHECK_FALSE(has(text, "\x1b"));
    CHECK_FALSE(has(text, "\x07"));
    CHECK_FALSE(has(text, "\r"));
    CHECK_FALSE(has(text, "\xe2\x80\xae"));
    test::check_width(text, 80);
}

TEST_CASE("what is not known to be undone is never called undone") {
    const Plan plan = test::sample_plan();
    ReportInput input = test::sample_report(plan);
    for (const LeaseState state : {LeaseState::intended, LeaseState::armed, LeaseState::held,
                                   LeaseState::releasing, LeaseState::stuck, LeaseState::closed}) {
        CAPTURE(name_of(state));
        input.outcome.changes[0].state = state;
        CHECK_FALSE(has(flat(input), "Everything is undone"));
    }
    input.outcome.changes[0].state = LeaseState::released;
    CHECK(has(flat(input), "Everything is undone"));
}

TEST_CASE("a lease closed by a person is neither undone nor open") {
    const Plan plan = test::sample_plan();
    ReportInput input = test::sample_report(plan);
    input.outcome.changes[0].state = LeaseState::closed;
    CHECK(has(flat(input), "? closed by a person, not proven"));
    CHECK(has(flat(input), "1 lease closed by a person, not proven."));
    CHECK_FALSE(has(flat(input), "drill sweep"));
}

TEST_CASE("a dirty verdict alone keeps the report from calling it undone") {
    const Plan plan = test::sample_plan();
    ReportInput input = test::sample_report(plan);
    input.outcome.verdict = Verdict::dirty;
    CHECK_FALSE(has(flat(input), "Everything is undone"));
    CHECK(has(flat(input), "drill undo"));
}

TEST_CASE("a run that changed nothing says so") {
    ReportInput input;
    input.experiment = "x";
    input.outcome.verdict = Verdict::invalid;
    input.outcome.reasons = {"the baseline did not hold"};
    CHECK(has(verdict_line(input),
              "INVALID  x in 0 s.  the baseline did not hold.  Nothing was "
              "changed."));
}

TEST_CASE("a change whose apply was not seen to be done is open, not undone") {
    const Plan plan = test::sample_plan();
    ReportInput input = test::sample_report(plan);
    input.outcome.changes[0].applied = false;
    input.outcome.changes[0].bit = false;
    input.outcome.changes[0].state = LeaseState::releasing;
    CHECK(has(flat(input), "STILL OPEN (releasing)"));
}

TEST_CASE("a change that ended by itself shows how far past its time") {
    const Plan plan = test::sample_plan();
    ReportInput input = test::sample_report(plan);
    input.outcome.changes[0].overstay = 800ms;
    CHECK(has(flat(input), "ended by itself, read back; 800 ms past its time"));
    input.outcome.changes[0].overstay = -2s;
    CHECK(has(flat(input), "ended by itself, read back; 2 s before its time"));
}

TEST_CASE("a fault without a bite is marked as doubt") {
    const Plan plan = test::sample_plan();
    ReportInput input = test::sample_report(plan);
    input.outcome.changes[0].bit = false;
    CHECK(has(flat(input), "? no bite was seen"));
}

TEST_CASE("a lasting change is kept, not undone") {
    Plan plan = test::sample_plan();
    plan.steps[0].changes[0].change.lasting = Lasting::stays;
    ReportInput input = test::sample_report(plan);
    input.outcome.changes[0].state = LeaseState::held;
    CHECK(has(flat(input), "kept on purpose"));
    CHECK(has(flat(input), "1 change kept on purpose; the rest is undone."));
}

TEST_CASE("the worst outage stands in the verdict of a passed run") {
    const Plan plan = test::sample_plan();
    ReportInput input = test::sample_report(plan);
    input.outcome.outages.push_back({"order", 4s, 5s, 150s, Nanos{154s}, "kill-app"});
    CHECK(has(verdict_line(input), "Outage 4 s to 5 s (objective 10 s)."));
    input.outcome.outages.clear();
    CHECK(has(verdict_line(input), "No outage was seen (objective 10 s)."));
}

TEST_CASE("runs are listed with what remains of them") {
    std::vector<RunLine> rows(4);
    rows[0] = {9, "id9", "orders-backend-loss", "prod", {}, std::nullopt, std::nullopt, true};
    rows[1] = {8, "id8", "orders-backend-loss", "prod", {}, std::nullopt, std::nullopt, false};
    rows[1].open_leases = 1;
    rows[2] = {7, "id7", "orders-backend-loss", "lab", {}, Nanos{62s}, Verdict::passed};
    rows[3] = {6, "id6", "orders-\x1b[2Jloss", "lab", {}, Nanos{30s}, Verdict::failed};
    rows[3].incomplete = true;
    const std::string text = render_runs(rows, "/home/kim/ledger.db", {80, false, false});
    test::check_golden(golden + "runs.txt", text);
    test::check_width(text, 80);
}

TEST_CASE("an empty ledger is said to be empty, by name") {
    CHECK(render_runs({}, "/l.db", {80, false, false}) == "no run in ledger /l.db\n");
    CHECK(render_leases({}, {}, "", "/l.db", {80, false, false}) ==
          "no open lease in ledger /l.db\n");
}

TEST_CASE("open leases tell what happened, where, what remains and what to type") {
    std::vector<LeaseLine> rows{sample_lease(), sample_lease()};
    rows[0].lease.state = LeaseState::stuck;
    rows[0].lease.until = 50s;
    rows[0].lease.note =
        "read back answered 12: table ip drill_abcdefghijkl was altered by \x1b[1m";
    rows[0].found = "still active";
    rows[1].lease.connection.host = "app-2";
    const std::string text =
        render_leases(rows, Instant{100s, {}}, "boot-a", "/home/kim/ledger.db", {80, false, false});
    test::check_golden(golden + "leases.txt", text);
    test::check_width(text, 80);
}

TEST_CASE("a lease whose run goes on asks for no undo") {
    LeaseLine row = sample_lease();
    row.alive = true;
    CHECK(has(leases_text(row), "its run goes on"));
    CHECK_FALSE(has(leases_text(row), "drill undo"));
}

TEST_CASE("the verdict names the first clause of a reason that stands above it") {
    const Plan plan = test::sample_plan();
    ReportInput input = test::sample_report(plan);
    input.outcome.verdict = Verdict::failed;
    input.outcome.reasons = {"order during: success >= 100%: 98 % of 200 (4 failed, 0 unknown)"};
    CHECK(has(verdict_line(input), "order during: success >= 100%."));
    CHECK_FALSE(has(verdict_line(input), "98 %"));
    input.outcome.reasons = {"no renewal was answered for 15 s; the lease ends by itself"};
    CHECK(has(verdict_line(input), "no renewal was answered for 15 s."));
    CHECK_FALSE(has(verdict_line(input), "by itself"));
}

TEST_CASE("a lease says when it ends by itself, as far as that is known") {
    LeaseLine row = sample_lease();
    CHECK(has(leases_text(row), "ends by itself within 12 s"));
    CHECK(has(leases_text(row, 115s), "should have ended by itself 3 s ago"));
    row.lease.controller_boot = "boot-b";
    CHECK(has(leases_text(row), "has been rebooted since"));
    row.lease.change.lasting = Lasting::stays;
    CHECK(has(leases_text(row), "stays until somebody decides"));
}

TEST_CASE("a lease that is not open asks for nothing") {
    LeaseLine row = sample_lease();
    row.lease.state = LeaseState::released;
    CHECK_FALSE(has(leases_text(row), "drill undo"));
}

TEST_CASE("the verdict line says whether data was looked at, where it may be hurt") {
    const Plan plan = test::sample_plan();
    ReportInput input = test::sample_report(plan);
    CHECK_FALSE(has(verdict_line(input), "integrity"));
    input.outcome.integrity = Integrity::not_checked;
    CHECK(has(verdict_line(input), "Everything is undone; data integrity: not checked."));
    input.outcome.integrity = Integrity::checked;
    CHECK(has(verdict_line(input), "Everything is undone; data integrity: checked."));
}
