// When certificates and tickets of the controller end, out of what `ssh-keygen -L` and `klist`
// print. Pure. Must not: run either (cli/cmd_doctor.cpp and cli/credentials.cpp do). Next:
// gates.hpp (credential_gates), model/ground.hpp.
#pragma once

#include "base/instant.hpp"

#include <optional>
#include <string_view>
#include <vector>

namespace drill {

/// The ends of the certificates in the output of `TZ=UTC0 ssh-keygen -L`, in their order; one that
/// is valid for ever is left out.
[[nodiscard]] std::vector<Wall> certificate_ends(std::string_view text);
/// The latest end of a ticket-granting ticket in the output of `TZ=UTC0 LC_ALL=C klist`; empty
/// when there is none.
[[nodiscard]] std::optional<Wall> ticket_end(std::string_view text);

}  // namespace drill
