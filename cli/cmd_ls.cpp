// drill ls: the runs of the ledger, newest first, and the leases that are open.
#include "base/text.hpp"
#include "cli/session.hpp"
#include "cli/verbs.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "report/json.hpp"
#include "report/text.hpp"

#include <algorithm>

namespace drill::cli {

namespace {
std::optional<Verdict> verdict_of(const std::string& name) {
    for (const Verdict verdict :
         {Verdict::passed, Verdict::failed, Verdict::refused, Verdict::halted, Verdict::invalid,
          Verdict::dirty, Verdict::rehearsed}) {
        if (name == name_of(verdict)) { return verdict; }
    }
    return std::nullopt;
}
}  // namespace

int ls(const Globals& globals) {
    const std::string state = state_directory(globals);
    const Result<LedgerReader> reader = LedgerReader::open(state);
    if (!reader && reader.error().code == Code::not_found) {
        print("no runs: there is no ledger in " + state + "\n");
        return exit_ok;
    }
    if (!reader) {
        complain(reader.error());
        return unreadable(reader.error());
    }
    const auto runs = reader->runs(50);
    const auto leases = reader->open_leases();
    if (!runs || !leases) {
        complain(!runs ? runs.error() : leases.error());
        return exit_internal;
    }
    const auto holder = lock_holder(state);
    std::vector<RunLine> lines;
    for (const RunRow& row : *runs) {
        RunLine line{.number = row.number,
                     .id = row.run,
                     .experiment = row.experiment,
                     .environment = row.environment,
                     .began = row.began};
        line.verdict = verdict_of(row.verdict);
        if (row.ended) { line.took = *row.ended - row.began; }
        if (const auto outcome = outcome_from_json(row.outcome_json)) {
            line.incomplete = outcome->incomplete;
        }
        line.alive = holder && *holder && (*holder)->run == row.run && is_alive(**holder);
        line.open_leases = static_cast<std::size_t>(
            std::count_if(leases->begin(), leases->end(),
                          [&](const LeaseRow& lease) { return lease.run == row.number; }));
        lines.push_back(std::move(line));
    }
    std::reverse(lines.begin(), lines.end());
    print(render_runs(lines, reader->path(), page_style(globals)));
    std::vector<LeaseLine> open;
    for (const LeaseRow& row : *leases) {
        if (row.lease) {
            const bool goes_on = std::any_of(lines.begin(), lines.end(), [&](const RunLine& line) {
                return line.number == row.run && line.alive;
            });
            open.push_back(
                {.lease = *row.lease, .run_number = row.run, .found = "", .alive = goes_on});
        } else {
            complain("lease " + row.id + " on " + row.host + ": " + row.lease.error().text());
        }
    }
    SystemClock clock;
    if (!open.empty()) {
        print("\n" + render_leases(open, clock.now(), controller_boot_id(), reader->path(),
                                   page_style(globals)));
    }
    return exit_ok;
}

}  // namespace drill::cli
