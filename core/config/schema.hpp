// The shape of definition files as JSON Schema (draft-04, what editors for TOML understand), made
// from key_rules() and from the parameters of the kinds. It says what a schema can say: a file that
// it refuses is refused by the loader too; the loader also knows what values mean.
// Must not: be stricter than the loader. Next: keys.hpp; tests/config/schema_test.cpp.
#pragma once

#include "config/keys.hpp"
#include "model/kind.hpp"
#include "model/probe.hpp"

#include <string>

namespace drill {

/// Indented, sorted keys, ends with a newline; the same tables give the same bytes.
[[nodiscard]] std::string schema_json(DefinitionFile file, Kinds kinds, ProbeKinds probe_kinds);

}  // namespace drill
