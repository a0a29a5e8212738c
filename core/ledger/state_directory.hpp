// The directory of the ledger: made private, checked, and given a ballast file that is freed when
// the disk is full, so that the undo can still be recorded.
// Must not: know tables. Next: writer_lock.hpp, sqlite_ledger.cpp.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <string>

namespace drill {

inline constexpr std::size_t ballast_size = std::size_t{1} << 20U;

/// By statfs magic: file systems on which locks or syncs cannot be trusted (NFS, SMB, 9p, FUSE,
/// AFS, Ceph, Lustre).
[[nodiscard]] const char* network_file_system(unsigned long magic) noexcept;

/// Makes it with its parents (0700). Failure: refused (network file system, writable by others),
/// no_space, internal.
[[nodiscard]] Status make_state_directory(const std::string& directory);
/// Makes an empty private file (0600) where there is none yet; never opens an existing one, as
/// closing it would drop SQLite's locks of this process.
[[nodiscard]] Status make_private_file(const std::string& path);
/// Failure: no_space, internal; then nothing is left of it.
[[nodiscard]] Status lay_ballast(const std::string& directory);
void free_ballast(const std::string& directory) noexcept;

/// Code and text for an errno of this machine's file system.
[[nodiscard]] Error file_error(const std::string& what, int number);

}  // namespace drill
