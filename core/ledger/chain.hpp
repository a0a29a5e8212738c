// What is hashed, and how. An auditor repeats it with `sha256sum`; see README.md.
// Must not: read anything. Next: verify.cpp.
#pragma once

#include "base/instant.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace drill {

/// SHA-256(plan bytes as stored, then the head of the run before as hex; "" for the first run).
[[nodiscard]] std::string genesis_of(std::string_view plan, std::string_view previous_head);

struct Link {
    std::string_view previous;  ///< leaf before, or the genesis
    std::int64_t seq{0};
    std::string_view type;
    Instant at;
    std::string_view body;  ///< as stored
};
/// SHA-256 over previous, seq, type, boot time in ns, wall time in ms, each followed by a newline,
/// and then the body.
[[nodiscard]] std::string leaf_of(const Link& link);

/// SHA-256(salt, text): what stands in the chain for a text that may be erased.
[[nodiscard]] std::string personal_digest(std::string_view salt, std::string_view text);

}  // namespace drill
