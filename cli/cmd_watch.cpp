// drill watch: the event lines of a run, as they are committed, until it ends. Copies rows and
// prints them afterwards, so a watcher that stands still keeps nobody from writing.
// Must not: write anything. Next: control.hpp.
#include "base/text.hpp"
#include "cli/control.hpp"
#include "cli/verbs.hpp"
#include "report/json.hpp"
#include "report/text.hpp"

#include <thread>

namespace drill::cli {

namespace {

constexpr std::chrono::milliseconds look_every{200};
constexpr std::size_t behind_the_time = 14;  // "19:03:55.120  "

std::size_t open_leases(const LedgerReader& reader, std::int64_t run) {
    std::size_t open = 0;
    if (const auto leases = reader.leases(run)) {
        for (const LeaseRow& lease : *leases) {
            open += lease.state != "released" && lease.state != "closed" ? 1U : 0U;
        }
    }
    return open;
}

void show_end(const LedgerReader& reader, const RunRow& row, const PageStyle& style) {
    const Result<Outcome> outcome = outcome_from_json(row.outcome_json);
    std::string text = row.verdict + "  " + safe(row.experiment);
    if (outcome) {
        text = verdict_line({.outcome = *outcome,
                             .plan = nullptr,
                             .experiment = row.experiment,
                             .run_id = row.run,
                             .number = row.number,
                             .began = row.began,
                             .by = row.who,
                             .ledger = reader.path()});
    }
    print(fold(text, style.width, 2) + "\n  drill show " + std::to_string(row.number) + "\n");
}

int show_gone(const LedgerReader& reader, const RunRow& row, const PageStyle& style) {
    const std::size_t open = open_leases(reader, row.number);
    const std::string text = "run " + std::to_string(row.number) +
                             " has no verdict and its controller is gone; " +
                             (open == 0 ? "nothing of it is open."
                                        : counted(open, "lease") + (open == 1 ? " is" : " are") +
                                              " open; what is transient ends by itself in time.");
    print(fold(text, style.width, 2) + "\n  drill undo\n");
    return open == 0 ? exit_ok : exit_dirty;
}

}  // namespace

int watch(const Globals& globals, const std::string& key) {
    const std::string state = state_directory(globals);
    const Result<LedgerReader> reader = LedgerReader::open(state);
    if (!reader) {
        complain(reader.error());
        return unreadable(reader.error());
    }
    Result<RunRow> row = find_run(*reader, state, key);
    if (!row) {
        complain(row.error());
        return exit_usage;
    }
    print("run " + std::to_string(row->number) + "  " + safe(row->experiment) + "  environment " +
          safe(row->environment) + "  (ledger " + reader->path() + ")\n");
    const PageStyle style = page_style(globals);
    Follower follower(*reader, row->number);
    for (;;) {  // ends with the run, or with its controller
        // In this order: what was committed before the end is seen after it.
        const std::optional<WriterId> writer = live_writer(state);
        const Result<RunRow> now = reader->run(row->run);
        const Result<std::vector<Event>> events = follower.news();
        if (!now || !events) {
            complain(!now ? now.error() : events.error());
            return exit_internal;
        }
        for (const Event& event : *events) {
            if (is_quiet(event)) { continue; }
            print(fold(safe(event_line(event)), style.width, behind_the_time) + "\n");
        }
        if (!now->verdict.empty()) {
            show_end(*reader, *now, style);
            return exit_ok;
        }
        if (!writer || writer->run != row->run) { return show_gone(*reader, *now, style); }
        std::this_thread::sleep_for(look_every);
    }
}

}  // namespace drill::cli
