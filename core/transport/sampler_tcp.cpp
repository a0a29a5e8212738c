// See sampler_tcp.hpp. Also says whose fault an error number is.
#include "transport/sampler_tcp.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace drill::sampling {

bool own_trouble(int error) noexcept {
    switch (error) {
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
        case EAGAIN:
        case EADDRNOTAVAIL:       // no local port left
        case EPERM: return true;  // the controller's own packet filter; EACCES may come from afar
        default: return false;
    }
}

bool out_of_descriptors() noexcept {
    const Fd probe{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    return !probe.open() && own_trouble(errno);
}

std::string error_text(int error) {
    std::string text = std::generic_category().message(error);
    if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') {
        text[0] = static_cast<char>(text[0] - 'A' + 'a');
    }
    return text;
}

Answer failed_with(int error) {
    Answer answer;
    answer.asked = !own_trouble(error);
    answer.problem = error_text(error);
    return answer;
}

std::optional<Address> numeric_address(const std::string& host, std::uint16_t port) {
    Address address;
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    if (inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1) {
        std::memcpy(&address.storage, &four, sizeof four);
        address.size = sizeof four;
        return address;
    }
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    if (inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) == 1) {
        std::memcpy(&address.storage, &six, sizeof six);
        address.size = sizeof six;
        return address;
    }
    return std::nullopt;
}

Dial::State Dial::advance() {
    if (socket_.open()) {
        int error = 0;
        socklen_t size = sizeof error;
        if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
            error = errno;
        }
        if (error == 0) { return State::connected; }
        error_ = error;
    }
    while (next_ < addresses_.size()) {
        const Address& to = addresses_[next_++];
        socket_ = Fd{::socket(to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
        const auto* where = reinterpret_cast<const sockaddr*>(&to.storage);
        if (socket_.open() && ::connect(socket_.get(), where, to.size) == 0) {
            return State::connected;
        }
        if (socket_.open() && errno == EINPROGRESS) { return State::waiting; }
        error_ = errno;
    }
    return State::failed;
}

void TcpAsker::begin(std::uint64_t token, std::vector<Address> addresses, Ends& ends) {
    Attempt& attempt = open_[token];
    attempt.addresses = std::move(addresses);
    if (advance(token, attempt, ends)) { open_.erase(token); }
}

bool TcpAsker::advance(std::uint64_t token, Attempt& attempt, Ends& ends) {
    while (attempt.next < attempt.addresses.size()) {
        const Address& to = attempt.addresses[attempt.next++];
        attempt.socket =
            Fd{::socket(to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
        if (!attempt.socket.open()) {
            attempt.error = errno;
            continue;
        }
        // The socket interface is typed by its first member, hence the cast.
        const auto* where = reinterpret_cast<const sockaddr*>(&to.storage);
        if (::connect(attempt.socket.get(), where, to.size) == 0) {
            end(token, 0, ends);
            return true;
        }
        if (errno != EINPROGRESS) {
            attempt.error = errno;
            continue;
        }
        epoll_event event{};
        event.events = EPOLLOUT | EPOLLONESHOT;
        event.data.u64 = mark(Source::tcp, token);
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, attempt.socket.get(), &event) == 0) { return false; }
        attempt.error = ENOMEM;  // the connection may stand, but nobody can wait for it
    }
    end(token, attempt.error != 0 ? attempt.error : EADDRNOTAVAIL, ends);
    return true;
}

void TcpAsker::ready(std::uint64_t token, Ends& ends) {
    const auto found = open_.find(token);
    if (found == open_.end()) { return; }
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(found->second.socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        error = errno;
    }
    if (error == 0) {
        end(token, 0, ends);
        open_.erase(found);
        return;
    }
    found->second.error = error;
    if (advance(token, found->second, ends)) { open_.erase(found); }
}

void TcpAsker::end(std::uint64_t token, int error, Ends& ends) {
    Done done{token, {}, clock_.now().boot};
    if (error == 0) {
        done.answer.asked = true;
    } else {
        done.answer = failed_with(error);
    }
    ends.push_back(std::move(done));
}

}  // namespace drill::sampling
