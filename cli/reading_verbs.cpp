// See reading_verbs.hpp.
#include "cli/reading_verbs.hpp"

#include <CLI/CLI.hpp>

namespace drill::cli {

namespace {

/// Examples and exit codes below the help of a verb, as in main.cpp.
CLI::App* add_verb(CLI::App& app, const char* name, const char* says, const std::string& examples,
                   const std::string& exits) {
    CLI::App* verb = app.add_subcommand(name, says);
    verb->footer("Examples:\n" + examples + "\nExit codes:\n" + exits +
                 "\nOptions of every verb: drill --help");
    return verb;
}

}  // namespace

void ReadingVerbs::add(CLI::App& app) {
    CLI::App* explain = add_verb(app, "explain", "The manual of a code, key, kind or figure",
                                 "  drill explain\n"
                                 "  drill explain E0102\n"
                                 "  drill explain net-loss\n",
                                 "  0 shown, 2 there is no such topic\n");
    explain->add_option("TOPIC", topic_, "Without one: the list of topics")->type_name("");

    CLI::App* schema = add_verb(app, "schema", "JSON Schema of the files, for editors",
                                "  drill schema > drill-experiment.schema.json\n"
                                "  drill schema catalog\n",
                                "  0 printed, 2 usage\n");
    schema->add_option("FILE", schema_of_, "experiment (default) or catalog")
        ->check(CLI::IsMember({"experiment", "catalog"}))
        ->type_name("");

    CLI::App* report = add_verb(app, "report", "The result of a run, also for other programs",
                                "  drill report 12\n"
                                "  drill report 12 --format json\n"
                                "  drill report 12 --junit drill.xml\n",
                                "  0 shown, 2 no such run or no verdict yet, 70 its record is\n"
                                "  damaged. The verdict is in the report, not in the exit code\n");
    report->add_option("RUN", report_.run, "Number, id or its beginning")
        ->required()
        ->type_name("");
    report->add_option("--format", report_.format, "text or json")
        ->check(CLI::IsMember({"text", "json"}))
        ->type_name("WORD");
    report->add_option("--junit", report_.junit, "Write JUnit XML as well")->type_name("FILE");

    CLI::App* verify = add_verb(app, "verify", "Check that the ledger says what was recorded",
                                "  drill verify\n"
                                "  drill verify 12\n",
                                "  0 every chain holds, 1 something was changed, 2 no such run or\n"
                                "  ledger, 70 it cannot be read\n");
    verify->add_option("RUN", verify_run_, "Number, id or its beginning; else all runs")
        ->type_name("");
}

std::optional<int> ReadingVerbs::run(std::string_view verb, const Globals& globals) const {
    if (verb == "explain") { return explain(globals, topic_); }
    if (verb == "schema") { return schema(globals, schema_of_); }
    if (verb == "report") { return report(globals, report_); }
    if (verb == "verify") { return verify(globals, verify_run_); }
    return std::nullopt;
}

}  // namespace drill::cli
