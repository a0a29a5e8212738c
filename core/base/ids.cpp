// See ids.hpp.
#include "base/ids.hpp"

#include "base/result.hpp"

#include <sys/random.h>
#include <algorithm>

namespace drill {

namespace {
void fill(unsigned char* bytes, std::size_t count) {
    const ssize_t got = getrandom(bytes, count, 0);  // never short below 256 bytes
    DRILL_ASSERT(got == static_cast<ssize_t>(count));
}
}  // namespace

std::string random_id(std::size_t length) {
    static constexpr char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    std::string id;
    while (id.size() < length) {
        unsigned char byte = 0;
        fill(&byte, 1);
        if (byte < 252) { id += letters[byte % 36]; }  // 252 = 7 x 36: no bias
    }
    return id;
}

unsigned long long random_seed() {
    unsigned char bytes[8];
    fill(bytes, sizeof bytes);
    unsigned long long seed = 0;
    for (const unsigned char byte : bytes) { seed = (seed << 8U) | byte; }
    return seed;
}

bool is_lease_id(const std::string& text) noexcept {
    return text.size() == lease_id_length && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
           });
}

}  // namespace drill
