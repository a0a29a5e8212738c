// Writes random plans, leases and events as JSON, and the samples of the loader's tests, into a
// directory: where the fuzzing begins. usage: fuzz_seeds DIRECTORY
#include "config/samples.hpp"
#include "model/random_model.hpp"

#include <fstream>

using namespace drill;

int main(int argc, char** argv) {
    if (argc != 2) { return 2; }
    const std::string directory = argv[1];
    std::ofstream(directory + "/sample.experiment") << test::sample_experiment;
    std::ofstream(directory + "/sample.catalog") << test::sample_catalog;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        testing::RandomModel model(seed);
        Plan plan = model.plan();
        plan.hash = plan_hash(plan);
        const std::string name = directory + "/" + std::to_string(seed);
        std::ofstream(name + ".plan") << plan_to_json(plan, Hash::with);
        std::ofstream(name + ".lease") << lease_to_json(model.lease());
        std::ofstream(name + ".event") << event_body(Event{.type = "x", .message = model.text()});
    }
    return 0;
}
