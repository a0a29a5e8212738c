// Claims of diagnostics for other programs: nothing is lost, and nothing breaks out of its place.
#include "config/diagnostic_formats.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace drill;
using Json = nlohmann::json;

namespace {

const std::vector<FileDiagnostics> found{{"good.toml", {}},
                                         {"a b,c:d.toml",
                                          {{.severity = Severity::error,
                                            .code = "E0102",
                                            .place = {"a b,c:d.toml", 5, 12, 3},
                                            .summary = "unknown key `x`\n::error::100 % mine",
                                            .label = "here",
                                            .help = "did you mean `y`?"},
                                           {.severity = Severity::warning,
                                            .code = "E0408",
                                            .place = {"a b,c:d.toml", 0, 0, 1},
                                            .summary = "no step"}}}};

}  // namespace

TEST_CASE("JSON holds every diagnostic of every file") {
    const Json json = Json::parse(diagnostics_to_json(found));
    REQUIRE(json.at("files").size() == 2);
    CHECK(json["files"][0]["ok"] == true);
    CHECK(json["files"][1]["ok"] == false);
    REQUIRE(json["files"][1]["diagnostics"].size() == 2);
    const Json& one = json["files"][1]["diagnostics"][0];
    CHECK(one["code"] == "E0102");
    CHECK(one["line"] == 5);
    CHECK(one["column"] == 12);
    CHECK(one["length"] == 3);
    CHECK(one["help"] == "did you mean `y`?");
}

TEST_CASE("an annotation is one line, whatever its texts hold") {
    CHECK(diagnostics_to_github(found) ==
          "::error file=a b%2Cc%3Ad.toml,line=5,col=12,endColumn=15,title=E0102::"
          "unknown key `x`%0A::error::100 %25 mine%0Adid you mean `y`?\n"
          "::warning file=a b%2Cc%3Ad.toml,title=E0408::no step\n");
}

TEST_CASE("SARIF has the members that 2.1.0 requires") {
    const Json log = Json::parse(diagnostics_to_sarif(found, "0.1.0"));
    CHECK(log.at("version") == "2.1.0");
    REQUIRE(log.at("runs").size() == 1);
    const Json& run = log["runs"][0];
    CHECK(run.at("tool").at("driver").at("name") == "drill");
    REQUIRE(run.at("results").size() == 2);
    for (const Json& result : run["results"]) {
        CHECK(result.at("message").at("text").is_string());
        bool known = false;
        for (const Json& rule : run["tool"]["driver"].at("rules")) {
            known = known || rule.at("id") == result.at("ruleId");
        }
        CHECK(known);
        const Json& place = result.at("locations")[0].at("physicalLocation");
        CHECK(place.at("artifactLocation").at("uri") == "a%20b%2Cc%3Ad.toml");
    }
    const Json& region = run["results"][0]["locations"][0]["physicalLocation"]["region"];
    CHECK(region == Json{{"startLine", 5}, {"startColumn", 12}, {"endColumn", 15}});
    CHECK_FALSE(run["results"][1]["locations"][0]["physicalLocation"].contains("region"));
}
