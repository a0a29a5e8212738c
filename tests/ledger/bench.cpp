// How long a commit takes: one event and one lease each, on the file system that is given; and how
// many events of a long run are verified in a second.
// Must not: be a test; scripts/bench/ledger runs it.
#include "ledger/sqlite_ledger.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

using namespace drill;

namespace {

using Clock = std::chrono::steady_clock;

double milliseconds(Clock::duration span) {
    return std::chrono::duration<double, std::milli>(span).count();
}

int run(const std::string& directory, int commits) {
    auto opened = SqliteLedger::open_writer(directory, this_writer("bench", "bench"));
    if (!opened) {
        std::fprintf(stderr, "%s\n", opened.error().message.c_str());
        return 1;
    }
    RunStart start;
    start.run = "bench";
    if (!(*opened)->start_run(start)) { return 1; }
    std::vector<Clock::duration> spans;
    const Clock::time_point began = Clock::now();
    for (int i = 0; i < commits; ++i) {
        const Clock::time_point before = Clock::now();
        const std::vector<Event> events{
            {.type = "bench.step", .message = std::string(300, 'x'), .data = {{"n", true}}}};
        const std::vector<Lease> leases{
            {.id = "benchbench00", .run = start.run, .state = LeaseState::held}};
        if (!(*opened)->commit(events, leases)) { return 1; }
        spans.push_back(Clock::now() - before);
    }
    const double whole = milliseconds(Clock::now() - began);
    std::sort(spans.begin(), spans.end());
    std::printf("commits=%d per_s=%.0f p50_ms=%.2f p99_ms=%.2f max_ms=%.2f\n", commits,
                commits * 1000.0 / whole, milliseconds(spans[spans.size() / 2]),
                milliseconds(spans[spans.size() * 99 / 100]), milliseconds(spans.back()));
    return 0;
}

/// A long run, and how many of its events are checked in a second: the best of three passes, as
/// the first one reads the file.
int verify(const std::string& directory, int events) {
    constexpr int batch = 2000;
    {
        auto opened = SqliteLedger::open_writer(directory, this_writer("bench", "long"));
        if (!opened) { return 1; }
        RunStart start;
        start.run = "long";
        if (!(*opened)->start_run(start)) { return 1; }
        const Event one{
            .type = "bench.step", .message = std::string(200, 'x'), .data = {{"n", true}}};
        for (int i = 0; i < events; i += batch) {
            if (!(*opened)->commit(std::vector<Event>(batch, one), {})) { return 1; }
        }
    }
    double best = 0;
    std::int64_t checked = 0;
    for (int pass = 0; pass < 3; ++pass) {
        const Clock::time_point before = Clock::now();
        const auto ledger = LedgerReader::open(directory);
        const auto found =
            ledger ? ledger->audit(2) : Result<Verified>(fail(Code::internal, "no ledger"));
        if (!found || !ledger->verify(1) || !ledger->verify_links()) { return 1; }
        checked = found->events;
        const double took = milliseconds(Clock::now() - before);
        best = pass == 0 ? took : std::min(best, took);
    }
    std::printf("verify_events=%lld verify_ms=%.1f per_s=%.0f\n", static_cast<long long>(checked),
                best, static_cast<double>(checked) * 1000.0 / best);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: bench_ledger DIRECTORY COMMITS EVENTS\n");
        return 2;
    }
    const int status = run(argv[1], std::max(1, std::atoi(argv[2])));
    return status != 0 ? status : verify(argv[1], std::max(1, std::atoi(argv[3])));
}
