// SSH by OpenSSH's own client: for what only ssh_config can say (certificates, keys signed by an
// authority, FIDO, GSSAPI, ProxyCommand). One master process for each host; commands go over its
// control socket in the protocol of OpenSSH's PROTOCOL.mux, so their own exit status and the
// failures of the way there cannot be mistaken for each other.
// Must not: repeat an action, ask a person. Read next: openssh_master.hpp, openssh.cpp.
#pragma once

#include "transport/ssh.hpp"

#include <memory>
#include <mutex>
#include <string>

namespace drill {

/// A directory of ours, 0700, for the control sockets of a run; made when it is first needed and
/// removed at the end. Its path is short: a socket's name has 108 bytes. Thread-safe.
class ControlDirectory {
public:
    ControlDirectory() = default;
    ~ControlDirectory();
    ControlDirectory(const ControlDirectory&) = delete;
    ControlDirectory& operator=(const ControlDirectory&) = delete;
    /// A name for a socket that nobody used.
    [[nodiscard]] Result<std::string> fresh();

private:
    std::mutex mutex_;
    std::string path_;
    int number_{0};
};

struct OpensshOptions {
    SshOptions ssh;  ///< `jumps` only counts logins here, `agent_socket` is not looked at
    std::shared_ptr<ControlDirectory> directory;  ///< shared by a run; empty = one of its own
};

/// The contract of make_ssh. The controller's environment, ~/.ssh/config and /etc/ssh/ssh_config
/// hold; what the connection says goes before them. Jump hosts of the connection are reached by
/// ProxyCommand, with their own keys. Which signal ended a program is not told by OpenSSH.
/// The master ends with the carrier, and when the thread that made it ends: so also when this
/// program is killed.
[[nodiscard]] std::unique_ptr<Carrier> make_openssh(const Connection& connection,
                                                    OpensshOptions options = {});

}  // namespace drill
