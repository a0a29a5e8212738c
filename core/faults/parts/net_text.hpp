// The nft text and the scripts of the network kinds. Input is a NetCut whose every part is known
// to be well formed; output goes to `nft -f -` or to a small POSIX script as arguments.
// Must not: judge a request; see net_rules.cpp. Next: net_text.cpp.
#pragma once

#include "model/action.hpp"

#include <set>
#include <string>
#include <vector>

namespace drill::faults {

/// Addresses in their canonical text, by family.
struct Addresses {
    std::set<std::string> v4, v6;
    [[nodiscard]] bool empty() const { return v4.empty() && v6.empty(); }
};

struct NetCut {
    std::string table;      ///< "drill_abc123def456", in family inet and in netdev
    std::string directory;  ///< lease directory
    Nanos ttl{0};
    bool in{true}, out{true};
    std::string protocol;            ///< all, tcp, udp, icmp
    std::vector<std::string> ports;  ///< "80", "8000-8100"; empty = all
    int ppm{0};
    Addresses peers;
    Addresses controller;           ///< the other end of our ssh connection, or empty
    std::string ssh_port;           ///< sshd's port as the target sees it
    Addresses identity;             ///< name and login services that stay reachable
    std::set<std::string> devices;  ///< that lead to a peer
};

/// Ports of DNS, Kerberos and LDAP: what a login may need while the fault holds.
inline constexpr std::string_view identity_ports = "53, 88, 389, 464, 636, 3268, 3269";

[[nodiscard]] Exec net_apply(const NetCut& cut);
[[nodiscard]] Exec net_record(const NetCut& cut);  ///< remembers the rules as they are listed
[[nodiscard]] Exec net_renew(const NetCut& cut);
[[nodiscard]] std::vector<Exec> net_undo(const NetCut& cut);
[[nodiscard]] Exec net_read_back(const NetCut& cut);

struct Burst {
    std::string protocol;
    std::string port;  ///< "" = any
    int packets{1};
};
/// Packets of our own to each address, so that a quiet link shows the fault. At most 3 s.
[[nodiscard]] Exec net_send(const Burst& burst, const std::vector<std::string>& addresses);

}  // namespace drill::faults
