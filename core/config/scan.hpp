// A cheap look at the text of a TOML file before the parser sees it: nesting, number of entries,
// control bytes, strings and brackets that are never closed. Lenient: whatever it does not know
// it leaves to the parser, and it finds nothing wrong in valid TOML within the caps.
#pragma once

#include "config/document.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace drill {

/// A key or table header as it stands in the text.
struct ScannedKey {
    std::string path;  ///< parts joined by U+001F, with those of the tables around it
    std::string text;  ///< as written, bounded
    Spot spot;
    std::size_t value_at{0};  ///< byte offset behind `=` and blanks; 0 for a header
};

struct Scan {
    bool sound{true};  ///< false: an error is in the report, do not parse
    std::vector<ScannedKey> keys;
};

[[nodiscard]] Scan scan_text(std::string_view text, const Caps& caps, Report& report);

}  // namespace drill
