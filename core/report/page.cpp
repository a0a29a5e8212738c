// See page.hpp.
#include "report/page.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace drill {

namespace {

constexpr std::size_t narrowest = 40;
constexpr char escape = '\x1b';

/// Length of our colour code at the front ("ESC [ ... m"), 0 for none.
std::size_t code_length(std::string_view text) {
    if (text.size() < 3 || text[0] != escape || text[1] != '[') { return 0; }
    const std::size_t end = text.find('m');
    return end == std::string_view::npos ? 0 : end + 1;
}

std::size_t point_length(std::string_view text) {
    std::size_t length = 1;
    while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xc0U) == 0x80) {
        ++length;
    }
    return length;
}

/// Splits a word that is wider than `room` columns at the front; returns the front part.
std::string_view cut(std::string_view& word, std::size_t room) {
    std::size_t at = 0;
    std::size_t used = 0;
    while (at < word.size()) {
        if (const std::size_t code = code_length(word.substr(at)); code > 0) {
            at += code;
            continue;
        }
        if (used == room) { break; }
        at += point_length(word.substr(at));
        ++used;
    }
    const std::string_view front = word.substr(0, at);
    word.remove_prefix(at);
    return front;
}

class Folding {
public:
    Folding(std::size_t width, std::size_t indent) : width_(width), indent_(indent) {}

    void word(std::string_view text) {
        if (used_ + pending_ + visible_width(text) > width_ && used_ > start_) { next_line(); }
        out_.append(pending_, ' ');
        used_ += pending_;
        pending_ = 0;
        while (used_ + visible_width(text) > width_) {
            const std::size_t room = std::max<std::size_t>(width_ - std::min(used_, width_), 1);
            out_ += cut(text, room);
            next_line();
        }
        out_ += text;
        used_ += visible_width(text);
        any_ = true;
    }
    void blanks(std::size_t count) {
        pending_ += count;
        if (!any_) { start_ = pending_; }
    }
    std::string take() { return std::move(out_); }

private:
    void next_line() {
        out_ += '\n';
        out_.append(indent_, ' ');
        used_ = indent_;
        start_ = indent_;
        pending_ = 0;
    }
    std::size_t width_;
    std::size_t indent_;
    std::size_t used_{0};
    std::size_t start_{0};  ///< column of the first word of this line
    std::size_t pending_{0};
    bool any_{false};
    std::string out_;
};

std::string to_ascii(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t length = point_length(text);
        if (static_cast<unsigned char>(text.front()) < 0x80) {
            out += text.front();
            text.remove_prefix(1);
        } else {
            out += '?';
            text.remove_prefix(length);
        }
    }
    return out;
}

}  // namespace

std::size_t visible_width(std::string_view text) {
    std::size_t columns = 0;
    while (!text.empty()) {
        std::size_t length = code_length(text);
        if (length == 0) {
            length = point_length(text);
            ++columns;
        }
        text.remove_prefix(length);
    }
    return columns;
}

std::string fold(std::string_view text, std::size_t width, std::size_t indent) {
    indent = std::min(indent, width / 2);
    Folding folding(width, indent);
    while (!text.empty()) {
        const std::size_t blanks = std::min(text.find_first_not_of(' '), text.size());
        folding.blanks(blanks);
        text.remove_prefix(blanks);
        const std::size_t end = std::min(text.find(' '), text.size());
        if (end > 0) { folding.word(text.substr(0, end)); }
        text.remove_prefix(end);
    }
    return folding.take();
}

std::string safe(std::string_view text) {
    std::string out = escape_control(text, Lines::one);
    std::replace(out.begin(), out.end(), '\t', ' ');  // a tab would break the columns
    return out;
}

std::string exact_duration(Nanos span) {
    std::string out;
    bool digit = true;
    for (const char c : format_duration(span)) {
        const bool is_digit = (c >= '0' && c <= '9') || c == '-';
        if (is_digit != digit) { out += ' '; }
        out += c;
        digit = is_digit;
    }
    return out;
}

std::string counted(std::size_t count, std::string_view noun) {
    return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

Page::Page(PageStyle style) : style_(style) { style_.width = std::max(style_.width, narrowest); }

std::string Page::ink(Ink ink, std::string_view text) const {
    if (!style_.color || ink == Ink::plain || text.empty()) { return std::string(text); }
    std::string_view code;
    switch (ink) {
        case Ink::plain: break;
        case Ink::good: code = "32"; break;
        case Ink::bad: code = "1;31"; break;
        case Ink::doubt: code = "33"; break;
        case Ink::dim: code = "2"; break;
        case Ink::strong: code = "1"; break;
    }
    return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

std::string Page::mark(Mark mark) const {
    switch (mark) {
        case Mark::good: return ink(Ink::good, style_.ascii ? "ok" : "✓");
        case Mark::bad: return ink(Ink::bad, style_.ascii ? "NO" : "✗");
        case Mark::doubt: return ink(Ink::doubt, style_.ascii ? "??" : "?");
        case Mark::dot: return ink(Ink::dim, style_.ascii ? "- " : "·");
    }
    return "?";
}

void Page::line(std::string_view text, std::size_t hanging) {
    out_ += fold(text, style_.width, hanging);
    out_ += '\n';
}

void Page::blank() { out_ += '\n'; }

void Page::verbatim(std::string_view text) {
    out_ += text;
    out_ += '\n';
}

void Page::field(std::string_view label, std::string_view text, std::size_t indent,
                 std::size_t column) {
    std::string front(indent, ' ');
    front += ink(Ink::dim, label);
    const std::size_t used = visible_width(front);
    front.append(used < column ? column - used : 1, ' ');
    line(front + std::string(text), std::max(column, std::size_t{2}));
}

void Page::table(std::span<const std::vector<std::string>> rows, std::size_t indent) {
    std::vector<std::size_t> wide;
    for (const std::vector<std::string>& row : rows) {
        wide.resize(std::max(wide.size(), row.size()), 0);
        for (std::size_t i = 0; i < row.size(); ++i) {
            wide[i] = std::max(wide[i], visible_width(row[i]));
        }
    }
    for (const std::vector<std::string>& row : rows) {
        std::string text(indent, ' ');
        std::size_t column = indent;
        for (std::size_t i = 0; i < row.size(); ++i) {
            text += row[i];
            if (i + 1 == row.size()) { break; }
            text.append(wide[i] - visible_width(row[i]) + 2, ' ');
            column += wide[i] + 2;
        }
        text.erase(text.find_last_not_of(' ') + 1);
        line(text, std::min(column, style_.width / 2));
    }
}

std::string Page::text() const { return style_.ascii ? to_ascii(out_) : out_; }

}  // namespace drill
