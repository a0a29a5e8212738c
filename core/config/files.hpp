// What the loader asks the file system: bounded reading, who could change or read a file.
// Must not: know what stands in a file. Next: catalog.cpp.
#pragma once

#include "config/report.hpp"

#include <cstddef>
#include <optional>
#include <string>

namespace drill {

/// who = anyone: an experiment. trusted: only root or the caller may be able to change the file
/// or its directory; checked on the open descriptor.
enum class Writers : unsigned char { anyone, trusted };

/// Regular files only, at most `most` bytes. Empty: an error is in the report.
[[nodiscard]] std::optional<std::string> read_file(const std::string& path, std::size_t most,
                                                   Writers writers, Report& report);
/// A private key must be there and be readable by its owner only.
void check_key_file(const std::string& path, Spot spot, Report& report);

/// Absolute and without "." or "..", links left as they are.
[[nodiscard]] std::string absolute_path(const std::string& path);
/// "~/x" below the home directory, "x" below `directory`, "/x" as it is.
[[nodiscard]] std::string expand_path(const std::string& path, const std::string& directory);
/// $HOME, else that of the password database; "" when neither says.
[[nodiscard]] std::string home_directory();

}  // namespace drill
