// Claims about a disk whose sync fails. The program's own fsync and fdatasync stand before those
// of the C library, so SQLite calls them. Must not: be linked into anything else.
#include "ledger/scratch.hpp"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <cerrno>

using namespace drill;
using namespace drill::testing;

namespace {

/// Counts down with each sync; the one that brings it to 0 fails, as do `more` after it.
int syncs_until_failure = 0;
int more_failures = 0;

bool fails_now() {
    if (syncs_until_failure > 0) { return --syncs_until_failure == 0; }
    return more_failures > 0 && more_failures-- > 0;
}

/// SQLite ignores what the sync of a directory says: only files count.
bool is_file(int fd) {
    struct stat there {};
    return fstat(fd, &there) == 0 && S_ISREG(there.st_mode);
}

int sync_with(long number, int fd) {
    if (is_file(fd) && fails_now()) {
        errno = EIO;
        return -1;
    }
    return static_cast<int>(syscall(number, fd));
}

constexpr int most_syncs = 20;

}  // namespace

extern "C" int fsync(int fd) { return sync_with(SYS_fsync, fd); }
extern "C" int fdatasync(int fd) { return sync_with(SYS_fdatasync, fd); }

TEST_CASE("whichever sync of a commit fails, the commit says so and the chain goes on whole") {
    const Scratch scratch;
    const auto ledger = writer(scratch.state());
    REQUIRE(ledger->start_run(run_start("aaa1")));
    std::int64_t n = 10;
    int failed = 0;
    for (int sync = 1; sync <= most_syncs; ++sync) {
        CAPTURE(sync);
        const std::size_t before = events_of(reader(scratch.state()), 1).size();
        syncs_until_failure = sync;
        const Status done = commit(*ledger, {event(n)}, {lease("aaa1", "l1", LeaseState::held)});
        if (syncs_until_failure > 0) {  // fewer syncs than that: all cases are done
            syncs_until_failure = 0;
            CHECK(done);
            break;
        }
        ++failed;
        CHECK(code_of(done) == Code::internal);
        const std::size_t after = events_of(reader(scratch.state()), 1).size();
        CHECK((after == before || after == before + 2));
        REQUIRE(commit(*ledger, {event(n + 1)}));
        const std::vector<EventRow> events = events_of(reader(scratch.state()), 1);
        CHECK(events.size() == after + 2);
        CHECK(events[after].event.type == "ledger.gap");
        CHECK(problem(reader(scratch.state()).verify_all()) == "");
        n += 2;
    }
    CHECK(failed >= 3);
}

TEST_CASE("a disk that goes on failing is counted until it works again") {
    const Scratch scratch;
    const auto ledger = writer(scratch.state());
    REQUIRE(ledger->start_run(run_start("aaa1")));
    syncs_until_failure = 1;
    more_failures = 1'000'000;
    for (int i = 0; i < 4; ++i) { CHECK(code_of(commit(*ledger, {event(2)})) == Code::internal); }
    syncs_until_failure = 0;
    more_failures = 0;
    REQUIRE(commit(*ledger, {event(3)}));
    const std::vector<EventRow> events = events_of(reader(scratch.state()), 1);
    REQUIRE(events.size() == 3);
    CHECK(events[1].event.data.at("commits") == Datum{std::int64_t{4}});
    CHECK(problem(reader(scratch.state()).verify_all()) == "");
}
