// What files say, after loading and before planning: the catalog and an experiment.
// Every value is typed and in range; what refers to the live world is not resolved yet.
#pragma once

#include "base/diagnostic.hpp"
#include "base/instant.hpp"
#include "model/host.hpp"
#include "model/param.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace drill {

struct CatalogHost {
    std::string name;
    Connection connection;               ///< jumps resolved
    std::vector<std::string> addresses;  ///< all of them; empty = ask the host
    std::map<std::string, std::string> labels;
};

struct Service {
    std::string name;
    std::int64_t tier{0};
    std::string owner;
    Selection hosts;
    std::optional<Nanos> rto, rpo;
    bool stateful{false};  ///< its hosts share state: a fault on them has to say `return`
};

struct Catalog {
    std::string file;                ///< absolute
    std::string environment;         ///< name
    std::string environment_class;   ///< lab, staging, production
    std::string contact;             ///< whom a person on a target should call
    std::vector<CatalogHost> hosts;  ///< sorted by name
    std::vector<Service> services;
    std::string bytes;  ///< as read, stored in the ledger

    /// Everything but `lab` is guarded: typed name or --confirm, and a reason.
    [[nodiscard]] bool guarded() const { return environment_class != "lab"; }
};

/// "success >= 99% for 10s", "p99 <= 250ms".
struct Predicate {
    enum class Metric : std::uint8_t {
        success,
        p50,
        p90,
        p95,
        p99
    };  ///< success = ok / (all - unknown)
    enum class Compare : std::uint8_t { ge, gt, le, lt };
    Metric metric{Metric::success};
    Compare compare{Compare::ge};
    int ppm{0};                 ///< for success
    Nanos latency{0};           ///< for percentiles
    std::optional<Nanos> span;  ///< "for 10s"
    std::string text;           ///< as written
    friend bool operator==(const Predicate&, const Predicate&) = default;
};

struct Regain {
    enum class From : std::uint8_t { fault, undo };
    Nanos within{0};
    Nanos hold{0};
    From from{From::fault};
    friend bool operator==(const Regain&, const Regain&) = default;
};

struct ProbeSpec {
    std::string name, kind;
    Values params;  ///< complete; `ok = {…}` stands flat as "ok.status", "ok.within"
    Nanos every{0}, timeout{0};
    friend bool operator==(const ProbeSpec&, const ProbeSpec&) = default;
};
struct HypothesisSpec {
    std::string probe;
    std::optional<Predicate> before, during;
    std::optional<Regain> regain;
    /// Every answer for so long has to be right, once all is undone and regained.
    std::optional<Nanos> integrity{};
    friend bool operator==(const HypothesisSpec&, const HypothesisSpec&) = default;
};
struct HaltSpec {
    std::string probe;
    Predicate when;  ///< span is set
    friend bool operator==(const HaltSpec&, const HaltSpec&) = default;
};

struct Pick {
    enum class How : std::uint8_t { count, percent, all };
    How how{How::count};
    std::int64_t count{0};
    Percent percent;
};
struct TargetSpec {
    std::string name;
    Selection match;
    Pick pick;
    Place place;
};

struct After {
    std::string step;
    bool held{false};  ///< "x:held" = as soon as x holds; "x" = when it is released
    friend bool operator==(const After&, const After&) = default;
};
/// What follows when a fault takes effect on some of its targets and not on the others.
enum class OnPartial : std::uint8_t {
    undo,   ///< everything is undone, the run ends
    go_on,  ///< "continue": the others are held; such a run is never PASSED
};
struct StepSpec {
    std::string name, fault;
    std::string on;  ///< name of a target
    Values with;     ///< complete
    Nanos hold{0};
    std::optional<std::vector<After>>
        after;  ///< empty optional = file order (after the step before)
    bool cuts_control{false};
    OnPartial on_partial{OnPartial::undo};
    Place place;                          ///< of the step's table
    std::map<std::string, Place> places;  ///< of single keys, for later errors
};

struct LimitSpec {
    std::int64_t hosts{0};  ///< 0 = not given
    std::optional<Percent> share;
    std::optional<Selection> of;  ///< group of `share`
    Nanos longest{0};
    Nanos lease{std::chrono::seconds{15}};  ///< TTL of a lease; renewed at a third of it
    Place place;
};

struct Experiment {
    std::string file, name, title, service;
    std::optional<Nanos> rto, rpo;  ///< [objective]
    LimitSpec limit;
    std::vector<TargetSpec> targets;
    std::vector<ProbeSpec> probes;
    std::vector<HypothesisSpec> hypotheses;
    std::vector<HaltSpec> halts;
    std::vector<StepSpec> steps;
    std::string bytes;  ///< as read
};

}  // namespace drill
