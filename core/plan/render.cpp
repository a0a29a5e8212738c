// See render.hpp.
#include "plan/render.hpp"

#include "base/text.hpp"
#include "plan/order.hpp"
#include "plan/planner.hpp"
#include "plan/select.hpp"
#include "report/page.hpp"

#include <algorithm>
#include <set>
#include <variant>

namespace drill {

namespace {

constexpr std::size_t step_column = 13;
// A program that travels with its change would fill screens; the plan as a file has all of it.
constexpr std::size_t longest_input = 8192;

std::string regain_text(const Regain& regain) {
    return "within " + exact_duration(regain.within) + " of the " +
           (regain.from == Regain::From::undo ? "undo" : "fault") + ", held for " +
           exact_duration(regain.hold);
}

void add_header(Page& page, const Plan& plan) {
    std::string first = page.ink(Ink::strong, safe(plan.experiment));
    if (!plan.title.empty()) { first += "   " + safe(plan.title); }
    page.line(first, 2);
    page.blank();
    const bool guarded = plan.environment_class != "lab";
    page.field("environment", safe(plan.environment) + ", class " + safe(plan.environment_class) +
                                  (guarded ? ": " + page.ink(Ink::bad, "guarded") +
                                                 ", run asks for the name and a reason"
                                           : ": not guarded"));
    page.field("definition", "sha256 " + plan.definition_sha256.substr(0, 16) + ", catalog " +
                                 plan.catalog_sha256.substr(0, 16) + ", seed " +
                                 std::to_string(plan.seed));
    if (!plan.contact.empty()) { page.field("contact", safe(plan.contact)); }
}

/// Data that may be hurt while no hypothesis looks at it is told before, not only after.
void add_integrity(Page& page, const Plan& plan) {
    std::set<std::string> services;
    for (const PlannedStep& step : plan.steps) {
        for (const PlannedChange& change : step.changes) { services.insert(change.data_of); }
    }
    services.erase("");
    const bool looked = std::any_of(plan.hypotheses.begin(), plan.hypotheses.end(),
                                    [](const auto& one) { return one.integrity.has_value(); });
    if (services.empty() || looked) { return; }
    const std::vector<std::string> names(services.begin(), services.end());
    page.field("integrity", page.ink(Ink::doubt, "not checked") + ": data of " +
                                safe(join(names, ", ")) +
                                " may be hurt, and no hypothesis has `integrity`");
}

void add_claims(Page& page, const Plan& plan) {
    std::string label = "hypothesis";
    for (const HypothesisSpec& hypothesis : plan.hypotheses) {
        const auto part = [&](const char* name, const std::string& claim) {
            page.field(label, safe(hypothesis.probe) + " " + name + ": " + claim);
            label.clear();
        };
        if (hypothesis.before) { part("before", safe(hypothesis.before->text)); }
        if (hypothesis.during) { part("during", safe(hypothesis.during->text)); }
        if (hypothesis.regain) { part("regained", regain_text(*hypothesis.regain)); }
        if (hypothesis.integrity) {
            part("integrity", "every answer right for " + exact_duration(*hypothesis.integrity) +
                                  " once all is undone");
        }
    }
    if (plan.hypotheses.empty()) {
        page.field("hypothesis", page.ink(Ink::doubt, "none: nothing can pass"));
    }
    add_integrity(page, plan);
    if (plan.rto) {
        page.field("objective", "RTO " + exact_duration(*plan.rto) +
                                    (plan.rto_from.empty() ? "" : ", from " + safe(plan.rto_from)));
    }
    if (plan.rpo) {
        const bool marker =
            std::any_of(plan.probes.begin(), plan.probes.end(),
                        [](const ProbeSpec& probe) { return probe.kind == "marker"; });
        page.field(plan.rto ? "" : "objective",
                   "RPO " + exact_duration(*plan.rpo) +
                       (marker ? ""
                               : ", " + page.ink(Ink::doubt, "not measured") +
                                     ": there is no marker probe"));
    }
    label = "halt";
    for (const HaltSpec& halt : plan.halts) {
        page.field(label, safe(halt.probe) + " " + safe(halt.when.text) +
                              ", or unknown as long: halt and undo");
        label.clear();
    }
    label = "probe";
    for (const ProbeSpec& probe : plan.probes) {
        page.field(label, safe(probe.name) + ": " + safe(probe.kind) + ", every " +
                              exact_duration(probe.every) + ", time-out " +
                              exact_duration(probe.timeout));
        label.clear();
    }
}

/// What ends a change when drill is gone.
std::string own_end(const PlannedStep& step, const Change& change, Nanos lease_ttl) {
    const std::string in_time = " at most " + exact_duration(lease_ttl) + " after the last renewal";
    if (change.lasting == Lasting::stays) { return "it stays until somebody decides"; }
    if (step.cuts_control) {
        return "halt cannot reach this; ends by T + hold + 1 s (T + " +
               exact_duration(step.hold + std::chrono::seconds{1}) + ")";
    }
    switch (change.ending) {
        case Ending::instant: return "at once, nothing to undo";
        case Ending::kernel: return "by itself: the kernel lifts it" + in_time;
        case Ending::holder: return "by itself: its holder process ends" + in_time;
        case Ending::watcher: return "by itself: a guard on the host undoes it" + in_time;
        case Ending::durable:
            return "by itself: a guard on the host undoes it" + in_time + ", and so does a reboot";
        case Ending::off_target: return "only drill ends it, nothing on the host does";
    }
    return "unknown";
}

void add_endings(Page& page, const PlannedStep& step, Nanos lease_ttl) {
    std::set<std::string> said;
    for (const PlannedChange& planned : step.changes) {
        const bool ends_alone = planned.change.ending != Ending::instant && !step.cuts_control &&
                                planned.change.lasting == Lasting::transient;
        const std::string text = own_end(step, planned.change, lease_ttl);
        if (!said.insert(text).second) { continue; }
        if (ends_alone) {
            page.field("with drill", "undone after the hold and read back", 5, step_column + 5);
        }
        page.field(ends_alone ? "without" : "ends", text, 5, step_column + 5);
    }
}

/// Only where there is a choice: with one target it is all or nothing.
void add_partial(Page& page, const PlannedStep& step) {
    if (step.changes.size() < 2) { return; }
    page.field("if some fail",
               step.on_partial == OnPartial::go_on
                   ? "the other targets are held; such a run is never PASSED"
                   : "everything is undone and the run ends",
               5, step_column + 5);
}

void add_exec(Page& page, const char* label, const std::vector<Exec>& commands) {
    for (const Exec& exec : commands) {
        std::vector<std::string> argv = exec.argv;
        for (std::string& word : argv) {
            if (word.find('\0') != std::string::npos) { word = escape_control(word); }
        }
        std::string front = "       " + std::string(label);
        front.resize(std::max<std::size_t>(front.size() + 1, 19), ' ');
        for (const std::string& line : split(shell_join(argv), '\n')) {
            page.verbatim(front + escape_control(line));
            front.assign(19, ' ');
        }
        if (exec.input.empty()) { continue; }
        if (exec.input.size() > longest_input) {
            page.verbatim(std::string(19, ' ') + "| " + std::to_string(exec.input.size()) +
                          " bytes of input, in full in the plan's file");
            continue;
        }
        for (const std::string& line : split(trim(exec.input), '\n')) {
            page.verbatim(std::string(19, ' ') + "| " + escape_control(line));
        }
    }
}

void add_commands(Page& page, const PlannedChange& planned) {
    const Change& change = planned.change;
    page.verbatim("     " + page.ink(Ink::dim, "commands on ") + safe(planned.host));
    add_exec(page, "arm", change.arm);
    add_exec(page, "apply", change.apply);
    add_exec(page, "renew", change.renew);
    add_exec(page, "undo", change.undo);
    add_exec(page, "read back", change.read_back);
    add_exec(page, "disarm", change.disarm);
    add_exec(page, "check", change.check);
    for (const Stimulus& stimulus : change.stimulate) {
        add_exec(page, ("on " + safe(stimulus.host)).c_str(), {stimulus.exec});
    }
}

void add_step(Page& page, const PlannedStep& step, std::size_t number, const Plan& plan,
              bool verbose) {
    std::string hosts;
    for (const PlannedChange& change : step.changes) {
        hosts += (hosts.empty() ? "" : " ") + safe(change.host);
    }
    page.line("  " + std::to_string(number) + "  " + page.ink(Ink::strong, safe(step.name)) +
                  "   " + safe(step.kind) + " on " + safe(step.target) + ": " + hosts,
              5);
    for (const PlannedChange& change : step.changes) {
        page.field(safe(change.host), safe(change.says), 5, step_column + 5);
        if (!change.change.check_claim.empty()) {
            page.field("", "expects: " + safe(change.change.check_claim), 5, step_column + 5);
        }
    }
    page.field(
        "starts",
        describe_after(step.after) + "; holds " + exact_duration(step.hold) + " from the bite", 5,
        step_column + 5);
    add_endings(page, step, ttl_of(step, plan.lease_ttl));
    add_partial(page, step);
    if (!verbose) { return; }
    for (const PlannedChange& change : step.changes) { add_commands(page, change); }
}

void add_summary(Page& page, const Plan& plan, const RenderOptions& options) {
    std::set<std::string> changed;
    for (const PlannedStep& step : plan.steps) {
        for (const PlannedChange& change : step.changes) { changed.insert(change.host); }
    }
    std::string names;
    for (const std::string& host : changed) { names += (names.empty() ? "" : " ") + safe(host); }
    const Estimate time = estimate(plan);
    const auto crowd = most_at_once(ordered_steps(plan), {});
    page.field("blast radius", safe(plan.limit_says) + " at one time; this plan: " +
                                   (crowd ? std::to_string(crowd->hosts.size()) : "?") +
                                   " at one time, " + counted(changed.size(), "host") +
                                   " in all: " + names);
    page.field("time limit", exact_duration(plan.longest) + " for the faults, lease " +
                                 exact_duration(plan.lease_ttl));
    page.field("gates",
               "open when planned: tools, root, guard, veto and stop files, limit; run "
               "asks them again");
    page.blank();
    page.line("Plan: " + counted(plan.steps.size(), "fault") + " on " +
                  counted(changed.size(), "host") + ", about " + show_duration(time.about) +
                  ", at most " + show_duration(time.at_most) + ".",
              2);
    page.line("plan hash " + plan.hash, 2);
    const std::string source = options.source.empty() ? "FILE.plan" : options.source;
    std::string command =
        "drill run " + safe(shell_quote(options.file.empty() ? source : options.file));
    // An experiment picks its hosts again; the seed makes it pick these.
    if (options.file.empty() && !options.source.empty() && !options.of_plan) {
        command += " --seed " + std::to_string(plan.seed);
    }
    if (plan.environment_class != "lab") {
        command += " --confirm " + safe(shell_quote(plan.environment)) + " --reason '...'";
    }
    page.verbatim("  " + command);
}

std::string host_names(const std::vector<std::string>& words) { return join(words, " "); }

}  // namespace

std::string describe_value(const Value& value) {
    struct Describe {
        std::string operator()(bool flag) const { return flag ? "true" : "false"; }
        std::string operator()(std::int64_t number) const { return std::to_string(number); }
        std::string operator()(const std::string& text) const { return text; }
        std::string operator()(Nanos span) const { return format_duration(span); }
        std::string operator()(Percent percent) const { return show_percent(percent.ppm); }
        std::string operator()(const std::vector<std::string>& words) const {
            return host_names(words);
        }
        std::string operator()(const Selection& selection) const {
            return describe_selection(selection);
        }
    };
    return std::visit(Describe{}, value);
}

std::string describe_after(const std::vector<After>& after) {
    if (after.empty()) { return "at once"; }
    std::string out;
    for (const After& entry : after) {
        out += out.empty() ? "" : " and ";
        out += entry.held ? "as soon as " + safe(entry.step) + " holds"
                          : "after " + safe(entry.step) + " is undone";
    }
    return out;
}

Estimate estimate(const Plan& plan) {
    Nanos before{0};
    Nanos regain_hold{0};
    Nanos regain_within{0};
    Nanos integrity{0};
    for (const HypothesisSpec& hypothesis : plan.hypotheses) {
        if (hypothesis.before && hypothesis.before->span) {
            before = std::max(before, *hypothesis.before->span);
        }
        if (hypothesis.regain) {
            regain_hold = std::max(regain_hold, hypothesis.regain->hold);
            regain_within = std::max(regain_within, hypothesis.regain->within);
        }
        integrity = std::max(integrity, hypothesis.integrity.value_or(Nanos{0}));
    }
    std::vector<OrderedStep> steps = ordered_steps(plan);
    const Nanos holds = longest_path(steps).time;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        Nanos check{0};
        for (const PlannedChange& change : plan.steps[i].changes) {
            check = std::max(check, change.change.check_within);
        }
        steps[i].hold = std::max(steps[i].hold, check);
    }
    const Nanos with_checks = longest_path(steps).time;
    return {before + holds + regain_hold + integrity,
            before + with_checks + plan.lease_ttl + regain_within + regain_hold + integrity};
}

std::string render_plan(const Plan& plan, const RenderOptions& options) {
    Page page({options.width, options.color, options.ascii});
    add_header(page, plan);
    page.blank();
    add_claims(page, plan);
    page.blank();
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
        add_step(page, plan.steps[i], i + 1, plan, options.verbose);
    }
    page.blank();
    add_summary(page, plan, options);
    return page.text();
}

}  // namespace drill
