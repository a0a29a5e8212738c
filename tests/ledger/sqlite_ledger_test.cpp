// Claims of the writer and the readers on a sound disk.
#include "ledger/chain.hpp"
#include "ledger/scratch.hpp"

#include "base/digest.hpp"

using namespace drill;
using namespace drill::testing;
using Strings = std::vector<std::string>;

TEST_CASE("a run is there with its row, events and bytes after the writer is gone") {
    const Scratch scratch;
    {
        const auto ledger = writer(scratch.state());
        REQUIRE(ledger->start_run(run_start("aaa1")));
        REQUIRE(commit(*ledger, {event(2), event(3)}));
        REQUIRE(ledger->finish_run(Verdict::halted, "{\"verdict\":4}", at(4)));
    }
    const LedgerReader ledger = reader(scratch.state());
    const Result<RunRow> run = ledger.run("aaa1");
    REQUIRE(run);
    CHECK(run->number == 1);
    CHECK(run->verdict == "HALTED");
    CHECK(run->exit_code == 4);
    CHECK(run->outcome_json == "{\"verdict\":4}");
    CHECK(run->reason == "quarterly rehearsal");
    CHECK(run->who == "kim");
    CHECK(run->began == at(1).wall);
    CHECK(run->ended == at(4).wall);
    CHECK(types_of(ledger, 1) ==
          Strings{"ledger.opened", "test.step", "test.step", "ledger.closed"});
    CHECK(events_of(ledger, 1)[1].event.data == event(2).data);
    CHECK(events_of(ledger, 1)[1].event.at.boot == at(2).boot);
    CHECK(*ledger.plan(1) == run_start("aaa1").plan_json);
    CHECK(*ledger.definition(1) == "[experiment]\n");
    CHECK(*ledger.catalog(1) == "[environment]\n");
    CHECK(problem(ledger.verify_all()) == "");
}

TEST_CASE("run numbers are gapless also after a start that failed") {
    const Scratch scratch;
    const auto ledger = writer(scratch.state());
    CHECK(*ledger->start_run(run_start("aaa1")) == 1);
    CHECK(code_of(ledger->start_run(run_start("aaa1"))) == Code::invalid);
    CHECK(*ledger->start_run(run_start("aaa2")) == 2);
    CHECK(problem(reader(scratch.state()).verify_all()) == "");
}

TEST_CASE("the first leaf is built on the genesis of plan and head before") {
    const Scratch scratch;
    const auto ledger = writer(scratch.state());
    REQUIRE(ledger->start_run(run_start("aaa1")));
    const std::string head = ledger->head();
    REQUIRE(ledger->start_run(run_start("aaa2")));
    const EventRow first = events_of(reader(scratch.state()), 2).front();
    const std::string genesis = sha256_hex(run_start("aaa2").plan_json + head);
    CHECK(first.leaf ==
          sha256_hex(genesis + "\n1\nledger.opened\n1000\n1700000000001\n" + first.body));
    CHECK(ledger->head() == first.leaf);
}

TEST_CASE("without a run a commit is refused") {
    const Scratch scratch;
    const auto ledger = writer(scratch.state());
    CHECK(code_of(commit(*ledger, {event(1)})) == Code::not_found);
    CHECK(code_of(ledger->finish_run(Verdict::passed, "{}", at(1))) == Code::not_found);
}

TEST_CASE("a lease is replaced by id and carries all that an undo needs") {
    const Scratch scratch;
    const auto ledger = writer(scratch.state());
    REQUIRE(ledger->start_run(run_start("aaa1")));
    REQUIRE(commit(*ledger, {}, {lease("aaa1", "l1", LeaseState::intended)}));
    REQUIRE(commit(*ledger, {event(2)}, {lease("aaa1", "l1", LeaseState::held)}));
    const Result<std::vector<LeaseRow>> open = reader(scratch.state()).open_leases();
    REQUIRE(open);
    REQUIRE(open->size() == 1);
    CHECK(open->front().state == "held");
    CHECK(open->front().host == "app-1");
    REQUIRE(open->front().lease);
    CHECK(*open->front().lease == lease("aaa1", "l1", LeaseState::held));
    CHECK(problem(reader(scratch.state()).verify_all()) == "");
}

TEST_CASE("stuck leases are open, released and closed ones are not") {
    const Scratch scratch;
    const auto ledger = writer(scratch.state());
    REQUIRE(ledger->start_run(run_start("aaa1")));
    REQUIRE(
        commit(*ledger, {},
               {lease("aaa1", "l1", LeaseState::stuck), lease("aaa1", "l2", LeaseState::released),
                lease("aaa1", "l3", LeaseState::closed)}));
    CHECK(reader(scratch.state()).open_leases()->size() == 1);
    CHECK(reader(scratch.state()).leases(1)->size() == 3);
}

TEST_CASE("a lease does not come back from released or closed, and nothing of that commit stays") {
    for (const LeaseState end : {LeaseState::released, LeaseState::closed}) {
        const Scratch scratch;
        const auto ledger = writer(scratch.state());
        REQUIRE(ledger->start_run(run_start("aaa1")));
        REQUIRE(commit(*ledger, {}, {lease("aaa1", "l1", end)}));
        const std::string head = ledger->head();
        CHECK(code_of(commit(*ledger, {event(2)}, {lease("aaa1", "l1", LeaseState::held)})) ==
              Code::invalid);
        CHECK(ledger->head() == head);
        REQUIRE(commit(*ledger, {event(3)}, {lease("aaa1", "l1", end)}));
        CHECK(types_of(reader(scratch.state()), 1) ==
              Strings{"ledger.opened", "ledger.leases", "test.step", "ledger.leases"});
    }
}

TEST_CASE("a lease of another run is refused") {
    const Scratch scratch;
    const auto ledger = writer(scratch.state());
    REQUIRE(ledger->start_run(run_start("aaa1")));
    CHECK(code_of(commit(*ledger, {}, {lease("aaa2", "l1", LeaseState::intended)})) ==
          Code::invalid);
}

TEST_CASE("an intended lease whose undo would not survive the file is refused") {
    const Scratch scratch;
    const auto ledger = writer(scratch.state());
    REQUIRE(ledger->start_run(run_start("aaa1")));
    Lease bad = lease("aaa1", "l1", LeaseState::intended);
    bad.change.undo[0].argv[0] = "rm \xff";
    CHECK(code_of(commit(*ledger, {}, {bad})) == Code::invalid);
    Lease noted = lease("aaa1", "l2", LeaseState::intended);
    noted.note = "printed \xff";
    CHECK(commit(*ledger, {}, {noted}));
}

TEST_CASE("event types that are not words of ours are refused") {
    const Scratch scratch;
    const auto ledger = writer(scratch.state());
    REQUIRE(ledger->start_run(run_start("aaa1")));
    for (const char* type : {"", "a\nb", "Big", "ledger.gap", "with blank"}) {
        CAPTURE(type);
        CHECK(code_of(commit(*ledger, {event(2, type)})) == Code::invalid);
    }
}

TEST_CASE("a later process goes on with the chain of a run that was left open") {
    const Scratch scratch;
    {
        const auto ledger = writer(scratch.state());
        REQUIRE(ledger->start_run(run_start("aaa1")));
        REQUIRE(commit(*ledger, {}, {lease("aaa1", "l1", LeaseState::held)}));
        REQUIRE(ledger->start_run(run_start("aaa2")));
    }
    const auto ledger = writer(scratch.state());
    REQUIRE(ledger->continue_run("aaa1"));
    REQUIRE(commit(*ledger, {event(5)}, {lease("aaa1", "l1", LeaseState::released)}));
    REQUIRE(ledger->finish_run(Verdict::halted, "{}", at(6)));
    CHECK(code_of(ledger->finish_run(Verdict::passed, "{}", at(7))) == Code::refused);
    CHECK(code_of(ledger->continue_run("zzz")) == Code::not_found);
    CHECK(reader(scratch.state()).run("1")->verdict == "HALTED");
    CHECK(reader(scratch.state()).run("2")->verdict.empty());
    CHECK(problem(reader(scratch.state()).verify_all()) == "");
}

TEST_CASE("a run is found by id, number or unique prefix") {
    const Scratch scratch;
    const auto ledger = writer(scratch.state());
    for (const char* run : {"abc1", "abd1", "2x", "abc"}) {
        REQUIRE(ledger->start_run(run_start(run)));
    }
    const LedgerReader read = reader(scratch.state());
    CHECK(read.run("abc1")->number == 1);
    CHECK(read.run("abd")->number == 2);
    CHECK(read.run("2")->number == 2);
    CHECK(read.run("2x")->number == 3);
    CHECK(read.run("abc")->number == 4);
    CHECK(code_of(read.run("ab")) == Code::invalid);
    CHECK(code_of(read.run("b")) == Code::not_found);
    CHECK(code_of(read.run("")) == Code::not_found);
    CHECK(code_of(read.plan(9)) == Code::not_found);
    CHECK(read.runs(2)->size() == 2);
    CHECK(read.runs(2)->front().number == 3);
}

TEST_CASE("events come in pages without loss") {
    const Scratch scratch;
    const auto ledger = writer(scratch.state());
    REQUIRE(ledger->start_run(run_start("aaa1")));
    std::vector<Event> many;
    for (int i = 0; i < 4500; ++i) { many.push_back(event(i)); }
    REQUIRE(commit(*ledger, many));
    const LedgerReader read = reader(scratch.state());
    CHECK(events_of(read, 1).size() == 4501);
    CHECK(read.events(1, 4499)->size() == 2);
    CHECK(problem(read.verify(1)) == "");
}

TEST_CASE("personal texts can be erased from the file while the chain stays valid") {
    const Scratch scratch;
    const auto ledger = writer(scratch.state());
    REQUIRE(ledger->start_run(run_start("aaa1")));
    Event secret = event(2);
    secret.personal = {{"output", "call kim.surname on 555-0100"}};
    REQUIRE(commit(*ledger, {secret}));
    const LedgerReader read = reader(scratch.state());
    CHECK(events_of(read, 1)[1].event.personal == secret.personal);
    CHECK(events_of(read, 1)[1].body.find("surname") == std::string::npos);
    CHECK(slurp(scratch.file()).find("surname") != std::string::npos);
    REQUIRE(ledger->erase_personal("aaa1"));
    CHECK(slurp(scratch.file()).find("surname") == std::string::npos);
    CHECK(events_of(read, 1)[1].event.personal.empty());
    CHECK(read.run("1")->who.empty());
    CHECK(problem(read.verify_all()) == "");
    CHECK(code_of(ledger->erase_personal("zzz")) == Code::not_found);
    REQUIRE(commit(*ledger, {event(3)}));
    CHECK(problem(read.verify_all()) == "");
}

TEST_CASE("rows of the past cannot be changed by accident") {
    const Scratch scratch;
    {
        const auto ledger = writer(scratch.state());
        REQUIRE(ledger->start_run(run_start("aaa1")));
        REQUIRE(commit(*ledger, {event(2)}, {lease("aaa1", "l1", LeaseState::released)}));
        REQUIRE(ledger->finish_run(Verdict::passed, "{}", at(3)));
    }
    Raw raw(scratch.file());
    for (const char* sql :
         {"UPDATE event SET body = '{}'",
          "DELETE FROM event WHERE seq = 2",
          "INSERT OR REPLACE INTO event SELECT * FROM event WHERE seq = 2",
          "INSERT INTO event SELECT run, 9, type, 0, 0, body, leaf FROM event WHERE seq = 2",
          "UPDATE run SET experiment = 'x'",
          "DELETE FROM run",
          "INSERT OR REPLACE INTO run SELECT * FROM run",
          "INSERT INTO run SELECT 7, 'q', 'e', '', '', '', 0, 0, '', ''",
          "UPDATE run_bytes SET plan = x'00'",
          "DELETE FROM run_bytes",
          "INSERT OR REPLACE INTO run_bytes SELECT * FROM run_bytes",
          "UPDATE chain SET head = ''",
          "UPDATE chain SET seq = seq - 1",
          "DELETE FROM chain",
          "INSERT OR REPLACE INTO chain SELECT run, 0, head FROM chain",
          "UPDATE lease SET state = 'held'",
          "UPDATE lease SET id = 'x'",
          "DELETE FROM lease",
          "INSERT OR REPLACE INTO lease SELECT * FROM lease",
          "UPDATE verdict SET verdict = 'PASSED'",
          "DELETE FROM verdict",
          "INSERT OR REPLACE INTO verdict SELECT * FROM verdict",
          "UPDATE personal SET text = x'00'",
          "INSERT OR REPLACE INTO personal SELECT * FROM personal",
          "UPDATE ledger SET id = 'x'",
          "DELETE FROM ledger"}) {
        CAPTURE(sql);
        CHECK(raw.run(sql) != "");
    }
    CHECK(problem(reader(scratch.state()).verify_all()) == "");
}

TEST_CASE("a lease is found by its id or the beginning of it, in whatever state") {
    const Scratch scratch;
    const auto ledger = writer(scratch.state());
    REQUIRE(ledger->start_run(run_start("aaa1")));
    const std::vector<Lease> leases{lease("aaa1", "abcdef", LeaseState::released),
                                    lease("aaa1", "abcxyz", LeaseState::stuck),
                                    lease("aaa1", "abc", LeaseState::held)};
    REQUIRE(ledger->commit({}, leases));
    const LedgerReader books = reader(scratch.state());
    CHECK(books.lease("abcd")->state == "released");
    CHECK(books.lease("abc")->state == "held");  // an id goes before a beginning
    CHECK(code_of(books.lease("ab")) == Code::invalid);
    CHECK(code_of(books.lease("zzz")) == Code::not_found);
    CHECK(code_of(books.lease("")) == Code::not_found);
}
