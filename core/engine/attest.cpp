// See attest.hpp.
#include "engine/attest.hpp"

namespace drill {

Attested attest(const Lease& lease, const Attestation& attestation) {
    DRILL_ASSERT(is_open(lease.state));
    Attested out{.lease = lease, .event = {}};
    const std::string was = name_of(lease.state);
    out.lease.state = LeaseState::closed;
    out.lease.note =
        "closed by a person, was " + was + (lease.note.empty() ? "" : ": ") + lease.note;
    out.event.at = attestation.at;
    out.event.type = "lease.closed";
    out.event.step = lease.step;
    out.event.host = lease.connection.host;
    out.event.lease = lease.id;
    out.event.message = lease.step + " on " + lease.connection.host + ": closed without proof";
    out.event.data = {{"was", was}};
    out.event.personal = {{"by", attestation.by}, {"reason", attestation.reason}};
    return out;
}

}  // namespace drill
