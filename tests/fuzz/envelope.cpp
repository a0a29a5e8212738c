// Fuzzes what targets send back: answers of the envelope and listings of a sweep. Holds: an answer
// that is taken for good has a part for each command, and one that is not is an unknown effect.
#include "transport/envelope.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    drill::Envelope envelope;
    envelope.nonce = "abc";
    envelope.commands.resize(2);
    for (const drill::Phase phase : {drill::Phase::ask, drill::Phase::apply, drill::Phase::undo}) {
        envelope.phase = phase;
        const auto reply = drill::parse_envelope(envelope, text, "", false);
        if (!reply && reply.error().effect == drill::Effect::done) { std::abort(); }
        if (reply && reply->parts.size() > 2) { std::abort(); }
    }
    for (const drill::FoundLease& found : drill::parse_sweep(text)) {
        static_cast<void>(found.lease.size());
    }
    return 0;
}
