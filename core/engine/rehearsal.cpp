// One guard that undoes nothing, armed over one connection and looked at over another: what the
// conductor wants to know of each host before anything is applied. See conductor.hpp.
#include "base/text.hpp"
#include "engine/conductor.hpp"

namespace drill {

namespace {
constexpr Nanos rehearsal_ttl = std::chrono::seconds{60};
}  // namespace

Rehearsal::Rehearsal(std::string host, const Connection& connection, const ObservedHost& known,
                     const RunFrame& frame)
    : host_(std::move(host)), connection_(connection), known_(known), frame_(frame) {}

void Rehearsal::begin(TurnWriter& turn) {
    begun_ = true;
    lease_.id = turn.lease_id();
    lease_.run = frame_.run;
    lease_.step = "rehearsal";
    lease_.kind = "rehearsal";
    lease_.connection = connection_;
    lease_.change.ending = Ending::instant;  // its guard undoes nothing
    lease_.boot_id = known_.boot_id();
    lease_.not_after = known_.uptime_at_least(turn.now().boot) + apply_window;
    lease_.ttl = rehearsal_ttl;
    lease_.until = turn.now().boot + apply_window + rehearsal_ttl;
    lease_.until_wall = turn.now().wall + std::chrono::duration_cast<std::chrono::milliseconds>(
                                              apply_window + rehearsal_ttl);
    lease_.controller_boot = frame_.controller_boot;
    turn.keep(lease_);
    Envelope call{};
    call.phase = phase_ = Phase::rehearse;
    call.lease = lease_.id;
    call.kind = lease_.kind;
    call.boot_id = lease_.boot_id;
    call.not_after = lease_.not_after;
    call.ttl = rehearsal_ttl;
    call.label = "run " + std::to_string(frame_.number) + " rehearsal of the guard by " + frame_.by;
    order_ = turn.send(connection_, std::move(call), order_timeout, Urgency::change);
}

bool Rehearsal::answer(TurnWriter& turn, const Answered& answered) {
    if (release_ && release_->answer(turn, answered)) {
        lease_ = release_->lease();
        return true;
    }
    if (!order_ || answered.order != *order_) { return false; }
    order_.reset();
    if (!answered.reply) {
        fail_with(turn, answered.reply.error().text());
        return true;
    }
    const int status = answered.reply->status;
    if (status == EnvelopeStatus::stop_file) {
        fail_with(turn, "/run/drill/stop exists there");
    } else if (status == EnvelopeStatus::denied) {
        fail_with(turn, "/etc/drill/deny forbids it there");
    } else if (status == EnvelopeStatus::other_boot) {
        fail_with(turn, "it was rebooted since it was observed");
    } else if (status != EnvelopeStatus::done) {
        const std::string said(trim(answered.reply->err));
        fail_with(turn,
                  std::string(phase_ == Phase::rehearse
                                  ? "the guard could not be armed"
                                  : "the guard did not outlive the connection that armed it") +
                      " (envelope status " + std::to_string(status) + ")" +
                      (said.empty() ? "" : ": " + escape_control(said, Lines::one)));
    } else if (phase_ == Phase::rehearse) {
        // The second half comes over a connection of its own: what ends with a login is seen.
        Envelope call{};
        call.phase = phase_ = Phase::rehearsed;
        call.lease = lease_.id;
        call.kind = lease_.kind;
        call.boot_id = lease_.boot_id;
        call.not_after = lease_.not_after;  // until then a mark keeps a doubled rehearsal out
        order_ = turn.send(connection_, std::move(call), order_timeout, Urgency::question, true);
    } else {
        proven_ = true;
        lease_.state = LeaseState::released;
        turn.keep(lease_);
    }
    return true;
}

void Rehearsal::withheld(std::uint64_t order) {
    if (order_ && *order_ == order) {
        order_.reset();
        lease_.state = LeaseState::released;
        why_ = "the ledger cannot be written";
    }
}

void Rehearsal::fail_with(TurnWriter& turn, std::string why) {
    why_ = std::move(why);
    turn.tell({.type = "rehearsal.failed",
               .host = host_,
               .lease = lease_.id,
               .message = host_ + ": " + why_});
    release_.emplace(lease_, turn.now().boot + order_timeout);
    release_->begin(turn);
    lease_ = release_->lease();
}

void Rehearsal::tick(TurnWriter& turn) {
    if (release_) {
        release_->tick(turn);
        lease_ = release_->lease();
    }
}

bool Rehearsal::settled() const {
    return !begun_ || (!order_ && (!release_ || release_->finished()));
}
bool Rehearsal::stuck() const { return begun_ && lease_.state == LeaseState::stuck; }

}  // namespace drill
