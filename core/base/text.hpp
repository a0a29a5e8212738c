// All text building that the standard library of g++ 12 lacks: durations, RFC 3339, quoting,
// escaping, near matches. Must not: know any format of ours.
#pragma once

#include "base/instant.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace drill {

/// "1h30m", "250ms", "2 s", "15m", "1d" to nanoseconds; units d h m s ms us ns, each at most
/// once and descending; a fraction is allowed on the last ("1.5s"). Empty on anything else,
/// on negative values and past 365 days.
[[nodiscard]] std::optional<Nanos> parse_duration(std::string_view text);
/// Shortest exact form for canonical files: "1m30s", "250ms", "0s".
[[nodiscard]] std::string format_duration(Nanos span);
/// For people: three significant places at most: "3.52 s", "12 ms", "2 m 05 s", "10 s".
[[nodiscard]] std::string show_duration(Nanos span);
/// "50%" or "12.5 %" to parts per million (500000); empty on anything else and outside 0..100 %.
[[nodiscard]] std::optional<int> parse_percent(std::string_view text);
/// Parts per million to "50 %" / "99.31 %".
[[nodiscard]] std::string show_percent(int ppm);

/// "2026-11-24T14:02:31.204Z"
[[nodiscard]] std::string rfc3339(Wall wall);
/// "14:02:31.204", local time of the controller.
[[nodiscard]] std::string clock_time(Wall wall);

/// One word for a POSIX shell. The only quoting function of the project. The text must hold no
/// NUL (asserted); callers refuse NUL and, outside of data, newline before.
[[nodiscard]] std::string shell_quote(std::string_view word);
[[nodiscard]] std::string shell_join(std::span<const std::string> argv);

/// Text from targets is data: control bytes (C0 but newline and tab, DEL, C1), bad UTF-8 and
/// bidirectional overrides become visible escapes. With Lines::one newlines are escaped too.
enum class Lines : unsigned char { keep, one };
[[nodiscard]] std::string escape_control(std::string_view text, Lines lines = Lines::keep);

[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);
[[nodiscard]] std::string_view trim(std::string_view text);
[[nodiscard]] std::string join(std::span<const std::string> parts, std::string_view separator);
[[nodiscard]] bool starts_with_word(std::string_view text, std::string_view word);

/// The candidate nearest to `word` by Damerau-Levenshtein distance, at most a third of its
/// length away; empty when none is near.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word,
                                                 std::span<const std::string> candidates);

/// "app-1: the disk is full"; the text alone where it names its subject already.
[[nodiscard]] std::string about(std::string_view subject, std::string_view text);

/// Code points of valid UTF-8 (each is counted one wide).
[[nodiscard]] std::size_t width(std::string_view text);
/// Wraps at blanks to `columns`, later lines begin with `indent` blanks.
[[nodiscard]] std::string wrap(std::string_view text, std::size_t columns, std::size_t indent);

}  // namespace drill
