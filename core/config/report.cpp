// See report.hpp.
#include "config/report.hpp"

#include "base/text.hpp"
#include "config/codes.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace drill {

namespace {
// A person mends a few errors at a time; a broken generator makes one for every line.
constexpr std::size_t most_diagnostics = 1000;
// Comparisons for "did you mean": each costs up to 64 x 64 steps, so that all of them together
// stay well below a second.
constexpr std::size_t most_comparisons = 50'000;
constexpr std::size_t longest_word = 80;
constexpr std::size_t most_words = 20;
}  // namespace

Diagnostic& Report::add(Severity severity, std::string_view code, Spot spot) {
    if (found_.size() >= most_diagnostics) {
        ++dropped_;
        return spare_;
    }
    Diagnostic& one = found_.emplace_back();
    one.severity = severity;
    one.code = code;
    one.place = place(spot);
    return one;
}

Diagnostic& Report::error(std::string_view code, Spot spot, std::string summary, std::string help) {
    Diagnostic& one = add(Severity::error, code, spot);
    one.summary = std::move(summary);
    one.help = std::move(help);
    return one;
}

Diagnostic& Report::warning(std::string_view code, Spot spot, std::string summary,
                            std::string help) {
    Diagnostic& one = add(Severity::warning, code, spot);
    one.summary = std::move(summary);
    one.help = std::move(help);
    return one;
}

bool Report::full() const { return found_.size() >= most_diagnostics; }

Place Report::place(Spot spot) const { return {file_, spot.line, spot.column, spot.length}; }

std::string Report::did_you_mean(std::string_view word, std::span<const std::string> candidates,
                                 std::string otherwise) {
    if (compared_ + candidates.size() > most_comparisons) { return otherwise; }
    compared_ += candidates.size();
    const std::optional<std::string> near = nearest(word, candidates);
    return near ? "did you mean `" + *near + "`?" : otherwise;
}

Diagnostics Report::take() {
    std::stable_sort(found_.begin(), found_.end(), [](const Diagnostic& a, const Diagnostic& b) {
        return std::tie(a.place.line, a.place.column) < std::tie(b.place.line, b.place.column);
    });
    if (dropped_ > 0) {
        Diagnostic more;
        more.code = codes::too_many_errors;
        more.place = place({});
        more.summary = std::to_string(dropped_) + " more errors are not shown";
        found_.push_back(std::move(more));
    }
    dropped_ = 0;
    return std::exchange(found_, {});
}

std::string ticked(std::string_view text) {
    std::size_t end = std::min(text.size(), longest_word);
    while (end < text.size() && end > 0 &&
           (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) {
        --end;  // not in the middle of a code point
    }
    return "`" + std::string(text.substr(0, end)) + (end < text.size() ? "...`" : "`");
}

std::string one_of(std::span<const std::string> words) {
    std::string out;
    for (std::size_t i = 0; i < words.size() && i < most_words; ++i) {
        if (i > 0) { out += i + 1 == words.size() ? " or " : ", "; }
        out += ticked(words[i]);
    }
    return words.size() > most_words ? out + ", ..." : out;
}

}  // namespace drill
