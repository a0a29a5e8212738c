// See real_kinds.hpp.
#include "support/real_kinds.hpp"

#include <string>

namespace drill::sim {

namespace {

// As `ip route get` and `ip route show match` are put together by parts/net_rules.cpp.
constexpr std::string_view routes =
    "route 10.1.0.2 10.1.0.2 dev eth0 src 10.0.0.9 uid 0 \\ cache \n"
    "match 10.1.0.2 10.1.0.0/24 dev eth0 proto kernel scope link src 10.0.0.9 \n"
    "route fd01::2 fd01::2 from :: dev eth0 proto kernel src fd00::9 metric 256 pref medium \n"
    "match fd01::2 fd01::/64 dev eth0 proto kernel metric 256 pref medium \n";
// As the listing of parts/processes.cpp prints a process that may be chosen.
constexpr std::string_view victim = "victim 4711 88123 33 S /usr/bin/orders-app --port 8080 \n";

using Texts = std::vector<std::string>;

// As the same part lists devices, for kinds whose other end can be anyone.
constexpr std::string_view devices = "device eth0\ndevice docker0\n";
bool is_anyone(std::string_view kind) { return kind == "net-port" || kind == "dns-fail"; }
bool is_net(std::string_view kind) { return kind.starts_with("net-") && !is_anyone(kind); }
bool is_process(std::string_view kind) { return kind.starts_with("process-"); }

}  // namespace

void fill_in(PlannedStep& step) {
    if (step.kind == "noop") { step.params["say"] = std::string("nothing is changed"); }
    if (step.kind == "command") {
        step.params["apply"] = Texts{"ip", "link", "set", "eth1", "down"};
        step.params["undo"] = Texts{"ip", "link", "set", "eth1", "up"};
        step.params["read_back"] = Texts{"/usr/local/bin/eth1-state"};
        step.params["check"] = Texts{"test", "-e", "/run/standby"};
        step.params["check_within"] = Nanos{std::chrono::seconds{10}};
    }
    if (is_net(step.kind)) {
        step.params["from"] =
            Selection{.labels = {{"role", "balancer"}}, .hosts = {}, .all = false};
        step.params["direction"] = std::string("both");
        step.params["protocol"] = std::string("all");
        if (step.kind == "net-loss") { step.params["loss"] = Percent{50'000}; }
        for (PlannedChange& change : step.changes) {
            change.peers = {{.host = "balancer", .addresses = {"10.1.0.2", "fd01::2"}}};
        }
    }
    if (step.kind == "net-reject") { step.params["answer"] = std::string("tcp-reset"); }
    if (step.kind == "net-port") {
        step.params["ports"] = Texts{"8080"};
        step.params["direction"] = std::string("both");
        step.params["protocol"] = std::string("tcp");
        step.params["answer"] = std::string("none");
    }
    if (is_process(step.kind)) {
        step.params["process"] = std::string("orders-app");
        step.params["count"] = std::int64_t{1};
    }
    if (step.kind == "process-kill") {
        step.params["signal"] = std::string("KILL");
        step.params["expect_restart"] = Nanos{std::chrono::seconds{10}};
    }
}

std::vector<CommandReply> canned_answers(std::string_view kind, std::size_t commands) {
    const std::string_view text = is_net(kind)       ? routes
                                  : is_anyone(kind)  ? devices
                                  : is_process(kind) ? victim
                                                     : "";
    return {commands, CommandReply{.status = 0, .out = std::string(text), .err = ""}};
}

}  // namespace drill::sim
