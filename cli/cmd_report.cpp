// drill report RUN: the result of a run from the ledger alone, whose chain is checked first: as
// text, as JSON, as JUnit for a pipeline. Asks no host.
#include "cli/session.hpp"
#include "cli/verbs.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "model/json.hpp"
#include "report/json.hpp"
#include "report/results.hpp"

#include <fstream>

namespace drill::cli {

namespace {

bool write_file(const std::string& path, const std::string& text) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out << text;
    out.flush();
    if (out) { return true; }
    complain("cannot write " + path + ". The run is in the ledger all the same");
    return false;
}

/// Everything that a report is made of. Empty: `exit` is set and the reason was shown.
struct Stored {
    RunRow row;
    Outcome outcome;
    std::optional<Plan> plan;
};
std::optional<Stored> read_run(const LedgerReader& reader, const std::string& run, int& exit) {
    Result<RunRow> row = reader.run(run);
    exit = exit_usage;
    if (!row) {
        complain(row.error());
        return std::nullopt;
    }
    exit = exit_internal;
    if (const Status chain = reader.verify(row->number); !chain) {
        complain("the ledger of this run does not hold together: " + chain.error().text());
        return std::nullopt;
    }
    if (row->verdict.empty()) {
        exit = exit_usage;
        complain(
            "run " + std::to_string(row->number) +
            " has no verdict: it still runs, or its controller is gone. To see it: drill show " +
            std::to_string(row->number));
        return std::nullopt;
    }
    Result<Outcome> outcome = outcome_from_json(row->outcome_json);
    if (!outcome) {
        complain(outcome.error());
        return std::nullopt;
    }
    Stored stored{*std::move(row), *std::move(outcome), std::nullopt};
    if (const auto text = reader.plan(stored.row.number)) {
        if (auto plan = plan_from_json(*text)) { stored.plan = *std::move(plan); }
    }
    exit = exit_ok;
    return stored;
}

}  // namespace

int report(const Globals& globals, const ReportOptions& options) {
    const Result<LedgerReader> reader = LedgerReader::open(state_directory(globals));
    if (!reader) {
        complain(reader.error());
        return unreadable(reader.error());
    }
    int exit = exit_ok;
    const std::optional<Stored> stored = read_run(*reader, options.run, exit);
    if (!stored) { return exit; }
    const ReportInput input{.outcome = stored->outcome,
                            .plan = stored->plan ? &*stored->plan : nullptr,
                            .experiment = stored->row.experiment,
                            .run_id = stored->row.run,
                            .number = stored->row.number,
                            .began = stored->row.began,
                            .by = stored->row.who,
                            .ledger = reader->path()};
    if (!options.junit.empty() && !write_file(options.junit, report_to_junit(input))) {
        return exit_usage;
    }
    const PageStyle style = page_style(globals);
    print(options.format == "json" ? report_to_json(input) : render_report(input, style));
    return exit_ok;
}

}  // namespace drill::cli
