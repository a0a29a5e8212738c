// See text.hpp.
#include "report/text.hpp"

#include "base/text.hpp"
#include "report/results.hpp"

#include <algorithm>
#include <set>

namespace drill {

namespace {

std::string judged(const Page& page, Finding finding) {
    switch (finding) {
        case Finding::held: return page.mark(Mark::good);
        case Finding::broken: return page.mark(Mark::bad);
        case Finding::undecided: return page.mark(Mark::doubt);
    }
    return page.mark(Mark::doubt);
}

/// Words beside the question mark, since a mark alone is easily overlooked.
std::string ending_word(Finding finding) {
    return finding == Finding::undecided ? "could not be judged: " : "";
}

Ink ink_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::passed: return Ink::good;
        case Verdict::rehearsed: return Ink::strong;
        case Verdict::failed:
        case Verdict::dirty: return Ink::bad;
        case Verdict::usage:
        case Verdict::refused:
        case Verdict::halted:
        case Verdict::invalid: return Ink::doubt;
    }
    return Ink::bad;
}

std::string upper_case(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'a' && c <= 'z') { c = static_cast<char>(c - 'a' + 'A'); }
    }
    return out;
}

const Change* planned_change(const Plan* plan, const ChangeOutcome& change) {
    if (plan == nullptr) { return nullptr; }
    for (const PlannedStep& step : plan->steps) {
        if (step.name != change.step) { continue; }
        for (const PlannedChange& planned : step.changes) {
            if (planned.host == change.host) { return &planned.change; }
        }
    }
    return nullptr;
}

bool is_instant(const Plan* plan, const ChangeOutcome& change) {
    const Change* planned = planned_change(plan, change);
    return planned != nullptr && planned->ending == Ending::instant;
}

bool is_kept(const Plan* plan, const ChangeOutcome& change) {
    const Change* planned = planned_change(plan, change);
    return planned != nullptr && planned->lasting == Lasting::stays;
}

enum class UndoWord : std::uint8_t { nothing, undone, kept, closed, open };
UndoWord undo_of(const Plan* plan, const ChangeOutcome& change) {
    if (change.state == LeaseState::closed) { return UndoWord::closed; }
    if (change.state == LeaseState::released) {
        if (!change.applied || is_instant(plan, change)) { return UndoWord::nothing; }
        return is_kept(plan, change) ? UndoWord::kept : UndoWord::undone;
    }
    // Nothing was sent for a change that never got past its intention without a lease.
    if (!change.applied && change.lease.empty()) { return UndoWord::nothing; }
    if (change.state != LeaseState::stuck && is_kept(plan, change)) { return UndoWord::kept; }
    return UndoWord::open;
}

std::string with_note(const std::string& text, const std::string& note) {
    return note.empty() ? text : text + ": " + safe(note);
}

std::string undo_text(const Page& page, const Plan* plan, const ChangeOutcome& change) {
    switch (undo_of(plan, change)) {
        case UndoWord::nothing:
            return change.applied ? with_note("instant, nothing to undo", change.remark)
                                  : with_note("not applied, nothing to undo", change.note);
        case UndoWord::undone: {
            std::string text = "undone, read back";
            if (change.overstay) {
                text = "ended by itself, read back; " +
                       (*change.overstay < Nanos{0}
                            ? show_duration(-*change.overstay) + " before its time"
                            : show_duration(*change.overstay) + " past its time");
            }
            return with_note(with_note(text, change.remark), change.note);
        }
        case UndoWord::kept:
            return with_note(with_note("kept on purpose", change.remark), change.note);
        case UndoWord::closed:
            return with_note(page.ink(Ink::doubt, "closed by a person, not proven"), change.note);
        case UndoWord::open:
            return with_note(
                page.ink(Ink::bad, change.state == LeaseState::stuck
                                       ? "STUCK"
                                       : "STILL OPEN (" + std::string(name_of(change.state)) + ")"),
                change.note);
    }
    return "";
}

std::string outage_bounds(const Outage& outage) {
    if (!outage.first_good) { return "at least " + show_duration(outage.lower) + ", not regained"; }
    if (outage.upper == unbounded) {
        return "at least " + show_duration(outage.lower) + ", its beginning was not seen";
    }
    return show_duration(outage.lower) + " to " + show_duration(outage.upper);
}

void add_head(Page& page, const ReportInput& input) {
    const std::string name = input.plan != nullptr ? input.plan->experiment : input.experiment;
    std::string first =
        "run " + std::to_string(input.number) + "  " + page.ink(Ink::strong, safe(name));
    if (input.outcome.fidelity != "real") {
        first += "  " + page.ink(Ink::doubt, upper_case(safe(input.outcome.fidelity)));
    }
    if (input.plan != nullptr) { first += "  on " + safe(input.plan->environment); }
    first += "  " + rfc3339(input.began);
    if (!input.by.empty()) { first += "  by " + safe(input.by); }
    page.line(first, 2);
    if (input.plan != nullptr && !input.plan->title.empty()) {
        page.line("  " + safe(input.plan->title), 2);
    }
    const std::string hash =
        input.plan != nullptr ? "plan " + input.plan->hash.substr(0, 16) + "  " : "";
    page.line(page.ink(Ink::dim, "  " + hash + "run id " + safe(input.run_id)), 4);
    page.line(page.ink(Ink::dim, "  ledger " + safe(input.ledger)), 4);
}

void add_hypotheses(Page& page, const Outcome& outcome) {
    page.blank();
    page.line("  HYPOTHESIS");
    for (const HypothesisOutcome& one : outcome.hypotheses) {
        page.line("    " + judged(page, one.finding) + " " + safe(one.probe) + " " +
                      safe(one.part) + ": " + safe(one.claim) + "   " + ending_word(one.finding) +
                      safe(one.measured),
                  8);
    }
    if (outcome.hypotheses.empty()) {
        page.line("    " + page.mark(Mark::doubt) + " none was stated or judged");
    }
    if (outcome.objectives.empty()) { return; }
    page.line("  OBJECTIVES");
    for (const ObjectiveOutcome& one : outcome.objectives) {
        page.line("    " + judged(page, one.finding) + " " + upper_case(safe(one.name)) + " " +
                      exact_duration(one.objective) + "   " + ending_word(one.finding) +
                      safe(one.measured),
                  8);
    }
}

void add_outages(Page& page, const Outcome& outcome) {
    constexpr std::size_t most = 20;  // a flapping service would drown the verdict
    if (outcome.outages.empty()) { return; }
    page.line("  OUTAGES");
    std::size_t shown = 0;
    for (const Outage& one : outcome.outages) {
        if (++shown > most) { break; }
        page.line("    outage of " + safe(one.probe) + ": " + outage_bounds(one) +
                      (one.step.empty() ? ", before any fault" : ", after " + safe(one.step)),
                  8);
    }
    if (outcome.outages.size() > most) {
        page.line("    and " + std::to_string(outcome.outages.size() - most) + " more");
    }
}

/// Each target's own state: a refusal, a failure and a lost answer are not the same.
std::string not_taken(const ChangeOutcome& one) {
    switch (one.took) {
        case Took::refused: return "refused, not applied";
        case Took::apply_failed: return "not applied: a command failed";
        case Took::unanswered: return "not known whether it was applied";
        case Took::not_begun:
        case Took::no_bite:
        case Took::bit: break;
    }
    return one.applied ? "no bite was seen" : "not applied";
}

void add_changes(Page& page, const ReportInput& input) {
    const Outcome& outcome = input.outcome;
    if (outcome.changes.empty()) {
        page.line("  FAULTS  none was applied");
        return;
    }
    page.line("  FAULTS");
    std::vector<std::vector<std::string>> rows;
    for (const ChangeOutcome& one : outcome.changes) {
        std::string what;
        if (!one.applied || !one.bit) {
            what = page.mark(Mark::doubt) + " " + not_taken(one);
        } else {
            what = page.mark(Mark::good) + " bit";
            if (one.bite_at) {
                what += " at +" + show_duration(std::max(*one.bite_at - outcome.began, Nanos{0}));
            }
            if (one.bite_at && one.undo_sent && !is_instant(input.plan, one)) {
                what += ", held " + show_duration(*one.undo_sent - *one.bite_at);
            }
        }
        if (!one.check.empty()) {
            what += "; " + judged(page, one.check_finding) + " " + safe(one.check);
        }
        rows.push_back({"  " + safe(one.step), safe(one.host), safe(one.kind), what});
    }
    page.table(rows);
    page.line("  UNDO");
    rows.clear();
    for (const ChangeOutcome& one : outcome.changes) {
        const UndoWord word = undo_of(input.plan, one);
        const Mark mark = word == UndoWord::open     ? Mark::bad
                          : word == UndoWord::closed ? Mark::doubt
                                                     : Mark::good;
        rows.push_back({"  " + safe(one.step), safe(one.host),
                        page.mark(mark) + " " + undo_text(page, input.plan, one)});
    }
    page.table(rows);
}

/// What the result is worth: where it was measured, how real that was, what it leaves open.
void add_scope(Page& page, const Scope& scope) {
    constexpr std::size_t most = 50;
    page.line("  SCOPE");
    page.line("    environment " + safe(scope.environment) + ", class " +
                  safe(scope.environment_class) + "; fidelity " + safe(scope.fidelity),
              6);
    for (std::size_t i = 0; i < std::min(most, scope.not_measured.size()); ++i) {
        page.line("    " + page.mark(Mark::doubt) + " not measured: " + safe(scope.not_measured[i]),
                  8);
    }
    if (scope.not_measured.size() > most) {
        page.line("    and " + std::to_string(scope.not_measured.size() - most) + " more");
    }
}

void add_reasons(Page& page, const Outcome& outcome) {
    constexpr std::size_t most = 50;
    if (outcome.reasons.empty()) { return; }
    page.line("  REASONS");
    for (std::size_t i = 0; i < std::min(most, outcome.reasons.size()); ++i) {
        page.line("    " + page.mark(Mark::dot) + " " + safe(outcome.reasons[i]), 6);
    }
    if (outcome.reasons.size() > most) {
        page.line("    and " + std::to_string(outcome.reasons.size() - most) + " more");
    }
}

std::string remains(const ReportInput& input) {
    std::size_t open = 0;
    std::size_t closed = 0;
    std::size_t kept = 0;
    std::size_t applied = 0;
    for (const ChangeOutcome& one : input.outcome.changes) {
        const UndoWord word = undo_of(input.plan, one);
        open += word == UndoWord::open ? 1 : 0;
        closed += word == UndoWord::closed ? 1 : 0;
        kept += word == UndoWord::kept ? 1 : 0;
        applied += one.applied ? 1 : 0;
    }
    if (open > 0) {
        return counted(open, "change") + (open == 1 ? " is" : " are") + " not proven undone.";
    }
    if (input.outcome.verdict == Verdict::dirty) { return "An undo is not proven."; }
    if (closed > 0) { return counted(closed, "lease") + " closed by a person, not proven."; }
    if (kept > 0) { return counted(kept, "change") + " kept on purpose; the rest is undone."; }
    return applied == 0 ? "Nothing was changed." : "Everything is undone.";
}

/// The whole reason stands above; the verdict names what it is about.
std::string first_clause(const std::string& reason) {
    const std::size_t colon = reason.find(": ");  // behind it stands the claim, then the figures
    std::size_t end = reason.find("; ");
    if (colon != std::string::npos) { end = std::min(end, reason.find(": ", colon + 1)); }
    return reason.substr(0, end);
}

std::string headline(const ReportInput& input) {
    const Outcome& outcome = input.outcome;
    std::string text;
    if (outcome.verdict == Verdict::passed) {
        const Outage* worst = nullptr;
        for (const Outage& one : outcome.outages) {
            if (!one.step.empty() && (worst == nullptr || one.upper > worst->upper)) {
                worst = &one;
            }
        }
        text = worst == nullptr ? "No outage was seen" : "Outage " + outage_bounds(*worst);
        for (const ObjectiveOutcome& one : outcome.objectives) {
            if (one.name == "rto") { text += " (objective " + exact_duration(one.objective) + ")"; }
        }
        return text + ".";
    }
    if (!outcome.reasons.empty()) {
        text = first_clause(safe(outcome.reasons.front()));
        if (outcome.reasons.size() > 1) {
            text += "; " + counted(outcome.reasons.size() - 1, "more reason") + " above";
        }
        text += ".";
    }
    if (outcome.incomplete) { text += "  Something else could not be judged."; }
    return text;
}

std::vector<std::string> next_commands(const ReportInput& input) {
    std::set<std::string> hosts;
    for (const ChangeOutcome& one : input.outcome.changes) {
        if (undo_of(input.plan, one) == UndoWord::open) { hosts.insert(safe(one.host)); }
    }
    std::vector<std::string> commands;
    if (!hosts.empty() || input.outcome.verdict == Verdict::dirty) {
        commands.push_back("drill undo                 (a person is needed now)");
        for (const std::string& host : hosts) {
            commands.push_back("drill sweep " + safe(shell_quote(host)));
        }
    }
    commands.push_back("drill show " + std::to_string(input.number));
    return commands;
}

/// The words behind the verdict, which is coloured apart.
std::string verdict_rest(const ReportInput& input) {
    const Outcome& outcome = input.outcome;
    const std::string name = input.plan != nullptr ? input.plan->experiment : input.experiment;
    std::string text = "  " + safe(name) + " in " +
                       show_duration(std::max(outcome.ended - outcome.began, Nanos{0}));
    if (!outcome.ended_by.empty()) { text += ", ended by " + safe(outcome.ended_by); }
    text += ".";
    if (const std::string said = headline(input); !said.empty()) { text += "  " + said; }
    text += "  " + remains(input);
    if (outcome.integrity == Integrity::not_applicable) { return text; }
    text.pop_back();  // one sentence with what remains
    return text + "; data integrity: " + name_of(outcome.integrity) + ".";
}

std::string verdict_text(const Page& page, const RunLine& row) {
    if (row.verdict) {
        return page.ink(ink_of(*row.verdict), name_of(*row.verdict)) +
               (row.incomplete ? " (incomplete)" : "");
    }
    return row.alive ? "running" : page.ink(Ink::bad, "not ended: its controller is gone");
}

/// When a lease ends by itself, as far as this boot of the controller can say.
std::string lease_time(const Lease& lease, const Instant& now, const std::string& controller_boot) {
    const std::string label = " (" + rfc3339(lease.until_wall) + ")";
    if (lease.change.lasting == Lasting::stays) { return "it stays until somebody decides"; }
    if (lease.change.ending == Ending::off_target) { return "nothing on the host ends it"; }
    if (lease.controller_boot != controller_boot) {
        return "was to end by itself by " + rfc3339(lease.until_wall) +
               "; this controller has been rebooted since";
    }
    if (lease.until > now.boot) {
        return "ends by itself within " + show_duration(lease.until - now.boot) + label;
    }
    return "should have ended by itself " + show_duration(now.boot - lease.until) + " ago" + label;
}

}  // namespace

std::string verdict_line(const ReportInput& input) {
    return name_of(input.outcome.verdict) + verdict_rest(input);
}

std::string render_report(const ReportInput& input, PageStyle style) {
    Page page(style);
    add_head(page, input);
    add_hypotheses(page, input.outcome);
    add_outages(page, input.outcome);
    add_changes(page, input);
    add_scope(page, scope_of(input));
    add_reasons(page, input.outcome);
    page.blank();
    page.line(page.ink(ink_of(input.outcome.verdict), name_of(input.outcome.verdict)) +
                  verdict_rest(input),
              2);
    for (const std::string& command : next_commands(input)) { page.line("  " + command, 4); }
    return page.text();
}

std::string render_runs(std::span<const RunLine> rows, const std::string& ledger, PageStyle style) {
    Page page(style);
    std::size_t open = 0;
    std::vector<std::vector<std::string>> lines;
    for (const RunLine& row : rows) {
        open += row.alive ? 0 : row.open_leases;
        std::string end = verdict_text(page, row);
        if (row.took) { end += " in " + show_duration(*row.took); }
        if (row.open_leases > 0) {
            end += ", " + page.ink(Ink::bad, counted(row.open_leases, "open lease"));
        }
        lines.push_back({std::to_string(row.number), rfc3339(row.began).substr(0, 16) + "Z",
                         safe(row.experiment), safe(row.environment), end});
    }
    page.table(lines);
    page.line((rows.empty() ? "no run in ledger " : counted(rows.size(), "run") + " in ledger ") +
                  safe(ledger),
              2);
    if (open > 0) { page.line("  drill undo", 4); }
    return page.text();
}

std::string render_leases(std::span<const LeaseLine> rows, const Instant& now,
                          const std::string& controller_boot, const std::string& ledger,
                          PageStyle style) {
    Page page(style);
    std::set<std::string> hosts;
    bool open_left = false;
    for (const LeaseLine& row : rows) {
        const Lease& lease = row.lease;
        const bool open = is_open(lease.state);
        const std::string word =
            lease.state == LeaseState::stuck ? "STUCK" : upper_case(name_of(lease.state));
        page.line(page.ink(lease.state == LeaseState::stuck ? Ink::bad
                           : open                           ? Ink::doubt
                                                            : Ink::plain,
                           word) +
                      "  " + safe(lease.step) + " on " + safe(lease.connection.host) + "  " +
                      safe(lease.kind) + "  run " + std::to_string(row.run_number) + "  lease " +
                      safe(lease.id),
                  4);
        if (!lease.note.empty()) { page.line("    " + safe(lease.note), 4); }
        if (open && row.alive) {
            page.line("    its run goes on, renews it and undoes it", 4);
        } else if (open) {
            page.line("    " + lease_time(lease, now, controller_boot), 4);
        }
        if (!row.found.empty()) { page.line("    found just now: " + safe(row.found), 4); }
        if (!open || row.alive) { continue; }
        open_left = true;
        if (lease.state == LeaseState::stuck) { hosts.insert(lease.connection.host); }
    }
    page.line((rows.empty() ? "no open lease in ledger "
                            : counted(rows.size(), "lease") + " in ledger ") +
                  safe(ledger),
              2);
    if (open_left) { page.line("  drill undo", 4); }
    for (const std::string& host : hosts) {
        page.line("  drill sweep " + safe(shell_quote(host)), 4);
    }
    return page.text();
}

}  // namespace drill
