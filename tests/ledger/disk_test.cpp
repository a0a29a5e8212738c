// Claims about a disk that is full or fails, on a tmpfs in a mount namespace of a child process
// and, where that is not allowed, under a limit of file size.
#include "ledger/scratch.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

using namespace drill;
using namespace drill::testing;

namespace {

/// Runs in a child; "" is good, "skip" says that this machine does not allow the namespace.
std::string in_child(const std::function<std::string()>& body) {
    const Child child([&](int out) { say(out, body()); });
    return child.rest();
}

bool own_tmpfs(const std::string& directory, const char* size) {
    return unshare(CLONE_NEWNS) == 0 &&
           mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           mount("tmpfs", directory.c_str(), "tmpfs", 0, size) == 0;
}

/// Until not one byte more goes in: large pieces first, then small ones.
void fill_disk(const std::string& path) {
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const std::string block(65536, 'x');
    for (std::size_t piece = block.size(); piece > 0; piece /= 2) {
        while (write(fd, block.data(), piece) > 0) {}
    }
    close(fd);
}

Event large_event(std::int64_t n) {
    Event out = event(n);
    out.data["output"] = std::string(200'000, 'y');
    return out;
}

#define NEED(condition) \
    if (!(condition)) { return std::string("line ") + std::to_string(__LINE__) + ": " #condition; }

bool is_there(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

std::vector<EventRow> gaps_of(const std::string& directory) {
    std::vector<EventRow> gaps;
    const auto ledger = LedgerReader::open(directory);
    if (!ledger) { return gaps; }
    const auto events = ledger->events(1);
    if (!events) { return gaps; }
    for (const EventRow& row : *events) {
        if (row.event.type == "ledger.gap") { gaps.push_back(row); }
    }
    return gaps;
}

std::string full_disk(const std::string& root) {
    if (!own_tmpfs(root, "size=4m")) { return "skip"; }
    const std::string state = root + "/state";
    auto opened = SqliteLedger::open_writer(state, this_writer("", "run"));
    NEED(opened);
    SqliteLedger& ledger = **opened;
    NEED(ledger.start_run(run_start("aaa1")));
    NEED(commit(ledger, {event(2)}, {lease("aaa1", "l1", LeaseState::held)}));
    NEED(ledger.has_ballast());
    const std::string head = ledger.head();
    fill_disk(root + "/filler");

    // The first failure writes nothing, halts, and makes room for what the undo has to say.
    const Status first = commit(ledger, {large_event(3)});
    NEED(!first && first.error().code == Code::no_space);
    NEED(ledger.head() == head);
    NEED(!is_there(state + "/ledger.ballast"));
    NEED(commit(ledger, {event(4)}, {lease("aaa1", "l1", LeaseState::releasing)}));
    NEED(commit(ledger, {event(5)}, {lease("aaa1", "l1", LeaseState::released)}));
    NEED(gaps_of(state).size() == 1);
    NEED(gaps_of(state)[0].event.data.at("commits") == Datum{std::int64_t{1}});

    // Without ballast it goes on failing whole, and counts.
    fill_disk(root + "/filler");
    for (int i = 0; i < 3; ++i) {
        const Status again = commit(ledger, {large_event(6), event(7)});
        NEED(!again && again.error().code == Code::no_space);
    }
    NEED(ledger.start_run(run_start("aaa2")).error().code == Code::no_space);
    NEED(ledger.continue_run("aaa1"));
    const Status last = commit(ledger, {large_event(8)});
    NEED(!last && last.error().code == Code::no_space);
    NEED(unlink((root + "/filler").c_str()) == 0);
    NEED(commit(ledger, {event(9)}));
    NEED(gaps_of(state).size() == 2);
    NEED(gaps_of(state)[1].event.data.at("since_boot_ns") == Datum{at(8).boot.count()});
    NEED(ledger.finish_run(Verdict::halted, "{}", at(10)));
    NEED(problem(LedgerReader::open(state)->verify_all()).empty());
    opened = fail(Code::internal, "closed");
    const auto next = SqliteLedger::open_writer(state, this_writer("", "run"));
    NEED(next && (*next)->has_ballast());
    return "";
}

std::string limited_files(const std::string& root) {
    signal(SIGXFSZ, SIG_IGN);
    const std::string state = root + "/state";
    auto opened = SqliteLedger::open_writer(state, this_writer("", "run"));
    NEED(opened);
    SqliteLedger& ledger = **opened;
    NEED(ledger.start_run(run_start("aaa1")));
    const std::string head = ledger.head();
    struct stat file {};
    NEED(stat((state + "/ledger.db").c_str(), &file) == 0);
    rlimit limit{};
    NEED(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    const rlimit tight{static_cast<rlim_t>(file.st_size) + 8192, limit.rlim_max};
    NEED(setrlimit(RLIMIT_FSIZE, &tight) == 0);
    for (int i = 0; i < 5; ++i) {
        const Status failed = commit(ledger, {event(2), large_event(3)});
        if (!failed && failed.error().code != Code::no_space) { return failed.error().message; }
        NEED(!failed && failed.error().code == Code::no_space);
        NEED(ledger.head() == head);
    }
    NEED(commit(ledger, {event(4)}));
    NEED(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    NEED(commit(ledger, {large_event(5)}));
    NEED(gaps_of(state).size() == 1);
    NEED(gaps_of(state)[0].event.data.at("commits") == Datum{std::int64_t{5}});
    NEED(gaps_of(state)[0].event.data.at("events") == Datum{std::int64_t{10}});
    NEED(gaps_of(state)[0].event.data.at("since_boot_ns") == Datum{at(2).boot.count()});
    NEED(problem(LedgerReader::open(state)->verify_all()).empty());
    return "";
}

std::string no_room_at_all(const std::string& root) {
    if (!own_tmpfs(root, "size=512k")) { return "skip"; }
    const std::string state = root + "/state";
    const auto ledger = SqliteLedger::open_writer(state, this_writer("", "run"));
    NEED(ledger);
    NEED(!(*ledger)->has_ballast());
    const auto number = (*ledger)->start_run(run_start("aaa1"));
    NEED(!number && number.error().code == Code::no_space);
    return "";
}

/// An undo must be able to open the ledger on a disk without a free byte.
std::string full_disk_at_opening(const std::string& root) {
    if (!own_tmpfs(root, "size=4m")) { return "skip"; }
    const std::string state = root + "/state";
    {
        auto opened = SqliteLedger::open_writer(state, this_writer("aaa1", "run"));
        NEED(opened && (*opened)->start_run(run_start("aaa1")));
        NEED(commit(**opened, {}, {lease("aaa1", "l1", LeaseState::held)}));
    }
    NEED(unlink((state + "/ledger.ballast").c_str()) == 0);
    fill_disk(root + "/filler");
    const auto opened = SqliteLedger::open_writer(state, this_writer("aaa1", "undo"));
    NEED(opened && (*opened)->continue_run("aaa1"));
    NEED(LedgerReader::open(state)->open_leases()->size() == 1);
    return "";
}

}  // namespace

TEST_CASE("a full disk fails commits whole, the ballast lets the undo be recorded, gaps are kept") {
    const Scratch scratch;
    const std::string result = in_child([&] { return full_disk(scratch.path()); });
    if (result == "skip") { MESSAGE("SKIPPED: no mount namespace here"); }
    CHECK((result == "" || result == "skip"));
    if (result != "skip") { CHECK(result == ""); }
}

TEST_CASE("a file size limit fails commits whole and the connection stays usable") {
    const Scratch scratch;
    CHECK(in_child([&] { return limited_files(scratch.path()); }) == "");
}

TEST_CASE("no run begins without room for the ballast") {
    const Scratch scratch;
    const std::string result = in_child([&] { return no_room_at_all(scratch.path()); });
    if (result == "skip") { MESSAGE("SKIPPED: no mount namespace here"); }
    if (result != "skip") { CHECK(result == ""); }
}

TEST_CASE("the ledger opens for an undo on a disk that is full to the last byte") {
    const Scratch scratch;
    const std::string result = in_child([&] { return full_disk_at_opening(scratch.path()); });
    if (result == "skip") { MESSAGE("SKIPPED: no mount namespace here"); }
    if (result != "skip") { CHECK(result == ""); }
}
