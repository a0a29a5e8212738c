// drill close: a person attests that a lease is over which drill could not prove. Changes the
// ledger, nothing on a host. Exit 0 = recorded, 2 = no such lease, 3 = REFUSED.
// Must not: close what can still be proven without saying so. Next: core/engine/attest.hpp.
#include "base/text.hpp"
#include "cli/control.hpp"
#include "cli/dead_runs.hpp"
#include "cli/verbs.hpp"
#include "engine/attest.hpp"
#include "report/text.hpp"

namespace drill::cli {

namespace {

int refuse_closed(const LeaseRow& row) {
    const std::string name = "lease " + row.id + " (" + row.step + " on " + row.host + ")";
    complain(row.state == "released"
                 ? name + " is released: its undo was read back, there is nothing to attest"
                 : name + " was closed by a person already. To see by whom: drill show " +
                       std::to_string(row.run) + " --events");
    progress("REFUSED. Nothing was recorded.");
    return exit_refused;
}

int refuse_held(const Error& error) {
    complain(error);
    progress(error.code == Code::busy
                 ? "REFUSED. Nothing was recorded: while somebody works with the ledger, the lease "
                   "may still be undone and proven."
                 : "Nothing was recorded.");
    return error.code == Code::busy ? exit_refused : exit_internal;
}

}  // namespace

int close_lease(const Globals& globals, const CloseOptions& options) {
    const std::string state = state_directory(globals);
    if (trim(options.reason).empty()) {
        complain("--reason is empty: say what was looked at, and by what it is known to be over");
        return exit_usage;
    }
    const Result<LedgerReader> reader = LedgerReader::open(state);
    if (!reader) {
        complain(reader.error());
        return unreadable(reader.error());
    }
    if (const auto row = reader->lease(options.lease); !row) {
        complain(row.error());
        return exit_usage;
    } else if (row->state == "released" || row->state == "closed") {
        return refuse_closed(*row);
    }
    auto ledger = SqliteLedger::open_writer(state, this_writer("", "close"));
    if (!ledger) { return refuse_held(ledger.error()); }
    // Read again under the lock: it may have been released in between.
    const Result<LeaseRow> row = reader->lease(options.lease);
    if (!row) { return refuse_held(row.error()); }
    if (row->state == "released" || row->state == "closed") { return refuse_closed(*row); }
    if (!row->lease) {
        complain("the lease cannot be read by this version: " + row->lease.error().text() +
                 ". Nothing was recorded");
        return exit_internal;
    }
    const Lease& lease = *row->lease;
    SystemClock clock;
    const Attested attested = attest(lease, {.by = short_name(who_runs()),
                                             .reason = std::string(trim(options.reason)),
                                             .at = clock.now()});
    Status done = (*ledger)->continue_run(lease.run);
    if (done) { done = (*ledger)->commit({&attested.event, 1}, {&attested.lease, 1}); }
    if (!done) { return refuse_held(done.error()); }
    const std::string host = safe(lease.connection.host);
    print("closed: lease " + lease.id + ", " + safe(lease.step) + " on " + host + ", was " +
          name_of(lease.state) +
          ".\n"
          "This changed nothing on " +
          host +
          ". It says that a person looked and vouches that\n"
          "the fault is over there: the lease no longer counts toward limits, no undo\n"
          "tries it again, and its run can never be called undone.\n");
    if (lease.state != LeaseState::stuck) {
        print("Its undo had not been given up; the next time let `drill undo` prove it.\n");
    }
    if (const Status filed = file_letters(state, *reader, **ledger, clock.now()); !filed) {
        complain(filed.error());
    }
    if (const Status settled = settle_dead(*reader, **ledger, {}, {}, clock.now()); !settled) {
        complain(settled.error());
    }
    print("  drill show " + std::to_string(row->run) + " --events\n");
    return exit_ok;
}

}  // namespace drill::cli
