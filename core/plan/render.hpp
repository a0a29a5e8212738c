// A plan as a person reads and approves it, and the difference of two plans. What comes from
// files or hosts is escaped. Must not: leave out what would change a decision; the exact
// commands stand behind `verbose`. Next: report/page.hpp (folding, colours).
#pragma once

#include "base/instant.hpp"
#include "model/param.hpp"
#include "model/plan.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace drill {

struct RenderOptions {
    bool verbose{false};    ///< with the exact commands; those lines are not folded
    std::size_t width{80};  ///< columns; no other line is wider
    bool color{false};
    bool ascii{false};
    std::string file;     ///< the plan file, for the next command; "" = `source`, else "FILE.plan"
    bool of_plan{false};  ///< `source` is a plan, whose hosts are picked already
    std::string source;   ///< what was planned: the next command where no plan file was written
};

/// Ends with a newline.
[[nodiscard]] std::string render_plan(const Plan& plan, const RenderOptions& options);

/// One line for each difference, "host app-1: host key changed SHA256:a -> SHA256:b"; commands
/// as lines that begin with "  - " and "  + ". Empty when the plans are equal (the hash aside).
[[nodiscard]] std::string diff_plans(const Plan& before, const Plan& after);

/// How long a run of this plan takes: when all goes well, and at most, up to the last undo and
/// the last regain.
struct Estimate {
    Nanos about{0};
    Nanos at_most{0};
};
[[nodiscard]] Estimate estimate(const Plan& plan);

/// A parameter as it would be written: "30s", "50 %", "role=balancer".
[[nodiscard]] std::string describe_value(const Value& value);

/// "at once", "after cut-off is undone", "as soon as cut-off holds".
[[nodiscard]] std::string describe_after(const std::vector<After>& after);

}  // namespace drill
