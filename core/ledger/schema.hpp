// The tables of the ledger and how older files are brought up to date.
// Must not: run without the writer's lock. Next: schema.cpp.
#pragma once

#include "ledger/database.hpp"

#include <span>

namespace drill {

/// "drll": what `file` and PRAGMA application_id show.
inline constexpr std::int64_t application_id = 0x64726c6c;

/// Brings a file of version `to - 1` to `to`. Each runs in one transaction.
struct Migration {
    std::int64_t to{0};
    const char* sql{nullptr};
};

/// All of them, version 1 first.
[[nodiscard]] std::span<const Migration> migrations();

/// Applies what is missing, after a copy `<path>.version-N.backup` of any file that has content.
/// Failure: newer (untouched), refused (not a ledger), no_space, internal; the file stays at the
/// last version that was reached whole.
Status migrate(Database& database, const std::string& path, std::span<const Migration> steps);

/// For readers: newer or older files are refused, an empty one is not_found.
Status check_version(Database& database, const std::string& path);

}  // namespace drill
