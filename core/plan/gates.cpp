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

/// Packages by family of distribution: Debian, Red Hat, SUSE, Alpine.
struct Package {
    std::string_view tool, debian, redhat, suse, alpine;
};
constexpr std::array<Package, 17> packages{
    {{"bc", "bc", "bc", "bc", "bc"},
     {"chage", "passwd", "shadow-utils", "shadow", "shadow"},
     {"conntrack", "conntrack", "conntrack-tools", "conntrack-tools", "conntrack-tools"},
     {"curl", "curl", "curl", "curl", "curl"},
     {"ethtool", "ethtool", "ethtool", "ethtool", "ethtool"},
     {"fallocate", "util-linux", "util-linux", "util-linux", "util-linux"},
     {"ip", "iproute2", "iproute", "iproute2", "iproute2"},
     {"kill", "procps", "util-linux", "util-linux", "util-linux"},
     {"logger", "bsdutils", "util-linux", "util-linux-systemd", "util-linux"},
     {"nc", "netcat-openbsd", "nmap-ncat", "netcat-openbsd", "netcat-openbsd"},
     {"nft", "nftables", "nftables", "nftables", "nftables"},
     {"ping", "iputils-ping", "iputils", "iputils", "iputils"},
     {"pgrep", "procps", "procps-ng", "procps", "procps"},
     {"python3", "python3-minimal", "python3", "python3-base", "python3"},
     {"setsid", "util-linux", "util-linux", "util-linux", "util-linux"},
     {"systemctl", "systemd", "systemd", "systemd", ""},
     {"tc", "iproute2", "iproute-tc", "iproute2", "iproute2-tc"}}};

// What engine/release tries an undo for after the end of its lease, before it is stuck.
constexpr Nanos undo_after_lease = std::chrono::seconds{30};
constexpr std::int64_t no_aging_days = 99999;  // shadow(5): what stands for "never"

/// The fields of "aging": last change, longest use, grace, end; -1 = empty or no number.
std::array<std::int64_t, 4> aging_of(const Facts& facts) {
    std::array<std::int64_t, 4> days{-1, -1, -1, -1};
    const std::vector<std::string> fields = split(fact(facts, "aging"), ':');
    for (std::size_t i = 0; i < days.size() && i < fields.size(); ++i) {
        const std::string& text = fields[i];
        const bool number = !text.empty() && text.size() <= 6 &&
                            text.find_first_not_of("0123456789") == std::string::npos;
        if (number) { days.at(i) = std::stoll(text); }
    }
    return days;
}

Wall day(std::int64_t days) { return Wall{} + std::chrono::hours{24 * days}; }

bool contains(const std::vector<std::string>& list, const std::string& word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

/// The controller itself, reached by ssh: its own way in would be part of the fault.
bool is_controller_by_detour(const Connection& connection, const Facts& facts) {
    const std::string client = fact(facts, "ssh_client");
    if (connection.transport == "local" || !is_ip_address(client)) { return false; }
    return is_loopback(client) || contains(fact_list(facts, "addresses"), client);
}

}  // namespace

std::string fix_for_tool(const std::string& tool, const Facts& facts) {
    std::vector<std::string> family = split(fact(facts, "os_like"), ' ');
    family.insert(family.begin(), fact(facts, "os_id"));
    const auto is = [&](std::initializer_list<const char*> names) {
        return std::any_of(names.begin(), names.end(),
                           [&](const char* name) { return contains(family, name); });
    };
    const auto found = std::find_if(packages.begin(), packages.end(),
                                    [&](const Package& one) { return one.tool == tool; });
    if (found == packages.end()) { return ""; }
    if (is({"rhel", "fedora", "centos"})) { return "dnf install " + std::string(found->redhat); }
    if (is({"suse", "sles", "opensuse"})) { return "zypper install " + std::string(found->suse); }
    if (is({"alpine"})) {
        return found->alpine.empty() ? "" : "apk add " + std::string(found->alpine);
    }
    return "apt install " + std::string(found->debian);
}

std::string sentence(const Lack& lack) {
    return lack.fix.empty() ? lack.says : lack.says + "; " + lack.fix;
}

std::vector<Lack> kind_lacks(std::string_view kind, std::string_view needs, const Facts& facts) {
    std::vector<Lack> lacks;
    for (const std::string& tool : split(needs, ' ')) {
        if (tool.empty() || facts.contains("tool." + tool)) { continue; }
        lacks.push_back({"`" + tool + "` is missing", fix_for_tool(tool, facts)});
    }
    const std::vector<std::string> deny = fact_list(facts, "deny");
    if (!kind.empty() && (contains(deny, std::string(kind)) || contains(deny, "all"))) {
        lacks.push_back({"/etc/drill/deny there forbids " + std::string(kind), ""});
    }
    return lacks;
}

std::vector<Lack> host_lacks(const std::string& name, const Connection& connection,
                             const Facts& facts) {
    std::vector<Lack> lacks;
    if (fact(facts, "uid") != "0") {
        const std::string who = fact(facts, "user").empty() ? "somebody" : fact(facts, "user");
        lacks.push_back({"commands run as " + who + ", not as root",
                         connection.become.empty()
                             ? "set become = \"sudo\" or user = \"root\" in the catalog"
                             : "`" + connection.become + "` did not give root"});
    }
    if (fact(facts, "stop") == "1") {
        lacks.push_back({"/run/drill/stop exists there", "whoever made it removes it"});
    }
    const bool unit = fact(facts, "init") == "systemd" && facts.contains("tool.systemd-run");
    if (!unit && !facts.contains("tool.setsid")) {
        lacks.push_back({"no guard can be armed: neither systemd-run nor setsid",
                         fix_for_tool("setsid", facts)});
    }
    if (!fact(facts, "leases").empty()) {
        lacks.push_back(
            {"lease " + join(fact_list(facts, "leases"), ", ") + " of another run is there",
             "`drill undo` ends it, `drill sweep " + name + "` finds what no ledger knows"});
    }
    if (is_controller_by_detour(connection, facts)) {
        lacks.push_back({"this is the controller itself, reached by " + connection.transport,
                         "only transport = \"local\" may change the controller"});
    }
    return lacks;
}

std::vector<std::string> host_gates(const std::string& name, const DraftHost& host,
                                    const Facts& facts) {
    std::vector<std::string> reasons;
    for (const std::string& tool : host.tools) {
        for (const Lack& lack : kind_lacks("", tool, facts)) {
            reasons.push_back(name + ": " + sentence(lack));
        }
    }
    for (const std::string& kind : host.kinds) {
        for (const Lack& lack : kind_lacks(kind, "", facts)) {
            reasons.push_back(name + ": " + sentence(lack));
        }
    }
    for (const Lack& lack : host_lacks(name, host.connection, facts)) {
        reasons.push_back(name + ": " + sentence(lack));
    }
    return reasons;
}

std::vector<Credential> account_ends(const std::string& name, const Connection& connection,
                                     const Facts& facts) {
    std::vector<Credential> ends;
    if (connection.transport == "local") { return ends; }
    const auto [changed, longest, grace, end] = aging_of(facts);
    const std::string user = fact(facts, "login_user");
    if (end >= 0) {
        ends.push_back({name, "the account " + user, day(end),
                        "`chage -E` there sets another end (-1: none)"});
    }
    const std::string renew = "`passwd " + user + "` there, or `chage -M`";
    if (changed == 0) {
        ends.push_back({name, "the password of " + user, Wall{}, renew});
    } else if (changed > 0 && longest >= 0 && longest < no_aging_days) {
        // PAM asks for a new one from this day on, which no command can answer; grace only
        // decides when the account is closed for good.
        ends.push_back({name, "the password of " + user, day(changed + longest + 1), renew});
    }
    return ends;
}

Nanos credential_need(Nanos longest, Nanos lease_ttl) {
    return longest + lease_ttl + undo_after_lease;
}

std::vector<std::string> credential_gates(const std::vector<Credential>& credentials, Wall now,
                                          Nanos need) {
    std::vector<std::string> reasons;
    for (const Credential& one : credentials) {
        if (one.ends - now >= need) { continue; }
        const std::string when = one.ends <= now ? "has ended (" + rfc3339(one.ends) + ")"
                                                 : "ends in " + show_duration(one.ends - now) +
                                                       " (" + rfc3339(one.ends) + ")";
        reasons.push_back((one.host.empty() ? "controller: " : one.host + ": ") +
                          escape_control(one.what, Lines::one) + " " + when +
                          ", this run may need it for " + show_duration(need) +
                          " (the limit and its undo)" + (one.fix.empty() ? "" : "; " + one.fix));
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
