// The real mailbox: a vector under a mutex, an eventfd to wake the reader.
// Must not: block a poster. Read next: transport/lanes.hpp, its busiest poster.
#include "transport/mailbox.hpp"

#include <array>
#include <variant>

namespace drill {

namespace {
// `take` without a time: a boot time that no controller reaches before its next restart.
constexpr Nanos longest_take = std::chrono::hours{24 * 3650};
}  // namespace

ThreadMailbox::ThreadMailbox() : event_(make_event()) {
    // Without it no answer could ever be seen, so nothing may be started.
    DRILL_ASSERT(event_.open());
}

void ThreadMailbox::post(News news) {
    {
        const std::lock_guard lock(mutex_);
        if (std::holds_alternative<Sampled>(news)) {
            if (samples_ >= most_samples) {
                ++dropped_;
                return;
            }
            ++samples_;
        }
        news_.push_back(std::move(news));
    }
    raise_event(event_.get());
}

std::vector<News> ThreadMailbox::grab() {
    const std::lock_guard lock(mutex_);
    clear_event(event_.get());
    samples_ = 0;
    return std::exchange(news_, {});
}

std::vector<News> ThreadMailbox::take(std::optional<Nanos> until) {
    Wait wait(until.value_or(longest_take), {});
    for (;;) {
        std::vector<News> taken = grab();
        if (!taken.empty()) { return taken; }
        std::array<pollfd, 1> fds{{{event_.get(), POLLIN, 0}}};
        const Woken woken = wait.wait(fds);
        if (woken != Woken::ready) { return grab(); }
    }
}

std::size_t ThreadMailbox::dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
}

}  // namespace drill
