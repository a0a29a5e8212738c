// The lines that let drill become root, and what they mean: see ground.hpp.
// What is run under them: transport/command.cpp. Must not: promise that a line is less than root.
#include "base/text.hpp"
#include "plan/ground.hpp"

#include <map>

namespace drill {

std::string sudoers_lines(const std::vector<Connection>& connections,
                          const std::vector<std::string>& kinds) {
    std::map<std::string, std::vector<std::string>> hosts;  // of a login that becomes root by sudo
    for (const Connection& to : connections) {
        if (to.become.starts_with("sudo")) { hosts[to.user].push_back(to.host); }
    }
    if (hosts.empty()) { return ""; }
    std::string out = "# /etc/sudoers.d/drill on the hosts named below; check: visudo -cf FILE\n";
    out += "# For: " + join(kinds, ", ") + ".\n";
    out +=
        "# Every kind, its undo and its guard go to the target as one script on the\n"
        "# standard input of a root shell, so these lines are the same for all kinds, and\n"
        "# whoever may log in as that user is root there. No narrower line works: a list\n"
        "# of single programs would not let the undo stay with the fault. What holds a\n"
        "# drill back on the host is /etc/drill/deny, not this file. A command probe with\n"
        "# `on` runs its own program by sudo and needs a line of its own.\n";
    for (const auto& [user, on] : hosts) {
        out += "# on " + join(on, ", ") + ":\n";
        out += "Defaults:" + user + " !requiretty\n";
        out += user + " ALL=(root) NOPASSWD: /bin/sh -s -- *\n";
    }
    return out;
}

}  // namespace drill
