// The table of fault kinds. CMake makes it from the files of this folder, sorted by name.
// Must not: be edited when a kind is added; a kind is its own .cpp, its page and its test.
// Next: noop.md, the guide to writing one.
#pragma once

#include "model/kind.hpp"
#include "model/kind_page.hpp"

namespace drill {

[[nodiscard]] Kinds fault_kinds();
/// Their pages, sorted by name.
[[nodiscard]] KindPages fault_pages();

}  // namespace drill
