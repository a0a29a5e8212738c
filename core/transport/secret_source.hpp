// Where secrets come from: a file, a systemd credential, or a program on the controller.
// Must not: take one from argv or the environment, or put one into an error.
// Next: redact.hpp, model/probe.hpp (SecretRef).
#pragma once

#include "model/probe.hpp"
#include "transport/redact.hpp"

namespace drill {

/// The secret without its last line break; empty when nothing is referred to. Blocks up to 10 s
/// for a command. Code::refused: a file that is not regular, that others can read, or is larger
/// than 4 KiB; a command that failed. Code::not_found: no such file or credential.
[[nodiscard]] Result<Secret> read_secret(const SecretRef& from);

}  // namespace drill
