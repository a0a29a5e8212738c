// Two answers about a change (change_run.hpp): how far it got on its target, and how long it may be
// held where a person ends the hold.
#include "engine/change_run.hpp"

#include <algorithm>

namespace drill {

namespace {
constexpr Nanos before_the_limit = std::chrono::seconds{5};  // as plan/draft.cpp asks of a hold
}  // namespace

/// The end of a hold that leaves room for the last look before the limit ends the lease.
Nanos ChangeRun::longest_hold(Nanos bite) const {
    return std::max(bite, last_end() - before_the_limit);
}

void ChangeRun::end_hold(TurnWriter& turn) {
    hold_told_ = true;
    if (stage_ != Stage::held) { return; }
    hold_ends_ = std::min(*hold_ends_, turn.now().boot);
    turn.wake_at(turn.now().boot);
}

Took ChangeRun::took() const {
    if (bite_at_) { return Took::bit; }
    switch (failure_) {
        case Failure::refused: return Took::refused;
        case Failure::apply_failed: return Took::apply_failed;
        case Failure::lost: return Took::unanswered;
        case Failure::no_bite:
        case Failure::altered:
        case Failure::late: return Took::no_bite;
        case Failure::none: break;
    }
    return apply_sent_ ? Took::no_bite : Took::not_begun;
}

}  // namespace drill
