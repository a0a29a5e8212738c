// What each kind would do to a host, word by word. The files are read by people: a change of one
// is a change of what drill does to a target. DRILL_GOLDEN=write writes them anew.
#include "faults/requests.hpp"

#include <doctest/doctest.h>
#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace drill;
using namespace drill::test;

TEST_CASE("the composed commands are those of the golden file") {
    const char* mode = std::getenv("DRILL_GOLDEN");
    for (const Kind* kind : fault_kinds()) {
        for (const Binding binding : {Binding::plan, Binding::run}) {
            const ChangeRequest request = request_for(*kind, binding);
            const Result<Change> change = kind->compose(request);
            REQUIRE(bool(change));
            const std::string text = kind->describe(request) + "\n" + text_of_change(*change);
            const std::string path = DRILL_SOURCE_DIR "/tests/faults/golden/" +
                                     std::string(kind->name) +
                                     (binding == Binding::plan ? ".plan.txt" : ".run.txt");
            if (mode != nullptr && std::string(mode) == "write") { std::ofstream(path) << text; }
            std::ostringstream golden;
            golden << std::ifstream(path).rdbuf();
            CAPTURE(path);
            CHECK(text == golden.str());
        }
    }
}
