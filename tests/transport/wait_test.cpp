// Clock and bounded waiting. Must not: assert on absolute times. Read next: transport/wait.hpp.
#include "transport/wait.hpp"

#include "transport/clock.hpp"

#include <doctest/doctest.h>

#include <array>
#include <thread>

using namespace drill;
using namespace std::chrono_literals;

TEST_CASE("the boot clock goes forward and counts at least as much as the wait asked for") {
    const Nanos before = boot_now();
    Wait wait(before + 20ms, {});
    CHECK(wait.wait({}) == Woken::deadline);
    CHECK(boot_now() >= before + 20ms);
}

TEST_CASE("the wall clock of the system clock is in this century") {
    SystemClock clock;
    CHECK(clock.now().wall > Wall{std::chrono::hours{24 * 365 * 50}});
}

TEST_CASE("the boot id of the controller looks like one") {
    CHECK(controller_boot_id().size() == 36);
}

TEST_CASE("a stop from another thread wakes a wait without a near deadline") {
    std::stop_source stop;
    Wait wait(boot_now() + 1h, stop.get_token());
    std::jthread other([&] { stop.request_stop(); });
    CHECK(wait.wait({}) == Woken::stopped);
}

TEST_CASE("a stop that came before the wait ends it at once") {
    std::stop_source stop;
    stop.request_stop();
    Wait wait(boot_now() + 1h, stop.get_token());
    CHECK(wait.wait({}) == Woken::stopped);
    CHECK(wait.check() == Woken::stopped);
}

TEST_CASE("a ready descriptor wins over a time that has passed") {
    const Fd event = make_event();
    raise_event(event.get());
    Wait wait(boot_now() - 1s, {});
    std::array<pollfd, 1> fds{{{event.get(), POLLIN, 0}}};
    CHECK(wait.wait(fds) == Woken::ready);
    CHECK((fds[0].revents & POLLIN) != 0);
}

TEST_CASE("an earlier time ends a wait without being the deadline") {
    Wait wait(boot_now() + 1h, {});
    CHECK(wait.wait({}, boot_now() + 5ms) == Woken::until);
    CHECK(wait.wait({}, boot_now() - 5ms) == Woken::until);
}

TEST_CASE("the error of an ended wait says what was going on and keeps the effect") {
    const Error error = ended(Woken::deadline, "a command ran", Effect::unknown);
    CHECK(error.code == Code::timed_out);
    CHECK(error.effect == Effect::unknown);
    CHECK(error.message == "deadline passed while a command ran");
    CHECK(ended(Woken::stopped, "x", Effect::none).code == Code::cancelled);
    CHECK(ended(Woken::broken, "x", Effect::none).code == Code::internal);
}
