// Letters and the block: whole or absent, private, and never taken for something else.
#include "ledger/inbox.hpp"
#include "ledger/scratch.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace drill;
using namespace drill::testing;

namespace {

Letter letter(std::string verb, std::string text, int ms = 1000) {
    return {.id = "",
            .verb = std::move(verb),
            .by = "kim",
            .text = std::move(text),
            .at = Wall{std::chrono::milliseconds{ms}}};
}

std::string state_of(const Scratch& scratch) {
    std::filesystem::create_directory(scratch.state());
    chmod(scratch.state().c_str(), 0700);
    return scratch.state();
}

mode_t mode(const std::string& path) {
    struct stat there {};
    REQUIRE(stat(path.c_str(), &there) == 0);
    return there.st_mode & 07777U;
}

}  // namespace

TEST_CASE("a letter is read as it was written, lines and all") {
    const Scratch scratch;
    const std::string state = state_of(scratch);
    const auto id = drop_letter(state, "run1", letter("halt", "two\n\nlines: by kim\n"));
    REQUIRE(id);
    const auto letters = read_letters(state, "run1");
    REQUIRE(letters);
    REQUIRE(letters->size() == 1);
    CHECK(letters->front().id == *id);
    CHECK(letters->front().verb == "halt");
    CHECK(letters->front().by == "kim");
    CHECK(letters->front().text == "two\n\nlines: by kim\n");
    CHECK(letters->front().at == Wall{std::chrono::milliseconds{1000}});
}

TEST_CASE("letters of a run come in the order of their times, and only those of that run") {
    const Scratch scratch;
    const std::string state = state_of(scratch);
    REQUIRE(drop_letter(state, "run1", letter("note", "second", 2000)));
    REQUIRE(drop_letter(state, "run1", letter("note", "first", 1000)));
    REQUIRE(drop_letter(state, "run2", letter("note", "another", 1500)));
    const auto letters = read_letters(state, "run1");
    REQUIRE(letters);
    REQUIRE(letters->size() == 2);
    CHECK(letters->front().text == "first");
    CHECK(letters->back().text == "second");
}

TEST_CASE("inbox and letters are private") {
    const Scratch scratch;
    const std::string state = state_of(scratch);
    const auto id = drop_letter(state, "run1", letter("note", "x"));
    REQUIRE(id);
    CHECK(mode(state + "/inbox") == 0700);
    CHECK(mode(state + "/inbox/run1") == 0700);
    CHECK(mode(state + "/inbox/run1/" + *id) == 0600);
}

TEST_CASE("a letter that was answered is gone, and an empty inbox with it") {
    const Scratch scratch;
    const std::string state = state_of(scratch);
    const auto id = drop_letter(state, "run1", letter("halt", "x"));
    REQUIRE(id);
    CHECK(letter_waits(state, "run1", *id));
    close_inbox(state, "run1");
    CHECK(letter_waits(state, "run1", *id));
    remove_letter(state, "run1", *id);
    CHECK_FALSE(letter_waits(state, "run1", *id));
    close_inbox(state, "run1");
    CHECK_FALSE(std::filesystem::exists(state + "/inbox/run1"));
}

TEST_CASE("what is no letter is passed over: links, pipes, parts, and other files") {
    const Scratch scratch;
    const std::string state = state_of(scratch);
    REQUIRE(drop_letter(state, "run1", letter("note", "real")));
    const std::string inbox = state + "/inbox/run1/";
    spill(state + "/secret", "drill-letter 1\nverb halt\n\nstolen");
    std::filesystem::create_symlink(state + "/secret", inbox + "1-link.halt");
    REQUIRE(mkfifo((inbox + "1-pipe.halt").c_str(), 0600) == 0);
    spill(inbox + ".9-part.halt.part", "drill-letter 1\nverb halt\n\nhalf");
    spill(inbox + "1-other.halt", "something else");
    spill(inbox + "1-huge.halt", "drill-letter 1\nverb halt\n\n" + std::string(100'000, 'x'));
    const auto letters = read_letters(state, "run1");
    REQUIRE(letters);
    REQUIRE(letters->size() == 1);
    CHECK(letters->front().text == "real");
}

TEST_CASE("a run id that is a path is refused") {
    const Scratch scratch;
    const std::string state = state_of(scratch);
    for (const char* run : {"", "..", "../x", "a/b", ".hidden"}) {
        const auto dropped = drop_letter(state, run, letter("halt", "x"));
        REQUIRE_FALSE(dropped);
        CHECK(dropped.error().code == Code::invalid);
    }
}

TEST_CASE("a text that is too long is refused and nothing is left of it") {
    const Scratch scratch;
    const std::string state = state_of(scratch);
    CHECK_FALSE(drop_letter(state, "run1", letter("note", std::string(longest_letter + 1, 'x'))));
    CHECK(drop_letter(state, "run1", letter("note", std::string(longest_letter, 'x'))));
    CHECK(read_letters(state, "run1")->size() == 1);
}

TEST_CASE("without an inbox there are no letters") {
    const Scratch scratch;
    const auto letters = read_letters(state_of(scratch), "run1");
    REQUIRE(letters);
    CHECK(letters->empty());
}

TEST_CASE("a block says who, when and why until it is taken away") {
    const Scratch scratch;
    CHECK_FALSE(block_of(scratch.state())->has_value());
    REQUIRE(
        block_runs(scratch.state(),
                   {.by = "kim", .reason = "incident", .at = Wall{std::chrono::milliseconds{5}}}));
    const auto block = block_of(scratch.state());
    REQUIRE(block);
    REQUIRE(block->has_value());
    CHECK((*block)->by == "kim");
    CHECK((*block)->reason == "incident");
    CHECK((*block)->at == Wall{std::chrono::milliseconds{5}});
    CHECK(*unblock_runs(scratch.state()));
    CHECK_FALSE(block_of(scratch.state())->has_value());
    CHECK_FALSE(*unblock_runs(scratch.state()));
}

TEST_CASE("a block that cannot be understood blocks") {
    const Scratch scratch;
    spill(state_of(scratch) + "/blocked", "");
    REQUIRE(block_of(scratch.state()));
    CHECK(block_of(scratch.state())->has_value());
}

TEST_CASE("a directory that others may write to is not blocked but refused") {
    const Scratch scratch;
    chmod(state_of(scratch).c_str(), 0777);
    const Status done = block_runs(scratch.state(), {.by = "kim", .reason = "", .at = {}});
    REQUIRE_FALSE(done);
    CHECK(done.error().code == Code::refused);
}
