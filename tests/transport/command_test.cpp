// Actions to command lines, program ends to replies. Read next: transport/command.hpp.
#include "transport/command.hpp"

#include <doctest/doctest.h>

using namespace drill;

namespace {

const Connection plain{.host = "app-1", .address = "10.0.0.1", .user = "kim"};

Connection with_sudo() {
    Connection connection = plain;
    connection.become = "sudo";
    return connection;
}

const Exec list{.argv = {"ls", "-l", "/a b"}};

}  // namespace

TEST_CASE("a plain command becomes one quoted line") {
    const auto command = command_of(list, plain, {});
    REQUIRE(command);
    CHECK(command->argv == list.argv);
    CHECK(command->line == "exec ls -l '/a b'");
}

TEST_CASE("become puts sudo -n in front of everything") {
    const auto command = command_of(list, with_sudo(), {});
    REQUIRE(command);
    CHECK(command->line == "exec env LC_ALL=C sudo -n -- ls -l '/a b'");
}

TEST_CASE("doas is asked not to ask") {
    Connection connection = plain;
    connection.become = "doas";
    const auto command = command_of(list, connection, {});
    REQUIRE(command);
    CHECK(command->line == "exec env LC_ALL=C doas -n -- ls -l '/a b'");
    CHECK(command->asks.empty());
}

TEST_CASE("sudo with a password gets marks of its own in each command") {
    Connection connection = with_sudo();
    connection.become_password.file = "/secret";
    const auto first = command_of(list, connection, {});
    const auto second = command_of(list, connection, {});
    REQUIRE(first);
    REQUIRE(second);
    CHECK(first->asks != second->asks);
    CHECK(first->begins != second->begins);
    CHECK(first->line.find("sudo -S -k -p " + first->asks + " -- /bin/sh -c") != std::string::npos);
    CHECK(first->input.empty());
}

TEST_CASE("words that csh or fish read differently travel as octal digits") {
    const std::string line = command_line({"echo", "it's\n!\\ \x80"});
    for (const char c : line) { CHECK((c >= ' ' && c <= '~' && c != '!')); }
    CHECK(line.starts_with("exec /bin/sh -c 'eval \"$(printf %b \"$1\")\"' sh '"));
    // Nothing between the outer quotes of the last word ends or escapes them early.
    const std::string last = line.substr(line.find(" sh '") + 5);
    CHECK(last.find('\'') == last.size() - 1);
    CHECK(last.find("\\\\") == std::string::npos);
}

TEST_CASE("an action without a program or with a NUL is refused before anything is sent") {
    for (const Exec& exec :
         {Exec{}, Exec{.argv = {""}}, Exec{.argv = {"echo", std::string("a\0b", 3)}}}) {
        const auto command = command_of(exec, plain, {});
        REQUIRE(!command);
        CHECK(command.error().code == Code::invalid);
        CHECK(command.error().effect == Effect::none);
    }
    const Envelope envelope{.nonce = "n", .commands = {Exec{.argv = {std::string(1, '\0')}}}};
    CHECK(command_of(envelope, plain, {}).error().code == Code::invalid);
}

TEST_CASE("arguments that no exec could take are refused before anything is sent") {
    const auto command = command_of(Exec{.argv = {"echo", std::string(140'000, 'a')}}, plain, {});
    REQUIRE(!command);
    CHECK(command.error().code == Code::invalid);
}

TEST_CASE("an unknown become is refused") {
    Connection odd = plain;
    odd.become = "su";
    CHECK(command_of(list, odd, {}).error().code == Code::invalid);
}

TEST_CASE("a sudo that wants a password is a refusal without effect and says what to do") {
    const auto reply =
        reply_of(list, with_sudo(), Ended{.status = 1, .err = "sudo: a password is required\n"});
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::refused);
    CHECK(reply.error().effect == Effect::none);
    CHECK(reply.error().message.find("sudo -n is not allowed for kim on app-1") == 0);
    CHECK(reply.error().message.find("NOPASSWD") != std::string::npos);
    CHECK(reply.error().message.find("drill doctor app-1 --sudoers") != std::string::npos);
}

TEST_CASE("a doas that wants a password is a refusal without effect and says what to do") {
    Connection connection = plain;
    connection.become = "doas";
    for (const char* said : {"doas: Authentication required\n", "doas: Operation not permitted\n",
                             "doas: doas is not enabled, /etc/doas.conf: No such file\n"}) {
        const auto reply = reply_of(list, connection, Ended{.status = 1, .err = said});
        REQUIRE(!reply);
        CHECK(reply.error().code == Code::refused);
        CHECK(reply.error().effect == Effect::none);
        CHECK(reply.error().message.find("permit nopass kim as root") != std::string::npos);
    }
}

TEST_CASE("a program that never began is no success whatever the status") {
    const auto reply = reply_of(list, with_sudo(), Ended{.status = 0, .entered = Entered::outside});
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::refused);
    CHECK(reply.error().effect == Effect::none);
}

TEST_CASE("a password after which sudo gives up at once was rejected") {
    const auto reply = reply_of(
        list, with_sudo(),
        Ended{
            .status = 1, .err = "sudo: 1 incorrect password attempt\n", .entered = Entered::asked});
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::auth_failed);
}

TEST_CASE("a right password of somebody who may not use sudo is no rejection of it") {
    const auto reply = reply_of(
        list, with_sudo(),
        Ended{.status = 1, .err = "kim is not in the sudoers file.\n", .entered = Entered::asked});
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::refused);
    CHECK(reply.error().message.find("not in the sudoers file") != std::string::npos);
}

TEST_CASE("the same words from a command without become are its own") {
    const auto reply =
        reply_of(list, plain, Ended{.status = 1, .err = "sudo: a password is required\n"});
    REQUIRE(reply);
    CHECK(reply->status == 1);
}

TEST_CASE("a sudo refusal after output is no proof that nothing was done") {
    const auto reply =
        reply_of(list, with_sudo(),
                 Ended{.status = 1, .out = "did it\n", .err = "sudo: a password is required\n"});
    CHECK(reply);
}

TEST_CASE("no exit status is an unknown effect") {
    const auto reply = reply_of(list, plain, Ended{});
    REQUIRE(!reply);
    CHECK(reply.error().effect == Effect::unknown);
}

TEST_CASE("an end by a signal is an unknown effect and names the signal") {
    const auto reply = reply_of(list, plain, Ended{.signal = "SEGV"});
    REQUIRE(!reply);
    CHECK(reply.error().code == Code::rejected);
    CHECK(reply.error().effect == Effect::unknown);
    CHECK(reply.error().message == "ls was ended by signal SEGV");
}
