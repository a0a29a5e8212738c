// drill note: keeps a person's remark with a run. A run that is alive commits it itself, from a
// letter; else it is written here, under the lock. Exit 0 = it is in the ledger or will be.
// Must not: wait long, or take the ledger from anybody. Next: control.hpp.
#include "base/text.hpp"
#include "cli/control.hpp"
#include "cli/verbs.hpp"
#include "ledger/inbox.hpp"

#include <thread>

namespace drill::cli {

namespace {

constexpr Nanos answer_within = std::chrono::seconds{2};
constexpr std::chrono::milliseconds look_every{50};

int left_in_the_inbox(const RunRow& row) {
    progress("run " + std::to_string(row.number) +
             " has not taken it yet (is it stopped?). It is kept, and goes into the ledger with "
             "the next thing that is done with this run");
    return exit_ok;
}

void kept(const RunRow& row) {
    print("noted in run " + std::to_string(row.number) + " (" + safe(row.experiment) + ")\n");
}

}  // namespace

int note(const Globals& globals, const NoteOptions& options) {
    const std::string state = state_directory(globals);
    const std::string text(trim(options.text));
    if (text.empty() || text.size() > longest_letter) {
        complain(text.empty() ? "the note is empty. Nothing was written"
                              : "the note is longer than " + std::to_string(longest_letter) +
                                    " bytes. Nothing was written");
        return exit_usage;
    }
    const Result<LedgerReader> reader = LedgerReader::open(state);
    if (!reader) {
        complain(reader.error());
        return unreadable(reader.error());
    }
    const Result<RunRow> row = find_run(*reader, state, options.run);
    if (!row) {
        complain(row.error());
        return exit_usage;
    }
    SystemClock clock;
    const Result<std::string> letter = drop_letter(state, row->run,
                                                   {.id = "",
                                                    .verb = "note",
                                                    .by = short_name(who_runs()),
                                                    .text = text,
                                                    .at = clock.now().wall});
    if (!letter) {
        complain(letter.error());
        return exit_internal;
    }
    const Nanos until = clock.now().boot + answer_within;
    for (;;) {
        if (!letter_waits(state, row->run, *letter)) {
            kept(*row);
            return exit_ok;
        }
        const auto writer = live_writer(state);
        if (!writer || writer->run != row->run) {
            auto ledger = SqliteLedger::open_writer(state, this_writer("", "note"));
            if (ledger) {
                Status done = (*ledger)->continue_run(row->run);
                if (done) { done = file_letters(state, *reader, **ledger, clock.now()); }
                if (done) {
                    kept(*row);
                    return exit_ok;
                }
                complain(done.error());
                return left_in_the_inbox(*row);
            }
            if (ledger.error().code != Code::busy) {
                complain(ledger.error());
                return left_in_the_inbox(*row);
            }
        }
        if (clock.now().boot >= until) { return left_in_the_inbox(*row); }
        std::this_thread::sleep_for(look_every);
    }
}

}  // namespace drill::cli
