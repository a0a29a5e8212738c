// The simulated world must promise what real shells keep: the scenario table of tests/envelope.
#include "envelope/scenarios.hpp"
#include "support/world.hpp"

#include <doctest/doctest.h>
#include <array>

using namespace drill;
using namespace drill::sim;

namespace {

const Kind test_kind{.name = "test-kind", .summary = "watched", .ending = Ending::watcher};
const std::array<const Kind*, 1> kinds{&test_kind};

Exec program(const char* name) { return {.argv = {name}, .input = ""}; }

class SimTarget : public scenarios::Target {
public:
    SimTarget() : world_(1, kinds, {}) { world_.add_host("h"); }
    Result<Reply> call(const Envelope& envelope) override {
        lease_ = envelope.lease;
        return world_.serve("h", envelope);
    }
    void begin(const Envelope& envelope) override { (void)call(envelope); }
    bool effect_present() override { return world_.effect_now("h", lease_); }
    std::string boot_id() override { return world_.facts_of("h").at("boot_id"); }
    Nanos uptime() override { return world_.uptime_of("h"); }
    void pass_time(Nanos span) override { world_.pass(span); }
    void reboot() override {
        world_.reboot("h");
        world_.pass(std::chrono::seconds{30});
    }
    void create_stop_file() override { world_.set_stop_file("h", true); }
    void deny(std::string_view line) override {
        if (line == "all") { world_.deny("h", "all"); }
        if (line.starts_with("test-kind")) { world_.deny("h", "test-kind"); }
    }
    void kill_guard() override { world_.kill_guard_main("h", lease_); }
    Exec effect() const override { return program("effect"); }
    Exec lift() const override { return program("lift"); }
    Exec look() const override { return program("look"); }
    Exec failing() const override { return program("false"); }
    Exec endless() const override { return program("endless"); }

private:
    World world_;
    std::string lease_;
};

}  // namespace

TEST_CASE("every scenario goes in the simulated world as it goes under real shells") {
    for (const scenarios::Scenario& scenario : scenarios::table()) {
        SimTarget target;
        CHECK_MESSAGE(
            scenarios::play(scenario, target).empty(), scenario.claim << ": " << [&] {
                SimTarget again;
                return scenarios::play(scenario, again);
            }());
    }
}
