// drill show RUN: the report of a run, recomputed from nothing but the ledger, whose chain is
// checked first. --events prints what happened, line by line.
#include "base/text.hpp"
#include "cli/control.hpp"
#include "cli/session.hpp"
#include "cli/verbs.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "model/json.hpp"
#include "report/json.hpp"
#include "report/results.hpp"

namespace drill::cli {

namespace {

int show_open(const Globals& globals, const LedgerReader& reader, const RunRow& row) {
    const auto holder = lock_holder(state_directory(globals));
    const bool goes_on = holder && *holder && (*holder)->run == row.run && is_alive(**holder);
    print("run " + std::to_string(row.number) + "  " + safe(row.experiment) +
          (goes_on ? ": no verdict yet, it is still running\n"
                   : ": no verdict, its controller is gone\n"));
    const auto leases = reader.leases(row.number);
    std::vector<LeaseLine> lines;
    if (leases) {
        for (const LeaseRow& lease : *leases) {
            if (lease.lease && is_open(lease.lease->state)) {
                lines.push_back({.lease = *lease.lease,
                                 .run_number = row.number,
                                 .found = "",
                                 .alive = goes_on});
            }
        }
    }
    SystemClock clock;
    print(render_leases(lines, clock.now(), controller_boot_id(), reader.path(),
                        page_style(globals)));
    return exit_ok;
}

}  // namespace

int show(const Globals& globals, const ShowOptions& options) {
    const Result<LedgerReader> reader = LedgerReader::open(state_directory(globals));
    if (!reader) {
        complain(reader.error());
        return unreadable(reader.error());
    }
    const Result<RunRow> row = reader->run(options.run);
    if (!row) {
        complain(row.error());
        return exit_usage;
    }
    const Status chain = reader->verify(row->number);
    if (!chain) {
        complain("the ledger of this run does not hold together: " + chain.error().text());
        return exit_internal;
    }
    if (options.events) {
        const auto events = reader->events(row->number);
        if (!events) {
            complain(events.error());
            return exit_internal;
        }
        for (const EventRow& event : *events) {
            if (event.event.message.empty()) { continue; }
            print(std::to_string(event.seq) + "  " + rfc3339(event.event.at.wall) + "  " +
                  safe(event.event.type) + "  " + safe(event_words(event.event)) + "\n");
        }
        return exit_ok;
    }
    if (row->verdict.empty()) { return show_open(globals, *reader, *row); }
    const Result<Outcome> outcome = outcome_from_json(row->outcome_json);
    if (!outcome) {
        complain(outcome.error());
        return exit_internal;
    }
    std::optional<Plan> plan;
    if (const auto text = reader->plan(row->number)) {
        if (auto parsed = plan_from_json(*text)) { plan = *std::move(parsed); }
    }
    const ReportInput input{.outcome = *outcome,
                            .plan = plan ? &*plan : nullptr,
                            .experiment = row->experiment,
                            .run_id = row->run,
                            .number = row->number,
                            .began = row->began,
                            .by = row->who,
                            .ledger = reader->path()};
    print(options.json ? outcome_with_scope(input) : render_report(input, page_style(globals)));
    return exit_ok;
}

}  // namespace drill::cli
