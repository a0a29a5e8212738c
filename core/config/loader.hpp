// Files to model: the catalog (drill.toml) and experiments. Every error of a file comes at once,
// sorted by place; after a syntax error only that one. Executes nothing and opens no connection.
// Format: design section 10; codes: codes.hpp. Must not: resolve selections (plan/).
// Next: experiment.cpp and catalog.cpp, one function for each table.
//
// Catalog: [environment] name class contact; [host.NAME] address addresses labels user port
// key = { file } known_hosts become become_password = { file | credential | command } transport
// jump; with transport = "openssh" what is not said of user, port and key, and known_hosts =
// "ssh_config", is left to ssh_config; [service.NAME] tier owner hosts rto rpo
// stateful.
// Paths are relative to the directory of the catalog; a leading ~/ is the home directory.
// Experiment: [experiment] name title service; [objective] rto rpo; [limit] hosts share of
// longest lease; [target.NAME] match pick; [[probe]] name kind every timeout + parameters;
// [[hypothesis]] probe before during regain; [[halt]] probe when; [[step]] name fault on with
// hold after cuts_control.
#pragma once

#include "base/diagnostic.hpp"
#include "base/result.hpp"
#include "model/definition.hpp"
#include "model/kind.hpp"
#include "model/probe.hpp"

#include <string>

namespace drill {

/// Usable only when !has_errors(diagnostics). `bytes` is set whenever the file could be read, so
/// that render() has its source.
struct LoadedCatalog {
    Catalog catalog;
    Diagnostics diagnostics;
};
struct LoadedExperiment {
    Experiment experiment;
    Diagnostics diagnostics;
};

/// Blocks on local files only: the catalog, its directory and the key files that it names.
/// A catalog that others could change is refused, as is a key file that others can read.
[[nodiscard]] LoadedCatalog load_catalog(const std::string& path);
/// `catalog` null: hosts, labels and services are not checked.
[[nodiscard]] LoadedExperiment load_experiment(const std::string& path, Kinds kinds,
                                               ProbeKinds probe_kinds, const Catalog* catalog);

/// The same from a text. `file` names it in diagnostics and gives the directory of a catalog.
enum class KeyFiles : std::uint8_t { skip, check };
[[nodiscard]] LoadedCatalog parse_catalog(const std::string& text, const std::string& file,
                                          KeyFiles key_files = KeyFiles::skip);
[[nodiscard]] LoadedExperiment parse_experiment(const std::string& text, const std::string& file,
                                                Kinds kinds, ProbeKinds probe_kinds,
                                                const Catalog* catalog);

/// The catalog to use, absolute: `flag` (--config), else $DRILL_CONFIG, else the nearest
/// drill.toml from `from_directory` upward, no further than the home directory or a directory
/// with .git. Code::not_found names what was looked for.
[[nodiscard]] Result<std::string> find_catalog(const std::string& flag,
                                               const std::string& from_directory);

}  // namespace drill
