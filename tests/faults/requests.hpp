// Requests as the planner would make them, and changes as readable text.
// Must not: touch a host. Next: runner.hpp, which carries commands out.
#pragma once

#include "faults/kinds.hpp"

#include <string>
#include <string_view>

namespace drill::test {

[[nodiscard]] const Kind& kind_of(std::string_view name);

/// Complete parameters: the defaults of the kind, as the loader fills them in.
[[nodiscard]] Values defaults_of(const Kind& kind);

/// A request for app-1 that `kind` accepts, with peers, facts and answers to its questions.
[[nodiscard]] ChangeRequest request_for(const Kind& kind, Binding binding);

/// A change as text: every argv as a shell would take it, every input, every setting.
[[nodiscard]] std::string text_of_change(const Change& change);

/// The message of the refusal, or "" when the request is not refused.
[[nodiscard]] std::string refusal_of(const Kind& kind, const ChangeRequest& request);

}  // namespace drill::test
