// The real clock of the controller. CLOCK_BOOTTIME counts suspend and is immune to steps, so
// leases and deadlines are kept on it; the wall clock is only a label.
// Must not: be used below transport/ and cli/; everything else is handed a Clock.
#pragma once

#include "base/instant.hpp"

#include <string>

namespace drill {

/// CLOCK_BOOTTIME of this machine.
[[nodiscard]] Nanos boot_now() noexcept;

/// Any thread may ask at any time.
class SystemClock : public Clock {
public:
    [[nodiscard]] Instant now() override;
};

/// /proc/sys/kernel/random/boot_id of this machine; "" if it cannot be read.
[[nodiscard]] std::string controller_boot_id();

}  // namespace drill
