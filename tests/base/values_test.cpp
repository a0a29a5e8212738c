// Small values that everything rests on: identifiers, seeded numbers, digests, errors.
// Next: core/base/random.hpp, ids.hpp, digest.hpp, result.hpp.
#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/random.hpp"
#include "base/result.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <vector>

using namespace drill;

TEST_CASE("a seed gives the same numbers for ever") {
    // splitmix64 for seed 1234567, as its authors' reference program prints them.
    Random random(1234567);
    CHECK(random.next() == 6457827717110365317U);
    CHECK(random.next() == 3203168211198807973U);
    CHECK(random.next() == 9817491932198370423U);
    CHECK(random.next() == 4593380528125082431U);
    CHECK(random.next() == 16408922859458223821U);
}

TEST_CASE("a seed gives the same choices for ever") {
    // A plan records its seed; another choice from it later would be another plan.
    Random random(7);
    std::vector<std::uint64_t> drawn;
    for (int i = 0; i < 8; ++i) { drawn.push_back(random.below(10)); }
    std::vector<int> order(8);
    std::iota(order.begin(), order.end(), 0);
    random.shuffle(order);
    CHECK(drawn == std::vector<std::uint64_t>{7, 4, 6, 3, 4, 5, 8, 2});
    CHECK(order == std::vector<int>{3, 6, 4, 2, 5, 7, 0, 1});
}

TEST_CASE("numbers below a bound stay below it and favour none") {
    Random random(5);
    CHECK(random.below(0) == 0);
    CHECK(random.below(1) == 0);
    std::array<int, 7> seen{};
    for (int i = 0; i < 70'000; ++i) { ++seen.at(random.below(7)); }
    for (const int count : seen) {
        CHECK(count > 9'600);  // more than four standard deviations
        CHECK(count < 10'400);
    }
}

TEST_CASE("a bound above half the range is not folded onto its lower part") {
    // Without rejection the lower half of the values would come twice as often.
    Random random(6);
    const std::uint64_t bound = (std::uint64_t{1} << 63U) + (std::uint64_t{1} << 62U);
    int low = 0;
    constexpr int draws = 30'000;
    for (int i = 0; i < draws; ++i) { low += random.below(bound) < bound / 3 ? 1 : 0; }
    CHECK(low > draws / 3 - 400);
    CHECK(low < draws / 3 + 400);
}

TEST_CASE("a shuffle keeps every item and reaches every order") {
    Random random(8);
    std::set<std::vector<int>> orders;
    for (int i = 0; i < 500; ++i) {
        std::vector<int> items{1, 2, 3, 4};
        random.shuffle(items);
        CHECK(std::accumulate(items.begin(), items.end(), 0) == 10);
        orders.insert(items);
    }
    CHECK(orders.size() == 24);
}

TEST_CASE("identifiers have their length and alphabet, and no two are the same") {
    std::set<std::string> seen;
    std::set<char> letters;
    for (int i = 0; i < 500; ++i) {
        const std::string id = random_id(lease_id_length);
        CHECK(is_lease_id(id));
        seen.insert(id);
        letters.insert(id.begin(), id.end());
    }
    CHECK(seen.size() == 500);
    CHECK(letters.size() == 36);
    CHECK(random_id(0).empty());
    CHECK(random_seed() != random_seed());
}

TEST_CASE("only twelve lower-case letters and digits are a lease id") {
    CHECK(is_lease_id("abcdef012345"));
    for (const char* text : {"", "abcdef01234", "abcdef0123456", "ABCDEF012345", "abcdef01234-",
                             "../../../etc", "abcdef 12345", "abcdef01234\n", "abcdéf01234"}) {
        CAPTURE(text);
        CHECK_FALSE(is_lease_id(text));
    }
    CHECK_FALSE(is_lease_id(std::string("abcdef01234\0", 12)));
}

TEST_CASE("a digest is SHA-256 in lower-case hex") {
    CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(sha256_hex(std::string(1'000'000, 'a')) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    CHECK(sha256_hex(std::string_view("\0", 1)) ==
          "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
}

namespace {

Result<int> odd(int value) {
    if (value % 2 == 0) { return fail(Code::invalid, "even", Effect::unknown).at("number"); }
    return value;
}
Result<int> twice(int value) {
    DRILL_TRY(const int got, odd(value));
    return 2 * got;
}
Status checked(int value) {
    const auto seen = [&]() -> Status {
        if (value < 0) { return fail(Code::refused, "negative"); }
        return ok();
    };
    DRILL_CHECK(seen());
    return ok();
}

}  // namespace

TEST_CASE("the trail of an error reads from the outermost place inward") {
    const Error error =
        fail(Code::unreachable, "connection refused", Effect::none).at("read-back").at("app-1");
    CHECK(error.text() == "app-1: read-back: connection refused");
    CHECK(fail(Code::busy, "locked").text() == "locked");
}

TEST_CASE("an error passes through unchanged, with what the target may have undergone") {
    const Result<int> result = twice(4);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Code::invalid);
    CHECK(result.error().effect == Effect::unknown);
    CHECK(result.error().text() == "number: even");
    CHECK(*twice(3) == 6);
    CHECK(checked(1));
    CHECK(checked(-1).error().code == Code::refused);
}

TEST_CASE("a result hands on what can only be moved") {
    Result<std::unique_ptr<int>> result(std::make_unique<int>(5));
    const std::unique_ptr<int> taken = *std::move(result);
    CHECK(*taken == 5);
}

TEST_CASE("every code and effect has a name of its own") {
    std::set<std::string> names;
    for (int code = 0; code <= static_cast<int>(Code::internal); ++code) {
        names.insert(name_of(static_cast<Code>(code)));
    }
    CHECK(names.size() == static_cast<std::size_t>(Code::internal) + 1);
    CHECK(std::string(name_of(Effect::none)) == "none");
    CHECK(std::string(name_of(Effect::done)) == "done");
    CHECK(std::string(name_of(Effect::unknown)) == "unknown");
}
