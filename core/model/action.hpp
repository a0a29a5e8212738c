// Actions are data: what shall happen on a target, and what came back.
// Must not: do anything. Next: transport/envelope.hpp renders an Envelope to POSIX sh;
// tests/support/world.hpp interprets it natively.
#pragma once

#include "base/instant.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace drill {

/// One program on a host. argv goes through shell_quote, data through standard input.
struct Exec {
    std::vector<std::string> argv;
    std::string input;
    friend bool operator==(const Exec&, const Exec&) = default;
};

/// What an envelope call does. Each is one round trip.
enum class Phase : std::uint8_t {
    ask,        ///< run read-only commands; no lease directory is made
    rehearse,   ///< arm a guard that undoes nothing, to see (by `rehearsed`) that it outlives its
                ///< connection
    rehearsed,  ///< from a new connection: is that guard alive? ends it and removes its directory
    apply,      ///< lease directory, arm commands, guard, apply commands
    renew,      ///< renew commands (first), then a new guard generation, then the old one ends
    undo,  ///< tombstone, end a running apply, end the guard, undo commands, read_back commands
    read_back,  ///< read_back commands only
    disarm,     ///< end the guard, disarm commands, remove the lease directory
    sweep,      ///< list every lease directory, table and unit that carries our name
};

/// Results of an envelope call, on its last line. The numbers are part of the protocol.
struct EnvelopeStatus {
    static constexpr int done = 0;
    static constexpr int other_boot = 31;     ///< refused: bound to another boot id
    static constexpr int too_late = 32;       ///< refused: past not_after
    static constexpr int undone_before = 33;  ///< refused: a tombstone is there
    static constexpr int stop_file = 34;      ///< refused: /run/drill/stop exists
    static constexpr int denied = 35;         ///< refused: /etc/drill/deny names the kind or `all`
    static constexpr int no_guard =
        36;  ///< refused: the guard could not be armed or died; nothing applied
    static constexpr int no_directory =
        37;  ///< refused: the lease directory could not be made or written
    static constexpr int unknown_lease = 38;  ///< renew/rehearsed: no such lease here
    static constexpr int still_running = 39;  ///< a repeated apply while the first one runs
    static constexpr int apply_failed =
        40;  ///< an arm or apply command failed: effect may be partial, undo it
    static constexpr int ended =
        41;  ///< renew: the guard had fired or the renew commands found nothing
    static constexpr int undo_failed = 42;  ///< an undo command failed; read_back (in parts) judges
    static constexpr int disarm_failed = 43;  ///< something of the lease directory or guard is left
};

/// One call of the envelope on a host.
struct Envelope {
    Phase phase{Phase::ask};
    std::string lease;    ///< lease id; "" for ask and sweep
    std::string nonce;    ///< fresh for each call; marks every line of the protocol
    std::string kind;     ///< kind name, for /etc/drill/deny and the README
    std::string boot_id;  ///< apply, renew: refused on another boot. "" = not checked
    Nanos not_after{0};   ///< apply: refused later, on the target's CLOCK_BOOTTIME
    Nanos ttl{0};  ///< apply, renew, rehearse: the guard fires this long after, whole seconds
    bool durable{false};  ///< lease directory below /var/lib/drill instead of /run/drill
    std::string
        label;  ///< "run 7 orders-backend-loss step cut-off by kim until ... contact ...", one line
    std::vector<Exec> arm;       ///< apply: before the guard is armed (pre-images)
    std::vector<Exec> commands;  ///< ask, apply, renew, read_back, disarm: run in order
    std::vector<Exec>
        undo;  ///< apply, renew: what the guard execs (argv only, at most 5); undo: run all
    std::vector<Exec> read_back;  ///< undo: run after the undo commands
    friend bool operator==(const Envelope&, const Envelope&) = default;
};

using Action = std::variant<Exec, Envelope>;

/// The answer of one command. `out` and `err` are capped by the transport (capture_limit).
struct CommandReply {
    int status{0};
    std::string out;
    std::string err;  ///< envelope: empty, errors of all commands are in Reply::err
    friend bool operator==(const CommandReply&, const CommandReply&) = default;
};

/// One leg of the way to a host, as it went when its connection was made.
struct Hop {
    std::string host;    ///< catalog name of the jump host or of the target itself
    Nanos connected{0};  ///< TCP to it, through the legs before it
    Nanos logged_in{0};  ///< the login, after the key exchange
    std::string method;  ///< "key file ~/.ssh/id", "agent"; "" where it is not known
    friend bool operator==(const Hop&, const Hop&) = default;
};

struct Reply {
    int status{0};    ///< Exec: exit status; Envelope: an EnvelopeStatus
    std::string out;  ///< Exec only
    std::string err;
    std::vector<CommandReply>
        parts;  ///< Envelope: one for each command that ran; undo: undo, then read_back
    std::size_t read_back_from{0};  ///< Envelope undo: index in parts where read_back begins
    bool repeated{false};   ///< Envelope apply: this is the recorded answer of an earlier call
    bool truncated{false};  ///< output reached the cap
    std::string boot_id;    ///< Envelope: of the target, at the end of the call
    Nanos uptime{0};        ///< Envelope: CLOCK_BOOTTIME of the target, 10 ms grain
    std::string host_key;   ///< fingerprint of the connection that carried it, "" for local
    Nanos asked{0};  ///< controller's boot time when the session was open and the request left;
                     ///< 0 where the carrier does not say
    std::vector<Hop> way{};  ///< of that connection, the target last; empty where not said
    friend bool operator==(const Reply&, const Reply&) = default;
};

inline constexpr std::size_t capture_limit = std::size_t{1} << 20U;  ///< bytes per call

}  // namespace drill
