// The verbs that only read: explain, schema, report, verify. Their flags, apart from main.cpp.
// Must not: do anything a verb should do. Next: cmd_explain.cpp, cmd_report.cpp.
#pragma once

#include "cli/verbs.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace drill::cli {

class ReadingVerbs {
public:
    /// The options are filled when `app` parses, so this object must live as long as `app`.
    void add(CLI::App& app);
    /// The exit code; empty when the verb is none of these.
    [[nodiscard]] std::optional<int> run(std::string_view verb, const Globals& globals) const;

private:
    std::string topic_;
    std::string schema_of_{"experiment"};
    std::string verify_run_;
    ReportOptions report_;
};

}  // namespace drill::cli
