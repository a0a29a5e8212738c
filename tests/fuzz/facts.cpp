// Fuzzes the reading of what a host says of itself.
#include "plan/facts.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const auto facts =
        drill::parse_facts(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!facts) { return 0; }
    static_cast<void>(drill::fact_uptime(*facts));
    static_cast<void>(drill::fact_list(*facts, "addresses"));
    return 0;
}
