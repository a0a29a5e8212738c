// drill run FILE|PLAN: plans (again), passes the gates, and carries it out. From the first intent
// on everything is in the ledger before it happens on a host.
#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/text.hpp"
#include "cli/control.hpp"
#include "cli/enter_watch.hpp"
#include "cli/inbox_watch.hpp"
#include "cli/session.hpp"
#include "cli/verbs.hpp"
#include "engine/conductor.hpp"
#include "engine/runner.hpp"
#include "faults/kinds.hpp"
#include "ledger/inbox.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "model/json.hpp"
#include "probes/kinds.hpp"
#include "report/json.hpp"
#include "report/text.hpp"
#include "transport/redact.hpp"

#include <syslog.h>
#include <unistd.h>
#include <fstream>
#include <set>
#include <sstream>

namespace drill::cli {

namespace {

void refuse_without_ledger(const Error& error) {
    complain(about("ledger", error.text()));
    progress("REFUSED. Nothing was touched: without a ledger nothing is run.");
}

/// Leases that are open on hosts of this plan or its group: refused, with what is known of them.
bool leases_in_the_way(const Globals& globals, const std::string& state, const Plan& plan,
                       Fleet& fleet) {
    const Result<LedgerReader> reader = LedgerReader::open(state);
    if (!reader) {
        if (reader.error().code == Code::not_found) { return false; }
        refuse_without_ledger(reader.error());
        return true;
    }
    const auto open = reader->open_leases();
    if (!open) {
        refuse_without_ledger(open.error());
        return true;
    }
    std::vector<LeaseLine> lines;
    for (const LeaseRow& row : *open) {
        const bool in_group =
            std::find(plan.group.begin(), plan.group.end(), row.host) != plan.group.end();
        if (!in_group && !plan.hosts.contains(row.host)) {
            progress("note: a lease of run " + std::to_string(row.run) + " is open on " + row.host +
                     ", which this plan does not touch");
            continue;
        }
        if (!row.lease) {
            complain("run " + std::to_string(row.run) + ", lease " + row.id + " on " + row.host +
                     ": " + row.lease.error().text());
            progress("REFUSED. Nothing was touched. To see what it is: drill ls");
            return true;
        }
        lines.push_back({.lease = *row.lease, .run_number = row.run, .found = ""});
    }
    if (lines.empty()) { return false; }
    complain("an earlier run has not been undone on hosts that this plan counts:");
    print(render_leases(lines, fleet.clock.now(), controller_boot_id(), reader->path(),
                        page_style(globals)));
    progress("REFUSED. Nothing was touched. To end them: drill undo");
    return true;
}

/// What is not a lab wants its name typed and a reason.
bool confirmed(const Globals& globals, const RunOptions& options, const Plan& plan) {
    if (plan.environment_class == "lab") { return true; }
    std::string name = options.confirm;
    if (name.empty()) {
        name = ask_person(globals, "Environment " + plan.environment + " is guarded (" +
                                       plan.environment_class + "). Type its name to go on:");
    }
    const bool right = name == plan.environment;
    if (right && !options.reason.empty()) { return true; }
    std::string missing;
    if (!right) {
        missing = name.empty() ? "its name was not given" : "`" + name + "` is not its name";
    }
    if (options.reason.empty()) {
        missing += std::string(missing.empty() ? "" : " and ") + "no reason was given";
    }
    complain("environment " + plan.environment + " is guarded (class " + plan.environment_class +
             "): " + missing);
    progress("REFUSED. Nothing was touched. When you are sure, then: drill run " +
             shell_quote(options.file) + " --confirm " + shell_quote(plan.environment) +
             " --reason '...'");
    return false;
}

/// `--hold STEP` wants a fault that lasts, and that Enter can end.
bool can_be_held(const Plan& plan, const std::string& name) {
    if (name.empty()) { return true; }
    std::vector<std::string> names;
    std::string why;
    for (const PlannedStep& step : plan.steps) {
        names.push_back(step.name);
        if (step.name != name) { continue; }
        const bool instant =
            !step.changes.empty() && step.changes.front().change.ending == Ending::instant;
        if (!instant && !step.cuts_control) { return true; }
        why = instant ? "is over at once: there is nothing to hold"
                      : "cuts its own way: Enter could not end it";
    }
    if (why.empty()) {
        const auto near = nearest(name, names);
        complain("--hold: there is no step `" + name + "`; " +
                 (near ? "did you mean `" + *near + "`?" : "steps are " + join(names, ", ")) +
                 ". Nothing was touched");
    } else {
        complain("--hold: step " + name + " " + why + ". Nothing was touched");
    }
    return false;
}

std::string own_digest() {
    std::ifstream in("/proc/self/exe", std::ios::binary);
    std::stringstream bytes;
    bytes << in.rdbuf();
    return sha256_hex(bytes.str());
}

std::string host_name() {
    char name[256] = {};
    return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

/// The line that goes on while a run is carried out.
class Progress {
public:
    void show(const Event& event, const Conductor& conductor) {
        std::string open = join(conductor.still_open(), "; ");
        {
            const std::lock_guard lock(mutex_);
            open_ = open.empty() ? "nothing" : std::move(open);
        }
        if (!is_quiet(event)) { progress(event_line(event)); }
    }
    [[nodiscard]] std::string open() {
        const std::lock_guard lock(mutex_);
        return open_;
    }

private:
    std::mutex mutex_;
    std::string open_{"nothing"};
};

RunStart run_start(const std::string& id, const Planned& planned, const RunOptions& options,
                   const Instant& now, const std::map<std::string, std::string>& who) {
    RunStart start{};
    start.run = id;
    start.experiment = planned.plan.experiment;
    start.plan_json = plan_to_json(planned.plan, Hash::with);
    start.plan_hash = planned.plan.hash;
    start.definition_bytes = planned.definition_bytes;
    start.catalog_bytes = planned.catalog_bytes;
    start.environment = planned.plan.environment;
    start.environment_class = planned.plan.environment_class;
    start.reason = options.reason;
    start.tool_version = DRILL_VERSION;
    start.tool_sha256 = own_digest();
    start.host_name = host_name();
    start.who = who;
    start.at = now;
    start.controller_boot = controller_boot_id();
    return start;
}

ConductorInput conductor_input(const Planned& planned, const RunOptions& options,
                               const std::string& id, std::int64_t number, const std::string& by) {
    ConductorInput input{};
    input.rehearse = options.rehearse;
    input.hold = options.hold;
    input.plan = planned.plan;
    input.kinds = fault_kinds();
    input.frame = {.run = id,
                   .number = number,
                   .by = by,
                   .contact = planned.plan.contact,
                   .controller_boot = controller_boot_id()};
    input.seed = random_seed();
    for (const auto& [name, state] : planned.hosts) {
        input.hosts[name] = {.facts = state.facts,
                             .uptime = state.uptime,
                             .asked = state.low,
                             .answered = state.high};
    }
    return input;
}

/// A run that is alive in this ledger: said before the hosts are asked, whose leases are its.
bool another_is_alive(const std::string& state) {
    const auto holder = lock_holder(state);
    if (!holder || !*holder || !is_alive(**holder)) { return false; }
    std::string which;
    if (const auto reader = LedgerReader::open(state); reader && !(*holder)->run.empty()) {
        if (const auto row = reader->run((*holder)->run)) {
            which = ", run " + std::to_string(row->number) + " (" + row->experiment + ")";
        }
    }
    complain("`drill " + (*holder)->verb + "` is at work with this ledger: pid " +
             std::to_string((*holder)->pid) + which +
             ". Wait for its end, or end it, which undoes its changes: drill halt");
    progress("REFUSED. Nothing was touched. To see it: drill watch");
    return true;
}

/// `drill halt --all` keeps runs out. Looked at again under the ledger's lock: `halt` writes the
/// block first and then looks who holds the lock, so one of the two always sees the other.
bool runs_are_blocked(const std::string& state) {
    const Result<std::optional<Block>> block = block_of(state);
    if (block && !*block) { return false; }
    if (!block) {
        complain(block.error());
    } else {
        complain("runs are blocked by " + (*block)->by + " since " + rfc3339((*block)->at) +
                 ((*block)->reason.empty() ? ", no reason was given" : ": " + (*block)->reason));
    }
    progress("REFUSED. Nothing was touched. To let runs begin again: drill unblock");
    return true;
}

/// Leases of dead runs are found on the hosts; the ledger knows whose they are.
void name_dead_runs(const std::string& state) {
    const auto reader = LedgerReader::open(state);
    if (!reader) { return; }
    const auto leases = reader->open_leases();
    std::set<std::int64_t> runs;
    if (leases) {
        for (const LeaseRow& lease : *leases) { runs.insert(lease.run); }
    }
    for (const std::int64_t run : runs) {
        progress("Run " + std::to_string(run) +
                 " of this ledger has open leases and its controller is gone. To end and prove "
                 "them: drill undo");
    }
}

int carry_out(const Globals& globals, const RunOptions& options, Fleet& fleet, Signals& signals,
              const Planned& planned, std::vector<PlannedProbe> probes, SqliteLedger& ledger,
              const std::string& id) {
    const auto who = who_runs();
    const Instant began = fleet.clock.now();
    const Result<std::int64_t> number =
        ledger.start_run(run_start(id, planned, options, began, who));
    if (!number) {
        refuse_without_ledger(number.error());
        return exit_refused;
    }
    openlog("drill", LOG_PID, LOG_USER);
    syslog(LOG_NOTICE, "run %lld %s of %s begins, plan %s, chain head %s",
           static_cast<long long>(*number), id.c_str(), planned.plan.experiment.c_str(),
           planned.plan.hash.c_str(), ledger.head().c_str());
    const auto sampler =
        make_sampler(std::move(probes), fleet.clock, fleet.command_runner(planned.plan.hosts));
    Conductor conductor(conductor_input(planned, options, id, *number, short_name(who)));
    Progress shown;
    const std::string state = state_directory(globals);
    InboxWatch inbox(state, id, fleet.mailbox);
    const EnterWatch enter(options.hold, fleet.mailbox);
    signals.listen(fleet.mailbox, [&shown] { return shown.open(); });
    progress("run " + std::to_string(*number) + "  " + planned.plan.experiment + "  environment " +
             planned.plan.environment + "  plan " + planned.plan.hash.substr(0, 12));
    const RunnerReport report =
        drill::run([&](const Instant& now,
                       std::vector<News> news) { return conductor.turn(now, std::move(news)); },
                   {.clock = fleet.clock,
                    .mailbox = fleet.mailbox,
                    .transport = fleet.transport(),
                    .ledger = ledger,
                    .sampler = sampler.get(),
                    .show = [&](const Event& event) {
                        // The answer to `drill halt` comes before a terminal that may block.
                        inbox.shown(event);
                        shown.show(event, conductor);
                    }});
    sampler->stop();
    signals.listen(fleet.mailbox, {});  // `shown` ends with this function
    Outcome outcome = conductor.outcome();
    if (!report.complete) { not_recorded(outcome, report.ledger_problem); }
    const Status finished =
        ledger.finish_run(outcome.verdict, outcome_to_json(outcome), fleet.clock.now());
    if (!finished && report.complete) { not_recorded(outcome, finished.error().text()); }
    syslog(LOG_NOTICE, "run %lld %s of %s: %s, chain head %s", static_cast<long long>(*number),
           id.c_str(), planned.plan.experiment.c_str(), name_of(outcome.verdict),
           ledger.head().c_str());
    if (const Result<LedgerReader> reader = LedgerReader::open(state)) {
        (void)file_letters(state, *reader, ledger, fleet.clock.now());
    }
    const int exit = exit_code_of(outcome.verdict);
    print(render_report({.outcome = std::move(outcome),
                         .plan = &planned.plan,
                         .experiment = planned.plan.experiment,
                         .run_id = id,
                         .number = *number,
                         .began = began.wall,
                         .by = short_name(who),
                         .ledger = ledger.path()},
                        page_style(globals)));
    return exit;
}

}  // namespace

int run(const Globals& globals, const RunOptions& options) {
    if (const Status safe = forbid_core_dumps(); !safe) { complain(safe.error()); }
    if (!options.hold.empty() && (globals.no_input || !has_person())) {
        complain("--hold " + options.hold +
                 " waits for Enter, and there is no terminal to press it on. Nothing was touched. "
                 "A hold of a fixed time stands in the file: hold = ...");
        return exit_usage;
    }
    Signals signals;
    Fleet fleet;
    signals.listen(fleet.mailbox, {});
    int exit = exit_ok;
    const std::string state = state_directory(globals);
    if (runs_are_blocked(state) || another_is_alive(state)) { return exit_refused; }
    const std::optional<Planned> planned =
        plan_live(globals, fleet, options.file, options.seed, exit);
    if (!planned) {
        if (exit == exit_refused) { name_dead_runs(state); }
        return exit;
    }
    if (!can_be_held(planned->plan, options.hold)) { return exit_usage; }
    if (leases_in_the_way(globals, state, planned->plan, fleet)) { return exit_refused; }
    if (!confirmed(globals, options, planned->plan)) { return exit_refused; }
    auto probes = plan_probes(planned->plan.probes, probe_kinds());  // reads their secrets
    if (!probes) {
        complain(probes.error());
        progress("REFUSED. Nothing was touched.");
        return exit_refused;
    }
    const std::string id = random_id(10);
    auto ledger = SqliteLedger::open_writer(state, this_writer(id, "run"));
    if (!ledger) {
        refuse_without_ledger(ledger.error());
        return exit_refused;
    }
    if (runs_are_blocked(state)) { return exit_refused; }
    return carry_out(globals, options, fleet, signals, *planned, *std::move(probes), **ledger, id);
}

}  // namespace drill::cli
