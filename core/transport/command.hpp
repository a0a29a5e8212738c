// What an action becomes on the way to a program: argv with `become`, standard input, the command
// line that sshd hands to the login shell, and the judgement of what came back.
// Pure. Must not: run anything. Read next: transport/local.cpp, transport/ssh.cpp.
#pragma once

#include "model/action.hpp"
#include "model/host.hpp"
#include "transport/envelope.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace drill {

/// A program to run, `become` included.
struct Command {
    std::vector<std::string> argv;
    std::string input;
    std::string line;  ///< the same for sshd, see command_line
};

/// Code::invalid for an empty argv, a NUL in it, or a line that sshd could not exec (128 KiB).
[[nodiscard]] Result<Command> command_of(const Action& action, const Connection& connection,
                                         const EnvelopePlaces& places);

/// One line that every login shell (sh, bash, dash, zsh, csh, tcsh, fish) turns into exactly this
/// argv. sshd always runs `$SHELL -c LINE`; csh and fish read backslash, `!` and newline inside of
/// quotes differently, so words that hold such bytes travel as octal digits and are decoded by
/// /bin/sh. argv[0] is always exec'd: builtins of a shell are not programs.
[[nodiscard]] std::string command_line(const std::vector<std::string>& argv);

/// How a program ended.
struct Ended {
    int status{-1};      ///< -1: not told
    std::string signal;  ///< "KILL" when a signal ended it, else ""
    std::string out, err;
    bool truncated{false};
};

/// Makes the reply. `sudo -n` that is not allowed is Code::refused with Effect::none; an end by a
/// signal or without a status is Effect::unknown, unless the envelope's last line is there.
[[nodiscard]] Result<Reply> reply_of(const Action& action, const Connection& connection,
                                     Ended ended);

}  // namespace drill
