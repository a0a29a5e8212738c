// Secrets in memory: a type that no stream, formatter or debugger line shows by accident.
// Must not: be put into argv, environment, ledger, logs or errors. Read next: design, Security.
#pragma once

#include "base/result.hpp"

#include <iosfwd>
#include <string>
#include <string_view>

namespace drill {

/// Owns a secret, prints as ***, zeroes its memory when destroyed, moved from or replaced.
/// Not copyable, so that each copy is a decision.
class Secret {
public:
    Secret() = default;
    explicit Secret(std::string_view text);
    /// Takes the text over and zeroes the source.
    explicit Secret(std::string&& text);
    Secret(Secret&& other) noexcept;
    Secret& operator=(Secret&& other) noexcept;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret();

    [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
    /// The only way out. The view ends with the Secret; do not store it.
    [[nodiscard]] std::string_view reveal() const noexcept { return text_; }

private:
    void wipe() noexcept;
    std::string text_;
};

std::ostream& operator<<(std::ostream& out, const Secret& secret);
[[nodiscard]] std::string to_string(const Secret& secret);

/// No core file and no ptrace by the same user from here on. Code::internal if the kernel refuses.
[[nodiscard]] Status forbid_core_dumps();

}  // namespace drill
