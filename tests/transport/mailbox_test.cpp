// The real mailbox. Read next: transport/mailbox.hpp.
#include "transport/mailbox.hpp"

#include "transport/clock.hpp"

#include <doctest/doctest.h>

#include <thread>

using namespace drill;
using namespace std::chrono_literals;

namespace {
News answer(std::uint64_t id) { return Answered{.order = id, .reply = Reply{}}; }
}  // namespace

TEST_CASE("an empty mailbox gives nothing at the time asked for") {
    ThreadMailbox mailbox;
    const Nanos until = boot_now() + 10ms;
    CHECK(mailbox.take(until).empty());
    CHECK(boot_now() >= until);
}

TEST_CASE("news comes out once, in the order of its posting") {
    ThreadMailbox mailbox;
    for (std::uint64_t i = 0; i < 5; ++i) { mailbox.post(answer(i)); }
    const auto news = mailbox.take(boot_now() + 1h);
    REQUIRE(news.size() == 5);
    for (std::uint64_t i = 0; i < 5; ++i) { CHECK(std::get<Answered>(news[i]).order == i); }
    CHECK(mailbox.take(boot_now()).empty());
}

TEST_CASE("a post from another thread wakes a take without a time") {
    ThreadMailbox mailbox;
    std::jthread poster([&] { mailbox.post(StopAsked{.reason = "SIGINT"}); });
    const auto news = mailbox.take({});
    REQUIRE(news.size() == 1);
    CHECK(std::get<StopAsked>(news[0]).reason == "SIGINT");
}

TEST_CASE("many posters lose nothing") {
    ThreadMailbox mailbox;
    constexpr std::size_t each = 2000;
    std::size_t got = 0;
    {
        std::vector<std::jthread> posters;
        for (int t = 0; t < 4; ++t) {
            posters.emplace_back([&] {
                for (std::uint64_t i = 0; i < each; ++i) { mailbox.post(answer(i)); }
            });
        }
        while (got < 4 * each) { got += mailbox.take({}).size(); }
    }
    CHECK(got == 4 * each);
    CHECK(mailbox.take(boot_now()).empty());
}

TEST_CASE("samples beyond the bound are dropped and counted, answers are kept") {
    ThreadMailbox mailbox;
    for (std::size_t i = 0; i < ThreadMailbox::most_samples + 3; ++i) { mailbox.post(Sampled{}); }
    mailbox.post(answer(9));
    CHECK(mailbox.dropped() == 3);
    const auto news = mailbox.take({});
    CHECK(news.size() == ThreadMailbox::most_samples + 1);
    CHECK(std::holds_alternative<Answered>(news.back()));
    mailbox.post(Sampled{});
    CHECK(mailbox.take({}).size() == 1);
}
