// Names of enumerators as they stand in output, SQL and JSON, and the judgement of read_back.
#include "model/change.hpp"
#include "model/ground.hpp"
#include "model/lease.hpp"
#include "model/outcome.hpp"

#include <algorithm>

namespace drill {

const char* name_of(Ending ending) noexcept {
    switch (ending) {
        case Ending::instant: return "instant";
        case Ending::kernel: return "kernel";
        case Ending::holder: return "holder";
        case Ending::watcher: return "watcher";
        case Ending::durable: return "durable";
        case Ending::off_target: return "off-target";
    }
    return "watcher";
}

const char* name_of(Concern concern) noexcept {
    switch (concern) {
        case Concern::good: return "good";
        case Concern::note: return "note";
        case Concern::doubt: return "doubt";
        case Concern::trouble: return "trouble";
    }
    return "doubt";
}

const char* name_of(Possible possible) noexcept {
    switch (possible) {
        case Possible::yes: return "yes";
        case Possible::unsure: return "unsure";
        case Possible::no: return "no";
    }
    return "unsure";
}

const char* name_of(Presence presence) noexcept {
    switch (presence) {
        case Presence::absent: return "absent";
        case Presence::bites: return "bites";
        case Presence::idle: return "idle";
        case Presence::altered: return "altered";
        case Presence::unclear: return "unclear";
    }
    return "unclear";
}

const char* name_of(LeaseState state) noexcept {
    switch (state) {
        case LeaseState::intended: return "intended";
        case LeaseState::armed: return "armed";
        case LeaseState::held: return "held";
        case LeaseState::releasing: return "releasing";
        case LeaseState::released: return "released";
        case LeaseState::stuck: return "stuck";
        case LeaseState::closed: return "closed";
    }
    return "stuck";
}

const char* name_of(Took took) noexcept {
    switch (took) {
        case Took::not_begun: return "not begun";
        case Took::refused: return "refused";
        case Took::apply_failed: return "apply failed";
        case Took::unanswered: return "unanswered";
        case Took::no_bite: return "no bite";
        case Took::bit: return "bit";
    }
    return "not begun";
}

const char* name_of(Verdict verdict) noexcept {
    switch (verdict) {
        case Verdict::passed: return "PASSED";
        case Verdict::failed: return "FAILED";
        case Verdict::usage: return "USAGE";
        case Verdict::refused: return "REFUSED";
        case Verdict::halted: return "HALTED";
        case Verdict::invalid: return "INVALID";
        case Verdict::dirty: return "DIRTY";
        case Verdict::rehearsed: return "REHEARSED";
    }
    return "INVALID";
}

const char* name_of(Integrity integrity) noexcept {
    switch (integrity) {
        case Integrity::not_applicable: return "not applicable";
        case Integrity::checked: return "checked";
        case Integrity::broken: return "broken";
        case Integrity::not_checked: return "not checked";
    }
    return "not checked";
}

Presence presence_of(const std::vector<CommandReply>& parts, std::size_t from) {
    if (from >= parts.size()) { return Presence::unclear; }  // nothing was asked: not known
    bool unclear = false;
    bool altered = false;
    bool bites = false;
    bool idle = false;
    for (std::size_t i = from; i < parts.size(); ++i) {
        switch (parts[i].status) {
            case 0: break;
            case 10: bites = true; break;
            case 11: idle = true; break;
            case 12: altered = true; break;
            default: unclear = true; break;
        }
    }
    if (unclear) { return Presence::unclear; }
    if (altered) { return Presence::altered; }
    if (bites) { return Presence::bites; }
    return idle ? Presence::idle : Presence::absent;
}

}  // namespace drill
