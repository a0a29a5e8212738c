// Identifiers. A lease id is also the tag that is left on a target (directory, table, unit).
// Must not: give meaning to the letters. Next: base/text.hpp.
#pragma once

#include <cstddef>
#include <string>

namespace drill {

/// `length` characters of [a-z0-9], drawn from the operating system. Aborts if it has none.
[[nodiscard]] std::string random_id(std::size_t length);
/// 64 random bits from the operating system, e.g. for the seed of a plan.
[[nodiscard]] unsigned long long random_seed();

inline constexpr std::size_t lease_id_length = 12;
inline constexpr std::size_t nonce_length = 16;

/// A lease id may name a file, an nft table and a unit: [a-z0-9]{12}.
[[nodiscard]] bool is_lease_id(const std::string& text) noexcept;

}  // namespace drill
