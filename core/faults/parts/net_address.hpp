// Addresses and networks as people and hosts write them, in one canonical text each.
// Must not: resolve a name. What enters nft text has come through here.
// Next: net_rules.hpp.
#pragma once

#include "faults/parts/net_text.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace drill::faults {

enum class Reach : std::uint8_t { usable, link_local, unusable };

struct Address {
    std::string text;  ///< canonical
    bool v6{false};
    Reach reach{Reach::usable};
};

/// Parses one literal address. A zone ("%eth0") is cut off, a v4-mapped address becomes v4.
[[nodiscard]] std::optional<Address> parse_address(std::string_view written);

/// "10.8.0.0/16" to its canonical text, host bits cleared.
struct Network {
    std::string text;
    bool v6{false};
    bool single{false};  ///< one address: no prefix, or a full one
};

/// Empty for what is no address or network that others can have.
[[nodiscard]] std::optional<Network> parse_network(const std::string& written);

void add(Addresses& to, const Address& address);
[[nodiscard]] bool holds(const Addresses& all, const Address& address);
/// Blank-separated addresses of a fact; what is no usable address is left out.
[[nodiscard]] Addresses addresses_of(const std::string& fact);

}  // namespace drill::faults
