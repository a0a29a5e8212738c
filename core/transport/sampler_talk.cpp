// See sampler_talk.hpp.
#include "transport/sampler_talk.hpp"

#include <sys/epoll.h>

#include <cerrno>
#include <utility>

namespace drill::sampling {

void TalkAsker::begin(std::uint64_t token, std::unique_ptr<Talk> talk, Ends& ends) {
    Held& held = open_[token];
    held.talk = std::move(talk);
    advance(token, held, ends);
}

void TalkAsker::ready(std::uint64_t token, Ends& ends) {
    const auto found = open_.find(token);
    if (found != open_.end()) { advance(token, found->second, ends); }
}

void TalkAsker::advance(std::uint64_t token, Held& held, Ends& ends) {
    Talk::Want want;
    std::optional<Answer> answer = held.talk->advance(want);
    if (!answer && watch(token, held, want)) { return; }
    if (!answer) { answer = failed_with(ENOMEM); }  // nobody can wait for it
    ends.push_back({token, *std::move(answer), clock_.now().boot});
    open_.erase(token);
}

bool TalkAsker::watch(std::uint64_t token, Held& held, const Talk::Want& want) {
    epoll_event event{};
    event.events = want.events | EPOLLONESHOT;
    event.data.u64 = mark(Source::talk, token);
    // A socket that was closed has left the set by itself, and its number may be in use again.
    const bool known = held.watched == want.fd && !want.fresh;
    held.watched = want.fd;
    if (known && ::epoll_ctl(epoll_, EPOLL_CTL_MOD, want.fd, &event) == 0) { return true; }
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, want.fd, &event) == 0) { return true; }
    return errno == EEXIST && ::epoll_ctl(epoll_, EPOLL_CTL_MOD, want.fd, &event) == 0;
}

}  // namespace drill::sampling
