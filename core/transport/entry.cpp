// See entry.hpp.
#include "transport/entry.hpp"

namespace drill {

Result<Entry> Entry::begin(const Command& command, const Connection& connection,
                           Passwords& passwords, Wait& wait) {
    if (command.asks.empty()) { return Entry(command, {}); }
    DRILL_TRY(Passwords::Turn turn, passwords.enter(connection, wait));
    return Entry(command, std::move(turn));
}

Entry::Entry(const Command& command, Passwords::Turn turn)
    : command_(&command),
      turn_(std::move(turn)),
      state_(command.asks.empty() ? Entered::inside : Entered::outside) {}

void Entry::heard(std::string& err) {
    if (state_ == Entered::inside || state_ == Entered::rejected) { return; }
    const std::string begun = command_->begins + "\n";
    if (const std::size_t at = err.find(begun); at != std::string::npos) {
        if (state_ == Entered::asked) { turn_.accepted(); }
        turn_.leave();  // not asked: sudo wants no password of this user, so nothing was tried
        err.erase(0, at + begun.size());
        state_ = Entered::inside;
        sent_ = 0;
        return;
    }
    while (state_ != Entered::rejected) {
        const std::size_t at = err.find(command_->asks);
        if (at == std::string::npos) { return; }
        err.erase(at, command_->asks.size());
        if (state_ == Entered::outside) {
            state_ = Entered::asked;
        } else {
            // Asked again: the password was wrong. It is not given a second time.
            state_ = Entered::rejected;
            turn_.rejected();
        }
    }
}

std::string_view Entry::to_send() const {
    if (given_up_) { return {}; }
    switch (state_) {
        case Entered::inside: return std::string_view(command_->input).substr(sent_);
        case Entered::asked: {
            const std::string_view password = turn_.reveal();
            if (sent_ < password.size()) { return password.substr(sent_); }
            return sent_ == password.size() ? std::string_view("\n") : std::string_view();
        }
        case Entered::outside:
        case Entered::rejected: return {};
    }
    return {};
}

bool Entry::at_end() const {
    if (given_up_ || state_ == Entered::rejected) { return true; }
    return state_ == Entered::inside && sent_ >= command_->input.size();
}

}  // namespace drill
