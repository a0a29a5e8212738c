// Claims about ends that nobody chose: kill -9, stopped readers, a second writer, a dead holder.
#include "base/random.hpp"
#include "ledger/reading.hpp"
#include "ledger/scratch.hpp"

#include <ctime>

using namespace drill;
using namespace drill::testing;

namespace {

constexpr int kills = 300;

/// Commits numbered events and lease renewals for ever; says one byte after each that returned.
void commit_for_ever(const std::string& directory, std::int64_t from, int out) {
    auto ledger = SqliteLedger::open_writer(directory, this_writer("aaa1", "run"));
    if (!ledger || !(*ledger)->continue_run("aaa1")) {
        say(out, "X");  // counted as an error by the parent
        _exit(1);
    }
    for (std::int64_t n = from;; ++n) {
        Lease renewed = lease("aaa1", "l1", LeaseState::held);
        renewed.until = Nanos{n};
        const std::vector<Event> events{event(n)};
        const std::vector<Lease> leases{renewed};
        if (!(*ledger)->commit(events, leases)) {
            say(out, "X");
            _exit(1);
        }
        say(out, "a");
    }
}

void pause_below(Random& random, std::uint64_t microseconds) {
    const timespec span{0, static_cast<long>(random.below(microseconds) * 1000)};
    nanosleep(&span, nullptr);
}

}  // namespace

TEST_CASE("whatever was acknowledged before kill -9 is there and the chain holds") {
    const Scratch scratch;
    {
        const auto ledger = writer(scratch.state());
        REQUIRE(ledger->start_run(run_start("aaa1")));
    }
    Random random(21);
    std::int64_t least = 0;  // commits that were acknowledged or seen
    for (int i = 0; i < kills; ++i) {
        CAPTURE(i);
        Child child([&](int out) { commit_for_ever(scratch.state(), least, out); });
        const std::uint64_t hear = random.below(4);
        std::uint64_t acknowledged = 0;
        while (acknowledged < hear && child.heard()) { ++acknowledged; }
        pause_below(random, 3000);
        child.kill(SIGKILL);
        const std::string rest = child.rest();
        REQUIRE(rest.find('X') == std::string::npos);
        least += static_cast<std::int64_t>(acknowledged + rest.size());

        const LedgerReader ledger = reader(scratch.state());
        std::int64_t seen = 0;
        for (const EventRow& row : events_of(ledger, 1)) {
            if (row.event.type == "test.step") {
                CHECK(std::get<std::int64_t>(row.event.data.at("n")) == seen);
                ++seen;
            }
        }
        CHECK(seen >= least);
        CHECK(seen <= least + 1);  // one commit may have been done and not said
        least = seen;
        if (seen > 0) { CHECK(ledger.leases(1)->front().lease->until == Nanos{seen - 1}); }
        CHECK(problem(ledger.verify_all()) == "");
    }
    CHECK(least > kills / 2);
    Raw raw(scratch.file());
    CHECK(raw.text("PRAGMA integrity_check") == "ok");
}

TEST_CASE("a second writer is refused and told pid, verb and run of the first") {
    const Scratch scratch;
    const Child child([&](int out) {
        auto ledger = SqliteLedger::open_writer(scratch.state(), this_writer("", "run"));
        if (ledger && (*ledger)->start_run(run_start("aaa1"))) { say(out, "a"); }
        pause();
    });
    REQUIRE(child.heard());
    const auto second = SqliteLedger::open_writer(scratch.state(), this_writer("", "undo"));
    CHECK(code_of(second) == Code::busy);
    const std::string message = second.error().message;
    CHECK(message.find("pid " + std::to_string(child.pid())) != std::string::npos);
    CHECK(message.find("`drill run`") != std::string::npos);
    CHECK(message.find("run aaa1") != std::string::npos);
}

TEST_CASE("the holder can be asked for, alive and dead") {
    const Scratch scratch;
    CHECK_FALSE(lock_holder(scratch.state())->has_value());
    Child child([&](int out) {
        auto ledger = SqliteLedger::open_writer(scratch.state(), this_writer("aaa1", "run"));
        if (ledger) { say(out, "a"); }
        pause();
    });
    REQUIRE(child.heard());
    const Result<std::optional<WriterId>> holder = lock_holder(scratch.state());
    REQUIRE(holder);
    REQUIRE(holder->has_value());
    CHECK((*holder)->pid == child.pid());
    CHECK((*holder)->run == "aaa1");
    CHECK(is_alive(**holder));
    WriterId other = **holder;
    other.start_time += 1;
    CHECK_FALSE(is_alive(other));
    const pid_t pid = child.pid();
    child.kill(SIGKILL);
    CHECK_FALSE(is_alive(**holder));
    CHECK_FALSE(lock_holder(scratch.state())->has_value());
    const auto next = writer(scratch.state());
    REQUIRE(next->unclean_end_of().has_value());
    CHECK(next->unclean_end_of()->pid == pid);
}

TEST_CASE("a holder that is stopped is told from one that works") {
    const Scratch scratch;
    Child child([&](int out) {
        const auto ledger = SqliteLedger::open_writer(scratch.state(), this_writer("aaa1", "run"));
        say(out, ledger ? "a" : "X");
        pause();
    });
    REQUIRE(child.heard());
    const WriterId holder = **lock_holder(scratch.state());
    CHECK_FALSE(is_stopped(holder));
    child.kill(SIGSTOP);
    REQUIRE(child.await());
    CHECK(is_stopped(holder));
    CHECK(is_alive(holder));
}

TEST_CASE("a holder is signalled when it is that very process, and no other with its pid") {
    const Scratch scratch;
    Child child([&](int out) {
        const auto ledger = SqliteLedger::open_writer(scratch.state(), this_writer("aaa1", "run"));
        say(out, ledger ? "a" : "X");
        pause();
    });
    REQUIRE(child.heard());
    const WriterId holder = **lock_holder(scratch.state());
    WriterId earlier = holder;
    earlier.start_time -= 1;
    CHECK(code_of(signal_writer(earlier, SIGKILL)) == Code::not_found);
    WriterId other_boot = holder;
    other_boot.boot_id = "another boot";
    CHECK_FALSE(signal_writer(other_boot, SIGKILL));
    CHECK(is_alive(holder));
    REQUIRE(signal_writer(holder, SIGKILL));
    CHECK_FALSE(child.await());
    CHECK_FALSE(is_alive(holder));
    CHECK_FALSE(signal_writer(holder, SIGKILL));
    CHECK_FALSE(lock_holder(scratch.state())->has_value());
}

TEST_CASE("after a clean end no writer before is reported") {
    const Scratch scratch;
    { const auto ledger = writer(scratch.state()); }
    CHECK_FALSE(writer(scratch.state())->unclean_end_of().has_value());
}

TEST_CASE("a damaged file is refused after an unclean end") {
    const Scratch scratch;
    Child child([&](int out) {
        auto ledger = SqliteLedger::open_writer(scratch.state(), this_writer("aaa1", "run"));
        if (ledger && (*ledger)->start_run(run_start("aaa1"))) { say(out, "a"); }
        pause();
    });
    REQUIRE(child.heard());
    child.kill(SIGKILL);
    {
        Raw raw(scratch.file());
        REQUIRE(raw.run("PRAGMA writable_schema=ON; UPDATE sqlite_schema SET rootpage = 2 WHERE "
                        "name = 'lease_of_run'") == "");
    }
    const auto ledger = SqliteLedger::open_writer(scratch.state(), this_writer("", "undo"));
    CHECK(code_of(ledger) == Code::internal);
    CHECK(ledger.error().message.find("damaged") != std::string::npos);
}

TEST_CASE("a reader that was stopped with its rows in hand does not block the writer") {
    const Scratch scratch;
    {
        const auto ledger = writer(scratch.state());
        REQUIRE(ledger->start_run(run_start("aaa1")));
    }
    Child child([&](int) {
        const auto ledger = LedgerReader::open(scratch.state());
        const auto runs = ledger->runs();
        const auto events = ledger->events(1);
        raise(SIGSTOP);
        _exit(runs && events ? 0 : 1);
    });
    REQUIRE(child.await());
    const auto ledger = writer(scratch.state());
    REQUIRE(ledger->continue_run("aaa1"));
    CHECK(problem(commit(*ledger, {event(2)})) == "");
}

TEST_CASE("a stop from the terminal waits until the read is over") {
    const Scratch scratch;
    Child child([](int out) {
        signal(SIGTSTP, SIG_DFL);
        {
            const SignalsHeld held;
            raise(SIGTSTP);
            say(out, "a");
        }
        say(out, "b");
    });
    child.await();  // stopped, or at its end: an orphaned process group ignores the terminal
    child.kill(SIGKILL);
    CHECK(child.rest().starts_with("a"));
}

TEST_CASE("a foreign reader that holds its lock makes the commit busy, and the gap is recorded") {
    const Scratch scratch;
    {
        const auto ledger = writer(scratch.state());
        REQUIRE(ledger->start_run(run_start("aaa1")));
    }
    Child child([&](int) {
        const Raw raw(scratch.file());
        sqlite3_stmt* statement = nullptr;
        sqlite3_prepare_v2(raw.handle(), "SELECT * FROM event", -1, &statement, nullptr);
        sqlite3_step(statement);
        raise(SIGSTOP);
    });
    REQUIRE(child.await());
    const auto ledger = writer(scratch.state());
    REQUIRE(ledger->continue_run("aaa1"));
    const std::string head = ledger->head();
    CHECK(code_of(commit(*ledger, {event(2), event(3)})) == Code::busy);
    CHECK(ledger->head() == head);
    child.kill(SIGKILL);
    REQUIRE(commit(*ledger, {event(4)}));
    const std::vector<EventRow> events = events_of(reader(scratch.state()), 1);
    REQUIRE(events.size() == 3);
    CHECK(events[1].event.type == "ledger.gap");
    CHECK(events[1].event.data.at("commits") == Datum{std::int64_t{1}});
    CHECK(events[1].event.data.at("events") == Datum{std::int64_t{2}});
    CHECK(events[1].event.data.at("since_boot_ns") == Datum{at(2).boot.count()});
    CHECK(problem(reader(scratch.state()).verify_all()) == "");
}
