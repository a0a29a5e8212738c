// The real parts put together for one verb: clock, mailbox, lanes over ssh and local carriers.
// Must not: decide anything. Next: session.hpp.
#pragma once

#include "plan/planner.hpp"
#include "transport/clock.hpp"
#include "transport/lanes.hpp"
#include "transport/mailbox.hpp"
#include "transport/openssh.hpp"
#include "transport/passwords.hpp"
#include "transport/sampler.hpp"
#include "transport/ssh.hpp"

#include <memory>
#include <string>
#include <vector>

namespace drill::cli {

class Fleet {
public:
    /// How long a TCP connection may take to come up.
    explicit Fleet(Nanos connect_within = std::chrono::seconds{10});
    SystemClock clock;
    ThreadMailbox mailbox;

    [[nodiscard]] Transport& transport() { return *lanes_; }
    /// Sends every question and waits for all answers. The first question of each credential goes
    /// alone: when it is rejected, the others are not tried with it, so that no account is locked
    /// by a fan-out. One that is silent for half a second is joined by the next, so that a host
    /// that is down does not hold up the others. Stop requests that arrive meanwhile end it:
    /// `stopped` is set.
    [[nodiscard]] std::vector<AskAnswer> ask(std::vector<Ask> questions, bool& stopped);
    /// For command probes: carriers of their own, kept between questions.
    [[nodiscard]] CommandRunner command_runner(const std::map<std::string, PlannedHost>& hosts);
    [[nodiscard]] SshOptions ssh_options() const;
    /// The key that a host proves to own, by the way that its connection names.
    [[nodiscard]] Result<SeenKey> host_key(const Connection& connection, Nanos deadline) const;

private:
    Nanos connect_within_;
    [[nodiscard]] std::unique_ptr<Carrier> carrier(const Connection& connection) const;
    std::shared_ptr<JumpPool> jumps_;
    std::shared_ptr<Passwords> passwords_;        // as the jumps: shared by all carriers
    std::shared_ptr<ControlDirectory> controls_;  // outlives the masters whose sockets it holds
    std::unique_ptr<Lanes> lanes_;
};

}  // namespace drill::cli
