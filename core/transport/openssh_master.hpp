// The master process of one host for the openssh carrier: its arguments, its life, and what its
// log says when it fails. Must not: send a command. Read next: openssh.cpp.
#pragma once

#include "model/action.hpp"
#include "model/host.hpp"
#include "transport/child.hpp"
#include "transport/known_hosts.hpp"
#include "transport/wait.hpp"

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace drill {

/// Everything behind `ssh` that makes a master listen on `control`. `pinned`: this fingerprint is
/// as good as a line of known_hosts, "" = none. Pure.
[[nodiscard]] std::vector<std::string> openssh_arguments(const Connection& connection,
                                                         const std::string& control,
                                                         const std::string& pinned);

/// What a master that could not log in was stopped by: host_key, auth_failed, invalid (ssh_config
/// is wrong) or unreachable, with Effect::none. Reads known_hosts for the words of host_key.
[[nodiscard]] Error openssh_failure(const Connection& connection, std::string_view log);

/// "SHA256:..." of the key that the host proved to own, "" when it came to none.
[[nodiscard]] std::string openssh_host_key(std::string_view log);

/// "publickey /home/kim/.ssh/id", "gssapi-with-mic"; "" when nobody was let in.
[[nodiscard]] std::string openssh_method(std::string_view log);

/// As fetch_host_key, for a host that only OpenSSH's client reaches: the plain key that the host
/// proved to own (not its certificate), without logging in. Its line has the name that OpenSSH
/// looks it up by, HostName and HostKeyAlias of ssh_config included. Effect::none.
[[nodiscard]] Result<SeenKey> openssh_fetch_host_key(const Connection& connection, Nanos deadline,
                                                     std::stop_token stop);

class OpensshMaster {
public:
    /// Starts it and waits until it is logged in and listens.
    [[nodiscard]] static Result<std::unique_ptr<OpensshMaster>> start(const Connection& connection,
                                                                      const std::string& control,
                                                                      Wait& wait);
    ~OpensshMaster();
    OpensshMaster(const OpensshMaster&) = delete;
    OpensshMaster& operator=(const OpensshMaster&) = delete;

    [[nodiscard]] const std::string& control() const noexcept { return control_; }
    /// False once it has ended. Does not block.
    [[nodiscard]] bool alive() const;
    /// Ends it at once, with what it has not sent yet.
    void kill();
    /// The last 256 KiB of what it wrote.
    [[nodiscard]] std::string log() const;
    [[nodiscard]] std::size_t log_size() const;
    [[nodiscard]] const std::string& host_key() const noexcept { return host_key_; }
    /// The target alone, jumps within `connected`; times are to 5 ms.
    [[nodiscard]] const Hop& way() const noexcept { return way_; }

private:
    friend Result<SeenKey> openssh_fetch_host_key(const Connection& connection, Nanos deadline,
                                                  std::stop_token stop);
    OpensshMaster() = default;
    /// Started, not yet logged in.
    [[nodiscard]] static Result<std::unique_ptr<OpensshMaster>> launch(const Connection& connection,
                                                                       const std::string& control);
    Child child_;
    bool over_{false};
    Fd log_;
    std::string control_, host_key_;
    Hop way_;
};

}  // namespace drill
