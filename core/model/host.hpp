// How one host is reached. Resolved from the catalog at plan time, kept in lease rows so that
// an undo works with the catalog gone. Must not: hold a secret (key files are paths).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace drill {

/// Where a secret lies: one of the three, or none. The secret itself is read by
/// transport/passwords.hpp when it is needed, and nowhere else.
struct SecretSource {
    std::string file;                  ///< absolute path; refused when others can read it
    std::string credential;            ///< file name in $CREDENTIALS_DIRECTORY (systemd)
    std::vector<std::string> command;  ///< run on the controller; prints the secret
    [[nodiscard]] bool empty() const {
        return file.empty() && credential.empty() && command.empty();
    }
    friend bool operator==(const SecretSource&, const SecretSource&) = default;
};

struct Connection {
    std::string host;               ///< catalog name; also names the lane
    std::string transport{"ssh"};   ///< "ssh", "openssh" or "local"
    std::string address;            ///< name or address, never beginning with '-'
    std::uint16_t port{22};         ///< openssh: 0 = as ssh_config says
    std::string user{"root"};       ///< openssh: "" = as ssh_config says
    std::string key_file;           ///< absolute path; empty = agent only (openssh: ssh_config too)
    std::string known_hosts;        ///< absolute path of the file that is trusted (openssh: "" = as
                                    ///< ssh_config says)
    std::string become;             ///< "", "sudo" or "doas"; without a password they may not ask
    std::string host_key;           ///< "SHA256:..." seen last; "" before the first connection
    std::vector<Connection> jumps;  ///< outermost first, each a hop by direct-tcpip
    SecretSource become_password;   ///< where sudo's password lies; empty = sudo -n
    friend bool operator==(const Connection&, const Connection&) = default;
};

/// Facts of a host by name, e.g. "machine_id", "boot_id", "tool.nft", "ssh_port".
/// Names: see plan/facts.hpp, which asks and parses them.
using Facts = std::map<std::string, std::string>;

/// A host that a change keeps away from, or stands in another relation to.
struct Peer {
    std::string host;
    std::vector<std::string> addresses;  ///< all of them, IPv4 and IPv6, without prefix length
    friend bool operator==(const Peer&, const Peer&) = default;
};

}  // namespace drill
