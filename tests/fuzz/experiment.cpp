// Fuzzes the loader of experiments, with the small tables of kinds of its tests (every type of
// parameter that it reads is in them) and a catalog. Holds: it ends, and throws nothing.
#include "config/samples.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    static const drill::Catalog catalog =
        drill::parse_catalog(
            "[environment]\nname = \"lab\"\nclass = \"lab\"\n"
            "[host.app-1]\naddress = \"10.77.0.4\"\n"
            "labels = { role = \"orders-app\", site = \"a\" }\n"
            "[host.bal-1]\naddress = \"10.77.0.2\"\nlabels = { role = \"balancer\" }\n"
            "[service.orders]\nhosts = \"all\"\n",
            "/lab/drill.toml")
            .catalog;
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto once = drill::parse_experiment(text, "fuzz.toml", drill::test::kinds,
                                              drill::test::probe_kinds, &catalog);
    for (const drill::Diagnostic& one : once.diagnostics) {
        if (drill::render(one, text).empty()) { std::abort(); }
    }
    return 0;
}
