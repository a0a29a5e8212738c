// What process-kill and process-pause share: which processes of a target are meant, who is never
// meant, and scripts that act on a process only while it is the one that was chosen.
// A process is its pid and its start time (field 22 of /proc/PID/stat); the envelope adds the boot.
// Must not: pick some of too many matches. Next: ../process-kill.md.
#pragma once

#include "model/kind.hpp"

namespace drill::faults {

inline constexpr Param process_name{
    .name = "process",
    .help = "Name of the process as the kernel keeps it (`comm`, at most 15 bytes), exactly."};
inline constexpr Param process_match{
    .name = "match",
    .help = "POSIX extended regular expression that the command line must match somewhere."};
inline constexpr Param process_unit{.name = "unit",
                                    .help = "systemd unit whose cgroup the process must be in."};
inline constexpr Param process_pidfile{
    .name = "pidfile", .help = "Absolute path of a file on the target that holds the pid."};
inline constexpr Param process_count{
    .name = "count",
    .type = ParamType::integer,
    .fallback = "1",
    .help = "How many processes must match; any other number is refused.",
    .least = 1,
    .most = 64};

/// Lists the processes that fit process, match, unit and pidfile, all that are given.
[[nodiscard]] std::vector<Exec> process_observe(const ChangeRequest& request);

/// "pid:start" of each victim, `count` of them; at plan time "{pid}:{start}" as often.
/// Code::refused with pids and command lines when another number matches. `stopped` says whether
/// a process that is stopped already may be a victim.
enum class Stopped : bool { refused, allowed };
[[nodiscard]] Result<std::vector<std::string>> victims_of(const ChangeRequest& request,
                                                          Stopped stopped);

/// A script that may call `look PID` (sets comm state ppid flags start) and `same PID:START`.
/// Both are builtins only and never fork.
[[nodiscard]] Exec process_script(std::string_view text, std::vector<std::string> arguments);

/// Exit status 0 when `count` processes match that are not `victims`.
[[nodiscard]] Exec process_enough(const ChangeRequest& request,
                                  const std::vector<std::string>& victims);

/// "1 process named `orders-app`"; free of pids.
[[nodiscard]] std::string process_words(const ChangeRequest& request);

}  // namespace drill::faults
