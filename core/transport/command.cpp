// Actions to command lines, and program ends to replies.
// Must not: run anything, or guess an exit status. Read next: transport/command.hpp.
#include "transport/command.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <variant>

namespace drill {

namespace {

// execve refuses a single argument of 128 KiB (MAX_ARG_STRLEN), NUL included.
constexpr std::size_t longest_line = 128U * 1024U - 1U;

/// What sudo 1.9 says, under LC_ALL=C, when it does not even start the program.
constexpr std::array<std::string_view, 6> refusals{
    "a password is required", "is not in the sudoers file", "is not allowed to execute",
    "may not run sudo",       "a terminal is required",     "you must have a tty to run sudo",
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

std::string sudo_hint(const Connection& connection, std::string_view said) {
    return "sudo -n is not allowed for " + connection.user + " on " + connection.host + " (" +
           escape_control(trim(said), Lines::one) + "); a line like `" + connection.user +
           " ALL=(root) NOPASSWD: ALL` in /etc/sudoers.d/drill there allows it";
}

bool sudo_refused(const Connection& connection, const Ended& ended) {
    if (connection.become != "sudo" || ended.status != 1 || !ended.out.empty()) { return false; }
    if (ended.err.find("sudo: ") == std::string::npos &&
        ended.err.find("Sorry, user ") == std::string::npos) {
        return false;
    }
    // A program that was started could say one of these too, but then hardly as its only words.
    if (std::count(ended.err.begin(), ended.err.end(), '\n') > 4) { return false; }
    return std::any_of(refusals.begin(), refusals.end(), [&](std::string_view refusal) {
        return ended.err.find(refusal) != std::string::npos;
    });
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
    if (!connection.become.empty() && connection.become != "sudo") {
        return fail(Code::invalid, "become is \"sudo\" or \"\", not \"" + connection.become + "\"");
    }
    const bool sudo = connection.become == "sudo";
    Command command;
    if (sudo) { command.argv = {"env", "LC_ALL=C", "sudo", "-n", "--"}; }
    if (const auto* envelope = std::get_if<Envelope>(&action)) {
        if (holds_nul(envelope->arm) || holds_nul(envelope->commands) ||
            holds_nul(envelope->undo) || holds_nul(envelope->read_back)) {
            return fail(Code::invalid,
                        "a command of lease " + envelope->lease + " holds a NUL byte");
        }
        const std::array<std::string, 4> shell{"/bin/sh", "-s", "--", ""};
        command.argv.insert(command.argv.end(), shell.begin(), shell.end());
        command.input = render_envelope(*envelope, places);
        // The variable is expanded by a POSIX shell before sudo takes the environment away.
        command.line = sudo ? "exec /bin/sh -c 'exec env LC_ALL=C sudo -n -- /bin/sh -s --"
                              " \"$SSH_CONNECTION\"'"
                            : "exec /bin/sh -c 'exec /bin/sh -s -- \"$SSH_CONNECTION\"'";
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
    if (sudo_refused(connection, ended)) {
        return fail(Code::refused, sudo_hint(connection, ended.err), Effect::none);
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
