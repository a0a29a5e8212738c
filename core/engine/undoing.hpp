// Ends and proves what a dead run left open: every lease that is not released or closed, in
// whatever state, also of kinds that this version does not know. Idempotent; may be killed and
// begun again. Pure like the conductor; the runner carries it out.
#pragma once

#include "engine/release.hpp"
#include "engine/turn_writer.hpp"

#include <deque>
#include <vector>

namespace drill {

class Undoing {
public:
    /// Tries each lease for at least `budget` from the first turn, and, where this machine has
    /// not been rebooted since (`controller_boot`), until a while after its own end.
    Undoing(std::vector<Lease> leases, std::string controller_boot, Nanos budget,
            std::uint64_t seed);

    Turn turn(const Instant& now, const std::vector<News>& news);

    [[nodiscard]] const std::deque<Release>& releases() const { return releases_; }
    /// Every lease is released.
    [[nodiscard]] bool clean() const;

private:
    std::vector<Lease> leases_;
    std::string controller_boot_;
    Nanos budget_;
    Random random_;
    std::uint64_t next_order_{1};
    bool begun_{false};
    std::deque<Release> releases_;
};

}  // namespace drill
