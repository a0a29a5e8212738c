// The passwords of sudo: read where the catalog says, when one is first needed, and kept in memory
// only. Also who may try one: the first try goes alone, and after a rejection nobody tries it
// again, so that a fan-out locks no account. Must not: put a secret into argv, environment, logs,
// errors or any text of ours. Read next: transport/entry.hpp, transport/redact.hpp.
#pragma once

#include "model/host.hpp"
#include "transport/redact.hpp"
#include "transport/wait.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace drill {

/// Reads a secret: a file that only its owner (we or root) can read, a credential in `directory`,
/// or the output of a command on this machine. One line; a newline at its end is not part of it.
/// Blocks until the deadline of `wait` at most, half a minute for a command.
/// Code::refused with the reason and what mends it, never with anything of the content.
[[nodiscard]] Result<Secret> read_secret(const SecretSource& source, const std::string& directory,
                                         Wait& wait);

/// Shared by all carriers of a run. Thread-safe; carriers share ownership.
class Passwords {
public:
    /// `credentials` is $CREDENTIALS_DIRECTORY, "" = there is none.
    explicit Passwords(std::string credentials = {}) : credentials_(std::move(credentials)) {}

    /// The right to use a password once. What came of it is told as soon as it is known.
    class Turn {
    public:
        Turn() = default;
        Turn(Turn&& other) noexcept
            : from_(std::exchange(other.from_, nullptr)),
              key_(std::move(other.key_)),
              host_(std::move(other.host_)),
              secret_(std::move(other.secret_)) {}
        Turn& operator=(Turn&& other) noexcept;
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        ~Turn() { leave(); }
        [[nodiscard]] std::string_view reveal() const {
            return secret_ ? secret_->reveal() : std::string_view();
        }
        void accepted();  ///< this password is good for this user on this host
        void rejected();  ///< from now on nobody tries it where it was not good before
        void leave();     ///< it was not asked for, or it is not known what came of it

    private:
        friend class Passwords;
        Passwords* from_{nullptr};
        std::string key_, host_;
        std::shared_ptr<const Secret> secret_;  // shared: turns outlive nothing, many use one
    };

    /// Blocks while the first try of the same password is under way elsewhere.
    /// auth_failed/none: it was rejected before. refused/none: it cannot be read.
    [[nodiscard]] Result<Turn> enter(const Connection& connection, Wait& wait);

private:
    struct State {
        std::shared_ptr<const Secret> secret;  // shared with the turns that use it
        std::set<std::string> good_on;
        std::string rejected_on;
        bool trying{false};  ///< the first try is under way
    };
    [[nodiscard]] Result<bool> try_enter(const std::string& key, const std::string& host);

    std::string credentials_;
    std::mutex mutex_;
    std::map<std::string, State> states_;
};

}  // namespace drill
