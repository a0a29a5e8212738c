// Every table and key that a catalog or an experiment may hold, as data: for `drill explain`, for
// `drill schema` and for whoever edits these files. The loader reads key by key; tests/config/
// keys_test.cpp walks this table through it and fails when the two say different things.
// Must not: hold parameters of kinds (they have tables of their own, model/param.hpp).
// Next: schema.hpp, manual.hpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace drill {

enum class DefinitionFile : std::uint8_t { experiment, catalog };

enum class KeyType : std::uint8_t {
    text,
    name,     ///< [a-z0-9-]{1,64}
    address,  ///< host names, addresses, users
    boolean,
    integer,
    duration,
    percent,
    choice,
    selection,  ///< labels, host names or "all"
    addresses,  ///< array of IPv4 and IPv6 addresses
    labels,     ///< table of texts
    key_file,   ///< { file = "..." }
    secret,     ///< where one lies: { file }, { credential } or { command }
    pick,       ///< count, percentage or "all"
    predicate,  ///< "success >= 99% for 10s"
    after,      ///< array of step names, "x" or "x:held"
    regain,     ///< the table `regain`, whose keys are listed as "regain.within" ...
    fault,      ///< name of a fault kind
    probe,      ///< name of a probe kind
    with,       ///< parameters of the fault kind
};

/// How often a table may be there, and how it is written.
enum class TableShape : std::uint8_t {
    once,   ///< [limit]
    named,  ///< [target.NAME]
    many,   ///< [[probe]]
};

struct TableRule {
    std::string_view name;  ///< "limit"
    std::string_view help;
    DefinitionFile file{DefinitionFile::experiment};
    TableShape shape{TableShape::once};
    bool required{false};
    /// "[limit]", "[target.NAME]", "[[probe]]"
    [[nodiscard]] std::string written() const;
};

struct KeyRule {  // NOLINT(clang-analyzer-optin.performance.Padding): in the order of reading
    DefinitionFile file{DefinitionFile::experiment};
    std::string_view table;  ///< TableRule::name
    std::string_view name;   ///< "longest"; "regain.within" inside of the table `regain`
    KeyType type{KeyType::text};
    bool required{false};
    std::string_view fallback;  ///< as in TOML; "" = none
    std::string_view choices;   ///< "a|b" for choice
    std::int64_t least{0};      ///< integer, duration (ms), percent (ppm); inclusive
    std::int64_t most{0};       ///< 0 = no upper bound
    std::string_view help;      ///< one or two sentences
};

[[nodiscard]] std::span<const TableRule> table_rules();
[[nodiscard]] std::span<const KeyRule> key_rules();

/// "a text", "a duration such as \"30s\"" ...
[[nodiscard]] std::string_view describe(KeyType type) noexcept;

}  // namespace drill
