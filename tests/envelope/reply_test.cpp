// How the answer of a script is read: what is data, what is ours, and when nothing is known.
#include <doctest/doctest.h>

#include "transport/envelope.hpp"

using namespace drill;

namespace {

Envelope asked(std::size_t commands) {
    Envelope envelope;
    envelope.nonce = "abc";
    envelope.commands.resize(commands);
    return envelope;
}

const std::string good =
    "login banner\ndrill:abc:begin\none\n\ndrill:abc:cmd:1:0\ntwo\ndrill:abc:cmd:2:7\n"
    "\ndrill:abc:end:0:boot-1:12345\n";

}  // namespace

TEST_CASE("an answer is split into its commands, and what came before is dropped") {
    const auto reply = parse_envelope(asked(2), good, "noise", false);
    REQUIRE(reply);
    REQUIRE(reply->parts.size() == 2);
    CHECK(reply->parts[0] == CommandReply{0, "one\n", ""});
    CHECK(reply->parts[1] == CommandReply{7, "two", ""});
    CHECK(reply->status == 0);
    CHECK(reply->boot_id == "boot-1");
    CHECK(reply->uptime == std::chrono::milliseconds{123'450});
    CHECK(reply->err == "noise");
}

TEST_CASE("an answer that is cut off anywhere is an unknown effect") {
    for (std::size_t length = 0; length < good.size(); ++length) {
        const auto reply = parse_envelope(asked(2), good.substr(0, length), "", false);
        REQUIRE_FALSE(reply);
        CHECK(reply.error().effect == Effect::unknown);
    }
}

TEST_CASE("an answer with fewer or more commands than were sent is an unknown effect") {
    for (const std::size_t commands : {0U, 1U, 3U}) {
        const auto reply = parse_envelope(asked(commands), good, "", false);
        REQUIRE_FALSE(reply);
        CHECK(reply.error().effect == Effect::unknown);
    }
}

TEST_CASE("a refused apply has no commands") {
    Envelope envelope = asked(2);
    envelope.phase = Phase::apply;
    const auto reply =
        parse_envelope(envelope, "drill:abc:begin\n\ndrill:abc:end:35:b:1\n", "", false);
    REQUIRE(reply);
    CHECK(reply->status == EnvelopeStatus::denied);
}

TEST_CASE("an undo tells where reading back begins") {
    Envelope envelope = asked(0);
    envelope.phase = Phase::undo;
    envelope.undo.resize(1);
    envelope.read_back.resize(1);
    const auto reply = parse_envelope(envelope, good, "", false);
    REQUIRE(reply);
    CHECK(reply->read_back_from == 1);
}

TEST_CASE("damaged lines of ours are an unknown effect") {
    for (const char* text :
         {"drill:abc:end:0:b\n", "drill:abc:end:x:b:1\n", "drill:abc:end:0:b:-1\n",
          "drill:abc:end:0:b:1:odd\n", "drill:abc:end:999:b:1\n", "drill:abc:cmd:2:0\n",
          "drill:abc:cmd:1:\n", "drill:abc:what\n", "drill:abc:end:0:b:99999999999999999999\n"}) {
        INFO(text);
        const auto reply =
            parse_envelope(asked(0), std::string(text) + "drill:abc:end:0:b:1\n", "", false);
        REQUIRE_FALSE(reply);
        CHECK(reply.error().effect == Effect::unknown);
    }
}

TEST_CASE("a lost answer tells what the target said instead, without control bytes") {
    const auto reply = parse_envelope(asked(1), "", "sudo: a password \x1b[31mis required\n", true);
    REQUIRE_FALSE(reply);
    CHECK(reply.error().message.find("a password \\x1b[31mis required") != std::string::npos);
    CHECK(reply.error().message.find("longer than what is kept") != std::string::npos);
}

TEST_CASE("what a sweep printed becomes leases, tables and units") {
    const auto found = parse_sweep(
        "lease=aaaaaaaaaaaa\ndirectory=/run/drill/aaaaaaaaaaaa\nkind=net-partition\n"
        "label=a=b\nboot_id=boot-1\nanswer=done 0 0\ntombstone=yes\nguard=1 ended no 100\n"
        "guard=2 fired yes 250\nodd line\nlease=bbbbbbbbbbbb\nanswer=pending\n"
        "table=inet drill_aaaaaaaaaaaa\ntable=netdev drill_cccccccccccc\n"
        "unit=drill-bbbbbbbbbbbb-1.service\n");
    REQUIRE(found.size() == 3);
    CHECK(found[0].kind == "net-partition");
    CHECK(found[0].label == "a=b");
    CHECK(found[0].applied);
    CHECK(found[0].tombstone);
    CHECK(found[0].fired);
    CHECK(found[0].guard_alive);
    CHECK(found[0].deadline == Nanos{2'500'000'000});
    CHECK(found[0].tables == std::vector<std::string>{"inet drill_aaaaaaaaaaaa"});
    CHECK_FALSE(found[1].applied);
    CHECK(found[1].units == std::vector<std::string>{"drill-bbbbbbbbbbbb-1.service"});
    CHECK(found[2].lease == "cccccccccccc");
    CHECK(found[2].directory.empty());
}
