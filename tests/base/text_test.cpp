// Durations, shares, times and text for people: what is written is what is read again.
// Quoting and escaping are in quoting_test.cpp. Next: core/base/text.hpp.
#include "base/text.hpp"
#include "base/random.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>
#include <limits>
#include <string>
#include <vector>

using namespace drill;
using namespace std::chrono_literals;

namespace {

/// The local time zone for the life of one case.
class Zone {
public:
    explicit Zone(const char* name) {
        const char* was = std::getenv("TZ");
        if (was != nullptr) { was_ = was; }
        had_ = was != nullptr;
        ::setenv("TZ", name, 1);
        ::tzset();
    }
    Zone(const Zone&) = delete;
    Zone& operator=(const Zone&) = delete;
    ~Zone() {
        if (had_) {
            ::setenv("TZ", was_.c_str(), 1);
        } else {
            ::unsetenv("TZ");
        }
        ::tzset();
    }

private:
    std::string was_;
    bool had_{false};
};

Wall wall(std::int64_t ms) { return Wall{std::chrono::milliseconds{ms}}; }

}  // namespace

TEST_CASE("a duration is read in every accepted spelling") {
    struct Row {
        const char* text;
        Nanos value;
    };
    const std::vector<Row> rows{{"0s", 0s},
                                {"15m", 15min},
                                {"1h30m", 90min},
                                {"1d", 24h},
                                {"2 s", 2s},
                                {"1h 30m", 90min},
                                {"  250ms ", 250ms},
                                {"1.5s", 1500ms},
                                {"1m1.5s", 61500ms},
                                {"1m30ms", 60030ms},
                                {"0.000000001s", 1ns},
                                {"3us", 3us},
                                {"7ns", 7ns},
                                {"1d1h1m1s1ms1us1ns", 25h + 61s + 1ms + 1us + 1ns},
                                {"365d", 365 * 24h},
                                {"0.5d", 12h}};
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const std::optional<Nanos> read = parse_duration(row.text);
        REQUIRE(read.has_value());
        CHECK(*read == row.value);
    }
}

TEST_CASE("what is no duration is not taken for one") {
    for (const char* text : {"",
                             " ",
                             "5",
                             "s",
                             "-1s",
                             "+1s",
                             "1x",
                             "1s1m",
                             "1s1s",
                             "1.s",
                             ".5s",
                             "1.5m1s",
                             "1,5s",
                             "1e3s",
                             "366d",
                             "365d1ns",
                             "1ss",
                             "1 s s",
                             "0.1ns",
                             "1s.",
                             "1.0000000001s",
                             "99999999999999999s",
                             "9223372036854775807ns",
                             "1\ts",
                             "١s"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_duration(text).has_value());
    }
}

TEST_CASE("the canonical form of a duration is read back as the same duration") {
    Random random(1);
    for (int i = 0; i < 5000; ++i) {
        // All magnitudes, not mostly months.
        const std::uint64_t bound = std::uint64_t{1} << random.below(54);
        const Nanos span{static_cast<std::int64_t>(random.below(bound))};
        CAPTURE(span.count());
        const std::optional<Nanos> read = parse_duration(format_duration(span));
        REQUIRE(read.has_value());
        REQUIRE(*read == span);
    }
    CHECK(format_duration(0s) == "0s");
    CHECK(format_duration(90s) == "1m30s");
    CHECK(format_duration(-90s) == "-1m30s");
    CHECK(format_duration(365 * 24h) == "365d");
}

TEST_CASE("a duration for people has three places at most, also where it rounds up") {
    struct Row {
        Nanos value;
        const char* text;
    };
    const std::vector<Row> rows{{0ns, "0 s"},
                                {1ns, "1 ns"},
                                {999ns, "999 ns"},
                                {1us, "1 us"},
                                {999'400ns, "999 us"},
                                {999'500ns, "1 ms"},
                                {999'999ns, "1 ms"},
                                {1ms, "1 ms"},
                                {12'340us, "12.3 ms"},
                                {999'499us, "999 ms"},
                                {999'500us, "1.00 s"},
                                {1s, "1 s"},
                                {3520ms, "3.52 s"},
                                {10s, "10 s"},
                                {10'000'001us, "10.0 s"},
                                {59s, "59 s"},
                                {9'994'999us, "9.99 s"},
                                {9'995ms, "10.0 s"},
                                {59'949ms, "59.9 s"},
                                {59'950ms, "1 m 00 s"},
                                {125s, "2 m 05 s"},
                                {3599'499ms, "59 m 59 s"},
                                {3599'500ms, "1 h 00 m"},
                                {25h, "1 d 01 h"},
                                {-3520ms, "-3.52 s"}};
    for (const Row& row : rows) {
        CAPTURE(row.value.count());
        CHECK(show_duration(row.value) == row.text);
    }
}

TEST_CASE("the longest and the most negative duration are shown, not overflowed") {
    CHECK(show_duration(Nanos::max()) == "106751 d 23 h");
    CHECK(show_duration(Nanos::min()) == "-106751 d 23 h");
    CHECK(format_duration(Nanos::min()).starts_with("-106751d23h47m16s"));
}

TEST_CASE("a share is read exactly, and nothing outside 0 to 100 per cent") {
    CHECK(parse_percent("50%") == 500'000);
    CHECK(parse_percent("12.5 %") == 125'000);
    CHECK(parse_percent(" 0% ") == 0);
    CHECK(parse_percent("0.0001%") == 1);
    CHECK(parse_percent("99.9999%") == 999'999);
    CHECK(parse_percent("100%") == 1'000'000);
    CHECK(parse_percent("100.0000%") == 1'000'000);
    for (const char* text : {"", "%", "50", "-1%", "100.0001%", "101%", "1.00001%", "1.%", ".5%",
                             "5%%", "1e1%", "0.5", "50 % x", "999999999999999999%"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_percent(text).has_value());
    }
}

TEST_CASE("every share is read back from the text that shows it") {
    Random random(2);
    for (int i = 0; i < 2000; ++i) {
        const int ppm = static_cast<int>(random.below(1'000'001));
        REQUIRE(parse_percent(show_percent(ppm)) == ppm);
    }
    CHECK(show_percent(993'100) == "99.31 %");
    CHECK(show_percent(1'000'000) == "100 %");
    CHECK(show_percent(0) == "0 %");
}

TEST_CASE("wall time is written as RFC 3339 in UTC, before and after the epoch") {
    const Zone zone("America/New_York");  // must not matter
    CHECK(rfc3339(wall(0)) == "1970-01-01T00:00:00.000Z");
    CHECK(rfc3339(wall(-1)) == "1969-12-31T23:59:59.999Z");
    CHECK(rfc3339(wall(-1000)) == "1969-12-31T23:59:59.000Z");
    CHECK(rfc3339(wall(-1001)) == "1969-12-31T23:59:58.999Z");
    CHECK(rfc3339(wall(1'795'528'951'204)) == "2026-11-24T14:02:31.204Z");
    CHECK(rfc3339(wall(951'782'400'000)) == "2000-02-29T00:00:00.000Z");
    CHECK(rfc3339(wall(4'102'444'799'999)) == "2099-12-31T23:59:59.999Z");
}

TEST_CASE("clock time follows the local zone over the change to and from summer time") {
    const Zone zone("CET-1CEST,M3.5.0,M10.5.0/3");
    // 2026-03-29 01:00 UTC: 02:00 CET becomes 03:00 CEST.
    CHECK(clock_time(wall(1'774'745'999'999)) == "01:59:59.999");
    CHECK(clock_time(wall(1'774'746'000'000)) == "03:00:00.000");
    // 2026-10-25 01:00 UTC: 03:00 CEST becomes 02:00 CET.
    CHECK(clock_time(wall(1'792'889'999'999)) == "02:59:59.999");
    CHECK(clock_time(wall(1'792'890'000'000)) == "02:00:00.000");
    CHECK(rfc3339(wall(1'792'890'000'000)) == "2026-10-25T01:00:00.000Z");
}

TEST_CASE("clock time before the epoch counts milliseconds upward as well") {
    const Zone zone("UTC0");
    CHECK(clock_time(wall(-1)) == "23:59:59.999");
    CHECK(clock_time(wall(-1500)) == "23:59:58.500");
}

TEST_CASE("splitting keeps empty parts, so joining gives the text again") {
    using Parts = std::vector<std::string>;
    CHECK(split("", ',') == Parts{""});
    CHECK(split("a", ',') == Parts{"a"});
    CHECK(split(",", ',') == Parts{"", ""});
    CHECK(split("a,,b,", ',') == Parts{"a", "", "b", ""});
    for (const char* text : {"", ",", "a,b", ",,a,,", "plain"}) {
        CHECK(join(split(text, ','), ",") == text);
    }
}

TEST_CASE("trim takes blanks of every sort from both ends and nothing from within") {
    CHECK(trim(" \t a b\r\n\v\f") == "a b");
    CHECK(trim(" \n ").empty());
    CHECK(trim("").empty());
}

TEST_CASE("a first word is whole or it is not there") {
    CHECK(starts_with_word("guard 1 armed", "guard"));
    CHECK(starts_with_word("guard", "guard"));
    CHECK_FALSE(starts_with_word("guards", "guard"));
    CHECK_FALSE(starts_with_word("guar", "guard"));
}

TEST_CASE("the nearest word is within a third of its length, else none is offered") {
    const std::vector<std::string> words{"timeout", "every", "url", "within"};
    CHECK(nearest("timout", words) == "timeout");
    CHECK(nearest("tiemout", words) == "timeout");  // two letters swapped are one step
    CHECK(nearest("evry", words) == "every");
    CHECK(nearest("ulr", words) == "url");
    CHECK(nearest("url", words) == "url");
    CHECK_FALSE(nearest("xyz", words).has_value());
    CHECK_FALSE(nearest("", words).has_value());
    CHECK_FALSE(nearest("timeout", {}).has_value());
    CHECK_FALSE(nearest(std::string(65, 'a'), words).has_value());
    const std::vector<std::string> odd{"", std::string(65, 'a'), "b"};
    CHECK(nearest("a", odd) == "b");
    CHECK_FALSE(nearest(std::string(64, 'a'), std::vector<std::string>{std::string(65, 'a')}));
}

TEST_CASE("of equally near words the first is offered") {
    const std::vector<std::string> words{"host1", "host2"};
    CHECK(nearest("host3", words) == "host1");
}

TEST_CASE("a text is told about its subject, once") {
    CHECK(about("app-1", "the disk is full") == "app-1: the disk is full");
    CHECK(about("app-1", "the key of app-1 is not known") == "the key of app-1 is not known");
    CHECK(about("app-1", "app-1: gone") == "app-1: gone");
    CHECK(about("app-1", "rejected on app-11") == "app-1: rejected on app-11");
    CHECK(about("app-1", "rejected on my-app-1") == "app-1: rejected on my-app-1");
}

TEST_CASE("wrapped lines keep to their width, and no word is lost or broken") {
    CHECK(wrap("", 10, 2).empty());
    CHECK(wrap("one two three", 7, 0) == "one two\nthree");
    CHECK(wrap("one two three", 8, 2) == "one two\n  three");
    CHECK(wrap("unbreakable words", 4, 1) == "unbreakable\n words");
    CHECK(wrap("äöü äöü äöü", 7, 0) == "äöü äöü\näöü");  // code points, not bytes
    const std::string text = "a fault that nobody ends is worse than no drill at all";
    for (std::size_t columns = 6; columns < 60; ++columns) {
        const std::string wrapped = wrap(text, columns, 0);
        for (const std::string& line : split(wrapped, '\n')) { CHECK(width(line) <= columns); }
        CHECK(join(split(wrapped, '\n'), " ") == text);
    }
}
