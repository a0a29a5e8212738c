// What service-stop and service-restart share: which service is meant and who manages it (systemd,
// an init script, or programs that the file names), what stops with it, and how it is started
// without handing the guard's own surroundings on to it.
// Must not: stop what the way in or the undo depends on, or start a member of a stateful group
// that nobody said may come back. Next: ../service-stop.md.
#pragma once

#include "model/kind.hpp"

#include <string>
#include <vector>

namespace drill::faults {

inline constexpr Param service_unit{
    .name = "unit", .help = "systemd service, or the name of the init script on other hosts."};
inline constexpr Param service_also{
    .name = "also",
    .type = ParamType::texts,
    .help = "Services that stop with it; any that is missing here is refused."};
inline constexpr Param service_stop_argv{
    .name = "stop",
    .type = ParamType::texts,
    .help = "Program and arguments that stop it, in place of `unit`."};
inline constexpr Param service_start_argv{
    .name = "start",
    .type = ParamType::texts,
    .help = "Program and arguments that start it, together with `stop`."};
inline constexpr Param service_status_argv{
    .name = "status",
    .type = ParamType::texts,
    .help = "Program that exits 0 while it runs and 1, 2 or 3 when it does not."};
inline constexpr Param service_stateful{
    .name = "stateful",
    .type = ParamType::boolean,
    .fallback = "false",
    .help = "It is a member of a group that shares state: `return` has to be spelled out."};

/// Who runs it.
enum class Under : unsigned char { systemd, script, programs };

struct ServiceOnHost {
    Under under{Under::systemd};
    std::string unit;               ///< "orders.service", "orders", or "" for programs
    std::vector<std::string> also;  ///< systemd only
    std::vector<std::string> stop, start, status;  ///< argvs; empty for systemd
};

/// One question; its answer says whether the service runs and what would stop with it.
[[nodiscard]] std::vector<Exec> service_observe(const ChangeRequest& request);

/// Code::refused with the way out where the service cannot be meant, is never a victim, does not
/// run, would take others with it, would be started by its socket, or may not come back.
[[nodiscard]] Result<ServiceOnHost> service_of(const ChangeRequest& request);

/// A script that may call `pick FROM COUNT WORD..` (runs COUNT of the words, from FROM, 0 is the
/// first) and `start_clean DIRECTORY WORD..` (runs the words as init would: umask, OOM score and
/// signals of PID 1, output to DIRECTORY/start.log).
[[nodiscard]] Exec service_script(std::string_view text, std::vector<std::string> arguments);

/// The undo: starts what is not running. systemd: one systemctl. Else a shell that has to fork.
[[nodiscard]] Exec service_start_again(const ServiceOnHost& service, const std::string& directory);

/// "`orders.service`, with orders-app.service", or "the service that `pg_ctl stop` stops".
[[nodiscard]] std::string service_words(const ChangeRequest& request);

}  // namespace drill::faults
