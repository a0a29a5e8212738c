// The real clock: CLOCK_BOOTTIME and CLOCK_REALTIME.
// Must not: cache anything. Read next: transport/wait.hpp, which sleeps on the same clock.
#include "transport/clock.hpp"

#include "base/text.hpp"

#include <ctime>
#include <fstream>

namespace drill {

Nanos boot_now() noexcept {
    timespec t{};
    clock_gettime(CLOCK_BOOTTIME, &t);
    return std::chrono::seconds{t.tv_sec} + Nanos{t.tv_nsec};
}

Instant SystemClock::now() {
    timespec t{};
    clock_gettime(CLOCK_REALTIME, &t);
    const auto since = std::chrono::seconds{t.tv_sec} + Nanos{t.tv_nsec};
    return Instant{.boot = boot_now(),
                   .wall = Wall{std::chrono::floor<std::chrono::milliseconds>(since)}};
}

std::string controller_boot_id() {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string line;
    std::getline(file, line);
    return std::string(trim(line));
}

}  // namespace drill
