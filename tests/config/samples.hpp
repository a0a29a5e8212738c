// The two sample files of the design, and small tables of kinds to load them with.
#pragma once

#include "config/loader.hpp"

#include <array>
#include <string>

namespace drill::test {

inline constexpr std::array<Param, 4> partition_params{{
    {.name = "from", .type = ParamType::selection, .required = true, .help = "Whom to cut off."},
    {.name = "direction", .type = ParamType::choice, .fallback = "both", .choices = "in|out|both"},
    {.name = "ports", .type = ParamType::ports},
    {.name = "loss", .type = ParamType::percent, .fallback = "100%", .least = 1},
}};
inline constexpr std::array<Param, 4> kill_params{{
    {.name = "process", .type = ParamType::text, .required = true},
    {.name = "signal", .type = ParamType::choice, .fallback = "KILL", .choices = "KILL|TERM"},
    {.name = "count", .type = ParamType::integer, .fallback = "1", .least = 1, .most = 64},
    {.name = "expect_restart", .type = ParamType::duration, .least = 100, .most = 3'600'000},
}};
inline constexpr std::array<Param, 2> noop_params{{
    {.name = "say", .type = ParamType::text, .fallback = "nothing is changed"},
    {.name = "loud", .type = ParamType::boolean, .fallback = "false"},
}};
inline constexpr Kind net_partition{
    .name = "net-partition", .ending = Ending::kernel, .params = partition_params};
inline constexpr Kind process_kill{
    .name = "process-kill", .ending = Ending::instant, .params = kill_params};
inline constexpr Kind noop{.name = "noop", .ending = Ending::watcher, .params = noop_params};
inline constexpr std::array<const Kind*, 3> kinds{&net_partition, &noop, &process_kill};

// http declares its `ok` key by key, command as one table with the keys that it allows.
inline constexpr std::array<Param, 7> http_params{{
    {.name = "url", .type = ParamType::text, .required = true},
    {.name = "method", .type = ParamType::choice, .fallback = "GET", .choices = "GET|HEAD|POST"},
    {.name = "headers", .type = ParamType::table},
    {.name = "body", .type = ParamType::text},
    {.name = "ok.status", .type = ParamType::integer, .fallback = "200", .least = 100, .most = 599},
    {.name = "ok.within", .type = ParamType::duration},
    {.name = "ok.contains", .type = ParamType::text},
}};
inline constexpr std::array<Param, 3> tcp_params{{
    {.name = "host", .type = ParamType::text, .required = true},
    {.name = "port", .type = ParamType::integer, .required = true, .least = 1, .most = 65535},
    {.name = "ok", .type = ParamType::table, .choices = "within"},
}};
inline constexpr std::array<Param, 3> command_params{{
    {.name = "argv", .type = ParamType::texts, .required = true},
    {.name = "on", .type = ParamType::text},
    {.name = "ok",
     .type = ParamType::table,
     .fallback = "{ status = 0 }",
     .choices = "status|within|contains"},
}};
inline constexpr ProbeKind http{.name = "http", .params = http_params};
inline constexpr ProbeKind tcp{.name = "tcp", .params = tcp_params};
inline constexpr ProbeKind command{.name = "command", .params = command_params};
inline constexpr std::array<const ProbeKind*, 3> probe_kinds{&command, &http, &tcp};

inline const std::string sample_experiment = R"([experiment]
name    = "orders-backend-loss"
title   = "Orders keeps answering when one backend is cut off"
service = "orders"                       # catalog: tier, owner, objectives

[objective]
rto = "10s"

[limit]
hosts   = 1
share   = "50%"
longest = "5m"

[target.backend]
match = { role = "orders-app" }
pick  = 1                                # count, percent or "all"; seeded, the seed is recorded

[[probe]]
name    = "order"
kind    = "http"
url     = "http://orders.lab:8080/orders"
every   = "50ms"
timeout = "1s"
ok      = { status = 200, within = "250ms" }

[[hypothesis]]
probe  = "order"
before = "success >= 99% for 10s"
during = "success >= 90%"
regain = { within = "10s", hold = "5s" }

[[halt]]
probe = "order"
when  = "success < 20% for 20s"

[[step]]
name  = "cut-off"
fault = "net-partition"
on    = "backend"
with  = { from = { role = "balancer" }, direction = "both" }
hold  = "30s"

[[step]]
name  = "kill-app"
after = ["cut-off"]
fault = "process-kill"
on    = "backend"
with  = { process = "orders-app", signal = "KILL", expect_restart = "20s" }
)";

inline const std::string sample_catalog = R"(# drill.toml
[environment]
name  = "lab"
class = "lab"

[host.app-1]
address = "10.77.0.4"                    # how the controller reaches it
addresses = ["10.77.0.4", "fd77::4"]     # all of them; asked on the host where absent
labels  = { role = "orders-app", site = "a" }
user    = "root"
key     = { file = "lab/id_ed25519" }

[service.orders]
tier  = 1
owner = "team-orders"
hosts = { role = "orders-app" }
rto   = "30s"
rpo   = "0s"
)";

/// The sample catalog with the hosts that the sample experiment speaks of.
inline const std::string lab_catalog = sample_catalog + R"(
[host.app-2]
address = "10.77.0.5"
labels  = { role = "orders-app", site = "b" }

[host.bal-1]
address = "10.77.0.2"
labels  = { role = "balancer", site = "a" }
)";

inline Catalog lab() { return parse_catalog(lab_catalog, "/lab/drill.toml").catalog; }

inline LoadedExperiment load(const std::string& text, const Catalog* catalog = nullptr) {
    return parse_experiment(text, "two.toml", kinds, probe_kinds, catalog);
}

/// `text` with the first `from` replaced. An absent `from` gives "", which loads as nothing.
inline std::string with(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    if (at == std::string::npos) { return ""; }
    return text.replace(at, from.size(), to);
}

inline std::string shown(const Diagnostics& diagnostics, const std::string& source) {
    std::string out;
    for (const Diagnostic& one : diagnostics) { out += render(one, source); }
    return out;
}

}  // namespace drill::test
