// The command line: parses flags (the only user of CLI11) and calls one verb.
// Must not: do anything a verb should do. Next: verbs.hpp.
#include "base/text.hpp"
#include "cli/reading_verbs.hpp"
#include "cli/session.hpp"
#include "cli/verbs.hpp"

#include <CLI/CLI.hpp>

#include <fcntl.h>
#include <unistd.h>
#include <clocale>
#include <exception>

namespace drill::cli {
namespace {

const std::vector<std::string> verbs{
    "init",  "doctor", "validate", "plan", "run",   "undo",    "halt",   "unblock", "watch", "note",
    "close", "sweep",  "ls",       "show", "trust", "explain", "schema", "verify",  "report"};

/// CLI11 says only that a subcommand is required; a mistyped verb deserves its name.
std::optional<std::string> mistyped_verb(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--config" || word == "--state" || word == "--color") {
            ++i;
            continue;
        }
        if (word.starts_with('-')) { continue; }
        const bool known = std::find(verbs.begin(), verbs.end(), word) != verbs.end();
        if (known) { return std::nullopt; }
        const auto near = nearest(word, verbs);
        return "`" + std::string(word) + "` is not a verb of drill" +
               (near ? "; did you mean `drill " + *near + "`?" : "; see `drill --help`");
    }
    return std::nullopt;
}

void add_globals(CLI::App& app, Globals& globals) {
    app.add_option("--config", globals.config,
                   "The catalog; else $DRILL_CONFIG, else\nthe nearest drill.toml upward")
        ->type_name("FILE");
    app.add_option("--state", globals.state,
                   "Where the ledger is; else $DRILL_STATE,\n$STATE_DIRECTORY, /var/lib/drill for "
                   "root,\n~/.local/state/drill")
        ->type_name("DIR");
    app.add_option("--color", globals.color, "auto, always or never")
        ->check(CLI::IsMember({"auto", "always", "never"}))
        ->type_name("WHEN");
    app.add_flag("--ascii", globals.ascii, "No characters beyond ASCII");
    app.add_flag("--no-input", globals.no_input, "Never ask; what needs an answer is refused");
}

const char* const footer =
    "First steps:\n"
    "  drill init          a catalog and a first experiment\n"
    "  drill doctor        can your hosts be used, and what is missing\n"
    "  drill validate experiments/hello.toml\n"
    "  drill plan experiments/hello.toml\n"
    "  drill run experiments/hello.toml\n"
    "At 3 in the morning:\n"
    "  drill ls            what ran, and what is still open\n"
    "  drill halt          end the run that goes on, and undo its changes\n"
    "  drill undo          end and prove whatever a dead run left open\n\n"
    "Exit codes: 0 good or PASSED, 1 FAILED, 2 usage or file, 3 REFUSED,\n"
    "4 HALTED, 5 INVALID, 6 DIRTY (an undo is not proven), 70 internal error.\n"
    "More of a verb: drill VERB --help";

/// Examples and exit codes of one verb. CLI11 does not fold: lines of 80 columns at most.
std::string more(const std::string& examples, const std::string& exits) {
    return "Examples:\n" + examples + "\nExit codes:\n" + exits +
           "\nOptions of every verb: drill --help";
}

CLI::App* add_verb(CLI::App& app, const char* name, const char* says, const std::string& below) {
    CLI::App* verb = app.add_subcommand(name, says);
    verb->footer(below);
    return verb;
}

void add_validate(CLI::App& app, std::vector<std::string>& files, std::string& format) {
    CLI::App* verb = add_verb(app, "validate", "Check experiments; asks no host",
                              more("  drill validate experiments/hello.toml\n"
                                   "  drill validate experiments/*.toml --config lab/drill.toml\n",
                                   "  0 no errors, 2 errors, all of them shown\n"));
    verb->add_option("FILE", files, "Experiments")->required()->type_name("");
    verb->add_option("--format", format, "human, json, github or sarif")
        ->check(CLI::IsMember({"human", "json", "github", "sarif"}))
        ->type_name("WORD");
}

void add_plan(CLI::App& app, PlanOptions& options) {
    CLI::App* verb = add_verb(app, "plan", "Show what a run would do; changes nothing",
                              more("  drill plan experiments/hello.toml -v\n"
                                   "  drill plan experiments/hello.toml -o hello.plan\n",
                                   "  0 it can be run, 2 usage or file, 3 a gate is closed,\n"
                                   "  4 stopped by a signal\n"));
    verb->add_option("FILE", options.file, "An experiment, or a plan to make again")
        ->required()
        ->type_name("");
    verb->add_option("-o,--output", options.output, "Write the plan, for `drill run PLAN`")
        ->type_name("PLAN");
    verb->add_option("--diff", options.diff, "Show what differs from this older plan")
        ->type_name("PLAN");
    verb->add_option("--seed", options.seed, "Of the picks; else drawn, and recorded")
        ->type_name("N");
    verb->add_flag("-v,--verbose", options.verbose, "With the exact commands and their undo");
}

void add_run(CLI::App& app, RunOptions& options) {
    CLI::App* verb =
        add_verb(app, "run", "Carry out an experiment or a plan, and undo it",
                 more("  drill run experiments/hello.toml\n"
                      "  drill run hello.plan --confirm prod-dr1 --reason 'quarterly drill'\n",
                      "  0 PASSED   hypotheses held, every fault bit, every undo read back\n"
                      "  1 FAILED   measured: a hypothesis or an objective was missed\n"
                      "  2          usage or file; nothing was touched\n"
                      "  3 REFUSED  a gate said no; nothing was touched\n"
                      "  4 HALTED   by a person or a signal; everything is undone\n"
                      "  5 INVALID  nothing conclusive was measured; everything is undone\n"
                      "  6 DIRTY    an undo is not proven: a person is needed now\n"
                      "  70         internal error\n"));
    verb->add_option("FILE", options.file, "An experiment or a plan")->required()->type_name("");
    verb->add_option("--confirm", options.confirm, "The guarded environment, typed here")
        ->type_name("NAME");
    verb->add_option("--reason", options.reason, "Why; a guarded environment wants it")
        ->type_name("TEXT");
    verb->add_option("--seed", options.seed, "Of the picks; else drawn, and recorded")
        ->type_name("N");
    CLI::Option* rehearse =
        verb->add_flag("--rehearse", options.rehearse,
                       "Probes, gates and guards, but no fault;\nends as REHEARSED, exit code 0");
    verb->add_option("--hold", options.hold, "Hold this step until Enter, within\nlimit.longest")
        ->type_name("STEP")
        ->excludes(rehearse);
}

void add_undo(CLI::App& app, UndoOptions& options) {
    CLI::App* verb = add_verb(app, "undo", "End and prove whatever dead runs left open",
                              more("  drill undo\n"
                                   "  drill undo --target app-1 --step cut-off\n",
                                   "  0 what was asked for is proven to be undone, 2 no such\n"
                                   "  target or step is open, 6 not everything is proven\n"));
    verb->add_option("--target", options.target, "Only what is open on this host")
        ->type_name("HOST");
    verb->add_option("--step", options.step, "Only what this step left open")->type_name("STEP");
}

void add_halt(CLI::App& app, HaltOptions& options) {
    CLI::App* verb = add_verb(app, "halt", "End a run from elsewhere and undo its changes",
                              more("  drill halt --reason 'orders are failing'\n"
                                   "  drill halt --all --reason 'incident 4711'\n",
                                   "  0 nothing is left open, 2 no such run is running,\n"
                                   "  6 an undo is not proven, 70 runs could not be blocked\n"));
    CLI::Option* run =
        verb->add_option("RUN", options.run, "Number or id; else the one that runs")->type_name("");
    verb->add_flag("--all", options.all, "Whatever runs or is open; new runs wait for unblock")
        ->excludes(run);
    verb->add_option("--reason", options.reason, "Why; it is recorded")->type_name("TEXT");
}

void add_unblock(CLI::App& app) {
    add_verb(app, "unblock", "Let runs begin again after `drill halt --all`",
             more("  drill unblock\n"
                  "  drill unblock --state /var/lib/drill\n",
                  "  0 runs may begin, 70 the block could not be removed\n"));
}

void add_watch(CLI::App& app, std::string& run) {
    CLI::App* verb = add_verb(app, "watch", "Follow a run, line by line, until it ends",
                              more("  drill watch\n"
                                   "  drill watch 12\n",
                                   "  0 seen to its end, 2 no such run, 6 its controller is gone\n"
                                   "  and something is open, 70 the ledger cannot be read\n"));
    verb->add_option("RUN", run, "Number or id; else the one that runs, or the last")
        ->type_name("");
}

void add_note(CLI::App& app, std::vector<std::string>& words) {
    CLI::App* verb = add_verb(app, "note", "Keep a remark with a run",
                              more("  drill note 'the pager rang at 14:03'\n"
                                   "  drill note 12 'cache was cold, see ticket 4711'\n",
                                   "  0 it is kept, 2 usage or no such run, 70 not kept\n"));
    verb->add_option("TEXT", words, "[RUN] TEXT; without RUN: what runs, or the last run")
        ->required()
        ->expected(1, 2)
        ->type_name("");
}

void add_close(CLI::App& app, CloseOptions& options) {
    CLI::App* verb =
        add_verb(app, "close", "Attest that a lease is over which cannot be proven",
                 more("  drill close k3v9 --reason 'host was wiped, ticket 4711'\n"
                      "  drill close k3v9q1m2x8ab --reason 'looked on app-1: no table is there'\n",
                      "  0 recorded, 2 usage or no such lease, 3 REFUSED: it is over, or a\n"
                      "  run is at work; 70 it could not be recorded\n"));
    verb->add_option("LEASE", options.lease, "Its id or the beginning, as `drill ls` shows it")
        ->required()
        ->type_name("");
    verb->add_option("--reason", options.reason, "What was looked at; it is recorded")
        ->required()
        ->type_name("TEXT");
}

void add_init(CLI::App& app, std::string& from) {
    CLI::App* verb =
        add_verb(app, "init", "Write a catalog and a harmless experiment",
                 more("  drill init\n"
                      "  drill init --from ssh-config\n"
                      "  drill init --from ansible:hosts.yml --config new/drill.toml\n",
                      "  0 both are written, 2 usage or nothing to import,\n"
                      "  3 REFUSED: a file is there already, and stays as it is\n"));
    verb->add_option("--from", from,
                     "ssh-config (by ssh -G) or ansible:FILE\n"
                     "(by ansible-inventory); no secret is copied")
        ->type_name("SOURCE");
}

void add_doctor(CLI::App& app, DoctorOptions& options) {
    CLI::App* verb = add_verb(
        app, "doctor", "Ask hosts if a drill can run there; no change",
        more("  drill doctor\n"
             "  drill doctor app-1 --kind net-loss\n"
             "  drill doctor --sudoers\n",
             "  0 every host can be used (and has the kinds of --kind), 1 not,\n"
             "  2 usage or file, 4 stopped by a signal\n"
             "Tested on Debian 12. Expected by the versions of their parts, not tested:\n"
             "  Debian 13, Ubuntu 24.04, SLES 15 SP6   all kinds\n"
             "  RHEL 9, Ubuntu 22.04                   net-* with direction = \"in\" where\n"
             "                                         the kernel has no egress hook\n"
             "  RHEL 8, SLES 15 SP5, Ubuntu 20.04      net-* as far as nft and kernel go\n"));
    verb->add_option("HOST", options.hosts, "Names of the catalog; else all")->type_name("");
    verb->add_option("--kind", options.kinds, "A kind of fault that must be possible")
        ->type_name("KIND")
        ->expected(1)
        ->take_all();
    verb->add_flag("--sudoers", options.sudoers, "Print the sudoers lines that are needed");
    verb->add_option("--format", options.format, "human or json")
        ->check(CLI::IsMember({"human", "json"}))
        ->type_name("FORMAT");
    verb->add_flag("-v,--verbose", options.verbose, "Everything of each host, also of many");
}

void add_sweep(CLI::App& app, std::vector<std::string>& hosts) {
    CLI::App* verb = add_verb(app, "sweep", "Find and remove what carries our name on hosts",
                              more("  drill sweep app-1\n"
                                   "  drill sweep app-1 app-2 --config lab/drill.toml\n",
                                   "  0 nothing of drill is left there, 2 usage or file,\n"
                                   "  6 something is left, or a host did not answer\n"));
    verb->add_option("HOST", hosts, "Names of the catalog")->required()->type_name("");
}

void add_show(CLI::App& app, ShowOptions& options) {
    CLI::App* verb = add_verb(app, "show", "The report of a run, from the ledger alone",
                              more("  drill show 12\n"
                                   "  drill show 12 --events\n",
                                   "  0 shown, 2 no such run, 70 its record is damaged\n"));
    verb->add_option("RUN", options.run, "Number, id or the beginning of an id")
        ->required()
        ->type_name("");
    verb->add_flag("--events", options.events, "What happened, line by line");
    verb->add_flag("--json", options.json, "The outcome as JSON");
}

void add_trust(CLI::App& app, TrustOptions& options) {
    CLI::App* verb = add_verb(app, "trust", "Record the key of a host once you say it is right",
                              more("  drill trust app-1\n"
                                   "  drill trust app-1 --fingerprint SHA256:...\n",
                                   "  0 recorded, 2 usage or file, 3 not recorded\n"));
    verb->add_option("HOST", options.hosts, "Names of the catalog")->required()->type_name("");
    verb->add_option("--fingerprint", options.fingerprint, "Record only this key, unasked")
        ->type_name("SHA256:...");
    verb->add_flag("--replace", options.replace, "Take the place of a key that is recorded");
}

/// What CLI11 says of a mistake, with the help that fits.
int usage_error(const CLI::App& app, const CLI::ParseError& error) {
    const auto chosen = app.get_subcommands();
    std::string what = error.what();
    while (what.ends_with('\n') || what.ends_with('.')) { what.pop_back(); }
    if (chosen.empty() &&
        error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError)) {
        what = "which verb? one of " + join(verbs, ", ");
    }
    complain(what + ". Nothing was touched. Help: drill " +
             (chosen.empty() ? "" : chosen.front()->get_name() + " ") + "--help");
    return exit_usage;
}

int parse_and_run(int argc, char** argv) {
    Globals globals;
    PlanOptions plan_options;
    RunOptions run_options;
    ShowOptions show_options;
    DoctorOptions doctor_options;
    std::string init_from;
    TrustOptions trust_options;
    UndoOptions undo_options;
    HaltOptions halt_options;
    CloseOptions close_options;
    std::string watched;
    std::vector<std::string> words;
    std::vector<std::string> files;
    std::vector<std::string> hosts;

    CLI::App app{"drill breaks production on purpose, gets it back, and proves both.", "drill"};
    app.require_subcommand(1);
    app.fallthrough();
    app.set_version_flag("--version", std::string("drill ") + DRILL_VERSION, "Print the version");
    app.set_help_flag("-h,--help", "Print this help");
    app.get_formatter()->column_width(28);
    app.footer(footer);
    add_globals(app, globals);
    add_init(app, init_from);
    add_doctor(app, doctor_options);
    std::string format = "human";
    add_validate(app, files, format);
    add_plan(app, plan_options);
    add_run(app, run_options);
    add_undo(app, undo_options);
    add_halt(app, halt_options);
    add_unblock(app);
    add_watch(app, watched);
    add_note(app, words);
    add_close(app, close_options);
    add_sweep(app, hosts);
    add_verb(app, "ls", "The runs, and what is still open",
             more("  drill ls\n"
                  "  drill ls --state /var/lib/drill\n",
                  "  0 shown, 2 the ledger is not of this version, 70 it cannot be read\n"));
    add_show(app, show_options);
    add_trust(app, trust_options);
    ReadingVerbs reading;
    reading.add(app);

    if (const auto problem = mistyped_verb(argc, argv)) {
        complain(*problem);
        return exit_usage;
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() != 0) { return usage_error(app, error); }
        app.exit(error);  // prints help or version
        return exit_ok;
    }
    const std::string verb = app.get_subcommands().front()->get_name();
    if (const std::optional<int> exit = reading.run(verb, globals)) { return *exit; }
    if (verb == "init") { return init(globals, init_from); }
    if (verb == "doctor") { return doctor(globals, doctor_options); }
    if (verb == "validate") { return validate(globals, files, format); }
    if (verb == "plan") { return plan(globals, plan_options); }
    if (verb == "run") { return run(globals, run_options); }
    if (verb == "undo") { return undo(globals, undo_options); }
    if (verb == "halt") { return halt(globals, halt_options); }
    if (verb == "unblock") { return unblock(globals); }
    if (verb == "watch") { return watch(globals, watched); }
    if (verb == "note") {
        return note(globals, {.run = words.size() > 1 ? words.front() : "", .text = words.back()});
    }
    if (verb == "close") { return close_lease(globals, close_options); }
    if (verb == "sweep") { return sweep(globals, hosts); }
    if (verb == "ls") { return ls(globals); }
    if (verb == "show") { return show(globals, show_options); }
    return trust(globals, trust_options);
}

/// A closed standard stream would be given to the next file that is opened, and a report would be
/// written into a lock or a ledger.
void hold_standard_streams() {
    for (;;) {
        const int fd = open("/dev/null", O_RDWR);  // takes the lowest number that is free
        if (fd < 0) { return; }
        if (fd > STDERR_FILENO) {
            close(fd);
            return;
        }
    }
}

}  // namespace
}  // namespace drill::cli

int main(int argc, char** argv) {
    drill::cli::hold_standard_streams();
    std::setlocale(LC_CTYPE, "");
    try {
        return drill::cli::parse_and_run(argc, argv);
    } catch (const std::exception& error) {
        drill::cli::complain(std::string("internal error: ") + error.what() +
                             "\nTo see what may be open: drill ls. To end it: drill undo");
        return drill::cli::exit_internal;
    }
}
