// See markdown.hpp.
#include "report/markdown.hpp"

#include "base/text.hpp"

#include <utility>
#include <vector>

namespace drill {

namespace {

/// "[text](link)" to "text", "**strong**" to "strong"; backquotes stay, they mark what is typed.
std::string plain(std::string_view text) {
    std::string out;
    bool code = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '`') { code = !code; }
        if (!code && text[i] == '[') {
            const std::size_t end = text.find("](", i);
            const std::size_t close = end == text.npos ? end : text.find(')', end);
            if (close != text.npos) {
                out += plain(text.substr(i + 1, end - i - 1));
                i = close;
                continue;
            }
        }
        if (!code && text.substr(i, 2) == "**") {
            ++i;
            continue;
        }
        out += text[i];
    }
    return out;
}

/// Cells of "| a | b |"; a `|` behind a backslash belongs to its cell.
std::vector<std::string> cells_of(std::string_view line) {
    std::vector<std::string> cells(1);
    for (std::size_t i = line.starts_with('|') ? 1 : 0; i < line.size(); ++i) {
        if (line[i] == '\\' && i + 1 < line.size() && line[i + 1] == '|') {
            cells.back() += line[++i];
        } else if (line[i] == '|') {
            cells.emplace_back();
        } else {
            cells.back() += line[i];
        }
    }
    if (trim(cells.back()).empty()) { cells.pop_back(); }
    for (std::string& cell : cells) { cell = plain(trim(cell)); }
    return cells;
}

/// Length of "- ", "* " or "12. " at the front, 0 for none.
std::size_t bullet(std::string_view line) {
    if (line.starts_with("- ") || line.starts_with("* ")) { return 2; }
    std::size_t digits = 0;
    while (digits < line.size() && line[digits] >= '0' && line[digits] <= '9') { ++digits; }
    return digits > 0 && line.substr(digits).starts_with(". ") ? digits + 2 : 0;
}

class Renderer {
public:
    explicit Renderer(PageStyle style) : page_(style) {}

    std::string render(std::string_view text) {
        for (const std::string& line : split(text, '\n')) { take(line); }
        flush();
        return page_.text();
    }

private:
    void take(const std::string& line) {
        if (line.starts_with("```")) {
            flush();
            fenced_ = !fenced_;
            return;
        }
        if (fenced_) {
            gap();
            page_.verbatim("    " + line);
            return;
        }
        if (trim(line).empty()) {
            flush();
            gap_ = wrote_;
        } else if (line.starts_with('#')) {
            flush();
            gap_ = wrote_;
            gap();
            page_.line(page_.ink(Ink::strong, trim(line.substr(line.find_first_not_of('#')))), 0);
            heads_.clear();
        } else if (line.starts_with('|')) {
            flush();
            row(line);
        } else {
            words(line);
        }
    }

    void words(const std::string& line) {
        const std::string_view text = trim(line);
        if (const std::size_t mark = bullet(text); mark > 0) {
            flush();
            hanging_ = 2 + mark;
        }
        paragraph_ += (paragraph_.empty() ? "  " : " ") + std::string(text);
    }

    /// The first row names the columns; the one of dashes below it says nothing.
    void row(const std::string& line) {
        const std::vector<std::string> cells = cells_of(line);
        if (line.find_first_not_of("|-: ") == std::string::npos || cells.empty()) { return; }
        if (heads_.empty()) {
            heads_ = cells;
            return;
        }
        gap();
        std::string middle;
        for (std::size_t i = 1; i + 1 < cells.size(); ++i) {
            if (cells[i].empty()) { continue; }
            const bool fallback = i < heads_.size() && heads_[i] == "default";
            const bool number = fallback && cells[i] != "required" && cells[i] != "none";
            middle += (middle.empty() ? "" : ", ") + (number ? "default " + cells[i] : cells[i]);
        }
        std::string text = "  " + cells[0];
        if (!middle.empty()) { text += " (" + middle + ")"; }
        if (cells.size() > 1) { text += ": " + cells.back(); }
        page_.line(text, 6);
    }

    void flush() {
        if (paragraph_.empty()) { return; }
        gap();
        page_.line(plain(paragraph_), std::exchange(hanging_, 2));
        paragraph_.clear();
    }

    void gap() {
        if (std::exchange(gap_, false)) { page_.blank(); }
        wrote_ = true;
    }

    Page page_;
    std::string paragraph_;
    std::vector<std::string> heads_;
    std::size_t hanging_{2};
    bool fenced_{false};
    bool gap_{false};
    bool wrote_{false};
};

}  // namespace

std::string render_markdown(std::string_view text, PageStyle style) {
    return Renderer(style).render(text);
}

}  // namespace drill
