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

/// What differs between the two tables.
struct Side {
    std::string_view family;  ///< of the table
    std::string_view fuse_key;
    std::string_view fuse4, fuse6;  ///< elements of the fuse
    std::string_view peer;          ///< where the peer's address stands
    std::string_view peer_port;     ///< where a port of the peer's stands
    std::string_view own_port;
};
constexpr Side inbound{"inet", "meta nfproto", "ipv4", "ipv6", "saddr", "sport", "dport"};
constexpr Side outbound{"netdev", "meta protocol", "ip", "ip6", "daddr", "dport", "sport"};

std::string seconds(Nanos span) {
    const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
    return whole % 1000 == 0 ? std::to_string(whole / 1000) + "s" : std::to_string(whole) + "ms";
}

std::string joined(const std::set<std::string>& words) {
    return join(std::vector<std::string>(words.begin(), words.end()), ", ");
}

std::string set_text(std::string_view name, std::string_view type,
                     const std::set<std::string>& elements) {
    if (elements.empty()) { return ""; }
    return "    set " + std::string(name) + " { type " + std::string(type) + "; elements = { " +
           joined(elements) + " }; }\n";
}

std::string fuse_elements(const Side& side, const std::string& timeout) {
    return "{ " + std::string(side.fuse4) + timeout + ", " + std::string(side.fuse6) + timeout +
           " }";
}

/// What stays open: our own way in, neighbour discovery, what a login needs.
std::string exemptions(const NetCut& cut, const Side& side) {
    std::string text;
    const std::string peer = " " + std::string(side.peer) + " ";
    for (const auto& [family, addresses] :
         {std::pair{"ip", &cut.controller.v4}, std::pair{"ip6", &cut.controller.v6}}) {
        for (const std::string& address : *addresses) {
            text.append("        ").append(family).append(peer).append(address).append(" tcp ");
            text.append(side.own_port).append(" ").append(cut.ssh_port).append(" accept\n");
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
std::vector<std::string> conditions(const NetCut& cut, bool v6) {
    if (cut.protocol == "icmp") { return {v6 ? "meta l4proto ipv6-icmp " : "meta l4proto icmp "}; }
    const bool all = cut.protocol == "all";
    if (cut.ports.empty()) { return {all ? "" : "meta l4proto " + cut.protocol + " "}; }
    const std::string protocol =
        all ? "meta l4proto { tcp, udp } " : "meta l4proto " + cut.protocol + " ";
    const std::string ports = " { " + join(cut.ports, ", ") + " } ";
    return {protocol + "th dport" + ports, protocol + "th sport" + ports};
}

std::string drop_rules(const NetCut& cut, const Side& side) {
    const std::string verdict = cut.ppm < 1'000'000 ? "goto lose" : "counter drop";
    std::string text;
    for (const bool v6 : {false, true}) {
        if ((v6 ? cut.peers.v6 : cut.peers.v4).empty()) { continue; }
        for (const std::string& condition : conditions(cut, v6)) {
            text.append("        ").append(side.fuse_key).append(" @fuse ");
            text.append(v6 ? "ip6 " : "ip ").append(side.peer).append(v6 ? " @p6 " : " @p4 ");
            text.append(condition).append(verdict).append("\n");
        }
    }
    return text;
}

std::string table_text(const NetCut& cut, const Side& side) {
    std::string text = "table " + std::string(side.family) + " " + cut.table + " {\n";
    text += set_text("p4", "ipv4_addr", cut.peers.v4) + set_text("p6", "ipv6_addr", cut.peers.v6);
    text += set_text("keep4", "ipv4_addr", cut.identity.v4) +
            set_text("keep6", "ipv6_addr", cut.identity.v6);
    text += "    set fuse { typeof " + std::string(side.fuse_key) +
            "; flags timeout; elements = " + fuse_elements(side, " timeout " + seconds(cut.ttl)) +
            "; }\n";
    if (cut.ppm < 1'000'000) {
        // A chain of its own rolls the dice once per packet, however many rules match it.
        text += "    chain lose {\n        counter\n        numgen random mod 1000000 < " +
                std::to_string(cut.ppm) + " counter drop\n    }\n";
    }
    const std::string rules = exemptions(cut, side) + drop_rules(cut, side);
    if (&side == &inbound) {
        text +=
            "    chain pre {\n        type filter hook prerouting priority -310; policy "
            "accept;\n" +
            rules + "    }\n";
    } else {
        text += "    chain cut {\n" + rules + "    }\n";
        std::size_t number = 0;
        for (const std::string& device : cut.devices) {
            text += "    chain out" + std::to_string(++number) +
                    " {\n        type filter hook egress device \"" + device +
                    "\" priority 0; policy accept;\n        jump cut\n    }\n";
        }
    }
    return text + "}\n";
}

std::vector<const Side*> sides(const NetCut& cut) {
    std::vector<const Side*> asked;
    if (cut.in) { asked.push_back(&inbound); }
    if (cut.out) { asked.push_back(&outbound); }
    return asked;
}

std::vector<std::string> family_arguments(const NetCut& cut) {
    std::vector<std::string> arguments{cut.table, cut.directory};
    for (const Side* side : sides(cut)) { arguments.emplace_back(side->family); }
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
table=$1 directory=$2
shift 2
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
idle=
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
    seen=0 dropped=0
    old_ifs=$IFS
    IFS=$nl
    set -f
    for line in $listing; do
        case $line in *"counter packets "*) ;; *) continue ;; esac
        count=${line#*counter packets }
        count=${count%% *}
        case $line in
        *" drop") dropped=$((dropped + count)) ;;
        *) seen=$((seen + count)) ;;
        esac
    done
    IFS=$old_ifs
    [ "$seen" -ge "$dropped" ] || seen=$dropped
    echo "$family: dropped $dropped of $seen packets"
    [ "$dropped" -gt 0 ] || idle=1
done
[ -z "$idle" ] || exit 11
exit 10
)sh";

// Whichever tool the host has. Every way is bounded; exit status means nothing to the caller.
constexpr std::string_view send_packets = R"sh(
protocol=$1 port=$2 packets=$3
shift 3
has() { command -v "$1" >/dev/null 2>&1; }
by_bash() {
    has bash && has timeout && timeout 3 bash -c '
        for ((i = 0; i < $4; i++)); do
            if [ "$1" = tcp ]; then
                timeout 1 bash -c "exec 3<>\"/dev/tcp/\$1/\$2\"" bash "$2" "$3" &
            else
                { [ "$i" -gt 0 ] || exec 3<>"/dev/udp/$2/$3"; } && printf x >&3
            fi
        done
        wait' bash "$1" "$2" "$port" "$packets"
}
by_ping() { has ping && ping -c "$packets" -W 1 -w 3 "$2"; }
by_nc() {
    has nc || return 1
    if [ "$1" = tcp ]; then nc -w 1 "$2" "$port"; else printf x | nc -u -w 1 "$2" "$port"; fi
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
        s.send(b"x")
    except OSError:
        pass' "$1" "$2" "$port" "$packets"
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

Exec net_apply(const NetCut& cut) {
    Exec exec{{"nft", "-f", "-"}, {}};
    // `create` fails where a table of that name exists: it would not be ours.
    for (const Side* side : sides(cut)) {
        exec.input += "create table " + std::string(side->family) + " " + cut.table + "\n";
    }
    for (const Side* side : sides(cut)) { exec.input += table_text(cut, *side); }
    return exec;
}

Exec net_record(const NetCut& cut) {
    return script(std::string(shape) += record, family_arguments(cut));
}

Exec net_renew(const NetCut& cut) {
    Exec exec{{"nft", "-f", "-"}, {}};
    const std::string timeout = " timeout " + seconds(cut.ttl);
    for (const Side* side : sides(cut)) {
        const std::string fuse =
            " element " + std::string(side->family) + " " + cut.table + " fuse ";
        exec.input += "delete" + fuse + fuse_elements(*side, "") + "\n";
        exec.input += "add" + fuse + fuse_elements(*side, timeout) + "\n";
    }
    return exec;
}

std::vector<Exec> net_undo(const NetCut& cut) {
    std::vector<Exec> undo;
    Exec forget{{"rm", "-f"}, {}};  // first: see read_tables
    for (const Side* side : sides(cut)) {
        // One transaction that also succeeds when the table is gone already: nft 1.0.6 has no
        // `destroy`. The whole text is one argument.
        const std::string family(side->family);
        std::string table = " table ";
        table.append(family).append(" ").append(cut.table);
        std::string both = "add";
        both.append(table).append("; delete").append(table);
        undo.push_back({{"nft", std::move(both)}, {}});
        forget.argv.push_back(std::string(cut.directory).append("/rules.").append(family));
    }
    undo.insert(undo.begin(), std::move(forget));
    return undo;
}

Exec net_read_back(const NetCut& cut) {
    return script(std::string(shape) += read_tables, family_arguments(cut));
}

Exec net_send(const Burst& burst, const std::vector<std::string>& addresses) {
    // Port 9 is discard: nothing is meant to answer.
    std::vector<std::string> arguments{burst.protocol, burst.port.empty() ? "9" : burst.port,
                                       std::to_string(burst.packets)};
    arguments.insert(arguments.end(), addresses.begin(), addresses.end());
    return script(send_packets, std::move(arguments));
}

}  // namespace drill::faults
