// See change_run.hpp.
#include "engine/change_run.hpp"

#include "base/text.hpp"
#include "plan/planner.hpp"

#include <algorithm>

namespace drill {

namespace {
constexpr Nanos bite_within = std::chrono::seconds{6};  // counted anew once our own packets are out
constexpr Nanos seek_pause = std::chrono::milliseconds{200};
constexpr Nanos seek_pause_stimulated = std::chrono::seconds{1};
constexpr Nanos check_pause = std::chrono::milliseconds{200};
constexpr Nanos presence_age = std::chrono::seconds{2};  // of the last read-back before an undo
constexpr Nanos whole_second = std::chrono::seconds{1};
// After its lease a change is over without us; what is left then is the proof. A host that
// stays silent for this long after it is a person's business.
constexpr Nanos proof_budget = std::chrono::seconds{30};
// The answer to an apply that cuts its own way is not waited for.
constexpr Nanos cut_answer = std::chrono::seconds{8};

Nanos whole_seconds(Nanos span) { return span / whole_second * whole_second; }
}  // namespace

std::string ObservedHost::boot_id() const {
    const auto found = facts.find("boot_id");
    return found == facts.end() ? "" : found->second;
}

ChangeRun::ChangeRun(const PlannedStep& step, const PlannedChange& planned, const Plan& plan,
                     const Kind* kind, const ObservedHost& host, const RunFrame& frame)
    : step_(step),
      planned_(planned),
      plan_(plan),
      kind_(kind),
      known_(host),
      frame_(frame),
      ttl_(ttl_of(step, plan.lease_ttl)) {}

Envelope ChangeRun::call(Phase phase) const {
    Envelope call{};
    call.phase = phase;
    call.lease = lease_id_;
    call.kind = step_.kind;
    call.boot_id = known_.boot_id();
    call.ttl = ttl_;
    if (lease_) {
        call.not_after = lease_->not_after;
        call.durable = lease_->change.ending == Ending::durable;
    }
    return call;
}

ChangeRequest ChangeRun::request(Nanos ttl) const {
    return ChangeRequest{.binding = Binding::run,
                         .host = planned_.host,
                         .lease = lease_id_,
                         .directory = frame_.lease_base + "/" + lease_id_,
                         .ttl = ttl,
                         .longest = plan_.longest,
                         .params = step_.params,
                         .peers = planned_.peers,
                         .facts = known_.facts,
                         .observed = observed_};
}

void ChangeRun::begin(TurnWriter& turn) {
    lease_id_ = turn.lease_id();
    std::vector<Exec> questions =
        kind_->observe == nullptr ? std::vector<Exec>{} : kind_->observe(request(ttl_));
    if (questions.empty()) {
        compose(turn);
        return;
    }
    stage_ = Stage::observing;
    Envelope ask = call(Phase::ask);
    ask.lease.clear();
    ask.commands = std::move(questions);
    order_phase_ = Phase::ask;
    order_ = turn.send(plan_.hosts.at(planned_.host).connection, std::move(ask), order_timeout,
                       Urgency::question);
}

void ChangeRun::compose(TurnWriter& turn) {
    Result<Change> change = kind_->compose(request(ttl_));
    if (!change) {
        fail_with(turn, Failure::refused, change.error().text());
        return;
    }
    apply(turn, *std::move(change));
}

void ChangeRun::apply(TurnWriter& turn, Change change) {
    const Instant now = turn.now();
    const Nanos ttl = std::min(ttl_, whole_seconds(plan_.longest));
    Lease lease{};
    lease.id = lease_id_;
    lease.run = frame_.run;
    lease.step = step_.name;
    lease.kind = step_.kind;
    lease.connection = plan_.hosts.at(planned_.host).connection;
    lease.change = std::move(change);
    lease.boot_id = known_.boot_id();
    lease.not_after = known_.uptime_at_least(now.boot) + apply_window;
    lease.ttl = ttl;
    lease.until = now.boot + apply_window + ttl + whole_second;
    lease.until_wall =
        now.wall + std::chrono::duration_cast<std::chrono::milliseconds>(lease.until - now.boot);
    lease.controller_boot = frame_.controller_boot;
    lease_ = std::move(lease);

    Envelope order = call(Phase::apply);
    order.ttl = ttl;
    order.arm = lease_->change.arm;
    order.commands = lease_->change.apply;
    order.undo = lease_->change.undo;
    order.label = "run " + std::to_string(frame_.number) + " " + plan_.experiment + " step " +
                  step_.name + " by " + frame_.by + " until " + rfc3339(lease_->until_wall) +
                  (frame_.contact.empty() ? "" : " contact " + frame_.contact);
    turn.keep(*lease_);
    turn.tell({.type = "lease.intended",
               .step = step_.name,
               .host = planned_.host,
               .lease = lease_id_,
               .message = place() + ": " + planned_.says});
    Nanos timeout = order_timeout;
    if (cuts_its_way()) {
        timeout = cut_answer;
        for (const Exec& look : lease_->change.read_back) {
            order.commands.push_back(witness_of(look));
        }
    }
    stage_ = Stage::applying;
    order_phase_ = Phase::apply;
    order_ = turn.send(lease_->connection, std::move(order), timeout, Urgency::change);
}

bool ChangeRun::answer(TurnWriter& turn, const Answered& answered) {
    if (release_ && release_->answer(turn, answered)) {
        lease_ = release_->lease();
        if (release_->finished()) { stage_ = Stage::done; }
        return true;
    }
    if (check_order_ && answered.order == *check_order_) {
        check_order_.reset();
        checked(turn, answered);
        return true;
    }
    if (const auto stimulus =
            std::find(stimulus_orders_.begin(), stimulus_orders_.end(), answered.order);
        stimulus != stimulus_orders_.end()) {
        stimulus_orders_.erase(stimulus);  // only a packet was wanted, its fate says nothing
        if (stimulus_orders_.empty() && stage_ == Stage::seeking) {
            bite_by_ = turn.now().boot + bite_within;
            if (!order_) { ask_presence(turn); }
        }
        return true;
    }
    if (!order_ || answered.order != *order_) { return false; }
    order_.reset();
    if (stage_ == Stage::observing) {
        if (!answered.reply) {
            fail_with(turn, Failure::refused, answered.reply.error().text());
        } else if (ending_) {
            stage_ = Stage::done;
        } else {
            observed_ = answered.reply->parts;
            compose(turn);
        }
    } else if (order_phase_ == Phase::apply) {
        applied(turn, answered);
    } else if (stage_ != Stage::releasing && stage_ != Stage::done) {
        order_phase_ == Phase::renew ? renewed(turn, answered) : presence(turn, answered);
    }
    return true;
}

void ChangeRun::withheld(TurnWriter& turn, std::uint64_t order) {
    if (!order_ || order != *order_) { return; }
    order_.reset();
    if (order_phase_ == Phase::apply) {
        // Neither the intent nor the apply left this machine.
        never_sent_ = true;
        lease_.reset();
        fail_with(turn, Failure::refused, "the ledger cannot be written");
    } else {
        ask_at_ = turn.now().boot + ttl_ / 3;
        turn.wake_at(*ask_at_);
    }
}

void ChangeRun::applied(TurnWriter& turn, const Answered& answered) {
    apply_sent_ = answered.sent;
    apply_answered_ = answered.received;
    renewed_at_ = answered.sent;
    period_ = lease_->ttl;
    if (!answered.reply) {
        const Error& error = answered.reply.error();
        if (error.effect == Effect::none) {
            apply_sent_.reset();
            never_sent_ = true;
            lease_->state = LeaseState::released;
            lease_->note = "never sent";
            turn.keep(*lease_);
        } else if (cuts_its_way() && !ending_) {
            await_return(turn);  // the silence that was announced
            return;
        }
        fail_with(turn, Failure::lost, error.text());
        return;
    }
    const Reply& reply = *answered.reply;
    if (!reply.host_key.empty()) { lease_->connection.host_key = reply.host_key; }
    if (reply.status != EnvelopeStatus::done) {
        static const std::map<int, std::string> reasons{
            {EnvelopeStatus::other_boot, "the host was rebooted since it was observed"},
            {EnvelopeStatus::too_late, "the apply reached the host too late and was refused there"},
            {EnvelopeStatus::undone_before, "its undo came first"},
            {EnvelopeStatus::stop_file, "/run/drill/stop exists on the host"},
            {EnvelopeStatus::denied, "/etc/drill/deny on the host forbids " + step_.kind},
            {EnvelopeStatus::no_guard,
             "the guard could not be armed on the host; nothing was applied"},
            {EnvelopeStatus::no_directory,
             "the lease directory could not be written on the host; nothing was applied"},
            {EnvelopeStatus::apply_failed, "an apply command failed"},
        };
        const auto reason = reasons.find(reply.status);
        std::string why = reason == reasons.end()
                              ? "envelope status " + std::to_string(reply.status)
                              : reason->second;
        if (!trim(reply.err).empty()) { why += ": " + escape_control(trim(reply.err), Lines::one); }
        fail_with(
            turn,
            reply.status == EnvelopeStatus::apply_failed ? Failure::apply_failed : Failure::refused,
            why);
        return;
    }
    lease_->state = LeaseState::armed;
    lease_->until = answered.received + lease_->ttl + whole_second;
    turn.keep(*lease_);
    turn.tell(
        {.type = "fault.applied",
         .step = step_.name,
         .host = planned_.host,
         .lease = lease_id_,
         .message = place() + ": applied",
         .data = {{"sent_ns", answered.sent.count()}, {"received_ns", answered.received.count()}}});
    stage_ = Stage::seeking;
    bite_by_ = answered.received + bite_within;
    if (ending_) {
        release(turn);
    } else if (cuts_its_way()) {
        await_return(turn);
    } else {
        ask_presence(turn);
    }
}

void ChangeRun::ask_presence(TurnWriter& turn) {
    unsure_ = false;
    Envelope ask = call(Phase::read_back);
    ask.commands = lease_->change.read_back;
    order_phase_ = Phase::read_back;
    order_ = turn.send(lease_->connection, std::move(ask), order_timeout, Urgency::question);
    ask_at_.reset();
}

void ChangeRun::presence(TurnWriter& turn, const Answered& answered) {
    if (away_) {
        returned(turn, answered);
        return;
    }
    if (answered.reply && !lease_->boot_id.empty() && !answered.reply->boot_id.empty() &&
        answered.reply->boot_id != lease_->boot_id) {
        fail_with(turn, Failure::altered, "the host was rebooted while the fault was on");
        return;
    }
    Presence found = Presence::unclear;
    std::string said;
    if (answered.reply) {
        found = presence_of(answered.reply->parts, 0);
        if (!answered.reply->parts.empty()) { said = answered.reply->parts.back().out; }
        said = escape_control(trim(said), Lines::one);
    } else {
        said = answered.reply.error().text();
    }
    if (stage_ == Stage::seeking) {
        seek(turn, found, answered.received, said);
        return;
    }
    // held: presence is checked before each renewal
    if (found == Presence::altered || found == Presence::absent) {
        if (lease_->change.ending == Ending::instant) { return; }
        fail_with(
            turn, Failure::altered,
            "ended by others at " + clock_time(turn.now().wall) +
                (!said.empty()               ? ": " + said
                 : found == Presence::absent ? ": by its guard, the stop file or a person there"
                                             : ""));
    } else if (found == Presence::unclear) {
        unsure_ = true;
        ask_at_ = turn.now().boot + std::min(ttl_ / 6, Nanos{std::chrono::seconds{2}});
        turn.wake_at(*ask_at_);
    } else if (hold_over(answered.sent) && answered.received - answered.sent > presence_age) {
        ask_presence(turn);  // too old a proof for the moment of the undo
    } else if (hold_over(answered.sent)) {
        proven_until_ = answered.sent;  // it was there when its hold was over
        turn.tell({.type = "hold.over",
                   .step = step_.name,
                   .host = planned_.host,
                   .lease = lease_id_,
                   .data = {{"proven_ns", answered.sent.count()}}});
        release(turn);
    } else {
        renew(turn);
    }
}

bool ChangeRun::hold_over(Nanos when) const {
    return hold_ends_ && when >= *hold_ends_ && !check_order_ && !check_at_;
}

void ChangeRun::seek(TurnWriter& turn, Presence found, Nanos received, const std::string& said) {
    if (found == Presence::bites) {
        bite_at_ = received;
        hold_ends_ = received + step_.hold;
        if (open_) { hold_ends_ = hold_told_ ? received : longest_hold(received); }
        stage_ = Stage::held;
        lease_->state = LeaseState::held;
        turn.keep(*lease_);
        turn.tell({.type = "fault.bit",
                   .step = step_.name,
                   .host = planned_.host,
                   .lease = lease_id_,
                   .message = place() + ": bites" +
                              (open_ && !hold_told_ ? ", held until Enter, at most " +
                                                          show_duration(*hold_ends_ - received)
                                                    : ""),
                   .data = {{"bite_ns", received.count()}}});
        turn.wake_at(*hold_ends_);
        if (lease_->change.ending != Ending::instant && !step_.cuts_control) {
            ask_at_ = apply_answered_.value_or(received) + ttl_ / 3;
            turn.wake_at(*ask_at_);
        }
        if (!lease_->change.check.empty()) {
            check_by_ = apply_sent_.value_or(received) + lease_->change.check_within;
            check_finding_ = Finding::undecided;
            ask_check(turn);
        }
        return;
    }
    if (found == Presence::altered) {
        fail_with(turn, Failure::altered,
                  "gone before it could bite" + (said.empty() ? "" : ": " + said));
        return;
    }
    // A peer of many targets sends its packets one after the other: they are awaited, each for the
    // time of its order, and asked for less often meanwhile.
    const bool stimulated = !stimulus_orders_.empty();
    if (turn.now().boot >= *bite_by_ && !stimulated) {
        fail_with(turn, Failure::no_bite,
                  "no bite: read-back says " + std::string(name_of(found)) +
                      (said.empty() ? "" : " (" + said + ")"));
        return;
    }
    if (found == Presence::idle && !stimulated_ && !lease_->change.stimulate.empty()) {
        stimulate(turn);
    }
    ask_at_ = turn.now().boot + (stimulated ? seek_pause_stimulated : seek_pause);
    turn.wake_at(*ask_at_);
}

void ChangeRun::stimulate(TurnWriter& turn) {
    stimulated_ = true;
    for (const Stimulus& stimulus : lease_->change.stimulate) {
        const auto host = plan_.hosts.find(stimulus.host);
        if (host == plan_.hosts.end()) { continue; }
        Envelope ask{};
        ask.phase = Phase::ask;
        ask.commands = {stimulus.exec};
        stimulus_orders_.push_back(
            turn.send(host->second.connection, std::move(ask), order_timeout, Urgency::question));
    }
}

Nanos ChangeRun::last_end() const { return *apply_answered_ + plan_.longest; }

void ChangeRun::renew(TurnWriter& turn) {
    // Never past the limit: the last period is shorter, and none begins below two seconds.
    const Nanos now = turn.now().boot;
    const Nanos ttl = std::min(ttl_, whole_seconds(last_end() - now));
    ask_at_ = now + ttl_ / 3;
    turn.wake_at(*ask_at_);
    if (ttl < 2 * whole_second || now + ttl < renewed_at_ + period_ + whole_second) { return; }
    Result<Change> change = kind_->compose(request(ttl));
    Envelope order = call(Phase::renew);
    order.ttl = ttl;
    order.commands = change ? change->renew : lease_->change.renew;
    order.undo = lease_->change.undo;
    ask_at_.reset();
    order_phase_ = Phase::renew;
    const Nanos timeout = std::min(order_timeout, std::max(whole_second, lease_->until - now));
    order_ = turn.send(lease_->connection, std::move(order), timeout, Urgency::change);
    // Until the answer is here either deadline may hold; the later one is what can be promised.
    asked_period_ = ttl;
    lease_->until = now + timeout + ttl + whole_second;
    turn.keep(*lease_);
}

void ChangeRun::renewed(TurnWriter& turn, const Answered& answered) {
    ask_at_ = turn.now().boot + ttl_ / 3;
    if (!answered.reply) {
        // Perhaps renewed, perhaps not: asked again soon, and counted as lost in tick().
        ask_at_ = turn.now().boot + std::min(ttl_ / 6, Nanos{std::chrono::seconds{2}});
        turn.wake_at(*ask_at_);
        return;
    }
    if (answered.reply->status != EnvelopeStatus::done) {
        fail_with(turn, Failure::late,
                  "the lease had ended when it was renewed (envelope status " +
                      std::to_string(answered.reply->status) + ")");
        return;
    }
    renewed_at_ = answered.sent;
    period_ = asked_period_;
    lease_->until = answered.received + period_ + whole_second;
    turn.keep(*lease_);
    turn.wake_at(*ask_at_);
}

void ChangeRun::ask_check(TurnWriter& turn) {
    Envelope ask{};
    ask.phase = Phase::ask;
    ask.commands = lease_->change.check;
    check_order_ = turn.send(lease_->connection, std::move(ask), order_timeout, Urgency::question);
    check_at_.reset();
}

void ChangeRun::checked(TurnWriter& turn, const Answered& answered) {
    if (check_finding_ != Finding::undecided) { return; }
    const bool asked = static_cast<bool>(answered.reply) &&
                       answered.reply->status == EnvelopeStatus::done &&
                       !answered.reply->parts.empty();
    const bool met =
        asked && std::all_of(answered.reply->parts.begin(), answered.reply->parts.end(),
                             [](const CommandReply& part) { return part.status == 0; });
    const std::string& claim = lease_->change.check_claim;
    if (met && answered.received <= *check_by_) {
        check_finding_ = Finding::held;
        check_text_ = claim + ": after " + show_duration(answered.received - *apply_sent_);
        turn.tell({.type = "check.met",
                   .step = step_.name,
                   .host = planned_.host,
                   .lease = lease_id_,
                   .message = place() + ": " + check_text_,
                   .data = {{"after_ns", (answered.received - *apply_sent_).count()}}});
    } else if (asked && answered.sent >= *check_by_) {
        // Asked after the time was up and still not so (or only then): conclusive.
        check_finding_ = Finding::broken;
        check_text_ = claim + ": not so";
        turn.tell({.type = "check.missed",
                   .step = step_.name,
                   .host = planned_.host,
                   .lease = lease_id_,
                   .message = place() + ": " + check_text_});
    } else if (turn.now().boot < *check_by_ + order_timeout && !ending_) {
        check_at_ = turn.now().boot + check_pause;
        turn.wake_at(*check_at_);
    } else {
        check_text_ = claim + ": could not be asked";
    }
}

void ChangeRun::tick(TurnWriter& turn) {
    const Nanos now = turn.now().boot;
    if (release_) {
        release_->tick(turn);
        if (release_->finished() && stage_ != Stage::done) {
            lease_ = release_->lease();
            stage_ = Stage::done;
        }
        return;
    }
    if (stage_ != Stage::seeking && stage_ != Stage::held) { return; }
    if (away_) {
        if (now > lease_->until + proof_budget) {
            away_ = false;
            fail_with(turn, Failure::lost, "the host did not come back after its lease time");
        } else if (ask_at_ && now >= *ask_at_ && !order_) {
            ask_testimony(turn);
        } else if (ask_at_) {
            turn.wake_at(*ask_at_);
        }
        return;
    }
    const bool renewing = lease_->change.ending != Ending::instant && !step_.cuts_control;
    if (renewing && now >= renewed_at_ + period_ && stage_ == Stage::held) {
        const bool at_limit = last_end() - now < 2 * whole_second;  // renew() asked for no more
        fail_with(turn, Failure::lost,
                  at_limit ? "limit.longest was over before the hold of " +
                                 show_duration(step_.hold) + ": it needs some seconds more"
                           : "no renewal was answered for " + show_duration(now - renewed_at_) +
                                 "; the lease ends by itself");
        return;
    }
    if (check_at_ && now >= *check_at_ && !check_order_) { ask_check(turn); }
    if (stage_ == Stage::held && hold_over(now)) {
        if (!renewing) {
            release(turn);
            return;
        }
        // A fault that somebody ended shortly before the undo must not pass for one that held.
        if (!order_ && (!ask_at_ || !unsure_)) { ask_presence(turn); }
    }
    if (ask_at_ && now >= *ask_at_ && !order_) { ask_presence(turn); }
    for (const std::optional<Nanos>& when : {ask_at_, check_at_}) {
        if (when) { turn.wake_at(*when); }
    }
    if (stage_ == Stage::held && now < *hold_ends_) { turn.wake_at(*hold_ends_); }
    if (renewing && stage_ == Stage::held) { turn.wake_at(renewed_at_ + period_); }
}

void ChangeRun::end(TurnWriter& turn) {
    ending_ = true;
    check_at_.reset();
    switch (stage_) {
        case Stage::waiting: stage_ = Stage::done; break;
        case Stage::observing:
        case Stage::applying: break;  // its answer decides; an apply under way is then released
        case Stage::seeking:
        case Stage::held: release(turn); break;
        case Stage::releasing:
        case Stage::done: break;
    }
}

void ChangeRun::release(TurnWriter& turn) {
    away_ = false;
    order_.reset();  // a question under way is answered into the void; undo goes before it
    ask_at_.reset();
    stage_ = Stage::releasing;
    release_.emplace(*lease_, std::max(lease_->until, turn.now().boot) + proof_budget);
    release_->begin(turn);
    lease_ = release_->lease();
}

void ChangeRun::fail_with(TurnWriter& turn, Failure failure, std::string why) {
    failure_ = failure;
    why_ = std::move(why);
    turn.tell({.type = "fault.failed",
               .step = step_.name,
               .host = planned_.host,
               .lease = lease_ ? lease_id_ : "",
               .message = place() + ": " + why_});
    if (lease_ && is_open(lease_->state)) {
        release(turn);
    } else {
        stage_ = Stage::done;
    }
}

bool ChangeRun::in_force() const { return lease_ && is_open(lease_->state); }
bool ChangeRun::stuck() const { return lease_ && lease_->state == LeaseState::stuck; }

std::optional<Nanos> ChangeRun::undo_sent() const {
    if (ended_at_) { return ended_at_; }
    return release_ ? release_->undo_sent() : std::nullopt;
}

ChangeOutcome ChangeRun::outcome() const {
    ChangeOutcome out{};
    out.step = step_.name;
    out.host = planned_.host;
    out.kind = step_.kind;
    out.lease = lease_ ? lease_id_ : "";
    out.applied = apply_sent_.has_value();
    out.bit = bite_at_.has_value();
    out.state = lease_ ? lease_->state : LeaseState::intended;
    out.bite_at = bite_at_;
    out.undo_sent = undo_sent();
    out.undone_at = release_ ? release_->undone_at() : std::nullopt;
    out.check = check_text_;
    out.check_finding = check_finding_;
    out.took = took();
    out.note = stuck() ? lease_->note : why_;
    out.remark = remark_.empty() && release_ ? release_->said() : remark_;
    if (out.note.empty() && release_) {
        // Between the last proof of presence and the undo: it did not hold to its end.
        if (release_->rebooted()) {
            out.note = "the host was rebooted before the undo";
        } else if (release_->found() == Presence::altered) {
            out.note = "changed by somebody else before the undo";
        }
    }
    return out;
}

}  // namespace drill
