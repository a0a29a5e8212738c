// The schema and the loader say the same of every file of tests/config/corpus, as far as a schema
// can. valijson judges; the files are read as TOML by the same parser as always.
#include "config/schema.hpp"

#include "base/random.hpp"
#include "base/text.hpp"
#include "config/document.hpp"
#include "faults/kinds.hpp"
#include "probes/kinds.hpp"
#include "samples.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

// The validator's headers are not written for our warnings.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wold-style-cast"
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>
#pragma GCC diagnostic pop

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

using namespace drill;
using Json = nlohmann::json;
namespace fs = std::filesystem;

namespace {

Json to_json(const Node& node) {
    switch (node.type) {
        case Node::Type::text: return node.text;
        case Node::Type::integer: return node.integer;
        case Node::Type::real: return 1.5;
        case Node::Type::boolean: return node.boolean;
        case Node::Type::moment: return nullptr;  // JSON has no dates: a type that nothing allows
        case Node::Type::array: {
            Json list = Json::array();
            for (const Node& item : node.items) { list.push_back(to_json(item)); }
            return list;
        }
        case Node::Type::table: {
            Json object = Json::object();
            for (const Member& member : node.members) {
                object[member.key] = to_json(member.value);
            }
            return object;
        }
    }
    return nullptr;
}

class Validator {
public:
    explicit Validator(DefinitionFile file)
        : json_(Json::parse(schema_json(file, fault_kinds(), probe_kinds()))) {
        valijson::SchemaParser parser(valijson::SchemaParser::kDraft4);
        parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(json_), schema_);
    }
    bool accepts(const Json& document) const {
        valijson::Validator validator;
        return validator.validate(schema_, valijson::adapters::NlohmannJsonAdapter(document),
                                  nullptr);
    }
    const Json& json() const { return json_; }

private:
    Json json_;
    valijson::Schema schema_;
};

const Validator& validator_of(const std::string& sort) {
    static const Validator experiment(DefinitionFile::experiment);
    static const Validator catalog(DefinitionFile::catalog);
    return sort == "catalog" ? catalog : experiment;
}

std::string text_of(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream bytes;
    bytes << in.rdbuf();
    return bytes.str();
}

Diagnostics judged_by_loader(const std::string& sort, const std::string& text) {
    if (sort == "catalog") { return parse_catalog(text, "/lab/drill.toml").diagnostics; }
    static const Catalog catalog = test::lab();
    return parse_experiment(text, "two.toml", fault_kinds(), probe_kinds(), &catalog).diagnostics;
}

bool judged_by_schema(const std::string& sort, const std::string& text) {
    Report report("corpus");
    const auto root = parse_document(text, experiment_caps, report);
    return root && validator_of(sort).accepts(to_json(*root));
}

std::vector<fs::path> files_of(const std::string& sort, const std::string& quality) {
    std::vector<fs::path> files;
    const fs::path folder = fs::path(DRILL_SOURCE_DIR) / "tests/config/corpus" / sort / quality;
    for (const auto& entry : fs::directory_iterator(folder)) {
        if (entry.path().extension() == ".toml") { files.push_back(entry.path()); }
    }
    std::sort(files.begin(), files.end());
    REQUIRE(files.size() >= 3);
    return files;
}

/// "# E0102" on the first line.
std::string wanted_code(const std::string& text) { return text.substr(2, 5); }

void check_bad(const std::string& quality, bool schema_accepts) {
    for (const char* sort : {"experiment", "catalog"}) {
        for (const fs::path& path : files_of(sort, quality)) {
            CAPTURE(path.filename().string());
            const std::string text = text_of(path);
            const Diagnostics found = judged_by_loader(sort, text);
            CHECK(has_errors(found));
            CHECK(std::any_of(found.begin(), found.end(), [&](const Diagnostic& one) {
                return one.code == wanted_code(text);
            }));
            CHECK(judged_by_schema(sort, text) == schema_accepts);
        }
    }
}

const std::regex& pattern_of(const char* pointer) {
    static std::map<std::string, std::regex> patterns;
    const Json& json = validator_of("experiment").json();
    const std::string text = json.at(Json::json_pointer(pointer)).get<std::string>();
    return patterns.try_emplace(pointer, text, std::regex::ECMAScript).first->second;
}

}  // namespace

TEST_CASE("good files of the corpus are good to loader and schema") {
    for (const char* sort : {"experiment", "catalog"}) {
        for (const fs::path& path : files_of(sort, "good")) {
            CAPTURE(path.filename().string());
            const std::string text = text_of(path);
            CHECK(test::shown(judged_by_loader(sort, text), text) == "");
            CHECK(judged_by_schema(sort, text));
        }
    }
}

TEST_CASE("files of a bad shape are refused by loader and schema") { check_bad("shape", false); }

TEST_CASE("files of a bad meaning are refused by the loader alone") { check_bad("meaning", true); }

TEST_CASE("the shipped experiments and the examples of all pages fit the schema") {
    for (const auto& entry : fs::directory_iterator(fs::path(DRILL_SOURCE_DIR) / "experiments")) {
        if (entry.path().extension() != ".toml" || entry.path().filename() == "drill.toml") {
            continue;
        }
        CAPTURE(entry.path().filename().string());
        CHECK(judged_by_schema("experiment", text_of(entry.path())));
    }
    const Json& steps = validator_of("experiment").json().at("properties").at("step").at("items");
    const Json& probes = validator_of("experiment").json().at("properties").at("probe").at("items");
    CHECK(steps.at("oneOf").size() == fault_kinds().size());
    CHECK(probes.at("oneOf").size() == probe_kinds().size());
}

TEST_CASE("the schema's pattern takes every duration that the loader takes") {
    const std::regex& pattern = pattern_of("/properties/limit/properties/longest/pattern");
    Random random(4711);
    int good = 0;
    for (int i = 0; i < 20'000; ++i) {
        std::string text;
        for (std::uint64_t n = random.below(9) + 1; n > 0; --n) {
            static const std::vector<std::string> parts{"1",  "30", "5",  ".", "d",  "h", "m", "s",
                                                        "ms", "us", "ns", " ", "\t", "-", "0"};
            text += parts[static_cast<std::size_t>(random.below(parts.size()))];
        }
        if (!parse_duration(text)) { continue; }
        ++good;
        CAPTURE(text);
        CHECK(std::regex_match(text, pattern));
    }
    CHECK(good > 100);
}

TEST_CASE("the schema's pattern takes every percentage that the loader takes") {
    const std::regex& pattern = pattern_of("/properties/limit/properties/share/pattern");
    Random random(4712);
    int good = 0;
    for (int i = 0; i < 20'000; ++i) {
        std::string text;
        for (std::uint64_t n = random.below(5) + 1; n > 0; --n) {
            static const std::vector<std::string> parts{"1", "50", "99", ".", "%", " ", "0", "\t"};
            text += parts[static_cast<std::size_t>(random.below(parts.size()))];
        }
        if (!parse_percent(text)) { continue; }
        ++good;
        CAPTURE(text);
        CHECK(std::regex_match(text, pattern));
    }
    CHECK(good > 100);
}

TEST_CASE("the same tables give the same bytes") {
    const std::string once = schema_json(DefinitionFile::experiment, fault_kinds(), probe_kinds());
    CHECK(once == schema_json(DefinitionFile::experiment, fault_kinds(), probe_kinds()));
    CHECK(once.find("\"http://json-schema.org/draft-04/schema#\"") != std::string::npos);
    CHECK(once.ends_with("}\n"));
}
