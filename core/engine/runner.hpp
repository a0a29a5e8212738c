// The runner carries out what a director (the conductor, or the undoing of a dead run) decides.
// Write-ahead lives here and nowhere else: a turn's events and leases are durable before any of
// its orders leave. When the ledger cannot be written nothing new is applied, undos go on.
#pragma once

#include "base/instant.hpp"
#include "ledger/ledger.hpp"
#include "model/event.hpp"
#include "transport/transport.hpp"

#include <functional>
#include <string>
#include <vector>

namespace drill {

struct RunnerParts {
    Clock& clock;
    Mailbox& mailbox;
    Transport& transport;
    Ledger& ledger;
    Sampler* sampler{nullptr};               ///< not owned; may be empty
    std::function<void(const Event&)> show;  ///< each event, after its commit was tried
};

/// A pure decision maker: Conductor::turn and Undoing::turn.
using Director = std::function<Turn(const Instant&, std::vector<News>)>;

struct RunnerReport {
    std::size_t failed_commits{0};
    bool complete{false};             ///< every event and lease is in the ledger
    std::size_t unwritten_events{0};  ///< still not in the ledger at the end
    std::string ledger_problem;       ///< text of the last failed commit, "" if all succeeded
};

/// Blocks until the director says finished. Does not throw.
RunnerReport run(const Director& director, const RunnerParts& parts);

}  // namespace drill
