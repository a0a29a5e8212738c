// Folding, colours and columns of report/page.hpp.
#include "report/page.hpp"

#include "report/sample.hpp"

#include <algorithm>

using namespace drill;

TEST_CASE("a folded text has no line wider than asked and loses no word") {
    const std::string text = "  one two three four five six seven eight nine ten eleven";
    for (std::size_t width = 10; width < 60; ++width) {
        const std::string folded = fold(text, width, 4);
        test::check_width(folded, width);
        std::istringstream words(folded);
        std::string joined;
        for (std::string word; words >> word;) { joined += " " + word; }
        CHECK(joined == " one two three four five six seven eight nine ten eleven");
    }
}

TEST_CASE("a word wider than the line is cut, not let out") {
    const std::string folded = fold("  " + std::string(100, 'x'), 40, 4);
    test::check_width(folded, 40);
    CHECK(std::count(folded.begin(), folded.end(), 'x') == 100);
}

TEST_CASE("a cut never splits a character of several bytes") {
    std::string text;
    for (int i = 0; i < 60; ++i) { text += "ä"; }
    const std::string folded = fold(text, 40, 2);
    std::istringstream lines(folded);
    std::string first;
    std::getline(lines, first);
    CHECK(first.size() == 80);
    CHECK(visible_width(first) == 40);
}

TEST_CASE("colour codes take no columns") {
    Page page({40, true, false});
    const std::string red = page.ink(Ink::bad, "abc");
    CHECK(red.size() > 3);
    CHECK(visible_width(red) == 3);
    CHECK(fold(red + " " + std::string(36, 'y'), 40, 0).find('\n') == std::string::npos);
}

TEST_CASE("without colour no escape code is written") {
    Page page({40, false, false});
    CHECK(page.ink(Ink::bad, "abc") == "abc");
    CHECK(page.mark(Mark::bad) == "✗");
}

TEST_CASE("an ASCII page holds only ASCII") {
    Page page({60, false, true});
    page.line(page.mark(Mark::good) + " " + page.mark(Mark::bad) + " grün");
    CHECK(page.text() == "ok NO gr?n\n");
}

TEST_CASE("the columns of a table line up, whatever their colour") {
    Page page({60, true, false});
    const std::vector<std::vector<std::string>> rows{{page.ink(Ink::bad, "a"), "x"}, {"abcd", "y"}};
    page.table(rows);
    CHECK(page.text() == "  \x1b[1;31ma\x1b[0m     x\n  abcd  y\n");
}

TEST_CASE("text from outside cannot colour or break the page") {
    CHECK(safe("a\x1b[2Jb\nc\td") == "a\\x1b[2Jb\\nc d");
}

TEST_CASE("a time that was set is shown exactly") {
    CHECK(exact_duration(std::chrono::seconds{90}) == "1 m 30 s");
    CHECK(exact_duration(std::chrono::milliseconds{50}) == "50 ms");
    CHECK(exact_duration(Nanos{0}) == "0 s");
    CHECK(exact_duration(std::chrono::seconds{-1}) == "-1 s");
}
