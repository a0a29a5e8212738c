// The lines that let drill become root, and what they mean: see ground.hpp.
// What is run under them: transport/command.cpp. Must not: promise that a line is less than root.
#include "base/text.hpp"
#include "plan/ground.hpp"

#include <map>

namespace drill {

namespace {

using Logins = std::map<std::string, std::vector<std::string>>;  // user to hosts

std::string sudo_part(const Logins& free, const Logins& asked,
                      const std::vector<std::string>& kinds) {
    if (free.empty() && asked.empty()) { return ""; }
    std::string out = "# /etc/sudoers.d/drill on the hosts named below; check: visudo -cf FILE\n";
    out += "# For: " + join(kinds, ", ") + ".\n";
    out +=
        "# Every kind, its undo and its guard go to the target as one script on the\n"
        "# standard input of a root shell, so these lines are the same for all kinds, and\n"
        "# whoever may log in as that user is root there. No narrower line works: a list\n"
        "# of single programs would not let the undo stay with the fault. What holds a\n"
        "# drill back on the host is /etc/drill/deny, not this file. A command probe with\n"
        "# `on` runs its own program by sudo and needs a line of its own.\n";
    for (const auto& [user, on] : free) {
        out += "# on " + join(on, ", ") + ":\n";
        out += "Defaults:" + user + " !requiretty\n";
        out += user + " ALL=(root) NOPASSWD: /bin/sh -s -- *\n";
    }
    for (const auto& [user, on] : asked) {
        out += "# on " + join(on, ", ") + ", with the password that become_password names:\n";
        out += "Defaults:" + user + " !requiretty\n";
        out += user + " ALL=(root) PASSWD: /bin/sh -c *\n";
    }
    return out;
}

std::string doas_part(const Logins& doas) {
    std::string out;
    for (const auto& [user, on] : doas) {
        out += "# in /etc/doas.conf on " + join(on, ", ") + ":\n";
        out += "#   permit nopass " + user + " as root\n";
    }
    return out;
}

}  // namespace

std::string sudoers_lines(const std::vector<Connection>& connections,
                          const std::vector<std::string>& kinds) {
    // Of each login that becomes root: hosts where sudo is not to ask, where it asks, and doas.
    Logins free, asked, doas;
    for (const Connection& to : connections) {
        const std::string user = to.user.empty() ? "USER" : to.user;  // openssh: ssh_config knows
        if (to.become == "doas") {
            doas[user].push_back(to.host);
        } else if (to.become == "sudo") {
            (to.become_password.empty() ? free : asked)[user].push_back(to.host);
        }
    }
    return sudo_part(free, asked, kinds) + doas_part(doas);
}

}  // namespace drill
