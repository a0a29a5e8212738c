// Property: random bytes reach a program unchanged through real shells, both by shell_quote and by
// the command line for sshd. Prints its seed. Read next: transport/command.hpp, base/text.hpp.
#include "base/ids.hpp"
#include "base/random.hpp"
#include "base/text.hpp"
#include "transport/clock.hpp"
#include "transport/command.hpp"
#include "transport/local.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

using namespace drill;
using namespace std::chrono_literals;

namespace {

std::uint64_t seed() {
    // DRILL_SEED=<number> test_transport -tc='*unchanged*' replays a failure.
    const char* given = std::getenv("DRILL_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : random_seed();
}

std::string random_word(Random& random) {
    constexpr std::string_view nasty = "'\"\\`$!*?[]{}()<>|&;#~^%=- \t\n\r\x1b\x7f\x80\xff";
    std::string word;
    const std::uint64_t size = random.below(14);
    for (std::uint64_t i = 0; i < size; ++i) {
        word += random.chance(600) ? nasty[random.below(nasty.size())]
                                   : static_cast<char>(1 + random.below(255));
    }
    return word;
}

}  // namespace

TEST_CASE("random byte strings come back unchanged from dash, bash and busybox sh") {
    const std::uint64_t used = seed();
    MESSAGE("DRILL_SEED=" << used);
    Random random(used);
    const auto local = make_local(Connection{.host = "here", .transport = "local"});
    const std::vector<std::vector<std::string>> shells{
        {"/bin/dash", "-c"}, {"/bin/bash", "-c"}, {"/bin/busybox", "sh", "-c"}};
    for (int batch = 0; batch < 80; ++batch) {
        std::vector<std::string> argv{"printf", "%s\\0"};
        std::string expected;
        for (int i = 0; i < 250; ++i) {
            argv.push_back(random_word(random));
            expected += argv.back() + '\0';
        }
        for (const auto& shell : shells) {
            for (const std::string& line : {shell_join(argv), command_line(argv)}) {
                Exec exec{.argv = shell};
                exec.argv.push_back(line);
                const auto reply = local->perform(exec, boot_now() + 20s, {});
                REQUIRE_MESSAGE(reply, reply.error().message);
                REQUIRE(reply->status == 0);
                REQUIRE((reply->out == expected));
            }
        }
    }
}
