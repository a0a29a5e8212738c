// One SSH session over a descriptor: key exchange, judgement of the host key, login.
// Used by the carrier and by jump hosts. One thread at a time. Must not: send a request.
// Read next: transport/ssh_link.cpp, transport/ssh_jump.hpp.
#pragma once

#include "model/action.hpp"
#include "model/host.hpp"
#include "transport/known_hosts.hpp"
#include "transport/ssh.hpp"
#include "transport/wait.hpp"

#include <libssh/libssh.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace drill {

class SshLink {
public:
    /// Takes the socket. Returns after the key exchange: the host has proven to own `key()`.
    static Result<std::unique_ptr<SshLink>> shake_hands(Fd socket, const Connection& connection,
                                                        Wait& wait);
    ~SshLink();
    SshLink(const SshLink&) = delete;
    SshLink& operator=(const SshLink&) = delete;

    /// Code::host_key unless the key is trusted: by known_hosts, or, where that file has nothing
    /// on this host, because it is the very key that connection.host_key names.
    [[nodiscard]] Status judge() const;
    /// Key file, then agent. Code::auth_failed names user, methods and what was tried.
    [[nodiscard]] Status log_in(const std::string& agent_socket, Wait& wait);

    [[nodiscard]] const HostKey& key() const noexcept { return key_; }
    /// How the login was made: "key file ..." or "agent"; "" before it.
    [[nodiscard]] const std::string& method() const noexcept { return method_; }
    /// The legs to this host, this one last. Set by open_link.
    [[nodiscard]] const std::vector<Hop>& way() const noexcept { return way_; }
    void set_way(std::vector<Hop> way) { way_ = std::move(way); }
    [[nodiscard]] ssh_session session() const noexcept { return session_; }
    /// After log_in: handles all packets that have come, without blocking. False when the session
    /// is over.
    [[nodiscard]] bool pump();
    [[nodiscard]] bool alive() const;
    [[nodiscard]] std::string problem() const;
    /// The descriptor with the events that the session waits for now.
    [[nodiscard]] pollfd poll_entry() const;

private:
    explicit SshLink(const Connection& connection) : connection_(connection) {}
    [[nodiscard]] Status prepare(Fd socket);
    void end_socket() noexcept;
    [[nodiscard]] Status take_key();
    /// Calls a step of libssh until it no longer answers `again`.
    template <class Step>
    [[nodiscard]] Result<int> repeat(Step step, int again, std::string_view doing, Wait& wait);
    [[nodiscard]] Status authenticate(const std::string& agent_socket, Wait& wait);
    [[nodiscard]] Result<bool> try_key_file(std::string& tried, Wait& wait);
    [[nodiscard]] Result<bool> try_agent(const std::string& socket, std::string& tried, Wait& wait);
    [[nodiscard]] std::string name() const;

    Connection connection_;
    ssh_session session_{nullptr};
    ssh_channel probe_{nullptr};  // never opened: polling it makes libssh handle packets
    int socket_{-1};              // what libssh was given, see end_socket
    std::uint64_t socket_inode_{0};
    bool begun_{false};             // libssh has taken the socket
    std::vector<KnownHost> known_;  ///< what known_hosts said of this host when we began
    HostKey key_;
    std::string method_;
    std::vector<Hop> way_;
};

}  // namespace drill
