// See inbox_watch.hpp.
#include "cli/inbox_watch.hpp"

#include "ledger/inbox.hpp"

#include <chrono>
#include <set>

namespace drill::cli {

namespace {
// Looked at, not watched by inotify: that has limits of its own, and nobody feels a tenth of a
// second.
constexpr std::chrono::milliseconds look_every{100};
}  // namespace

InboxWatch::InboxWatch(std::string state, std::string run, Mailbox& mailbox)
    : state_(std::move(state)), run_(std::move(run)), mailbox_(mailbox) {
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

InboxWatch::~InboxWatch() {
    thread_.request_stop();
    thread_.join();
}

void InboxWatch::serve(const std::stop_token& stop) {
    std::set<std::string> posted;  // a letter stays until it is answered
    while (!stop.stop_requested()) {
        if (const auto letters = read_letters(state_, run_)) {
            for (const Letter& letter : *letters) {
                if (!posted.insert(letter.id).second) { continue; }
                if (letter.verb == "halt") {
                    mailbox_.post(StopAsked{.reason = "halted from elsewhere",
                                            .letter = letter.id,
                                            .by = letter.by,
                                            .text = letter.text});
                } else if (letter.verb == "note") {
                    mailbox_.post(Noted{.letter = letter.id, .by = letter.by, .text = letter.text});
                }
            }
        }
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, stop, look_every, [] { return false; });
    }
}

void InboxWatch::shown(const Event& event) const {
    const auto found = event.data.find("letter");
    if (found == event.data.end()) { return; }
    if (const auto* id = std::get_if<std::string>(&found->second)) {
        remove_letter(state_, run_, *id);
    }
}

}  // namespace drill::cli
