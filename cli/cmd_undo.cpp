// drill undo: ends and proves whatever dead runs left open, from the ledger alone: the catalog
// and the definition may be gone. Exit 0 = everything is proven, 6 = not.
#include "base/ids.hpp"
#include "base/text.hpp"
#include "cli/session.hpp"
#include "cli/verbs.hpp"
#include "engine/runner.hpp"
#include "engine/undoing.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "report/json.hpp"
#include "report/text.hpp"

#include <algorithm>
#include <map>

namespace drill::cli {

namespace {

constexpr Nanos undo_budget = std::chrono::seconds{30};  // per run; more while a lease lives

struct Dead {
    std::string run, experiment;
    bool open_verdict{false};
    std::vector<Lease> leases;
};

/// Runs with open leases, and runs without a verdict. False: something cannot be read.
bool find_dead(const LedgerReader& reader, std::map<std::int64_t, Dead>& dead) {
    const auto runs = reader.runs();
    const auto leases = reader.open_leases();
    if (!runs || !leases) {
        complain(!runs ? runs.error() : leases.error());
        return false;
    }
    bool readable = true;
    for (const RunRow& row : *runs) {
        if (row.verdict.empty()) {
            dead[row.number] = {
                .run = row.run, .experiment = row.experiment, .open_verdict = true, .leases = {}};
        }
    }
    for (const LeaseRow& row : *leases) {
        if (!row.lease) {
            complain("lease " + row.id + " of run " + std::to_string(row.run) + " on " + row.host +
                     " (" + row.kind + ") cannot be read: " + row.lease.error().text() +
                     "\nend it on the host: sh /run/drill/" + row.id + "/undo");
            readable = false;
            continue;
        }
        Dead& one = dead[row.run];
        one.run = row.lease->run;
        const auto of = std::find_if(runs->begin(), runs->end(),
                                     [&](const RunRow& run) { return run.number == row.run; });
        if (of != runs->end()) { one.experiment = of->experiment; }
        one.leases.push_back(*row.lease);
    }
    return readable;
}

/// True when every lease of this run is released.
bool undo_run(const Globals& globals, SqliteLedger& ledger, Fleet& fleet, std::int64_t number,
              Dead dead) {
    if (const Status chained = ledger.continue_run(dead.run); !chained) {
        complain(chained.error());
        progress("the undo goes on without the ledger");
    }
    const std::size_t count = dead.leases.size();
    print("run " + std::to_string(number) +
          (dead.experiment.empty() ? "" : " (" + dead.experiment + ")") + ": " +
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
    if (dead.open_verdict && undoing.clean()) {
        Outcome outcome{};
        outcome.verdict = Verdict::invalid;
        outcome.ended_by = "controller lost";
        outcome.reasons = {"the controller was lost during the run; everything is undone now"};
        for (const Release& release : undoing.releases()) {
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
        const Status finished =
            ledger.finish_run(outcome.verdict, outcome_to_json(outcome), fleet.clock.now());
        if (!finished) { complain(finished.error()); }
    }
    (void)globals;
    return undoing.clean();
}

}  // namespace

int undo(const Globals& globals) {
    Signals signals;
    const std::string state = state_directory(globals);
    const Result<LedgerReader> reader = LedgerReader::open(state);
    if (!reader) {
        if (reader.error().code == Code::not_found) {
            print("there is no ledger in " + state + ": nothing was ever run from here\n");
            return exit_ok;
        }
        complain(reader.error());
        return exit_dirty;
    }
    std::map<std::int64_t, Dead> dead;
    bool clean = find_dead(*reader, dead);
    if (dead.empty() && clean) {
        print("nothing is open (ledger " + reader->path() + ")\n");
        return exit_ok;
    }
    Fleet fleet;
    signals.listen(fleet.mailbox, [] { return std::string("see above"); });
    auto ledger = SqliteLedger::open_writer(state, this_writer("", "undo"));
    if (!ledger) {
        complain(ledger.error());
        if (ledger.error().code == Code::busy) {
            progress("Nothing was done here: a run that is alive undoes its own changes.");
        }
        return exit_dirty;
    }
    // Read again under the lock: the run may have ended in between.
    dead.clear();
    clean = find_dead(*reader, dead);
    print("ledger " + reader->path() + "\n");
    for (auto& [number, one] : dead) {
        clean = undo_run(globals, **ledger, fleet, number, std::move(one)) && clean;
    }
    if (clean) {
        print("Everything is undone and read back.\n");
        return exit_ok;
    }
    const auto left = reader->open_leases();
    std::vector<LeaseLine> lines;
    if (left) {
        for (const LeaseRow& row : *left) {
            if (row.lease) {
                lines.push_back({.lease = *row.lease, .run_number = row.run, .found = ""});
            }
        }
    }
    print(render_leases(lines, fleet.clock.now(), controller_boot_id(), reader->path(),
                        page_style(globals)));
    print(
        "DIRTY: not everything is proven to be undone. Mend what is said above, then:\n"
        "  drill undo\n");
    return exit_dirty;
}

}  // namespace drill::cli
