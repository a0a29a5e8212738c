// See release.hpp.
#include "engine/release.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace drill {

namespace {
constexpr Nanos first_pause = std::chrono::milliseconds{250};
constexpr Nanos longest_pause = std::chrono::seconds{3};  // a host that comes back is seen soon
}  // namespace

Release::Release(Lease lease, Nanos give_up_at)
    : lease_(std::move(lease)),
      give_up_at_(give_up_at),
      apply_unknown_(lease_.state == LeaseState::intended ||
                     lease_.state == LeaseState::releasing || lease_.state == LeaseState::stuck) {}

void Release::begin(TurnWriter& turn) {
    lease_.state = LeaseState::releasing;
    turn.keep(lease_);
    send(turn);
}

void Release::send(TurnWriter& turn) {
    Envelope call{};
    call.lease = lease_.id;
    call.kind = lease_.kind;
    call.durable = lease_.change.ending == Ending::durable;
    call.not_after = lease_.not_after;  // until then a mark on the host keeps a late apply out
    if (part_ == Part::undo) {
        call.phase = Phase::undo;
        call.undo = lease_.change.undo;
        call.read_back = lease_.change.read_back;
        if (lease_.change.ending == Ending::instant) {
            call.undo.clear();  // nothing to undo: the call only leaves a tombstone
            call.read_back.clear();
        }
        // Sent again after a lost answer, the first one counts: the change may have ended then.
        if (!undo_sent_) {
            undo_sent_ = turn.now().boot;
            turn.tell({.type = "undo.sent",
                       .step = lease_.step,
                       .host = lease_.connection.host,
                       .lease = lease_.id,
                       .message = lease_.step + " on " + lease_.connection.host + ": undo sent"});
        }
    } else {
        call.phase = Phase::disarm;
        call.commands = lease_.change.disarm;
    }
    order_ = turn.send(lease_.connection, std::move(call), order_timeout, Urgency::undo);
    retry_at_.reset();
}

bool Release::answer(TurnWriter& turn, const Answered& answered) {
    if (!order_ || answered.order != *order_) { return false; }
    order_.reset();
    if (!answered.reply) {
        retry(turn, answered.reply.error().text());
        return true;
    }
    const Reply& reply = *answered.reply;
    if (!reply.boot_id.empty() && !lease_.boot_id.empty() && reply.boot_id != lease_.boot_id) {
        rebooted_ = true;
    }
    if (part_ == Part::undo) {
        judge_undo(turn, reply, answered.received);
    } else {
        judge_disarm(turn, reply);
    }
    return true;
}

void Release::judge_undo(TurnWriter& turn, const Reply& reply, Nanos received) {
    const bool instant = lease_.change.ending == Ending::instant;
    const bool ran =
        reply.status == EnvelopeStatus::done || reply.status == EnvelopeStatus::undo_failed;
    found_ = instant && ran ? Presence::absent : presence_of(reply.parts, reply.read_back_from);
    if (!ran) {
        retry(turn, "the undo was not carried out (envelope status " +
                        std::to_string(reply.status) + ")");
        return;
    }
    const bool commands_worked = std::all_of(
        reply.parts.begin(),
        reply.parts.begin() +
            static_cast<std::ptrdiff_t>(std::min(reply.read_back_from, reply.parts.size())),
        [](const CommandReply& part) { return part.status == 0; });
    if (apply_unknown_ && reply.status == EnvelopeStatus::undo_failed && commands_worked &&
        received < *undo_sent_ + apply_window + first_pause) {
        // The apply may still be on its way, and the host had no room for the mark that keeps it
        // out. Once the window of the apply is over, it is refused without a mark.
        retry(turn, "the host has no room for the tombstone");
        return;
    }
    // altered: nothing of ours is left, though the state is not what it was before; that is a
    // finding about the run, not a change of ours that a person has to clear.
    if (found_ == Presence::absent || found_ == Presence::altered) {
        undone_at_ = received;
        std::string message = lease_.step + " on " + lease_.connection.host + ": undone, read back";
        if (found_ == Presence::altered) {
            message = lease_.step + " on " + lease_.connection.host +
                      ": nothing of ours is left, but somebody else changed it";
        }
        if (found_ == Presence::absent && lease_.change.lasting == Lasting::stays) {
            said_ = reply.parts.empty() ? "" : escape_control(trim(reply.parts.back().out));
            message = lease_.step + " on " + lease_.connection.host + ": nothing is undone" +
                      (said_.empty() ? "" : ": " + said_);
        }
        if (rebooted_) { message += " (the host was rebooted meanwhile)"; }
        turn.tell(
            {.type = "undo.proven",
             .step = lease_.step,
             .host = lease_.connection.host,
             .lease = lease_.id,
             .message = instant ? lease_.step + " on " + lease_.connection.host +
                                      ": instant, nothing to undo"
                                : message,
             .data = {{"found", std::string(name_of(found_))}, {"received_ns", received.count()}}});
        part_ = Part::disarm;
        pause_ = Nanos{0};
        send(turn);
        return;
    }
    const std::string said = reply.parts.empty() ? "" : reply.parts.back().out;
    retry(turn, std::string("read-back says ") + name_of(found_) +
                    (said.empty() ? "" : ": " + escape_control(trim(said), Lines::one)));
}

void Release::judge_disarm(TurnWriter& turn, const Reply& reply) {
    if (reply.status != EnvelopeStatus::done) {
        retry(turn, "the lease directory or its guard could not be removed (envelope status " +
                        std::to_string(reply.status) + ")");
        return;
    }
    lease_.state = LeaseState::released;
    lease_.note.clear();
    turn.keep(lease_);
    turn.tell({.type = "lease.released",
               .step = lease_.step,
               .host = lease_.connection.host,
               .lease = lease_.id,
               .message = lease_.step + " on " + lease_.connection.host + ": lease released"});
}

void Release::retry(TurnWriter& turn, std::string why) {
    why_ = std::move(why);
    pause_ = pause_ == Nanos{0} ? first_pause : std::min(pause_ * 2, longest_pause);
    const Nanos next = turn.now().boot + pause_;
    if (next >= give_up_at_) {
        gave_up_ = true;
        lease_.state = LeaseState::stuck;
        lease_.note =
            (part_ == Part::undo ? "undo is not proven: " : "undone, but not tidied: ") + why_;
        turn.keep(lease_);
        turn.tell({.type = "lease.stuck",
                   .step = lease_.step,
                   .host = lease_.connection.host,
                   .lease = lease_.id,
                   .message = lease_.step + " on " + lease_.connection.host + ": " + lease_.note});
        return;
    }
    turn.tell(
        {.type = "undo.retry",
         .step = lease_.step,
         .host = lease_.connection.host,
         .lease = lease_.id,
         .message = lease_.step + " on " + lease_.connection.host + ": not undone yet: " + why_});
    retry_at_ = next;
    turn.wake_at(next);
}

void Release::tick(TurnWriter& turn) {
    if (finished() || order_) { return; }
    if (retry_at_ && turn.now().boot >= *retry_at_) {
        send(turn);
    } else if (retry_at_) {
        turn.wake_at(*retry_at_);
    }
}

}  // namespace drill
