// Words for a run from other processes: one file each in <state>/inbox/<run>/, which the
// controller commits as an event, obeys and removes. And the block that keeps new runs out.
// Must not: touch the database or judge who may write; the directory is private (0700).
// Next: writer_lock.hpp, cli/inbox_watch.hpp (the reading side of a run).
#pragma once

#include "base/instant.hpp"
#include "base/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drill {

/// Bytes of a reason or a note that are kept.
inline constexpr std::size_t longest_letter = 4096;

struct Letter {
    std::string id;    ///< its file; unique in the run, sorts by time
    std::string verb;  ///< "halt" or "note"
    std::string by;    ///< who; personal
    std::string text;  ///< reason or note; personal
    Wall at{};
};

/// Writes it whole or not at all, durable on return, and gives its id; `letter.id` is ignored.
/// Failure: invalid (text too long, or a run id that names no file), refused (the directory is
/// another user's), no_space, internal.
[[nodiscard]] Result<std::string> drop_letter(const std::string& directory, std::string_view run,
                                              const Letter& letter);
/// The letters of a run, oldest first, at most 1000; files that are no letter are passed over.
/// Empty where there is no inbox. Failure: internal (it cannot be read).
[[nodiscard]] Result<std::vector<Letter>> read_letters(const std::string& directory,
                                                       std::string_view run);
[[nodiscard]] bool letter_waits(const std::string& directory, std::string_view run,
                                std::string_view id);
void remove_letter(const std::string& directory, std::string_view run, std::string_view id);
/// Removes the directory of the run when nothing is in it.
void close_inbox(const std::string& directory, std::string_view run);

/// Why no run may begin with this ledger (`drill halt --all`).
struct Block {
    std::string by, reason;
    Wall at{};
};
/// Makes the directory where it is absent; an older block is replaced. Durable on return.
/// Failure: as drop_letter.
[[nodiscard]] Status block_runs(const std::string& directory, const Block& block);
/// Empty = runs may begin. A file that cannot be understood blocks as well. Failure: internal
/// (whether there is a block cannot be seen).
[[nodiscard]] Result<std::optional<Block>> block_of(const std::string& directory);
/// False when there was none. Failure: refused, internal.
[[nodiscard]] Result<bool> unblock_runs(const std::string& directory);

}  // namespace drill
