// Time as the engine uses it: CLOCK_BOOTTIME for all arithmetic (counts suspend, immune to
// steps), wall clock only as a label. Must not: read a clock; see transport/clock.hpp.
#pragma once

#include <chrono>
#include <cstdint>

namespace drill {

using Nanos = std::chrono::nanoseconds;
/// Wall time as a label, milliseconds since the Unix epoch, UTC.
using Wall = std::chrono::sys_time<std::chrono::milliseconds>;

struct Instant {
    Nanos boot{0};  ///< CLOCK_BOOTTIME of the controller
    Wall wall{};
};

/// The clock seam: real (transport/clock.hpp) or simulated (tests/support/world.hpp).
class Clock {
public:
    Clock() = default;
    Clock(const Clock&) = delete;
    Clock& operator=(const Clock&) = delete;
    virtual ~Clock() = default;
    [[nodiscard]] virtual Instant now() = 0;
};

}  // namespace drill
