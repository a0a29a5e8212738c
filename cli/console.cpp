// See console.hpp.
#include "cli/console.hpp"

#include "base/text.hpp"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace drill::cli {

namespace {
constexpr std::size_t widest = 160;  // longer lines are hard to read

bool says(const char* variable) {
    const char* value = std::getenv(variable);
    return value != nullptr && *value != '\0';
}
}  // namespace

PageStyle page_style(const Globals& globals) {
    PageStyle style{};
    winsize size{};
    const bool terminal = isatty(STDOUT_FILENO) == 1;
    if (terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        style.width = std::clamp<std::size_t>(size.ws_col, 40, widest);
    }
    const char* term = std::getenv("TERM");
    const bool dumb = term == nullptr || std::strcmp(term, "dumb") == 0;
    style.color = globals.color == "always" ||
                  (globals.color == "auto" && terminal && !dumb && !says("NO_COLOR"));
    style.ascii = globals.ascii || std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    return style;
}

void print(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

void progress(std::string_view line) {
    const std::string text = escape_control(line, Lines::one) + "\n";
    std::fwrite(text.data(), 1, text.size(), stderr);
}

void complain(std::string_view message) {
    std::string text = "drill: error: ";
    for (const char c : escape_control(message)) {
        text += c;
        if (c == '\n') { text += "  "; }
    }
    text += "\n";
    std::fwrite(text.data(), 1, text.size(), stderr);
}

void complain(const Error& error) { complain(error.text()); }

void show_diagnostics(const Diagnostics& diagnostics, const std::string& file,
                      const std::string& source) {
    std::size_t errors = 0;
    for (const Diagnostic& one : diagnostics) {
        const std::string text = render(one, one.place.file == file ? source : "");
        std::fprintf(stderr, "%s\n", text.c_str());
        errors += one.severity == Severity::error ? 1U : 0U;
    }
    if (errors > 0) {
        std::fprintf(stderr, "error: %zu %s in %s. Nothing was run.\n", errors,
                     errors == 1 ? "error" : "errors", escape_control(file, Lines::one).c_str());
    }
}

std::string ask_person(const Globals& globals, std::string_view question) {
    if (globals.no_input || isatty(STDIN_FILENO) != 1) { return ""; }
    std::fprintf(stderr, "%s ", escape_control(question).c_str());
    std::string line;
    for (int c = std::getchar(); c != EOF && c != '\n' && line.size() < 256; c = std::getchar()) {
        line += static_cast<char>(c);
    }
    return std::string(trim(line));
}

}  // namespace drill::cli
