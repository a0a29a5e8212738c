// What `drill explain CODE` says beyond the one line of codes.hpp: why the rule is there, a line
// that breaks it and one that keeps it. Every code of codes.hpp has its row here; a test walks
// them. Must not: repeat the meaning. Next: manual.hpp.
#pragma once

#include <span>
#include <string_view>

namespace drill {

struct CodeHelp {
    std::string_view code;
    std::string_view why;  ///< the reason, and what to do
    std::string_view
        wrong;  ///< TOML that gives this code, "" where the file's text is not at fault
    std::string_view right;  ///< the same, mended
};

[[nodiscard]] std::span<const CodeHelp> code_helps();

}  // namespace drill
