// Plans with the shipped kinds on this machine, asked through the real envelope over the local
// transport: read-only questions, nothing is changed.
#include "config/loader.hpp"
#include "faults/kinds.hpp"
#include "plan/planner.hpp"
#include "plan/render.hpp"
#include "probes/kinds.hpp"
#include "report/sample.hpp"
#include "transport/clock.hpp"
#include "transport/local.hpp"

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <cstdlib>

using namespace drill;
using namespace std::chrono_literals;

namespace {

// Without root the plan is refused, and rightly so; doctest prints the number of skipped cases.
const auto needs_root = doctest::skip(geteuid() != 0);

constexpr const char* catalog_text = R"(
[environment]
name = "here"
class = "lab"
[host.here]
address = "localhost"
transport = "local"
labels = { role = "self" }
[host.far]
address = "192.0.2.77"
addresses = ["192.0.2.77"]
labels = { role = "peer" }
)";

std::string experiment_text(const std::string& step) {
    return R"(
[experiment]
name = "real"
title = "Real kinds"
[limit]
hosts = 1
longest = "1m"
[target.self]
match = { role = "self" }
pick = 1
[[probe]]
name = "p"
kind = "command"
argv = ["true"]
every = "1s"
timeout = "1s"
[[hypothesis]]
probe = "p"
before = "success >= 99% for 2s"
[[step]]
name = "one"
on = "self"
hold = "3s"
)" + step;
}

std::string texts_of(const Diagnostics& diagnostics) {
    std::string out;
    for (const Diagnostic& one : diagnostics) { out += one.summary + "\n"; }
    return out;
}

struct Asker {
    SystemClock clock;
    std::vector<AskAnswer> answer(const std::vector<Ask>& asks) {
        std::vector<AskAnswer> answers;
        for (const Ask& ask : asks) {
            const Nanos sent = clock.now().boot;
            auto reply = make_local(ask.to)->perform(Action{ask.envelope}, sent + 20s, {});
            answers.push_back({ask.host, std::move(reply), sent, clock.now().boot});
        }
        return answers;
    }
};

Result<Plan> real_plan(const std::string& step) {
    const auto catalog = parse_catalog(catalog_text, "/tmp/drill.toml");
    const std::string wrong_catalog = texts_of(catalog.diagnostics);
    CAPTURE(wrong_catalog);
    REQUIRE_FALSE(has_errors(catalog.diagnostics));
    const auto experiment = parse_experiment(experiment_text(step), "/tmp/x.toml", fault_kinds(),
                                             probe_kinds(), &catalog.catalog);
    const std::string wrong = texts_of(experiment.diagnostics);
    CAPTURE(wrong);
    REQUIRE_FALSE(has_errors(experiment.diagnostics));
    Planner planner(catalog.catalog, experiment.experiment, fault_kinds(), probe_kinds(), {});
    Asker asker;
    DRILL_TRY(const auto asks, planner.start());
    DRILL_TRY(const auto questions, planner.observe(asker.answer(asks)));
    const HostState& state = planner.states().at("here");
    CHECK(state.uptime >= state.low - 20ms);  // the same machine: the same clock
    CHECK(state.uptime <= state.high + 20ms);
    return planner.compose(asker.answer(questions));
}

void plans_twice_alike(const std::string& step) {
    const auto first = real_plan(step);
    const std::string wrong = first ? "" : first.error().text();
    CAPTURE(wrong);
    REQUIRE(first);
    const auto second = real_plan(step);
    REQUIRE(second);
    const std::string difference = diff_plans(*first, *second);
    CAPTURE(difference);
    CHECK(first->hash == second->hash);
    test::check_width(render_plan(*first, {}), 80);
}

}  // namespace

TEST_CASE("the harmless kind is planned twice with one hash" * needs_root) {
    plans_twice_alike("fault = \"noop\"\n");
}

TEST_CASE("a partition is planned twice with one hash" * needs_root) {
    plans_twice_alike("fault = \"net-partition\"\nwith = { from = { role = \"peer\" } }\n");
}

TEST_CASE("a kill is planned twice with one hash, whatever the process id" * needs_root) {
    struct Sleeper {
        pid_t pid;
        explicit Sleeper(const std::string& path) : pid(fork()) {
            if (pid == 0) {
                execl(path.c_str(), path.c_str(), "60", nullptr);
                _exit(127);
            }
        }
        Sleeper(const Sleeper&) = delete;
        Sleeper& operator=(const Sleeper&) = delete;
        ~Sleeper() {
            kill(pid, SIGKILL);
            waitpid(pid, nullptr, 0);
        }
    };
    // The kernel cuts process names at 15 characters.
    const std::string name = "drl" + std::to_string(getpid());
    const std::string path = "/tmp/" + name;
    REQUIRE(std::system(("cp /bin/sleep " + path).c_str()) == 0);
    const std::string step =
        "fault = \"process-kill\"\nwith = { process = \"" + name + "\", signal = \"KILL\" }\n";
    std::string hash;
    for (int i = 0; i < 2; ++i) {
        const Sleeper sleeper(path);
        Result<Plan> plan = fail(Code::internal, "not tried");
        for (int n = 0; n < 50 && !plan; ++n) { plan = real_plan(step); }  // until exec was done
        const std::string wrong = plan ? "" : plan.error().text();
        CAPTURE(wrong);
        REQUIRE(plan);
        if (i == 0) { hash = plan->hash; }
        CHECK(plan->hash == hash);
    }
    unlink(path.c_str());
}
