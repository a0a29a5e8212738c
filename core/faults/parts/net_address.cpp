// See net_address.hpp.
#include "faults/parts/net_address.hpp"

#include "base/text.hpp"

#include <arpa/inet.h>
#include <algorithm>
#include <array>
#include <charconv>

namespace drill::faults {

std::optional<Address> parse_address(std::string_view written) {
    const std::string text(written.substr(0, written.find('%')));
    std::array<unsigned char, 16> bytes{};
    std::array<char, INET6_ADDRSTRLEN> out{};
    Address address;
    if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) {
        constexpr std::array<unsigned char, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
        if (std::equal(mapped.begin(), mapped.end(), bytes.begin())) {
            std::copy(bytes.begin() + 12, bytes.end(), bytes.begin());
        } else {
            address.v6 = true;
        }
    } else if (inet_pton(AF_INET, text.c_str(), bytes.data()) != 1) {
        return std::nullopt;
    }
    inet_ntop(address.v6 ? AF_INET6 : AF_INET, bytes.data(), out.data(), out.size());
    address.text = out.data();
    if (address.v6) {
        const bool link_local = bytes[0] == 0xfe && (bytes[1] & 0xc0U) == 0x80;
        const bool odd = bytes[0] == 0xff || address.text == "::" || address.text == "::1";
        address.reach = odd ? Reach::unusable : link_local ? Reach::link_local : Reach::usable;
    } else {
        const bool odd = bytes[0] == 0 || bytes[0] == 127 || bytes[0] >= 224;
        const bool link_local = bytes[0] == 169 && bytes[1] == 254;
        address.reach = odd ? Reach::unusable : link_local ? Reach::link_local : Reach::usable;
    }
    return address;
}

std::optional<Network> parse_network(const std::string& written) {
    const std::size_t slash = written.find('/');
    const std::optional<Address> address = parse_address(written.substr(0, slash));
    if (!address || written.find('%') != std::string::npos) { return std::nullopt; }
    const int full = address->v6 ? 128 : 32;
    int length = full;
    if (slash != std::string::npos) {
        const char* end = written.data() + written.size();
        const auto [rest, error] = std::from_chars(written.data() + slash + 1, end, length);
        if (error != std::errc{} || rest != end || length < 0 || length > full) {
            return std::nullopt;
        }
    }
    if (length == full) {
        if (address->reach == Reach::unusable) { return std::nullopt; }
        return Network{address->text, address->v6, true};
    }
    std::array<unsigned char, 16> bytes{};
    std::array<char, INET6_ADDRSTRLEN> out{};
    const int family = address->v6 ? AF_INET6 : AF_INET;
    inet_pton(family, address->text.c_str(), bytes.data());
    for (int bit = length; bit < full; ++bit) {
        bytes.at(static_cast<std::size_t>(bit / 8)) &=
            static_cast<unsigned char>(~(0x80U >> static_cast<unsigned>(bit % 8)));
    }
    inet_ntop(family, bytes.data(), out.data(), out.size());
    return Network{std::string(out.data()) + "/" + std::to_string(length), address->v6, false};
}

void add(Addresses& to, const Address& address) {
    (address.v6 ? to.v6 : to.v4).insert(address.text);
}

bool holds(const Addresses& all, const Address& address) {
    return (address.v6 ? all.v6 : all.v4).count(address.text) == 1;
}

Addresses addresses_of(const std::string& fact) {
    Addresses out;
    for (const std::string& word : split(fact, ' ')) {
        const std::optional<Address> address = parse_address(word);
        if (address && address->reach == Reach::usable) { add(out, *address); }
    }
    return out;
}

}  // namespace drill::faults
