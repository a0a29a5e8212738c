// What a run was worth, what runs there were, and which leases are open, as text for a person
// at 3 a.m.: evidence first, the verdict and the next command last. Doubt is shown as doubt.
// Must not: judge (engine/judge.hpp did), read a ledger or a clock. Next: page.hpp, json.hpp.
#pragma once

#include "base/instant.hpp"
#include "model/lease.hpp"
#include "model/outcome.hpp"
#include "model/plan.hpp"
#include "report/page.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace drill {

struct ReportInput {
    Outcome outcome;
    const Plan* plan{nullptr};  ///< borrowed; may be null: then only what the outcome says
    std::string experiment;     ///< used without a plan
    std::string run_id;
    std::int64_t number{0};
    Wall began{};
    std::string by;      ///< who, "" = not said
    std::string ledger;  ///< path; every report says which one it read
};

/// Ends with a newline; the last lines are the verdict and what to type next.
[[nodiscard]] std::string render_report(const ReportInput& input, PageStyle style);

/// The verdict line alone, without colour: "PASSED  orders-backend-loss in 1 m 02 s. ...".
[[nodiscard]] std::string verdict_line(const ReportInput& input);

/// A row of `drill ls`, newest first as given.
struct RunLine {
    std::int64_t number{0};
    std::string id;
    std::string experiment;
    std::string environment;
    Wall began{};
    std::optional<Nanos> took;       ///< empty: not ended
    std::optional<Verdict> verdict;  ///< empty: runs, or its controller is gone
    bool alive{false};               ///< without a verdict: its process is there
    bool incomplete{false};
    std::size_t open_leases{0};
};
[[nodiscard]] std::string render_runs(std::span<const RunLine> rows, const std::string& ledger,
                                      PageStyle style);

struct LeaseLine {
    Lease lease;
    std::int64_t run_number{0};
    std::string found;  ///< what a look at the target just now said, "" = not looked
    bool alive{false};  ///< its run goes on: it undoes its own, nothing is to be typed
};
/// What happened, to which target, what remains and the next command. `now` is the controller's,
/// `controller_boot` its boot id: times of another boot are only labels.
[[nodiscard]] std::string render_leases(std::span<const LeaseLine> rows, const Instant& now,
                                        const std::string& controller_boot,
                                        const std::string& ledger, PageStyle style);

}  // namespace drill
