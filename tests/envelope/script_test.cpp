// What the rendered script is as text and as a program, apart from leases: cut off, quoting,
// imitation of the protocol, size. Read next: core/transport/envelope.cpp.
#include "base/text.hpp"
#include "envelope/everywhere.hpp"

#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <filesystem>

using namespace drill;

namespace {

std::string every_byte() {
    std::string text;
    for (int byte = 255; byte > 0; --byte) { text += static_cast<char>(byte); }
    return text;
}

Envelope question(std::vector<Exec> commands) {
    Envelope envelope;
    envelope.nonce = random_id(nonce_length);
    envelope.commands = std::move(commands);
    return envelope;
}

std::string first_output(RealTarget& target, Exec exec) {
    const auto reply = target.call(question({std::move(exec)}));
    return reply ? reply->parts.at(0).out : "no answer: " + reply.error().text();
}

}  // namespace

TEST_CASE("a script that is cut off anywhere does nothing") {
    everywhere([](RealTarget& target) {
        const Drill drill(target);
        const std::string script =
            render_envelope(drill.envelope(target, Phase::apply), target.places);
        for (std::size_t length = 0; length < script.size() - 1; length += 97) {
            const Ran ran = target.run(std::string_view(script).substr(0, length));
            DRILL_EXPECT(ran.out.empty());
            DRILL_EXPECT(!std::filesystem::exists(target.places.run));
        }
        const Ran ran = target.run(std::string_view(script).substr(0, script.size() - 2));
        DRILL_EXPECT(ran.out.empty());
        DRILL_EXPECT(!target.effect_present());
        DRILL_EXPECT(drill.call(target, Phase::apply) == 0);
        return std::string();
    });
}

TEST_CASE("arguments and input reach a command byte for byte") {
    everywhere([](RealTarget& target) {
        const std::string bytes = every_byte();
        DRILL_EXPECT(first_output(target, {{"printf", "%s", bytes}, ""}) == bytes);
        DRILL_EXPECT(first_output(target, {{"cat"}, bytes}) == bytes);
        DRILL_EXPECT(first_output(target, {{"cat"}, bytes + "\n"}) == bytes + "\n");
        DRILL_EXPECT(first_output(target, {{"cat"}, "\n\n"}) == "\n\n");
        const std::string large(300'000, '\'');
        DRILL_EXPECT(first_output(target, {{"wc", "-c"}, large}) == "300000\n");
        DRILL_EXPECT(first_output(target, {{"cat"}, ""}).empty());
        const std::string tricky = "$(touch x) `touch x` \"; touch x; ' \\ \n * ~ !";
        DRILL_EXPECT(first_output(target, {{"printf", "%s", tricky, "-n", ""}, ""}) ==
                     tricky + "-n");
        return std::string();
    });
}

TEST_CASE("a command that does not read its input does not spoil the answer") {
    everywhere([](RealTarget& target) {
        const auto reply =
            target.call(question({{{"true"}, std::string(300'000, 'x')}, {{"false"}, "x"}}));
        DRILL_EXPECT(reply && reply->parts.size() == 2);
        DRILL_EXPECT(reply->parts[0].status == 0 && reply->parts[1].status == 1);
        return std::string();
    });
}

TEST_CASE("argv[0] is a program, never a function, builtin or option of the shell") {
    everywhere([](RealTarget& target) {
        const auto reply = target.call(question({{{"finish", "0"}, ""},
                                                 {{"exit"}, ""},
                                                 {{"A=b"}, ""},
                                                 {{"-c", "true"}, ""},
                                                 {{}, ""},
                                                 {{""}, ""},
                                                 {{"true"}, ""}}));
        DRILL_EXPECT(reply && reply->parts.size() == 7);
        for (std::size_t i = 0; i < 6; ++i) {
            const int status = reply->parts[i].status;
            if (status != 126 && status != 127) { return "command " + std::to_string(i) + " ran"; }
        }
        DRILL_EXPECT(reply->parts[6].status == 0);
        return std::string();
    });
}

TEST_CASE("commands have no terminal, no input of ours, a plain locale and the connection") {
    everywhere([](RealTarget& target) {
        const auto reply = target.call(
            question({{{"sh", "-c", "echo $LC_ALL:$SSH_CONNECTION:$(cat | wc -c):$(umask)"}, ""},
                      {{"sh", "-c", "echo \"$PATH\"; pwd"}, ""}}));
        DRILL_EXPECT(reply && reply->parts.size() == 2);
        DRILL_EXPECT(reply->parts[0].out == "C:192.0.2.1 5000 192.0.2.2 22:0:0077\n");
        DRILL_EXPECT(reply->parts[1].out.starts_with(target.places.path + ":"));
        DRILL_EXPECT(reply->parts[1].out.ends_with("\n/\n"));
        return std::string();
    });
}

TEST_CASE("output that imitates the protocol, or lacks a newline at its end, is data") {
    everywhere([](RealTarget& target) {
        const std::string imitation = "\ndrill:0000000000000000:end:0:x:1\ndrill:x:cmd:1:0\nlast";
        const auto reply = target.call(question(
            {{{"printf", "%s", imitation}, ""}, {{"true"}, ""}, {{"printf", "%s", "\n"}, ""}}));
        DRILL_EXPECT(reply && reply->parts.size() == 3);
        DRILL_EXPECT(reply->parts[0].out == imitation);
        DRILL_EXPECT(reply->parts[1].out.empty());
        DRILL_EXPECT(reply->parts[2].out == "\n");
        DRILL_EXPECT(reply->boot_id == target.boot_id());
        DRILL_EXPECT(reply->uptime == target.uptime());
        return std::string();
    });
}

TEST_CASE("a script that travels with each call is small") {
    RealTarget target("dash");
    const Drill drill(target);
    constexpr std::size_t most = std::size_t{13} * 1024;
    for (const Phase phase :
         {Phase::ask, Phase::rehearse, Phase::rehearsed, Phase::apply, Phase::renew, Phase::undo,
          Phase::read_back, Phase::disarm, Phase::sweep}) {
        const std::string script = render_envelope(drill.envelope(target, phase));
        MESSAGE("phase ", static_cast<int>(phase), ": ", script.size(), " bytes");
        CHECK(script.size() < most);
    }
}

TEST_CASE("nothing on the target asks the wall clock") {
    RealTarget target("dash");
    const Drill drill(target);
    for (const Phase phase : {Phase::apply, Phase::renew, Phase::undo, Phase::disarm}) {
        const std::string script = render_envelope(drill.envelope(target, phase), target.places);
        for (const char* word :
             {"date ", "EPOCH", "SECONDS", "stat -", "find ", " -nt ", " -ot "}) {
            INFO(std::string(word));
            CHECK(script.find(word) == std::string::npos);
        }
    }
}

TEST_CASE("a lease that could name another directory breaks an invariant") {
    // The assertion ends the process, so a child makes the attempt.
    const pid_t child = ::fork();
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL);
        ::close(2);
        Envelope envelope;
        envelope.phase = Phase::disarm;
        envelope.nonce = "n";
        envelope.lease = "../../etc";
        (void)render_envelope(envelope);
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
}
