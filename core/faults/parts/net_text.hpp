// The nft text and the scripts of the network kinds. Input is a NetCut whose every part is known
// to be well formed; output goes to `nft -f -` or to a small POSIX script as arguments.
// Must not: judge a request; see net_rules.cpp. Next: net_text.cpp.
#pragma once

#include "model/action.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace drill::faults {

/// What happens to a packet that matches. What is not said of it here goes on its way.
enum class Treatment : std::uint8_t {
    drop,      ///< all of them, or a share (ppm)
    reject,    ///< dropped, and the sender is told
    classify,  ///< sent into the class `<handle><n>:2` of the device's queue
};

/// Addresses and networks in their canonical text, by family.
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
    Treatment treatment{Treatment::drop};
    std::string answer;     ///< reject: port-unreachable, host-unreachable, .. or tcp-reset
    std::string handle;     ///< classify: all but the last digit of the qdisc handles
    bool anyone{false};     ///< whoever the other end is: ports alone match, peers are empty
    bool networks{false};   ///< some peers are networks, and the target itself may lie in them
    bool any_bites{false};  ///< one of the tables seeing packets is a bite
    Addresses peers;
    Addresses controller;           ///< the other end of our ssh connection, or empty
    std::string ssh_port;           ///< sshd's port as the target sees it
    Addresses identity;             ///< name and login services that stay reachable
    std::set<std::string> devices;  ///< that lead to a peer
};

/// Ports of DNS, Kerberos and LDAP: what a login may need while the fault holds.
inline constexpr std::string_view identity_ports = "53, 88, 389, 464, 636, 3268, 3269";

/// What differs between tables of family inet and netdev.
struct NetFamily {
    std::string_view name;
    std::string_view fuse_key;
    std::string_view fuse4, fuse6;  ///< elements of the fuse
};
inline constexpr NetFamily net_inet{"inet", "meta nfproto", "ipv4", "ipv6"};
inline constexpr NetFamily net_netdev{"netdev", "meta protocol", "ip", "ip6"};

/// One lease's tables with a fuse in each; all that renewal, undo and read-back need.
struct NetTables {
    std::string table;      ///< the name, the same in each family
    std::string directory;  ///< lease directory
    Nanos ttl{0};
    std::vector<std::pair<const NetFamily*, std::string>> texts;  ///< family, sets and chains
    bool any_bites{false};       ///< one table that saw packets is enough
    bool bite_elsewhere{false};  ///< another read-back sees the effect: this one is idle at best
    std::string_view did{"dropped"};  ///< what happened to the packets, for people
};

/// The handle of the queue of the n-th device, without its colon: at most 15 devices.
[[nodiscard]] std::string net_handle(const std::string& stem, std::size_t number);
/// The set that every rule asks, with a line end.
[[nodiscard]] std::string net_fuse(const NetFamily& family, Nanos ttl);
[[nodiscard]] NetTables net_tables(const NetCut& cut);
[[nodiscard]] Exec net_apply(const NetTables& tables);
[[nodiscard]] Exec net_record(const NetTables& tables);  ///< remembers the rules as listed
[[nodiscard]] Exec net_renew(const NetTables& tables);
[[nodiscard]] std::vector<Exec> net_undo(const NetTables& tables);
[[nodiscard]] Exec net_read_back(const NetTables& tables);

struct Burst {
    std::string protocol;
    std::string port;  ///< "" = any
    int packets{1};
    int size{1};  ///< bytes of a datagram
};
/// Packets of our own to each address, so that a quiet link shows the fault. At most 3 s.
[[nodiscard]] Exec net_send(const Burst& burst, const std::vector<std::string>& addresses);

}  // namespace drill::faults
