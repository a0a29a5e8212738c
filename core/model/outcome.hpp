// What a run measured and what it is worth. Filled by the conductor, shown by report/.
#pragma once

#include "base/instant.hpp"
#include "model/lease.hpp"

#include <optional>
#include <string>
#include <vector>

namespace drill {

/// Numbers are exit codes.
enum class Verdict : std::uint8_t {
    passed = 0,
    failed = 1,
    usage = 2,
    refused = 3,
    halted = 4,
    invalid = 5,
    dirty = 6,
    rehearsed = 100,  ///< of `run --rehearse` alone, exit code 0: no fault was applied
};
[[nodiscard]] const char* name_of(Verdict verdict) noexcept;
[[nodiscard]] constexpr int exit_code_of(Verdict verdict) noexcept {
    return verdict == Verdict::rehearsed ? 0 : static_cast<int>(verdict);
}

enum class Finding : std::uint8_t { held, broken, undecided };  ///< undecided: could not be judged

/// Of what a stateful service keeps, after a fault that can hurt it.
enum class Integrity : std::uint8_t { not_applicable, checked, broken, not_checked };
[[nodiscard]] const char* name_of(Integrity integrity) noexcept;

struct HypothesisOutcome {
    std::string probe;
    std::string part;   ///< "before", "during", "regain", "integrity"
    std::string claim;  ///< "success >= 90%"
    Finding finding{Finding::undecided};
    std::string measured;  ///< "97.2 % of 580 (16 failed, 0 unknown)"
};

/// Outage::upper where nothing bounds it: no ok before, or not regained.
inline constexpr Nanos unbounded = Nanos::max();

/// Bounds: see engine/measure.hpp.
struct Outage {
    std::string probe;
    Nanos lower{0}, upper{0};
    Nanos first_bad{0};               ///< sent, boot time
    std::optional<Nanos> first_good;  ///< sent; empty: not regained
    std::string step;                 ///< the last fault that bit before it, "" if none
};

struct ObjectiveOutcome {
    std::string name;  ///< "rto", "rpo"
    Nanos objective{0};
    Finding finding{Finding::undecided};
    std::string measured;  ///< "3.52 s to 3.61 s (probe order, 50 ms)" or "not measured"
};

/// How far a change got on its target before it was held, or why it did not.
enum class Took : std::uint8_t {
    not_begun,     ///< its step did not begin, or the run ended before
    refused,       ///< by its kind, by the host, or as the ledger could not be written
    apply_failed,  ///< an apply command failed
    unanswered,    ///< whether it was applied is not known
    no_bite,       ///< applied, and no effect was seen
    bit,
};
[[nodiscard]] const char* name_of(Took took) noexcept;

struct ChangeOutcome {
    std::string step, host, kind, lease;
    bool applied{false};
    bool bit{false};
    LeaseState state{LeaseState::intended};
    std::optional<Nanos> bite_at, undo_sent, undone_at;  ///< controller's boot time
    std::optional<Nanos> overstay;  ///< end as seen - planned end, where it ended by itself
    std::string check;              ///< "" or "orders-app is back after 1.2 s"
    Finding check_finding{Finding::held};
    std::string note;  ///< "ended by others at ...", "not restarted within 20 s"
    std::string
        remark;  ///< told beside the undo, nothing against a pass: "kept out on purpose: ..."
    Took took{Took::not_begun};
};

struct Outcome {
    Verdict verdict{Verdict::invalid};
    std::string fidelity{"real"};      ///< "rehearsal": no fault was applied
    bool incomplete{false};            ///< FAILED, yet something else could not be judged
    std::string ended_by;              ///< "", "halt", "signal", "ledger", ...
    std::vector<std::string> reasons;  ///< why it is not PASSED, one sentence each, worst first
    Integrity integrity{Integrity::not_applicable};  ///< not_checked is told, and no verdict
    std::vector<HypothesisOutcome> hypotheses;
    std::vector<ObjectiveOutcome> objectives;
    std::vector<Outage> outages;
    std::vector<ChangeOutcome> changes;
    Nanos began{0}, ended{0};
};

}  // namespace drill
