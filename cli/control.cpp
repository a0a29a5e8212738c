// See control.hpp.
#include "cli/control.hpp"

#include "base/text.hpp"
#include "ledger/inbox.hpp"

#include <algorithm>
#include <set>

namespace drill::cli {

namespace {

std::string text_of(const std::map<std::string, std::string>& texts, const char* name) {
    const auto found = texts.find(name);
    return found == texts.end() ? "" : found->second;
}

std::string letter_of(const Event& event) {
    const auto found = event.data.find("letter");
    const auto* id = found == event.data.end() ? nullptr : std::get_if<std::string>(&found->second);
    return id == nullptr ? "" : *id;
}

}  // namespace

std::string event_words(const Event& event) {
    const std::string by = text_of(event.personal, "by");
    if (by.empty()) { return event.message; }
    std::string text = event.message + " by " + by;
    for (const char* name : {"reason", "text"}) {
        if (const std::string said = text_of(event.personal, name); !said.empty()) {
            text += ": " + said;
        }
    }
    return text;
}

std::string event_line(const Event& event) {
    return clock_time(event.at.wall) + "  " + event_words(event);
}

bool is_quiet(const Event& event) {
    static const std::set<std::string> quiet{"probe.samples", "run.started", "run.judged",
                                             "lease.released"};
    return event.message.empty() || quiet.contains(event.type) || event.type.starts_with("ledger.");
}

std::optional<WriterId> live_writer(const std::string& state) {
    const auto holder = lock_holder(state);
    if (!holder || !*holder || !is_alive(**holder)) { return std::nullopt; }
    return **holder;
}

Result<RunRow> find_run(const LedgerReader& reader, const std::string& state,
                        const std::string& key) {
    if (!key.empty()) { return reader.run(key); }
    if (const auto writer = live_writer(state); writer && !writer->run.empty()) {
        if (auto row = reader.run(writer->run)) { return row; }
    }
    DRILL_TRY(std::vector<RunRow> last, reader.runs(1));
    if (last.empty()) {
        return fail(Code::not_found, "there is no run in the ledger " + reader.path() + " yet");
    }
    return std::move(last.front());
}

Result<std::vector<Event>> Follower::news() {
    DRILL_TRY(std::vector<EventRow> rows, reader_.events(run_, after_));
    std::vector<Event> events;
    events.reserve(rows.size());
    for (EventRow& row : rows) {
        after_ = row.seq;
        events.push_back(std::move(row.event));
    }
    return events;
}

Status Follower::skip() {
    DRILL_TRY(const std::vector<Event> passed, news());
    static_cast<void>(passed);
    return ok();
}

Status file_letters(const std::string& state, const LedgerReader& reader, SqliteLedger& ledger,
                    const Instant& now) {
    const std::string run = ledger.run_id();
    DRILL_TRY(const std::vector<Letter> letters, read_letters(state, run));
    if (!letters.empty()) {
        DRILL_TRY(const std::vector<EventRow> rows, reader.events(ledger.number()));
        std::set<std::string> known;
        for (const EventRow& row : rows) { known.insert(letter_of(row.event)); }
        std::vector<Event> events;
        for (const Letter& letter : letters) {
            if (letter.verb != "note" || known.contains(letter.id)) { continue; }
            Event event{};
            event.at = now;
            event.type = "run.noted";
            event.message = "note";
            event.data = {{"letter", letter.id}};
            event.personal = {{"by", letter.by}, {"text", letter.text}};
            events.push_back(std::move(event));
        }
        if (!events.empty()) { DRILL_CHECK(ledger.commit(events, {})); }
        for (const Letter& letter : letters) { remove_letter(state, run, letter.id); }
    }
    close_inbox(state, run);
    return ok();
}

}  // namespace drill::cli
