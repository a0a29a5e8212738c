// The planner's stages against canned answers: what is asked, what refuses, what enters the hash.
#include "plan/planner.hpp"

#include "base/digest.hpp"
#include "model/json.hpp"
#include "plan/facts.hpp"
#include "plan/render.hpp"
#include "plan/sample.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

using namespace drill;
using namespace drill::test;

namespace {

std::string refusal(Fleet fleet, const Experiment& experiment = sample_experiment(),
                    const Catalog& catalog = sample_catalog()) {
    const auto plan = make_plan(std::move(fleet), experiment, catalog);
    if (plan) { return "(no refusal)"; }
    return plan.error().message;
}
bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}
std::vector<std::string> asked(const std::vector<Ask>& asks) {
    std::vector<std::string> names;
    for (const Ask& ask : asks) { names.push_back(ask.host); }
    return names;
}
/// The host that seed 4711 picks as the target.
std::string target() {
    const auto plan = make_plan();
    REQUIRE(plan);
    return plan->steps[0].changes[0].host;
}
std::string other() { return target() == "app-1" ? "app-2" : "app-1"; }
Experiment with_pick(Pick pick, std::int64_t hosts, int share_ppm) {
    Experiment experiment = sample_experiment();
    experiment.targets[0].pick = pick;
    experiment.limit.hosts = hosts;
    experiment.limit.share = Percent{share_ppm};
    return experiment;
}

}  // namespace

TEST_CASE("a plan is complete: steps, hosts, limit, objectives and hash") {
    const auto plan = make_plan();
    REQUIRE(plan);
    CHECK(plan->definition_sha256 == sha256_hex("experiment bytes"));
    CHECK(plan->catalog_sha256 == sha256_hex("catalog bytes"));
    CHECK(plan->seed == 4711);
    CHECK(plan->rto == std::optional<Nanos>{10s});
    CHECK(plan->rto_from == "experiment");
    CHECK(plan->rpo == std::optional<Nanos>{0s});
    CHECK(plan->limit_says == "at most 1 of 2 hosts (50 % of role=orders-app)");
    CHECK(plan->group == std::vector<std::string>{"app-1", "app-2"});
    REQUIRE(plan->steps.size() == 2);
    CHECK(plan->steps[1].after == std::vector<After>{{"cut-off", false}});
    const PlannedChange& change = plan->steps[0].changes.at(0);
    CHECK(change.says == "drop all traffic from bal-1 (2 addresses), both directions");
    CHECK(change.peers.at(0).addresses == std::vector<std::string>{"10.77.0.2", "fd77::2"});
    CHECK(plan->hosts.at(change.host).identity.at("machine_id") == "id-of-" + change.host);
    CHECK(plan->hosts.at(change.host).connection.host_key == "SHA256:" + change.host);
    CHECK(plan->hosts.contains("bal-1"));
    CHECK_FALSE(plan->hosts.contains("db-1"));
    CHECK(plan->hash == plan_hash(*plan));
    CHECK(plan_from_json(plan_to_json(*plan, Hash::with)));
}

TEST_CASE("a plan knows which fault may hurt the data of a stateful service") {
    Catalog catalog = sample_catalog();
    CHECK(make_plan({}, sample_experiment(), catalog)->steps[1].changes.at(0).data_of.empty());
    catalog.services[0].stateful = true;
    const auto plan = make_plan({}, sample_experiment(), catalog);
    REQUIRE(plan);
    CHECK(plan->steps[0].changes.at(0).data_of.empty());  // cutting the network hurts no data
    CHECK(plan->steps[1].changes.at(0).data_of == "orders");
    const std::string text = render_plan(*plan, {});
    CHECK(text.find("not checked: data of orders may be hurt") != std::string::npos);
}

TEST_CASE("targets and the group of the limit are asked, peers with addresses are not") {
    Planner planner = sample_planner(sample_catalog(), sample_experiment());
    const auto asks = planner.start();
    REQUIRE(asks);
    CHECK(asked(*asks) == std::vector<std::string>{"app-1", "app-2"});
    CHECK((*asks)[0].envelope.phase == Phase::ask);
    CHECK_FALSE((*asks)[0].envelope.nonce.empty());
    CHECK((*asks)[0].envelope.nonce != (*asks)[1].envelope.nonce);
    CHECK((*asks)[0].to.address == "app-1.lab");
}

TEST_CASE("peers without addresses and vantage points are asked") {
    Catalog catalog = sample_catalog();
    catalog.hosts[2].addresses.clear();
    Experiment experiment = sample_experiment();
    experiment.probes[0].params["on"] = std::string("watch-1");
    Planner planner = sample_planner(catalog, experiment);
    CHECK(asked(*planner.start()) ==
          std::vector<std::string>{"app-1", "app-2", "bal-1", "watch-1"});
}

TEST_CASE("a peer's asked addresses leave out those that the target has itself") {
    Catalog catalog = sample_catalog();
    catalog.hosts[2].addresses.clear();
    Fleet fleet;
    fleet.lines["bal-1"]["address"] = "10.77.0.2\naddress=172.17.0.1";
    fleet.lines[target()]["address"] = "10.77.0.9\naddress=172.17.0.1";
    const auto plan = make_plan(fleet, sample_experiment(), catalog);
    REQUIRE(plan);
    CHECK(plan->steps[0].changes[0].peers[0].addresses == std::vector<std::string>{"10.77.0.2"});
    fleet.lines["bal-1"]["address"] = "172.17.0.1";
    CHECK(has(refusal(fleet, sample_experiment(), catalog), "bal-1: no address is known"));
}

TEST_CASE("the questions of all changes on a host go in one call and come back to each change") {
    Experiment experiment = sample_experiment();
    experiment.steps.push_back(step("cut-again", "net-partition", 5s));
    Planner planner = sample_planner(sample_catalog(), experiment);
    Fleet fleet;
    const auto questions = planner.observe(fleet.answer(*planner.start()));
    REQUIRE(questions);
    REQUIRE(questions->size() == 1);
    CHECK((*questions)[0].envelope.commands.size() == 2);
    AskAnswer answer = fleet.answer((*questions)[0]);
    answer.reply->parts[1] = {.status = 1, .out = "", .err = "nft: denied"};
    const auto plan = planner.compose({answer});
    REQUIRE_FALSE(plan);
    CHECK(has(plan.error().message, "step cut-again"));
    CHECK_FALSE(has(plan.error().message, "step cut-off"));
    CHECK(has(plan.error().message, "the rules cannot be read: nft: denied"));
}

TEST_CASE("what was true of a host when it was asked is kept for the run") {
    Planner planner = sample_planner(sample_catalog(), sample_experiment());
    Fleet fleet;
    REQUIRE(run_planner(planner, fleet));
    const HostState& state = planner.states().at("app-1");
    CHECK(state.uptime == 1000s);
    CHECK(state.low == 5s);
    CHECK(state.high == 6s);
    CHECK(state.facts.at("boot_id") == "boot-of-app-1");
}

TEST_CASE("the same inputs and answers give the same hash") {
    CHECK(make_plan()->hash == make_plan()->hash);
}

TEST_CASE("volatile facts leave the hash alone") {
    const std::string before = make_plan()->hash;
    for (const auto& [name, value] : Lines{{"boot_id", "another"},
                                           {"uptime_cs", "7"},
                                           {"kernel", "6.2"},
                                           {"hostname", "x"},
                                           {"user", "toor"},
                                           {"shell", "/bin/bash"},
                                           {"ssh_client", "10.77.0.251"}}) {
        const std::string varied = name;  // clang 14 captures no structured binding
        CAPTURE(varied);
        Fleet fleet;
        fleet.lines[target()][name] = value;
        CHECK(make_plan(fleet)->hash == before);
    }
    Fleet fleet;
    fleet.lines[target()]["tool.tc"] = "/sbin/tc";  // a tool that nobody needs
    CHECK(make_plan(fleet)->hash == before);
    fleet.lines[other()]["machine_id"] = "x";  // a host that only counts
    CHECK(make_plan(fleet)->hash == before);
}

TEST_CASE("each identity fact of a target enters the hash") {
    const std::string before = make_plan()->hash;
    for (const auto& [name, value] : Lines{{"machine_id", "x"},
                                           {"init", "runit"},
                                           {"interface", "eth1"},
                                           {"address", "10.9.9.9"},
                                           {"ssh_server_port", "23"},
                                           {"tool.nft", "/opt/nft"}}) {
        const std::string varied = name;  // clang 14 captures no structured binding
        CAPTURE(varied);
        Fleet fleet;
        fleet.lines[target()][name] = value;
        const auto plan = make_plan(fleet);
        REQUIRE(plan);
        CHECK(plan->hash != before);
    }
    Fleet fleet;
    fleet.keys[target()] = "SHA256:other";
    CHECK(make_plan(fleet)->hash != before);
}

TEST_CASE("two environments share the definition's hash, not the plan's") {
    Catalog staging = sample_catalog();
    staging.environment = "staging";
    staging.environment_class = "staging";
    const auto plan = make_plan({}, sample_experiment(), staging);
    REQUIRE(plan);
    CHECK(plan->definition_sha256 == make_plan()->definition_sha256);
    CHECK(plan->hash != make_plan()->hash);
}

TEST_CASE("the order of answers does not matter") {
    Planner planner = sample_planner(sample_catalog(), sample_experiment());
    Fleet fleet;
    auto answers = fleet.answer(*planner.start());
    std::reverse(answers.begin(), answers.end());
    const auto questions = planner.observe(answers);
    REQUIRE(questions);
    CHECK(planner.compose(fleet.answer(*questions))->hash == make_plan()->hash);
}

TEST_CASE("an approved plan, planned again, is the same while nothing changed") {
    Catalog catalog = sample_catalog();
    catalog.hosts[2].addresses.clear();
    const auto approved = make_plan({}, sample_experiment(), catalog);
    REQUIRE(approved);
    Fleet fleet;
    Planner again(*approved, sample_kinds, {});
    const auto plan = run_planner(again, fleet);
    REQUIRE(plan);
    CHECK(*plan == *approved);
    fleet.keys[target()] = "SHA256:other";
    Planner third(*approved, sample_kinds, {});
    const auto changed = run_planner(third, fleet);
    REQUIRE(changed);
    CHECK(changed->hash != approved->hash);
}

TEST_CASE("an approved plan is refused while a gate is closed now") {
    const auto approved = make_plan();
    Fleet fleet;
    fleet.lines[target()]["stop"] = "1";
    Planner again(*approved, sample_kinds, {});
    CHECK(run_planner(again, fleet).error().code == Code::refused);
}

TEST_CASE("an approved plan with a kind that this program lacks is refused by name") {
    auto approved = make_plan();
    approved->steps[0].kind = "gone";
    Planner again(*approved, sample_kinds, {});
    const auto asks = again.start();
    REQUIRE_FALSE(asks);
    CHECK(has(asks.error().message, "there is no fault `gone`"));
}

TEST_CASE("the problems of all hosts are told at once, each with its host") {
    Experiment experiment = with_pick({Pick::How::all, 0, {}}, 2, 1000000);
    Fleet fleet;
    fleet.broken["app-1"] = fail(Code::unreachable, "connection refused");
    fleet.lines["app-2"].erase("tool.nft");
    fleet.lines["app-2"]["uid"] = "1000";
    fleet.lines["app-2"]["user"] = "kim";
    const std::string text = refusal(fleet, experiment);
    CHECK(has(text, "for 3 reasons"));
    CHECK(has(text, "app-1 cannot be reached ("));
    CHECK(has(text, "connection refused"));
    CHECK(has(text, "app-2: `nft` is missing; apt install nftables"));
    CHECK(has(text, "app-2: commands run as kim, not as root; set become"));
}

TEST_CASE("a target's answer that cannot be used refuses the plan") {
    const auto with = [](const std::function<void(Reply&)>& edit) {
        Planner planner = sample_planner(sample_catalog(), sample_experiment());
        Fleet fleet;
        auto answers = fleet.answer(*planner.start());
        for (AskAnswer& answer : answers) {
            if (answer.host == target()) { edit(*answer.reply); }
        }
        const auto result = planner.observe(answers);
        REQUIRE_FALSE(result);
        CHECK(result.error().code == Code::refused);
        return result.error().message;
    };
    CHECK(has(with([](Reply& reply) { reply.status = 37; }), "status 37"));
    CHECK(has(with([](Reply& reply) { reply.parts.clear(); }), "0 parts instead of 1"));
    CHECK(has(with([](Reply& reply) { reply.truncated = true; }), "longer than"));
    CHECK(has(with([](Reply& reply) {
                  reply.parts[0].out = "motd";
                  reply.parts[0].err = "sh: \x1b[2Jbroken";
              }),
              "not complete: sh: \\x1b[2Jbroken"));
}

TEST_CASE("a missing answer refuses the plan") {
    Planner planner = sample_planner(sample_catalog(), sample_experiment());
    REQUIRE(planner.start());
    const auto result = planner.observe({});
    REQUIRE_FALSE(result);
    CHECK(has(result.error().message, "app-1: there is no answer"));
    CHECK(planner.reasons().size() == 2);
}

TEST_CASE("a lease of another run in the group counts towards the limit") {
    Fleet fleet;
    fleet.lines[other()]["lease"] = "abcdef012345";
    const std::string text = refusal(fleet);
    CHECK(has(text, "the limit is at most 1 of 2 hosts (50 % of role=orders-app), but 2"));
    CHECK(has(text, other() + " (lease abcdef012345 of another run)"));
    Experiment wider = sample_experiment();
    wider.limit.hosts = 2;
    wider.limit.share = Percent{1000000};
    CHECK(make_plan(fleet, wider));
}

TEST_CASE("a host of the group that cannot be asked counts as changed") {
    Fleet fleet;
    fleet.broken[other()] = fail(Code::unreachable, "no route to host");
    CHECK(has(refusal(fleet), other() + " (could not be asked, so it counts: "));
    Experiment wider = sample_experiment();
    wider.limit.hosts = 2;
    wider.limit.share.reset();
    CHECK(make_plan(fleet, wider));
}

TEST_CASE("more hosts at one time than the limit allows are refused with the arithmetic") {
    const std::string text = refusal({}, with_pick({Pick::How::all, 0, {}}, 1, 1000000));
    CHECK(text ==
          "the limit is at most 1 of 2 hosts, but 2 can be changed at one time: app-1, "
          "app-2; by step cut-off");
}

TEST_CASE("a hold that its own lease would end before the last look is refused") {
    Experiment experiment = sample_experiment();
    experiment.steps[0].hold = 5min - 1s;
    CHECK(has(refusal({}, experiment), "too close to the limit, longest = 5 m 00 s"));
}

TEST_CASE("a hold longer than the limit, alone or in a chain, is refused") {
    Experiment experiment = sample_experiment();
    experiment.steps[0].hold = 6min;
    CHECK(has(refusal({}, experiment), "step cut-off holds for 6 m 00 s, the limit is longest"));
    experiment.steps[0].hold = 4min;
    experiment.steps[1].hold = 4min;
    CHECK(has(refusal({}, experiment), "the holds of cut-off, kill-app last 8 m 00 s together"));
}

TEST_CASE("mistakes in the definitions are told all at once, as invalid") {
    Experiment experiment = sample_experiment();
    experiment.steps[0].fault = "net-partitoin";
    experiment.steps[1].on = "nobody";
    experiment.probes[0].kind = "gopher";
    experiment.service = "billing";
    experiment.limit.longest = 0s;
    experiment.rpo = 5s;
    const auto plan = make_plan({}, experiment);
    REQUIRE_FALSE(plan);
    CHECK(plan.error().code == Code::invalid);
    for (const char* part : {"there is no fault `net-partitoin`", "there is no target `nobody`",
                             "there is no probe kind `gopher`", "no service `billing`",
                             "no limit on time", "objective rpo needs a probe of kind marker"}) {
        CAPTURE(part);
        CHECK(has(plan.error().message, part));
    }
}

TEST_CASE("peers that are only the target itself are refused") {
    Experiment experiment = sample_experiment();
    experiment.steps[0].with["from"] = Selection{.hosts = {target()}};
    CHECK(has(refusal({}, experiment), "the target itself"));
}

TEST_CASE("a vantage point that the catalog lacks is an error") {
    Experiment experiment = sample_experiment();
    experiment.probes[0].params["on"] = std::string("watch-9");
    CHECK(has(refusal({}, experiment), "no host `watch-9`"));
}

TEST_CASE("a change without undo or proof is not run") {
    Experiment experiment = sample_experiment();
    experiment.steps[0].fault = "bare";
    CHECK(has(refusal({}, experiment), "the change has no undo"));
}

TEST_CASE("a NUL byte in a command is refused before it can reach a shell") {
    static const Kind evil{.name = "evil",
                           .summary = "",
                           .ending = Ending::instant,
                           .compose = [](const ChangeRequest&) -> Result<Change> {
                               Change change{};
                               change.apply = {{.argv = {std::string("a\0b", 3)}}};
                               return change;
                           }};
    static const Kind* const kinds[] = {&evil};
    Experiment experiment = sample_experiment();
    experiment.steps = {step("x", "evil", 1s)};
    Planner planner(sample_catalog(), experiment, kinds, sample_probes, {});
    Fleet fleet;
    CHECK(has(run_planner(planner, fleet).error().message, "NUL byte"));
}

TEST_CASE("durable kinds get their directory below /var/lib/drill") {
    Experiment experiment = sample_experiment();
    experiment.steps[0].fault = "pause";
    const auto plan = make_plan({}, experiment);
    REQUIRE(plan);
    CHECK(plan->steps[0].changes[0].change.apply[0].argv[1] == "/var/lib/drill/{lease}/paused");
}

TEST_CASE("a fault that brings a member of a stateful service back has to spell that out") {
    static constexpr Param returning[] = {{.name = "return", .type = ParamType::text}};
    Kind pausing = pause_kind;
    pausing.params = returning;
    const std::vector<const Kind*> kinds{&pausing};
    Catalog catalog = sample_catalog();
    Experiment experiment = sample_experiment();
    experiment.steps = {step("pause", "pause", 30s)};
    const auto reasons = [&] {
        Planner planner(catalog, experiment, kinds, sample_probes, {});
        Fleet fleet;
        const auto plan = run_planner(planner, fleet);
        return plan ? std::string() : plan.error().message;
    };
    CHECK_FALSE(has(reasons(), "stateful"));
    catalog.services[0].stateful = true;
    CHECK(has(reasons(), "is a member of orders, which is stateful in the catalog; say `return`"));
    experiment.steps[0].with["return"] = std::string("always");
    CHECK_FALSE(has(reasons(), "stateful"));
}

TEST_CASE("a step that cuts its own path has a lease as long as its hold") {
    PlannedStep step;
    step.hold = 30500ms;
    CHECK(ttl_of(step, 15s) == 15s);
    step.cuts_control = true;
    CHECK(ttl_of(step, 15s) == 31s);
}

TEST_CASE("the objective of the service stands in where the experiment has none") {
    Experiment experiment = sample_experiment();
    experiment.rto.reset();
    const auto plan = make_plan({}, experiment);
    CHECK(plan->rto == std::optional<Nanos>{30s});
    CHECK(plan->rto_from == "service orders");
}
