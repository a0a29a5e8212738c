// drill validate FILE..: parses and checks against the catalog. Executes nothing, asks no host.
#include "cli/session.hpp"
#include "cli/verbs.hpp"
#include "config/loader.hpp"
#include "faults/kinds.hpp"
#include "probes/kinds.hpp"

namespace drill::cli {

int validate(const Globals& globals, const std::vector<std::string>& files) {
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

}  // namespace drill::cli
