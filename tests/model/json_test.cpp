// Claims of model/json.hpp: exact round trips, the same bytes for the same value, and refusals
// that name the member. Next: random_model.hpp.
#include "model/json.hpp"

#include "base/digest.hpp"
#include "model/random_model.hpp"

#include <doctest/doctest.h>

using namespace drill;
using drill::testing::RandomModel;

namespace {

constexpr std::uint64_t rounds = 300;

/// `text` with the first `from` replaced by `to`; `from` must be there.
std::string with(std::string text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    REQUIRE_MESSAGE(at != std::string::npos, from);
    return text.replace(at, from.size(), to);
}

std::string problem(const std::string& lease_text) {
    const Result<Lease> lease = lease_from_json(lease_text);
    REQUIRE_FALSE(lease);
    CHECK(lease.error().code == Code::invalid);
    return lease.error().message;
}

Lease example() {
    Lease lease;
    lease.id = "abcdefghijkl";
    lease.connection.host = "app-1";
    lease.change.undo = {Exec{{"nft", "delete", "table"}, ""}};
    return lease;
}

/// The plan of `text` with its hash made right again.
std::string rehashed(std::string text) {
    const std::size_t at = text.find(",\"hash\":\"");
    REQUIRE(at != std::string::npos);
    std::string bare = text;
    bare.erase(at, 9 + 64 + 1);
    return text.replace(at + 9, 64, sha256_hex(bare));
}

}  // namespace

TEST_CASE("any lease survives JSON unchanged and gives the same bytes again") {
    for (std::uint64_t seed = 0; seed < rounds; ++seed) {
        CAPTURE(seed);
        const Lease lease = RandomModel(seed).lease();
        const std::string text = lease_to_json(lease);
        const Result<Lease> back = lease_from_json(text);
        REQUIRE_MESSAGE(back, (back ? "" : back.error().message));
        CHECK(*back == lease);
        CHECK(lease_to_json(*back) == text);
    }
}

TEST_CASE("any plan survives JSON unchanged and gives the same bytes again") {
    for (std::uint64_t seed = 0; seed < rounds; ++seed) {
        CAPTURE(seed);
        const Plan plan = RandomModel(seed).plan();
        const std::string text = plan_to_json(plan, Hash::with);
        const Result<Plan> back = plan_from_json(text);
        REQUIRE_MESSAGE(back, (back ? "" : back.error().message));
        CHECK(*back == plan);
        CHECK(plan_to_json(*back, Hash::with) == text);
    }
}

TEST_CASE("the plan hash is SHA-256 over the plan's bytes without the member hash") {
    const Plan plan = RandomModel(7).plan();
    const std::string bytes = plan_to_json(plan, Hash::without);
    CHECK(bytes.find("\"hash\"") == std::string::npos);
    CHECK(plan.hash == sha256_hex(bytes));
}

TEST_CASE("the plan hash does not depend on the hash that the plan carries") {
    Plan plan = RandomModel(8).plan();
    const std::string before = plan_hash(plan);
    plan.hash = "anything";
    CHECK(plan_hash(plan) == before);
}

TEST_CASE("the seed is a decimal text and keeps all 64 bits") {
    Plan plan = RandomModel(9).plan();
    plan.seed = UINT64_MAX;
    plan.hash = plan_hash(plan);
    const std::string text = plan_to_json(plan, Hash::with);
    CHECK(text.find("\"seed\":\"18446744073709551615\"") != std::string::npos);
    const Result<Plan> back = plan_from_json(text);
    REQUIRE(back);
    CHECK(back->seed == UINT64_MAX);
}

TEST_CASE("a seed that is no plain decimal text is refused") {
    Plan plan = RandomModel(9).plan();
    plan.seed = 42;
    plan.hash = plan_hash(plan);
    const std::string text = plan_to_json(plan, Hash::with);
    for (const char* bad :
         {"\"-1\"", "\"042\"", "\"42 \"", "\"\"", "42", "\"18446744073709551616\""}) {
        CAPTURE(bad);
        const Result<Plan> back =
            plan_from_json(with(text, "\"seed\":\"42\"", std::string("\"seed\":") + bad));
        REQUIRE_FALSE(back);
        CHECK(back.error().message.find("`seed`") != std::string::npos);
    }
}

TEST_CASE("a plan whose content was changed after hashing is refused") {
    Plan plan = RandomModel(10).plan();
    plan.environment = "lab";
    plan.hash = plan_hash(plan);
    const Result<Plan> back = plan_from_json(
        with(plan_to_json(plan, Hash::with), "\"environment\":\"lab\"", "\"environment\":\"prd\""));
    REQUIRE_FALSE(back);
    CHECK(back.error().code == Code::invalid);
    CHECK(back.error().message.find("hash") != std::string::npos);
}

TEST_CASE("a plan of a newer schema is refused as newer") {
    const std::string text = plan_to_json(RandomModel(11).plan(), Hash::with);
    const Result<Plan> back =
        plan_from_json(rehashed(with(text, "\"drill_plan\":1", "\"drill_plan\":2")));
    REQUIRE_FALSE(back);
    CHECK(back.error().code == Code::newer);
}

TEST_CASE("an unknown member of a plan is refused even when the hash fits") {
    const std::string text = plan_to_json(RandomModel(12).plan(), Hash::with);
    const Result<Plan> back = plan_from_json(
        rehashed(with(text, ",\"drill_version\"", ",\"drill_surprise\":1,\"drill_version\"")));
    REQUIRE_FALSE(back);
    CHECK(back.error().message == "`drill_surprise` is not known");
}

TEST_CASE("a lease without a password source is written as before there were any") {
    const std::string text = lease_to_json(example());
    CHECK(text.find("become_password") == std::string::npos);
    const Result<Lease> back = lease_from_json(text);
    REQUIRE(back);
    CHECK(back->connection.become_password.empty());
}

TEST_CASE("a lease keeps where the password of sudo lies") {
    Lease lease = example();
    lease.connection.become_password.command = {"pass", "show", "ops"};
    const Result<Lease> back = lease_from_json(lease_to_json(lease));
    REQUIRE(back);
    CHECK(back->connection.become_password == lease.connection.become_password);
    CHECK(problem(with(lease_to_json(lease), "\"credential\":\"\",", "")) ==
          "`connection.become_password.credential` is missing");
}

TEST_CASE("a missing member is named with its path") {
    CHECK(problem(with(lease_to_json(example()), "\"argv\":[\"nft\",\"delete\",\"table\"],", "")) ==
          "`change.undo[0].argv` is missing");
}

TEST_CASE("an unknown member is named with its path") {
    CHECK(problem(with(lease_to_json(example()), "\"argv\":", "\"argw\":1,\"argv\":")) ==
          "`change.undo[0].argw` is not known");
}

TEST_CASE("a member of a wrong type is named with its path") {
    const std::string text = lease_to_json(example());
    CHECK(problem(with(text, "[\"nft\",\"delete\"", "[\"nft\",7")) ==
          "`change.undo[0].argv[1]` is not a text");
    CHECK(problem(with(text, "\"undo\":[", "\"undo\":{},\"undo_\":[")) ==
          "`change.undo` is not a list");
    CHECK(problem(with(text, "\"ttl_ns\":0", "\"ttl_ns\":\"0\"")) == "`ttl_ns` is not an integer");
    CHECK(problem(with(text, "\"connection\":{", "\"connection\":[],\"x\":{")) ==
          "`connection` is not an object");
}

TEST_CASE("a number out of range is named with its path") {
    const std::string text = lease_to_json(example());
    CHECK(problem(with(text, "\"port\":22", "\"port\":65536")) ==
          "`connection.port` is out of range");
    CHECK(problem(with(text, "\"port\":22", "\"port\":-1")) == "`connection.port` is out of range");
}

TEST_CASE("an unknown enumerator is refused and the known ones are named") {
    CHECK(problem(with(lease_to_json(example()), "\"lasting\":\"transient\"",
                       "\"lasting\":\"forever\"")) ==
          "`change.lasting` is none of transient, stays");
}

TEST_CASE("floats, doubled members, huge numbers and trailing text are refused") {
    const std::string text = lease_to_json(example());
    CHECK(problem(with(text, "\"ttl_ns\":0", "\"ttl_ns\":0.5")) == "a number is not an integer");
    CHECK(problem(with(text, "\"ttl_ns\":0", "\"ttl_ns\":0,\"ttl_ns\":1")) ==
          "member `ttl_ns` stands twice");
    CHECK(problem(with(text, "\"ttl_ns\":0", "\"ttl_ns\":18446744073709551615")) ==
          "a number is too large");
    CHECK(problem(text + "x").starts_with("not valid JSON at byte"));
    CHECK(problem("").starts_with("not valid JSON at byte"));
    CHECK(problem("[]") == "not a JSON object");
}

TEST_CASE("nesting past 32 levels is refused before anything is built") {
    CHECK(problem(std::string(33, '[')) == "nested deeper than 32 levels");
    CHECK(problem(std::string(2'000'000, '[')) == "nested deeper than 32 levels");
}

TEST_CASE("texts past the size cap are refused") {
    CHECK(problem(std::string((std::size_t{16} << 20U) + 1, ' ')) == "larger than 16 MiB");
    const Result<Plan> plan = plan_from_json(std::string((std::size_t{64} << 20U) + 1, ' '));
    REQUIRE_FALSE(plan);
    CHECK(plan.error().message == "larger than 64 MiB");
}

TEST_CASE("a cut-off lease is refused at every length") {
    const std::string text = lease_to_json(example());
    for (std::size_t length = 0; length < text.size(); ++length) {
        CAPTURE(length);
        CHECK_FALSE(lease_from_json(std::string_view(text).substr(0, length)));
    }
}

TEST_CASE("a changed byte never breaks the reader") {
    const std::string text = lease_to_json(RandomModel(3).lease());
    Random random(1);
    for (int i = 0; i < 3000; ++i) {
        std::string bad = text;
        bad[static_cast<std::size_t>(random.below(bad.size()))] = static_cast<char>(random.next());
        const Result<Lease> back = lease_from_json(bad);
        if (back) { CHECK(lease_from_json(lease_to_json(*back))); }
    }
}

TEST_CASE("invalid UTF-8 becomes the replacement character") {
    Lease lease = example();
    lease.note = "bad \xff\xc3 byte";
    const Result<Lease> back = lease_from_json(lease_to_json(lease));
    REQUIRE(back);
    CHECK(back->note == "bad \xef\xbf\xbd\xef\xbf\xbd byte");
}

TEST_CASE("an event body holds the data but not the personal texts") {
    Event event;
    event.step = "cut-off";
    event.host = "app-1";
    event.lease = "l";
    event.message = "held";
    event.data = {{"n", std::int64_t{-3}}, {"t", std::string("x")}, {"b", true}};
    event.personal = {{"user", "kim"}};
    CHECK(event_body(event) == R"({"data":{"b":true,"n":-3,"t":"x"},"host":"app-1","lease":"l",)"
                               R"("message":"held","step":"cut-off"})");
}

TEST_CASE("an event comes back from its body, with the digests of personal texts") {
    Event event;
    event.step = "cut-off";
    event.message = "held";
    event.data = {{"n", INT64_MIN}, {"t", std::string("\"\n")}, {"b", false}};
    const Result<Event> back = event_from_body(event_body(event, {{"user", "00ff"}}));
    REQUIRE(back);
    CHECK(back->data == event.data);
    CHECK(back->step == event.step);
    CHECK(back->message == event.message);
    CHECK(back->personal.at("user") == "00ff");
    const Result<Event> bad = event_from_body(R"({"data":{"a":[]},"host":"","lease":"",)"
                                              R"("message":"","step":""})");
    REQUIRE_FALSE(bad);
    CHECK(bad.error().message.starts_with("`data.a` is not"));
}
