// What the ssh_config of this machine says of hosts that transport = "ssh" reaches without it.
// Must not: connect anywhere. Next: transport/ssh_config.hpp, which judges.
#pragma once

#include "model/host.hpp"
#include "transport/ssh_config.hpp"

#include <map>
#include <string>
#include <vector>

namespace drill::cli {

/// A host and whether a login on it worked just now.
struct Tried {
    Connection connection;
    LoginWorks works{LoginWorks::yes};
};

/// Findings by host; hosts without any are left out. Runs `ssh -G` (which evaluates `Match exec`)
/// for each host by ssh, two seconds each at most, and not at all where the files of ssh_config
/// hold nothing of the kind and nothing failed.
[[nodiscard]] std::map<std::string, std::vector<std::string>> ssh_config_notes(
    const std::vector<Tried>& hosts);

}  // namespace drill::cli
