// Writes what net-partition would send for many given peers: apply.nft, renew.nft and undo.nft in a
// directory. scripts/bench/peers carries them out and measures. Must not: touch a host.
#include "faults/kinds.hpp"

#include <cstdlib>
#include <fstream>
#include <iostream>

int main(int argc, char** argv) {
    using namespace drill;
    if (argc != 3) {
        std::cerr << "usage: bench_peers PEERS DIRECTORY\n";
        return 2;
    }
    const int peers = std::atoi(argv[1]);
    const std::string directory = argv[2];
    const Kind* kind = find_kind(fault_kinds(), "net-partition");
    std::vector<std::string> addresses;
    for (int i = 0; i < peers; ++i) {
        addresses.push_back("10.80." + std::to_string(i / 200) + "." + std::to_string(i % 200 + 1));
    }
    ChangeRequest request;
    request.host = "bench";
    request.lease = "benchbench12";
    request.directory = directory;
    request.ttl = std::chrono::seconds{60};
    request.facts = {{"tool.nft", "nft"}, {"tool.ip", "ip"}, {"kernel", "6.1.0"}};
    request.params = {{"addresses", addresses},
                      {"direction", std::string("both")},
                      {"protocol", std::string("all")}};
    request.observed = {{0, "device eth0\n", ""}};
    const auto change = kind->compose(request);
    if (!change) {
        std::cerr << change.error().message << "\n";
        return 2;
    }
    std::ofstream(directory + "/apply.nft") << change->apply.front().input;
    std::ofstream(directory + "/renew.nft") << change->renew.front().input;
    std::ofstream undo(directory + "/undo.nft");
    for (const Exec& exec : change->undo) {
        if (exec.argv.front() == "nft") { undo << exec.argv.back() << "\n"; }
    }
    return undo.good() ? 0 : 2;
}
