// Does the ledger still say what was committed? Recomputes every digest from the stored bytes.
// Must not: trust a column that the chain does not vouch for. What is hashed: chain.hpp.
#include "base/digest.hpp"
#include "ledger/chain.hpp"
#include "ledger/reading.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "model/json.hpp"

#include <algorithm>

namespace drill {

namespace {

Error broken(std::int64_t run, const std::string& what) {
    return fail(Code::invalid, "run " + std::to_string(run) + ": " + what);
}

const std::string* text_of(const Event& event, const std::string& name) {
    const auto found = event.data.find(name);
    return found == event.data.end() ? nullptr : std::get_if<std::string>(&found->second);
}

bool has_text(const Event& event, const std::string& name, const std::string& text) {
    const std::string* found = text_of(event, name);
    return found != nullptr && *found == text;
}

bool has_number(const Event& event, const std::string& name, std::int64_t number) {
    const auto found = event.data.find(name);
    const auto* held =
        found == event.data.end() ? nullptr : std::get_if<std::int64_t>(&found->second);
    return held != nullptr && *held == number;
}

bool has_ended(std::string_view mention) {
    return mention.starts_with("released ") || mention.starts_with("closed ");
}

std::string_view state_of(std::string_view mention) { return mention.substr(0, mention.find(' ')); }

/// What the chain of one run vouches for, gathered event by event.
class Auditor {
public:
    Auditor(Database& database, std::int64_t run) : database_(database), run_(run) {}

    Status check() {
        DRILL_CHECK(check_genesis());
        std::int64_t before = -1;
        while (before != seq_) {  // pages, so that a writer need not wait long
            before = seq_;
            DRILL_CHECK(take_page());
        }
        DRILL_CHECK(database_.run("BEGIN"));
        Status done = check_rest();
        database_.undo_transaction();
        return done;
    }

    [[nodiscard]] Verified found() const { return {seq_, head_}; }

private:
    Status check_genesis() {
        std::string plan, previous, genesis;
        bool found = false;
        DRILL_CHECK(database_.each(
            "SELECT plan, previous_head, genesis FROM run JOIN run_bytes b ON b.run = number "
            "WHERE number = ?",
            {run_}, [&](const Row& row) {
                plan = row.text(0), previous = row.text(1), genesis = row.text(2);
                found = true;
                return ok();
            }));
        if (!found) { return broken(run_, "there is no such run, or its plan is gone"); }
        if (genesis_of(plan, previous) != genesis) {
            return broken(run_, "the plan or the link to the run before was changed");
        }
        DRILL_TRY(
            const std::int64_t linked,
            database_.integer("SELECT EXISTS (SELECT 1 FROM event WHERE run = ? AND leaf = ?)",
                              {run_ - 1, previous}));
        if (run_ == 1 ? !previous.empty() : linked == 0) {
            return broken(run_, "the run before does not contain the head that this one builds on");
        }
        head_ = genesis;
        return ok();
    }

    Status take_page() {
        return each_event(database_, run_, seq_, [this](const RawEvent& raw) { return take(raw); });
    }

    Status take(const RawEvent& raw) {
        if (raw.seq != seq_ + 1) {
            return broken(run_, "event " + std::to_string(seq_ + 1) + " is missing");
        }
        std::string leaf = leaf_of({head_, raw.seq, raw.type, raw.at, raw.body});
        if (leaf != raw.leaf) {
            return broken(run_, "event " + std::to_string(raw.seq) + " was changed");
        }
        seq_ = raw.seq;
        head_ = std::move(leaf);
        if (raw.seq == 1 && raw.type != "ledger.opened") {
            return broken(run_, "the first event is not the opening");
        }
        // Nothing else depends on what the other bodies say; their bytes are vouched for.
        const bool vouches = raw.type.starts_with("ledger.") ||
                             raw.body.find("\"personal\"") != std::string_view::npos;
        return vouches ? take_body(raw) : ok();
    }

    Status take_body(const RawEvent& raw) {
        const std::string name = "event " + std::to_string(raw.seq);
        Result<Event> event = event_from_body(raw.body);
        if (!event) { return broken(run_, name + " cannot be read: " + event.error().message); }
        event->at = raw.at;
        for (const auto& [text, digest] : event->personal) {
            personal_[std::to_string(raw.seq) + " " + text] = digest;
        }
        if (raw.seq == 1) { opened_ = *event; }
        if (raw.type == "ledger.closed") {
            if (closed_) { return broken(run_, "it is closed twice"); }
            closed_ = *event;
        }
        return raw.type == "ledger.leases" ? take_leases(*event, name) : ok();
    }

    Status take_leases(const Event& event, const std::string& name) {
        for (const auto& [id, datum] : event.data) {
            const auto* mention = std::get_if<std::string>(&datum);
            if (mention == nullptr) { return broken(run_, name + " names no lease state"); }
            std::string& last = leases_[id];
            if (has_ended(last) && state_of(last) != state_of(*mention)) {
                return broken(run_, "lease " + id + " came back after it had ended");
            }
            last = *mention;
        }
        return ok();
    }

    /// Under one read lock, so that chain, leases and verdict are of the same moment.
    Status check_rest() {
        std::int64_t before = -1;
        while (before != seq_) {
            before = seq_;
            DRILL_CHECK(take_page());
        }
        DRILL_TRY(const std::int64_t events, database_.integer("SELECT count(*) FROM event WHERE "
                                                               "run = ?",
                                                               {run_}));
        DRILL_TRY(const std::int64_t agrees,
                  database_.integer("SELECT count(*) FROM chain WHERE run = ? AND seq = ? AND "
                                    "head = ?",
                                    {run_, seq_, head_}));
        if (agrees != 1 || events != seq_) {
            return broken(run_, "the head does not fit: events were added or cut off");
        }
        DRILL_CHECK(check_opening());
        DRILL_CHECK(check_personal());
        DRILL_CHECK(check_leases());
        return check_verdict();
    }

    Status check_opening() {
        if (!opened_) { return broken(run_, "it has no events"); }
        const Event& event = *opened_;
        return database_.each(
            "SELECT run.run, experiment, environment, environment_class, plan_hash, began_boot_ns, "
            "began_wall_ms, definition, catalog, id FROM run JOIN run_bytes b ON b.run = number "
            "JOIN ledger WHERE number = ?",
            {run_}, [&](const Row& row) -> Status {
                const bool fits = has_number(event, "number", run_) &&
                                  has_text(event, "run", row.text(0)) &&
                                  has_text(event, "experiment", row.text(1)) &&
                                  has_text(event, "environment", row.text(2)) &&
                                  has_text(event, "environment_class", row.text(3)) &&
                                  has_text(event, "plan_hash", row.text(4)) &&
                                  event.at.boot.count() == row.integer(5) &&
                                  event.at.wall.time_since_epoch().count() == row.integer(6) &&
                                  has_text(event, "definition_sha256", sha256_hex(row.text(7))) &&
                                  has_text(event, "catalog_sha256", sha256_hex(row.text(8))) &&
                                  has_text(event, "ledger", row.text(9));
                if (!fits) {
                    return broken(run_,
                                  "its row, definition or catalog was changed, or it comes "
                                  "from another ledger");
                }
                return ok();
            });
    }

    Status check_personal() {
        return database_.each("SELECT seq, name, salt, text FROM personal WHERE run = ?", {run_},
                              [&](const Row& row) -> Status {
                                  const std::string key =
                                      std::to_string(row.integer(0)) + " " + row.text(1);
                                  const auto found = personal_.find(key);
                                  if (found == personal_.end() ||
                                      found->second != personal_digest(row.text(2), row.text(3))) {
                                      return broken(run_, "a personal text was changed");
                                  }
                                  return ok();
                              });
    }

    Status check_leases() {
        std::size_t rows = 0;
        DRILL_CHECK(database_.each(
            "SELECT id, step, host, kind, state, until_boot_ns, until_wall_ms, lease FROM lease "
            "WHERE run = ?",
            {run_}, [&](const Row& row) -> Status {
                ++rows;
                const std::string id = row.text(0);
                const std::string json = row.text(7);
                const auto found = leases_.find(id);
                const Result<Lease> lease = lease_from_json(json);
                const bool fits = found != leases_.end() &&
                                  found->second == row.text(4) + " " + sha256_hex(json) && lease &&
                                  lease->id == id && lease->step == row.text(1) &&
                                  lease->connection.host == row.text(2) &&
                                  lease->kind == row.text(3) &&
                                  lease->until.count() == row.integer(5) &&
                                  lease->until_wall.time_since_epoch().count() == row.integer(6);
                return fits ? ok() : Status(broken(run_, "lease " + id + " was changed"));
            }));
        if (rows != leases_.size()) { return broken(run_, "a lease was taken away"); }
        return ok();
    }

    Status check_verdict() {
        bool stands = false;
        DRILL_CHECK(database_.each(
            "SELECT verdict, exit_code, ended_boot_ns, ended_wall_ms, outcome FROM verdict "
            "WHERE run = ?",
            {run_}, [&](const Row& row) -> Status {
                stands = true;
                const bool fits = closed_ && has_text(*closed_, "verdict", row.text(0)) &&
                                  has_number(*closed_, "exit_code", row.integer(1)) &&
                                  closed_->at.boot.count() == row.integer(2) &&
                                  closed_->at.wall.time_since_epoch().count() == row.integer(3) &&
                                  has_text(*closed_, "outcome_sha256", sha256_hex(row.text(4)));
                return fits ? ok() : Status(broken(run_, "its verdict was changed"));
            }));
        if (closed_ && !stands) { return broken(run_, "its verdict was taken away"); }
        return ok();
    }

    Database& database_;
    std::int64_t run_;
    std::int64_t seq_{0};
    std::string head_;
    std::optional<Event> opened_, closed_;
    std::map<std::string, std::string> personal_;  // "seq name" to digest
    std::map<std::string, std::string> leases_;    // id to "state digest", the last one said
};

}  // namespace

Result<Verified> LedgerReader::audit(std::int64_t run) const {
    DRILL_TRY(const Reading reading, Reading::open(path_));
    Auditor auditor(*reading, run);
    DRILL_CHECK(auditor.check());
    return auditor.found();
}

Status LedgerReader::verify(std::int64_t run) const {
    DRILL_TRY(const Verified found, audit(run));
    static_cast<void>(found);
    return ok();
}

Result<std::int64_t> LedgerReader::last_number() const {
    DRILL_TRY(const Reading reading, Reading::open(path_));
    return reading->integer(
        "SELECT max((SELECT coalesce(max(number), 0) FROM run), "
        "(SELECT coalesce(max(run), 0) FROM chain))");
}

Status LedgerReader::verify_numbers() const {
    DRILL_TRY(const Reading reading, Reading::open(path_));
    DRILL_TRY(const std::int64_t last,
              reading->integer("SELECT coalesce(max(number), 0) FROM run"));
    DRILL_TRY(const std::int64_t count, reading->integer("SELECT count(*) FROM run"));
    return last == count ? ok() : Status(fail(Code::invalid, "run numbers have gaps"));
}

Status LedgerReader::verify_links() const {
    DRILL_CHECK(verify_numbers());
    DRILL_TRY(const Reading reading, Reading::open(path_));
    bool orphans = false;
    DRILL_CHECK(reading->each("PRAGMA foreign_key_check", {}, [&](const Row&) {
        orphans = true;
        return ok();
    }));
    if (orphans) { return fail(Code::invalid, "there are rows that belong to no run"); }
    return ok();
}

Status LedgerReader::verify_all() const {
    DRILL_CHECK(verify_numbers());
    DRILL_TRY(const std::int64_t last, last_number());
    for (std::int64_t run = 1; run <= last; ++run) { DRILL_CHECK(verify(run)); }
    return verify_links();
}

}  // namespace drill
