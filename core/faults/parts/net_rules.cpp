// See net_rules.hpp. This file judges the request; net_text.cpp writes the commands.
#include "faults/parts/net_rules.hpp"

#include "base/ids.hpp"
#include "base/text.hpp"
#include "faults/parts/net_text.hpp"
#include "faults/parts/values.hpp"

#include <arpa/inet.h>
#include <algorithm>
#include <charconv>
#include <cstring>

namespace drill::faults {

namespace {

constexpr std::size_t most_addresses = 1024;  ///< keeps argv of the route question below 64 KiB
constexpr std::size_t most_stimulated = 4;    ///< peers that are asked to send

enum class Reach : std::uint8_t { usable, link_local, unusable };

struct Address {
    std::string text;  ///< canonical
    bool v6{false};
    Reach reach{Reach::usable};
};

/// Parses one literal address. A zone ("%eth0") is cut off, a v4-mapped address becomes v4.
std::optional<Address> parse_address(std::string_view written) {
    const std::string text(written.substr(0, written.find('%')));
    std::array<unsigned char, 16> bytes{};
    std::array<char, INET6_ADDRSTRLEN> out{};
    Address address;
    if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) {
        constexpr std::array<unsigned char, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
        if (std::equal(mapped.begin(), mapped.end(), bytes.begin())) {
            std::copy(bytes.begin() + 12, bytes.end(), bytes.begin());
        } else {
            address.v6 = true;
        }
    } else if (inet_pton(AF_INET, text.c_str(), bytes.data()) != 1) {
        return std::nullopt;
    }
    inet_ntop(address.v6 ? AF_INET6 : AF_INET, bytes.data(), out.data(), out.size());
    address.text = out.data();
    if (address.v6) {
        const bool link_local = bytes[0] == 0xfe && (bytes[1] & 0xc0U) == 0x80;
        const bool odd = bytes[0] == 0xff || address.text == "::" || address.text == "::1";
        address.reach = odd ? Reach::unusable : link_local ? Reach::link_local : Reach::usable;
    } else {
        const bool odd = bytes[0] == 0 || bytes[0] == 127 || bytes[0] >= 224;
        const bool link_local = bytes[0] == 169 && bytes[1] == 254;
        address.reach = odd ? Reach::unusable : link_local ? Reach::link_local : Reach::usable;
    }
    return address;
}

void add(Addresses& to, const Address& address) {
    (address.v6 ? to.v6 : to.v4).insert(address.text);
}

bool holds(const Addresses& all, const Address& address) {
    return (address.v6 ? all.v6 : all.v4).count(address.text) == 1;
}

/// Blank-separated addresses of a fact; what is no usable address is left out.
Addresses addresses_of(const std::string& fact) {
    Addresses out;
    for (const std::string& word : split(fact, ' ')) {
        const std::optional<Address> address = parse_address(word);
        if (address && address->reach == Reach::usable) { add(out, *address); }
    }
    return out;
}

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

std::map<std::string, Route> parse_routes(std::string_view out) {
    std::map<std::string, Route> routes;
    for (const std::string& line : split(out, '\n')) {
        std::vector<std::string> words = split(line, ' ');
        std::erase(words, "");
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
    return routes;
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
    std::vector<Range> ranges;
    std::map<std::string, Route> routes;

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
    int major = 0, minor = 0;
    const char* end = kernel.data() + kernel.size();
    const auto [dot, error] = std::from_chars(kernel.data(), end, major);
    if (out && error == std::errc{} && dot != end && *dot == '.' &&
        std::from_chars(dot + 1, end, minor).ec == std::errc{} &&
        (major < 5 || (major == 5 && minor < 16))) {
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

Status take_peer(Draft& draft, const Peer& peer) {
    const std::string& host = draft.request.host;
    if (peer.host == host) {
        return refuse(host + " is a target and one of `from`; name other hosts in `from`");
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
        const Route& route = draft.routes[address->text];
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
    if (draft.cut.out && !routed) {
        return refuse("there is no route from " + host + " to " + peer.host +
                      ": nothing goes there as it is");
    }
    return ok();
}

Status take_peers(Draft& draft) {
    const ChangeRequest& request = draft.request;
    if (request.peers.empty()) { return refuse("`from` selects no host"); }
    if (request.observed.size() != 1 || request.observed.front().status != 0) {
        return refuse("the routes of " + request.host + " could not be read");
    }
    draft.routes = parse_routes(request.observed.front().out);
    for (const Peer& peer : request.peers) { DRILL_CHECK(take_peer(draft, peer)); }
    if (draft.cut.peers.v4.size() + draft.cut.peers.v6.size() > most_addresses) {
        return refuse("`from` selects more than " + std::to_string(most_addresses) + " addresses");
    }
    for (const std::string& device : draft.cut.devices) {
        if (!plain_device(device)) {
            return refuse("the name of device `" + escape_control(device) + "` is not supported");
        }
    }
    return ok();
}

Result<Draft> draft_of(const ChangeRequest& request, int drop_ppm) {
    Draft draft{request, {}, {}, {}};
    NetCut& cut = draft.cut;
    const std::string direction = text_of(request.params, "direction");
    cut.in = direction != "out";
    cut.out = direction != "in";
    cut.protocol = text_of(request.params, "protocol");
    cut.ppm = drop_ppm;
    cut.ttl = request.ttl;
    cut.table = "drill_" + request.lease;
    cut.directory = request.directory;
    if (!is_lease_id(request.lease) && request.lease != "{lease}") {
        return fail(Code::invalid, "`" + request.lease + "` is no lease id");
    }
    if (cut.ttl < std::chrono::milliseconds{1}) {
        return fail(Code::invalid, "a lease needs a time to live");
    }
    if (drop_ppm < 1 || drop_ppm > drop_every_packet) {
        return refuse("`loss` must be above 0 % and at most 100 %");
    }
    DRILL_CHECK(examine_choice(request.params, net_direction));
    DRILL_CHECK(examine_choice(request.params, net_protocol));
    DRILL_CHECK(examine_tools(request, cut.out));
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
        const auto route = draft.routes.find(address->text);
        std::string& target = address->v6 ? v6 : v4;
        if (route == draft.routes.end() || !route->second.found || !target.empty()) { continue; }
        const std::optional<Address> source = parse_address(route->second.source);
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
    Burst burst{cut.protocol, "", 1};
    if (!draft.ranges.empty()) { burst.port = std::to_string(draft.ranges.front().first); }
    if (!draft.ranges.empty() && cut.protocol == "all") { burst.protocol = "udp"; }
    // Seven times the mean distance between two losses: fewer than 1 in 1000 bursts pass unhurt.
    const int most = cut.protocol == "tcp" ? 16 : 500;
    if (cut.ppm < drop_every_packet) {
        burst.packets = std::min(most, 7 * drop_every_packet / cut.ppm + 1);
    }
    std::vector<std::string> outward;
    std::vector<Stimulus> inward;
    for (std::size_t i = 0; i < draft.request.peers.size() && i < most_stimulated; ++i) {
        const Peer& peer = draft.request.peers[i];
        std::string v4, v6;
        for (const std::string& written : peer.addresses) {
            const std::optional<Address> address = parse_address(written);
            if (!address) { continue; }
            const auto route = draft.routes.find(address->text);
            if (route == draft.routes.end() || !route->second.found) { continue; }
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
for address do
    case $address in *:*) family=-6 ;; *) family=-4 ;; esac
    printf 'route %s %s\n' "$address" "$(ip $family -o route get "$address" 2>/dev/null)"
    printf 'match %s %s\n' "$address" "$(ip $family -o route get fibmatch "$address" 2>/dev/null)"
done
exit 0
)sh";

}  // namespace

std::vector<Exec> net_observe(const ChangeRequest& request) {
    Addresses all;
    for (const Peer& peer : request.peers) {
        for (const std::string& written : peer.addresses) {
            const std::optional<Address> address = parse_address(written);
            if (address && address->reach == Reach::usable) { add(all, *address); }
        }
    }
    std::vector<std::string> arguments(all.v4.begin(), all.v4.end());
    arguments.insert(arguments.end(), all.v6.begin(), all.v6.end());
    arguments.resize(std::min(arguments.size(), most_addresses));
    return {script(ask_routes, std::move(arguments))};
}

Result<Change> net_compose(const ChangeRequest& request, int drop_ppm) {
    DRILL_TRY(const Draft draft, draft_of(request, drop_ppm));
    Change change;
    change.apply = {net_apply(draft.cut), net_record(draft.cut)};
    change.renew = {net_renew(draft.cut)};
    change.undo = net_undo(draft.cut);
    change.read_back = {net_read_back(draft.cut)};
    change.stimulate = stimuli(draft);
    change.ending = Ending::kernel;
    return change;
}

std::string net_describe(const ChangeRequest& request, std::string_view verb) {
    const std::string protocol = text_of(request.params, "protocol");
    const std::vector<std::string> ports = texts_of(request.params, "ports");
    std::vector<std::string> peers;
    for (const Peer& peer : request.peers) {
        peers.push_back(peer.host + " (" + std::to_string(peer.addresses.size()) +
                        (peer.addresses.size() == 1 ? " address)" : " addresses)"));
    }
    const std::string direction = text_of(request.params, "direction");
    const std::string between = direction == "in"    ? " that reaches " + request.host + " from "
                                : direction == "out" ? " that leaves " + request.host + " for "
                                                     : " between " + request.host + " and ";
    return std::string(verb) + " " + (protocol == "all" ? "all" : protocol) + " traffic" +
           (ports.empty() ? "" : " on ports " + join(ports, ", ")) + between + join(peers, ", ");
}

}  // namespace drill::faults
