// Claims of verification: whatever is changed behind the writer's back is found.
#include "base/random.hpp"
#include "ledger/scratch.hpp"

using namespace drill;
using namespace drill::testing;

namespace {

/// Two runs with everything that the ledger can hold.
void fill(const std::string& directory) {
    const auto ledger = writer(directory);
    REQUIRE(ledger->start_run(run_start("aaa1")));
    Event spoken = event(2);
    spoken.personal = {{"output", "spoken by kim"}};
    REQUIRE(commit(*ledger, {spoken, event(3)}, {lease("aaa1", "l1", LeaseState::intended)}));
    REQUIRE(commit(
        *ledger, {event(4)},
        {lease("aaa1", "l1", LeaseState::released), lease("aaa1", "l2", LeaseState::stuck)}));
    REQUIRE(ledger->finish_run(Verdict::dirty, "{\"verdict\":6}", at(5)));
    REQUIRE(ledger->start_run(run_start("aaa2")));
    REQUIRE(commit(*ledger, {event(6)}));
}

/// All that the readers say, as one text.
std::string told(const LedgerReader& ledger) {
    std::string out = ledger.id();
    const Result<std::vector<RunRow>> runs = ledger.runs();
    if (!runs) { return runs.error().message; }
    for (const RunRow& run : *runs) {
        out += std::to_string(run.number) + run.run + run.experiment + run.environment +
               run.environment_class + std::to_string(run.began.time_since_epoch().count()) +
               run.verdict + std::to_string(run.exit_code) + run.plan_hash + run.outcome_json +
               run.head;
        for (const auto& bytes :
             {ledger.plan(run.number), ledger.definition(run.number), ledger.catalog(run.number)}) {
            out += bytes ? *bytes : bytes.error().message;
        }
        const auto events = ledger.events(run.number);
        if (!events) { return events.error().message; }
        for (const EventRow& row : *events) {
            out += std::to_string(row.seq) + row.event.type + row.body + row.leaf;
        }
        const auto leases = ledger.leases(run.number);
        if (!leases) { return leases.error().message; }
        for (const LeaseRow& row : *leases) {
            out += row.id + row.state + row.host + (row.lease ? "" : row.lease.error().message);
        }
    }
    return out;
}

struct Cell {
    std::string table, column, row;  // row: a WHERE clause
};

/// Tables without rowid are addressed by their key.
std::vector<Cell> cells_of(Raw& raw) {
    std::vector<Cell> cells;
    for (const char* table :
         {"ledger", "run", "run_bytes", "event", "chain", "lease", "verdict", "personal"}) {
        const std::string name = table;
        const bool keyed = name == "event" || name == "personal";
        const std::string key = name == "event"      ? "run || '/' || seq"
                                : name == "personal" ? "run || '/' || seq || '/' || name"
                                                     : "rowid";
        const int rows = std::stoi(raw.text("SELECT count(*) FROM " + name));
        const int columns =
            std::stoi(raw.text("SELECT count(*) FROM pragma_table_info('" + name + "')"));
        for (int r = 0; r < rows; ++r) {
            const std::string which = raw.text("SELECT " + key + " FROM " + name +
                                               " ORDER BY 1 LIMIT 1 OFFSET " + std::to_string(r));
            for (int c = 0; c < columns; ++c) {
                const std::string column = raw.text("SELECT name FROM pragma_table_info('" + name +
                                                    "') WHERE cid = " + std::to_string(c));
                cells.push_back({name, column, key + " = '" + which + "'"});
                if (!keyed) { cells.back().row = key + " = " + which; }
            }
        }
    }
    return cells;
}

/// Flips one bit of a value as stored. "" or why it could not be done.
std::string flip(Raw& raw, const Cell& cell, Random& random) {
    const std::string where = " FROM " + cell.table + " WHERE " + cell.row;
    const std::string type = raw.text("SELECT typeof(" + cell.column + ")" + where);
    if (type == "integer") {
        const std::string bit = std::to_string(random.below(40));
        return raw.run("UPDATE " + cell.table + " SET " + cell.column + " = (" + cell.column +
                       " | (1 << " + bit + ")) - (" + cell.column + " & (1 << " + bit +
                       ")) WHERE " + cell.row);
    }
    std::string hex = raw.text("SELECT hex(" + cell.column + ")" + where);
    if (hex.empty()) { return "empty"; }
    const std::size_t at = static_cast<std::size_t>(random.below(hex.size()));
    const int digit = std::stoi(hex.substr(at, 1), nullptr, 16) ^ (1 << random.below(4));
    hex[at] = "0123456789ABCDEF"[digit];
    const std::string value = type == "text" ? "CAST(x'" + hex + "' AS TEXT)" : "x'" + hex + "'";
    return raw.run("UPDATE " + cell.table + " SET " + cell.column + " = " + value + " WHERE " +
                   cell.row);
}

void disarm(Raw& raw) {
    REQUIRE(raw.run("PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY; PRAGMA foreign_keys=OFF; "
                    "PRAGMA ignore_check_constraints=ON") == "");
    for (;;) {
        const std::string trigger =
            raw.text("SELECT name FROM sqlite_schema WHERE type = 'trigger' LIMIT 1");
        if (trigger.empty()) { return; }
        REQUIRE(raw.run("DROP TRIGGER " + trigger) == "");
    }
}

/// "" when `sql`, run without the triggers, goes unnoticed.
std::string found_after(const std::string& sql) {
    const Scratch scratch;
    fill(scratch.state());
    {
        Raw raw(scratch.file());
        disarm(raw);
        REQUIRE(raw.run(sql) == "");
    }
    return problem(reader(scratch.state()).verify_all());
}

}  // namespace

TEST_CASE("a bit that flips in any value of any row is found") {
    const Scratch scratch;
    fill(scratch.state());
    REQUIRE(problem(reader(scratch.state()).verify_all()) == "");
    {
        Raw raw(scratch.file());
        disarm(raw);
    }
    const std::string sound = slurp(scratch.file());
    std::vector<Cell> cells;
    {
        Raw raw(scratch.file());
        cells = cells_of(raw);
    }
    REQUIRE(cells.size() > 150);
    Random random(11);
    std::size_t flipped = 0;
    for (const Cell& cell : cells) {
        if (cell.table == "ledger" && cell.column == "one") { continue; }  // says nothing
        CAPTURE(cell.table);
        CAPTURE(cell.column);
        CAPTURE(cell.row);
        spill(scratch.file(), sound);
        {
            Raw raw(scratch.file());
            REQUIRE(raw.run("PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY; PRAGMA "
                            "foreign_keys=OFF; PRAGMA ignore_check_constraints=ON") == "");
            if (!flip(raw, cell, random).empty()) { continue; }
        }
        ++flipped;
        const Result<LedgerReader> ledger = LedgerReader::open(scratch.state());
        CHECK((!ledger || !ledger->verify_all()));
    }
    CHECK(flipped > cells.size() * 9 / 10);
}

TEST_CASE("a bit that flips anywhere in the file is found or changes nothing that is told") {
    const Scratch scratch;
    fill(scratch.state());
    const std::string sound = slurp(scratch.file());
    const std::string truth = told(reader(scratch.state()));
    Random random(12);
    int found = 0;
    for (int i = 0; i < 400; ++i) {
        std::string bytes = sound;
        const std::uint64_t bit = random.below(bytes.size() * 8);
        CAPTURE(bit);
        char& byte = bytes[static_cast<std::size_t>(bit / 8)];
        byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1U << (bit % 8)));
        spill(scratch.file(), bytes);
        const Result<LedgerReader> ledger = LedgerReader::open(scratch.state());
        if (!ledger || !ledger->verify_all()) {
            ++found;
        } else {
            CHECK(told(*ledger) == truth);
        }
    }
    CHECK(found > 0);
}

TEST_CASE("an event that was taken out of the middle is found") {
    CHECK(found_after("DELETE FROM event WHERE run = 1 AND seq = 2") ==
          "run 1: event 2 is missing");
}

TEST_CASE("events cut off at the end are found") {
    CHECK(found_after("DELETE FROM event WHERE run = 2 AND seq = 2") ==
          "run 2: the head does not fit: events were added or cut off");
}

TEST_CASE("a run before that was rewritten whole is found by the link of the next one") {
    CHECK(found_after("DELETE FROM event WHERE run = 1 AND seq > 4; UPDATE chain SET seq = 4, "
                      "head = (SELECT leaf FROM event WHERE run = 1 AND seq = 4) WHERE run = 1; "
                      "DELETE FROM verdict; DELETE FROM lease WHERE id = 'l2'") != "");
}

TEST_CASE("an added lease, a missing lease and a missing verdict are found") {
    CHECK(found_after("INSERT INTO lease SELECT 'l9', run, step, host, kind, state, until_boot_ns, "
                      "until_wall_ms, lease FROM lease WHERE id = 'l1'") ==
          "run 1: lease l9 was changed");
    CHECK(found_after("DELETE FROM lease WHERE id = 'l1'") == "run 1: a lease was taken away");
    CHECK(found_after("DELETE FROM verdict") == "run 1: its verdict was taken away");
}

TEST_CASE("a verdict that nobody gave is found") {
    CHECK(found_after("INSERT INTO verdict VALUES (2, 'PASSED', 0, 0, 0, '{}')") ==
          "run 2: its verdict was changed");
}

TEST_CASE("a run that was taken away is found") {
    CHECK(found_after("DELETE FROM run WHERE number = 1") == "run numbers have gaps");
}

TEST_CASE("rows that belong to no run are found") {
    CHECK(found_after("INSERT INTO personal VALUES (8, 1, 'x', '', x'00')") ==
          "there are rows that belong to no run");
}

TEST_CASE("a lease row that cannot be read stays visible among the open ones") {
    const Scratch scratch;
    fill(scratch.state());
    {
        Raw raw(scratch.file());
        REQUIRE(raw.run("UPDATE lease SET lease = '{}' WHERE id = 'l2'") == "");
    }
    const Result<std::vector<LeaseRow>> open = reader(scratch.state()).open_leases();
    REQUIRE(open);
    REQUIRE(open->size() == 1);
    CHECK(open->front().id == "l2");
    CHECK(open->front().host == "app-1");
    CHECK_FALSE(open->front().lease);
}
