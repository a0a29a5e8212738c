// Ends and proves what runs without a controller left open, and gives them their verdict. Shared by
// `undo`, `halt` and `close`. Must not: be used without the ledger's writer lock, but for finding.
// Next: core/engine/undoing.hpp, cmd_undo.cpp.
#pragma once

#include "cli/fleet.hpp"
#include "cli/session.hpp"
#include "ledger/sqlite_ledger.hpp"

#include <map>
#include <string>
#include <vector>

namespace drill::cli {

/// Which open leases; empty fields mean all.
struct Scope {
    std::string run;  ///< id
    std::string target, step;
    [[nodiscard]] bool whole() const { return run.empty() && target.empty() && step.empty(); }
};

struct DeadRun {
    std::string run, experiment;
    bool open_verdict{false};
    std::size_t other_leases{0};  ///< open ones that are not of the scope
    std::vector<Lease> leases;
};
struct DeadRuns {
    std::map<std::int64_t, DeadRun> runs;  ///< with something to do
    bool readable{true};                   ///< false: something is open that cannot be read, shown
    std::size_t elsewhere{0};              ///< open leases out of the scope
    [[nodiscard]] bool nothing() const { return runs.empty() && readable; }
};
/// Runs with open leases, and runs without a verdict.
[[nodiscard]] DeadRuns find_dead(const LedgerReader& reader, const Scope& scope);

/// The verdict of a run whose controller is gone, when everything of it is undone.
struct DeadEnd {
    std::string run;  ///< id; other runs are INVALID, "controller lost"
    Verdict verdict{Verdict::invalid};
    std::string ended_by, reason;
};

/// Undoes, reads back, prints what happens and at the end what remains. Blocks until every lease is
/// released or given up. True when all of the scope is proven.
[[nodiscard]] bool undo_dead(const Globals& globals, const LedgerReader& reader,
                             SqliteLedger& ledger, Fleet& fleet, const Scope& scope,
                             const DeadEnd& end);

/// Gives the ledger's current run its verdict when nothing of it is open and it has none: DIRTY
/// where a person closed a lease. Failure: as SqliteLedger::finish_run.
Status settle_dead(const LedgerReader& reader, SqliteLedger& ledger, const DeadEnd& end,
                   Outcome outcome, Instant now);

}  // namespace drill::cli
