// How one program gets its standard input when sudo may ask for a password first. sudo prints a
// mark of ours where it asks, and the program prints another one when it begins; what comes on
// standard error decides what is written next, so that neither the program ever reads the password
// nor sudo the program's input. Without a password it is the input alone. No I/O.
// Must not: answer twice. Read next: transport/passwords.hpp, transport/command.hpp.
#pragma once

#include "transport/command.hpp"
#include "transport/passwords.hpp"

#include <string>
#include <string_view>

namespace drill {

class Entry {
public:
    /// Waits for its turn where the command has a password. `command` must outlive it.
    [[nodiscard]] static Result<Entry> begin(const Command& command, const Connection& connection,
                                             Passwords& passwords, Wait& wait);
    /// The parts, for tests.
    Entry(const Command& command, Passwords::Turn turn);

    /// After each read: looks for the marks and takes them, and what sudo said before, out.
    void heard(std::string& err);
    /// What can be written now. Empty: nothing for now, or, when at_end(), nothing any more.
    [[nodiscard]] std::string_view to_send() const;
    void sent(std::size_t bytes) { sent_ += bytes; }
    /// Everything is written, or will not be: standard input is to be closed.
    [[nodiscard]] bool at_end() const;
    /// The other side reads no more.
    void give_up() { given_up_ = true; }
    [[nodiscard]] Entered state() const noexcept { return state_; }

private:
    const Command* command_;
    Passwords::Turn turn_;
    Entered state_{Entered::inside};
    std::size_t sent_{0};
    bool given_up_{false};
};

}  // namespace drill
