// See syntax.hpp.
#include "config/syntax.hpp"

#include "base/text.hpp"
#include "config/codes.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace drill {

namespace {

/// The line with the error, and the piece of it that is the value there.
struct Around {
    std::string_view line;
    std::size_t line_at{0};          ///< byte offset of the line
    std::size_t error_at{0};         ///< byte offset of the error within the line
    std::string_view value;          ///< trimmed, without a comment; may be empty
    std::size_t value_at{0};         ///< byte offset within the line
    bool in_value{false};            ///< false: what stands there is no value but a key or header
    const ScannedKey* key{nullptr};  ///< the last key at or before the error, on its line
};

std::size_t offset_of_line(std::string_view text, std::size_t line) {
    std::size_t at = 0;
    for (std::size_t n = 1; n < line; ++n) {
        const std::size_t end = text.find('\n', at);
        if (end == std::string_view::npos) { return text.size(); }
        at = end + 1;
    }
    return at;
}

std::size_t byte_of_column(std::string_view line, std::size_t column) {
    std::size_t at = 0;
    for (std::size_t n = 1; n < column && at < line.size(); ++n) {
        ++at;
        while (at < line.size() && (static_cast<unsigned char>(line[at]) & 0xc0U) == 0x80U) {
            ++at;
        }
    }
    return at;
}

Around look_around(std::string_view text, const Scan& scan, Spot at) {
    Around out;
    out.line_at = offset_of_line(text, at.line);
    out.line = text.substr(out.line_at);
    out.line = out.line.substr(0, out.line.find('\n'));
    if (out.line.ends_with('\r')) { out.line.remove_suffix(1); }
    out.error_at = byte_of_column(out.line, at.column);

    const ScannedKey* before = nullptr;  // the last key on an earlier line
    for (const ScannedKey& key : scan.keys) {
        if (key.spot.line < at.line) { before = &key; }
        if (key.spot.line != at.line) { continue; }
        if (key.spot.column <= at.column || out.key == nullptr) { out.key = &key; }
    }
    std::size_t from = 0;
    const bool has_value = out.key != nullptr && out.key->value_at > out.line_at &&
                           out.key->value_at <= out.line_at + out.line.size();
    const bool within_array = out.key == nullptr && before != nullptr && before->value_at != 0 &&
                              before->value_at < text.size() && text[before->value_at] == '[';
    out.in_value = has_value || within_array;
    if (has_value) { from = out.key->value_at - out.line_at; }
    const char first = from < out.line.size() ? out.line[from] : '\0';
    if (!has_value || first == '[' || first == '{') {
        const std::size_t last = out.line.substr(0, out.error_at).find_last_of("=,[{");
        from = last == std::string_view::npos ? 0 : last + 1;
    }
    std::size_t to = out.line.find_first_of(",]}#", std::max(from, out.error_at));
    if (to == std::string_view::npos) { to = out.line.size(); }
    const std::string_view raw = out.line.substr(from, to - from);
    out.value = trim(raw);
    out.value_at = out.value.empty() ? from : from + raw.find(out.value.front());
    return out;
}

Spot spot_of_value(const Around& around, std::size_t line) {
    return {line, width(around.line.substr(0, around.value_at)) + 1,
            std::max<std::size_t>(1, width(around.value))};
}

std::string quoted_line(const Around& around) {
    const std::string key = around.key == nullptr ? std::string() : around.key->text + " = ";
    return key + '"' + std::string(around.value) + '"';
}

/// A value that only lacks its quotes. False when it is none.
bool report_bare_value(const Around& around, std::size_t line, Report& report) {
    const std::string_view value = around.value;
    constexpr std::size_t longest_value = 200;
    if (!around.in_value || value.empty() || value.size() > longest_value || value.front() == '"' ||
        value.front() == '\'' || value.find_first_of("\"\\") != std::string_view::npos) {
        return false;
    }
    const Spot spot = spot_of_value(around, line);
    if (parse_duration(value)) {
        report.error(codes::bare_duration, spot, "a duration needs quotes", quoted_line(around));
        return true;
    }
    if (parse_percent(value)) {
        report.error(codes::bare_percent, spot, "a percentage needs quotes", quoted_line(around));
        return true;
    }
    std::string lower(value);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    constexpr std::array<std::string_view, 4> yes{"true", "yes", "on", "enabled"};
    constexpr std::array<std::string_view, 4> no{"false", "no", "off", "disabled"};
    const bool is_yes = std::find(yes.begin(), yes.end(), lower) != yes.end();
    const bool is_no = std::find(no.begin(), no.end(), lower) != no.end();
    if (is_yes || is_no) {
        report.error(codes::bare_word, spot, ticked(value) + " is not a value",
                     std::string("write ") + (is_yes ? "true" : "false") + ", or \"" +
                         std::string(value) + "\" for the text");
        return true;
    }
    const auto first = static_cast<unsigned char>(value.front());
    if (std::isalpha(first) != 0 || first >= 0x80 || first == '/' || first == '~' || first == '_' ||
        first == '*') {
        report.error(codes::bare_word, spot, "a text needs quotes", quoted_line(around));
        return true;
    }
    return false;
}

void report_duplicate(const Scan& scan, const Around& around, Spot at, Report& report) {
    if (around.key == nullptr) {
        report.error(codes::duplicate_key, at, "this key is given twice");
        return;
    }
    const ScannedKey& again = *around.key;
    const ScannedKey* first = nullptr;
    for (const ScannedKey& key : scan.keys) {
        if (&key == &again) { break; }
        const bool below = key.path.size() > again.path.size() &&
                           key.path.starts_with(again.path) &&
                           key.path[again.path.size()] == '\x1f';
        const bool above = again.path.size() > key.path.size() && key.value_at != 0 &&
                           again.path.starts_with(key.path) &&
                           again.path[key.path.size()] == '\x1f';
        if (key.path == again.path) { first = &key; }
        if (first == nullptr && (below || above)) { first = &key; }
    }
    const bool table = again.value_at == 0;
    const std::string name = table ? "`[" + again.text + "]`" : ticked(again.text);
    std::string help;
    if (first != nullptr) {
        help = "first given at line " + std::to_string(first->spot.line) + ", column " +
               std::to_string(first->spot.column);
    }
    report.error(codes::duplicate_key, again.spot,
                 (table ? "the table " : "the key ") + name + " is given twice", help);
}

void report_missing_equals(const Around& around, Spot at, Report& report) {
    const char seen = around.error_at < around.line.size() ? around.line[around.error_at] : '\0';
    const Spot spot = around.key == nullptr ? at : around.key->spot;
    const std::string key = around.key == nullptr ? "the key" : ticked(around.key->text);
    if (static_cast<unsigned char>(seen) >= 0x80) {
        report.error(codes::bad_syntax, spot, key + " needs quotes",
                     "keys without quotes are made of A-Z a-z 0-9 - _");
        return;
    }
    report.error(codes::missing_equals, spot, "`=` is missing after " + key,
                 seen == ':' ? "TOML writes `=`, not `:`" : "write " + key + " = value");
}

/// The parser's own words without its preamble ("Error while parsing array: ").
std::string_view plain(std::string_view description) {
    constexpr std::string_view preamble = "Error while parsing ";
    if (!description.starts_with(preamble)) { return description; }
    const std::size_t colon = description.find(": ");
    return colon == std::string_view::npos ? description : description.substr(colon + 2);
}

}  // namespace

void report_syntax(std::string_view text, const Scan& scan, Spot at, std::string_view description,
                   Report& report) {
    const Around around = look_around(text, scan, at);
    at.column = std::min(at.column, width(around.line) + 1);
    const auto says = [&](std::string_view words) {
        return description.find(words) != std::string_view::npos;
    };
    const std::string key = around.key == nullptr ? "the key" : ticked(around.key->text);
    if (says("utf-8")) {
        report.error(codes::bad_utf8, at, "the file is not valid UTF-8 here", "save it as UTF-8");
    } else if (says("cannot redefine")) {
        report_duplicate(scan, around, at, report);
    } else if (says("expected '='")) {
        report_missing_equals(around, at, report);
    } else if (says("expected value")) {
        report.error(codes::missing_value, around.key == nullptr ? at : around.key->spot,
                     key + " has no value");
    } else if (says("escape sequence")) {
        report.error(codes::bad_syntax, at, "this escape is not known in a TOML string",
                     "write \\\\ for a backslash, or put the text in single quotes");
    } else if (report_bare_value(around, at.line, report)) {
        return;
    } else if (says("leading zeroes")) {
        report.error(codes::bad_syntax, spot_of_value(around, at.line),
                     "a number cannot begin with 0", "a text needs quotes");
    } else if (says("expected comma")) {
        report.error(codes::bad_syntax, at, "a comma or a closing bracket is missing here");
    } else if (says("expected a comment or whitespace")) {
        report.error(codes::bad_syntax, at, "nothing may follow a value on its line",
                     "begin a new line, or put # before a comment");
    } else if (says("expected keys, tables")) {
        report.error(codes::bad_syntax, at, "a line cannot begin with this character",
                     "keys without quotes are made of A-Z a-z 0-9 - _");
    } else if (says("end-of-file")) {
        report.error(codes::bad_syntax, at, "the file ends in the middle of a value");
    } else {
        report.error(codes::bad_syntax, at, "not valid TOML: " + std::string(plain(description)));
    }
}

}  // namespace drill
