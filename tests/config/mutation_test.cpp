// Random damage to good files: whatever comes in, the loader ends, and every diagnostic points
// into the file. A failing seed is printed; give it to `damage` in a case of its own.
#include "base/random.hpp"
#include "base/text.hpp"
#include "samples.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace drill;
using namespace drill::test;

namespace {

constexpr int rounds = 3'000;

/// What people and broken tools put into files, besides single bytes.
constexpr std::array<std::string_view, 28> pieces{
    "\"", "'",   "\"\"\"", "'''",   "[",   "]",    "{",          "}",    "[[",   "]]",
    "=",  ".",   ",",      "#",     "\n",  "\r\n", "\\",         "\x00", "\xff", "\xc3",
    "ä",  "15m", "50%",    "1e999", "nan", "-",    "1979-05-27", "\t"};

std::string damage(std::string text, std::uint64_t seed) {
    Random random(seed);
    const std::uint64_t times = 1 + random.below(6);
    for (std::uint64_t i = 0; i < times; ++i) {
        const auto at = static_cast<std::size_t>(random.below(text.size() + 1));
        const auto length = static_cast<std::size_t>(random.below(20));
        const std::size_t piece = static_cast<std::size_t>(random.below(pieces.size()));
        switch (random.below(6)) {
            case 0: text.resize(at); break;
            case 1: text.erase(at, length); break;
            case 2: text.insert(at, pieces[piece]); break;
            case 3: text.insert(at, text.substr(at, length)); break;
            case 4:
                if (at < text.size()) { text[at] = static_cast<char>(random.below(256)); }
                break;
            default: text.replace(at, std::min(length, text.size() - at), pieces[piece]); break;
        }
    }
    return text;
}

void check_places(const Diagnostics& diagnostics, const std::string& text) {
    std::vector<std::string> lines = split(text, '\n');
    if (lines[0].starts_with("\xef\xbb\xbf")) { lines[0].erase(0, 3); }
    for (const Diagnostic& one : diagnostics) {
        REQUIRE_FALSE(one.summary.empty());
        REQUIRE(one.code.size() == 5);
        if (one.place.line == 0) { continue; }
        REQUIRE(one.place.line <= lines.size());
        const std::string& line = lines[one.place.line - 1];
        const auto points = std::count_if(line.begin(), line.end(), [](char c) {
            return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
        });
        REQUIRE(one.place.column >= 1);
        REQUIRE(one.place.column <= static_cast<std::size_t>(points) + 1);
        REQUIRE(one.place.length >= 1);
        REQUIRE_FALSE(render(one, text).empty());
    }
    REQUIRE(std::is_sorted(
        diagnostics.begin(), diagnostics.end(),
        [](const Diagnostic& a, const Diagnostic& b) { return a.place.line < b.place.line; }));
}

}  // namespace

TEST_CASE("a damaged experiment gives diagnostics that point into it") {
    const Catalog catalog = lab();
    int refused = 0;
    for (std::uint64_t seed = 1; seed <= rounds; ++seed) {
        CAPTURE(seed);
        const std::string text = damage(sample_experiment, seed);
        const Diagnostics found = load(text, &catalog).diagnostics;
        check_places(found, text);
        refused += has_errors(found) ? 1 : 0;
    }
    CHECK(refused > rounds / 2);
}

TEST_CASE("a damaged catalog gives diagnostics that point into it") {
    int refused = 0;
    for (std::uint64_t seed = 1; seed <= rounds; ++seed) {
        CAPTURE(seed);
        const std::string text = damage(lab_catalog, seed);
        const Diagnostics found = parse_catalog(text, "drill.toml").diagnostics;
        check_places(found, text);
        refused += has_errors(found) ? 1 : 0;
    }
    CHECK(refused > rounds / 2);
}

TEST_CASE("a file cut off at any byte is read or refused, never worse") {
    for (std::size_t length = 0; length < sample_experiment.size(); ++length) {
        CAPTURE(length);
        const std::string text = sample_experiment.substr(0, length);
        const Diagnostics found = load(text).diagnostics;
        check_places(found, text);
    }
}
