// See text.hpp.
#include "base/text.hpp"

#include "base/result.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <ctime>

namespace drill {

namespace {

struct Unit {
    std::string_view name;
    std::int64_t nanos;
};
// Descending; "ms" stands before "m" is tried because the longest name wins.
constexpr std::array<Unit, 7> units{{{"d", 86'400'000'000'000},
                                     {"h", 3'600'000'000'000},
                                     {"m", 60'000'000'000},
                                     {"s", 1'000'000'000},
                                     {"ms", 1'000'000},
                                     {"us", 1'000},
                                     {"ns", 1}}};
constexpr std::int64_t longest_duration = 365 * units[0].nanos;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view take_digits(std::string_view& text) {
    std::size_t n = 0;
    while (n < text.size() && is_digit(text[n])) { ++n; }
    const std::string_view digits = text.substr(0, n);
    text.remove_prefix(n);
    return digits;
}

std::optional<std::int64_t> to_int(std::string_view digits) {
    if (digits.empty() || digits.size() > 15) { return std::nullopt; }
    std::int64_t value = 0;
    for (const char c : digits) { value = value * 10 + (c - '0'); }
    return value;
}

void skip_blanks(std::string_view& text) {
    while (!text.empty() && text.front() == ' ') { text.remove_prefix(1); }
}

/// Without its sign; the most negative one has no positive counterpart.
std::uint64_t magnitude(Nanos span) {
    const auto raw = static_cast<std::uint64_t>(span.count());
    return span.count() < 0 ? ~raw + 1 : raw;
}

std::string print(const char* format, auto... values) {
    std::array<char, 96> buffer{};
    const int n = std::snprintf(buffer.data(), buffer.size(), format, values...);
    return {buffer.data(), static_cast<std::size_t>(std::max(0, n))};
}

/// Length of the valid UTF-8 sequence at the front, 0 when it is not valid.
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    std::size_t length = 0;
    std::uint32_t point = 0;
    if (first < 0x80) { return 1; }
    if (first >= 0xc2 && first <= 0xdf) {
        length = 2;
        point = first & 0x1fU;
    } else if (first >= 0xe0 && first <= 0xef) {
        length = 3;
        point = first & 0x0fU;
    } else if (first >= 0xf0 && first <= 0xf4) {
        length = 4;
        point = first & 0x07U;
    }
    if (length == 0 || text.size() < length) { return 0; }
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80) { return 0; }
        point = (point << 6U) | (byte(i) & 0x3fU);
    }
    const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
    const bool surrogate = point >= 0xd800 && point <= 0xdfff;
    return overlong || surrogate || point > 0x10ffff ? 0 : length;
}

bool is_hidden(std::string_view sequence) {
    // C1 controls, line/paragraph separators, bidirectional marks, overrides and isolates, BOM.
    return (sequence.size() == 2 && sequence[0] == '\xc2' && sequence[1] < '\xa0') ||
           sequence == "\xd8\x9c" || (sequence >= "\xe2\x80\x8b" && sequence <= "\xe2\x80\x8f") ||
           (sequence >= "\xe2\x80\xa8" && sequence <= "\xe2\x80\xae") ||
           (sequence >= "\xe2\x81\xa0" && sequence <= "\xe2\x81\xaf") || sequence == "\xef\xbb\xbf";
}

}  // namespace

std::optional<Nanos> parse_duration(std::string_view text) {
    text = trim(text);
    std::int64_t total = 0;
    std::size_t smallest = 0;  // index in units from which the next unit may come
    bool any = false;
    while (!text.empty()) {
        const std::optional<std::int64_t> whole = to_int(take_digits(text));
        if (!whole) { return std::nullopt; }
        std::string_view fraction;
        if (!text.empty() && text.front() == '.') {
            text.remove_prefix(1);
            fraction = take_digits(text);
            if (fraction.empty() || fraction.size() > 9) { return std::nullopt; }
        }
        skip_blanks(text);
        const Unit* unit = nullptr;
        for (std::size_t i = smallest; i < units.size(); ++i) {
            if (text.starts_with(units[i].name) &&
                (unit == nullptr || units[i].name.size() > unit->name.size())) {
                unit = &units[i];
            }
        }
        if (unit == nullptr || *whole > longest_duration / unit->nanos) { return std::nullopt; }
        text.remove_prefix(unit->name.size());
        smallest = static_cast<std::size_t>(unit - units.data()) + 1;
        total += *whole * unit->nanos;
        std::int64_t scale = unit->nanos;
        for (const char c : fraction) {
            if (scale % 10 != 0 && c != '0') { return std::nullopt; }  // finer than 1 ns
            scale /= 10;
            total += (c - '0') * scale;
        }
        skip_blanks(text);
        if (!fraction.empty() && !text.empty()) { return std::nullopt; }  // only on the last
        any = true;
    }
    if (!any || total > longest_duration) { return std::nullopt; }
    return Nanos{total};
}

std::string format_duration(Nanos span) {
    if (span.count() == 0) { return "0s"; }
    std::string out = span.count() < 0 ? "-" : "";
    std::uint64_t rest = magnitude(span);
    for (const Unit& unit : units) {
        const auto one = static_cast<std::uint64_t>(unit.nanos);
        if (rest >= one) {
            out += std::to_string(rest / one);
            out += unit.name;
            rest %= one;
        }
    }
    return out;
}

std::string show_duration(Nanos span) {
    if (span.count() < 0) {
        return "-" + show_duration(span == Nanos::min() ? Nanos::max() : -span);
    }
    const std::int64_t ns = span.count();
    if (ns == 0) { return "0 s"; }
    const double value = static_cast<double>(ns);
    if (ns < 1'000) { return print("%lld ns", static_cast<long long>(ns)); }
    if (ns < 999'500) { return print("%.3g us", value / 1e3); }
    if (ns < 999'500'000) { return print("%.3g ms", value / 1e6); }
    // A whole number of seconds was set by somebody; zeros behind it would claim a measurement.
    if (ns % 1'000'000'000 == 0 && ns < 60'000'000'000) {
        return print("%lld s", static_cast<long long>(ns / 1'000'000'000));
    }
    if (ns < 9'995'000'000) { return print("%.2f s", value / 1e9); }
    if (ns < 59'950'000'000) { return print("%.1f s", value / 1e9); }
    const long long seconds = ns / 1'000'000'000 + (ns % 1'000'000'000 >= 500'000'000 ? 1 : 0);
    if (seconds < 3600) { return print("%lld m %02lld s", seconds / 60, seconds % 60); }
    if (seconds < 86400) { return print("%lld h %02lld m", seconds / 3600, seconds % 3600 / 60); }
    return print("%lld d %02lld h", seconds / 86400, seconds % 86400 / 3600);
}

std::optional<int> parse_percent(std::string_view text) {
    text = trim(text);
    if (!text.ends_with('%')) { return std::nullopt; }
    text.remove_suffix(1);
    text = trim(text);
    const std::optional<std::int64_t> whole = to_int(take_digits(text));
    if (!whole || *whole > 100) { return std::nullopt; }
    std::int64_t ppm = *whole * 10'000;
    if (!text.empty() && text.front() == '.') {
        text.remove_prefix(1);
        const std::string_view fraction = take_digits(text);
        if (fraction.empty() || fraction.size() > 4) { return std::nullopt; }
        std::int64_t scale = 1'000;
        for (const char c : fraction) {
            ppm += (c - '0') * scale;
            scale /= 10;
        }
    }
    if (!text.empty() || ppm > 1'000'000) { return std::nullopt; }
    return static_cast<int>(ppm);
}

std::string show_percent(int ppm) {
    std::string out = print("%d.%04d", ppm / 10'000, ppm % 10'000);
    while (out.ends_with('0')) { out.pop_back(); }
    if (out.ends_with('.')) { out.pop_back(); }
    return out + " %";
}

std::string rfc3339(Wall wall) {
    const std::int64_t ms = wall.time_since_epoch().count();
    const std::int64_t seconds = ms >= 0 ? ms / 1000 : (ms - 999) / 1000;
    const std::time_t when = seconds;
    std::tm parts{};
    gmtime_r(&when, &parts);
    return print("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                 parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                 static_cast<int>(ms - seconds * 1000));
}

std::string clock_time(Wall wall) {
    const std::int64_t ms = wall.time_since_epoch().count();
    const std::int64_t seconds = ms >= 0 ? ms / 1000 : (ms - 999) / 1000;
    const std::time_t when = seconds;
    std::tm parts{};
    localtime_r(&when, &parts);
    return print("%02d:%02d:%02d.%03d", parts.tm_hour, parts.tm_min, parts.tm_sec,
                 static_cast<int>(ms - seconds * 1000));
}

namespace {
std::string in_quotes(std::string_view word) {
    DRILL_ASSERT(word.find('\0') == std::string_view::npos);
    std::string out = "'";
    for (const char c : word) {
        if (c == '\'') {
            out += "'\\''";
        } else {
            out += c;
        }
    }
    return out + "'";
}
}  // namespace

std::string shell_quote(std::string_view word) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) ||
               std::string_view("_-./:=@%+,").find(c) != std::string_view::npos;
    };
    // A leading '=' or '~' means something to some shells; only such words are quoted needlessly.
    if (!word.empty() && word.front() != '=' && std::all_of(word.begin(), word.end(), plain)) {
        return std::string(word);
    }
    return in_quotes(word);
}

std::string shell_join(std::span<const std::string> argv) {
    std::string out;
    for (const std::string& word : argv) {
        if (!out.empty()) { out += ' '; }
        // A first word with '=' would be an assignment.
        out += out.empty() && word.find('=') != std::string::npos ? in_quotes(word)
                                                                  : shell_quote(word);
    }
    return out;
}

std::string escape_control(std::string_view text, Lines lines) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const auto byte = static_cast<unsigned char>(text.front());
        if (length == 0) {
            out += print("\\x%02x", byte);
        } else if (length == 1) {
            const bool kept = byte == '\t' || (byte == '\n' && lines == Lines::keep);
            if (byte == '\n' && !kept) {
                out += "\\n";
            } else if ((byte < 0x20 && !kept) || byte == 0x7f) {
                out += print("\\x%02x", byte);
            } else {
                out += text.front();
            }
        } else if (is_hidden(text.substr(0, length))) {
            for (std::size_t i = 0; i < length; ++i) {
                out += print("\\x%02x", static_cast<unsigned char>(text[i]));
            }
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (true) {
        const std::size_t at = text.find(separator);
        parts.emplace_back(text.substr(0, at));
        if (at == std::string_view::npos) { return parts; }
        text.remove_prefix(at + 1);
    }
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n\v\f";
    const std::size_t from = text.find_first_not_of(blanks);
    if (from == std::string_view::npos) { return {}; }
    return text.substr(from, text.find_last_not_of(blanks) - from + 1);
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
    std::string out;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (i != 0) { out += separator; }
        out += parts[i];
    }
    return out;
}

bool starts_with_word(std::string_view text, std::string_view word) {
    return text.starts_with(word) && (text.size() == word.size() || text[word.size()] == ' ');
}

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
    constexpr std::size_t longest = 64;  // bounds the table; names of ours are shorter
    if (word.empty() || word.size() > longest) { return std::nullopt; }
    std::optional<std::string> best;
    std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (const std::string& candidate : candidates) {
        if (candidate.empty() || candidate.size() > longest) { continue; }
        std::array<std::array<std::size_t, longest + 1>, longest + 1> d{};
        for (std::size_t i = 0; i <= word.size(); ++i) { d[i][0] = i; }
        for (std::size_t j = 0; j <= candidate.size(); ++j) { d[0][j] = j; }
        for (std::size_t i = 1; i <= word.size(); ++i) {
            for (std::size_t j = 1; j <= candidate.size(); ++j) {
                const std::size_t cost = word[i - 1] == candidate[j - 1] ? 0 : 1;
                d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + cost});
                if (i > 1 && j > 1 && word[i - 1] == candidate[j - 2] &&
                    word[i - 2] == candidate[j - 1]) {
                    d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
                }
            }
        }
        const std::size_t distance = d[word.size()][candidate.size()];
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

std::string about(std::string_view subject, std::string_view text) {
    const auto part_of_name = [](char c) {
        return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
               c == '_' || c == '.';
    };
    for (std::size_t at = text.find(subject); at != std::string_view::npos && !subject.empty();
         at = text.find(subject, at + 1)) {
        const std::size_t end = at + subject.size();
        if ((at == 0 || !part_of_name(text[at - 1])) &&
            (end == text.size() || !part_of_name(text[end]))) {
            return std::string(text);
        }
    }
    return std::string(subject) + ": " + std::string(text);
}

std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0U) != 0x80;
    }));
}

std::string wrap(std::string_view text, std::size_t columns, std::size_t indent) {
    std::string out;
    std::size_t used = 0;
    bool first = true;
    for (const std::string& word : split(text, ' ')) {
        const std::size_t wide = width(word);
        if (!first && used + 1 + wide > columns) {
            out += '\n';
            out.append(indent, ' ');
            used = indent;
        } else if (!first) {
            out += ' ';
            ++used;
        }
        out += word;
        used += wide;
        first = false;
    }
    return out;
}

}  // namespace drill
