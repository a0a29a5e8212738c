// See dead_runs.hpp.
#include "cli/dead_runs.hpp"

#include "base/ids.hpp"
#include "base/text.hpp"
#include "cli/control.hpp"
#include "engine/judge.hpp"
#include "engine/runner.hpp"
#include "engine/undoing.hpp"
#include "model/json.hpp"
#include "report/json.hpp"
#include "report/text.hpp"

#include <algorithm>

namespace drill::cli {

namespace {

constexpr Nanos undo_budget = std::chrono::seconds{30};  // per run; more while a lease lives

bool in_scope(const Scope& scope, const std::string& run, const LeaseRow& row) {
    return (scope.run.empty() || scope.run == run) &&
           (scope.target.empty() || scope.target == row.host) &&
           (scope.step.empty() || scope.step == row.step);
}

Outcome outcome_of(const std::deque<Release>& releases) {
    Outcome outcome{};
    for (const Release& release : releases) {
        ChangeOutcome change{};
        change.step = release.lease().step;
        change.host = release.lease().connection.host;
        change.kind = release.lease().kind;
        change.lease = release.lease().id;
        change.state = release.lease().state;
        change.undo_sent = release.undo_sent();
        change.undone_at = release.undone_at();
        outcome.changes.push_back(std::move(change));
    }
    return outcome;
}

/// True when every lease of the scope is released.
bool undo_run(const std::string& state, const LedgerReader& reader, SqliteLedger& ledger,
              Fleet& fleet, std::int64_t number, DeadRun dead, const DeadEnd& end) {
    if (const Status chained = ledger.continue_run(dead.run); !chained) {
        complain(chained.error());
        progress("the undo goes on without the ledger");
    }
    const std::size_t count = dead.leases.size();
    print("run " + std::to_string(number) +
          (dead.experiment.empty() ? "" : " (" + safe(dead.experiment) + ")") + ": " +
          (count == 0 ? "its controller is gone, nothing is open" : counted(count, "open lease")) +
          "\n");
    Undoing undoing(std::move(dead.leases), controller_boot_id(), undo_budget, random_seed());
    const RunnerReport report = drill::run(
        [&](const Instant& now, const std::vector<News>& news) { return undoing.turn(now, news); },
        {.clock = fleet.clock,
         .mailbox = fleet.mailbox,
         .transport = fleet.transport(),
         .ledger = ledger,
         .sampler = nullptr,
         .show = [](const Event& event) {
             if (event.type != "undo.sent" && event.type != "lease.released") {
                 print("  " + safe(event.message) + "\n");
             }
         }});
    if (!report.complete) {
        complain("the ledger does not hold all of this: " + report.ledger_problem);
    }
    if (const Status filed = file_letters(state, reader, ledger, fleet.clock.now()); !filed) {
        complain(filed.error());
    }
    if (dead.open_verdict && undoing.clean() && dead.other_leases == 0) {
        const Status finished =
            settle_dead(reader, ledger, end, outcome_of(undoing.releases()), fleet.clock.now());
        if (!finished) { complain(finished.error()); }
    }
    return undoing.clean();
}

void show_what_is_left(const Globals& globals, const LedgerReader& reader, Fleet& fleet) {
    const auto left = reader.open_leases();
    std::vector<LeaseLine> lines;
    if (left) {
        for (const LeaseRow& row : *left) {
            if (row.lease) {
                lines.push_back({.lease = *row.lease, .run_number = row.run, .found = ""});
            }
        }
    }
    print(render_leases(lines, fleet.clock.now(), controller_boot_id(), reader.path(),
                        page_style(globals)));
}

}  // namespace

DeadRuns find_dead(const LedgerReader& reader, const Scope& scope) {
    DeadRuns found;
    const auto runs = reader.runs();
    const auto leases = reader.open_leases();
    if (!runs || !leases) {
        complain(!runs ? runs.error() : leases.error());
        found.readable = false;
        return found;
    }
    for (const RunRow& row : *runs) {
        const bool wanted = scope.target.empty() && scope.step.empty() &&
                            (scope.run.empty() || scope.run == row.run);
        if (row.verdict.empty() && wanted) {
            found.runs[row.number] = {
                .run = row.run, .experiment = row.experiment, .open_verdict = true, .leases = {}};
        }
    }
    std::map<std::int64_t, std::size_t> others;
    for (const LeaseRow& row : *leases) {
        const auto of = std::find_if(runs->begin(), runs->end(),
                                     [&](const RunRow& run) { return run.number == row.run; });
        const std::string run = of == runs->end() ? "" : of->run;
        if (!in_scope(scope, run, row)) {
            ++others[row.run];
            ++found.elsewhere;
            continue;
        }
        if (!row.lease) {
            complain("lease " + row.id + " of run " + std::to_string(row.run) + " on " + row.host +
                     " (" + row.kind + ") cannot be read: " + row.lease.error().text() +
                     "\nend it on the host: sh /run/drill/" + row.id + "/undo");
            found.readable = false;
            ++others[row.run];
            continue;
        }
        DeadRun& one = found.runs[row.run];
        one.run = row.lease->run;
        if (of != runs->end()) {
            one.experiment = of->experiment;
            one.open_verdict = of->verdict.empty();
        }
        one.leases.push_back(*row.lease);
    }
    for (auto& [number, run] : found.runs) { run.other_leases = others[number]; }
    return found;
}

namespace {
/// Nobody looked at data after a controller was lost; whether it matters stands in the plan.
Integrity integrity_of(const LedgerReader& reader, std::int64_t number,
                       const std::vector<LeaseRow>& leases) {
    const Result<std::string> text = reader.plan(number);
    const Result<Plan> plan = text ? plan_from_json(*text) : Result<Plan>(text.error());
    if (!plan) { return Integrity::not_checked; }
    std::vector<ChangeOutcome> changes;
    changes.reserve(leases.size());
    for (const LeaseRow& lease : leases) {
        changes.push_back({.step = lease.step, .host = lease.host, .kind = "", .lease = lease.id});
    }
    return data_at_risk(*plan, changes) ? Integrity::not_checked : Integrity::not_applicable;
}
}  // namespace

Status settle_dead(const LedgerReader& reader, SqliteLedger& ledger, const DeadEnd& end,
                   Outcome outcome, Instant now) {
    DRILL_TRY(const RunRow row, reader.run(ledger.run_id()));
    DRILL_TRY(const std::vector<LeaseRow> leases, reader.leases(ledger.number()));
    if (!row.verdict.empty()) { return ok(); }
    for (const LeaseRow& lease : leases) {
        if (!lease.lease || is_open(lease.lease->state)) { return ok(); }
    }
    outcome.integrity = integrity_of(reader, ledger.number(), leases);
    const bool named = end.run == ledger.run_id();
    outcome.verdict = named ? end.verdict : Verdict::invalid;
    outcome.ended_by = named ? end.ended_by : "controller lost";
    outcome.reasons = {named ? end.reason
                             : "the controller was lost during the run; everything is undone now"};
    for (const LeaseRow& lease : leases) {
        if (lease.lease->state != LeaseState::closed) { continue; }
        if (outcome.verdict != Verdict::dirty) { outcome.reasons.clear(); }
        outcome.verdict = Verdict::dirty;
        outcome.reasons.push_back(lease.step + " on " + lease.host +
                                  ": closed by a person, its undo is not proven");
        const bool listed = std::any_of(outcome.changes.begin(), outcome.changes.end(),
                                        [&](const auto& one) { return one.lease == lease.id; });
        if (listed) { continue; }
        ChangeOutcome change{};
        change.step = lease.step;
        change.host = lease.host;
        change.kind = lease.kind;
        change.lease = lease.id;
        change.state = lease.lease->state;
        outcome.changes.push_back(std::move(change));
    }
    return ledger.finish_run(outcome.verdict, outcome_to_json(outcome), now);
}

bool undo_dead(const Globals& globals, const LedgerReader& reader, SqliteLedger& ledger,
               Fleet& fleet, const Scope& scope, const DeadEnd& end) {
    DeadRuns dead = find_dead(reader, scope);
    bool clean = dead.readable;
    print("ledger " + reader.path() + "\n");
    const std::string state = state_directory(globals);
    for (auto& [number, one] : dead.runs) {
        clean = undo_run(state, reader, ledger, fleet, number, std::move(one), end) && clean;
    }
    if (clean) {
        print(dead.elsewhere == 0
                  ? "Everything is undone and read back.\n"
                  : "What was asked for is undone and read back. " +
                        counted(dead.elsewhere, "other lease") +
                        (dead.elsewhere == 1 ? " is" : " are") + " still open:\n  drill undo\n");
        return true;
    }
    show_what_is_left(globals, reader, fleet);
    print(
        "DIRTY: not everything is proven to be undone. Mend what is said above, then:\n"
        "  drill undo\n");
    return false;
}

}  // namespace drill::cli
