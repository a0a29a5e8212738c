// The verbs, one file each (cmd_<verb>.cpp). Each returns the exit code.
#pragma once

#include "cli/console.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace drill::cli {

struct PlanOptions {
    std::string file, output, diff;
    bool verbose{false};
    std::optional<std::uint64_t> seed;
};
struct RunOptions {
    std::string file, confirm, reason;
    std::optional<std::uint64_t> seed;
};
struct ShowOptions {
    std::string run;
    bool events{false};
    bool json{false};
};
struct TrustOptions {
    std::vector<std::string> hosts;
    std::string fingerprint;
    bool replace{false};
};

int validate(const Globals& globals, const std::vector<std::string>& files);
int plan(const Globals& globals, const PlanOptions& options);
int run(const Globals& globals, const RunOptions& options);
int undo(const Globals& globals);
int sweep(const Globals& globals, const std::vector<std::string>& hosts);
int ls(const Globals& globals);
int show(const Globals& globals, const ShowOptions& options);
int trust(const Globals& globals, const TrustOptions& options);

}  // namespace drill::cli
