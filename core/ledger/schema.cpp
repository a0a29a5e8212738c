// See schema.hpp. Triggers guard against accidents, the hash chain against intent.
#include "ledger/schema.hpp"

#include "ledger/state_directory.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstdio>

namespace drill {

namespace {

// Large bytes stand apart from the rows that are listed. BEFORE INSERT triggers close the way
// around through INSERT OR REPLACE, which fires no delete trigger.
constexpr const char* version_1 = R"sql(
CREATE TABLE ledger (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id  TEXT NOT NULL
) STRICT;
CREATE TABLE run (
    number            INTEGER PRIMARY KEY CHECK (number >= 1),
    run               TEXT NOT NULL UNIQUE CHECK (run <> ''),
    experiment        TEXT NOT NULL,
    environment       TEXT NOT NULL,
    environment_class TEXT NOT NULL,
    plan_hash         TEXT NOT NULL,
    began_boot_ns     INTEGER NOT NULL,
    began_wall_ms     INTEGER NOT NULL,
    previous_head     TEXT NOT NULL,
    genesis           TEXT NOT NULL
) STRICT;
CREATE TABLE run_bytes (
    run        INTEGER PRIMARY KEY REFERENCES run(number),
    plan       BLOB NOT NULL,
    definition BLOB NOT NULL,
    catalog    BLOB NOT NULL
) STRICT;
CREATE TABLE event (
    run        INTEGER NOT NULL REFERENCES run(number),
    seq        INTEGER NOT NULL CHECK (seq >= 1),
    type       TEXT NOT NULL,
    at_boot_ns INTEGER NOT NULL,
    at_wall_ms INTEGER NOT NULL,
    body       TEXT NOT NULL,
    leaf       TEXT NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE chain (
    run  INTEGER PRIMARY KEY REFERENCES run(number),
    seq  INTEGER NOT NULL,
    head TEXT NOT NULL
) STRICT;
CREATE TABLE lease (
    id            TEXT PRIMARY KEY,
    run           INTEGER NOT NULL REFERENCES run(number),
    step          TEXT NOT NULL,
    host          TEXT NOT NULL,
    kind          TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('intended', 'armed', 'held', 'releasing',
                                                 'released', 'stuck', 'closed')),
    until_boot_ns INTEGER NOT NULL,
    until_wall_ms INTEGER NOT NULL,
    lease         TEXT NOT NULL
) STRICT;
CREATE INDEX lease_of_run ON lease (run);
CREATE TABLE verdict (
    run           INTEGER PRIMARY KEY REFERENCES run(number),
    verdict       TEXT NOT NULL,
    exit_code     INTEGER NOT NULL,
    ended_boot_ns INTEGER NOT NULL,
    ended_wall_ms INTEGER NOT NULL,
    outcome       TEXT NOT NULL
) STRICT;
CREATE TABLE personal (
    run  INTEGER NOT NULL,
    seq  INTEGER NOT NULL,
    name TEXT NOT NULL,
    salt TEXT NOT NULL,
    text BLOB NOT NULL,
    PRIMARY KEY (run, seq, name),
    FOREIGN KEY (run, seq) REFERENCES event(run, seq)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER ledger_update BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger id does not change'); END;
CREATE TRIGGER ledger_delete BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger id does not change'); END;

CREATE TRIGGER run_insert BEFORE INSERT ON run
WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM run)
    OR EXISTS (SELECT 1 FROM run WHERE run = NEW.run)
BEGIN SELECT RAISE(ABORT, 'run numbers are gapless and ids are unique'); END;
CREATE TRIGGER run_update BEFORE UPDATE ON run
BEGIN SELECT RAISE(ABORT, 'runs are append-only'); END;
CREATE TRIGGER run_delete BEFORE DELETE ON run
BEGIN SELECT RAISE(ABORT, 'runs are append-only'); END;

CREATE TRIGGER run_bytes_insert BEFORE INSERT ON run_bytes
WHEN EXISTS (SELECT 1 FROM run_bytes WHERE run = NEW.run)
BEGIN SELECT RAISE(ABORT, 'runs are append-only'); END;
CREATE TRIGGER run_bytes_update BEFORE UPDATE ON run_bytes
BEGIN SELECT RAISE(ABORT, 'runs are append-only'); END;
CREATE TRIGGER run_bytes_delete BEFORE DELETE ON run_bytes
BEGIN SELECT RAISE(ABORT, 'runs are append-only'); END;

CREATE TRIGGER event_insert BEFORE INSERT ON event
WHEN NEW.seq IS NOT (SELECT seq + 1 FROM chain WHERE run = NEW.run)
BEGIN SELECT RAISE(ABORT, 'events are append-only and gapless'); END;
CREATE TRIGGER event_head AFTER INSERT ON event
BEGIN UPDATE chain SET seq = NEW.seq, head = NEW.leaf WHERE run = NEW.run; END;
CREATE TRIGGER event_update BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'events are append-only and gapless'); END;
CREATE TRIGGER event_delete BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'events are append-only and gapless'); END;

CREATE TRIGGER chain_insert BEFORE INSERT ON chain
WHEN NEW.seq <> 0 OR EXISTS (SELECT 1 FROM chain WHERE run = NEW.run)
BEGIN SELECT RAISE(ABORT, 'a chain begins once'); END;
CREATE TRIGGER chain_update BEFORE UPDATE ON chain
WHEN NEW.run <> OLD.run OR NEW.seq <> OLD.seq + 1
    OR NEW.head IS NOT (SELECT leaf FROM event WHERE run = NEW.run AND seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'a chain only grows'); END;
CREATE TRIGGER chain_delete BEFORE DELETE ON chain
BEGIN SELECT RAISE(ABORT, 'a chain only grows'); END;

CREATE TRIGGER lease_insert BEFORE INSERT ON lease
WHEN EXISTS (SELECT 1 FROM lease WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'a lease is made once'); END;
CREATE TRIGGER lease_update BEFORE UPDATE ON lease
WHEN NEW.id <> OLD.id OR NEW.run <> OLD.run
    OR (OLD.state IN ('released', 'closed') AND NEW.state <> OLD.state)
BEGIN SELECT RAISE(ABORT, 'a lease does not come back from released or closed'); END;
CREATE TRIGGER lease_delete BEFORE DELETE ON lease
BEGIN SELECT RAISE(ABORT, 'leases are not deleted'); END;

CREATE TRIGGER verdict_insert BEFORE INSERT ON verdict
WHEN EXISTS (SELECT 1 FROM verdict WHERE run = NEW.run)
BEGIN SELECT RAISE(ABORT, 'a verdict stands'); END;
CREATE TRIGGER verdict_update BEFORE UPDATE ON verdict
BEGIN SELECT RAISE(ABORT, 'a verdict stands'); END;
CREATE TRIGGER verdict_delete BEFORE DELETE ON verdict
BEGIN SELECT RAISE(ABORT, 'a verdict stands'); END;

CREATE TRIGGER personal_insert BEFORE INSERT ON personal
WHEN EXISTS (SELECT 1 FROM personal
             WHERE run = NEW.run AND seq = NEW.seq AND name = NEW.name)
BEGIN SELECT RAISE(ABORT, 'personal texts are only erased'); END;
CREATE TRIGGER personal_update BEFORE UPDATE ON personal
BEGIN SELECT RAISE(ABORT, 'personal texts are only erased'); END;

INSERT INTO ledger (one, id) VALUES (1, lower(hex(randomblob(8))));
)sql";

constexpr std::array all{Migration{1, version_1}};

struct Version {
    std::int64_t application{0}, user{0}, tables{0};
};

Result<Version> version_of(Database& database) {
    Version version;
    DRILL_TRY(version.application, database.integer("PRAGMA application_id"));
    DRILL_TRY(version.user, database.integer("PRAGMA user_version"));
    DRILL_TRY(version.tables, database.integer("SELECT count(*) FROM sqlite_schema"));
    return version;
}

Error newer(const std::string& path, std::int64_t found, std::int64_t known) {
    return fail(Code::newer, "the ledger " + path + " was written by a newer drill (version " +
                                 std::to_string(found) + ", this program knows up to " +
                                 std::to_string(known) +
                                 "): install that drill, or give another state directory; "
                                 "nothing was changed");
}

Error foreign(const std::string& path) {
    return fail(Code::refused, path +
                                   " is a database, but no ledger of drill: move it away, or "
                                   "give another state directory; nothing was changed");
}

Status copy_pages(Database& from, const std::string& path) {
    DRILL_CHECK(make_private_file(path));
    sqlite3* to = nullptr;
    int rc =
        sqlite3_open_v2(path.c_str(), &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, nullptr);
    if (rc == SQLITE_OK) {
        sqlite3_backup* backup = sqlite3_backup_init(to, "main", from.handle(), "main");
        if (backup != nullptr) { sqlite3_backup_step(backup, -1); }
        rc = backup == nullptr ? sqlite3_errcode(to) : sqlite3_backup_finish(backup);
    }
    sqlite3_close(to);
    if (rc == SQLITE_OK) { return ok(); }
    return fail((rc & 0xff) == SQLITE_FULL ? Code::no_space : Code::internal,
                "cannot back up the ledger to " + path + ": " + sqlite3_errstr(rc));
}

/// Appears under its name only when it is whole.
Status back_up(Database& database, const std::string& path, std::int64_t version) {
    const std::string name = path + ".version-" + std::to_string(version) + ".backup";
    const std::string part = name + ".part";
    unlink(part.c_str());
    if (Status copied = copy_pages(database, part); !copied) {
        unlink(part.c_str());
        return copied;
    }
    if (std::rename(part.c_str(), name.c_str()) != 0) {
        return file_error("cannot name the backup " + name, errno);
    }
    const int directory =
        open(path.substr(0, path.rfind('/') + 1).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
        fsync(directory);
        close(directory);
    }
    return ok();
}

Status apply(Database& database, const Migration& step) {
    DRILL_CHECK(database.run("BEGIN EXCLUSIVE"));
    const std::string stamp = "PRAGMA application_id=" + std::to_string(application_id) +
                              "; PRAGMA user_version=" + std::to_string(step.to) + "; COMMIT";
    Status done = database.run(step.sql);
    if (done) { done = database.run(stamp.c_str()); }
    if (!done) { database.undo_transaction(); }
    return done;
}

}  // namespace

std::span<const Migration> migrations() { return all; }

Status migrate(Database& database, const std::string& path, std::span<const Migration> steps) {
    DRILL_ASSERT(!steps.empty());
    DRILL_TRY(const Version version, version_of(database));
    const bool empty = version.application == 0 && version.tables == 0;
    if (!empty && version.application != application_id) { return foreign(path); }
    if (version.user > steps.back().to) { return newer(path, version.user, steps.back().to); }
    if (version.user == steps.back().to) { return ok(); }
    if (!empty) { DRILL_CHECK(back_up(database, path, version.user)); }
    for (const Migration& step : steps) {
        if (step.to > version.user) { DRILL_CHECK(apply(database, step)); }
    }
    return ok();
}

Status check_version(Database& database, const std::string& path) {
    DRILL_TRY(const Version version, version_of(database));
    if (version.application == 0 && version.tables == 0) {
        return fail(Code::not_found, "there is no ledger in " + path + " yet");
    }
    if (version.application != application_id) { return foreign(path); }
    const std::int64_t known = migrations().back().to;
    if (version.user > known) { return newer(path, version.user, known); }
    if (version.user < known) {
        return fail(Code::refused, "the ledger " + path + " is of an older version (" +
                                       std::to_string(version.user) +
                                       "): `drill undo` brings it up to date, after a backup");
    }
    return ok();
}

}  // namespace drill
