// The envelope: how an Envelope value becomes a POSIX-sh script for a target, and how its answer
// is read. Every change of every kind goes through it, so this is where "never leaves a fault
// behind" is kept on the target: lease directory, tombstone, guard, recorded answers.
// Pure. Must not: run or send anything. Read next: envelope.sh (what runs there), envelope.md.
#pragma once

#include "model/action.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drill {

/// Where things lie on a target. Only tests use other places than these.
struct EnvelopePlaces {
    std::string run{"/run/drill"};          ///< lease directories, tombstones, the stop file
    std::string durable{"/var/lib/drill"};  ///< lease directories of durable kinds
    std::string deny{"/etc/drill/deny"};    ///< kind names or `all`, one per line
    std::string path{"/usr/sbin:/usr/bin:/sbin:/bin"};  ///< put in front of PATH
    std::string shell{"sh"};                            ///< runs the guard; blanks separate words
    std::string boot_id{"/proc/sys/kernel/random/boot_id"};
    std::string uptime{"/proc/uptime"};  ///< CLOCK_BOOTTIME, seconds with two digits
};

/// The bound of the argument lists that a guard can hold ready.
inline constexpr std::size_t most_guard_undos = 5;

/// "/run/drill/<lease>" or "/var/lib/drill/<lease>".
[[nodiscard]] std::string lease_directory(std::string_view lease, bool durable,
                                          const EnvelopePlaces& places = {});

/// The script for standard input of `sh -s -- "$SSH_CONNECTION"`, as root. A script that was cut
/// off anywhere does nothing. Its exit status is the EnvelopeStatus. The lease must be letters
/// and digits (asserted; "" for ask and sweep), the nonce too; no text may hold a NUL (asserted).
/// An Exec without argv, or whose argv[0] begins with '-', fails with status 126 or 127.
/// The guard's undo commands are those of the apply; `undo` of a renew is not looked at.
[[nodiscard]] std::string render_envelope(const Envelope& envelope,
                                          const EnvelopePlaces& places = {});

/// Reads what such a script printed. Protocol on stdout, all lines carry the nonce:
///   drill:<nonce>:begin                          what came before is not ours (login scripts)
///   drill:<nonce>:cmd:<k>:<status>               after the output of command k, from 1
///   drill:<nonce>:end:<status>:<boot id>:<uptime in centiseconds>[:repeated]
/// A newline in front of a line belongs to the protocol. Without the last line, or with fewer
/// commands than a finished call has, it is an Error with Effect::unknown (Code::unreachable):
/// the target may have undergone all, some or nothing of it.
[[nodiscard]] Result<Reply> parse_envelope(const Envelope& envelope, std::string_view out,
                                           std::string_view err, bool truncated);

/// What `sweep` found of one lease. Printed as blocks of `key=value` lines; a block begins with
/// `lease=`: directory, kind, label, boot_id, not_after and ttl as recorded, answer
/// ("pending" or "done <status> <command statuses>"), tombstone=yes, and for each generation
/// `guard=<number> <armed|fired|ended> <alive: yes|no> <deadline>`. Tables and units stand last as
/// `table=inet drill_<lease>` and `unit=drill-<lease>-<number>.service`.
struct FoundLease {
    std::string lease;
    std::string directory;  ///< "" when only a table or unit carries the name
    std::string kind, label, boot_id;
    bool applied{false};    ///< the apply recorded its answer
    bool tombstone{false};  ///< an undo was asked for, or the guard fired
    bool guard_alive{false};
    bool fired{false};
    std::optional<Nanos> deadline;    ///< of the youngest guard, target's CLOCK_BOOTTIME
    std::vector<std::string> tables;  ///< "inet drill_<lease>"
    std::vector<std::string> units;
    friend bool operator==(const FoundLease&, const FoundLease&) = default;
};
/// `text` is parts[0].out of a sweep. Lines that are not understood are left out.
[[nodiscard]] std::vector<FoundLease> parse_sweep(std::string_view text);

}  // namespace drill
