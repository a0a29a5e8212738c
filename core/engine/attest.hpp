// A person closes a lease whose end could not be proven: what is recorded of it.
// Pure; nothing on a target changes. Next: cli/cmd_close.cpp.
#pragma once

#include "model/event.hpp"
#include "model/lease.hpp"

#include <string>

namespace drill {

struct Attestation {
    std::string by, reason;  ///< personal: only their digests enter the chain
    Instant at;
};
struct Attested {
    Lease lease;  ///< closed
    Event event;  ///< "lease.closed"
};
/// `lease` must be open (asserted). Both parts belong into one commit.
[[nodiscard]] Attested attest(const Lease& lease, const Attestation& attestation);

}  // namespace drill
