// Texts for Error. See result.hpp.
#include "base/result.hpp"

namespace drill {

std::string Error::text() const {
    std::string out;
    for (auto place = trail.rbegin(); place != trail.rend(); ++place) {
        out += *place;
        out += ": ";
    }
    return out + message;
}

Error fail(Code code, std::string message, Effect effect) {
    return Error{.code = code, .effect = effect, .message = std::move(message), .trail = {}};
}

const char* name_of(Code code) noexcept {
    switch (code) {
        case Code::invalid: return "invalid";
        case Code::refused: return "refused";
        case Code::unreachable: return "unreachable";
        case Code::auth_failed: return "auth_failed";
        case Code::host_key: return "host_key";
        case Code::timed_out: return "timed_out";
        case Code::cancelled: return "cancelled";
        case Code::rejected: return "rejected";
        case Code::busy: return "busy";
        case Code::no_space: return "no_space";
        case Code::newer: return "newer";
        case Code::not_found: return "not_found";
        case Code::internal: return "internal";
    }
    return "internal";
}

const char* name_of(Effect effect) noexcept {
    switch (effect) {
        case Effect::none: return "none";
        case Effect::done: return "done";
        case Effect::unknown: return "unknown";
    }
    return "unknown";
}

}  // namespace drill
