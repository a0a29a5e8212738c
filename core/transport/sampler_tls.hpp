// TLS questions in the poll loop: a whole handshake, verified, then closed; no application data.
// Must not: use a session again, accept what does not verify, or judge. Next: sampler_talk.hpp.
#pragma once

#include "transport/sampler_talk.hpp"
#include "transport/sampler_tcp.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace drill::sampling {

/// Holds the authorities of each file, read once. Used by one thread, and outlives its talks.
class TlsAsker {
public:
    TlsAsker();
    TlsAsker(const TlsAsker&) = delete;
    TlsAsker& operator=(const TlsAsker&) = delete;
    ~TlsAsker();
    /// The answer has: status = days until the first of the shown certificates expires (rounded
    /// down), values = [protocol of ALPN or ""], body = "TLSv1.3". A certificate that does not
    /// verify is a problem; authorities that cannot be read are not asked.
    [[nodiscard]] std::unique_ptr<Talk> talk(const TlsQuestion& question,
                                             std::vector<Address> addresses);

    struct Context;  ///< hides OpenSSL; known to sampler_tls.cpp only

private:
    std::map<std::string, std::shared_ptr<Context>> contexts_;
};

}  // namespace drill::sampling
