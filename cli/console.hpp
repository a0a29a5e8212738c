// Where output goes: standard output is the result, standard error the progress.
// Must not: put colour where nobody reads it, or depend on colour for a meaning.
#pragma once

#include "base/diagnostic.hpp"
#include "base/result.hpp"
#include "report/page.hpp"

#include <span>
#include <string>
#include <string_view>

namespace drill::cli {

/// Options that every verb takes.
struct Globals {
    std::string config;         ///< --config
    std::string state;          ///< --state
    std::string color{"auto"};  ///< auto, always, never
    bool ascii{false};
    bool no_input{false};  ///< never ask; what would need an answer is refused
};

/// Style of standard output: width of the terminal (80 when it is none), colour by --color,
/// NO_COLOR (when not empty) and the terminal; ASCII by --ascii and the locale.
[[nodiscard]] PageStyle page_style(const Globals& globals);

void print(std::string_view text);     ///< to standard output, as it is
void progress(std::string_view line);  ///< to standard error, one line, escaped
/// "drill: error: ..." with every further line of the message indented.
void complain(std::string_view message);
void complain(const Error& error);
/// Each with its excerpt; `source` is the file's text. Ends with a count.
void show_diagnostics(const Diagnostics& diagnostics, const std::string& file,
                      const std::string& source);

/// Asks on the terminal and returns one line; empty when there is no terminal or --no-input.
[[nodiscard]] std::string ask_person(const Globals& globals, std::string_view question);

}  // namespace drill::cli
