// Words for a shell and text from targets: nothing that either holds is ever obeyed.
// Real shells judge the quoting in tests/transport/quoting_test.cpp. Next: core/base/text.hpp.
#include "base/random.hpp"
#include "base/text.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace drill;

namespace {

/// What a POSIX shell makes of words that consist of bare parts and single quotes.
std::vector<std::string> read_words(const std::string& line) {
    std::vector<std::string> words;
    std::string word;
    bool open = false;
    bool any = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (open) {
            if (c == '\'') {
                open = false;
            } else {
                word += c;
            }
        } else if (c == '\'') {
            open = any = true;
        } else if (c == '\\') {
            word += line.at(++i);
            any = true;
        } else if (c == ' ') {
            if (any) { words.push_back(word); }
            word.clear();
            any = false;
        } else {
            word += c;
            any = true;
        }
    }
    if (any) { words.push_back(word); }
    return words;
}

}  // namespace

TEST_CASE("a plain word stands as it is, every other one in single quotes") {
    struct Row {
        const char* word;
        const char* quoted;
    };
    const std::vector<Row> rows{
        {"abc", "abc"},       {"/usr/sbin/nft", "/usr/sbin/nft"},
        {"-f", "-f"},         {"--on=5%", "--on=5%"},
        {"a=b", "a=b"},       {"user@host:22,+x_", "user@host:22,+x_"},
        {"", "''"},           {"=cat", "'=cat'"},  // zsh looks the program up
        {"~root", "'~root'"}, {"a~", "'a~'"},
        {"a b", "'a b'"},     {"it's", "'it'\\''s'"},
        {"'", "''\\'''"},     {"$HOME", "'$HOME'"},
        {"`id`", "'`id`'"},   {"a\\b", "'a\\b'"},
        {"a\nb", "'a\nb'"},   {"{a,b}", "'{a,b}'"},
        {"*", "'*'"},         {"#no", "'#no'"},
        {"!1", "'!1'"},       {"a;b", "'a;b'"},
        {"ä", "'ä'"}};
    for (const Row& row : rows) {
        CAPTURE(row.word);
        CHECK(shell_quote(row.word) == row.quoted);
    }
}

TEST_CASE("a first word with an equals sign is no assignment") {
    CHECK(shell_join(std::vector<std::string>{"PATH=/tmp", "ls"}) == "'PATH=/tmp' ls");
    CHECK(shell_join(std::vector<std::string>{"ls", "PATH=/tmp"}) == "ls PATH=/tmp");
    CHECK(shell_join(std::vector<std::string>{"", "A=b"}) == "'' A=b");
}

TEST_CASE("empty words are kept at every place") {
    CHECK(shell_join(std::vector<std::string>{}).empty());
    CHECK(shell_join(std::vector<std::string>{"", ""}) == "'' ''");
    CHECK(shell_join(std::vector<std::string>{"a", "", "b"}) == "a '' b");
}

TEST_CASE("any argument list is the same list after quoting") {
    Random random(3);
    for (int i = 0; i < 3000; ++i) {
        std::vector<std::string> argv;
        const std::uint64_t count = 1 + random.below(4);
        for (std::uint64_t w = 0; w < count; ++w) {
            std::string word;
            const std::uint64_t length = random.below(8);
            for (std::uint64_t k = 0; k < length; ++k) {
                static constexpr char odd[] = "'\\\"$ \n\t=~-*?[]{}()<>|&;#!a";
                word += random.chance(700) ? odd[random.below(sizeof odd - 1)]
                                           : static_cast<char>(1 + random.below(255));
            }
            argv.push_back(word);
        }
        REQUIRE(read_words(shell_join(argv)) == argv);
    }
}

TEST_CASE("control bytes of a target become visible, newline and tab are kept") {
    CHECK(escape_control("plain text") == "plain text");
    CHECK(escape_control("a\tb\nc") == "a\tb\nc");
    CHECK(escape_control("a\tb\nc", Lines::one) == "a\tb\\nc");
    CHECK(escape_control("\x1b[31mred") == "\\x1b[31mred");
    CHECK(escape_control("a\rb") == "a\\x0db");
    CHECK(escape_control(std::string_view("a\0b", 3)) == "a\\x00b");
    CHECK(escape_control("\x7f") == "\\x7f");
    CHECK(escape_control("\x07\x08") == "\\x07\\x08");
}

TEST_CASE("C1 controls are escaped, as two bytes and as one") {
    CHECK(escape_control("\xc2\x9b") == "\\xc2\\x9b");  // CSI
    CHECK(escape_control("\xc2\x80") == "\\xc2\\x80");
    CHECK(escape_control("\xc2\xa0") == "\xc2\xa0");  // the first that is no control
    CHECK(escape_control("\x9b") == "\\x9b");
}

TEST_CASE("bad UTF-8 is escaped byte by byte and good UTF-8 is kept") {
    CHECK(escape_control("äß€𝄞") == "äß€𝄞");
    CHECK(escape_control("\xff\xfe") == "\\xff\\xfe");
    CHECK(escape_control("\xc0\xaf") == "\\xc0\\xaf");                    // overlong
    CHECK(escape_control("\xe0\x80\xaf") == "\\xe0\\x80\\xaf");           // overlong
    CHECK(escape_control("\xf0\x80\x80\xaf") == "\\xf0\\x80\\x80\\xaf");  // overlong
    CHECK(escape_control("\xed\xa0\x80") == "\\xed\\xa0\\x80");           // surrogate
    CHECK(escape_control("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // past U+10FFFF
    CHECK(escape_control("\xe2\x82") == "\\xe2\\x82");                    // cut off
    CHECK(escape_control("\xe2\x82z") == "\\xe2\\x82z");
    CHECK(escape_control("\xc3") == "\\xc3");
}

TEST_CASE("text cannot change its direction or hide behind marks that nobody sees") {
    for (const char* hidden : {"\u202a", "\u202e", "\u2066", "\u2069", "\u200e", "\u200f", "\u061c",
                               "\u200b", "\u2028", "\u2029", "\u2060", "\ufeff"}) {
        const std::string escaped = escape_control(std::string("a") + hidden + "b");
        CAPTURE(escaped);
        CHECK(escaped.starts_with("a\\x"));
        CHECK(escaped.ends_with("b"));
        CHECK(escaped.find(hidden) == std::string::npos);
    }
    CHECK(escape_control("\u2010\u2030\u2070") == "\u2010\u2030\u2070");
}

TEST_CASE("no byte string whatever leaves a control byte or a second line behind") {
    Random random(4);
    for (int i = 0; i < 5000; ++i) {
        std::string text;
        const std::uint64_t length = random.below(12);
        for (std::uint64_t k = 0; k < length; ++k) { text += static_cast<char>(random.below(256)); }
        const std::string shown = escape_control(text, Lines::one);
        for (const char c : shown) {
            const auto byte = static_cast<unsigned char>(c);
            REQUIRE((byte >= 0x20 || byte == '\t'));
            REQUIRE(byte != 0x7f);
        }
        REQUIRE(escape_control(shown, Lines::one) == shown);
    }
}
