// See scan.hpp.
#include "config/scan.hpp"

#include "config/codes.hpp"

#include <algorithm>
#include <utility>

namespace drill {

namespace {

constexpr char separator = '\x1f';
// Paths only serve to find the first place of a duplicate; the bound keeps hostile files small.
constexpr std::size_t longest_path = 256;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
bool ends_key(char c) {
    return std::string_view(" \t\r\n=.[]{},#\"'").find(c) != std::string_view::npos;
}
bool begins_key(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '"' || c == '\'';
}
bool ends_word(char c) {
    return std::string_view(" \t\r\n,[]{}#").find(c) != std::string_view::npos;
}

std::string bounded(std::string text) {
    if (text.size() > longest_path) { text.resize(longest_path); }
    return text;
}

class Scanner {
public:
    Scanner(std::string_view text, const Caps& caps, Report& report)
        : text_(text), caps_(caps), report_(report) {}

    Scan run() {
        refuse_control_bytes();
        while (out_.sound && !at_end()) {
            const char c = peek();
            if (is_blank(c) || c == '\n') {
                step();
            } else if (c == '#') {
                skip_line();
            } else if (c == '[') {
                header();
            } else {
                statement();
            }
        }
        return std::move(out_);
    }

private:
    struct Frame {
        char closer;
        Spot spot;
        std::string path;
        std::size_t depth;
        std::size_t items;
        bool wants_key;
    };
    struct Key {
        std::string path;
        std::string text;
        Spot spot;
        std::size_t parts{0};
    };

    [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
    [[nodiscard]] char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }
    [[nodiscard]] Spot here(std::size_t length = 1) const { return {line_, column_, length}; }

    void step() {
        const bool line_ends = text_[at_++] == '\n';
        if (line_ends) {
            ++line_;
            column_ = 1;
        } else if (at_end() || (static_cast<unsigned char>(text_[at_]) & 0xc0U) != 0x80U) {
            ++column_;  // columns count code points, not bytes
        }
    }
    void skip_blanks() {
        while (!at_end() && is_blank(peek())) { step(); }
    }
    void skip_line() {
        while (!at_end() && peek() != '\n') { step(); }
    }
    void stop(std::string_view code, Spot spot, std::string summary, std::string help) {
        report_.error(code, spot, std::move(summary), std::move(help));
        out_.sound = false;
    }

    void refuse_control_bytes();
    void header();
    void statement();
    void value(const Key& key, std::size_t depth);
    void bracket(std::vector<Frame>& frames, const std::string& path, std::size_t depth);
    void inline_key(Frame& frame);
    bool string();
    void long_string(char quote, Spot opened);
    Key key();
    void note(const Key& key, const std::string& around, std::size_t depth, std::size_t value_at);
    void count();

    std::string_view text_;
    const Caps& caps_;
    Report& report_;
    Scan out_;
    std::string header_;
    std::size_t header_depth_{0};
    std::size_t at_{0};
    std::size_t line_{1};
    std::size_t column_{1};
    std::size_t entries_{0};
};

void Scanner::refuse_control_bytes() {
    for (const char c : text_) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f) {
            const std::string what = byte == 0 ? "a NUL byte" : "a control byte";
            stop(codes::control_byte, here(), what + " in the file",
                 byte == 0 ? "is this a text file?" : "in a string write it as \\u00XX");
            return;
        }
        step();
    }
    at_ = 0;
    line_ = column_ = 1;
}

void Scanner::count() {
    if (++entries_ > caps_.entries && out_.sound) {
        stop(codes::too_many_keys, here(),
             "more than " + std::to_string(caps_.entries) + " keys and array entries",
             "split the file");
    }
}

/// Notes a key within the tables around it, and that it is not too deep.
void Scanner::note(const Key& key, const std::string& around, std::size_t depth,
                   std::size_t value_at) {
    count();
    if (depth > deepest_nesting && out_.sound) {
        stop(codes::too_deep, key.spot,
             "nested more than " + std::to_string(deepest_nesting) + " deep", "");
    }
    const std::string path = around.empty() ? key.path : around + separator + key.path;
    out_.keys.push_back({bounded(path), key.text, key.spot, value_at});
}

Scanner::Key Scanner::key() {
    Key found;
    found.spot = here(0);
    const std::size_t from = at_;
    std::size_t to = at_;
    std::size_t end_column = column_;
    while (!at_end() && out_.sound) {
        skip_blanks();
        const std::size_t part_from = at_;
        const char c = peek();
        if (c == '"' || c == '\'') {
            if (!string()) { return found; }
            found.path += text_.substr(part_from + 1, at_ - part_from - 2);
        } else {
            while (!at_end() && !ends_key(peek())) { step(); }
            found.path += text_.substr(part_from, at_ - part_from);
        }
        if (at_ == part_from && peek() != '.') { break; }
        ++found.parts;
        to = at_;
        end_column = column_;
        skip_blanks();
        if (peek() != '.') { break; }
        step();
        found.path += separator;
        if (found.path.size() > longest_path) { found.path.resize(longest_path); }
    }
    found.path = bounded(std::move(found.path));
    found.text = bounded(std::string(text_.substr(from, to - from)));
    found.spot.length =
        line_ == found.spot.line ? std::max<std::size_t>(1, end_column - found.spot.column) : 1;
    return found;
}

void Scanner::header() {
    const Spot opened = here();
    step();
    if (peek() == '[') { step(); }
    skip_blanks();
    const bool empty_line = at_end() || peek() == '\n' || peek() == '#';
    if (!empty_line && peek() != ']' && !begins_key(peek())) {
        // toml++ 3.3 fails an assertion of its own here.
        stop(codes::bad_syntax, here(), "a table name cannot begin with this character",
             "names are made of A-Z a-z 0-9 - _, others need quotes");
        return;
    }
    const Key found = key();
    if (!out_.sound) { return; }
    skip_blanks();
    if (peek() != ']') {
        const bool empty = at_end() || peek() == '\n' || peek() == '#';
        if (empty) {
            stop(codes::open_bracket, opened, "the table header is not closed",
                 "add the closing `]`");
        }
        skip_line();
        return;
    }
    header_ = found.path;
    header_depth_ = found.parts;
    note(found, "", header_depth_, 0);
    skip_line();
}

void Scanner::statement() {
    const Key found = key();
    if (!out_.sound) { return; }
    skip_blanks();
    if (peek() != '=') {
        // The parser says what is wrong; a key without `=` is kept for its message.
        if (found.parts > 0) { note(found, header_, header_depth_ + found.parts, 0); }
        skip_line();
        return;
    }
    step();
    skip_blanks();
    const std::size_t depth = header_depth_ + found.parts;
    note(found, header_, depth, at_);
    if (out_.sound) { value(found, depth); }
}

/// From behind `=` to the end of the statement.
void Scanner::value(const Key& owner, std::size_t depth) {
    const std::string path =
        bounded(header_.empty() ? owner.path : header_ + separator + owner.path);
    std::vector<Frame> frames;
    while (!at_end() && out_.sound) {
        skip_blanks();
        const char c = peek();
        if (at_end()) { break; }
        if (c == '\n') {
            if (frames.empty()) { return; }
            if (frames.back().closer == '}') {
                stop(codes::split_table, frames.back().spot, "an inline table must end on its line",
                     "close it with `}`, or write it as a [table] of its own");
                return;
            }
            step();
        } else if (c == '#') {
            skip_line();
        } else if (c == '[' || c == '{' || c == ']' || c == '}' || c == ',') {
            if ((c == ']' || c == '}') && (frames.empty() || frames.back().closer != c)) {
                skip_line();  // the parser says what is wrong
                return;
            }
            bracket(frames, path, depth);
        } else if (!frames.empty() && frames.back().wants_key) {
            inline_key(frames.back());
        } else if (c == '"' || c == '\'') {
            string();
        } else {
            while (!at_end() && !ends_word(peek())) { step(); }
        }
    }
    if (out_.sound && !frames.empty()) {
        const bool array = frames.back().closer == ']';
        stop(codes::open_bracket, frames.back().spot,
             array ? "the array is not closed" : "the inline table is not closed",
             array ? "add the closing `]`" : "add the closing `}`");
    }
}

/// One of `[ { ] } ,` within a value.
void Scanner::bracket(std::vector<Frame>& frames, const std::string& path, std::size_t depth) {
    const char c = peek();
    const Spot spot = here();
    step();
    if (c == ']' || c == '}') {
        frames.pop_back();
        return;
    }
    if (c == ',') {
        count();
        if (!frames.empty()) {
            frames.back().wants_key = frames.back().closer == '}';
            if (++frames.back().items > caps_.items && out_.sound) {
                stop(codes::too_many_entries, frames.back().spot,
                     "more than " + std::to_string(caps_.items) + " entries", "split them up");
            }
        }
        return;
    }
    const Frame* outer = frames.empty() ? nullptr : &frames.back();
    Frame inner{c == '[' ? ']' : '}',
                spot,
                outer == nullptr ? path : outer->path,
                (outer == nullptr ? depth : outer->depth) + 1,
                0,
                c == '{'};
    if (inner.depth > deepest_nesting) {
        stop(codes::too_deep, spot, "nested more than " + std::to_string(deepest_nesting) + " deep",
             "");
    }
    frames.push_back(std::move(inner));
}

void Scanner::inline_key(Frame& frame) {
    frame.wants_key = false;
    const std::size_t before = at_;
    const Key found = key();
    if (!out_.sound) { return; }
    skip_blanks();
    const bool equals = peek() == '=';
    if (equals) {
        step();
        skip_blanks();
    }
    if (found.parts > 0) {
        note(found, frame.path, frame.depth + found.parts - 1, equals ? at_ : 0);
    }
    if (at_ == before) { step(); }  // something that no key begins with
}

/// At a quote. False when the string is not closed.
bool Scanner::string() {
    const char quote = peek();
    const Spot opened = here();
    if (peek(1) == quote && peek(2) == quote) {
        long_string(quote, opened);
        return out_.sound;
    }
    const std::size_t from = at_;
    step();
    while (!at_end() && peek() != quote && peek() != '\n') {
        if (peek() == '\\' && quote == '"' && peek(1) != '\n') { step(); }
        if (!at_end()) { step(); }
    }
    if (at_end() || peek() == '\n') {
        std::size_t length = column_ - opened.column;
        if (at_ > from && text_[at_ - 1] == '\r') { --length; }
        stop(codes::open_string, {opened.line, opened.column, std::max<std::size_t>(length, 1)},
             "string is not closed", std::string("add the closing `") + quote + "`");
        return false;
    }
    step();
    return true;
}

void Scanner::long_string(char quote, Spot opened) {
    for (int i = 0; i < 3; ++i) { step(); }
    while (!at_end()) {
        if (peek() == '\\' && quote == '"') {
            step();
            if (!at_end()) { step(); }
        } else if (peek() == quote && peek(1) == quote && peek(2) == quote) {
            for (int i = 0; i < 3; ++i) { step(); }
            // One or two quotes may stand directly before the closing three.
            for (int i = 0; i < 2 && peek() == quote; ++i) { step(); }
            return;
        } else {
            step();
        }
    }
    opened.length = 3;
    stop(codes::open_string, opened, "string is not closed",
         std::string("add the closing `") + std::string(3, quote) + "`");
}

}  // namespace

Scan scan_text(std::string_view text, const Caps& caps, Report& report) {
    return Scanner(text, caps, report).run();
}

}  // namespace drill
