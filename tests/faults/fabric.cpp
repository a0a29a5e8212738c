// See fabric.hpp. Servers and clients are threads that enter a namespace, so no process has to be
// alive in the target for a fault to be felt or to end.
#include "faults/fabric.hpp"

#include "faults/runner.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cstring>
#include <map>

namespace drill::test {

namespace {

sockaddr_in6 socket_address(const std::string& text, int port) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(static_cast<std::uint16_t>(port));
    const std::string v6 = text.find(':') == std::string::npos ? "::ffff:" + text : text;
    inet_pton(AF_INET6, v6.c_str(), &address.sin6_addr);
    return address;
}

const sockaddr* generic(const sockaddr_in6& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

int open_socket(int type) {
    const int made = socket(AF_INET6, type | SOCK_CLOEXEC, 0);
    const int off = 0, on = 1;
    setsockopt(made, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if ((type & 0xf) == SOCK_STREAM) { setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); }
    return made;
}

bool ready(int descriptor, short events, int milliseconds) {
    pollfd one{descriptor, events, 0};
    return poll(&one, 1, milliseconds) == 1;
}

int connected(const std::string& to, int port) {
    const int client = open_socket(SOCK_STREAM | SOCK_NONBLOCK);
    const sockaddr_in6 address = socket_address(to, port);
    if (::connect(client, generic(address), sizeof address) != 0 && errno != EINPROGRESS) {
        close(client);
        return -1;
    }
    int error = 0;
    socklen_t size = sizeof error;
    if (!ready(client, POLLOUT, 300) ||
        getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        close(client);
        return -1;
    }
    return client;
}

void echo_datagram(int server) {
    char byte[64];
    sockaddr_in6 from{};
    socklen_t size = sizeof from;
    const ssize_t got = recvfrom(server, byte, sizeof byte, MSG_DONTWAIT,
                                 reinterpret_cast<sockaddr*>(&from), &size);
    if (got > 0) {
        sendto(server, byte, static_cast<std::size_t>(got), MSG_DONTWAIT, generic(from), size);
    }
}

}  // namespace

bool echoes(int socket, int milliseconds) {
    char byte = 'x';
    char answer[512];
    while (recv(socket, answer, sizeof answer, MSG_DONTWAIT) > 0) {}
    if (send(socket, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1) { return false; }
    return ready(socket, POLLIN, milliseconds) && recv(socket, answer, sizeof answer, 0) > 0;
}

std::string Fabric::address(const std::string& node, int family) {
    static const std::map<std::string, std::string> last{
        {"c", "1"}, {"t", "10"}, {"p", "20"}, {"o", "30"}};
    if (node == "k") { return "172.30.0.2"; }
    return (family == 4 ? "10.90.0." : "fd90::") + last.at(node);
}

void Fabric::in(const std::string& node, const std::function<void()>& body) const {
    std::thread([this, &node, &body] {
        const int there = open(("/run/netns/" + netns(node)).c_str(), O_RDONLY | O_CLOEXEC);
        if (there < 0 || setns(there, CLONE_NEWNET) != 0) { std::abort(); }
        close(there);
        body();
    }).join();
}

bool Fabric::tcp(const std::string& from, const std::string& to, int port) const {
    bool good = false;
    in(from, [&] {
        const int client = connected(to, port);
        if (client < 0) { return; }
        good = echoes(client, 300);
        close(client);
    });
    return good;
}

int Fabric::connect(const std::string& from, const std::string& to, int port) const {
    int client = -1;
    in(from, [&] { client = connected(to, port); });
    return client;
}

bool Fabric::udp(const std::string& from, const std::string& to, int port) const {
    return count(from, to, port, 1).answers == 1;
}

Fabric::Counted Fabric::count(const std::string& from, const std::string& to, int port,
                              int packets) const {
    Counted counted;
    in(from, [&] {
        const int client = open_socket(SOCK_DGRAM);
        const sockaddr_in6 address = socket_address(to, port);
        char answer[64];
        for (int i = 0; i < packets; ++i) {
            if (sendto(client, "x", 1, 0, generic(address), sizeof address) != 1) {
                ++counted.errors;
            }
            while (recv(client, answer, sizeof answer, MSG_DONTWAIT) > 0) { ++counted.answers; }
            if (i % 32 == 31) { ready(client, POLLIN, 2); }  // lets the echo keep up
        }
        while (counted.answers < packets && ready(client, POLLIN, 300) &&
               recv(client, answer, sizeof answer, MSG_DONTWAIT) > 0) {
            ++counted.answers;
        }
        close(client);
    });
    return counted;
}

void Fabric::serve(const std::string& node, std::vector<int> ports) {
    std::vector<pollfd> listening;
    in(node, [&] {
        for (const int port : ports) {
            const sockaddr_in6 any = socket_address("::", port);
            for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
                const int server = open_socket(type | SOCK_NONBLOCK);
                if (bind(server, generic(any), sizeof any) != 0) { std::abort(); }
                if (type == SOCK_STREAM) { listen(server, 64); }
                listening.push_back({server, POLLIN, 0});
            }
        }
    });
    servers_.emplace_back([this, all = listening, doors = listening.size()]() mutable {
        while (!stop_) {
            if (poll(all.data(), all.size(), 100) <= 0) { continue; }
            for (std::size_t i = all.size(); i-- > 0;) {
                if (all[i].revents == 0) { continue; }
                char bytes[256];
                if (i < doors && i % 2 == 1) {
                    echo_datagram(all[i].fd);
                } else if (i < doors) {
                    const int client = accept4(all[i].fd, nullptr, nullptr, SOCK_NONBLOCK);
                    if (client >= 0) { all.push_back({client, POLLIN, 0}); }
                } else if (const ssize_t got = recv(all[i].fd, bytes, sizeof bytes, 0); got > 0) {
                    send(all[i].fd, bytes, static_cast<std::size_t>(got), MSG_NOSIGNAL);
                } else {
                    close(all[i].fd);
                    all.erase(all.begin() + static_cast<std::ptrdiff_t>(i));
                }
            }
        }
        for (const pollfd& one : all) { close(one.fd); }
    });
}

void Fabric::setup() {
    const auto must = [this](const std::string& node, std::vector<std::string> argv,
                             const std::string& input = "") {
        if (!why_.empty()) { return; }
        Place place;
        if (!node.empty()) { place.netns = netns(node); }
        const CommandReply reply = run({argv, input}, place);
        if (reply.status != 0) { why_ = argv[0] + " " + argv.back() + ": " + reply.err; }
    };
    for (const char* node : {"hub", "t", "p", "c", "o", "k"}) {
        must("", {"ip", "netns", "add", netns(node)});
        if (!why_.empty()) { return; }
        made_.push_back(netns(node));
        must(node, {"ip", "link", "set", "lo", "up"});
    }
    must("hub", {"ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0"});
    must("hub", {"ip", "link", "set", "br0", "up"});
    for (const std::string node : {"c", "t", "p", "o"}) {
        must(node, {"ip", "link", "add", "eth0", "type", "veth", "peer", "name", "v" + node,
                    "netns", netns("hub")});
        must("hub", {"ip", "link", "set", "v" + node, "master", "br0", "up"});
        must(node, {"ip", "addr", "add", address(node, 4) + "/24", "dev", "eth0"});
        must(node, {"ip", "addr", "add", address(node, 6) + "/64", "dev", "eth0", "nodad"});
        must(node, {"ip", "link", "set", "eth0", "up"});
    }
    must("k",
         {"ip", "link", "add", "eth0", "type", "veth", "peer", "name", "k0", "netns", netns("t")});
    must("t", {"ip", "addr", "add", "172.30.0.1/24", "dev", "k0"});
    must("t", {"ip", "link", "set", "k0", "up"});
    must("k", {"ip", "addr", "add", "172.30.0.2/24", "dev", "eth0"});
    must("k", {"ip", "link", "set", "eth0", "up"});
    must("k", {"ip", "route", "add", "default", "via", "172.30.0.1"});
    must("t", {"sysctl", "-qw", "net.ipv4.ip_forward=1"});
    for (const char* node : {"p", "o"}) {
        must(node, {"ip", "route", "add", "172.30.0.0/24", "via", address("t", 4)});
    }
    must("t", {"nft", "-f", "-"},
         "table ip hostnat {\n"
         "  chain pre { type nat hook prerouting priority dstnat; iifname \"eth0\" tcp dport 8080 "
         "dnat to 172.30.0.2:80; }\n"
         "  chain post { type nat hook postrouting priority srcnat; ip saddr 172.30.0.0/24 tcp "
         "dport 9099 masquerade; }\n}\n");
    if (!why_.empty()) { return; }
    serve("t", {22, 7000, 7001});
    serve("p", {53, 7000, 7001, 9099});
    serve("o", {53, 7000});
    serve("c", {7000});
    serve("k", {80});
}

Fabric::Fabric() : prefix_("drl" + std::to_string(getpid()) + "-") {
    if (!is_root()) {
        why_ = "needs root";
    } else if (!has_program("nft") || !has_program("ip")) {
        why_ = "needs nft and ip";
    } else {
        setup();
    }
}

Fabric::~Fabric() {
    stop_ = true;
    for (std::thread& server : servers_) { server.join(); }
    for (const std::string& name : made_) {
        const CommandReply ignored = run({{"ip", "netns", "del", name}, ""}, {});
        static_cast<void>(ignored);
    }
}

}  // namespace drill::test
