// See chain.hpp.
#include "ledger/chain.hpp"

#include "base/digest.hpp"

namespace drill {

std::string genesis_of(std::string_view plan, std::string_view previous_head) {
    return sha256_hex(std::string(plan).append(previous_head));
}

std::string leaf_of(const Link& link) {
    std::string bytes;
    bytes.reserve(link.previous.size() + link.type.size() + link.body.size() + 64);
    bytes.append(link.previous) += '\n';
    bytes.append(std::to_string(link.seq)) += '\n';
    bytes.append(link.type) += '\n';
    bytes.append(std::to_string(link.at.boot.count())) += '\n';
    bytes.append(std::to_string(link.at.wall.time_since_epoch().count())) += '\n';
    bytes.append(link.body);
    return sha256_hex(bytes);
}

std::string personal_digest(std::string_view salt, std::string_view text) {
    return sha256_hex(std::string(salt).append(text));
}

}  // namespace drill
