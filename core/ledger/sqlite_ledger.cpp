// The writer, see sqlite_ledger.hpp. Each public write is one BEGIN IMMEDIATE transaction; after
// an error of the disk the connection is thrown away and the head is read again from the file.
// Must not: retry a failed sync as if it were clean. Readers are in ledger_reader.cpp.
#include "ledger/sqlite_ledger.hpp"

#include "base/digest.hpp"
#include "base/ids.hpp"
#include "ledger/chain.hpp"
#include "ledger/database.hpp"
#include "ledger/schema.hpp"
#include "ledger/state_directory.hpp"
#include "model/json.hpp"

#include <algorithm>

namespace drill {

namespace {

/// A conductor waits this long behind a reader before it takes the ledger for blocked.
constexpr std::chrono::milliseconds writer_patience{1000};
constexpr std::size_t salt_length = 32;
constexpr std::size_t longest_type = 64;

bool is_type(std::string_view type) {
    return !type.empty() && type.size() <= longest_type &&
           std::all_of(type.begin(), type.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                      c == '-';
           });
}

std::int64_t wall_ms(Wall wall) { return wall.time_since_epoch().count(); }

/// What only exists in memory is lost with the process: an intended lease must survive the file.
bool survives(const Lease& lease, const std::string& json) {
    Result<Lease> back = lease_from_json(json);
    if (!back) { return false; }
    back->note = lease.note;  // for people; may hold what a target printed
    return *back == lease;
}

Event opened_event(const RunStart& start, const std::string& ledger, std::int64_t number) {
    Event event;
    event.at = start.at;
    event.type = "ledger.opened";
    event.message = "run " + std::to_string(number) + " is recorded";
    event.data = {{"number", number},
                  {"ledger", ledger},
                  {"run", start.run},
                  {"experiment", start.experiment},
                  {"environment", start.environment},
                  {"environment_class", start.environment_class},
                  {"plan_hash", start.plan_hash},
                  {"definition_sha256", sha256_hex(start.definition_bytes)},
                  {"catalog_sha256", sha256_hex(start.catalog_bytes)},
                  {"tool_version", start.tool_version},
                  {"tool_sha256", start.tool_sha256},
                  {"host_name", start.host_name},
                  {"controller_boot", start.controller_boot}};
    for (const auto& [name, version] : start.versions) { event.data["version." + name] = version; }
    for (const auto& [name, text] : start.who) { event.personal["who." + name] = text; }
    event.personal["reason"] = start.reason;
    return event;
}

Status check_events(std::span<const Event> events) {
    for (const Event& event : events) {
        if (!is_type(event.type) || event.type.starts_with("ledger.")) {
            return fail(Code::invalid, "`" + event.type + "` cannot be an event type");
        }
    }
    return ok();
}

}  // namespace

SqliteLedger::SqliteLedger(const std::string& directory, WriterId writer, WriterLock lock)
    : directory_(directory),
      path_(directory + "/ledger.db"),
      writer_(std::move(writer)),
      lock_(std::move(lock)) {}

SqliteLedger::~SqliteLedger() = default;

Result<std::unique_ptr<SqliteLedger>> SqliteLedger::open_writer(const std::string& directory,
                                                                const WriterId& writer) {
    DRILL_CHECK(make_state_directory(directory));
    DRILL_TRY(WriterLock lock, WriterLock::take(directory, writer));
    std::unique_ptr<SqliteLedger> ledger(new SqliteLedger(directory, writer, std::move(lock)));
    ledger->unclean_ = ledger->lock_.stale();
    DRILL_CHECK(make_private_file(ledger->path_));
    DRILL_CHECK(ledger->open_database());
    Database& database = *ledger->database_;
    DRILL_CHECK(migrate(database, ledger->path_, migrations()));
    if (ledger->unclean_) {
        DRILL_TRY(const std::int64_t open,
                  database.integer("SELECT count(*) FROM run WHERE (? = '' OR run = ?) AND "
                                   "number NOT IN (SELECT run FROM verdict)",
                                   {ledger->unclean_->run, ledger->unclean_->run}));
        if (open > 0) {
            DRILL_TRY(const std::string found, database.text("PRAGMA quick_check(1)"));
            if (found != "ok") {
                return fail(Code::internal, "the ledger " + ledger->path_ + " is damaged (" +
                                                found +
                                                "): keep a copy of the directory; "
                                                "`drill sweep` works without a ledger");
            }
        }
    }
    DRILL_TRY(ledger->id_, database.text("SELECT id FROM ledger"));
    ledger->ballast_ = static_cast<bool>(lay_ballast(directory));
    return ledger;
}

Status SqliteLedger::open_database() {
    DRILL_TRY(database_, Database::open(path_, Access::write, writer_patience));
    return ok();
}

/// A transaction on a connection that can be trusted.
Status SqliteLedger::begin() {
    if (!database_) {
        DRILL_CHECK(open_database());
        if (Status read = read_head(); !read) {
            database_.reset();
            return read;
        }
    }
    return database_->run("BEGIN IMMEDIATE", {});
}

Status SqliteLedger::read_head() {
    if (number_ == 0) { return ok(); }
    return database_->each("SELECT seq, head FROM chain WHERE run = ?", {number_},
                           [this](const Row& row) {
                               seq_ = row.integer(0);
                               head_ = row.text(1);
                               return ok();
                           });
}

/// The current run, also in the lock's record, so that a refused second writer can name it.
void SqliteLedger::name_run(std::string_view run) {
    run_ = run;
    writer_.run = run;
    static_cast<void>(lock_.write(writer_));  // the lock holds without its record
}

/// Takes back what a failed write did to the file and to this object, and remembers the gap.
Error SqliteLedger::give_up(Error error, std::size_t events, Instant at) {
    if (database_) {
        database_->undo_transaction();
        const bool reopen = database_->is_suspect();
        if (reopen) {
            database_.reset();
            static_cast<void>(open_database());
        }
        if (database_ && !read_head()) { database_.reset(); }
    }
    if (error.code == Code::no_space && ballast_) {
        free_ballast(directory_);
        ballast_ = false;
    }
    if (number_ != 0 && error.code != Code::invalid && error.code != Code::refused) {
        if (!gap_) { gap_ = Gap{.since = at, .reason = error.message}; }
        ++gap_->commits;
        gap_->events += static_cast<std::int64_t>(events);
    }
    return error;
}

Instant SqliteLedger::instant_of(std::span<const Event> events) const {
    return events.empty() ? last_at_ : events.front().at;
}

Status SqliteLedger::append(const Event& event) {
    std::map<std::string, std::string> digests;
    std::map<std::string, std::string> salts;
    for (const auto& [name, text] : event.personal) {
        salts[name] = random_id(salt_length);
        digests[name] = personal_digest(salts[name], text);
    }
    const std::string body = event_body(event, digests);
    const std::string leaf = leaf_of(
        {.previous = head_, .seq = seq_ + 1, .type = event.type, .at = event.at, .body = body});
    DRILL_CHECK(
        database_->run("INSERT INTO event (run, seq, type, at_boot_ns, at_wall_ms, body, "
                       "leaf) VALUES (?, ?, ?, ?, ?, ?, ?)",
                       {number_, seq_ + 1, event.type, event.at.boot.count(),
                        wall_ms(event.at.wall), body, leaf}));
    ++seq_;
    head_ = leaf;
    for (const auto& [name, text] : event.personal) {
        DRILL_CHECK(database_->run(
            "INSERT INTO personal (run, seq, name, salt, text) VALUES (?, ?, ?, ?, ?)",
            {number_, seq_, name, salts[name], Blob{text}}));
    }
    return ok();
}

Status SqliteLedger::append_gap(Instant at) {
    if (!gap_) { return ok(); }
    Event event;
    event.at = at;
    event.type = "ledger.gap";
    event.message = std::to_string(gap_->commits) + " commits failed since " +
                    std::to_string(gap_->since.boot.count()) + " ns: " + gap_->reason;
    event.data = {{"commits", gap_->commits},
                  {"events", gap_->events},
                  {"since_boot_ns", gap_->since.boot.count()},
                  {"since_wall_ms", wall_ms(gap_->since.wall)},
                  {"reason", gap_->reason}};
    return append(event);
}

Status SqliteLedger::store_lease(const Lease& lease, const std::string& json) {
    const std::string_view state = name_of(lease.state);
    DRILL_CHECK(database_->run(
        "UPDATE lease SET step = ?, host = ?, kind = ?, state = ?, until_boot_ns = ?, "
        "until_wall_ms = ?, lease = ? WHERE id = ? AND run = ?",
        {lease.step, lease.connection.host, lease.kind, state, lease.until.count(),
         wall_ms(lease.until_wall), json, lease.id, number_}));
    if (database_->changes() > 0) { return ok(); }
    return database_->run(
        "INSERT INTO lease (step, host, kind, state, until_boot_ns, until_wall_ms, lease, id, run) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        {lease.step, lease.connection.host, lease.kind, state, lease.until.count(),
         wall_ms(lease.until_wall), json, lease.id, number_});
}

/// Besides the rows, one event that binds them into the chain.
Status SqliteLedger::append_leases(std::span<const Lease> leases, Instant at) {
    if (leases.empty()) { return ok(); }
    Event event;
    event.at = at;
    event.type = "ledger.leases";
    for (const Lease& lease : leases) {
        const std::string name = "lease " + lease.id + " of run " + lease.run;
        if (lease.run != run_) {
            return fail(Code::invalid, name + " does not belong to the current run " + run_);
        }
        const std::string json = lease_to_json(lease);
        if (lease.state == LeaseState::intended && !survives(lease, json)) {
            return fail(Code::invalid,
                        name + " holds text that is not UTF-8: its undo would not survive");
        }
        DRILL_TRY(const std::int64_t gone_back,
                  database_->integer("SELECT count(*) FROM lease WHERE id = ? AND (run <> ? OR "
                                     "(state IN ('released', 'closed') AND state <> ?))",
                                     {lease.id, number_, std::string_view(name_of(lease.state))}));
        if (gone_back != 0) {
            return fail(Code::invalid,
                        name + " has ended and cannot become " + name_of(lease.state) + " again");
        }
        DRILL_CHECK(store_lease(lease, json));
        event.data[lease.id] = std::string(name_of(lease.state)) + " " + sha256_hex(json);
    }
    return append(event);
}

Status SqliteLedger::write(std::span<const Event> events, std::span<const Lease> leases) {
    const Instant first = instant_of(events);
    const Instant last = events.empty() ? last_at_ : events.back().at;
    DRILL_CHECK(begin());
    DRILL_CHECK(append_gap(first));
    for (const Event& event : events) { DRILL_CHECK(append(event)); }
    DRILL_CHECK(append_leases(leases, last));
    return database_->run("COMMIT", {});
}

Status SqliteLedger::commit(std::span<const Event> events, std::span<const Lease> leases) {
    if (number_ == 0) { return fail(Code::not_found, "no run is open in the ledger"); }
    DRILL_CHECK(check_events(events));
    if (events.empty() && leases.empty()) { return ok(); }
    if (Status done = write(events, leases); !done) {
        return give_up(std::move(done).error(), events.size(), instant_of(events));
    }
    gap_.reset();
    if (!events.empty()) { last_at_ = events.back().at; }
    return ok();
}

Status SqliteLedger::insert_run(const RunStart& start, std::int64_t number,
                                const std::string& previous) {
    const std::string genesis = genesis_of(start.plan_json, previous);
    DRILL_CHECK(database_->run(
        "INSERT INTO run (number, run, experiment, environment, environment_class, plan_hash, "
        "began_boot_ns, began_wall_ms, previous_head, genesis) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        {number, start.run, start.experiment, start.environment, start.environment_class,
         start.plan_hash, start.at.boot.count(), wall_ms(start.at.wall), previous, genesis}));
    DRILL_CHECK(database_->run(
        "INSERT INTO run_bytes (run, plan, definition, catalog) VALUES (?, ?, ?, ?)",
        {number, Blob{start.plan_json}, Blob{start.definition_bytes}, Blob{start.catalog_bytes}}));
    DRILL_CHECK(
        database_->run("INSERT INTO chain (run, seq, head) VALUES (?, 0, ?)", {number, genesis}));
    number_ = number;
    seq_ = 0;
    head_ = genesis;
    DRILL_CHECK(append(opened_event(start, id_, number)));
    return database_->run("COMMIT", {});
}

Result<std::int64_t> SqliteLedger::start_run(const RunStart& start) {
    if (!ballast_) { ballast_ = static_cast<bool>(lay_ballast(directory_)); }
    if (!ballast_) {
        return fail(Code::no_space, "less than 1 MiB is free in " + directory_ +
                                        ": no run begins that could not be recorded");
    }
    number_ = 0;  // a failure below is no gap in the run before
    run_.clear();
    gap_.reset();
    const auto attempt = [&]() -> Result<std::int64_t> {
        DRILL_CHECK(begin());
        DRILL_TRY(const std::int64_t taken,
                  database_->integer("SELECT count(*) FROM run WHERE run = ?", {start.run}));
        if (taken != 0 || start.run.empty()) {
            return fail(Code::invalid, "the run id `" + start.run + "` is empty or taken");
        }
        DRILL_TRY(const std::int64_t last,
                  database_->integer("SELECT coalesce(max(number), 0) FROM run"));
        std::string previous;
        if (last > 0) {
            DRILL_TRY(previous, database_->text("SELECT head FROM chain WHERE run = ?", {last}));
        }
        DRILL_CHECK(insert_run(start, last + 1, previous));
        return last + 1;
    };
    Result<std::int64_t> number = attempt();
    if (!number) {
        number_ = 0;
        seq_ = 0;
        head_.clear();
        return give_up(std::move(number).error(), 0, start.at);
    }
    name_run(start.run);
    last_at_ = start.at;
    return number;
}

Status SqliteLedger::continue_run(std::string_view run) {
    if (!database_) { DRILL_CHECK(open_database()); }
    bool found = false;
    DRILL_CHECK(database_->each(
        "SELECT number, seq, head, (SELECT max(at_boot_ns) FROM event WHERE run = number), "
        "(SELECT max(at_wall_ms) FROM event WHERE run = number) "
        "FROM run JOIN chain ON chain.run = number WHERE run.run = ?",
        {run}, [&](const Row& row) {
            found = true;
            number_ = row.integer(0);
            seq_ = row.integer(1);
            head_ = row.text(2);
            last_at_ = {Nanos{row.integer(3)}, Wall{std::chrono::milliseconds{row.integer(4)}}};
            return ok();
        }));
    if (!found) {
        return fail(Code::not_found,
                    "there is no run `" + std::string(run) + "` in the ledger " + path_);
    }
    name_run(run);
    gap_.reset();
    return ok();
}

Status SqliteLedger::finish_run(Verdict verdict, const std::string& outcome_json, Instant at) {
    if (number_ == 0) { return fail(Code::not_found, "no run is open in the ledger"); }
    const std::string_view name = name_of(verdict);
    const std::int64_t code = exit_code_of(verdict);
    Event event;
    event.at = at;
    event.type = "ledger.closed";
    event.message = "run " + std::to_string(number_) + " is " + std::string(name);
    event.data = {{"verdict", std::string(name)},
                  {"exit_code", code},
                  {"outcome_sha256", sha256_hex(outcome_json)}};
    const auto attempt = [&]() -> Status {
        DRILL_CHECK(begin());
        DRILL_TRY(const std::int64_t stands,
                  database_->integer("SELECT count(*) FROM verdict WHERE run = ?", {number_}));
        if (stands != 0) {
            return fail(Code::refused, "run " + std::to_string(number_) + " has its verdict");
        }
        DRILL_CHECK(append_gap(at));
        DRILL_CHECK(append(event));
        DRILL_CHECK(database_->run(
            "INSERT INTO verdict (run, verdict, exit_code, ended_boot_ns, ended_wall_ms, outcome) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            {number_, name, code, at.boot.count(), wall_ms(at.wall), outcome_json}));
        return database_->run("COMMIT", {});
    };
    if (Status done = attempt(); !done) { return give_up(std::move(done).error(), 1, at); }
    gap_.reset();
    last_at_ = at;
    return ok();
}

Status SqliteLedger::erase_personal(std::string_view run) {
    const auto attempt = [&]() -> Status {
        DRILL_CHECK(begin());
        DRILL_TRY(const std::int64_t number,
                  database_->integer("SELECT number FROM run WHERE run = ?", {run}));
        if (number == 0) {
            return fail(Code::not_found, "there is no run `" + std::string(run) + "`");
        }
        DRILL_CHECK(database_->run("DELETE FROM personal WHERE run = ?", {number}));
        return database_->run("COMMIT", {});
    };
    Status done = attempt();
    // No gap: nothing of the current run is missing.
    if (!done && database_) {
        database_->undo_transaction();
        if (database_->is_suspect()) { database_.reset(); }
    }
    return done;
}

}  // namespace drill
