// Golden renderings of diagnostics.
#include "base/diagnostic.hpp"

#include <doctest/doctest.h>

using namespace drill;

namespace {
Diagnostic typo() {
    return {Severity::error,
            "E0102",
            {"experiments/two.toml", 7, 1, 6},
            "unknown key `timout` in [[probe]]",
            "",
            "did you mean `timeout`?"};
}
const std::string seven = "1\n2\n3\n4\n5\n6\ntimout   = \"90s\"\n";
}  // namespace

TEST_CASE("a diagnostic is shown in the manner of rustc") {
    CHECK(render(typo(), seven) == R"(error[E0102]: unknown key `timout` in [[probe]]
 --> experiments/two.toml:7:1
  |
7 | timout   = "90s"
  | ^^^^^^
  = help: did you mean `timeout`?
)");
}

TEST_CASE("a label stands behind the carets and a warning says so") {
    Diagnostic one = typo();
    one.severity = Severity::warning;
    one.label = "no such key";
    one.help = "";
    CHECK(render(one, seven) == R"(warning[E0102]: unknown key `timout` in [[probe]]
 --> experiments/two.toml:7:1
  |
7 | timout   = "90s"
  | ^^^^^^ no such key
)");
}

TEST_CASE("the gutter is as wide as the line number") {
    Diagnostic one = typo();
    one.place.line = 12;
    const std::string source = std::string(11, '\n') + "timout = 1";
    CHECK(render(one, source) == R"(error[E0102]: unknown key `timout` in [[probe]]
  --> experiments/two.toml:12:1
   |
12 | timout = 1
   | ^^^^^^
   = help: did you mean `timeout`?
)");
}

TEST_CASE("a diagnostic of the whole file has no excerpt") {
    Diagnostic one = typo();
    one.place.line = 0;
    CHECK(render(one, seven) == R"(error[E0102]: unknown key `timout` in [[probe]]
 --> experiments/two.toml
  = help: did you mean `timeout`?
)");
}

TEST_CASE("without the source only the place is shown") {
    CHECK(render(typo(), "") == R"(error[E0102]: unknown key `timout` in [[probe]]
 --> experiments/two.toml:7:1
  = help: did you mean `timeout`?
)");
}

TEST_CASE("further lines of help stand under the first") {
    Diagnostic one = typo();
    one.place.line = 0;
    one.help = "[limit]\nhosts = 1";
    CHECK(render(one, "").find("  = help: [limit]\n          hosts = 1\n") != std::string::npos);
}

TEST_CASE("carets count code points and follow tabs and escapes") {
    Diagnostic one = typo();
    one.help = "";
    SUBCASE("letters of two bytes") {
        one.place = {"f", 1, 6, 1};
        CHECK(render(one, "äöü = x").find("1 | äöü = x\n  |      ^\n") != std::string::npos);
    }
    SUBCASE("a tab is one wide") {
        one.place = {"f", 1, 2, 1};
        CHECK(render(one, "\tx").find("1 |  x\n  |  ^\n") != std::string::npos);
    }
    SUBCASE("a control byte is escaped before and under the carets") {
        one.place = {"f", 1, 2, 2};
        CHECK(render(one, "\x1bx\x01").find("1 | \\x1bx\\x01\n  |     ^^^^^\n") !=
              std::string::npos);
    }
    SUBCASE("invalid UTF-8 is escaped") {
        one.place = {"f", 1, 1, 1};
        CHECK(render(one, "\xff").find("1 | \\xff\n  | ^^^^\n") != std::string::npos);
    }
}

TEST_CASE("a byte order mark and CRLF do not show") {
    Diagnostic one = typo();
    one.help = "";
    one.place = {"f", 1, 1, 1};
    CHECK(render(one, "\xef\xbb\xbfx\r\n").find("1 | x\n  | ^\n") != std::string::npos);
}

TEST_CASE("a place past the end of its line has one caret") {
    Diagnostic one = typo();
    one.help = "";
    one.place = {"f", 1, 99, 5};
    CHECK(render(one, "ab").find("1 | ab\n  |   ^\n") != std::string::npos);
    one.place = {"f", 9, 1, 5};
    CHECK(render(one, "ab").find("9 |\n  | ^\n") != std::string::npos);
}

TEST_CASE("of a very long line only the part around the carets is shown") {
    Diagnostic one = typo();
    one.place = {"f", 1, 500'001, 3};
    const std::string out = render(one, std::string(1'000'000, 'a'));
    CHECK(out.size() < 600);
    CHECK(out.find("1 | ...a") != std::string::npos);
    CHECK(out.find(" ^^^\n") != std::string::npos);
}

TEST_CASE("text of a file cannot drive the terminal through a message") {
    Diagnostic one = typo();
    one.summary = "unknown key `\x1b[2J`";
    one.help = "did you mean `\x1b[2J`?";
    one.place.file = "a\x1b.toml";
    CHECK(render(one, seven).find('\x1b') == std::string::npos);
}

TEST_CASE("only errors count as errors") {
    Diagnostic one = typo();
    CHECK(has_errors(Diagnostics{one}));
    one.severity = Severity::warning;
    CHECK_FALSE(has_errors(Diagnostics{one}));
}
