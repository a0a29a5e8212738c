// A small real HTTP server on loopback, and a mailbox that sorts samples by probe.
// Must not: leave 127.0.0.1. Ports are ephemeral.
#pragma once

#include "engine/measure.hpp"
#include "transport/clock.hpp"
#include "transport/transport.hpp"
#include "transport/wait.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace drill::test {

/// Answers by path: /ok 200 "accepted", /503, /moved 302, /big 1 MiB, /hang never,
/// /echo.. the request as it came, /login a cookie, a header and JSON, /away as `away` says at the
/// moment of handling.
class Server {
public:
    enum class Way { answers, errs, hangs };

    Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server();

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] std::string url(const std::string& path) const {
        return "http://127.0.0.1:" + std::to_string(port_) + path;
    }
    [[nodiscard]] std::size_t held() const noexcept { return held_; }
    /// Asked in the server's thread for each request to /away. Set before the first one.
    std::function<Way()> away;

private:
    struct Connection {
        Fd socket;
        std::string request;
        bool hangs{false};
    };
    void serve();
    [[nodiscard]] bool answer(Connection& connection);

    std::uint16_t port_{0};  // first: opening the listener sets it
    Fd listener_, stop_;
    std::atomic<std::size_t> held_{0};
    std::vector<Connection> connections_;
    std::thread thread_;
};

/// A bound and listening TCP socket on 127.0.0.1; port 0 = any.
[[nodiscard]] Fd listen_on(std::uint16_t port, std::uint16_t& bound);

class Collector : public Mailbox {
public:
    void post(News news) override;
    [[nodiscard]] std::vector<News> take(std::optional<Nanos>) override { return {}; }

    [[nodiscard]] std::vector<Sample> series(std::uint32_t probe = 0);
    [[nodiscard]] std::size_t count();
    /// False when the condition has not come true within 20 s.
    bool wait(
        const std::function<bool(const std::map<std::uint32_t, std::vector<Sample>>&)>& until);
    /// The first sample of the probe from `number` on.
    [[nodiscard]] std::optional<Sample> sample(std::uint32_t probe = 0, std::uint64_t number = 0);

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::uint32_t, std::vector<Sample>> series_;
    std::size_t count_{0};
};

/// A child process that is killed, by its pid, and waited for at the end.
class Child {
public:
    /// Busy loop in the child.
    static Child hog();
    static Child run(const std::vector<std::string>& argv);
    explicit Child(int pid) noexcept : pid_(pid) {}
    Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
    Child& operator=(Child&&) = delete;
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child();
    /// Exit status, or -1.
    int wait();
    [[nodiscard]] int pid() const noexcept { return pid_; }

private:
    int pid_;
};

}  // namespace drill::test
