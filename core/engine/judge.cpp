// See judge.hpp.
#include "engine/judge.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace drill {

namespace {

constexpr Nanos default_hold = std::chrono::seconds{1};  // of an outage's end without a regain rule

Finding finding_of(Judgement judgement) {
    switch (judgement) {
        case Judgement::holds: return Finding::held;
        case Judgement::broken: return Finding::broken;
        case Judgement::blind:
        case Judgement::too_few: return Finding::undecided;
    }
    return Finding::undecided;
}

std::string regain_claim(const Regain& regain) {
    return "regained within " + show_duration(regain.within) + " of the " +
           (regain.from == Regain::From::undo ? "undo" : "fault") + ", held " +
           show_duration(regain.hold);
}

const ProbeSpec* find_probe(const Plan& plan, const std::string& name, std::size_t& index) {
    for (index = 0; index < plan.probes.size(); ++index) {
        if (plan.probes[index].name == name) { return &plan.probes[index]; }
    }
    return nullptr;
}

void judge_hypotheses(const RunFacts& facts, Outcome& out) {
    out.hypotheses = facts.baseline;
    for (const HypothesisSpec& hypothesis : facts.plan.hypotheses) {
        std::size_t index = 0;
        const ProbeSpec* probe = find_probe(facts.plan, hypothesis.probe, index);
        if (probe == nullptr) { continue; }
        if (hypothesis.during) {
            HypothesisOutcome during{
                .probe = hypothesis.probe, .part = "during", .claim = hypothesis.during->text};
            if (facts.during.empty()) {
                during.measured = "no fault took effect";
            } else {
                const Measured measured =
                    evaluate(*hypothesis.during, facts.series[index], facts.during);
                during.finding = finding_of(measured.judgement);
                during.measured = measured.text;
            }
            out.hypotheses.push_back(during);
        }
        if (hypothesis.regain) {
            Regained result =
                regained(hypothesis, *probe, facts.series[index], facts.faults, facts.now);
            if (facts.faults.empty()) {
                result.outcomes.push_back({.probe = hypothesis.probe,
                                           .part = "regain",
                                           .claim = regain_claim(*hypothesis.regain),
                                           .finding = Finding::undecided,
                                           .measured = "no fault took effect"});
            }
            for (HypothesisOutcome& one : result.outcomes) {
                out.hypotheses.push_back(std::move(one));
            }
        }
        if (hypothesis.integrity) {
            out.hypotheses.push_back(
                judge_integrity(hypothesis, facts.series[index], facts.integrity_from));
        }
    }
}

/// What the verdict line says of data: the worst that any hypothesis found.
Integrity integrity_of(const RunFacts& facts, const Outcome& out) {
    bool asked = false;
    bool unknown = false;
    for (const HypothesisOutcome& one : out.hypotheses) {
        if (one.part != "integrity") { continue; }
        asked = true;
        if (one.finding == Finding::broken) { return Integrity::broken; }
        unknown = unknown || one.finding == Finding::undecided;
    }
    if (asked) { return unknown ? Integrity::not_checked : Integrity::checked; }
    return data_at_risk(facts.plan, facts.changes) ? Integrity::not_checked
                                                   : Integrity::not_applicable;
}

void judge_objectives(const RunFacts& facts, Outcome& out) {
    const Window window{.from = facts.faults.empty() ? facts.began : facts.faults.front().applied,
                        .to = facts.now};
    std::optional<ObjectiveOutcome> rto;
    for (const HypothesisSpec& hypothesis : facts.plan.hypotheses) {
        std::size_t index = 0;
        const ProbeSpec* probe = find_probe(facts.plan, hypothesis.probe, index);
        if (probe == nullptr) { continue; }
        const Nanos hold = hypothesis.regain ? hypothesis.regain->hold : default_hold;
        std::vector<Outage> found = outages(facts.series[index], *probe, hold, window);
        for (Outage& outage : found) {
            for (const FaultSpan& fault : facts.faults) {
                if (fault.applied <= outage.first_bad + probe->timeout) {
                    outage.step = fault.step;
                }
            }
        }
        if (facts.plan.rto && !facts.faults.empty()) {
            ObjectiveOutcome one =
                judge_rto(*facts.plan.rto, found, facts.series[index], *probe, window);
            one.name = "rto";
            const auto worse = [](Finding f) {
                return f == Finding::broken ? 2 : f == Finding::undecided ? 1 : 0;
            };
            if (!rto || worse(one.finding) > worse(rto->finding)) { rto = std::move(one); }
        }
        out.outages.insert(out.outages.end(), found.begin(), found.end());
    }
    if (facts.plan.rto) {
        out.objectives.push_back(
            rto.value_or(ObjectiveOutcome{.name = "rto",
                                          .objective = *facts.plan.rto,
                                          .finding = Finding::undecided,
                                          .measured = "no fault took effect"}));
    }
    if (facts.plan.rpo) {
        out.objectives.push_back({.name = "rpo",
                                  .objective = *facts.plan.rpo,
                                  .finding = Finding::undecided,
                                  .measured = "not measured"});
    }
}

struct Weights {
    bool broken{false};
    bool undecided{false};
};

/// Every sentence that keeps the run from PASSED, worst first.
Weights collect_reasons(const RunFacts& facts, Outcome& out) {
    Weights weights{};
    std::vector<std::string> broken;
    std::vector<std::string> undecided;
    for (const HypothesisOutcome& one : out.hypotheses) {
        const std::string text = one.probe + " " + one.part + ": " + one.claim +
                                 (one.measured.empty() ? "" : ", measured " + one.measured);
        if (one.finding == Finding::broken) { broken.push_back(text); }
        if (one.finding == Finding::undecided) { undecided.push_back(text + " (not decided)"); }
    }
    for (const ObjectiveOutcome& one : out.objectives) {
        if (one.measured == "not measured") { continue; }  // shown, and no claim of the file
        const std::string text =
            one.name + " " + show_duration(one.objective) + ": " + one.measured;
        if (one.finding == Finding::broken) { broken.push_back("objective missed: " + text); }
        if (one.finding == Finding::undecided) { undecided.push_back(text + " (not decided)"); }
    }
    for (const ChangeOutcome& one : facts.changes) {
        if (one.check_finding == Finding::broken) {
            broken.push_back(one.step + " on " + one.host + ": " + one.check);
        } else if (one.check_finding == Finding::undecided) {
            undecided.push_back(one.step + " on " + one.host + ": " + one.check + " (not decided)");
        }
        if (one.applied && !one.bit) {
            undecided.push_back(one.step + " on " + one.host + ": " +
                                (one.note.empty() ? "its bite was not seen" : one.note));
        } else if (!one.note.empty() && one.state != LeaseState::stuck) {
            undecided.push_back(one.step + " on " + one.host + ": " + one.note);
        }
    }
    weights.broken = !broken.empty();
    weights.undecided = !undecided.empty();
    out.reasons = facts.reasons;
    const auto add = [&](const std::vector<std::string>& texts) {
        for (const std::string& text : texts) {
            if (std::find(out.reasons.begin(), out.reasons.end(), text) == out.reasons.end()) {
                out.reasons.push_back(text);
            }
        }
    };
    add(broken);
    // What a person's halt left unjudged is no finding of its own.
    if (!facts.stopped) { add(undecided); }
    return weights;
}

}  // namespace

Regained regained(const HypothesisSpec& hypothesis, const ProbeSpec& probe,
                  std::span<const Sample> series, std::span<const FaultSpan> faults, Nanos now) {
    Regained out{};
    const Regain& rule = *hypothesis.regain;
    const auto counted_from = [&](const FaultSpan& fault) -> std::optional<Nanos> {
        return rule.from == Regain::From::undo ? fault.undo_sent : fault.applied;
    };
    for (std::size_t i = 0; i < faults.size(); ++i) {
        const std::optional<Nanos> from = counted_from(faults[i]);
        std::string claim = regain_claim(rule);
        if (faults.size() > 1) { claim.insert(0, faults[i].step + ": "); }
        if (!from) {
            out.final = false;
            out.outcomes.push_back({.probe = hypothesis.probe,
                                    .part = "regain",
                                    .claim = claim,
                                    .finding = Finding::undecided,
                                    .measured = "its undo was not sent"});
            continue;
        }
        const bool last = i + 1 == faults.size();
        if (!last && faults[i + 1].applied < *from + rule.within + rule.hold) { continue; }
        // What a later fault does is that fault's business.
        std::span<const Sample> seen = series;
        if (!last) {
            const auto end = std::find_if(series.begin(), series.end(), [&](const Sample& sample) {
                return sample.sent >= faults[i + 1].applied;
            });
            seen = series.subspan(0, static_cast<std::size_t>(end - series.begin()));
        }
        const RegainResult result = regain(rule, seen, probe, *from, now);
        if (!result.final) {
            out.final = false;
            out.needed_until = std::max(out.needed_until, result.needed_until);
        }
        // A finding that may still change is no finding.
        out.outcomes.push_back({.probe = hypothesis.probe,
                                .part = "regain",
                                .claim = claim,
                                .finding = result.final ? result.finding : Finding::undecided,
                                .measured = result.text});
    }
    return out;
}

HypothesisOutcome judge_integrity(const HypothesisSpec& hypothesis, std::span<const Sample> series,
                                  std::optional<Nanos> from) {
    const Nanos span = *hypothesis.integrity;
    HypothesisOutcome out{
        .probe = hypothesis.probe,
        .part = "integrity",
        .claim = "every answer right for " + show_duration(span) + " once all is undone"};
    if (!from) {
        out.measured = "not asked: the run ended before";
        return out;
    }
    const Window window{.from = *from, .to = *from + span};
    const Tally seen = tally(series, {&window, 1});
    out.measured = std::to_string(seen.ok + seen.degraded) + " of " + std::to_string(seen.known()) +
                   " right, " + std::to_string(seen.unknown) + " unknown";
    if (seen.failed > 0) {
        out.finding = Finding::broken;  // one wrong answer is no matter of shares
    } else if (!seen.blind() && seen.known() >= fewest_answers) {
        out.finding = Finding::held;
    }
    return out;
}

bool data_at_risk(const Plan& plan, std::span<const ChangeOutcome> changes) {
    return std::any_of(changes.begin(), changes.end(), [&](const ChangeOutcome& one) {
        if (!one.applied && one.lease.empty()) { return false; }
        for (const PlannedStep& step : plan.steps) {
            if (step.name != one.step) { continue; }
            for (const PlannedChange& change : step.changes) {
                if (change.host == one.host && !change.data_of.empty()) { return true; }
            }
        }
        return false;
    });
}

void not_recorded(Outcome& outcome, const std::string& problem) {
    if (outcome.verdict == Verdict::passed) { outcome.verdict = Verdict::invalid; }
    outcome.incomplete = true;
    outcome.reasons.push_back("the ledger does not hold the end of this run: " + problem);
}

Outcome judge(const RunFacts& facts) {
    Outcome out{};
    out.began = facts.began;
    out.ended = facts.now;
    out.ended_by = facts.ended_by;
    out.changes = facts.changes;
    if (facts.rehearsal) { out.fidelity = "rehearsal"; }
    if (facts.rehearsed && !facts.dirty) {
        out.verdict = Verdict::rehearsed;
        out.hypotheses = facts.baseline;
        out.reasons = facts.reasons;
        return out;
    }
    if (facts.refused && !facts.dirty) {
        out.verdict = Verdict::refused;
        out.hypotheses = facts.baseline;
        out.reasons = facts.reasons;
        return out;
    }
    judge_hypotheses(facts, out);
    judge_objectives(facts, out);
    out.integrity = integrity_of(facts, out);
    const Weights weights = collect_reasons(facts, out);
    const bool failed = weights.broken || facts.halt_tripped;
    const bool all_proven =
        std::all_of(facts.changes.begin(), facts.changes.end(), [](const auto& c) {
            return c.applied && c.bit && c.note.empty() && c.state == LeaseState::released;
        });
    if (facts.dirty) {
        out.verdict = Verdict::dirty;
    } else if (failed) {
        out.verdict = Verdict::failed;
        out.incomplete = weights.undecided || !facts.steps_done;
    } else if (facts.stopped) {
        out.verdict = Verdict::halted;
    } else if (weights.undecided || !facts.steps_done || !all_proven || facts.changes.empty()) {
        out.verdict = Verdict::invalid;
    } else {
        out.verdict = Verdict::passed;
    }
    return out;
}

}  // namespace drill
