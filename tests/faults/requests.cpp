// See requests.hpp.
#include "faults/requests.hpp"

#include "base/text.hpp"
#include "holder/program.hpp"

#include <doctest/doctest.h>

namespace drill::test {

namespace {

Value parse(const Param& param) {
    const std::string text(param.fallback);
    switch (param.type) {
        case ParamType::boolean: return text == "true";
        case ParamType::integer: return static_cast<std::int64_t>(std::stoll(text));
        case ParamType::duration: return parse_duration(text).value();
        case ParamType::percent: return Percent{parse_percent(text).value()};
        case ParamType::text:
        case ParamType::choice: return text;
        case ParamType::texts:
        case ParamType::ports:
        case ParamType::selection:
        case ParamType::table:
        case ParamType::steps: break;
    }
    FAIL("a default of this type is not expected");
    return false;
}

constexpr std::string_view routes =
    "route 10.77.0.2 10.77.0.2 dev eth0 src 10.77.0.4 uid 0 \\ cache \n"
    "match 10.77.0.2 10.77.0.0/24 dev eth0 proto kernel scope link src 10.77.0.4 \n"
    "route 10.78.0.3 10.78.0.3 via 10.77.0.1 dev eth0 src 10.77.0.4 uid 0 \\ cache \n"
    "match 10.78.0.3 10.78.0.0/24 \\ nexthop via 10.77.0.1 dev eth0 weight 1 \\ nexthop via "
    "10.79.0.1 dev bond0.12 weight 1 \n"
    "route fd77::2 fd77::2 from :: dev eth0 proto kernel src fd77::4 metric 256 pref medium \n"
    "match fd77::2 fd77::/64 dev eth0 proto kernel metric 256 pref medium \n";

constexpr std::string_view processes = "victim 4711 88123 33 S /usr/bin/orders-app --port 8080 \n";

void add_holder(ChangeRequest& request, std::string_view kind) {
    std::string answer = "machine x86_64\nprocessors 4\n";
    if (kind == "cpu") { request.params["cores"] = std::string("50%"); }
    if (kind == "memory") { request.params["percent"] = Percent{900'000}; }
    if (kind == "disk-fill" || kind == "inode-fill") {
        request.params["path"] = std::string("/srv/orders");
        request.params["percent"] = Percent{950'000};
        answer += "mount /srv\ntype ext4\n";
    }
    if (kind == "pid-exhaust") {
        request.params["cgroup"] = std::string("system.slice/orders.service");
        answer += "cgroup /sys/fs/cgroup/system.slice/orders.service\n";
    }
    if (kind == "fd-exhaust") {
        request.params["process"] = std::string("orders-app");
        request.observed = {{0, std::string(processes), ""}};
    }
    request.observed.push_back({0, answer + "end\n", ""});
}

}  // namespace

const Kind& kind_of(std::string_view name) {
    const Kind* kind = find_kind(fault_kinds(), name);
    REQUIRE(kind != nullptr);
    return *kind;
}

Values defaults_of(const Kind& kind) {
    Values values;
    for (const Param& param : kind.params) {
        if (!param.fallback.empty()) { values[std::string(param.name)] = parse(param); }
    }
    return values;
}

ChangeRequest request_for(const Kind& kind, Binding binding) {
    ChangeRequest request;
    request.binding = binding;
    request.host = "app-1";
    request.lease = binding == Binding::plan ? "{lease}" : "abc123def456";
    request.directory = "/run/drill/" + request.lease;
    request.ttl = std::chrono::seconds{15};
    request.longest = std::chrono::minutes{5};
    request.params = defaults_of(kind);
    request.facts = {{"tool.nft", "/usr/sbin/nft"},
                     {"tool.ip", "/usr/sbin/ip"},
                     {"tool.tc", "/usr/sbin/tc"},
                     {"kernel", "6.1.0-26-amd64"},
                     {"init", "systemd"},
                     {"ssh_client", "10.77.0.9"},
                     {"ssh_server_address", "10.77.0.4"},
                     {"ssh_server_port", "22"},
                     {"identity_services", "127.0.0.53 10.77.0.53 fd77::53"},
                     {"addresses", "10.77.0.4 fd77::4"}};
    if (kind.name == "command") {
        request.params["apply"] = std::vector<std::string>{"ip", "link", "set", "eth1", "down"};
        request.params["undo"] = std::vector<std::string>{"ip", "link", "set", "eth1", "up"};
        request.params["read_back"] =
            std::vector<std::string>{"sh", "-c", "ip link show eth1 | grep -q DOWN && exit 10"};
        request.params["check"] = std::vector<std::string>{"test", "-e", "/run/standby"};
    }
    if (!kind.peers_param.empty()) {
        request.params[std::string(kind.peers_param)] =
            Selection{{{"role", "balancer"}}, {}, false};
        request.peers = {{"bal-1", {"10.77.0.2", "fd77::2"}}, {"bal-2", {"10.78.0.3"}}};
        request.observed = {{0, std::string(routes), ""}};
    }
    const bool queued = kind.peers_param == "to";
    if (queued) {
        request.observed.push_back({0,
                                    "has prio\nhas netem\nhas htb\n"
                                    "qdisc noqueue 0: dev lo root refcnt 2 \n"
                                    "qdisc mq 0: dev eth0 root \n"
                                    "qdisc fq_codel 0: dev eth0 parent :1 limit 10240p flows 1024\n"
                                    "qdisc noqueue 0: dev bond0.12 root refcnt 2 \n"
                                    "qdisc htb 1: dev other0 root refcnt 2 r2q 10 default 0x30\n",
                                    ""});
    }
    for (const char* share : {"corrupt", "duplicate", "reorder"}) {
        if (kind.name == std::string("net-") + share) { request.params[share] = Percent{25'000}; }
    }
    if (kind.name == "net-delay") {
        request.params["delay"] = Nanos{std::chrono::milliseconds{150}};
        request.params["jitter"] = Nanos{std::chrono::milliseconds{20}};
        request.params["distribution"] = std::string("normal");
    }
    if (kind.name == "net-bandwidth") { request.params["rate"] = std::string("10mbit"); }
    if (kind.name == "net-port" || kind.name == "dns-fail") {
        request.observed = {{0, "device eth0\ndevice bond0.12\ndevice docker0\n", ""}};
    }
    if (kind.name == "net-port") {
        request.params["ports"] = std::vector<std::string>{"8080", "9000-9010"};
    }
    if (kind.name == "net-loss") { request.params["loss"] = Percent{50'000}; }
    if (kind.name.substr(0, 8) == "process-") {
        request.params["process"] = std::string("orders-app");
        request.observed = {{0, std::string(processes), ""}};
    }
    if (kind.ending == Ending::holder) { add_holder(request, kind.name); }
    if (kind.name == "process-kill") {
        request.params["expect_restart"] = Nanos{std::chrono::seconds{20}};
    }
    if (kind.name.substr(0, 8) == "service-") {
        request.params["unit"] = std::string("orders-app");
        request.observed = {{0,
                             "Id=orders-app.service\nLoadState=loaded\nActiveState=active\n"
                             "RefuseManualStart=no\nRefuseManualStop=no\n",
                             ""}};
    }
    if (kind.name == "service-restart") {
        request.params["expect_back"] = Nanos{std::chrono::seconds{20}};
    }
    return request;
}

namespace {

std::string commands(std::string_view name, const std::vector<Exec>& all) {
    std::string text;
    for (const Exec& exec : all) {
        text += "== " + std::string(name) + "\n" + shell_join(exec.argv) + "\n";
        // The holder changes with each compiler; what is done with it is what a person reads.
        if (exec.input.size() > 4096) {
            text += "-- input: the holder, in base64\n";
        } else if (!exec.input.empty()) {
            text += "-- input\n" + exec.input;
        }
    }
    const std::string sum(holder_program().sha256);
    for (std::size_t at = text.find(sum); at != std::string::npos; at = text.find(sum)) {
        text.replace(at, sum.size(), "{holder}");
    }
    return text;
}

}  // namespace

std::string text_of_change(const Change& change) {
    std::string text = "ending " + std::string(name_of(change.ending)) + "\n";
    text += commands("arm", change.arm) + commands("apply", change.apply) +
            commands("renew", change.renew) + commands("undo", change.undo) +
            commands("read_back", change.read_back) + commands("disarm", change.disarm);
    for (const Stimulus& stimulus : change.stimulate) {
        text += commands("stimulate from " + stimulus.host, {stimulus.exec});
    }
    text += commands("check", change.check);
    if (!change.check.empty()) {
        text += "== claim\n" + change.check_claim + "; polled for " +
                format_duration(change.check_within) + "\n";
    }
    return text;
}

std::string refusal_of(const Kind& kind, const ChangeRequest& request) {
    const Result<Change> change = kind.compose(request);
    if (change) { return ""; }
    CHECK(change.error().code == Code::refused);
    CHECK(change.error().effect == Effect::none);
    return change.error().message;
}

}  // namespace drill::test
