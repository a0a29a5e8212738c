// What a user's ssh_config says of a host that transport = "ssh" does not do: it is asked of
// `ssh -G` and told, as a host would otherwise be reached in another way than by hand.
// Pure. Must not: run ssh. Read next: cli/ssh_config_notes.hpp, which asks.
#pragma once

#include "model/host.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace drill {

enum class LoginWorks : bool { no, yes };

/// GSSAPIAuthentication stands in Debian's own ssh_config: it means something with a ticket only.
enum class Ticket : bool { none, there };

/// Sentences, each with host, setting and fix; none for another transport than ssh. `said` is what
/// `ssh -G ADDRESS` printed. With LoginWorks::yes only what changes the way to the host or the
/// judgement of its key; with no also what it could log in with. Effect: none.
[[nodiscard]] std::vector<std::string> ssh_config_findings(std::string_view said,
                                                           const Connection& connection,
                                                           LoginWorks works,
                                                           Ticket ticket = Ticket::none);

/// False when a file of ssh_config holds nothing that could lead to a finding, so that `ssh -G`
/// need not be asked for each host. Other files that it includes count as something.
[[nodiscard]] bool ssh_config_matters(std::string_view text);

}  // namespace drill
