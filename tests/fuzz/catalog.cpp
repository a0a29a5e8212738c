// Fuzzes the loader of catalogs. No file is looked at: key files are skipped.
#include "config/loader.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto loaded = drill::parse_catalog(text, "/lab/drill.toml");
    for (const drill::Diagnostic& one : loaded.diagnostics) {
        if (drill::render(one, text).empty()) { std::abort(); }
    }
    return 0;
}
