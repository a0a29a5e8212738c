// Actions on the controller itself, by child processes (Boost.Process v2).
// Must not: use a shell of its own, inherit descriptors, signals or environment.
// Read next: transport/command.hpp.
#pragma once

#include "model/host.hpp"
#include "transport/envelope.hpp"
#include "transport/passwords.hpp"
#include "transport/transport.hpp"

#include <memory>

namespace drill {

struct LocalOptions {
    EnvelopePlaces places;
    std::shared_ptr<Passwords> passwords;  ///< shared by a run; empty = one of its own
};

/// Each perform starts one program in a session of its own (no terminal), with a minimal
/// environment, and ends when the program has ended; what it left running in the background is not
/// waited for. A program that is not found answers status 127, as a shell would. At the deadline
/// or a stop its process group gets TERM, a quarter of a second later KILL; the answer is
/// Effect::unknown then and comes at most one second late.
[[nodiscard]] std::unique_ptr<Carrier> make_local(const Connection& connection,
                                                  LocalOptions options = {});

}  // namespace drill
