// See real_kinds.hpp.
#include "support/real_kinds.hpp"

#include "faults/kinds.hpp"

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

constexpr std::string_view able =
    "machine x86_64\nprocessors 4\nmount /srv\ntype ext4\n"
    "cgroup /sys/fs/cgroup/orders\nend\n";

// As `systemctl show` answers for a service that runs.
constexpr std::string_view unit =
    "Id=orders-app.service\nLoadState=loaded\nActiveState=active\n"
    "RefuseManualStart=no\nRefuseManualStop=no\n";

using Texts = std::vector<std::string>;

// As the same part lists devices, for kinds whose other end can be anyone.
constexpr std::string_view devices = "device eth0\ndevice docker0\n";
// What queue_observe asks besides.
constexpr std::string_view queues = "has prio\nhas netem\nhas htb\nqdisc mq 0: dev eth0 root \n";
bool is_queue(std::string_view kind) {
    return kind == "net-delay" || kind == "net-corrupt" || kind == "net-duplicate" ||
           kind == "net-reorder" || kind == "net-bandwidth";
}
bool is_anyone(std::string_view kind) { return kind == "net-port" || kind == "dns-fail"; }
bool is_net(std::string_view kind) { return kind.starts_with("net-") && !is_anyone(kind); }
bool is_service(std::string_view kind) { return kind.starts_with("service-"); }
bool is_process(std::string_view kind) { return kind.starts_with("process-"); }
bool is_holder(std::string_view kind) {
    const Kind* found = find_kind(fault_kinds(), kind);
    return found != nullptr && found->ending == Ending::holder;
}

void fill_in_holder(PlannedStep& step) {
    Values& params = step.params;
    if (step.kind == "cpu") {
        params["cores"] = std::string("2");
        params["load"] = Percent{500'000};
    }
    if (step.kind == "memory") {
        params["percent"] = Percent{900'000};
        params["leave"] = std::string("256MiB");
    }
    if (step.kind == "disk-fill" || step.kind == "inode-fill") {
        params["path"] = std::string("/srv/orders");
        params["percent"] = Percent{950'000};
    }
    if (step.kind == "disk-fill") { params["leave"] = std::string("0"); }
    if (step.kind == "pid-exhaust") { params["cgroup"] = std::string("orders"); }
    if (step.kind == "fd-exhaust") { params["host"] = true; }
}

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
    if (is_queue(step.kind)) {
        step.params["to"] = step.params["from"];
        step.params.erase("from");
        step.params.erase("direction");
        const std::string share = step.kind.substr(4);
        if (share != "delay" && share != "bandwidth") { step.params[share] = Percent{50'000}; }
        step.params["delay"] = Nanos{std::chrono::milliseconds{100}};
        step.params["jitter"] = Nanos{std::chrono::milliseconds{10}};
        step.params["distribution"] = std::string("uniform");
        if (share == "bandwidth") { step.params["rate"] = std::string("10mbit"); }
    }
    if (step.kind == "net-reject") { step.params["answer"] = std::string("tcp-reset"); }
    if (step.kind == "dns-fail") {
        step.params["answer"] = std::string("none");
        step.params["local"] = true;
    }
    if (step.kind == "net-port") {
        step.params["ports"] = Texts{"8080"};
        step.params["direction"] = std::string("both");
        step.params["protocol"] = std::string("tcp");
        step.params["answer"] = std::string("none");
    }
    if (is_holder(step.kind)) { fill_in_holder(step); }
    if (is_service(step.kind)) {
        step.params["unit"] = std::string("orders-app");
        step.params["stateful"] = false;
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
                                  : is_holder(kind)  ? able
                                  : is_service(kind) ? unit
                                                     : "";
    std::vector<CommandReply> answers(
        commands, CommandReply{.status = 0, .out = std::string(text), .err = ""});
    if (is_queue(kind) && answers.size() == 2) { answers[1].out = queues; }
    return answers;
}

}  // namespace drill::sim
