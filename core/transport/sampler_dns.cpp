// See sampler_dns.hpp.
#include "transport/sampler_dns.hpp"

#include "base/text.hpp"

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace drill::sampling {

namespace {

constexpr std::size_t header_size = 12;
constexpr std::size_t largest_udp = 4096;  // a server may send more than we asked for
constexpr std::size_t largest_tcp = 65535;
constexpr std::size_t most_records = 512;
constexpr int most_jumps = 32;           // of compression pointers in one name
constexpr std::size_t most_strays = 64;  // datagrams that are not ours, in one question

enum Type : std::uint16_t {
    type_a = 1,
    type_ns = 2,
    type_cname = 5,
    type_soa = 6,
    type_ptr = 12,
    type_mx = 15,
    type_txt = 16,
    type_aaaa = 28,
    type_srv = 33
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower_name(std::string_view name) {
    if (name.ends_with('.')) { name.remove_suffix(1); }
    std::string out(name);
    std::ranges::transform(out, out.begin(), lower);
    return out;
}

void put16(std::string& out, unsigned value) {
    out += static_cast<char>((value >> 8U) & 0xffU);
    out += static_cast<char>(value & 0xffU);
}

/// Reads within bounds; after a read past the end everything is zero and `bad` stays set.
class Cursor {
public:
    explicit Cursor(std::string_view message, std::size_t at = 0) : message_(message), at_(at) {}
    [[nodiscard]] bool bad() const noexcept { return bad_; }
    [[nodiscard]] std::size_t at() const noexcept { return at_; }
    void to(std::size_t at) { at_ = at; }

    unsigned byte() {
        if (bad_ || at_ >= message_.size()) {
            bad_ = true;
            return 0;
        }
        return static_cast<unsigned char>(message_[at_++]);
    }
    unsigned two() {
        const unsigned high = byte();
        return (high << 8U) | byte();
    }
    std::uint32_t four() {
        const std::uint32_t high = two();
        return (high << 16U) | two();
    }
    std::string_view bytes(std::size_t count) {
        if (bad_ || count > message_.size() - at_) {
            bad_ = true;
            return {};
        }
        at_ += count;
        return message_.substr(at_ - count, count);
    }
    /// Lower case, without the last dot; "" is the root.
    std::string name() {
        std::string out;
        std::optional<std::size_t> back;
        for (int jumps = 0; !bad_ && out.size() < 256;) {
            const unsigned length = byte();
            if (bad_ || length == 0) { break; }
            if ((length & 0xc0U) == 0xc0U) {
                const std::size_t to = ((length & 0x3fU) << 8U) | byte();
                if (!back) { back = at_; }
                bad_ = bad_ || ++jumps > most_jumps || to >= message_.size();
                at_ = to;
                continue;
            }
            bad_ = bad_ || length > 63;
            if (!out.empty()) { out += '.'; }
            for (const char c : bytes(length)) { out += lower(c); }
        }
        bad_ = bad_ || out.size() >= 256;
        if (back) { at_ = *back; }
        return out;
    }

private:
    std::string_view message_;
    std::size_t at_;
    bool bad_{false};
};

std::string address_text(int family, std::string_view bytes) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const bool sound = bytes.size() == (family == AF_INET ? 4U : 16U) &&
                       ::inet_ntop(family, bytes.data(), text.data(), text.size()) != nullptr;
    return sound ? std::string(text.data()) : std::string();
}

std::string strings_text(std::string_view data) {
    std::string out;
    while (!data.empty()) {
        const std::size_t length = static_cast<unsigned char>(data.front());
        out += data.substr(1, length);
        data.remove_prefix(std::min(data.size(), length + 1));
    }
    return out;
}

/// As people write it; names without the last dot.
std::string record_text(std::uint16_t type, Cursor& in, std::size_t length) {
    const auto number = [](unsigned long value) { return std::to_string(value) + ' '; };
    switch (type) {
        case type_a: return address_text(AF_INET, in.bytes(length));
        case type_aaaa: return address_text(AF_INET6, in.bytes(length));
        case type_ns:
        case type_cname:
        case type_ptr: return in.name();
        case type_txt: return strings_text(in.bytes(length));
        case type_mx: {
            const std::string preference = number(in.two());
            return preference + in.name();
        }
        case type_srv: {
            std::string text = number(in.two());
            text += number(in.two());
            text += number(in.two());
            return text + in.name();
        }
        case type_soa: {
            std::string text = in.name() + ' ';
            text += in.name();
            for (int i = 0; i < 5; ++i) { text += ' ' + std::to_string(in.four()); }
            return text;
        }
        default: return std::to_string(length) + " bytes";
    }
}

void read_records(Cursor& in, std::size_t count, std::uint16_t type, Answer& answer) {
    for (std::size_t i = 0; i < count && i < most_records; ++i) {
        static_cast<void>(in.name());
        const unsigned found = in.two();
        static_cast<void>(in.two());
        static_cast<void>(in.four());
        const std::size_t length = in.two();
        const std::size_t end = in.at() + length;
        if (in.bad()) { break; }
        if (found == type) { answer.values.push_back(record_text(type, in, length)); }
        in.to(end);
    }
    if (in.bad()) { answer.problem = "the answer cannot be read"; }
    std::ranges::sort(answer.values);
}

class DnsTalk : public Talk {
public:
    explicit DnsTalk(const DnsQuestion& question)
        : question_(question), address_(numeric_address(question.server, question.port)) {
        if (::getrandom(&id_, sizeof id_, GRND_NONBLOCK) != sizeof id_) { id_ = 0; }
    }

    std::optional<Answer> advance(Want& want) override {
        if (!address_) {
            Answer answer;
            answer.problem = "the server is not an address";
            return answer;
        }
        if (question_.tcp || truncated_) { return advance_tcp(want); }
        return advance_udp(want);
    }

private:
    std::optional<Answer> advance_udp(Want& want) {
        if (!socket_.open()) {
            socket_ = Fd{::socket(address_->storage.ss_family,
                                  SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
            // Connected, so that refusals are told and strangers are not heard.
            const auto* where = reinterpret_cast<const sockaddr*>(&address_->storage);
            if (!socket_.open() || ::connect(socket_.get(), where, address_->size) != 0) {
                return failed_with(errno);
            }
            const std::string query = dns_query(question_, id_);
            if (::send(socket_.get(), query.data(), query.size(), MSG_NOSIGNAL) < 0) {
                return failed_with(errno);
            }
        }
        std::string buffer(largest_udp, '\0');
        for (std::size_t strays = 0; strays < most_strays; ++strays) {
            const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
            if (size < 0 && (errno == EAGAIN || errno == EINTR)) { break; }
            if (size < 0) { return failed_with(errno); }
            const std::string_view message(buffer.data(), static_cast<std::size_t>(size));
            std::optional<DnsReply> reply = read_dns_reply(message, question_, id_);
            if (!reply) { continue; }
            if (!reply->truncated) { return std::move(reply->answer); }
            truncated_ = true;
            socket_.reset();
            return advance_tcp(want);
        }
        want = {socket_.get(), EPOLLIN, false};
        return std::nullopt;
    }

    std::optional<Answer> advance_tcp(Want& want) {
        if (!dial_) {
            dial_.emplace(std::vector<Address>{*address_});
            const std::string query = dns_query(question_, id_);
            put16(out_, static_cast<unsigned>(query.size()));
            out_ += query;
        }
        if (!connected_) {
            const Dial::State state = dial_->advance();
            if (state == Dial::State::failed) { return failed_with(dial_->error()); }
            if (state == Dial::State::waiting) {
                want = {dial_->socket().get(), EPOLLOUT, true};
                return std::nullopt;
            }
            connected_ = true;
        }
        const int fd = dial_->socket().get();
        while (!out_.empty()) {
            const ssize_t sent = ::send(fd, out_.data(), out_.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno == EAGAIN) {
                want = {fd, EPOLLOUT, true};
                return std::nullopt;
            }
            if (sent < 0) { return failed_with(errno); }
            out_.erase(0, static_cast<std::size_t>(sent));
        }
        return receive_tcp(fd, want);
    }

    std::optional<Answer> receive_tcp(int fd, Want& want) {
        std::array<char, 4096> buffer{};
        while (in_.size() < largest_tcp + 2) {
            const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), 0);
            if (size < 0 && errno == EAGAIN) {
                want = {fd, EPOLLIN, true};
                return std::nullopt;
            }
            if (size < 0) { return failed_with(errno); }
            if (size == 0) { return problem("the server closed the connection"); }
            in_.append(buffer.data(), static_cast<std::size_t>(size));
            if (in_.size() < 2) { continue; }
            Cursor length(in_);
            const std::size_t whole = length.two();
            if (in_.size() < whole + 2) { continue; }
            std::optional<DnsReply> reply =
                read_dns_reply(std::string_view(in_).substr(2, whole), question_, id_);
            if (!reply) { return problem("the answer is to another question"); }
            if (reply->truncated) { return problem("the answer is truncated by TCP too"); }
            return std::move(reply->answer);
        }
        return problem("the answer is too long");
    }

    static Answer problem(std::string why) {
        Answer answer;
        answer.asked = true;
        answer.problem = std::move(why);
        return answer;
    }

    DnsQuestion question_;
    std::optional<Address> address_;
    std::uint16_t id_{0};
    Fd socket_;
    bool truncated_{false};
    std::optional<Dial> dial_;
    bool connected_{false};
    std::string out_, in_;
};

}  // namespace

std::string dns_query(const DnsQuestion& question, std::uint16_t id) {
    std::string out;
    put16(out, id);
    put16(out, question.recursion ? 0x0100U : 0U);
    for (const unsigned count : {1U, 0U, 0U, 0U}) { put16(out, count); }
    const std::string name = lower_name(question.name);
    for (const std::string& label : split(name, '.')) {
        if (label.empty()) { continue; }
        out += static_cast<char>(label.size());
        out += label;
    }
    out += '\0';
    put16(out, question.type);
    put16(out, 1);  // the Internet
    return out;
}

std::optional<DnsReply> read_dns_reply(std::string_view message, const DnsQuestion& question,
                                       std::uint16_t id) {
    if (message.size() < header_size) { return std::nullopt; }
    Cursor in(message);
    const unsigned found = in.two();
    const unsigned flags = in.two();
    const unsigned questions = in.two();
    const std::size_t answers = in.two();
    in.to(header_size);
    if (found != id || (flags & 0x8000U) == 0 || questions > 1) { return std::nullopt; }
    DnsReply reply;
    reply.answer.asked = true;
    reply.answer.status = static_cast<int>(flags & 0x000fU);
    reply.answer.authoritative = (flags & 0x0400U) != 0;
    reply.truncated = (flags & 0x0200U) != 0;
    if (questions == 1) {
        const std::string name = in.name();
        const unsigned type = in.two();
        static_cast<void>(in.two());
        if (in.bad() || name != lower_name(question.name) || type != question.type) {
            return std::nullopt;
        }
    } else if (reply.answer.status == 0) {
        return std::nullopt;  // only an error may come without its question
    }
    if (!reply.truncated) { read_records(in, answers, question.type, reply.answer); }
    return reply;
}

std::unique_ptr<Talk> make_dns_talk(const DnsQuestion& question) {
    return std::make_unique<DnsTalk>(question);
}

}  // namespace drill::sampling
