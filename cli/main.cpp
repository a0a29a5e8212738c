// The command line: parses flags (the only user of CLI11) and calls one verb.
// Must not: do anything a verb should do. Next: verbs.hpp.
#include "base/text.hpp"
#include "cli/session.hpp"
#include "cli/verbs.hpp"

#include <CLI/CLI.hpp>

#include <clocale>
#include <exception>
#include <functional>

namespace drill::cli {
namespace {

const std::vector<std::string> verbs{"validate", "plan", "run",  "undo",
                                     "sweep",    "ls",   "show", "trust"};

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
                   "The catalog. Default: $DRILL_CONFIG, else the nearest drill.toml upward");
    app.add_option(
        "--state", globals.state,
        "Directory of the ledger. Default: $DRILL_STATE, $STATE_DIRECTORY, /var/lib/drill");
    app.add_option("--color", globals.color, "auto, always or never")
        ->check(CLI::IsMember({"auto", "always", "never"}));
    app.add_flag("--ascii", globals.ascii, "No characters beyond ASCII");
    app.add_flag("--no-input", globals.no_input, "Never ask; what needs an answer is refused");
}

const char* const footer =
    "Exit codes of run: 0 PASSED, 1 FAILED, 2 usage or file, 3 REFUSED, 4 HALTED, 5 INVALID,\n"
    "6 DIRTY (something is not proven to be undone), 70 internal error.";

int parse_and_run(int argc, char** argv) {
    Globals globals;
    PlanOptions plan_options;
    RunOptions run_options;
    ShowOptions show_options;
    TrustOptions trust_options;
    std::vector<std::string> files;
    std::vector<std::string> hosts;
    std::function<int()> chosen;

    CLI::App app{"drill breaks production on purpose, gets it back, and proves both.", "drill"};
    app.require_subcommand(1);
    app.fallthrough();
    app.set_version_flag("--version", std::string("drill ") + DRILL_VERSION);
    app.footer(footer);
    add_globals(app, globals);

    CLI::App* verb = app.add_subcommand(
        "validate", "Check experiments against the catalog; asks no host. Exit 0 or 2.");
    verb->add_option("FILE", files, "Experiments")->required();
    verb->callback([&] { chosen = [&] { return validate(globals, files); }; });

    verb = app.add_subcommand(
        "plan",
        "Show exactly what a run would do; asks the hosts, changes nothing. Exit 0, 2 or 3.");
    verb->add_option("FILE", plan_options.file, "Experiment, or a plan to be made again")
        ->required();
    verb->add_option("-o,--output", plan_options.output, "Write the plan that `drill run` takes");
    verb->add_option("--diff", plan_options.diff, "Show the difference to this older plan");
    verb->add_option("--seed", plan_options.seed,
                     "Seed of the picks; default: drawn, and recorded");
    verb->add_flag("-v,--verbose", plan_options.verbose, "With the exact commands and their undo");
    verb->callback([&] { chosen = [&] { return plan(globals, plan_options); }; });

    verb = app.add_subcommand(
        "run", "Carry out an experiment or a plan, and undo everything. Exit codes below.");
    verb->add_option("FILE", run_options.file, "Experiment or plan")->required();
    verb->add_option("--confirm", run_options.confirm,
                     "Name of a guarded environment, in place of typing it");
    verb->add_option("--reason", run_options.reason,
                     "Why; required where the environment is guarded");
    verb->add_option("--seed", run_options.seed, "Seed of the picks; default: drawn, and recorded");
    verb->footer(footer);
    verb->callback([&] { chosen = [&] { return run(globals, run_options); }; });

    verb = app.add_subcommand("undo",
                              "End and prove whatever dead runs left open. Exit 0 proven, 6 not.");
    verb->callback([&] { chosen = [&] { return undo(globals); }; });

    verb = app.add_subcommand(
        "sweep", "Find and remove what carries our name on hosts, ledger or not. Exit 0 or 6.");
    verb->add_option("HOST", hosts, "Catalog names")->required();
    verb->callback([&] { chosen = [&] { return sweep(globals, hosts); }; });

    verb = app.add_subcommand("ls", "The runs, and the leases that are open.");
    verb->callback([&] { chosen = [&] { return ls(globals); }; });

    verb = app.add_subcommand("show", "The report of a run, from the ledger alone.");
    verb->add_option("RUN", show_options.run, "Number, id or the beginning of an id")->required();
    verb->add_flag("--events", show_options.events, "What happened, line by line");
    verb->add_flag("--json", show_options.json, "The outcome as JSON");
    verb->callback([&] { chosen = [&] { return show(globals, show_options); }; });

    verb = app.add_subcommand(
        "trust", "Show the key of a host and record it once you say that it is right.");
    verb->add_option("HOST", trust_options.hosts, "Catalog names")->required();
    verb->add_option("--fingerprint", trust_options.fingerprint,
                     "Record only this key (SHA256:...), without asking");
    verb->add_flag("--replace", trust_options.replace, "Take the place of a key that is recorded");
    verb->callback([&] { chosen = [&] { return trust(globals, trust_options); }; });

    if (const auto problem = mistyped_verb(argc, argv)) {
        complain(*problem);
        return exit_usage;
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int code = app.exit(error);  // prints help, version or what is wrong
        return code == 0 ? exit_ok : exit_usage;
    }
    return chosen ? chosen() : exit_usage;
}

}  // namespace
}  // namespace drill::cli

int main(int argc, char** argv) {
    std::setlocale(LC_CTYPE, "");
    try {
        return drill::cli::parse_and_run(argc, argv);
    } catch (const std::exception& error) {
        drill::cli::complain(std::string("internal error: ") + error.what() +
                             "\nwhat may be open: drill ls; end it: drill undo");
        return drill::cli::exit_internal;
    }
}
