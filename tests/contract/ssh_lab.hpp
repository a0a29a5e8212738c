// Real SSH servers for the tests: the test program moves into a network and a mount namespace of
// its own before main(), so that nothing is left in the machine and ports are all free.
// Needs root. Must not: be used by tests outside of this folder.
#pragma once

#include "model/host.hpp"
#include "transport/known_hosts.hpp"
#include "transport/transport.hpp"

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace drill::lab {

/// Keys, users and files; everything lies below this directory of a private tmpfs.
inline const std::string directory = "/run/drl";
/// Users: root, `admin` (sudo and doas without a password), `asked` (sudo asks for one), `plain`.
inline const std::string sudo_password = "se cret";
inline const std::string sudo_log = "/run/drl/sudo.log";
/// "ed25519" (let in everywhere), "rsa", "ecdsa", "encrypted" (passphrase "secret"), "stranger".
[[nodiscard]] std::string key(const std::string& name);

struct ServerOptions {
    std::string address;
    std::uint16_t port{22};
    std::string extra;            ///< more lines of sshd_config
    std::string type{"ed25519"};  ///< of the host key
    bool dropbear{false};
};

/// One sshd (or dropbear); ended with all its sessions on destruction.
class Server {
public:
    explicit Server(ServerOptions options);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    [[nodiscard]] const HostKey& host_key() const { return key_; }
    /// Root by the ed25519 key, with a known_hosts file that has just this server.
    [[nodiscard]] Connection connection(const std::string& user = "root") const;
    [[nodiscard]] const std::string& known_hosts() const { return known_hosts_; }
    [[nodiscard]] std::string log() const;

private:
    ServerOptions options_;
    HostKey key_;
    std::string known_hosts_;
    std::string log_;
    pid_t pid_{-1};
};

/// The servers that most tests share.
Server& plain();    ///< sshd
Server& bastion();  ///< sshd, jump host
Server& inner();    ///< sshd, second jump host
Server& dropbear();

/// Runs a program on this machine and requires success. Returns its output.
std::string run(const std::vector<std::string>& argv);
void spill(const std::string& file, const std::string& text);
/// "" if the file is not there.
[[nodiscard]] std::string slurp(const std::string& file);
/// A name in the directory that nobody used.
[[nodiscard]] std::string fresh_name(const std::string& stem);
/// Blocks until the file has text (20 s at most) and returns it without the newline.
[[nodiscard]] std::string await_text(const std::string& file);
/// Blocks until no such process is left (20 s at most).
void await_gone(pid_t pid);

/// perform with a deadline of 20 s.
[[nodiscard]] Result<Reply> perform(Carrier& carrier, const std::vector<std::string>& argv,
                                    std::string input = {});

}  // namespace drill::lab
