// The real parts put together for one verb: clock, mailbox, lanes over ssh and local carriers.
// Must not: decide anything. Next: session.hpp.
#pragma once

#include "plan/planner.hpp"
#include "transport/clock.hpp"
#include "transport/lanes.hpp"
#include "transport/mailbox.hpp"
#include "transport/sampler.hpp"
#include "transport/ssh.hpp"

#include <memory>
#include <string>
#include <vector>

namespace drill::cli {

class Fleet {
public:
    Fleet();
    SystemClock clock;
    ThreadMailbox mailbox;

    [[nodiscard]] Transport& transport() { return *lanes_; }
    /// Sends every question and waits for all answers. The first question of each credential goes
    /// alone: when it is rejected, the others are not tried with it, so that no account is locked
    /// by a fan-out. Stop requests that arrive meanwhile end it: `stopped` is set.
    [[nodiscard]] std::vector<AskAnswer> ask(std::vector<Ask> questions, bool& stopped);
    /// For command probes: carriers of their own, kept between questions.
    [[nodiscard]] CommandRunner command_runner(const std::map<std::string, PlannedHost>& hosts);
    [[nodiscard]] SshOptions ssh_options() const;

private:
    [[nodiscard]] std::unique_ptr<Carrier> carrier(const Connection& connection) const;
    std::shared_ptr<JumpPool> jumps_;
    std::unique_ptr<Lanes> lanes_;
};

}  // namespace drill::cli
