// scripts/sim: replays one seed with its trace, or sweeps a range of seeds.
#include "sim/simulation.hpp"

#include <cstdio>
#include <cstdlib>
#include <string_view>

int main(int argc, char** argv) {
    std::uint64_t seed = 0;
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view flag = argv[i];
        const std::uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
        if (flag == "--seed") { seed = value; }
        if (flag == "--from") { from = value; }
        if (flag == "--to") { to = value; }
    }
    if (seed == 0 && to == 0) {
        std::fputs("usage: scripts/sim --seed N | --from N --to M\n", stderr);
        return 2;
    }
    if (seed != 0) { from = to = seed; }
    std::size_t bad = 0;
    for (std::uint64_t n = from; n <= to; ++n) {
        drill::sim::SimOptions options = drill::sim::drawn(n);
        options.tracing = seed != 0;
        const drill::sim::SimResult result = drill::sim::simulate(options);
        for (const std::string& line : result.trace) { std::printf("%s\n", line.c_str()); }
        if (seed != 0) {
            std::printf("%s%s\n", result.died ? "the controller died at crossing " : "verdict ",
                        result.died ? std::to_string(result.crossings).c_str()
                                    : drill::name_of(result.verdict));
            for (const std::string& reason : result.reasons) {
                std::printf("  %s\n", reason.c_str());
            }
        }
        for (const std::string& claim : result.broken) {
            std::printf("seed %llu: %s\n", static_cast<unsigned long long>(n), claim.c_str());
        }
        bad += result.broken.empty() ? 0U : 1U;
    }
    std::printf("%llu runs, %zu broke an invariant\n",
                static_cast<unsigned long long>(to) - from + 1, bad);
    return bad == 0 ? 0 : 1;
}
