// What a host is like beyond its base facts: one more read-only question in POSIX sh, the parsing
// of its answer, and the judgement of both as remarks and as kinds that can be used there.
// Must not: send anything; word a gate anew (gates.hpp has the words).
// Next: model/ground.hpp, cli/cmd_doctor.cpp, which asks; report/ground.hpp, which shows.
#pragma once

#include "model/ground.hpp"
#include "model/host.hpp"
#include "model/kind.hpp"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace drill {

/// What the question brought, by name; a name may come several times. Names: ground_answer.cpp.
using GroundAnswer = std::map<std::string, std::vector<std::string>>;

/// The target's wall clock: the first question of a call. Effect on the target: none.
[[nodiscard]] Exec wall_question();
/// Distribution's tools, kernel features, clock, identity, what reacts to a fault. Read-only; runs
/// under dash, bash and busybox sh, about 25 programs are started. Its last line is the wall clock
/// again. Effect on the target: none; `timedatectl`, where nothing else tells of the clock, makes
/// systemd start its time service for half a minute.
[[nodiscard]] Exec ground_question();
/// Failure: Code::rejected when the end mark is missing. Unknown names are left out.
[[nodiscard]] Result<GroundAnswer> parse_ground(std::string_view out);

/// The target's wall clock as `date +%s.%N` prints it; `grain` is a second where the nanoseconds
/// are missing. Empty for anything else.
struct WallReading {
    Nanos since_epoch{0};
    Nanos grain{0};
};
[[nodiscard]] std::optional<WallReading> parse_wall(std::string_view text);
/// `begin` was read after `asked`, `end` before `received`, both by the controller's wall clock.
/// Holds unless the target's clock was stepped in between.
[[nodiscard]] ClockOffset clock_offset(WallReading begin, WallReading end, Nanos asked,
                                       Nanos received);

struct GroundInput {
    Connection connection;
    Facts facts;          ///< plan/facts.hpp
    GroundAnswer answer;  ///< empty: the host did not answer that question
    std::vector<Hop> way;
    Nanos latency{0};
    std::optional<ClockOffset> offset;
    std::vector<Credential> credentials;  ///< the controller's
    Wall now{};
    Nanos need{0};        ///< how long a credential has to last
    bool became{true};    ///< false: become was refused, the facts are those of the login itself
    std::string refusal;  ///< why
};
/// Remarks in a fixed order of topics, and a verdict for each of `kinds`.
[[nodiscard]] HostGround judge_ground(const GroundInput& input, Kinds kinds);
/// A host that could not be asked: one remark with the fix.
[[nodiscard]] HostGround unreached(const Connection& connection, const Error& error);

/// True when a run could use the host: it answered, and there is no trouble.
[[nodiscard]] bool usable(const HostGround& ground);

/// What a kernel has, by its configuration, else by its modules, else by its version.
enum class Has : unsigned char { no, yes, unknown };
/// `option` without "CONFIG_", `module` without ".ko".
[[nodiscard]] Has kernel_has(const GroundAnswer& answer, std::string_view option,
                             std::string_view module);

/// The text for /etc/sudoers.d/drill (or doas.conf) for every login of `connections` that becomes
/// root, with what it means; `kinds` only stand in its heading. "" when none of them does.
[[nodiscard]] std::string sudoers_lines(const std::vector<Connection>& connections,
                                        const std::vector<std::string>& kinds);

}  // namespace drill
