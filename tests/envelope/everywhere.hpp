// Runs one claim under every shell side by side, each on a target of its own.
// Must not: assert in the threads (doctest's context belongs to one); they return what is wrong.
#pragma once

#include "envelope/real_target.hpp"

#include <doctest/doctest.h>
#include <thread>

namespace drill {

/// `claim(RealTarget&)` returns "" or what is wrong; all of it is checked at the end.
template <class Claim>
void everywhere(Claim claim) {
    std::vector<std::string> said(std::size(shells));
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < std::size(shells); ++i) {
        threads.emplace_back([&, i] {
            RealTarget target(shells[i]);
            said[i] = claim(target);
        });
    }
    threads.clear();
    for (std::size_t i = 0; i < std::size(shells); ++i) {
        INFO(shells[i]);
        CHECK(said[i] == "");
    }
}

/// An envelope of one lease with the target's effect in it.
struct Drill {
    explicit Drill(RealTarget& target)
        : boot_id(target.boot_id()), not_after(target.uptime() + std::chrono::seconds{60}) {}

    [[nodiscard]] Envelope envelope(const RealTarget& target, Phase phase) const {
        Envelope made;
        made.phase = phase;
        made.lease = lease;
        made.nonce = random_id(nonce_length);
        made.kind = "test-kind";
        made.label = "run 1 by nobody";
        made.boot_id = boot_id;
        made.not_after = not_after;
        made.ttl = ttl;
        made.undo = undo.empty() ? std::vector<Exec>{target.lift()} : undo;
        made.read_back = {target.look()};
        if (phase == Phase::apply) { made.commands = {target.effect()}; }
        if (phase == Phase::read_back) { made.commands = {target.look()}; }
        return made;
    }
    /// The status of a call, or -1 when its answer is not whole.
    int call(RealTarget& target, Phase phase) const {
        const auto reply = target.call(envelope(target, phase));
        return reply ? reply->status : -1;
    }
    [[nodiscard]] std::string directory(const RealTarget& target) const {
        return lease_directory(lease, false, target.places);
    }

    std::string lease{random_id(lease_id_length)};
    std::string boot_id;
    Nanos not_after{0};
    Nanos ttl{std::chrono::seconds{30}};
    std::vector<Exec> undo;
};

}  // namespace drill

/// For claims: returns what is wrong from the function it stands in.
#define DRILL_EXPECT(condition)                                          \
    do {                                                                 \
        if (!(condition)) { return std::string("not so: " #condition); } \
    } while (false)
