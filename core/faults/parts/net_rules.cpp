// See net_rules.hpp. This file judges the request; net_text.cpp writes the commands.
#include "faults/parts/net_rules.hpp"

#include "base/ids.hpp"
#include "base/text.hpp"
#include "faults/parts/net_address.hpp"
#include "faults/parts/net_text.hpp"
#include "faults/parts/values.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace drill::faults {

namespace {

constexpr std::size_t most_addresses = 16384;  ///< keeps a change below 1 MiB
constexpr std::size_t most_routes = 256;       ///< two forks each on the target; above, devices do
constexpr std::size_t most_queues = 15;        ///< devices, as net_handle counts them
constexpr std::size_t most_stimulated = 4;     ///< peers that are asked to send

struct Range {
    int first{0}, last{0};
};

std::optional<int> port_number(std::string_view text) {
    int port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    return whole && port >= 1 && port <= 65535 ? std::optional<int>(port) : std::nullopt;
}

std::optional<Range> port_range(std::string_view text) {
    const std::size_t dash = text.find('-');
    const std::optional<int> first = port_number(text.substr(0, dash));
    const std::optional<int> last =
        dash == std::string_view::npos ? first : port_number(text.substr(dash + 1));
    if (!first || !last || *first > *last) { return std::nullopt; }
    return Range{*first, *last};
}

/// The answer to net_observe: for each address its devices and the source the target would use.
struct Route {
    bool found{false};
    bool local{false};
    std::set<std::string> devices;
    std::string source;
};

/// Devices of the target's own containers and guests; traffic to other hosts leaves by others.
bool inner_device(std::string_view name) {
    constexpr std::array<std::string_view, 9> inner{"veth", "cali",  "vnet", "tap",   "docker",
                                                    "br-",  "virbr", "cni",  "podman"};
    return name == "lo" || std::any_of(inner.begin(), inner.end(), [name](std::string_view one) {
               return name.starts_with(one);
           });
}

struct Routes {
    std::map<std::string, Route> to;
    std::set<std::string> devices;  ///< all that have an address of their own
};

Routes parse_routes(std::string_view out) {
    Routes all;
    std::map<std::string, Route>& routes = all.to;
    for (const std::string& line : split(out, '\n')) {
        std::vector<std::string> words = split(line, ' ');
        std::erase(words, "");
        if (words.size() == 2 && words[0] == "device") {
            const std::string name = words[1].substr(0, words[1].find('@'));
            if (!inner_device(name)) { all.devices.insert(name); }
        }
        if (words.size() < 3) { continue; }
        Route& route = routes[words[1]];
        const std::string& type = words[2];
        if (type == "blackhole" || type == "unreachable" || type == "prohibit") { continue; }
        route.local = route.local || type == "local";
        for (std::size_t i = 3; i + 1 < words.size(); ++i) {
            if (words[i] == "dev") {
                route.devices.insert(words[i + 1]);
                route.found = true;
            }
            if (words[i] == "src" && words[0] == "route") { route.source = words[i + 1]; }
        }
    }
    return all;
}

bool plain_device(const std::string& name) {
    return !name.empty() && name.size() <= 15 &&
           std::all_of(name.begin(), name.end(), [](unsigned char c) {
               return std::isalnum(c) != 0 || std::strchr("_.:@-", c) != nullptr;
           });
}

/// A request on its way to a NetCut.
struct Draft {
    const ChangeRequest& request;
    NetCut cut;
    NetWish wish;
    std::vector<Range> ranges;
    Routes routes;
    std::vector<std::string> literal;  ///< single ones of `addresses`

    [[nodiscard]] bool only_ports(const std::vector<int>& ports) const {
        return !ranges.empty() &&
               std::all_of(ranges.begin(), ranges.end(), [&ports](const Range& range) {
                   return range.first == range.last &&
                          std::find(ports.begin(), ports.end(), range.first) != ports.end();
               });
    }
};

Error refuse(std::string message) { return fail(Code::refused, std::move(message)); }

Status examine_tools(const ChangeRequest& request, bool out) {
    const std::string& host = request.host;
    if (fact_of(request.facts, "tool.nft").empty()) {
        return refuse("nft is not installed on " + host + "; install nftables there");
    }
    if (fact_of(request.facts, "tool.ip").empty()) {
        return refuse("ip is not installed on " + host + "; install iproute2 there");
    }
    const std::string kernel = fact_of(request.facts, "kernel");
    if (out && kernel_before(request.facts, 5, 16)) {
        return refuse("kernel " + kernel + " of " + host +
                      " cannot drop outbound packets in silence (that needs 5.16); use "
                      "direction = \"in\"");
    }
    return ok();
}

Status take_ports(Draft& draft) {
    for (const std::string& text : texts_of(draft.request.params, "ports")) {
        const std::optional<Range> range = port_range(text);
        if (!range) { return refuse("`" + text + "` is no port or range of ports"); }
        draft.ranges.push_back(*range);
    }
    std::sort(draft.ranges.begin(), draft.ranges.end(), [](const Range& a, const Range& b) {
        return std::pair(a.first, a.last) < std::pair(b.first, b.last);
    });
    // nft refuses intervals that overlap.
    std::vector<Range> merged;
    for (const Range& range : draft.ranges) {
        if (!merged.empty() && range.first <= merged.back().last) {
            merged.back().last = std::max(merged.back().last, range.last);
        } else {
            merged.push_back(range);
        }
    }
    draft.ranges = std::move(merged);
    for (const Range& range : draft.ranges) {
        draft.cut.ports.push_back(range.first == range.last ? std::to_string(range.first)
                                                            : std::to_string(range.first) + "-" +
                                                                  std::to_string(range.last));
    }
    if (draft.cut.protocol == "icmp" && !draft.ranges.empty()) {
        return refuse("ICMP has no ports; take `ports` away or use another `protocol`");
    }
    return ok();
}

Status take_controller(Draft& draft) {
    const std::string client = fact_of(draft.request.facts, "ssh_client");
    const std::string port = fact_of(draft.request.facts, "ssh_server_port");
    if (client.empty() && port.empty()) { return ok(); }  // local transport: no way to keep open
    const std::optional<Address> address = parse_address(client);
    if (!address || !port_number(port)) {
        return refuse("what " + draft.request.host + " says of our ssh connection (`" + client +
                      "` to port `" + port + "`) is not understood, so it cannot be kept open");
    }
    add(draft.cut.controller, *address);
    draft.cut.ssh_port = port;
    return ok();
}

/// Where net_observe asked for devices instead of routes.
bool asks_devices(const ChangeRequest& request) {
    std::size_t count = 0;
    for (const Peer& peer : request.peers) { count += peer.addresses.size(); }
    return request.peers.empty() || count > most_routes ||
           !texts_of(request.params, "addresses").empty();
}

/// The name that the selection of peers has in the kind at hand.
std::string peers_word(const Draft& draft) { return draft.wish.outward ? "to" : "from"; }

Status take_peer(Draft& draft, const Peer& peer) {
    const std::string& host = draft.request.host;
    if (peer.host == host) {
        const std::string word = "`" + peers_word(draft) + "`";
        return refuse(host + " is a target and one of " + word + "; name other hosts in " + word);
    }
    const Addresses own = addresses_of(fact_of(draft.request.facts, "addresses"));
    bool usable = false, routed = false;
    for (const std::string& written : peer.addresses) {
        const std::optional<Address> address = parse_address(written);
        if (!address || address->reach == Reach::unusable) {
            return refuse("`" + written + "` is not an address that " + peer.host +
                          " can have for others; mend `addresses` in the catalog");
        }
        if (address->reach == Reach::link_local) { continue; }
        const Route& route = draft.routes.to[address->text];
        if (route.local || holds(own, *address)) {
            return refuse(address->text + " of " + peer.host + " is an address of " + host +
                          " itself");
        }
        usable = true;
        routed = routed || route.found;
        add(draft.cut.peers, *address);
        draft.cut.devices.insert(route.devices.begin(), route.devices.end());
        if (holds(draft.cut.controller, *address) &&
            draft.only_ports({port_number(draft.cut.ssh_port).value_or(0)})) {
            return refuse(peer.host + " is where drill reaches " + host + " from, and port " +
                          draft.cut.ssh_port + " of that connection stays open: nothing is left");
        }
        if (holds(draft.cut.identity, *address) &&
            draft.only_ports({53, 88, 389, 464, 636, 3268, 3269})) {
            return refuse("logins to " + host + " need " + peer.host + " (" + address->text +
                          "), so these ports of it stay open: nothing is left");
        }
    }
    if (!usable) {
        return refuse("no address of " + peer.host + " is known; give `addresses` in the catalog");
    }
    if (draft.cut.out && !routed && !asks_devices(draft.request)) {
        return refuse("there is no route from " + host + " to " + peer.host +
                      ": nothing goes there as it is");
    }
    return ok();
}

/// Those of the parameter `addresses`, which no catalog names.
Status take_addresses(Draft& draft) {
    const std::string& host = draft.request.host;
    const Addresses own = addresses_of(fact_of(draft.request.facts, "addresses"));
    for (const std::string& written : texts_of(draft.request.params, "addresses")) {
        const std::optional<Network> network = parse_network(written);
        if (!network) {
            return refuse("`" + escape_control(written) +
                          "` is no address or network that others can have; `addresses` takes "
                          "\"192.0.2.7\" and \"10.8.0.0/16\"");
        }
        if (network->single && (network->v6 ? own.v6 : own.v4).contains(network->text)) {
            return refuse(network->text + " in `addresses` is an address of " + host + " itself");
        }
        (network->v6 ? draft.cut.peers.v6 : draft.cut.peers.v4).insert(network->text);
        draft.cut.networks = draft.cut.networks || !network->single;
        if (network->single) { draft.literal.push_back(network->text); }
        draft.cut.any_bites = true;
    }
    return ok();
}

Status take_peers(Draft& draft) {
    const ChangeRequest& request = draft.request;
    if (request.observed.empty() || request.observed.front().status != 0) {
        return refuse("the routes of " + request.host + " could not be read");
    }
    draft.routes = parse_routes(request.observed.front().out);
    for (const Peer& peer : request.peers) { DRILL_CHECK(take_peer(draft, peer)); }
    DRILL_CHECK(take_addresses(draft));
    NetCut& cut = draft.cut;
    if (cut.peers.empty() && !cut.anyone) {
        return refuse("nobody is chosen: `" + peers_word(draft) +
                      "` selects no host and `addresses` is empty");
    }
    if (cut.peers.v4.size() + cut.peers.v6.size() > most_addresses) {
        return refuse("`" + peers_word(draft) + "` and `addresses` come to more than " +
                      std::to_string(most_addresses) + " addresses; name networks instead");
    }
    if (asks_devices(request)) {
        cut.devices.insert(draft.routes.devices.begin(), draft.routes.devices.end());
    }
    const bool by_device = cut.out && cut.treatment != Treatment::reject;
    if (by_device && cut.devices.empty()) {
        return refuse("no network device of " + request.host + " has an address; nothing leaves");
    }
    if (cut.treatment == Treatment::classify && cut.devices.size() > most_queues) {
        return refuse("more than " + std::to_string(most_queues) + " devices of " + request.host +
                      " lead there; choose fewer peers");
    }
    for (const std::string& device : cut.devices) {
        if (!plain_device(device)) {
            return refuse("the name of device `" + escape_control(device) + "` is not supported");
        }
    }
    return ok();
}

/// Handles of queues are made of the lease, so that no undo takes away what another one made.
std::string net_handle_stem(const ChangeRequest& request) {
    if (request.binding == Binding::plan) { return "{handle}"; }
    std::uint32_t hash = 2166136261U;  // FNV-1a, public constants
    for (const char c : request.lease) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    }
    constexpr std::string_view digits = "0123456789abcdef";
    const std::uint32_t number = hash % 0xe00 + 0x100;  // 100 .. eff: three digits
    return {digits[number >> 8U], digits[(number >> 4U) & 15U], digits[number & 15U]};
}

Result<Draft> draft_of(const ChangeRequest& request, const NetWish& wish) {
    Draft draft{request, {}, wish, {}, {}, {}};
    NetCut& cut = draft.cut;
    const std::string direction = wish.outward ? "out" : text_of(request.params, "direction");
    cut.in = direction != "out";
    cut.out = direction != "in";
    cut.treatment = wish.treatment;
    cut.answer = wish.answer;
    cut.anyone = wish.anyone;
    cut.handle = net_handle_stem(request);
    cut.protocol = text_of(request.params, "protocol");
    cut.ppm = wish.ppm;
    cut.ttl = request.ttl;
    cut.table = "drill_" + request.lease;
    cut.directory = request.directory;
    if (!is_lease_id(request.lease) && request.lease != "{lease}") {
        return fail(Code::invalid, "`" + request.lease + "` is no lease id");
    }
    if (cut.ttl < std::chrono::milliseconds{1}) {
        return fail(Code::invalid, "a lease needs a time to live");
    }
    if (wish.ppm < 1 || wish.ppm > drop_every_packet) {
        return refuse("`loss` must be above 0 % and at most 100 %");
    }
    if (!wish.outward) { DRILL_CHECK(examine_choice(request.params, net_direction)); }
    DRILL_CHECK(examine_choice(request.params, net_protocol));
    DRILL_CHECK(examine_tools(request, cut.out && cut.treatment == Treatment::drop));
    DRILL_CHECK(take_ports(draft));
    DRILL_CHECK(take_controller(draft));
    cut.identity = addresses_of(fact_of(request.facts, "identity_services"));
    DRILL_CHECK(take_peers(draft));
    return draft;
}

/// The addresses of the target that this peer would talk to, one per family.
std::vector<std::string> way_back(const Draft& draft, const Peer& peer) {
    const Addresses own = addresses_of(fact_of(draft.request.facts, "addresses"));
    std::string v4, v6;
    for (const std::string& written : peer.addresses) {
        const std::optional<Address> address = parse_address(written);
        if (!address) { continue; }
        const auto route = draft.routes.to.find(address->text);
        std::string& target = address->v6 ? v6 : v4;
        const bool known = route != draft.routes.to.end() && route->second.found;
        if ((!known && !asks_devices(draft.request)) || !target.empty()) { continue; }
        const std::optional<Address> source =
            known ? parse_address(route->second.source) : std::nullopt;
        const std::set<std::string>& same = address->v6 ? own.v6 : own.v4;
        target = source ? source->text : same.empty() ? "" : *same.begin();
    }
    std::vector<std::string> addresses;
    for (const std::string* text : {&v4, &v6}) {
        if (!text->empty()) { addresses.push_back(*text); }
    }
    return addresses;
}

std::vector<Stimulus> stimuli(const Draft& draft) {
    const NetCut& cut = draft.cut;
    Burst burst{cut.protocol, "", 1, 1};
    if (!draft.ranges.empty()) { burst.port = std::to_string(draft.ranges.front().first); }
    if (!draft.ranges.empty() && cut.protocol == "all") { burst.protocol = "udp"; }
    // Seven times the mean distance between two losses: fewer than 1 in 1000 bursts pass unhurt.
    const int most = cut.protocol == "tcp" ? 16 : 500;
    const int ppm = std::min(cut.ppm, draft.wish.affected_ppm);
    if (ppm < drop_every_packet) {
        burst.packets = std::min(most, 7 * drop_every_packet / ppm + 1);
    }
    burst.packets = std::min(most, std::max(burst.packets, draft.wish.packets));
    burst.size = draft.wish.size;
    std::vector<std::string> outward(
        draft.literal.begin(), draft.literal.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                           draft.literal.size(), most_stimulated)));
    std::vector<Stimulus> inward;
    for (std::size_t i = 0; i < draft.request.peers.size() && i < most_stimulated; ++i) {
        const Peer& peer = draft.request.peers[i];
        std::string v4, v6;
        for (const std::string& written : peer.addresses) {
            const std::optional<Address> address = parse_address(written);
            if (!address) { continue; }
            const auto route = draft.routes.to.find(address->text);
            const bool known = route != draft.routes.to.end() && route->second.found;
            if (!known && !asks_devices(draft.request)) { continue; }
            std::string& first = address->v6 ? v6 : v4;
            if (first.empty()) { first = address->text; }
        }
        for (const std::string* text : {&v4, &v6}) {
            if (!text->empty()) { outward.push_back(*text); }
        }
        const std::vector<std::string> back = way_back(draft, peer);
        if (!back.empty()) { inward.push_back({peer.host, net_send(burst, back)}); }
    }
    std::vector<Stimulus> all;
    if (cut.out && !outward.empty()) {
        all.push_back({draft.request.host, net_send(burst, outward)});
    }
    if (cut.in) { all.insert(all.end(), inward.begin(), inward.end()); }
    return all;
}

// `fibmatch` names every next hop of a route with several; busybox ip takes the word and
// answers as without it.
constexpr std::string_view ask_routes = R"sh(
set -f
if [ "$1" = devices ]; then
    shift
    ip -o addr show scope global 2>/dev/null | while read -r number device rest; do
        printf 'device %s\n' "$device"
    done
fi
for address do
    case $address in *:*) family=-6 ;; *) family=-4 ;; esac
    printf 'route %s %s\n' "$address" "$(ip $family -o route get "$address" 2>/dev/null)"
    printf 'match %s %s\n' "$address" "$(ip $family -o route get fibmatch "$address" 2>/dev/null)"
done
exit 0
)sh";

}  // namespace

bool kernel_before(const Facts& facts, int major, int minor) {
    const std::string kernel = fact_of(facts, "kernel");
    const char* end = kernel.data() + kernel.size();
    int is_major = 0, is_minor = 0;
    const auto [dot, error] = std::from_chars(kernel.data(), end, is_major);
    if (error != std::errc{} || dot == end || *dot != '.' ||
        std::from_chars(dot + 1, end, is_minor).ec != std::errc{}) {
        return false;
    }
    return is_major < major || (is_major == major && is_minor < minor);
}

std::vector<Exec> net_observe(const ChangeRequest& request) {
    Addresses all;
    for (const Peer& peer : request.peers) {
        for (const std::string& written : peer.addresses) {
            const std::optional<Address> address = parse_address(written);
            if (address && address->reach == Reach::usable) { add(all, *address); }
        }
    }
    if (asks_devices(request)) { return {script(ask_routes, {"devices"})}; }
    std::vector<std::string> arguments(all.v4.begin(), all.v4.end());
    arguments.insert(arguments.end(), all.v6.begin(), all.v6.end());
    return {script(ask_routes, std::move(arguments))};
}

Result<NetCut> net_cut(const ChangeRequest& request, const NetWish& wish) {
    DRILL_TRY(Draft draft, draft_of(request, wish));
    return std::move(draft.cut);
}

Result<std::vector<Stimulus>> net_stimuli(const ChangeRequest& request, const NetWish& wish) {
    DRILL_TRY(const Draft draft, draft_of(request, wish));
    return stimuli(draft);
}

Result<Change> net_compose(const ChangeRequest& request, const NetWish& wish) {
    DRILL_TRY(const Draft draft, draft_of(request, wish));
    const NetTables tables = net_tables(draft.cut);
    Change change;
    change.apply = {net_apply(tables), net_record(tables)};
    change.renew = {net_renew(tables)};
    change.undo = net_undo(tables);
    change.read_back = {net_read_back(tables)};
    change.stimulate = stimuli(draft);
    change.ending = Ending::kernel;
    return change;
}

namespace {

/// "all traffic on ports 80"
std::string traffic_words(const ChangeRequest& request, std::string_view verb) {
    const std::string protocol = text_of(request.params, "protocol");
    const std::vector<std::string> ports = texts_of(request.params, "ports");
    return std::string(verb) + " " + (protocol == "all" ? "all" : protocol) + " traffic" +
           (ports.empty() ? "" : " on ports " + join(ports, ", "));
}

/// "bal-1 (2 addresses), 10.8.0.0/16"; of very many the first ones and their number.
std::string peer_words(const ChangeRequest& request) {
    constexpr std::size_t most_named = 8;
    std::vector<std::string> peers;
    for (const Peer& peer : request.peers) {
        peers.push_back(peer.host + " (" + std::to_string(peer.addresses.size()) +
                        (peer.addresses.size() == 1 ? " address)" : " addresses)"));
    }
    for (const std::string& address : texts_of(request.params, "addresses")) {
        peers.push_back(address);
    }
    if (peers.size() > most_named + 1) {
        const std::string more = "and " + std::to_string(peers.size() - most_named) + " more";
        peers.resize(most_named);
        peers.push_back(more);
    }
    return join(peers, ", ");
}

}  // namespace

std::string net_describe(const ChangeRequest& request, std::string_view verb) {
    const std::string direction = text_of(request.params, "direction");
    const std::string between = direction == "in"    ? " that reaches " + request.host + " from "
                                : direction == "out" ? " that leaves " + request.host + " for "
                                                     : " between " + request.host + " and ";
    return traffic_words(request, verb) + between + peer_words(request);
}

std::string net_describe_outward(const ChangeRequest& request, std::string_view verb) {
    return traffic_words(request, verb) + " from " + request.host + " to " + peer_words(request);
}

}  // namespace drill::faults
