// The engine against a simulated fleet: crash sweeps, enumerated, and seeds.
#include "faults/kinds.hpp"
#include "sim/simulation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <string>

using namespace drill;
using namespace drill::sim;

namespace {

std::string problems(const SimResult& result) {
    std::string text;
    for (const std::string& one : result.broken) { text += one + "\n"; }
    return text;
}

/// The controller dies at every crossing; then (a) time alone, (b) undo dies at every one of its
/// own.
void sweep(std::size_t hosts, const std::string& kind, std::size_t stride,
           std::size_t nested_stride, std::size_t& runs) {
    SimOptions options{.seed = 11, .hosts = hosts, .kinds = {kind, kind}};
    const SimResult whole = simulate(options);
    REQUIRE_MESSAGE(whole.broken.empty(), problems(whole));
    REQUIRE(whole.verdict == Verdict::passed);
    REQUIRE(whole.crossings > 20);
    for (std::uint64_t k = 1; k <= whole.crossings; k += stride) {
        options.die_at = k;
        options.undo_dies_at.clear();
        const SimResult alone = simulate(options);
        CHECK_MESSAGE(alone.broken.empty(), kind << " dies at " << k << " of " << whole.crossings
                                                 << ": " << problems(alone));
        options.undo_dies_at = {0};
        const SimResult undone = simulate(options);
        CHECK_MESSAGE(undone.broken.empty(),
                      kind << " dies at " << k << ", undo: " << problems(undone));
        runs += 2;
        const std::uint64_t own = undone.undo_crossings.empty() ? 0 : undone.undo_crossings.front();
        for (std::uint64_t j = 1; j <= own; j += nested_stride) {
            options.undo_dies_at = {j, 0};
            const SimResult nested = simulate(options);
            CHECK_MESSAGE(nested.broken.empty(), kind << " dies at " << k << ", undo at " << j
                                                      << ": " << problems(nested));
            ++runs;
        }
    }
}

}  // namespace

TEST_CASE("in calm weather every kind passes and leaves nothing") {
    for (const Kind* kind : every_kind()) {
        for (const std::size_t hosts : {1U, 3U, 10U}) {
            const SimResult result =
                simulate({.seed = 5, .hosts = hosts, .kinds = {std::string(kind->name)}});
            CAPTURE(kind->name);
            CAPTURE(hosts);
            CHECK_MESSAGE(result.broken.empty(), problems(result));
            CHECK_MESSAGE(result.verdict == Verdict::passed,
                          (result.reasons.empty() ? "" : result.reasons.front()));
        }
    }
}

TEST_CASE("the controller dies at every boundary, and undo at every one of its own") {
    std::size_t runs = 0;
    for (const Kind* kind : sim_kinds()) {
        sweep(1, std::string(kind->name), 1, 1, runs);
        sweep(3, std::string(kind->name), 1, 1, runs);
        sweep(10, std::string(kind->name), 7, 13, runs);
    }
    std::printf("crash sweep: %zu runs\n", runs);
}

TEST_CASE("the same for every shipped kind") {
    std::size_t runs = 0;
    for (const Kind* kind : fault_kinds()) {
        sweep(1, std::string(kind->name), 1, 1, runs);
        sweep(3, std::string(kind->name), 1, 1, runs);
    }
    std::printf("crash sweep of shipped kinds: %zu runs\n", runs);
}

TEST_CASE("seeds: lost, late, doubled messages, reboots, full disks, a dying controller") {
    constexpr std::uint64_t seeds = 2500;
    std::size_t passed = 0;
    std::size_t applied = 0;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        const SimResult result = simulate(drawn(seed));
        CHECK_MESSAGE(result.broken.empty(), "scripts/sim --seed " << seed << "\n"
                                                                   << problems(result));
        passed += !result.died && result.verdict == Verdict::passed ? 1U : 0U;
        applied += result.crossings > 30 ? 1U : 0U;
    }
    std::printf("seeds: %llu runs, %zu of them passed\n", static_cast<unsigned long long>(seeds),
                passed);
    CHECK(passed > seeds / 20);  // the weather leaves enough runs that go well
    CHECK(applied > seeds / 2);
}

TEST_CASE("a target that fails does not end the run where it goes on, and keeps it from PASSED") {
    std::size_t partial = 0;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        SimOptions options{.seed = seed, .hosts = 4, .kinds = {"sim-watcher"}, .goes_on = true};
        options.weather.full_disk = 60;
        options.weather.lose_request = 40;
        const SimResult result = simulate(options);
        CHECK_MESSAGE(result.broken.empty(), "seed " << seed << ": " << problems(result));
        const bool some = std::any_of(
            result.reasons.begin(), result.reasons.end(), [](const std::string& reason) {
                return reason.find("some of its targets only") != std::string::npos;
            });
        partial += some ? 1U : 0U;
        if (some) { CHECK(result.verdict != Verdict::passed); }
    }
    CHECK(partial > 5);
}

TEST_CASE("a controller that is stopped, halted from elsewhere and then killed leaves nothing") {
    SimOptions options{.seed = 11, .hosts = 3, .kinds = {"sim-kernel", "sim-watcher"}};
    const std::uint64_t crossings = simulate(options).crossings;
    options.halted = true;
    for (std::uint64_t k = 1; k <= crossings; ++k) {
        options.die_at = k;
        for (const std::vector<std::uint64_t>& undos :
             {std::vector<std::uint64_t>{0}, std::vector<std::uint64_t>{7, 0}}) {
            options.undo_dies_at = undos;
            const SimResult result = simulate(options);
            CHECK_MESSAGE(result.broken.empty(), "stopped at " << k << ": " << problems(result));
        }
    }
}

TEST_CASE("a lease that a person closes is left alone, and all the others are undone") {
    SimOptions options{.seed = 11, .hosts = 3, .kinds = {"sim-watcher"}, .closes = true};
    const std::uint64_t crossings = simulate(options).crossings;
    std::size_t closed = 0;
    for (std::uint64_t k = 1; k <= crossings; ++k) {
        options.die_at = k;
        const SimResult result = simulate(options);
        CHECK_MESSAGE(result.broken.empty(), "dies at " << k << ": " << problems(result));
        closed += result.closed ? 1U : 0U;
    }
    CHECK(closed > crossings / 3);
}

TEST_CASE("the same seed gives the same run") {
    SimOptions options = drawn(42);
    options.tracing = true;
    const SimResult once = simulate(options);
    const SimResult again = simulate(options);
    CHECK(once.trace == again.trace);
    CHECK(once.trace.size() > 10);
}
