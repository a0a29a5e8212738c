// drill validate FILE..: parses and checks against the catalog. Executes nothing, asks no host.
#include "cli/session.hpp"
#include "cli/verbs.hpp"
#include "config/diagnostic_formats.hpp"
#include "config/files.hpp"
#include "config/loader.hpp"
#include "faults/kinds.hpp"
#include "probes/kinds.hpp"

namespace drill::cli {

namespace {

int validate_for_people(const Globals& globals, const std::vector<std::string>& files) {
    const std::optional<Catalog> catalog = open_catalog(globals);
    if (!catalog) { return exit_usage; }
    int exit = exit_ok;
    for (const std::string& file : files) {
        const LoadedExperiment loaded =
            load_experiment(file, fault_kinds(), probe_kinds(), &*catalog);
        if (!loaded.diagnostics.empty()) {
            show_diagnostics(loaded.diagnostics, file, loaded.experiment.bytes);
        }
        if (has_errors(loaded.diagnostics)) {
            exit = exit_usage;
        } else {
            print(file + ": ok\n");
        }
    }
    return exit;
}

/// The catalog counts as a file of its own; with errors in it nothing else is judged.
Result<std::vector<FileDiagnostics>> examine(const Globals& globals,
                                             const std::vector<std::string>& files) {
    DRILL_TRY(const std::string path, find_catalog(globals.config, absolute_path(".")));
    LoadedCatalog catalog = load_catalog(path);
    std::vector<FileDiagnostics> found;
    const bool sound = !has_errors(catalog.diagnostics);
    found.push_back({path, std::move(catalog.diagnostics)});
    if (!sound) { return found; }
    for (const std::string& file : files) {
        found.push_back(
            {file,
             load_experiment(file, fault_kinds(), probe_kinds(), &catalog.catalog).diagnostics});
    }
    return found;
}

}  // namespace

int validate(const Globals& globals, const std::vector<std::string>& files,
             const std::string& format) {
    if (format == "human") { return validate_for_people(globals, files); }
    const Result<std::vector<FileDiagnostics>> found = examine(globals, files);
    if (!found) {
        complain(found.error());
        return exit_usage;
    }
    if (format == "json") { print(diagnostics_to_json(*found)); }
    if (format == "github") { print(diagnostics_to_github(*found)); }
    if (format == "sarif") { print(diagnostics_to_sarif(*found, DRILL_VERSION)); }
    for (const FileDiagnostics& one : *found) {
        if (has_errors(one.diagnostics)) { return exit_usage; }
    }
    return exit_ok;
}

}  // namespace drill::cli
