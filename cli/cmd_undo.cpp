// drill undo: ends and proves whatever dead runs left open, from the ledger alone: the catalog
// and the definition may be gone. Exit 0 = everything that was asked for is proven, 6 = not.
// Must not: take the ledger from a run that is alive; `drill halt` does. Next: dead_runs.hpp.
#include "cli/control.hpp"
#include "cli/dead_runs.hpp"
#include "cli/verbs.hpp"

namespace drill::cli {

namespace {

/// A mistyped host must not read as "nothing is open": what is open is named.
int nothing_matches(const LedgerReader& reader, const UndoOptions& options) {
    std::string open;
    if (const auto leases = reader.open_leases()) {
        for (const LeaseRow& row : *leases) {
            open += (open.empty() ? "" : ", ") + row.step + " on " + row.host;
        }
    }
    std::string asked;
    if (!options.step.empty()) { asked += " of step " + options.step; }
    if (!options.target.empty()) { asked += " on " + options.target; }
    complain("no lease" + asked + " is open; open are: " + open +
             ". Nothing was done. To end all of them: drill undo");
    return exit_usage;
}

}  // namespace

int undo(const Globals& globals, const UndoOptions& options) {
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
    const Scope scope{.run = "", .target = options.target, .step = options.step};
    if (const DeadRuns dead = find_dead(*reader, scope); dead.nothing()) {
        if (dead.elsewhere > 0) { return nothing_matches(*reader, options); }
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
    // Found again under the lock: the run may have ended in between.
    return undo_dead(globals, *reader, **ledger, fleet, scope, {}) ? exit_ok : exit_dirty;
}

}  // namespace drill::cli
