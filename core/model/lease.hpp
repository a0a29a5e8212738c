// A lease: the right of a change to exist until a time. It carries all that an undo needs, so
// another process, or a later version that does not know the kind, can end and prove it.
#pragma once

#include "model/change.hpp"
#include "model/host.hpp"

#include <string>

namespace drill {

enum class LeaseState : std::uint8_t {
    intended,   ///< committed before anything is sent
    armed,      ///< apply answered done, bite not yet seen
    held,       ///< bite seen
    releasing,  ///< undo was decided
    released,   ///< undo read back and disarmed
    stuck,      ///< undo could not be proven; a person is needed
    closed,     ///< a person attested it (`drill close`)
};

[[nodiscard]] constexpr bool is_open(LeaseState state) noexcept {
    return state != LeaseState::released && state != LeaseState::closed;
}

struct Lease {
    std::string id;
    std::string run;  ///< run id
    std::string step;
    std::string kind;
    Connection connection;  ///< resolved, without secrets, with the host key seen
    Change change;
    LeaseState state{LeaseState::intended};
    std::string boot_id;  ///< of the target when it was intended
    Nanos not_after{0};   ///< of the apply, target's CLOCK_BOOTTIME
    Nanos ttl{0};
    Nanos until{0};     ///< controller's CLOCK_BOOTTIME: ends by itself by then at the latest
    Wall until_wall{};  ///< the same as a label
    std::string controller_boot;  ///< boot id of the controller that `until` belongs to
    std::string note;             ///< why stuck, who closed it and why; one line
    friend bool operator==(const Lease&, const Lease&) = default;
};

[[nodiscard]] const char* name_of(LeaseState state) noexcept;

}  // namespace drill
