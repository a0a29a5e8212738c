// The table of probe kinds. CMake makes it from the files of this folder, sorted by name.
// Must not: be edited when a kind is added; a kind is its own .cpp, its page and its test.
// Next: tcp.cpp, the smallest kind; model/probe.hpp, the contract.
#pragma once

#include "model/kind_page.hpp"
#include "model/probe.hpp"

namespace drill {

[[nodiscard]] ProbeKinds probe_kinds();
/// Their pages, sorted by name.
[[nodiscard]] KindPages probe_pages();

}  // namespace drill
