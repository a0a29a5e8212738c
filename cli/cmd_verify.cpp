// drill verify [RUN]: does the ledger still say what was committed? Recomputes every digest from
// the stored bytes, run by run. Changes nothing. Exit 1 is kept for what does not hold.
#include "base/text.hpp"
#include "cli/session.hpp"
#include "cli/verbs.hpp"
#include "ledger/sqlite_ledger.hpp"

#include <algorithm>

namespace drill::cli {

namespace {

constexpr int exit_broken = 1;
constexpr std::int64_t every_run = 1'000'000;

/// One line for a run that holds, with the head that somebody may have kept elsewhere.
void say_held(std::int64_t number, const RunRow* row, const Verified& found) {
    std::string line = "run " + std::to_string(number);
    if (row != nullptr) { line += "  " + safe(row->experiment); }
    line += "  " + counted(static_cast<std::size_t>(found.events), "event") + "  head " +
            found.head.substr(0, 16);
    if (row != nullptr) { line += row->verdict.empty() ? "  no verdict" : "  " + row->verdict; }
    print(line + "\n");
}

/// What does not hold is told of each run, not only of the first.
int check_runs(const LedgerReader& reader, std::int64_t from, std::int64_t to,
               const std::vector<RunRow>& rows) {
    int exit = exit_ok;
    for (std::int64_t number = from; number <= to; ++number) {
        const Result<Verified> found = reader.audit(number);
        const auto row = std::find_if(rows.begin(), rows.end(),
                                      [&](const RunRow& one) { return one.number == number; });
        if (found) {
            say_held(number, row == rows.end() ? nullptr : &*row, *found);
        } else if (found.error().code == Code::invalid) {
            complain("the chain does not hold: " + found.error().text());
            exit = exit_broken;
        } else {
            complain(found.error());
            return exit_internal;
        }
    }
    return exit;
}

/// One run, or all of them with what holds between them.
int check(const LedgerReader& reader, const std::string& run) {
    if (!run.empty()) {
        const Result<RunRow> row = reader.run(run);
        if (!row) {
            complain(row.error());
            return exit_usage;
        }
        return check_runs(reader, row->number, row->number, {*row});
    }
    const Result<std::int64_t> last = reader.last_number();
    const Result<std::vector<RunRow>> rows = reader.runs(every_run);
    if (!last || !rows) {
        complain(last ? rows.error() : last.error());
        return exit_internal;
    }
    int exit = check_runs(reader, 1, *last, *rows);
    const Status links = exit == exit_internal ? ok() : reader.verify_links();
    if (!links) {
        complain("the ledger does not hold together: " + links.error().text());
        exit = exit_broken;
    }
    return exit;
}

}  // namespace

int verify(const Globals& globals, const std::string& run) {
    const Result<LedgerReader> reader = LedgerReader::open(state_directory(globals));
    if (!reader) {
        complain(reader.error());
        return unreadable(reader.error());
    }
    const int exit = check(*reader, run);
    if (exit == exit_ok) { print("It holds: nothing was changed, added or cut out.\n"); }
    if (exit == exit_broken) {
        print("What was recorded can no longer be relied on. Keep a copy of the file as it is.\n");
    }
    print("ledger " + safe(reader->path()) + "  id " + safe(reader->id()) + "\n");
    return exit;
}

}  // namespace drill::cli
