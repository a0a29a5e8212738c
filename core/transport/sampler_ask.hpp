// What the parts of the sampler pass to each other: the end of a question, and whose fault an
// error number is. Must not: judge an answer; the probe kind does. Next: sampler.cpp.
#pragma once

#include "model/probe.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace drill::sampling {

/// One end of one question. Tokens are never used twice.
struct Done {
    std::uint64_t token{0};
    Answer answer;      ///< latency is not set
    Nanos received{0};  ///< when the end was seen
};
using Ends = std::vector<Done>;

inline constexpr std::size_t body_limit = std::size_t{64} * 1024U;

/// What an epoll event is about, in the upper bits of its datum.
enum class Source : std::uint64_t { timer, wake, resolved, tcp, curl, talk };
inline constexpr unsigned source_shift = 60;
[[nodiscard]] constexpr std::uint64_t mark(Source source, std::uint64_t value) noexcept {
    return (static_cast<std::uint64_t>(source) << source_shift) | value;
}

/// Errors that this machine makes before anything leaves it: descriptors, memory, ports, or the
/// controller's own packet filter.
[[nodiscard]] bool own_trouble(int error) noexcept;
/// True when no further descriptor can be opened, which name resolution reports as "not found".
[[nodiscard]] bool out_of_descriptors() noexcept;
/// "connection refused"
[[nodiscard]] std::string error_text(int error);
/// The answer for an error number: not asked for own trouble, else a problem of the target.
[[nodiscard]] Answer failed_with(int error);

}  // namespace drill::sampling
