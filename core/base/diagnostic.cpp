// See diagnostic.hpp. The excerpt is bounded, so that a file which is one huge line prints as
// readily as any other.
#include "base/diagnostic.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace drill {

namespace {

// Of a longer line only the part around the carets is shown: two terminal lines are enough.
constexpr std::size_t longest_excerpt = 160;
constexpr std::size_t kept_before = 60;

/// Bytes of the code point at `at`; a stray continuation byte belongs to what stands before it.
std::size_t point_length(std::string_view text, std::size_t at) {
    std::size_t end = at + 1;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) { ++end; }
    return end - at;
}

std::vector<std::string_view> points_of(std::string_view line) {
    std::vector<std::string_view> points;
    for (std::size_t at = 0; at < line.size();) {
        const std::size_t length = point_length(line, at);
        points.push_back(line.substr(at, length));
        at += length;
    }
    return points;
}

/// Line `number` without its end, or nothing when the source is shorter.
std::string_view line_of(std::string_view source, std::size_t number) {
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (source.starts_with(byte_order_mark)) { source.remove_prefix(byte_order_mark.size()); }
    for (std::size_t line = 1; line < number; ++line) {
        const std::size_t end = source.find('\n');
        if (end == std::string_view::npos) { return {}; }
        source.remove_prefix(end + 1);
    }
    source = source.substr(0, source.find('\n'));
    if (source.ends_with('\r')) { source.remove_suffix(1); }
    return source;
}

std::string shown(std::string_view point) {
    return point == "\t" ? std::string(" ") : escape_control(point, Lines::one);
}

struct Excerpt {
    std::string text;
    std::string carets;
};

Excerpt excerpt_of(std::string_view line, const Place& place) {
    const std::vector<std::string_view> points = points_of(line);
    const std::size_t column = place.column == 0 ? 0 : std::min(place.column - 1, points.size());
    const bool cut = points.size() > longest_excerpt;
    const std::size_t from = cut && column > kept_before ? column - kept_before : 0;
    const std::size_t to = cut ? std::min(points.size(), from + longest_excerpt) : points.size();
    const std::size_t end = std::min(to, column + std::min(place.length, points.size()));

    Excerpt out;
    if (from > 0) { out.text = out.carets = "..."; }
    std::fill(out.carets.begin(), out.carets.end(), ' ');
    for (std::size_t i = from; i < to; ++i) {
        const std::string piece = shown(points[i]);
        const std::size_t columns = width(piece);
        out.text += piece;
        if (i < column) { out.carets.append(columns, ' '); }
        if (i >= column && i < end) { out.carets.append(columns, '^'); }
    }
    if (end <= column) { out.carets += '^'; }  // past the end of the line, or of no length
    if (to < points.size()) { out.text += "..."; }
    return out;
}

/// "  = help: first line", further lines below it.
std::string note_lines(std::string_view pad, std::string_view help) {
    std::string out;
    const std::vector<std::string> lines = split(help, '\n');
    for (std::size_t i = 0; i < lines.size(); ++i) {
        out += pad;
        out += i == 0 ? " = help: " : "         ";
        out += escape_control(lines[i], Lines::one) + '\n';
    }
    return out;
}

}  // namespace

bool has_errors(std::span<const Diagnostic> diagnostics) noexcept {
    return std::any_of(diagnostics.begin(), diagnostics.end(),
                       [](const Diagnostic& one) { return one.severity == Severity::error; });
}

std::string render(const Diagnostic& diagnostic, std::string_view source) {
    const Place& place = diagnostic.place;
    std::string out = diagnostic.severity == Severity::error ? "error" : "warning";
    if (!diagnostic.code.empty()) { out += '[' + diagnostic.code + ']'; }
    out += ": " + escape_control(diagnostic.summary, Lines::one) + '\n';

    const std::string number = std::to_string(place.line);
    const std::string pad(place.line == 0 ? 1 : number.size(), ' ');
    const std::string file = escape_control(place.file, Lines::one);
    if (place.line == 0) {
        out += pad + "--> " + file + '\n';
    } else {
        out += pad + "--> " + file + ':' + number + ':' + std::to_string(place.column) + '\n';
        if (!source.empty()) {
            const Excerpt excerpt = excerpt_of(line_of(source, place.line), place);
            out += pad + " |\n";
            out += number + " |" + (excerpt.text.empty() ? "" : " ") + excerpt.text + '\n';
            out += pad + " | " + excerpt.carets;
            if (!diagnostic.label.empty()) {
                out += ' ' + escape_control(diagnostic.label, Lines::one);
            }
            out += '\n';
        }
    }
    if (!diagnostic.help.empty()) { out += note_lines(pad, diagnostic.help); }
    return out;
}

}  // namespace drill
