// drill schema [experiment|catalog]: the shape of definition files, for editors and checks.
#include "config/schema.hpp"

#include "cli/session.hpp"
#include "cli/verbs.hpp"
#include "faults/kinds.hpp"
#include "probes/kinds.hpp"

namespace drill::cli {

int schema(const Globals& /*globals*/, const std::string& file) {
    const bool catalog = file == "catalog";
    print(schema_json(catalog ? DefinitionFile::catalog : DefinitionFile::experiment, fault_kinds(),
                      probe_kinds()));
    return exit_ok;
}

}  // namespace drill::cli
