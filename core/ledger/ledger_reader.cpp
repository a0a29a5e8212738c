// Reading copies out of the ledger, see sqlite_ledger.hpp.
// Must not: keep a connection between calls, or read all events of a long run under one lock: the
// writer waits 1 s at most. Next: verify.cpp.
#include "base/ids.hpp"
#include "ledger/reading.hpp"
#include "ledger/schema.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "model/json.hpp"

#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <charconv>

namespace drill {

namespace {

constexpr std::chrono::milliseconds reader_patience{5000};

/// Columns of every query for RunRow.
#define DRILL_RUN_COLUMNS                                                                        \
    "SELECT r.number, r.run, r.experiment, r.environment, r.environment_class, "                 \
    "r.began_wall_ms, r.plan_hash, v.verdict, v.exit_code, v.ended_wall_ms, v.outcome, c.head, " \
    "(SELECT text FROM personal p WHERE p.run = r.number AND seq = 1 AND name = 'reason'), "     \
    "coalesce((SELECT text FROM personal p WHERE p.run = r.number AND seq = 1 AND "              \
    "name = 'who.SUDO_USER' AND length(text) > 0), "                                             \
    "(SELECT text FROM personal p WHERE p.run = r.number AND seq = 1 AND name = 'who.user')) "   \
    "FROM run r JOIN chain c ON c.run = r.number LEFT JOIN verdict v ON v.run = r.number "

Wall wall_of(std::int64_t ms) { return Wall{std::chrono::milliseconds{ms}}; }

RunRow run_row(const Row& row) {
    RunRow run;
    run.number = row.integer(0);
    run.run = row.text(1);
    run.experiment = row.text(2);
    run.environment = row.text(3);
    run.environment_class = row.text(4);
    run.began = wall_of(row.integer(5));
    run.plan_hash = row.text(6);
    if (!row.null(7)) {
        run.verdict = row.text(7);
        run.exit_code = static_cast<int>(row.integer(8));
        run.ended = wall_of(row.integer(9));
        run.outcome_json = row.text(10);
    }
    run.head = row.text(11);
    run.reason = row.text(12);
    run.who = row.text(13);
    return run;
}

constexpr const char* lease_columns_of_run =
    "SELECT id, step, host, kind, state, run, until_wall_ms, lease FROM lease WHERE run = ? "
    "ORDER BY rowid";
constexpr const char* lease_columns_open =
    "SELECT id, step, host, kind, state, run, until_wall_ms, lease FROM lease "
    "WHERE state NOT IN ('released', 'closed') ORDER BY run, rowid";

constexpr const char* lease_columns_by_id =
    "SELECT id, step, host, kind, state, run, until_wall_ms, lease FROM lease "
    "WHERE ? <> '' AND substr(id, 1, length(?)) = ? ORDER BY id = ? DESC, rowid LIMIT 4";

LeaseRow lease_row(const Row& row) {
    LeaseRow out{.id = row.text(0),
                 .step = row.text(1),
                 .host = row.text(2),
                 .kind = row.text(3),
                 .state = row.text(4),
                 .run = row.integer(5),
                 .until = wall_of(row.integer(6)),
                 .lease = lease_from_json(row.text(7))};
    if (!out.lease) { out.lease = std::move(out.lease).error().at("lease " + out.id); }
    return out;
}

Result<std::vector<LeaseRow>> read_leases(const std::string& path, const char* sql,
                                          std::initializer_list<Bound> values) {
    DRILL_TRY(const Reading reading, Reading::open(path));
    std::vector<LeaseRow> leases;
    DRILL_CHECK(reading->each(sql, values, [&](const Row& row) {
        leases.push_back(lease_row(row));
        return ok();
    }));
    return leases;
}

Status add_personal(Database& database, std::int64_t run, std::vector<EventRow>& page) {
    for (EventRow& row : page) { row.event.personal.clear(); }  // the digests of the body
    if (page.empty()) { return ok(); }
    return database.each(
        "SELECT seq, name, text FROM personal WHERE run = ? AND seq BETWEEN ? AND ?",
        {run, page.front().seq, page.back().seq}, [&](const Row& row) {
            const auto at =
                std::lower_bound(page.begin(), page.end(), row.integer(0),
                                 [](const EventRow& e, std::int64_t seq) { return e.seq < seq; });
            if (at != page.end() && at->seq == row.integer(0)) {
                at->event.personal[row.text(1)] = row.text(2);
            }
            return ok();
        });
}

Result<std::vector<EventRow>> read_page(Database& database, std::int64_t run, std::int64_t after) {
    std::vector<EventRow> page;
    DRILL_CHECK(each_event(database, run, after, [&](const RawEvent& raw) -> Status {
        Result<Event> event = event_from_body(raw.body);
        if (!event) {
            return std::move(event).error().at("event " + std::to_string(raw.seq) + " of run " +
                                               std::to_string(run));
        }
        event->at = raw.at;
        event->type = raw.type;
        page.push_back({raw.seq, *std::move(event), std::string(raw.body), std::string(raw.leaf)});
        return ok();
    }));
    DRILL_CHECK(add_personal(database, run, page));
    return page;
}

Result<std::string> read_bytes(const std::string& path, const char* sql, std::int64_t run) {
    DRILL_TRY(const Reading reading, Reading::open(path));
    Result<std::string> bytes = reading->text(sql, {run});
    if (!bytes && bytes.error().code == Code::not_found) {
        return fail(Code::not_found, "there is no run " + std::to_string(run));
    }
    return bytes;
}

}  // namespace

SignalsHeld::SignalsHeld() noexcept {
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTSTP);
    sigaddset(&stops, SIGTTIN);
    sigaddset(&stops, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &stops, &before_);
}

SignalsHeld::~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

Result<Reading> Reading::open(const std::string& path) {
    Reading reading;
    if (access(path.c_str(), F_OK) != 0) {
        const bool absent = errno == ENOENT || errno == ENOTDIR;
        return fail(absent ? Code::not_found : Code::internal,
                    absent ? "there is no ledger in " + path + " yet"
                           : "the ledger " + path + " cannot be reached");
    }
    DRILL_TRY(reading.database_, Database::open(path, Access::read, reader_patience));
    DRILL_CHECK(check_version(*reading.database_, path));
    return reading;
}

Status each_event(Database& database, std::int64_t run, std::int64_t after,
                  const std::function<Status(const RawEvent&)>& take) {
    return database.each(
        "SELECT seq, type, at_boot_ns, at_wall_ms, body, leaf FROM event "
        "WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?",
        {run, after, events_per_page}, [&](const Row& row) {
            return take({row.integer(0), row.view(1),
                         Instant{Nanos{row.integer(2)}, wall_of(row.integer(3))}, row.view(4),
                         row.view(5)});
        });
}

Result<LedgerReader> LedgerReader::open(const std::string& directory) {
    LedgerReader reader(directory + "/ledger.db");
    DRILL_TRY(const Reading reading, Reading::open(reader.path_));
    DRILL_TRY(reader.id_, reading->text("SELECT id FROM ledger"));
    return reader;
}

Result<std::vector<RunRow>> LedgerReader::runs(std::int64_t most) const {
    DRILL_TRY(const Reading reading, Reading::open(path_));
    std::vector<RunRow> runs;
    DRILL_CHECK(reading->each(DRILL_RUN_COLUMNS "ORDER BY r.number DESC LIMIT ?", {most},
                              [&](const Row& row) {
                                  runs.push_back(run_row(row));
                                  return ok();
                              }));
    std::reverse(runs.begin(), runs.end());
    return runs;
}

Result<RunRow> LedgerReader::run(std::string_view key) const {
    std::int64_t number = 0;
    const auto [end, code] = std::from_chars(key.data(), key.data() + key.size(), number);
    if (code != std::errc() || end != key.data() + key.size()) { number = 0; }
    DRILL_TRY(const Reading reading, Reading::open(path_));
    std::vector<RunRow> found;
    DRILL_CHECK(reading->each(DRILL_RUN_COLUMNS
                              "WHERE r.number = ? OR (? <> '' AND substr(r.run, 1, length(?)) = ?) "
                              "ORDER BY r.run = ? DESC, r.number = ? DESC, r.number LIMIT 4",
                              {number, key, key, key, key, number}, [&](const Row& row) {
                                  found.push_back(run_row(row));
                                  return ok();
                              }));
    if (found.empty()) {
        return fail(Code::not_found, "there is no run `" + std::string(key) + "` in the ledger " +
                                         path_ + ": `drill ls` shows them");
    }
    const bool exact = found.front().run == key || found.front().number == number;
    if (!exact && found.size() > 1) {
        std::string names;
        for (const RunRow& row : found) { names += (names.empty() ? "" : ", ") + row.run; }
        return fail(Code::invalid, "`" + std::string(key) + "` fits several runs: " + names);
    }
    return std::move(found.front());
}

Result<std::vector<EventRow>> LedgerReader::events(std::int64_t run, std::int64_t after) const {
    DRILL_TRY(const Reading reading, Reading::open(path_));
    std::vector<EventRow> events;
    for (;;) {  // ends: each page is full or the last, and the chain of a run is finite
        DRILL_TRY(std::vector<EventRow> page, read_page(*reading, run, after));
        const bool last = static_cast<std::int64_t>(page.size()) < events_per_page;
        if (!page.empty()) { after = page.back().seq; }
        std::move(page.begin(), page.end(), std::back_inserter(events));
        if (last) { return events; }
    }
}

Result<std::vector<LeaseRow>> LedgerReader::leases(std::int64_t run) const {
    return read_leases(path_, lease_columns_of_run, {run});
}

Result<LeaseRow> LedgerReader::lease(std::string_view key) const {
    DRILL_TRY(std::vector<LeaseRow> found,
              read_leases(path_, lease_columns_by_id, {key, key, key, key}));
    if (found.empty()) {
        return fail(Code::not_found, "there is no lease `" + std::string(key) + "` in the ledger " +
                                         path_ + ": `drill ls` shows the " + "open ones");
    }
    if (found.size() > 1 && found.front().id != key) {
        std::string names;
        for (const LeaseRow& row : found) { names += (names.empty() ? "" : ", ") + row.id; }
        return fail(Code::invalid, "`" + std::string(key) + "` fits several leases: " + names);
    }
    return std::move(found.front());
}

Result<std::vector<LeaseRow>> LedgerReader::open_leases() const {
    return read_leases(path_, lease_columns_open, {});
}

Result<std::string> LedgerReader::plan(std::int64_t run) const {
    return read_bytes(path_, "SELECT plan FROM run_bytes WHERE run = ?", run);
}

Result<std::string> LedgerReader::definition(std::int64_t run) const {
    return read_bytes(path_, "SELECT definition FROM run_bytes WHERE run = ?", run);
}

Result<std::string> LedgerReader::catalog(std::int64_t run) const {
    return read_bytes(path_, "SELECT catalog FROM run_bytes WHERE run = ?", run);
}

}  // namespace drill
