// A change, composed whole before anything is sent: undo is data, known before apply.
#pragma once

#include "model/action.hpp"

#include <string>
#include <vector>

namespace drill {

/// How a transient change ends when nobody renews it (design: Endings).
enum class Ending : std::uint8_t { instant, kernel, holder, watcher, durable, off_target };
/// transient = ends by itself, a fault; stays = until somebody decides (cutovers, later).
enum class Lasting : std::uint8_t { transient, stays };

/// An action on some other host that gives a quiet fault something to bite on.
struct Stimulus {
    std::string host;  ///< catalog name
    Exec exec;         ///< its exit status is ignored
    friend bool operator==(const Stimulus&, const Stimulus&) = default;
};

struct Change {
    std::vector<Exec> arm;  ///< pre-images; run in the lease directory, before the guard
    std::vector<Exec> apply;
    std::vector<Exec> renew;  ///< kernel endings: extend the fuse; fails when the lease ended
    std::vector<Exec> undo;   ///< argv only, each a single program that need not fork; at most 5
    std::vector<Exec> read_back;      ///< judged on the target by exit status, see Presence
    std::vector<Exec> disarm;         ///< besides the lease directory, normally empty
    std::vector<Stimulus> stimulate;  ///< sent when read_back says 11 after apply
    std::vector<Exec> check;          ///< an expectation: status 0 = met. Polled until check_within
    Nanos check_within{0};
    std::string check_claim;  ///< "orders-app is back within 20 s"
    Ending ending{Ending::watcher};
    Lasting lasting{Lasting::transient};
    friend bool operator==(const Change&, const Change&) = default;
};

/// What read_back found, by exit status. Several commands: the first that holds of
/// unclear, altered, bites, idle, absent wins.
enum class Presence : std::uint8_t {
    absent = 0,    ///< 0: as before
    bites = 10,    ///< 10: ours is there and has effect
    idle = 11,     ///< 11: ours is there, no effect seen yet
    altered = 12,  ///< 12: gone or changed by somebody else; stdout says what
    unclear = 99,  ///< anything else
};

[[nodiscard]] const char* name_of(Ending ending) noexcept;
[[nodiscard]] const char* name_of(Presence presence) noexcept;
[[nodiscard]] Presence presence_of(const std::vector<CommandReply>& parts, std::size_t from);

}  // namespace drill
