// A small catalog, an experiment, kinds whose changes can be read, and canned answers of hosts.
#pragma once

#include "model/definition.hpp"
#include "model/kind.hpp"
#include "model/probe.hpp"
#include "plan/planner.hpp"

#include <map>
#include <string>
#include <vector>

namespace drill::test {

using namespace std::chrono_literals;

inline std::vector<Exec> observe_rules(const ChangeRequest& request) {
    return {{.argv = {"observe", request.host}}};
}
inline Result<Change> compose_cut(const ChangeRequest& request) {
    if (!request.observed.empty() && request.observed[0].status != 0) {
        return fail(Code::refused, "the rules cannot be read: " + request.observed[0].err);
    }
    Change change{};
    change.ending = Ending::kernel;
    std::string rules = "table inet drill_" + request.lease + " {\n";
    for (const Peer& peer : request.peers) {
        for (const std::string& address : peer.addresses) { rules += "  drop " + address + "\n"; }
    }
    change.apply = {{.argv = {"nft", "-f", "-"}, .input = rules + "}\n"}};
    change.renew = {{.argv = {"nft", "renew", request.lease}}};
    change.undo = {{.argv = {"nft", "delete", "table", "inet", "drill_" + request.lease}}};
    change.read_back = {{.argv = {"sh", "-c", "nft list tables | grep -q " + request.lease}}};
    for (const Peer& peer : request.peers) {
        change.stimulate.push_back({.host = peer.host, .exec = {.argv = {"ping", request.host}}});
    }
    return change;
}
inline std::string describe_cut(const ChangeRequest& request) {
    std::string out = "drop all traffic from";
    for (const Peer& peer : request.peers) {
        out += " " + peer.host + " (" + std::to_string(peer.addresses.size()) + " addresses)";
    }
    return out + ", both directions";
}
inline Result<Change> compose_kill(const ChangeRequest& request) {
    Change change{};
    change.ending = Ending::instant;
    change.apply = {{.argv = {"kill", "-KILL", "{pid}"}}};
    change.check = {{.argv = {"pidof", "orders-app"}}};
    change.check_within = 20s;
    change.check_claim = "orders-app is back within 20 s";
    return request.facts.contains("uid") ? Result<Change>(change) : fail(Code::internal, "facts");
}
inline Result<Change> compose_pause(const ChangeRequest& request) {
    Change change{};
    change.ending = Ending::durable;
    change.apply = {{.argv = {"touch", request.directory + "/paused"}}};
    change.undo = {{.argv = {"rm", request.directory + "/paused"}}};
    change.read_back = {{.argv = {"test", "!", "-e", request.directory + "/paused"}}};
    return change;
}
inline Result<Change> compose_bare(const ChangeRequest&) {
    Change change{};
    change.ending = Ending::watcher;
    change.apply = {{.argv = {"true"}}};
    return change;
}

inline const Kind cut_kind{.name = "net-partition",
                           .summary = "cuts",
                           .ending = Ending::kernel,
                           .peers_param = "from",
                           .shape_param = "shape",
                           .needs = "nft ip",
                           .observe = observe_rules,
                           .compose = compose_cut,
                           .describe = describe_cut};
inline const Kind kill_kind{.name = "process-kill",
                            .summary = "kills one process",
                            .ending = Ending::instant,
                            .compose = compose_kill,
                            .harms_data = true};
inline const Kind pause_kind{
    .name = "pause", .summary = "pauses", .ending = Ending::durable, .compose = compose_pause};
inline const Kind bare_kind{.name = "bare", .summary = "has no undo", .compose = compose_bare};
inline const Kind* const sample_kinds[] = {&bare_kind, &cut_kind, &pause_kind, &kill_kind};

inline Result<Question> compose_probe(const Values& params) {
    const auto* on = value_of<std::string>(params, "on");
    if (on == nullptr) { return Question{HttpQuestion{.url = "http://orders/"}}; }
    return Question{CommandQuestion{.on = *on, .exec = {.argv = {"true"}}}};
}
inline const ProbeKind http_probe{.name = "http", .summary = "asks", .compose = compose_probe};
inline const ProbeKind* const sample_probes[] = {&http_probe};

inline CatalogHost host(const std::string& name, const std::string& role,
                        std::vector<std::string> addresses = {}) {
    CatalogHost out;
    out.name = name;
    out.connection.host = name;
    out.connection.address = name + ".lab";
    out.labels = {{"role", role}, {"site", name.ends_with("1") ? "a" : "b"}};
    out.addresses = std::move(addresses);
    return out;
}

inline Catalog sample_catalog() {
    Catalog catalog;
    catalog.environment = "lab";
    catalog.environment_class = "lab";
    catalog.contact = "kim, 555-0100";
    catalog.hosts = {host("app-1", "orders-app"), host("app-2", "orders-app"),
                     host("bal-1", "balancer", {"10.77.0.2", "fd77::2"}), host("db-1", "db"),
                     host("watch-1", "watch")};
    catalog.services = {
        Service{.name = "orders", .tier = 1, .owner = "team", .rto = 30s, .rpo = 0s}};
    catalog.services[0].hosts.labels = {{"role", "orders-app"}};
    catalog.bytes = "catalog bytes";
    return catalog;
}

inline Selection by_role(const std::string& role) { return Selection{.labels = {{"role", role}}}; }

inline Predicate predicate(const std::string& text, std::optional<Nanos> span = {}) {
    Predicate out;
    out.text = text;
    out.span = span;
    return out;
}

inline StepSpec step(const std::string& name, const std::string& fault, Nanos hold) {
    StepSpec out;
    out.name = name;
    out.fault = fault;
    out.on = "backend";
    out.hold = hold;
    if (fault == "net-partition") { out.with["from"] = by_role("balancer"); }
    return out;
}

inline Experiment sample_experiment() {
    Experiment out;
    out.name = "orders-backend-loss";
    out.title = "Orders keeps answering when one backend is cut off";
    out.service = "orders";
    out.rto = 10s;
    out.limit.hosts = 1;
    out.limit.share = Percent{500000};
    out.limit.longest = 5min;
    out.targets = {TargetSpec{.name = "backend", .match = by_role("orders-app")}};
    out.targets[0].pick = Pick{Pick::How::count, 1, {}};
    out.probes = {ProbeSpec{.name = "order", .kind = "http", .every = 50ms, .timeout = 1s}};
    out.hypotheses = {HypothesisSpec{.probe = "order",
                                     .before = predicate("success >= 99% for 10s", 10s),
                                     .during = predicate("success >= 90%"),
                                     .regain = Regain{10s, 5s, Regain::From::fault}}};
    out.halts = {HaltSpec{"order", predicate("success < 20% for 20s", 20s)}};
    out.steps = {step("cut-off", "net-partition", 30s), step("kill-app", "process-kill", 0s)};
    out.bytes = "experiment bytes";
    return out;
}

/// The facts that a host prints, by line; change or remove lines to make it another host.
using Lines = std::map<std::string, std::string>;
inline Lines sample_lines(const std::string& name) {
    return {{"machine_id", "id-of-" + name},
            {"boot_id", "boot-of-" + name},
            {"uptime_cs", "100000"},
            {"hostname", name},
            {"kernel", "6.1.0"},
            {"init", "systemd"},
            {"uid", "0"},
            {"user", "root"},
            {"shell", "/usr/bin/dash"},
            {"ssh_client", "10.77.0.250"},
            {"ssh_server_address", "10.77.0.4"},
            {"ssh_server_port", "22"},
            {"tool.nft", "/usr/sbin/nft"},
            {"tool.ip", "/usr/sbin/ip"},
            {"tool.setsid", "/usr/bin/setsid"},
            {"tool.systemd-run", "/usr/bin/systemd-run"},
            {"interface", "eth0"},
            {"address", name == "app-1"   ? "10.77.0.4"
                        : name == "app-2" ? "10.77.0.5"
                                          : "10.77.0.60"},
            {"stop", "0"},
            {"facts_end", "1"}};
}

/// The fleet that answers. Tests change it before they plan.
struct Fleet {
    std::map<std::string, Lines> lines;
    std::map<std::string, std::string> keys;       ///< host keys; default "SHA256:<host>"
    std::map<std::string, Error> broken;           ///< hosts that do not answer
    std::map<std::string, CommandReply> observed;  ///< answers to the kinds' questions

    Fleet() {
        for (const CatalogHost& one : sample_catalog().hosts) {
            lines[one.name] = sample_lines(one.name);
        }
    }
    AskAnswer answer(const Ask& ask) {
        if (const auto error = broken.find(ask.host); error != broken.end()) {
            return AskAnswer{ask.host, error->second, 5s, 6s};
        }
        Reply reply;
        for (const Exec& command : ask.envelope.commands) {
            CommandReply part;
            if (command.argv[0] == "sh") {
                for (const auto& [key, value] : lines[ask.host]) {
                    part.out += key + "=" + value + "\n";
                }
            } else {
                part = observed[ask.host];
            }
            reply.parts.push_back(part);
        }
        reply.host_key = keys.contains(ask.host) ? keys[ask.host] : "SHA256:" + ask.host;
        return AskAnswer{ask.host, reply, 5s, 6s};
    }
    std::vector<AskAnswer> answer(const std::vector<Ask>& asks) {
        std::vector<AskAnswer> answers;
        for (const Ask& ask : asks) { answers.push_back(answer(ask)); }
        return answers;
    }
};

inline Result<Plan> run_planner(Planner& planner, Fleet& fleet) {
    DRILL_TRY(const auto asks, planner.start());
    DRILL_TRY(const auto questions, planner.observe(fleet.answer(asks)));
    return planner.compose(fleet.answer(questions));
}

inline Planner sample_planner(const Catalog& catalog, const Experiment& experiment,
                              std::uint64_t seed = 4711) {
    return Planner(catalog, experiment, sample_kinds, sample_probes,
                   PlannerOptions{.seed = seed, .drill_version = "0.1.0"});
}

inline Result<Plan> make_plan(Fleet fleet = {}, const Experiment& experiment = sample_experiment(),
                              const Catalog& catalog = sample_catalog(),
                              std::uint64_t seed = 4711) {
    Planner planner = sample_planner(catalog, experiment, seed);
    return run_planner(planner, fleet);
}

}  // namespace drill::test
