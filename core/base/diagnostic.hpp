// Bad input as a list of located diagnostics, all at once, rendered as a good compiler does.
// Must not: know TOML. Next: config/ fills the list.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace drill {

enum class Severity : std::uint8_t { error, warning };

/// A place in a definition. Line and column count from 1; column and length are in code points;
/// line 0 = the file as a whole.
struct Place {
    std::string file;
    std::size_t line{0};
    std::size_t column{0};
    std::size_t length{1};
    friend bool operator==(const Place&, const Place&) = default;
};

struct Diagnostic {
    Severity severity{Severity::error};
    std::string code;  ///< "E0102"; stable, `E` + four digits
    Place place;
    std::string summary;  ///< "unknown key `timout` in [[probe]]"
    std::string label;    ///< text behind the carets, may be empty
    std::string help;     ///< "did you mean `timeout`?", may be empty
};

using Diagnostics = std::vector<Diagnostic>;

[[nodiscard]] bool has_errors(std::span<const Diagnostic> diagnostics) noexcept;

/// One diagnostic with its excerpt. `source` is the text of place.file ("" = no excerpt).
/// Output ends with a newline; control bytes of the source are escaped; tabs are kept one wide.
[[nodiscard]] std::string render(const Diagnostic& diagnostic, std::string_view source);

}  // namespace drill
