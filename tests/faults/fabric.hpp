// A small network in namespaces named drl<pid>-...: hub bridge with target t, peer p, other host o
// and controller c; container k routed behind t, reached also through a DNAT port of t's own.
// Must not: make anything in the caller's namespace. Next: net_real_test.cpp.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace drill::test {

class Fabric {
public:
    Fabric();
    Fabric(const Fabric&) = delete;
    Fabric& operator=(const Fabric&) = delete;
    ~Fabric();

    /// False where namespaces, veth or nft are not to be had; the reason in why().
    [[nodiscard]] bool usable() const { return why_.empty(); }
    [[nodiscard]] const std::string& why() const { return why_; }
    [[nodiscard]] std::string netns(const std::string& node) const { return prefix_ + node; }
    /// "t", 4 -> "10.90.0.10"
    [[nodiscard]] static std::string address(const std::string& node, int family);

    /// Runs `body` in the network namespace of `node`, on a thread of its own.
    void in(const std::string& node, const std::function<void()>& body) const;
    /// A new connection and one byte echoed, within 300 ms.
    [[nodiscard]] bool tcp(const std::string& from, const std::string& to, int port) const;
    /// One datagram echoed, within 300 ms.
    [[nodiscard]] bool udp(const std::string& from, const std::string& to, int port) const;
    /// Sends `count` datagrams and says how many came back and how many sends failed.
    struct Counted {
        int answers{0}, errors{0};
    };
    [[nodiscard]] Counted count(const std::string& from, const std::string& to, int port,
                                int packets) const;
    /// An established connection, as a socket of `from`.
    [[nodiscard]] int connect(const std::string& from, const std::string& to, int port) const;

private:
    void serve(const std::string& node, std::vector<int> ports);
    void setup();

    std::string prefix_, why_;
    std::vector<std::string> made_;
    std::atomic<bool> stop_{false};
    std::vector<std::thread> servers_;
};

/// One byte there and back on an established connection, within `milliseconds`.
[[nodiscard]] bool echoes(int socket, int milliseconds);

}  // namespace drill::test
