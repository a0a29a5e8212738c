// How one host is reached. Resolved from the catalog at plan time, kept in lease rows so that
// an undo works with the catalog gone. Must not: hold a secret (key files are paths).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace drill {

struct Connection {
    std::string host;              ///< catalog name; also names the lane
    std::string transport{"ssh"};  ///< "ssh" or "local"
    std::string address;           ///< name or address, never beginning with '-'
    std::uint16_t port{22};
    std::string user{"root"};
    std::string key_file;           ///< absolute path; empty = agent only
    std::string known_hosts;        ///< absolute path of the file that is trusted
    std::string become;             ///< "" or "sudo" (sudo -n)
    std::string host_key;           ///< "SHA256:..." seen last; "" before the first connection
    std::vector<Connection> jumps;  ///< outermost first, each a hop by direct-tcpip
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
