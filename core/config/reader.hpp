// Typed reading of one table: every key is asked for by name, and what nobody asked for is an
// unknown key. Nothing here ends the reading: a wrong value is reported and left out.
// Must not: know which tables exist. Next: params.hpp (kinds), catalog.cpp, experiment.cpp.
#pragma once

#include "base/instant.hpp"
#include "config/document.hpp"
#include "model/definition.hpp"
#include "model/param.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drill {

/// Inclusive bounds. `most` 0 = no upper bound, as in Param.
struct Bounds {
    std::int64_t least{0};
    std::int64_t most{0};
};
[[nodiscard]] constexpr Bounds spans(Nanos least, Nanos most) {
    return {least.count(), most.count()};
}

/// Whether a text may hold line breaks: data may, what goes into an argv or a header may not.
enum class TextKind : std::uint8_t { line, data };

// One value each. `key` is how the value is called in messages. Empty: an error was reported.
[[nodiscard]] std::optional<std::string> read_text(Report& report, const Node& node,
                                                   std::string_view key,
                                                   TextKind kind = TextKind::line);
[[nodiscard]] std::optional<bool> read_boolean(Report& report, const Node& node,
                                               std::string_view key);
[[nodiscard]] std::optional<std::int64_t> read_integer(Report& report, const Node& node,
                                                       std::string_view key, Bounds bounds);
/// Bounds in nanoseconds.
[[nodiscard]] std::optional<Nanos> read_duration(Report& report, const Node& node,
                                                 std::string_view key, Bounds bounds = {});
/// Bounds in parts per million.
[[nodiscard]] std::optional<Percent> read_percent(Report& report, const Node& node,
                                                  std::string_view key, Bounds bounds = {});
[[nodiscard]] std::optional<std::vector<std::string>> read_texts(Report& report, const Node& node,
                                                                 std::string_view key);
[[nodiscard]] std::optional<std::string> read_choice(Report& report, const Node& node,
                                                     std::string_view key,
                                                     std::span<const std::string> choices);
/// [a-z0-9-]{1,64}
[[nodiscard]] std::optional<std::string> read_name(Report& report, const Node& node,
                                                   std::string_view key);
/// Host names, addresses, users: not beginning with '-', only [A-Za-z0-9._:%-], at most 253.
[[nodiscard]] std::optional<std::string> read_address(Report& report, const Node& node,
                                                      std::string_view key);
/// Table of labels, array of host names, or "all". With a catalog every name and label must
/// exist there and at least one host must match.
[[nodiscard]] std::optional<Selection> read_selection(Report& report, const Node& node,
                                                      std::string_view key, const Catalog* catalog);
/// Names as keys ([target.NAME]) and as values follow the same rule.
[[nodiscard]] bool check_name(Report& report, std::string_view name, Spot spot,
                              std::string_view key);
[[nodiscard]] bool check_address(Report& report, std::string_view text, Spot spot,
                                 std::string_view key);
/// Reports E0103 unless the node has that type.
[[nodiscard]] bool has_type(Report& report, const Node& node, std::string_view key,
                            Node::Type type);

class TableReader {
public:
    /// `where` as it stands in messages: "[[probe]]", "[target.backend]", "`regain`".
    TableReader(Report& report, const Node& table, std::string where)
        : report_(report), table_(table), where_(std::move(where)) {}

    /// The value, or nothing when the key is not there. The key counts as known.
    const Node* get(std::string_view key);
    /// As get; a missing key is E0101 at the table, with `example` as help.
    const Node* need(std::string_view key, std::string_view example);
    /// A key that is known although it is not read.
    void know(std::string_view key);
    /// Reports every key that was never asked for. `as_tables`: say `[x]` instead of `x`.
    enum class Show : std::uint8_t { keys, tables };
    void close(Show show = Show::keys);

    [[nodiscard]] Report& report() { return report_; }
    [[nodiscard]] const Node& table() const { return table_; }
    [[nodiscard]] const std::string& where() const { return where_; }

private:
    Report& report_;
    const Node& table_;
    std::string where_;
    std::vector<std::string> known_;
};

}  // namespace drill
