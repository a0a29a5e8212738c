// What the verbs that look at or reach into a run share: which run is meant, its events as lines,
// the letters that others left for it. Must not: decide anything about a run.
// Next: cmd_halt.cpp, inbox_watch.hpp, core/ledger/inbox.hpp.
#pragma once

#include "cli/session.hpp"
#include "ledger/sqlite_ledger.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drill::cli {

/// The line of an event, with the words of people that the chain holds only as digests; "" for
/// events that have no line.
[[nodiscard]] std::string event_words(const Event& event);
/// "19:03:55.120  cut-off on app-1: bites", as `run` and `watch` print it.
[[nodiscard]] std::string event_line(const Event& event);
/// Not shown while a run goes on: what says nothing that another line does not say.
[[nodiscard]] bool is_quiet(const Event& event);

/// Who writes this ledger now; empty = nobody, or a process of which only a record is left.
[[nodiscard]] std::optional<WriterId> live_writer(const std::string& state);

/// What RUN means: a number, an id or its beginning; "" = the one that runs, else the last one.
/// Failure: not_found, invalid, internal.
[[nodiscard]] Result<RunRow> find_run(const LedgerReader& reader, const std::string& state,
                                      const std::string& key);

/// Copies what was committed since the last call; holds no lock in between.
class Follower {
public:
    Follower(const LedgerReader& reader, std::int64_t run, std::int64_t after = 0)
        : reader_(reader), run_(run), after_(after) {}
    [[nodiscard]] Result<std::vector<Event>> news();
    /// Passes over what is there already.
    Status skip();

private:
    const LedgerReader& reader_;
    std::int64_t run_;
    std::int64_t after_;
};

/// Puts the letters that wait for the ledger's current run into its chain and removes them: notes
/// are kept, a halt that came after the end is not. One that is there already is only removed.
Status file_letters(const std::string& state, const LedgerReader& reader, SqliteLedger& ledger,
                    const Instant& now);

}  // namespace drill::cli
