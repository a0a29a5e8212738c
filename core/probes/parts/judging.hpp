// What all probe kinds share: look-ups of parameters, and the order in which an answer is judged.
// Must not: know a kind. Next: model/probe.hpp.
#pragma once

#include "model/probe.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace drill::probes {

/// "" or 0 for what was not given.
[[nodiscard]] std::string text_of(const Values& values, std::string_view name);
[[nodiscard]] std::int64_t integer_of(const Values& values, std::string_view name,
                                      std::int64_t otherwise);

/// Names and addresses that are connected to: not empty, no blanks, no control bytes, no comma.
[[nodiscard]] Status check_host(const Values& values, std::string_view name);
/// 1 to 65535, or `otherwise` when it was not given.
[[nodiscard]] Result<std::uint16_t> port_of(const Values& values, std::int64_t otherwise);

/// `url`, `method`, `body` and `headers.*`; Code::invalid for what could not be sent as one
/// request.
[[nodiscard]] Result<HttpQuestion> http_request(const Values& values);

/// not asked: unknown; no answer, an error or `wrong` (a reason): failed; right, but later than
/// ok.within: degraded; else ok. `wrong` speaks of the answer and is not asked for without one.
[[nodiscard]] SampleState judged(const Values& values, const Answer& answer,
                                 std::optional<std::string> (*wrong)(const Values&, const Answer&),
                                 std::string& detail);

/// The reason when `ok.contains` is given and is not part of the body.
[[nodiscard]] std::optional<std::string> lacks_text(const Values& values, const Answer& answer);

}  // namespace drill::probes
