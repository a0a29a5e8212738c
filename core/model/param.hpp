// Parameters of kinds: declared once, used by the loader, the plan, schema and docs.
#pragma once

#include "base/instant.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace drill {

/// Which hosts: exactly one of labels, hosts, all is used.
struct Selection {
    std::map<std::string, std::string> labels;  ///< every label must match
    std::vector<std::string> hosts;             ///< by catalog name
    bool all{false};                            ///< spelled "all"
    friend bool operator==(const Selection&, const Selection&) = default;
};

struct Percent {
    int ppm{0};  ///< parts per million: 500000 = 50 %
    friend bool operator==(const Percent&, const Percent&) = default;
};

using Value = std::variant<bool, std::int64_t, std::string, Nanos, Percent,
                           std::vector<std::string>, Selection>;
using Values = std::map<std::string, Value>;

enum class ParamType : std::uint8_t {
    boolean,
    integer,
    text,
    duration,
    percent,
    texts,      ///< array of strings, e.g. an argv
    choice,     ///< one of Param::choices
    ports,      ///< integers 1..65535 or "8000-8100"; stored as texts
    selection,  ///< table of labels, array of host names, or "all"
    steps,      ///< array of tables, each with the parameters `items`; stored flat as "step.0.url"
    table,  ///< free keys with text, integer or duration (probe `ok`); stored flat as "ok.status"
};

struct Param {
    std::string_view name{};
    ParamType type{ParamType::text};
    bool required{false};
    std::string_view fallback{};  ///< default as it would be written in TOML, "" = none
    std::string_view help{};      ///< one sentence
    std::string_view choices{};   ///< "in|out|both" for choice
    std::int64_t least{0};        ///< integer, duration (ms), percent (ppm): bounds, inclusive
    std::int64_t most{0};         ///< 0 = no upper bound
    const Param* items{nullptr};  ///< steps only
    std::size_t item_count{0};
};

/// Typed look-ups; asserted to exist with that type (the loader fills defaults).
template <class T>
[[nodiscard]] const T* value_of(const Values& values, std::string_view name) {
    const auto found = values.find(std::string(name));
    return found == values.end() ? nullptr : std::get_if<T>(&found->second);
}

}  // namespace drill
