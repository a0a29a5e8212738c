// One TOML file as a tree with places, in the order of the file. document.cpp is the only user
// of toml++; scan.cpp looks at the text before it, bounds what reaches it and names the errors
// for which toml++ has no plain words. Must not: know what keys mean. Next: reader.hpp.
#pragma once

#include "config/report.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drill {

struct Member;

struct Node {
    enum class Type : std::uint8_t { text, integer, real, boolean, moment, array, table };
    Type type{Type::table};
    Spot spot;          ///< of the value; a table: its header, or the whole inline table
    bool plain{false};  ///< text on one line without escapes: text[i] stands at column + 1 + i
    bool boolean{false};
    std::int64_t integer{0};
    std::string text;
    std::vector<Node> items;
    std::vector<Member> members;  ///< in the order of the file

    [[nodiscard]] const Member* find(std::string_view key) const;
};

struct Member {
    std::string key;
    Spot spot;
    Node value;
};

/// "a text", "an integer" ..., as it stands in messages.
[[nodiscard]] std::string_view name_of(Node::Type type) noexcept;

/// What is read at most. Each bound is far above what people write and far below what hurts.
struct Caps {
    std::size_t bytes;    ///< of the file
    std::size_t entries;  ///< keys, table headers and array entries together
    std::size_t items;    ///< of one array
};
inline constexpr Caps experiment_caps{std::size_t{1} << 20U, 10'000, 1'000};
// A catalog of 10^4 hosts has about 400 bytes and 8 entries for each of them.
inline constexpr Caps catalog_caps{std::size_t{4} << 20U, 200'000, 10'000};
inline constexpr std::size_t most_catalog_hosts = 10'000;
// toml++ recurses once for each level (and stops at 256 of its own); dotted keys count too.
inline constexpr std::size_t deepest_nesting = 32;

/// Empty after a syntax error or a broken cap, which is then in the report. CRLF and a byte
/// order mark are fine. Never throws.
[[nodiscard]] std::optional<Node> parse_document(std::string_view text, const Caps& caps,
                                                 Report& report);

}  // namespace drill
