// Actions to command lines, and program ends to replies.
// Must not: run anything, or guess an exit status. Read next: transport/command.hpp.
#include "transport/command.hpp"

#include "base/ids.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <variant>

namespace drill {

namespace {

// execve refuses a single argument of 128 KiB (MAX_ARG_STRLEN), NUL included.
constexpr std::size_t longest_line = 128U * 1024U - 1U;

/// What sudo 1.9 and doas 6.8 say, under LC_ALL=C, when they do not even start the program.
constexpr std::array<std::string_view, 6> sudo_refusals{
    "a password is required", "is not in the sudoers file", "is not allowed to execute",
    "may not run sudo",       "a terminal is required",     "you must have a tty to run sudo",
};
constexpr std::array<std::string_view, 5> doas_refusals{
    "Authentication required", "Authorization required", "Operation not permitted",
    "doas is not enabled",     "a tty is required",
};
/// Refusals that are about the password or the account, and count as a try.
constexpr std::array<std::string_view, 5> rejections{
    "incorrect password attempt", "incorrect authentication attempt", "Sorry, try again",
    "Authentication failure",     "account validation failure",
};

bool same_in_all_shells(char c) {
    // Inside of single quotes these are literal in sh, csh and fish alike.
    return c >= ' ' && c <= '~' && c != '\\' && c != '!' && c != '\'';
}

/// For `printf %b`: every byte but a few harmless ones as \0ooo.
std::string octal(std::string_view text) {
    constexpr std::string_view plain = "_./:=,@+- ";
    std::string out;
    for (const char c : text) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (letter || plain.find(c) != std::string_view::npos) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += "\\0";
        out += static_cast<char>('0' + byte / 64);
        out += static_cast<char>('0' + byte / 8 % 8);
        out += static_cast<char>('0' + byte % 8);
    }
    return out;
}

bool holds_nul(const std::vector<Exec>& commands) {
    return std::any_of(commands.begin(), commands.end(), [](const Exec& exec) {
        return exec.input.find('\0') != std::string::npos ||
               std::any_of(exec.argv.begin(), exec.argv.end(), [](const std::string& word) {
                   return word.find('\0') != std::string::npos;
               });
    });
}

template <std::size_t n>
bool says_one_of(std::string_view text, const std::array<std::string_view, n>& words) {
    return std::any_of(words.begin(), words.end(),
                       [&](std::string_view word) { return text.find(word) != text.npos; });
}

std::string sudo_hint(const Connection& connection, std::string_view said) {
    return "sudo -n is not allowed for " + connection.user + " on " + connection.host + " (" +
           escape_control(trim(said), Lines::one) + "); a line like `" + connection.user +
           " ALL=(root) NOPASSWD: ALL` in /etc/sudoers.d/drill there allows it; `drill doctor " +
           connection.host +
           " --sudoers` prints the exact lines. Where sudo has to ask, become_password in the"
           " catalog says where the password lies";
}

std::string doas_hint(const Connection& connection, std::string_view said) {
    return "doas -n is not allowed for " + connection.user + " on " + connection.host + " (" +
           escape_control(trim(said), Lines::one) + "); a line like `permit nopass " +
           connection.user + " as root` in /etc/doas.conf there allows it";
}

/// True when `-n` was not let in: only the refusal itself was said.
template <std::size_t n>
bool turned_away(const Ended& ended, std::string_view prefix,
                 const std::array<std::string_view, n>& refusals) {
    if (ended.status != 1 || !ended.out.empty()) { return false; }
    const bool from_it = ended.err.find(prefix) != std::string::npos ||
                         ended.err.find("Sorry, user ") != std::string::npos;
    // A program that was started could say one of these too, but then hardly as its only words.
    return from_it && std::count(ended.err.begin(), ended.err.end(), '\n') <= 4 &&
           says_one_of(ended.err, refusals);
}

/// The program never began. It was ended by sudo, so nothing was done.
Error kept_out(const Connection& connection, const Ended& ended) {
    const std::string where = connection.user + " on " + connection.host;
    const std::string said = escape_control(trim(ended.err), Lines::one);
    const bool tried = ended.entered == Entered::asked && says_one_of(ended.err, rejections);
    if (ended.entered == Entered::rejected || tried) {
        return fail(Code::auth_failed,
                    "sudo rejected the password of " + where +
                        "; it is not tried again, here or elsewhere, so that no account is locked."
                        " See what become_password in the catalog points to",
                    Effect::none);
    }
    return fail(Code::refused,
                "sudo does not let in " + where + (said.empty() ? "" : " (" + said + ")") +
                    "; `drill doctor " + connection.host +
                    " --sudoers` prints the lines that allow it",
                Effect::none);
}

/// What stands in front of a program, and the marks of a conversation.
void put_become(Command& command, const Connection& connection) {
    if (connection.become == "doas") {
        command.argv = {"env", "LC_ALL=C", "doas", "-n", "--"};
    } else if (connection.become == "sudo" && connection.become_password.empty()) {
        command.argv = {"env", "LC_ALL=C", "sudo", "-n", "--"};
    } else if (connection.become == "sudo") {
        const std::string nonce = random_id(16);
        command.asks = "drill-asks-" + nonce + ":";
        command.begins = "drill-begins-" + nonce;
        // -k: an earlier ticket is neither used nor left behind.
        command.argv = {"env", "LC_ALL=C", "sudo", "-S", "-k", "-p", command.asks, "--"};
    }
}

/// The shell line of an envelope. $SSH_CONNECTION is expanded by a POSIX shell of the user, before
/// sudo takes the environment away.
std::string envelope_line(const Command& command, const std::string& begin) {
    const std::string become = command.argv.empty() ? "" : shell_join(command.argv) + " ";
    const std::string inner = begin.empty()
                                  ? "/bin/sh -s -- \"$SSH_CONNECTION\""
                                  : "/bin/sh -c " + shell_quote(begin) + " sh \"$SSH_CONNECTION\"";
    return command_line({"/bin/sh", "-c", "exec " + become + inner});
}

}  // namespace

std::string command_line(const std::vector<std::string>& argv) {
    const bool simple = std::all_of(argv.begin(), argv.end(), [](const std::string& word) {
        return std::all_of(word.begin(), word.end(), same_in_all_shells);
    });
    std::string line = "exec " + shell_join(argv);
    if (simple) { return line; }
    // shell_join ends in a quote or a word character, so $( ) strips no newline of ours.
    return "exec /bin/sh -c 'eval \"$(printf %b \"$1\")\"' sh '" + octal(line) + "'";
}

Result<Command> command_of(const Action& action, const Connection& connection,
                           const EnvelopePlaces& places) {
    const std::string& become = connection.become;
    if (!become.empty() && become != "sudo" && become != "doas") {
        return fail(Code::invalid, "become is \"sudo\", \"doas\" or \"\", not \"" + become + "\"");
    }
    Command command;
    put_become(command, connection);
    const std::string say = command.begins.empty() ? "" : "echo " + command.begins + " >&2; ";
    if (const auto* envelope = std::get_if<Envelope>(&action)) {
        if (holds_nul(envelope->arm) || holds_nul(envelope->commands) ||
            holds_nul(envelope->undo) || holds_nul(envelope->read_back)) {
            return fail(Code::invalid,
                        "a command of lease " + envelope->lease + " holds a NUL byte");
        }
        const std::string begin = say.empty() ? "" : say + "exec /bin/sh -s -- \"$1\"";
        command.line = envelope_line(command, begin);
        const std::vector<std::string> shell =
            begin.empty() ? std::vector<std::string>{"/bin/sh", "-s", "--", ""}
                          : std::vector<std::string>{"/bin/sh", "-c", begin, "sh", ""};
        command.argv.insert(command.argv.end(), shell.begin(), shell.end());
        command.input = render_envelope(*envelope, places);
        return command;
    }
    const Exec& exec = std::get<Exec>(action);
    if (exec.argv.empty() || exec.argv[0].empty()) {
        return fail(Code::invalid, "an action without a program");
    }
    for (const std::string& word : exec.argv) {
        if (word.find('\0') != std::string::npos) {
            return fail(Code::invalid, "an argument of " + exec.argv[0] + " holds a NUL byte");
        }
    }
    if (!say.empty()) {
        const std::array<std::string, 4> shell{"/bin/sh", "-c", say + "exec \"$@\"", "sh"};
        command.argv.insert(command.argv.end(), shell.begin(), shell.end());
    }
    command.argv.insert(command.argv.end(), exec.argv.begin(), exec.argv.end());
    command.input = exec.input;
    command.line = command_line(command.argv);
    if (command.line.size() > longest_line) {
        return fail(Code::invalid, "the arguments of " + exec.argv[0] +
                                       " are too long for one command line; use standard input");
    }
    return command;
}

Result<Reply> reply_of(const Action& action, const Connection& connection, Ended ended) {
    if (ended.entered != Entered::inside && (ended.status >= 0 || !ended.signal.empty())) {
        return kept_out(connection, ended);
    }
    if (connection.become == "sudo" && turned_away(ended, "sudo: ", sudo_refusals)) {
        return fail(Code::refused, sudo_hint(connection, ended.err), Effect::none);
    }
    if (connection.become == "doas" && turned_away(ended, "doas: ", doas_refusals)) {
        return fail(Code::refused, doas_hint(connection, ended.err), Effect::none);
    }
    if (const auto* envelope = std::get_if<Envelope>(&action)) {
        // Its last line is the proof, whatever became of the shell or the connection after it.
        return parse_envelope(*envelope, ended.out, ended.err, ended.truncated);
    }
    const std::string program = std::get<Exec>(action).argv[0];
    if (!ended.signal.empty()) {
        return fail(Code::rejected,
                    program + " was ended by signal " + escape_control(ended.signal, Lines::one),
                    Effect::unknown);
    }
    if (ended.status < 0) {
        return fail(Code::unreachable, "the connection ended without an exit status of " + program,
                    Effect::unknown);
    }
    Reply reply;
    reply.status = ended.status;
    reply.out = std::move(ended.out);
    reply.err = std::move(ended.err);
    reply.truncated = ended.truncated;
    return reply;
}

}  // namespace drill
