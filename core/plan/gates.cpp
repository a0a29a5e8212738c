// See gates.hpp.
#include "plan/gates.hpp"

#include "base/text.hpp"
#include "plan/facts.hpp"
#include "plan/order.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace drill {

namespace {

// Debian packages; other distributions have the same names for most of them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 16> packages{
    {{"bc", "bc"},
     {"conntrack", "conntrack"},
     {"curl", "curl"},
     {"ethtool", "ethtool"},
     {"fallocate", "util-linux"},
     {"ip", "iproute2"},
     {"kill", "procps"},
     {"logger", "bsdutils"},
     {"nc", "netcat-openbsd"},
     {"nft", "nftables"},
     {"ping", "iputils-ping"},
     {"pgrep", "procps"},
     {"python3", "python3-minimal"},
     {"setsid", "util-linux"},
     {"systemctl", "systemd"},
     {"tc", "iproute2"}}};

bool contains(const std::vector<std::string>& list, const std::string& word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

/// The controller itself, reached by ssh: its own way in would be part of the fault.
bool is_controller_by_detour(const DraftHost& host, const Facts& facts) {
    const std::string client = fact(facts, "ssh_client");
    if (host.connection.transport == "local" || !is_ip_address(client)) { return false; }
    return is_loopback(client) || contains(fact_list(facts, "addresses"), client);
}

}  // namespace

std::string fix_for_tool(const std::string& tool) {
    for (const auto& [name, package] : packages) {
        if (name == tool) { return "apt install " + std::string(package); }
    }
    return "";
}

std::vector<std::string> host_gates(const std::string& name, const DraftHost& host,
                                    const Facts& facts) {
    std::vector<std::string> reasons;
    for (const std::string& tool : host.tools) {
        if (facts.contains("tool." + tool)) { continue; }
        const std::string fix = fix_for_tool(tool);
        std::string reason = name;
        reason.append(": `").append(tool).append("` is missing");
        if (!fix.empty()) { reason.append("; ").append(fix); }
        reasons.push_back(std::move(reason));
    }
    if (fact(facts, "uid") != "0") {
        const std::string who = fact(facts, "user").empty() ? "somebody" : fact(facts, "user");
        reasons.push_back(name + ": commands run as " + who + ", not as root; " +
                          (host.connection.become.empty()
                               ? "set become = \"sudo\" or user = \"root\" in the catalog"
                               : "`" + host.connection.become + "` did not give root"));
    }
    const std::vector<std::string> deny = fact_list(facts, "deny");
    for (const std::string& kind : host.kinds) {
        if (contains(deny, kind) || contains(deny, "all")) {
            reasons.push_back(
                std::string(name).append(": /etc/drill/deny there forbids ").append(kind));
        }
    }
    if (fact(facts, "stop") == "1") {
        reasons.push_back(name + ": /run/drill/stop exists there; whoever made it removes it");
    }
    const bool unit = fact(facts, "init") == "systemd" && facts.contains("tool.systemd-run");
    if (!unit && !facts.contains("tool.setsid")) {
        reasons.push_back(name + ": no guard can be armed: neither systemd-run nor setsid; " +
                          fix_for_tool("setsid"));
    }
    if (!fact(facts, "leases").empty()) {
        reasons.push_back(name + ": lease " + join(fact_list(facts, "leases"), ", ") +
                          " of another run is there; `drill undo` ends it, `drill sweep " + name +
                          "` finds what no ledger knows");
    }
    if (is_controller_by_detour(host, facts)) {
        reasons.push_back(name + ": this is the controller itself, reached by " +
                          host.connection.transport +
                          "; only transport = \"local\" may change the controller");
    }
    return reasons;
}

std::vector<std::string> limit_gates(const Draft& draft, const InForce& in_force) {
    std::vector<std::string> reasons;
    std::vector<OrderedStep> steps;
    for (std::size_t i = 0; i < draft.steps.size(); ++i) {
        const PlannedStep& step = draft.plan.steps[i];
        steps.push_back({step.name, draft.steps[i].hosts, step.after, step.hold});
    }
    std::vector<std::string> always;
    for (const auto& [host, why] : in_force) { always.push_back(host); }
    auto crowd = most_at_once(steps, always);
    if (!crowd) {
        reasons.push_back(crowd.error().message);
    } else if (static_cast<std::int64_t>(crowd->hosts.size()) > draft.plan.limit_hosts) {
        std::string who;
        for (const std::string& host : crowd->hosts) {
            const auto other = in_force.find(host);
            who += (who.empty() ? "" : ", ") + host +
                   (other == in_force.end() ? "" : " (" + other->second + ")");
        }
        reasons.push_back("the limit is " + draft.plan.limit_says + ", but " +
                          std::to_string(crowd->hosts.size()) +
                          " can be changed at one time: " + who + "; by " +
                          (crowd->steps.size() == 1 ? "step " : "steps that can overlap: ") +
                          join(crowd->steps, ", "));
    }
    const LongestPath path = longest_path(steps);
    if (path.time > draft.plan.longest) {
        reasons.push_back("the holds of " + join(path.steps, ", ") + " last " +
                          show_duration(path.time) +
                          " together, the limit is longest = " + show_duration(draft.plan.longest));
    }
    return reasons;
}

}  // namespace drill
