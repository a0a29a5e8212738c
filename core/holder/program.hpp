// The holder as bytes, for pushing it to a target. Must not: run it here.
// Next: holder.cpp, what it does; faults/parts/holder.hpp, who pushes and starts it.
#pragma once

#include <string_view>

namespace drill {

struct HolderProgram {
    std::string_view bytes;   ///< a static program for Linux on x86-64; empty in other builds
    std::string_view sha256;  ///< lower-case hex; the name it has on targets
};
[[nodiscard]] const HolderProgram& holder_program();

}  // namespace drill
