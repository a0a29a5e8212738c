// SSH by libssh: one carrier for one host, jump hosts shared by a run, and the host key that a
// host shows. Host keys are judged by known_hosts.hpp, never by libssh; ~/.ssh/config is not read;
// nothing is forwarded. Must not: repeat an action. Read next: transport/ssh.cpp, lanes.hpp.
#pragma once

#include "model/host.hpp"
#include "transport/envelope.hpp"
#include "transport/known_hosts.hpp"
#include "transport/passwords.hpp"
#include "transport/transport.hpp"

#include <memory>
#include <string>

namespace drill {

/// Logins that may be under way. sshd drops connections beyond MaxStartups (10:30:100 by default),
/// at random from ten half-open ones on.
struct LoginLimits {
    /// At once, to one address or through one jump host. sshd counts a login a little longer than
    /// we do, hence less than its ten.
    int half_open{8};
    int per_second{50};  ///< new logins to one address or through one jump host
    int burst{20};
};

/// The jump hosts of a run: one authenticated session for each, with one thread that moves the
/// bytes of all channels through it. Also counts logins for hosts without a jump. Thread-safe;
/// must outlive nothing: carriers share it.
class JumpPool {
public:
    explicit JumpPool(LoginLimits limits = {});
    ~JumpPool();  ///< ends all jump sessions; bounded
    JumpPool(const JumpPool&) = delete;
    JumpPool& operator=(const JumpPool&) = delete;

    class Inside;
    [[nodiscard]] Inside& inside() noexcept { return *inside_; }

private:
    std::unique_ptr<Inside> inside_;
};

struct SshOptions {
    EnvelopePlaces places;
    std::shared_ptr<JumpPool> jumps;  ///< shared by the carriers of a run; empty = one of its own
    std::shared_ptr<Passwords> passwords;            ///< shared by the carriers of a run; the same
    std::string agent_socket;                        ///< SSH_AUTH_SOCK; "" = no agent
    Nanos connect_within{std::chrono::seconds{10}};  ///< until TCP is up, within the deadline
};

/// Exec: argv as one line to the login shell, see command_line(). Envelope: /bin/sh -s, script on
/// standard input. The session is kept between performs; one that turns out dead before the
/// request was sent is made anew once, afterwards never.
/// unreachable/none: no connection. host_key/none. auth_failed/none. refused/none: sudo -n is not
/// allowed, or sshd refuses to run commands. unreachable, timed_out, cancelled with unknown: the
/// request was sent and no complete answer came.
/// What a program leaves running with its standard output open is waited for one second at most
/// after the program's own end; Reply::truncated is set then.
[[nodiscard]] std::unique_ptr<Carrier> make_ssh(const Connection& connection,
                                                SshOptions options = {});

/// Connects (through the jumps) and returns the key that the host proved to own, without judging
/// it and without logging in on it. Blocks until the deadline at most. Effect::none.
[[nodiscard]] Result<SeenKey> fetch_host_key(const Connection& connection, Nanos deadline,
                                             std::stop_token stop, SshOptions options = {});

}  // namespace drill
