// A page of text for a terminal: folded to its width, escaped, with colours and glyphs that
// never carry a meaning alone. Must not: decide what to say, or write anywhere.
// Next: text.hpp (reports), plan/render.hpp (plans).
#pragma once

#include "base/instant.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace drill {

struct PageStyle {
    std::size_t width{80};  ///< columns; at least 40 are used
    bool color{false};
    bool ascii{false};  ///< every character outside of ASCII is replaced
};

enum class Ink : std::uint8_t { plain, good, bad, doubt, dim, strong };
enum class Mark : std::uint8_t { good, bad, doubt, dot };

/// Columns that a text takes; our own colour codes take none.
[[nodiscard]] std::size_t visible_width(std::string_view text);

/// Breaks at blanks so that no line is wider than `width`; longer words are cut. Later lines
/// begin with `indent` blanks, leading blanks of the first line stay.
[[nodiscard]] std::string fold(std::string_view text, std::size_t width, std::size_t indent);

/// Gathers lines. What comes from outside of this program goes through `safe` first: the page
/// keeps colour codes, so it cannot tell them from those of a hostile host.
class Page {
public:
    explicit Page(PageStyle style);
    [[nodiscard]] std::string ink(Ink ink, std::string_view text) const;
    /// "✓", "✗", "?", "·"; in ASCII "ok", "NO", "??", "-". Coloured.
    [[nodiscard]] std::string mark(Mark mark) const;
    /// One line, folded with a hanging indent.
    void line(std::string_view text, std::size_t hanging = 4);
    void blank();
    /// `label` at `indent`, the text folded in a column behind it.
    void field(std::string_view label, std::string_view text, std::size_t indent = 2,
               std::size_t column = 16);
    /// As it is, never folded (commands that a person copies).
    void verbatim(std::string_view text);
    /// Columns padded to the widest cell; the last one is folded. Every row has as many cells.
    void table(std::span<const std::vector<std::string>> rows, std::size_t indent = 2);
    [[nodiscard]] const PageStyle& style() const { return style_; }
    [[nodiscard]] std::string text() const;

private:
    PageStyle style_;
    std::string out_;
};

/// One line of text from outside, made visible.
[[nodiscard]] std::string safe(std::string_view text);
/// A time as somebody set it, exactly: "10 s", "1 m 30 s" (a measured one is rounded).
[[nodiscard]] std::string exact_duration(Nanos span);
/// "1 host", "2 hosts".
[[nodiscard]] std::string counted(std::size_t count, std::string_view noun);

}  // namespace drill
