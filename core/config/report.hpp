// Collects the diagnostics of one file and hands them out sorted by place.
// Must not: know TOML or the model. Next: document.hpp (the tree), reader.hpp (typed reading).
#pragma once

#include "base/diagnostic.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace drill {

/// A place within the file at hand, as in Place; line 0 = the file as a whole.
struct Spot {
    std::size_t line{0};
    std::size_t column{0};
    std::size_t length{1};
};

class Report {
public:
    explicit Report(std::string file) : file_(std::move(file)) {}

    /// The reference lets callers add a label; it holds until the next call.
    Diagnostic& error(std::string_view code, Spot spot, std::string summary, std::string help = {});
    Diagnostic& warning(std::string_view code, Spot spot, std::string summary,
                        std::string help = {});

    [[nodiscard]] Place place(Spot spot) const;
    /// "did you mean `x`?" or `otherwise`. Bounded per file: past the budget only `otherwise`.
    [[nodiscard]] std::string did_you_mean(std::string_view word,
                                           std::span<const std::string> candidates,
                                           std::string otherwise = {});
    /// No further diagnostic will be kept: costly explanations may be left out.
    [[nodiscard]] bool full() const;
    [[nodiscard]] bool failed() const { return has_errors(found_); }
    /// All of them, sorted by line and column; leaves the report empty.
    [[nodiscard]] Diagnostics take();

private:
    Diagnostic& add(Severity severity, std::string_view code, Spot spot);

    std::string file_;
    Diagnostics found_;
    Diagnostic spare_;  // takes what is over the cap
    std::size_t dropped_{0};
    std::size_t compared_{0};
};

/// "`x`" with a bound, as it stands in summaries.
[[nodiscard]] std::string ticked(std::string_view text);
/// "a, b or c", each ticked; at most 20 of them.
[[nodiscard]] std::string one_of(std::span<const std::string> words);

}  // namespace drill
