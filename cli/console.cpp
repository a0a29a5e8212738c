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

/// Columns of a stream's terminal; 80 where it is none, so that files and pipes look the same.
std::size_t columns_of(int fd) {
    constexpr std::size_t usual = 80;
    winsize size{};
    if (isatty(fd) != 1 || ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) { return usual; }
    return std::clamp<std::size_t>(size.ws_col, 40, widest);
}

/// Its prose is wrapped, excerpts and TOML to be copied stay as they are.
std::string folded_diagnostic(const std::string& text) {
    constexpr std::string_view help = "= help: ";
    std::string out;
    for (const std::string& line : split(text, '\n')) {
        const std::size_t at = line.find(help);
        if (!out.empty()) { out += '\n'; }
        if (out.empty()) {
            out = wrap(line, columns_of(STDERR_FILENO), 2);
        } else if (at != std::string::npos && at == line.find_first_not_of(' ')) {
            out += wrap(line, columns_of(STDERR_FILENO), at + help.size());
        } else {
            out += line;
        }
    }
    return out;
}

/// To standard error, wrapped at blanks. A command behind a colon stands on a line of its own
/// and whole, so that it can be copied.
void say(const std::string& message, std::size_t indent) {
    constexpr std::string_view before = ": ";
    std::string text;
    for (const std::string& line : split(message, '\n')) {
        if (!text.empty()) { text.append(2, ' '); }
        const std::size_t at = line.rfind(std::string(before) + "drill ");
        const std::size_t end = at == std::string::npos ? line.size() : at + before.size() - 1;
        text += wrap(line.substr(0, end), columns_of(STDERR_FILENO), indent) + "\n";
        if (end < line.size()) {
            text.append(indent + 2, ' ');
            text += line.substr(end + 1) + "\n";
        }
    }
    std::fwrite(text.data(), 1, text.size(), stderr);
}
}  // namespace

PageStyle page_style(const Globals& globals) {
    PageStyle style{};
    const bool terminal = isatty(STDOUT_FILENO) == 1;
    style.width = columns_of(STDOUT_FILENO);
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
    // Behind the time of day, as the runs show it: "19:03:55.120  ".
    const bool timed = line.size() > 14 && line[2] == ':' && line[5] == ':' && line[12] == ' ';
    say(escape_control(line, Lines::one), timed ? 14 : 2);
}

void complain(std::string_view message) { say("drill: error: " + escape_control(message), 2); }

void complain(const Error& error) { complain(error.text()); }

void show_diagnostics(const Diagnostics& diagnostics, const std::string& file,
                      const std::string& source) {
    std::size_t errors = 0;
    for (const Diagnostic& one : diagnostics) {
        const std::string text =
            folded_diagnostic(render(one, one.place.file == file ? source : ""));
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
    std::fprintf(stderr, "%s ",
                 wrap(escape_control(question), columns_of(STDERR_FILENO), 2).c_str());
    std::string line;
    for (int c = std::getchar(); c != EOF && c != '\n' && line.size() < 256; c = std::getchar()) {
        line += static_cast<char>(c);
    }
    return std::string(trim(line));
}

}  // namespace drill::cli
