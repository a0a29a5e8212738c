// DNS questions in the poll loop: one question to one server, by UDP, and by TCP when the answer
// is truncated. No resolver library, so nothing of this machine's configuration has a say.
// Must not: cache, ask twice, follow a referral, or judge. Next: sampler_talk.hpp.
#pragma once

#include "transport/sampler_talk.hpp"
#include "transport/sampler_tcp.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace drill::sampling {

/// Blocks nowhere. An address that is not numeric ends as not asked.
[[nodiscard]] std::unique_ptr<Talk> make_dns_talk(const DnsQuestion& question);

/// The message (RFC 1035), without EDNS: what does not fit into 512 bytes comes by TCP.
[[nodiscard]] std::string dns_query(const DnsQuestion& question, std::uint16_t id);

struct DnsReply {
    bool truncated{false};
    Answer answer;  ///< status = rcode, values = records of the asked type, sorted
};
/// Empty when the message is not the answer to this question: it is passed over, as a forged or
/// late one would be. One that is, but cannot be read, has a problem. Bounded for any input.
[[nodiscard]] std::optional<DnsReply> read_dns_reply(std::string_view message,
                                                     const DnsQuestion& question, std::uint16_t id);

}  // namespace drill::sampling
