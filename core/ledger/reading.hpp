// One short look into the ledger: opens, checks the version, closes. Stop signals of the terminal
// wait meanwhile, as a stopped reader with a lock would block the writer.
// Must not: live longer than a call of LedgerReader. Next: ledger_reader.cpp, verify.cpp.
#pragma once

#include "base/instant.hpp"
#include "ledger/database.hpp"

#include <csignal>
#include <string>

namespace drill {

/// SIGTSTP, SIGTTIN and SIGTTOU of the calling thread stay pending while this lives.
class SignalsHeld {
public:
    SignalsHeld() noexcept;
    SignalsHeld(const SignalsHeld&) = delete;
    SignalsHeld& operator=(const SignalsHeld&) = delete;
    ~SignalsHeld();

private:
    sigset_t before_{};
};

class Reading {
public:
    /// Failure: not_found, newer, refused, internal.
    [[nodiscard]] static Result<Reading> open(const std::string& path);
    [[nodiscard]] Database* operator->() const { return database_.get(); }
    [[nodiscard]] Database& operator*() const { return *database_; }

private:
    Reading() : held_(std::make_unique<SignalsHeld>()) {}
    std::unique_ptr<SignalsHeld> held_;  // first in, last out
    std::unique_ptr<Database> database_;
};

/// Borrowed from the row: good until the callback returns.
struct RawEvent {
    std::int64_t seq{0};
    std::string_view type;
    Instant at;
    std::string_view body, leaf;
};

/// Events of one page, in order of seq; the read lock ends with it.
inline constexpr std::int64_t events_per_page = 2000;
Status each_event(Database& database, std::int64_t run, std::int64_t after,
                  const std::function<Status(const RawEvent&)>& take);

}  // namespace drill
