// TCP connections within a bound: name resolution and connect, both ended by deadline or stop.
// Must not: keep an address; names are resolved anew each time, as a drill may move them.
// Read next: transport/ssh_link.hpp.
#pragma once

#include "base/result.hpp"
#include "transport/wait.hpp"

#include <cstdint>
#include <string>

namespace drill {

/// Connects to the first of all resolved addresses that answers. Attempts are short and begin
/// again with a fresh SYN: a host whose link has just come up loses the first, and the kernel's
/// own repetition comes a second later. Gives up at once when every address refused or has no
/// route, else after `within` or at the deadline. The socket is blocking, close-on-exec, NODELAY,
/// with keepalive and a TCP_USER_TIMEOUT of ten seconds. Code::unreachable, Effect::none.
[[nodiscard]] Result<Fd> connect_tcp(const std::string& address, std::uint16_t port, Nanos within,
                                     Wait& wait);

/// libssh writes with a blocking send whenever poll() says that a byte fits. This bounds such a
/// send, which then returns what it could place.
void bound_sends(const Fd& socket) noexcept;

}  // namespace drill
