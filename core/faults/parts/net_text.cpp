// See net_text.hpp. Facts about nft that shape this text, all tried on nft 1.0.6:
// family netdev refuses `meta nfproto`, so the fuse there is keyed by `meta protocol`; sets belong
// to one table; a bare re-add of a timed element does not refresh it, delete and add does, and
// it fails once the element has ended, which is how a lease that ended stays ended.
#include "faults/parts/net_text.hpp"

#include "base/text.hpp"
#include "faults/parts/values.hpp"

#include <algorithm>

namespace drill::faults {

namespace {

/// How a rule looks at a packet: which end is the peer's.
struct Side {
    const NetFamily& family;
    std::string_view peer;       ///< where the peer's address stands
    std::string_view peer_port;  ///< where a port of the peer's stands
    std::string_view own_port;
};
constexpr Side inbound{net_inet, "saddr", "sport", "dport"};
constexpr Side onward{net_inet, "daddr", "dport", "sport"};
constexpr Side outbound{net_netdev, "daddr", "dport", "sport"};

std::string seconds(Nanos span) {
    const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
    return whole % 1000 == 0 ? std::to_string(whole / 1000) + "s" : std::to_string(whole) + "ms";
}

std::string joined(const std::set<std::string>& words) {
    return join(std::vector<std::string>(words.begin(), words.end()), ", ");
}

std::string set_text(std::string_view name, std::string_view type, const NetCut& cut,
                     const std::set<std::string>& elements) {
    if (elements.empty()) { return ""; }
    std::string text = "    set ";
    text.append(name).append(" { type ").append(type);
    if (cut.networks) { text += "; flags interval; auto-merge"; }
    return text.append("; elements = { ").append(joined(elements)) + " }; }\n";
}

std::string fuse_elements(const NetFamily& family, const std::string& timeout) {
    return "{ " + std::string(family.fuse4) + timeout + ", " + std::string(family.fuse6) + timeout +
           " }";
}

/// What stays open: our own way in, neighbour discovery, what a login needs.
std::string exemptions(const NetCut& cut, const Side& side) {
    std::string text;
    const std::string peer = " " + std::string(side.peer) + " ";
    for (const auto& [family, addresses] :
         {std::pair{"ip", &cut.controller.v4}, std::pair{"ip6", &cut.controller.v6}}) {
        for (const std::string& address : *addresses) {
            text.append("        ").append(family).append(peer).append(address);
            text.append(" tcp ").append(side.own_port).append(" ").append(cut.ssh_port);
            text += " accept\n";
        }
    }
    text +=
        "        icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, "
        "nd-neighbor-advert } accept\n";
    for (const auto& [family, set, addresses] : {std::tuple{"ip", "@keep4", &cut.identity.v4},
                                                 std::tuple{"ip6", "@keep6", &cut.identity.v6}}) {
        if (addresses->empty()) { continue; }
        text += "        " + std::string(family) + peer + set + " meta l4proto { tcp, udp } th " +
                std::string(side.peer_port) + " { " + std::string(identity_ports) + " } accept\n";
    }
    return text;
}

/// Conditions behind the address, one per rule. A port is listed as the destination on the way
/// to a service and as the source on the way back; nft has seen no connection yet at these hooks.
/// Where the other end can be anyone, only the way to the service is looked at.
std::vector<std::string> conditions(const NetCut& cut, bool v6) {
    if (cut.protocol == "icmp") { return {v6 ? "meta l4proto ipv6-icmp " : "meta l4proto icmp "}; }
    const bool all = cut.protocol == "all";
    if (cut.ports.empty()) { return {all ? "" : "meta l4proto " + cut.protocol + " "}; }
    const std::string protocol =
        all ? "meta l4proto { tcp, udp } " : "meta l4proto " + cut.protocol + " ";
    const std::string ports = " { " + join(cut.ports, ", ") + " } ";
    if (cut.anyone) { return {protocol + "th dport" + ports}; }
    return {protocol + "th dport" + ports, protocol + "th sport" + ports};
}

std::string verdict_of(const NetCut& cut) {
    switch (cut.treatment) {
        case Treatment::drop: return cut.ppm < 1'000'000 ? "goto lose" : "counter drop";
        case Treatment::reject: return "goto refuse";
        case Treatment::classify: break;
    }
    return "goto into_queue";
}

/// The rules that treat a packet.
std::string matching(const NetCut& cut, const Side& side) {
    const std::string begin = "        " + std::string(side.family.fuse_key) + " @fuse ";
    const std::string end = verdict_of(cut) + "\n";
    std::string text;
    if (cut.anyone) {
        // At prerouting the ports of what is forwarded are seen too: they are not the target's.
        const std::string_view local = &side == &inbound ? "fib daddr type local " : "";
        for (const std::string& condition : conditions(cut, false)) {
            text.append(begin).append(local).append(condition).append(end);
        }
        return text;
    }
    for (const bool v6 : {false, true}) {
        if ((v6 ? cut.peers.v6 : cut.peers.v4).empty()) { continue; }
        for (const std::string& condition : conditions(cut, v6)) {
            text.append(begin).append(v6 ? "ip6 " : "ip ").append(side.peer);
            text.append(v6 ? " @p6 " : " @p4 ").append(condition).append(end);
        }
    }
    return text;
}

/// Chains that the matching rules go to.
std::string treatment_chain(const NetCut& cut) {
    if (cut.treatment == Treatment::drop && cut.ppm < 1'000'000) {
        // A chain of its own rolls the dice once per packet, however many rules match it.
        return "    chain lose {\n        counter\n        numgen random mod 1000000 < " +
               std::to_string(cut.ppm) + " counter drop\n    }\n";
    }
    if (cut.treatment == Treatment::reject) {
        const bool reset = cut.answer == "tcp-reset";
        return "    chain refuse {\n" +
               std::string(reset ? "        meta l4proto tcp counter reject with tcp reset\n"
                                 : "") +
               "        counter reject with icmpx type " +
               (reset ? "port-unreachable" : cut.answer) + "\n    }\n";
    }
    if (cut.treatment == Treatment::classify) {
        std::string text = "    chain into_queue {\n";
        std::size_t number = 0;
        for (const std::string& device : cut.devices) {
            text += "        oifname \"" + device + "\" meta priority set " +
                    net_handle(cut.handle, number++) + ":2 counter accept\n";
        }
        return text + "    }\n";
    }
    return "";
}

std::string chain(std::string_view name, std::string_view hook, const std::string& rules) {
    return "    chain " + std::string(name) + " {\n        type filter hook " + std::string(hook) +
           "; policy accept;\n" + rules + "    }\n";
}

/// The target's own traffic with itself, where it may lie in a network that is meant.
std::string own_traffic(const NetCut& cut, std::string_view key) {
    return cut.networks || cut.anyone ? "        " + std::string(key) + " \"lo\" accept\n" : "";
}

std::string inet_chains(const NetCut& cut) {
    const std::string from_peer = own_traffic(cut, "iif") + exemptions(cut, inbound);
    const std::string to_peer = own_traffic(cut, "oif") + exemptions(cut, onward);
    constexpr std::string_view before_all = "prerouting priority -310";
    switch (cut.treatment) {
        case Treatment::drop:
            return cut.in ? chain("pre", before_all, from_peer + matching(cut, inbound)) : "";
        case Treatment::reject: {
            // What is forwarded to a peer is refused where it comes in; output sees only our own.
            // The answers come by loopback and by output too, and have to pass.
            constexpr std::string_view answers =
                "        icmp type destination-unreachable accept\n"
                "        icmpv6 type destination-unreachable accept\n"
                "        tcp flags & rst == rst accept\n";
            std::string in = "        iif \"lo\" accept\n";
            if (cut.in) { in += exemptions(cut, inbound) + matching(cut, inbound); }
            if (cut.out) {
                in += exemptions(cut, onward) +
                      (cut.anyone ? "        fib daddr type local accept\n" : "") +
                      matching(cut, onward);
            }
            return chain("pre", before_all, in) +
                   (cut.out ? chain("own", "output priority -310",
                                    std::string(answers) + to_peer + matching(cut, onward))
                            : "");
        }
        case Treatment::classify: break;
    }
    return chain("post", "postrouting priority 310", to_peer + matching(cut, onward));
}

std::string netdev_chains(const NetCut& cut) {
    std::string text =
        "    chain cut {\n" + exemptions(cut, outbound) + matching(cut, outbound) + "    }\n";
    std::size_t number = 0;
    for (const std::string& device : cut.devices) {
        text += "    chain out" + std::to_string(++number) +
                " {\n        type filter hook egress device \"" + device +
                "\" priority 0; policy accept;\n        jump cut\n    }\n";
    }
    return text;
}

std::string table_text(const NetCut& cut, const NetFamily& family) {
    NetCut single = cut;  // what login needs is never a network
    single.networks = false;
    std::string text = set_text("p4", "ipv4_addr", cut, cut.peers.v4) +
                       set_text("p6", "ipv6_addr", cut, cut.peers.v6) +
                       set_text("keep4", "ipv4_addr", single, cut.identity.v4) +
                       set_text("keep6", "ipv6_addr", single, cut.identity.v6);
    text += net_fuse(family, cut.ttl);
    text += treatment_chain(cut);
    return text + (&family == &net_inet ? inet_chains(cut) : netdev_chains(cut));
}

std::vector<std::string> family_arguments(const NetTables& tables) {
    std::vector<std::string> arguments{tables.table, tables.directory};
    for (const auto& [family, text] : tables.texts) { arguments.emplace_back(family->name); }
    return arguments;
}

// Prints the stateless listing of table $2 in family $1 without its fuse, which comes and goes.
// Only builtins after nft, and no here-document: a full /tmp must not matter.
constexpr std::string_view shape = R"sh(nl='
'
tab=$(printf '\t')
shape() {
    listing=$(nft -s list table "$1" "$2") || return 1
    fuse=
    old_ifs=$IFS
    IFS=$nl
    set -f
    for line in $listing; do
        [ "$line" = "${tab}set fuse {" ] && fuse=1
        [ -n "$fuse" ] || printf '%s\n' "$line"
        [ "$line" = "$tab}" ] && fuse=
    done
    IFS=$old_ifs
}
)sh";

constexpr std::string_view record = R"sh(
table=$1 directory=$2
shift 2
for family do
    shape "$family" "$table" >"$directory/rules.$family" || exit 1
done
)sh";

constexpr std::string_view read_tables = R"sh(
want=$1 did=$2 table=$3 directory=$4
shift 4
tables=$(nft list tables) || exit 99
there= gone=
for family do
    case "$nl$tables$nl" in
    *"${nl}table $family $table$nl"*) there="$there $family" ;;
    *) gone=$family ;;
    esac
done
if [ -z "$there" ]; then
    # The undo takes the record away; as long as it is there, somebody else took the tables.
    [ -e "$directory/rules.$1" ] || exit 0
    echo "table $1 $table was removed by somebody else"
    exit 12
fi
# An undo takes the record away first of all for this: what it could not delete is then never
# taken for the work of somebody else, which would count as ended.
for family do
    if [ ! -e "$directory/rules.$family" ]; then
        echo "table$there $table is there without a record of what was applied"
        exit 99
    fi
done
if [ -n "$gone" ]; then
    echo "table $gone $table is gone"
    exit 12
fi
idle= bites=
for family do
    now=$(shape "$family" "$table") || exit 99
    before=$(cat "$directory/rules.$family") || exit 99
    if [ "$now" != "$before" ]; then
        echo "table $family $table was altered"
        exit 12
    fi
    left=$(nft list set "$family" "$table" fuse) || exit 99
    case $left in
    *expires*expires*) ;;
    *) echo "the fuse of table $family $table has ended"; exit 12 ;;
    esac
    listing=$(nft list table "$family" "$table") || exit 99
    seen=0 hit=0
    old_ifs=$IFS
    IFS=$nl
    set -f
    for line in $listing; do
        case $line in *"counter packets "*) ;; *) continue ;; esac
        count=${line#*counter packets }
        count=${count%% *}
        case $line in
        *" drop" | *" reject" | *" reject with "* | *" accept") hit=$((hit + count)) ;;
        *) seen=$((seen + count)) ;;
        esac
    done
    IFS=$old_ifs
    [ "$seen" -ge "$hit" ] || seen=$hit
    echo "$family: $did $hit of $seen packets"
    if [ "$hit" -gt 0 ]; then bites=1; else idle=1; fi
done
[ "$want" != elsewhere ] || exit 11
[ "$want" = each ] || idle=
[ -n "$bites" ] && [ -z "$idle" ] || exit 11
exit 10
)sh";

// Whichever tool the host has. Every way is bounded; exit status means nothing to the caller.
constexpr std::string_view send_packets = R"sh(
protocol=$1 port=$2 packets=$3 size=$4
shift 4
text=$(printf "%0${size}d" 0)
has() { command -v "$1" >/dev/null 2>&1; }
by_bash() {
    has bash && has timeout && timeout 3 bash -c '
        for ((i = 0; i < $4; i++)); do
            if [ "$1" = tcp ]; then
                timeout 1 bash -c "exec 3<>\"/dev/tcp/\$1/\$2\"" bash "$2" "$3" &
            else
                { [ "$i" -gt 0 ] || exec 3<>"/dev/udp/$2/$3"; } && printf %s "$5" >&3
            fi
        done
        wait' bash "$1" "$2" "$port" "$packets" "$text"
}
by_ping() { has ping && ping -c "$packets" -s "$size" -W 1 -w 3 "$2"; }
by_nc() {
    has nc || return 1
    if [ "$1" = tcp ]; then nc -w 1 "$2" "$port"; else printf %s "$text" | nc -u -w 1 "$2" "$port"; fi
}
by_python() {
    has python3 && python3 -c '
import socket, sys
kind, host, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
family = socket.AF_INET6 if ":" in host else socket.AF_INET
for i in range(count):
    s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    s.setblocking(False)
    try:
        s.connect((host, port))
        s.send(b"x" * int(sys.argv[5]))
    except OSError:
        pass' "$1" "$2" "$port" "$packets" "$size"
}
for address do
    case $protocol in
    icmp) by_ping icmp "$address" ;;
    tcp) by_bash tcp "$address" || by_nc tcp "$address" || by_python tcp "$address" ;;
    udp) by_bash udp "$address" || by_nc udp "$address" || by_python udp "$address" ;;
    *) by_bash udp "$address" || by_ping icmp "$address" || by_nc udp "$address" ||
        by_python udp "$address" ;;
    esac >/dev/null 2>&1 </dev/null &
done
wait
exit 0
)sh";

}  // namespace

std::string net_handle(const std::string& stem, std::size_t number) {
    constexpr std::string_view digits = "123456789abcdef";
    return stem + digits[std::min(number, digits.size() - 1)];
}

std::string net_fuse(const NetFamily& family, Nanos ttl) {
    return "    set fuse { typeof " + std::string(family.fuse_key) +
           "; flags timeout; elements = " + fuse_elements(family, " timeout " + seconds(ttl)) +
           "; }\n";
}

NetTables net_tables(const NetCut& cut) {
    NetTables tables{cut.table, cut.directory, cut.ttl, {}, cut.any_bites};
    const bool dropped = cut.treatment == Treatment::drop;
    if (cut.treatment == Treatment::reject) { tables.did = "rejected"; }
    if (cut.treatment == Treatment::classify) { tables.did = "queued"; }
    if (!dropped || cut.in) { tables.texts.emplace_back(&net_inet, table_text(cut, net_inet)); }
    if (dropped && cut.out) { tables.texts.emplace_back(&net_netdev, table_text(cut, net_netdev)); }
    return tables;
}

Exec net_apply(const NetTables& tables) {
    Exec exec{{"nft", "-f", "-"}, {}};
    // `create` fails where a table of that name exists: it would not be ours.
    for (const auto& [family, text] : tables.texts) {
        exec.input += "create table " + std::string(family->name) + " " + tables.table + "\n";
    }
    for (const auto& [family, text] : tables.texts) {
        exec.input +=
            "table " + std::string(family->name) + " " + tables.table + " {\n" + text + "}\n";
    }
    return exec;
}

Exec net_record(const NetTables& tables) {
    return script(std::string(shape) += record, family_arguments(tables));
}

Exec net_renew(const NetTables& tables) {
    Exec exec{{"nft", "-f", "-"}, {}};
    const std::string timeout = " timeout " + seconds(tables.ttl);
    for (const auto& [family, text] : tables.texts) {
        const std::string fuse =
            " element " + std::string(family->name) + " " + tables.table + " fuse ";
        exec.input += "delete" + fuse + fuse_elements(*family, "") + "\n";
        exec.input += "add" + fuse + fuse_elements(*family, timeout) + "\n";
    }
    return exec;
}

std::vector<Exec> net_undo(const NetTables& tables) {
    std::vector<Exec> undo;
    Exec forget{{"rm", "-f"}, {}};  // first: see read_tables
    for (const auto& [family, text] : tables.texts) {
        // One transaction that also succeeds when the table is gone already: nft 1.0.6 has no
        // `destroy`. The whole text is one argument.
        const std::string table = "table " + std::string(family->name) + " " + tables.table;
        std::string transaction = "add " + table;
        transaction.append("; delete ").append(table);
        undo.push_back({{"nft", std::move(transaction)}, {}});
        forget.argv.push_back(tables.directory + "/rules." + std::string(family->name));
    }
    undo.insert(undo.begin(), std::move(forget));
    return undo;
}

Exec net_read_back(const NetTables& tables) {
    std::vector<std::string> arguments = family_arguments(tables);
    arguments.insert(arguments.begin(), {tables.bite_elsewhere ? "elsewhere"
                                         : tables.any_bites    ? "any"
                                                               : "each",
                                         std::string(tables.did)});
    return script(std::string(shape) += read_tables, std::move(arguments));
}

Exec net_send(const Burst& burst, const std::vector<std::string>& addresses) {
    // Port 9 is discard: nothing is meant to answer.
    std::vector<std::string> arguments{burst.protocol, burst.port.empty() ? "9" : burst.port,
                                       std::to_string(burst.packets), std::to_string(burst.size)};
    arguments.insert(arguments.end(), addresses.begin(), addresses.end());
    return script(send_packets, std::move(arguments));
}

}  // namespace drill::faults
