// A page of the manual for a terminal: the small part of Markdown that our pages use.
// Must not: show text from outside of this program; pages are ours. Next: page.hpp.
#pragma once

#include "report/page.hpp"

#include <string>
#include <string_view>

namespace drill {

/// Headings, paragraphs, lists, tables and fenced code; links show their text. Paragraphs and
/// lists are folded to the width; a row of a table becomes a paragraph of its own; code is never
/// folded. Ends with a newline.
[[nodiscard]] std::string render_markdown(std::string_view text, PageStyle style);

}  // namespace drill
