// Real outages with known instants, real probes every 10 ms: the truth must lie inside the bound,
// on an idle machine and with four processes that take all processor time.
// DRILL_TRUTH_RUNS says how many outages (scripts/bench/truth asks for more than a test run).
#include "base/random.hpp"
#include "base/text.hpp"
#include "probes/kinds.hpp"
#include "sampler/server.hpp"
#include "transport/sampler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

using namespace drill;
using namespace drill::test;
using namespace std::chrono_literals;

namespace {

constexpr Nanos hold = 150ms;

/// The truth as far as the clock readings around each switch tell it: at least, at most.
struct Truth {
    Nanos down{0}, up{0};
    Nanos least{0}, most{0};
};

/// Three services: one answers 503, one does not answer, one refuses. The first two look at the
/// clock for each request, so their truth is exact; the third closes its listening socket.
class Services {
public:
    Services() {
        errs_.away = [this] { return away() ? Server::Way::errs : Server::Way::answers; };
        hangs_.away = [this] { return away() ? Server::Way::hangs : Server::Way::answers; };
        listener_ = listen_on(0, port_);
    }

    [[nodiscard]] std::vector<ProbeSpec> probes() const {
        const auto spec = [](const char* kind, Values params) {
            ProbeSpec probe;
            probe.name = kind;
            probe.kind = kind;
            probe.params = std::move(params);
            probe.every = 10ms;
            probe.timeout = 1s;
            return probe;
        };
        return {spec("http", {{"url", errs_.url("/away")}}),
                spec("http", {{"url", hangs_.url("/away")}}),
                spec("tcp", {{"host", "127.0.0.1"}, {"port", std::int64_t{port_}}})};
    }

    /// Blocks for one outage. The refusing service has its own truth.
    [[nodiscard]] std::array<Truth, 3> outage(Nanos length) {
        Truth exact{.down = boot_now() + 5ms};
        exact.up = exact.down + length;
        exact.least = exact.most = length;
        down_ = exact.down.count();
        up_ = exact.up.count();
        sleep_until(exact.down);
        const Nanos before_close = boot_now();
        listener_.reset();
        const Nanos after_close = boot_now();
        sleep_until(exact.up);
        const Nanos before_listen = boot_now();
        listener_ = listen_on(port_, port_);
        const Nanos after_listen = boot_now();
        const Truth refused{.down = before_close,
                            .up = after_listen,
                            .least = before_listen - after_close,
                            .most = after_listen - before_close};
        return {exact, exact, refused};
    }

    static void sleep_until(Nanos at) {
        std::this_thread::sleep_for(std::max(Nanos{0}, at - boot_now()));
    }

private:
    [[nodiscard]] bool away() const {
        const std::int64_t now = boot_now().count();
        return now >= down_ && now < up_;
    }

    std::atomic<std::int64_t> down_{0}, up_{0};
    Server errs_, hangs_;
    Fd listener_;
    std::uint16_t port_{0};
};

int runs_wanted() {
    const char* text = std::getenv("DRILL_TRUTH_RUNS");
    return text == nullptr ? 10 : std::max(1, std::atoi(text));
}

Nanos median(std::vector<Nanos> values) {
    if (values.empty()) { return Nanos{0}; }
    std::ranges::sort(values);
    return values[values.size() / 2];
}

/// Checks one probe's outages against the truth and prints a line of figures.
void compare(const char* load, const char* way, const std::vector<Sample>& series,
             const ProbeSpec& spec, const std::vector<Truth>& truths) {
    std::size_t inside = 0;
    std::vector<Nanos> widths, late;
    for (const Sample& sample : series) { late.push_back(sample.sent - sample.intended); }
    for (const Truth& truth : truths) {
        const auto found = outages(series, spec, hold, {truth.down - 50ms, truth.up + 50ms});
        CAPTURE(way);
        CHECK(found.size() == 1);
        if (found.empty()) { continue; }
        const Outage& outage = found.front();
        const bool in = outage.lower <= truth.most && truth.least <= outage.upper;
        CHECK(outage.lower <= truth.most);
        CHECK(truth.least <= outage.upper);
        CHECK(outage.upper != unbounded);
        if (in && outage.upper != unbounded) {
            ++inside;
            widths.push_back(outage.upper - outage.lower);
        }
    }
    const auto unknown =
        static_cast<std::size_t>(std::ranges::count(series, SampleState::unknown, &Sample::state));
    std::ranges::sort(late);
    const auto at = [&](std::size_t per_mille) {
        return show_duration(late.empty() ? Nanos{0} : late[(late.size() - 1) * per_mille / 1000]);
    };
    std::printf(
        "%-7s %-8s truth inside %zu of %zu; width median %s, most %s; sent late p50 %s, "
        "p99 %s, most %s; %zu of %zu unknown\n",
        load, way, inside, truths.size(), show_duration(median(widths)).c_str(),
        show_duration(widths.empty() ? Nanos{0} : *std::ranges::max_element(widths)).c_str(),
        at(500).c_str(), at(990).c_str(), at(1000).c_str(), unknown, series.size());
}

void measure(const char* load, int runs, std::uint64_t seed) {
    Services services;
    const std::vector<ProbeSpec> specs = services.probes();
    auto planned = plan_probes(specs, probe_kinds());
    REQUIRE(planned);
    SystemClock clock;
    Collector box;
    const auto sampler = make_sampler(*std::move(planned), clock, {});
    sampler->start(box);
    Random random(seed);
    std::array<std::vector<Truth>, 3> truths;
    for (int i = 0; i < runs; ++i) {
        // The next outage begins after a hold of good answers, seen by all probes.
        const Nanos quiet = boot_now() + hold + 100ms;
        REQUIRE(box.wait([&](const auto& all) {
            return all.size() == 3 && std::ranges::all_of(all, [&](const auto& of_probe) {
                       return of_probe.second.back().state == SampleState::ok &&
                              of_probe.second.back().sent > quiet;
                   });
        }));
        const auto length = Nanos{static_cast<std::int64_t>(random.below(400'000'000))};
        const auto truth = services.outage(20ms + length);
        for (std::size_t probe = 0; probe < 3; ++probe) { truths[probe].push_back(truth[probe]); }
    }
    const Nanos over = boot_now() + lost_after(specs[0]);
    REQUIRE(box.wait([&](const auto& all) {
        return std::ranges::all_of(
            all, [&](const auto& of_probe) { return of_probe.second.back().sent > over; });
    }));
    sampler->stop();
    const std::array<const char*, 3> ways{"503", "silence", "refused"};
    for (std::uint32_t probe = 0; probe < 3; ++probe) {
        compare(load, ways[probe], box.series(probe), specs[probe], truths[probe]);
    }
}

}  // namespace

TEST_CASE("the true length of a real outage lies inside the bound on an idle machine") {
    measure("idle", runs_wanted(), 1);
}

TEST_CASE("the true length of a real outage lies inside the bound under full load") {
    std::vector<Child> hogs;
    for (int i = 0; i < 4; ++i) { hogs.push_back(Child::hog()); }
    measure("4 hogs", runs_wanted(), 2);
}
