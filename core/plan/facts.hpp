// The base facts of a host: one read-only question in POSIX sh and the parsing of its answer.
// Also says which facts are identity (hashed into the plan; a difference at run is refused) and
// which are volatile (bound anew at run). Must not: send anything, judge a gate.
// Next: planner.hpp, which asks; the table of names is in facts.cpp.
#pragma once

#include "base/instant.hpp"
#include "base/result.hpp"
#include "model/action.hpp"
#include "model/host.hpp"
#include "model/plan.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace drill {

/// The question about a host's base facts. Read-only; runs under dash, bash and busybox sh in
/// some 20 ms; prints `key=value` lines. `more_tools` are looked up besides the usual ones;
/// words that are no plain program name are left out. Effect on the target: none.
[[nodiscard]] Exec facts_question(std::span<const std::string> more_tools = {});

/// The answer as facts. Lists (addresses, interfaces, leases, deny, identity_services) are
/// sorted, unique and blank-separated. Unknown keys and lines of others are passed over.
/// Failure: Code::rejected when the end mark, the boot id or the uptime is missing.
[[nodiscard]] Result<Facts> parse_facts(std::string_view out);

/// The words of a blank-separated fact; empty when the fact is absent.
[[nodiscard]] std::vector<std::string> fact_list(const Facts& facts, std::string_view name);
/// The value of a fact, "" when it is absent.
[[nodiscard]] std::string fact(const Facts& facts, std::string_view name);
/// "uptime_cs" as time since boot; empty when absent.
[[nodiscard]] std::optional<Nanos> fact_uptime(const Facts& facts);

/// What a host stands for in a plan decides which of its facts are identity.
enum class Part : unsigned char {
    target,    ///< is changed: machine, tools, init, interfaces, addresses, sshd's port, host key
    bystander  ///< peer or vantage point: machine, addresses, host key
};
/// The hashed facts. `tools` are those that the kinds on this host need; `host_key` is the
/// fingerprint of the connection that carried the answer, "" for local. Empty values are left out.
[[nodiscard]] Facts identity_of(const Facts& facts, Part part, std::span<const std::string> tools,
                                const std::string& host_key);

/// True for a fact that is hashed for some part ("tool.nft" and "host_key" included).
[[nodiscard]] bool is_identity_fact(std::string_view name) noexcept;

/// One line for each difference: "interfaces changed: eth0 -> eth0 eth1". Compares only what
/// `planned` holds. For `run`, where the facts were asked again.
[[nodiscard]] std::vector<std::string> identity_differences(const Facts& planned, const Facts& now);

/// True for 127.0.0.0/8, ::1 and what is no IP address at all.
[[nodiscard]] bool is_loopback(const std::string& address);
/// True for a numeric IPv4 or IPv6 address without zone and prefix length.
[[nodiscard]] bool is_ip_address(const std::string& text);

}  // namespace drill
