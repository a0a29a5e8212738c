// The controller's own credentials that end: certificates beside key files and in the agent,
// Kerberos tickets. Must not: read a private key or print a secret; only ends leave here.
// Next: plan/credentials.hpp (parsing), plan/gates.hpp (what they close).
#pragma once

#include "model/ground.hpp"
#include "model/host.hpp"

#include <vector>

namespace drill::cli {

/// One for each of these hosts and credential that its login depends on. Runs ssh-keygen, ssh-add
/// and klist where they matter, two seconds each at most; what cannot be asked is left out.
[[nodiscard]] std::vector<Credential> credentials_of(const std::vector<Connection>& connections);

}  // namespace drill::cli
