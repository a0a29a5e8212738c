// How long a commit takes: one event and one lease each, on the file system that is given.
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
    const Clock::time_point checking = Clock::now();
    const auto ledger = LedgerReader::open(directory);
    if (!ledger || !ledger->verify_all()) { return 1; }
    std::printf("verify_events=%d verify_ms=%.1f\n", 2 * commits + 1,
                milliseconds(Clock::now() - checking));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: bench_ledger DIRECTORY COMMITS\n");
        return 2;
    }
    return run(argv[1], std::max(1, std::atoi(argv[2])));
}
