// See conductor.hpp; Rehearsal is in rehearsal.cpp.
#include "engine/conductor.hpp"

#include "base/text.hpp"
#include "engine/judge.hpp"

#include <algorithm>
#include <type_traits>

namespace drill {

namespace {
constexpr Nanos sample_flush = std::chrono::seconds{1};
constexpr Nanos look_again = std::chrono::milliseconds{100};  // while something is watched
constexpr Nanos shortest_baseline = std::chrono::milliseconds{200};

const char* state_letter(SampleState state) {
    switch (state) {
        case SampleState::ok: return "ok";
        case SampleState::degraded: return "degraded";
        case SampleState::failed: return "failed";
        case SampleState::unknown: return "unknown";
    }
    return "unknown";
}

/// Who asked, and why, are personal; by what means is not.
void tell_halting(TurnWriter& turn, const StopAsked& stop) {
    TurnWriter::Note note{.type = "run.halting",
                          .message = "halting: everything is undone now",
                          .personal = {{"reason", stop.reason}}};
    if (!stop.letter.empty()) {
        note.message = "halted from elsewhere";
        note.data = {{"letter", stop.letter}};
        note.personal = {{"by", stop.by}, {"reason", stop.text}};
    }
    turn.tell(std::move(note));
}

void tell_ending(TurnWriter& turn, bool in_force) {
    turn.tell({.type = "run.ending",
               .message = in_force ? "the run ends: everything is undone now"
                                   : "the run ends; nothing was applied"});
}
}  // namespace

// ---- conductor ---------------------------------------------------------------------------

Conductor::Conductor(ConductorInput input) : input_(std::move(input)), random_(input_.seed) {
    const Plan& plan = input_.plan;
    series_.resize(plan.probes.size());
    unflushed_.resize(plan.probes.size());
    halts_.resize(plan.halts.size());
    std::set<std::string> hosts;
    for (const PlannedStep& step : plan.steps) {
        const Kind* kind = find_kind(input_.kinds, step.kind);
        DRILL_ASSERT(kind != nullptr);  // the plan was composed with these kinds
        for (const PlannedChange& change : step.changes) {
            DRILL_ASSERT(input_.hosts.contains(change.host));
            changes_.emplace_back(step, change, plan, kind, input_.hosts.at(change.host),
                                  input_.frame);
            if (step.name == input_.hold) { changes_.back().hold_open(); }
            if (hosts.insert(change.host).second) {
                rehearsals_.emplace_back(change.host, plan.hosts.at(change.host).connection,
                                         input_.hosts.at(change.host), input_.frame);
            }
        }
    }
}

Turn Conductor::turn(const Instant& now, std::vector<News> news) {
    Turn out{};
    TurnWriter turn(now, out, next_order_, random_);
    if (!begun_) {
        begun_ = true;
        began_ = flushed_at_ = now.boot;
        out.start_probes = true;
        TurnWriter::Note started{.type = "run.started",
                                 .message = "run " + std::to_string(input_.frame.number) + " of " +
                                            input_.plan.experiment + " begins",
                                 .data = {{"boot_ns", now.boot.count()}}};
        if (input_.rehearse) {
            started.message += ", as a rehearsal";
            started.data["fidelity"] = "rehearsal";
        }
        if (!input_.hold.empty()) { started.data["hold"] = input_.hold; }
        turn.tell(std::move(started));
        for (Rehearsal& rehearsal : rehearsals_) { rehearsal.begin(turn); }
    }
    for (News& one : news) { take(turn, one); }
    for (Rehearsal& rehearsal : rehearsals_) { rehearsal.tick(turn); }
    for (ChangeRun& change : changes_) { change.tick(turn); }
    if (stage_ == Stage::preparing) { prepare(turn); }
    if (stage_ == Stage::injecting) { inject(turn); }
    if (stage_ == Stage::releasing) { watch_changes(turn); }
    if (stage_ == Stage::settling) { settle(turn); }
    flush_samples(turn, stage_ == Stage::finished);
    if (stage_ == Stage::finished) { finish(turn, out); }
    return out;
}

void Conductor::take(TurnWriter& turn, News& news) {
    if (auto* sampled = std::get_if<Sampled>(&news)) {
        const std::size_t index = sampled->sample.probe;
        if (index < series_.size()) {
            unflushed_[index].push_back(sampled->sample);
            add_sample(series_[index], std::move(sampled->sample));
        }
    } else if (const auto* answered = std::get_if<Answered>(&news)) {
        for (ChangeRun& change : changes_) {
            if (change.answer(turn, *answered)) { return; }
        }
        for (Rehearsal& rehearsal : rehearsals_) {
            if (rehearsal.answer(turn, *answered)) { return; }
        }
    } else if (const auto* stop = std::get_if<StopAsked>(&news)) {
        tell_halting(turn, *stop);
        end(turn, Cause::stopped, stop->reason);
    } else if (const auto* noted = std::get_if<Noted>(&news)) {
        turn.tell({.type = "run.noted",
                   .message = "note",
                   .data = {{"letter", noted->letter}},
                   .personal = {{"by", noted->by}, {"text", noted->text}}});
    } else if (const auto* over = std::get_if<HoldEnded>(&news)) {
        end_hold(turn, over->step);
    } else if (const auto* withheld = std::get_if<Withheld>(&news)) {
        for (const std::uint64_t order : withheld->orders) {
            for (ChangeRun& change : changes_) { change.withheld(turn, order); }
            for (Rehearsal& rehearsal : rehearsals_) { rehearsal.withheld(order); }
        }
        end(turn, Cause::ledger, "the ledger cannot be written: " + withheld->error.text());
    }
}

bool Conductor::baseline_known(TurnWriter& turn) {
    if (baseline_done_) { return true; }
    std::vector<HypothesisOutcome> outcomes;
    for (const HypothesisSpec& hypothesis : input_.plan.hypotheses) {
        const std::size_t index = probe_index(hypothesis.probe);
        const ProbeSpec& probe = input_.plan.probes[index];
        // Without a rule of its own a probe still has to answer once: the last ok before the
        // fault bounds every outage.
        Nanos span = std::max(shortest_baseline, probe.every * 3);
        if (hypothesis.before && hypothesis.before->span) { span = *hypothesis.before->span; }
        const Window window{.from = began_, .to = began_ + span};
        if (turn.now().boot < window.to ||
            !settled(series_[index], probe, window.to, turn.now().boot)) {
            turn.wake_at(std::max(window.to, turn.now().boot + look_again));
            return false;
        }
        if (!hypothesis.before) { continue; }
        const Measured measured = evaluate(*hypothesis.before, series_[index], {&window, 1});
        outcomes.push_back({.probe = hypothesis.probe,
                            .part = "before",
                            .claim = hypothesis.before->text,
                            .finding = measured.judgement == Judgement::holds ? Finding::held
                                       : measured.judgement == Judgement::broken
                                           ? Finding::broken
                                           : Finding::undecided,
                            .measured = measured.text});
    }
    baseline_ = std::move(outcomes);
    baseline_done_ = true;
    for (const HypothesisOutcome& one : baseline_) {
        turn.tell({.type = "baseline.judged",
                   .message = one.probe + " before: " + one.claim + ": " + one.measured,
                   .data = {{"held", one.finding == Finding::held}}});
    }
    return true;
}

void Conductor::prepare(TurnWriter& turn) {
    for (const Rehearsal& rehearsal : rehearsals_) {
        if (!rehearsal.why().empty()) {
            end(turn, Cause::rehearsal, rehearsal.host() + ": " + rehearsal.why());
            return;
        }
    }
    const bool known = baseline_known(turn);
    if (known) {
        for (const HypothesisOutcome& one : baseline_) {
            if (one.finding != Finding::held) {
                end(turn, Cause::baseline,
                    "the steady state does not hold before the fault: " + one.probe + ": " +
                        one.claim + ", measured " + one.measured);
                return;
            }
        }
    }
    const bool rehearsed = std::all_of(rehearsals_.begin(), rehearsals_.end(),
                                       [](const Rehearsal& r) { return r.proven(); });
    if (!known || !rehearsed) { return; }
    turn.tell({.type = "run.ready",
               .message = "guards rehearsed on " + std::to_string(rehearsals_.size()) +
                          (rehearsals_.size() == 1 ? " host" : " hosts") + ", steady state holds"});
    if (input_.rehearse) {
        end(turn, Cause::rehearsed, "a rehearsal: no fault was applied");
        return;
    }
    stage_ = Stage::injecting;
}

bool Conductor::step_over(const std::string& name, bool held_is_enough) const {
    if (!started_.contains(name)) { return false; }
    return std::all_of(changes_.begin(), changes_.end(), [&](const ChangeRun& change) {
        if (change.step() != name) { return true; }
        return change.stage() == ChangeRun::Stage::done ||
               (held_is_enough && (change.stage() == ChangeRun::Stage::held ||
                                   change.stage() == ChangeRun::Stage::releasing));
    });
}

void Conductor::start_steps(TurnWriter& turn) {
    for (const PlannedStep& step : input_.plan.steps) {
        if (started_.contains(step.name)) { continue; }
        const bool free =
            std::all_of(step.after.begin(), step.after.end(),
                        [&](const After& after) { return step_over(after.step, after.held); });
        if (!free) { continue; }
        // Judged on live state: every lease that is not proven to be over counts.
        std::set<std::string> hosts;
        for (const ChangeRun& change : changes_) {
            if (change.in_force() || change.step() == step.name ||
                change.stage() == ChangeRun::Stage::observing) {
                hosts.insert(change.host());
            }
        }
        if (static_cast<std::int64_t>(hosts.size()) > input_.plan.limit_hosts) { continue; }
        started_.insert(step.name);
        turn.tell({.type = "step.started", .step = step.name, .message = step.name + " begins"});
        for (ChangeRun& change : changes_) {
            if (change.step() == step.name) { change.begin(turn); }
        }
    }
}

void Conductor::watch_halts(TurnWriter& turn) {
    for (std::size_t i = 0; i < halts_.size(); ++i) {
        const HaltSpec& halt = input_.plan.halts[i];
        const std::size_t index = probe_index(halt.probe);
        const HaltLook seen = look(halts_[i], halt, input_.plan.probes[index], series_[index],
                                   began_, turn.now().boot);
        if (!seen.trips) { continue; }
        turn.tell({.type = "halt.tripped",
                   .message = "halt condition: " + seen.reason,
                   .data = {{"blind", seen.blind}}});
        end(turn, seen.blind ? Cause::halt_blind : Cause::halt_tripped,
            "halt condition: " + seen.reason);
        return;
    }
    if (!halts_.empty()) { turn.wake_at(turn.now().boot + look_again); }
}

bool Conductor::goes_on_without(TurnWriter& turn, const ChangeRun& failed) {
    const auto step =
        std::find_if(input_.plan.steps.begin(), input_.plan.steps.end(),
                     [&](const PlannedStep& one) { return one.name == failed.step(); });
    if (step->on_partial != OnPartial::go_on || !failed.did_not_take() || failed.stuck()) {
        return false;
    }
    std::size_t took = 0;
    std::size_t open = 0;
    std::string without;
    for (const ChangeRun& change : changes_) {
        if (change.step() != failed.step()) { continue; }
        if (change.did_not_take()) {
            without += (without.empty() ? "" : ", ") + change.host();
        } else {
            ++(change.bite_at() ? took : open);
        }
    }
    if (took + open == 0) { return false; }  // on none of them: nothing is left to go on with
    if (open == 0 && partial_.insert(failed.step()).second) {
        turn.tell({.type = "step.partial",
                   .step = failed.step(),
                   .message = failed.step() + " took effect on " + std::to_string(took) + " of " +
                              std::to_string(step->changes.size()) + " targets, not on " + without +
                              "; it goes on with the others",
                   .data = {{"took", static_cast<std::int64_t>(took)},
                            {"of", static_cast<std::int64_t>(step->changes.size())}}});
    }
    return true;
}

void Conductor::end_hold(TurnWriter& turn, const std::string& step) {
    const bool held = std::any_of(changes_.begin(), changes_.end(), [&](const ChangeRun& change) {
        return change.step() == step && change.stage() == ChangeRun::Stage::held;
    });
    turn.tell({.type = held ? "hold.ended" : "hold.waits",
               .step = step,
               .message = step + (held ? ": Enter, its hold is over"
                                       : " is not held: Enter ends it while it is")});
    if (!held) { return; }
    for (ChangeRun& change : changes_) {
        if (change.step() == step) { change.end_hold(turn); }
    }
}

bool Conductor::ended_by_a_change(TurnWriter& turn) {
    for (const ChangeRun& change : changes_) {
        const bool failed = change.failure() != ChangeRun::Failure::none;
        if (!failed && !change.stuck()) { continue; }
        if (goes_on_without(turn, change)) { continue; }
        end(turn, Cause::change,
            change.step() + " on " + change.host() + ": " + (failed ? change.why() : "stuck"));
        return true;
    }
    return false;
}

void Conductor::inject(TurnWriter& turn) {
    if (ended_by_a_change(turn)) { return; }
    watch_halts(turn);
    if (stage_ != Stage::injecting) { return; }
    start_steps(turn);
    if (ended_by_a_change(turn)) { return; }  // refused before anything was sent
    const bool all_done = std::all_of(
        changes_.begin(), changes_.end(),
        [](const ChangeRun& change) { return change.stage() == ChangeRun::Stage::done; });
    if (all_done && started_.size() == input_.plan.steps.size()) {
        cause_ = Cause::completed;
        released_at_ = turn.now().boot;
        stage_ = Stage::settling;
    } else if (all_done) {
        turn.wake_at(turn.now().boot + look_again);  // a step waits for the limit
    }
}

void Conductor::end(TurnWriter& turn, Cause cause, std::string why) {
    if (cause_ != Cause::none) {
        // It ends already. A stop while it settles makes it end at once.
        if (stage_ == Stage::settling && cause == Cause::stopped) {
            cause_ = cause;
            why_ = std::move(why);
            stage_ = Stage::finished;
        }
        return;
    }
    cause_ = cause;
    why_ = std::move(why);
    stage_ = Stage::releasing;
    const bool in_force = std::any_of(changes_.begin(), changes_.end(),
                                      [](const ChangeRun& change) { return change.has_lease(); });
    if (cause == Cause::rehearsed) {
        turn.tell({.type = "run.ending", .message = why_ + ", the run ends"});
    } else {
        tell_ending(turn, in_force);
    }
    for (ChangeRun& change : changes_) { change.end(turn); }
}

void Conductor::watch_changes(TurnWriter& turn) {
    for (const ChangeRun& change : changes_) {
        if (change.stage() != ChangeRun::Stage::done) { return; }
    }
    for (const Rehearsal& rehearsal : rehearsals_) {
        if (!rehearsal.settled()) { return; }
    }
    // A rehearsal that was under way when the run ended has a guard on its host.
    if (!released_at_) { released_at_ = turn.now().boot; }
    // Answers that are still under way belong to the time of the fault.
    Nanos drain{0};
    if (cause_ == Cause::halt_tripped) {
        for (const ProbeSpec& probe : input_.plan.probes) {
            drain = std::max(drain, probe.timeout);
        }
    }
    if (turn.now().boot < *released_at_ + drain) {
        turn.wake_at(*released_at_ + drain);
        return;
    }
    stage_ = Stage::finished;
}

std::vector<FaultSpan> Conductor::faults() const {
    std::vector<FaultSpan> found;
    for (const PlannedStep& step : input_.plan.steps) {
        FaultSpan fault{.step = step.name, .applied = Nanos::max(), .undo_sent = std::nullopt};
        for (const ChangeRun& change : changes_) {
            if (change.step() != step.name || !change.apply_sent() || !change.bite_at()) {
                continue;
            }
            fault.applied = std::min(fault.applied, *change.apply_sent());
            if (change.undo_sent()) {
                fault.undo_sent = std::max(fault.undo_sent.value_or(Nanos{0}), *change.undo_sent());
            }
        }
        if (fault.applied != Nanos::max()) { found.push_back(std::move(fault)); }
    }
    std::sort(found.begin(), found.end(),
              [](const FaultSpan& a, const FaultSpan& b) { return a.applied < b.applied; });
    return found;
}

bool Conductor::regains_known(TurnWriter& turn) {
    const Nanos now = turn.now().boot;
    const std::vector<FaultSpan> done = faults();
    for (const HypothesisSpec& hypothesis : input_.plan.hypotheses) {
        const std::size_t index = probe_index(hypothesis.probe);
        const ProbeSpec& probe = input_.plan.probes[index];
        if (!settled(series_[index], probe, *released_at_, now)) { return false; }
        if (!hypothesis.regain) { continue; }
        const Regained result = regained(hypothesis, probe, series_[index], done, now);
        if (!result.final && now <= result.needed_until) { return false; }
    }
    return true;
}

bool Conductor::integrity_known(TurnWriter& turn) {
    const Nanos now = turn.now().boot;
    if (!integrity_from_) { integrity_from_ = now; }
    for (const HypothesisSpec& hypothesis : input_.plan.hypotheses) {
        if (!hypothesis.integrity) { continue; }
        const std::size_t index = probe_index(hypothesis.probe);
        const Nanos until = *integrity_from_ + *hypothesis.integrity;
        // Until the answers that may be missing are given up, so an answer that is late counts.
        if (now < until || !settled(series_[index], input_.plan.probes[index], until, now)) {
            return false;
        }
    }
    return true;
}

void Conductor::settle(TurnWriter& turn) {
    if (!regains_known(turn) || !integrity_known(turn)) {
        turn.wake_at(turn.now().boot + look_again);
        return;
    }
    stage_ = Stage::finished;
}

void Conductor::flush_samples(TurnWriter& turn, bool all) {
    const Nanos now = turn.now().boot;
    if (!all && now - flushed_at_ < sample_flush) { return; }
    flushed_at_ = now;
    for (std::size_t i = 0; i < unflushed_.size(); ++i) {
        if (unflushed_[i].empty()) { continue; }
        // [number, intended, sent - intended, received - sent, state, detail], times in ns
        std::string block = "[";
        for (const Sample& sample : unflushed_[i]) {
            if (block.size() > 1) { block += ','; }
            std::string detail;
            for (const char c : escape_control(sample.detail, Lines::one)) {
                if (c == '"' || c == '\\') { detail += '\\'; }
                detail += c;
            }
            block += "[" + std::to_string(sample.number) + "," +
                     std::to_string(sample.intended.count()) + "," +
                     std::to_string((sample.sent - sample.intended).count()) + "," +
                     std::to_string((sample.received - sample.sent).count()) + ",\"" +
                     state_letter(sample.state) + "\",\"" + detail + "\"]";
        }
        turn.tell({.type = "probe.samples",
                   .message = "",
                   .data = {{"probe", input_.plan.probes[i].name}, {"samples", block + "]"}}});
        unflushed_[i].clear();
    }
}

void Conductor::finish(TurnWriter& turn, Turn& out) {
    RunFacts facts{.plan = input_.plan, .series = series_};
    facts.baseline = baseline_;
    facts.began = began_;
    facts.now = turn.now().boot;
    bool applied = false;
    for (const ChangeRun& change : changes_) {
        ChangeOutcome one = change.outcome();
        if (change.stage() == ChangeRun::Stage::done && !started_.contains(change.step())) {
            one.state = LeaseState::intended;  // its step never began
        }
        applied = applied || change.apply_sent().has_value();
        facts.dirty = facts.dirty || change.in_force();
        if (change.bite_at()) {
            // From the apply on: what failed before the bite was proven failed by this fault, and a
            // short outage may lie wholly in that time.
            facts.during.push_back(
                {.from = *change.apply_sent(),
                 .to = change.proven_until().value_or(change.undo_sent().value_or(facts.now))});
        }
        facts.changes.push_back(std::move(one));
    }
    for (const Rehearsal& rehearsal : rehearsals_) {
        facts.dirty = facts.dirty || rehearsal.stuck();
    }
    facts.faults = faults();
    facts.steps_done = cause_ == Cause::completed;
    // What a stop cut short was not looked at to its end.
    if (facts.steps_done) { facts.integrity_from = integrity_from_; }
    facts.rehearsal = input_.rehearse;
    facts.rehearsed = cause_ == Cause::rehearsed;
    facts.stopped = cause_ == Cause::stopped;
    facts.halt_tripped = cause_ == Cause::halt_tripped;
    facts.refused = !applied && (cause_ == Cause::baseline || cause_ == Cause::rehearsal ||
                                 cause_ == Cause::change || cause_ == Cause::ledger);
    static const std::map<Cause, std::string> by{{Cause::stopped, "halt"},
                                                 {Cause::halt_tripped, "halt condition"},
                                                 {Cause::halt_blind, "blind halt condition"},
                                                 {Cause::ledger, "ledger"},
                                                 {Cause::change, "a fault that failed"},
                                                 {Cause::baseline, "gate"},
                                                 {Cause::rehearsal, "gate"}};
    if (const auto found = by.find(cause_); found != by.end()) { facts.ended_by = found->second; }
    if (!why_.empty()) { facts.reasons.push_back(why_); }
    for (const std::string& step : partial_) {
        facts.reasons.push_back(step + " took effect on some of its targets only");
    }
    outcome_ = judge(facts);
    turn.tell({.type = "run.judged",
               .message = std::string(name_of(outcome_.verdict)) + " " + input_.plan.experiment,
               .data = {{"verdict", std::string(name_of(outcome_.verdict))},
                        {"exit", std::int64_t{exit_code_of(outcome_.verdict)}},
                        {"fidelity", outcome_.fidelity},
                        {"integrity", std::string(name_of(outcome_.integrity))}}});
    out.stop_probes = true;
    out.finished = true;
}

std::size_t Conductor::probe_index(const std::string& name) const {
    std::size_t index = 0;
    while (index < input_.plan.probes.size() && input_.plan.probes[index].name != name) { ++index; }
    DRILL_ASSERT(index < input_.plan.probes.size());  // the loader checked the names
    return index;
}

std::vector<std::string> Conductor::still_open() const {
    std::vector<std::string> open;
    for (const ChangeRun& change : changes_) {
        if (change.in_force()) {
            open.push_back(change.step() + " on " + change.host() + ": " +
                           name_of(change.outcome().state));
        }
    }
    return open;
}

}  // namespace drill
