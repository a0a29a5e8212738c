// The page of a kind (core/faults/*.md, core/probes/*.md) as it stands in the binary.
// Must not: be parsed for facts; what a kind takes is in its table of parameters.
// Next: report/markdown.hpp shows a page.
#pragma once

#include <span>
#include <string_view>

namespace drill {

struct KindPage {
    std::string_view name;  ///< of the kind, "net-loss"
    std::string_view text;  ///< Markdown, as in the repository
};
using KindPages = std::span<const KindPage>;

}  // namespace drill
