// See undoing.hpp.
#include "engine/undoing.hpp"

#include <algorithm>

namespace drill {

namespace {
constexpr Nanos after_its_end = std::chrono::seconds{5};
constexpr Nanos longest_wait = std::chrono::minutes{5};  // nobody waits longer at a prompt
}  // namespace

Undoing::Undoing(std::vector<Lease> leases, std::string controller_boot, Nanos budget,
                 std::uint64_t seed)
    : leases_(std::move(leases)),
      controller_boot_(std::move(controller_boot)),
      budget_(budget),
      random_(seed) {}

Turn Undoing::turn(const Instant& now, const std::vector<News>& news) {
    Turn out{};
    TurnWriter turn(now, out, next_order_, random_);
    if (!begun_) {
        begun_ = true;
        for (Lease& lease : leases_) {
            Nanos give_up = now.boot + budget_;
            if (lease.controller_boot == controller_boot_) {
                const Nanos its_end =
                    std::min(lease.until + after_its_end, now.boot + longest_wait);
                give_up = std::max(give_up, its_end);
            }
            releases_.emplace_back(std::move(lease), give_up);
            releases_.back().begin(turn);
        }
    }
    for (const News& one : news) {
        if (const auto* answered = std::get_if<Answered>(&one)) {
            for (Release& release : releases_) {
                if (release.answer(turn, *answered)) { break; }
            }
        } else if (std::holds_alternative<StopAsked>(one)) {
            for (Release& release : releases_) { release.give_up_by(now.boot); }
        }
    }
    for (Release& release : releases_) { release.tick(turn); }
    out.finished = std::all_of(releases_.begin(), releases_.end(),
                               [](const Release& release) { return release.finished(); });
    return out;
}

bool Undoing::clean() const {
    return std::all_of(releases_.begin(), releases_.end(), [](const Release& release) {
        return release.lease().state == LeaseState::released;
    });
}

}  // namespace drill
