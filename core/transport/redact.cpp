// Secrets in memory and the ban on core files.
// Must not: log. Read next: transport/redact.hpp.
#include "transport/redact.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstring>
#include <ostream>

namespace drill {

namespace {

void zero(std::string& text) noexcept {
    // resize cannot allocate here: it only grows to the capacity that is there. Bytes beyond
    // size() may still hold an older, longer value.
    text.resize(text.capacity());
    ::explicit_bzero(text.data(), text.size());
    text.clear();
}

}  // namespace

Secret::Secret(std::string_view text) : text_(text) {}

Secret::Secret(std::string&& text) : text_(text) { zero(text); }

// Moving a std::string leaves short texts behind in the source, hence copy and zero.
Secret::Secret(Secret&& other) noexcept {
    text_ = other.text_;
    other.wipe();
}

Secret& Secret::operator=(Secret&& other) noexcept {
    if (this != &other) {
        wipe();
        text_ = other.text_;
        other.wipe();
    }
    return *this;
}

Secret::~Secret() { wipe(); }

void Secret::wipe() noexcept { zero(text_); }

std::ostream& operator<<(std::ostream& out, const Secret&) { return out << "***"; }

std::string to_string(const Secret&) { return "***"; }

Status forbid_core_dumps() {
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || ::setrlimit(RLIMIT_CORE, &none) != 0) {
        return fail(Code::internal,
                    std::string("core dumps cannot be forbidden: ") + std::strerror(errno));
    }
    return ok();
}

}  // namespace drill
