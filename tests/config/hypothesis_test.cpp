// A hypothesis that looks at data: what is read, and what is too short to be judged.
#include "config/codes.hpp"
#include "samples.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace drill;
using namespace drill::test;
using namespace std::chrono_literals;

namespace {

LoadedExperiment load_integrity(const std::string& span) {
    return load(
        with(sample_experiment, "during = \"success >= 90%\"\n", "integrity = \"" + span + "\"\n"));
}

}  // namespace

TEST_CASE("a hypothesis may look at data") {
    const LoadedExperiment found = load_integrity("250ms");  // five questions
    CHECK(found.diagnostics.empty());
    CHECK(found.experiment.hypotheses[0].integrity == Nanos{250ms});
}

TEST_CASE("a look at data that is too short for some answers is told at its place") {
    const LoadedExperiment found = load_integrity("249ms");
    REQUIRE(found.diagnostics.size() == 1);
    CHECK(found.diagnostics[0].code == codes::out_of_range);
    CHECK(found.diagnostics[0].place.line == 29);
    CHECK(found.diagnostics[0].place.column == 13);
    CHECK(found.diagnostics[0].help == "integrity = \"250ms\" or longer");
}
