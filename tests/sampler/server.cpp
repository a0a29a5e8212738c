// See server.hpp.
#include "sampler/server.hpp"

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace drill::test {

Fd listen_on(std::uint16_t port, std::uint16_t& bound) {
    Fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* where = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(socket.get(), where, size) == 0);
    REQUIRE(::listen(socket.get(), 1024) == 0);
    REQUIRE(::getsockname(socket.get(), where, &size) == 0);
    bound = ntohs(address.sin_port);
    return socket;
}

Server::Server() : listener_(listen_on(0, port_)), stop_(make_event()) {
    thread_ = std::thread([this] { serve(); });
}

Server::~Server() {
    raise_event(stop_.get());
    thread_.join();
}

void Server::serve() {
    while (true) {
        std::vector<pollfd> fds{{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
        for (const Connection& each : connections_) {
            fds.push_back({each.socket.get(), POLLIN, 0});
        }
        if (::poll(fds.data(), fds.size(), -1) < 0) { continue; }
        if (fds[0].revents != 0) { return; }
        for (std::size_t i = connections_.size(); i-- > 0;) {
            if (fds[i + 2].revents != 0 && answer(connections_[i])) {
                if (connections_[i].hangs) { --held_; }
                connections_.erase(connections_.begin() + static_cast<std::ptrdiff_t>(i));
            }
        }
        while (true) {
            Fd socket{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
            if (!socket.open()) { break; }
            connections_.push_back({std::move(socket), {}, false});
        }
    }
}

/// True when the connection is done with.
bool Server::answer(Connection& connection) {
    char buffer[4096];
    const ssize_t got = ::read(connection.socket.get(), buffer, sizeof buffer);
    if (got <= 0) { return true; }
    connection.request.append(buffer, static_cast<std::size_t>(got));
    if (connection.hangs || connection.request.find("\r\n\r\n") == std::string::npos) {
        return false;
    }
    const std::size_t from = connection.request.find(' ') + 1;
    const std::string path =
        connection.request.substr(from, connection.request.find(' ', from) - from);
    Way way = Way::answers;
    if (path == "/503") { way = Way::errs; }
    if (path == "/hang") { way = Way::hangs; }
    if (path == "/away") { way = away(); }
    if (way == Way::hangs) {
        connection.hangs = true;
        ++held_;
        return false;
    }
    std::string body = "accepted";
    if (path == "/big") { body.assign(std::size_t{1} << 20U, 'x'); }
    if (path == "/login") { body = R"({"order":{"id":"a/b 1"},"n":7})"; }
    if (path.starts_with("/echo")) { body = connection.request; }
    const char* status = way == Way::errs ? "503 Away" : path == "/moved" ? "302 Moved" : "200 OK";
    std::string text = std::string("HTTP/1.1 ") + status + "\r\nConnection: close\r\n";
    if (path == "/moved") { text += "Location: /ok\r\n"; }
    if (path == "/login") { text += "Set-Cookie: session=s1\r\nX-Token: t7\r\n"; }
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    ::fcntl(connection.socket.get(), F_SETFL, 0);  // the reader on the other side is quick
    std::size_t written = 0;
    while (written < text.size()) {
        const ssize_t put = ::send(connection.socket.get(), text.data() + written,
                                   text.size() - written, MSG_NOSIGNAL);
        if (put <= 0) { break; }
        written += static_cast<std::size_t>(put);
    }
    return true;
}

void Collector::post(News news) {
    auto* sampled = std::get_if<Sampled>(&news);
    if (sampled == nullptr) { return; }
    {
        const std::lock_guard lock(mutex_);
        add_sample(series_[sampled->sample.probe], std::move(sampled->sample));
        ++count_;
    }
    changed_.notify_all();
}

std::vector<Sample> Collector::series(std::uint32_t probe) {
    const std::lock_guard lock(mutex_);
    return series_[probe];
}

std::size_t Collector::count() {
    const std::lock_guard lock(mutex_);
    return count_;
}

bool Collector::wait(
    const std::function<bool(const std::map<std::uint32_t, std::vector<Sample>>&)>& until) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds{20}, [&] { return until(series_); });
}

std::optional<Sample> Collector::sample(std::uint32_t probe, std::uint64_t number) {
    std::optional<Sample> found;
    wait([&](const auto& all) {
        const auto of_probe = all.find(probe);
        if (of_probe == all.end()) { return false; }
        const auto place = std::ranges::find_if(
            of_probe->second, [&](const Sample& each) { return each.number >= number; });
        if (place == of_probe->second.end()) { return false; }
        found = *place;
        return true;
    });
    return found;
}

Child Child::hog() {
    const int pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (volatile bool busy = true; busy;) {}
    }
    return Child(pid);
}

Child Child::run(const std::vector<std::string>& argv) {
    std::vector<char*> words;
    for (const std::string& word : argv) { words.push_back(const_cast<char*>(word.c_str())); }
    words.push_back(nullptr);
    const int pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int null = ::open("/dev/null", O_RDWR);
        ::dup2(null, 0);
        ::dup2(null, 1);
        ::dup2(null, 2);
        ::execvp(words[0], words.data());
        ::_exit(127);
    }
    return Child(pid);
}

int Child::wait() {
    if (pid_ <= 0) { return -1; }
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Child::~Child() {
    if (pid_ <= 0) { return; }
    ::kill(pid_, SIGKILL);
    wait();
}

}  // namespace drill::test
