// What an action becomes on the way to a program: argv with `become`, standard input, the command
// line that sshd hands to the login shell, and the judgement of what came back.
// Pure, but for the random marks of a conversation with sudo. Must not: run anything. Read next:
// transport/local.cpp, transport/ssh.cpp.
#pragma once

#include "model/action.hpp"
#include "model/host.hpp"
#include "transport/envelope.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace drill {

/// A program to run, `become` included.
struct Command {
    std::vector<std::string> argv;
    std::string input;
    std::string line;  ///< the same for sshd, see command_line
    std::string asks;  ///< what sudo prints where it asks for the password; "" = it is never given
    std::string begins;  ///< the line on standard error with which the program then begins
};

/// Code::invalid for an empty argv, a NUL in it, or a line that sshd could not exec (128 KiB).
[[nodiscard]] Result<Command> command_of(const Action& action, const Connection& connection,
                                         const EnvelopePlaces& places);

/// One line that every login shell (sh, bash, dash, zsh, csh, tcsh, fish) turns into exactly this
/// argv. sshd always runs `$SHELL -c LINE`; csh and fish read backslash, `!` and newline inside of
/// quotes differently, so words that hold such bytes travel as octal digits and are decoded by
/// /bin/sh. argv[0] is always exec'd: builtins of a shell are not programs.
[[nodiscard]] std::string command_line(const std::vector<std::string>& argv);

/// How far a program came that sudo may ask a password for, see transport/entry.hpp.
enum class Entered : std::uint8_t {
    outside,   ///< sudo has not asked, the program has not begun
    asked,     ///< the password is being given
    rejected,  ///< it was wrong
    inside,    ///< the program runs; so do all that need no password
};

/// How a program ended.
struct Ended {
    int status{-1};      ///< -1: not told
    std::string signal;  ///< "KILL" when a signal ended it, else ""
    std::string out, err;
    bool truncated{false};
    Entered entered{Entered::inside};
};

/// Makes the reply. sudo or doas that does not let us in is Code::refused with Effect::none, a
/// password that it rejects Code::auth_failed with Effect::none; an end by a signal or without a
/// status is Effect::unknown, unless the envelope's last line is there.
[[nodiscard]] Result<Reply> reply_of(const Action& action, const Connection& connection,
                                     Ended ended);

}  // namespace drill
