// Outcomes as JSON, there and back.
#include "report/json.hpp"

#include "report/sample.hpp"

using namespace drill;
using namespace std::chrono_literals;

namespace {
std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}
}  // namespace

TEST_CASE("an outcome survives the way to JSON and back") {
    Outcome outcome = test::sample_outcome();
    outcome.verdict = Verdict::dirty;
    outcome.incomplete = true;
    outcome.ended_by = "signal";
    outcome.reasons = {"one", "two"};
    outcome.outages.push_back({"x", 1s, unbounded, 5s, std::nullopt, ""});
    outcome.changes[0].overstay = -200ms;
    outcome.integrity = Integrity::not_checked;
    outcome.changes[0].state = LeaseState::stuck;
    outcome.changes[0].check_finding = Finding::broken;
    outcome.changes[0].note = "nft: no such table";
    const std::string text = outcome_to_json(outcome);
    const auto back = outcome_from_json(text);
    REQUIRE(back);
    CHECK(outcome_to_json(*back) == text);
    CHECK(back->verdict == Verdict::dirty);
    CHECK(back->incomplete);
    CHECK(back->reasons == outcome.reasons);
    CHECK(back->integrity == Integrity::not_checked);
    CHECK(back->outages[1].upper == unbounded);
    CHECK_FALSE(back->outages[1].first_good);
    CHECK(back->outages[0].first_good == outcome.outages[0].first_good);
    CHECK(back->changes[0].overstay == outcome.changes[0].overstay);
    CHECK(back->changes[0].state == LeaseState::stuck);
    CHECK(back->changes[0].check_finding == Finding::broken);
    CHECK(back->changes[1].check == "orders-app is back after 1.2 s");
    CHECK(back->hypotheses[1].measured == outcome.hypotheses[1].measured);
    CHECK(back->objectives[0].objective == 10s);
    CHECK(back->ended - back->began == 62s);
}

TEST_CASE("no member of an outcome is a float") {
    const std::string text = outcome_to_json(Outcome{});
    CHECK(text.find('.') == std::string::npos);
}

TEST_CASE("invalid UTF-8 is replaced, not thrown about") {
    Outcome outcome;
    outcome.reasons = {"bad \xff byte"};
    CHECK(outcome_from_json(outcome_to_json(outcome)));
}

TEST_CASE("what is no outcome is refused with the member that is wrong") {
    const std::string good = outcome_to_json(test::sample_outcome());
    CHECK_FALSE(outcome_from_json(""));
    CHECK_FALSE(outcome_from_json("[]"));
    CHECK_FALSE(outcome_from_json("{}"));
    CHECK_FALSE(outcome_from_json(good.substr(0, good.size() - 1)));
    const auto verdict = outcome_from_json(replaced(good, "\"PASSED\"", "\"GREEN\""));
    REQUIRE_FALSE(verdict);
    CHECK(verdict.error().message.find("verdict") != std::string::npos);
    const auto state = outcome_from_json(replaced(good, "\"released\"", "7"));
    REQUIRE_FALSE(state);
    CHECK(state.error().message.find("changes[0].state") != std::string::npos);
    const auto reasons = outcome_from_json(replaced(good, "\"reasons\":[]", "\"reasons\":[1]"));
    REQUIRE_FALSE(reasons);
    CHECK(reasons.error().message.find("reasons") != std::string::npos);
}

TEST_CASE("an outcome of a later format is told apart from a broken one") {
    const std::string text =
        replaced(outcome_to_json(Outcome{}), "\"drill_outcome\":1", "\"drill_outcome\":2");
    const auto read = outcome_from_json(text);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Code::newer);
}
