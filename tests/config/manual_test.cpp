// Claims of the manual: nothing that a person can meet in a file or a report is without a page.
#include "config/manual.hpp"

#include "base/text.hpp"
#include "config/codes.hpp"
#include "config/keys.hpp"
#include "config/manual_codes.hpp"
#include "faults/kinds.hpp"
#include "model/outcome.hpp"
#include "probes/kinds.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace drill;

namespace {

const std::vector<Topic>& topics() {
    static const std::vector<Topic> all =
        manual({fault_kinds(), probe_kinds(), fault_pages(), probe_pages()});
    return all;
}

/// The one topic of this group with this name; null when there is none or several.
const Topic* only(TopicGroup group, std::string_view name) {
    const Topic* found = nullptr;
    for (const Topic* topic : find_topics(topics(), name)) {
        if (topic->group != group) { continue; }
        if (found != nullptr) { return nullptr; }
        found = topic;
    }
    return found;
}

void check_explained(TopicGroup group, std::string_view name) {
    CAPTURE(name);
    const Topic* topic = only(group, name);
    REQUIRE(topic != nullptr);
    CHECK_FALSE(trim(topic->summary).empty());
    CHECK(topic->text.size() > topic->summary.size());
}

}  // namespace

TEST_CASE("every diagnostic code is explained, with its reason") {
    for (const CodeMeaning& meaning : code_meanings) {
        check_explained(TopicGroup::code, meaning.code);
        bool reason = false;
        for (const CodeHelp& help : code_helps()) {
            reason = reason || (help.code == meaning.code && !help.why.empty());
        }
        CHECK(reason);
    }
}

TEST_CASE("every table and every key of the files is explained") {
    for (const TableRule& table : table_rules()) {
        check_explained(TopicGroup::table, table.written());
    }
    for (const KeyRule& key : key_rules()) {
        check_explained(TopicGroup::key, std::string(key.table) + "." + std::string(key.name));
    }
}

TEST_CASE("every kind is explained by its whole page") {
    const auto covers = [](KindPages pages, std::string_view name, TopicGroup group) {
        check_explained(group, name);
        bool whole = false;
        for (const KindPage& page : pages) {
            if (page.name != name) { continue; }
            const std::string_view body = page.text.substr(page.text.find('\n') + 1);
            whole = body.size() > 200 &&
                    only(group, name)->text.find(std::string(body)) != std::string::npos;
        }
        CHECK(whole);
    };
    for (const Kind* kind : fault_kinds()) { covers(fault_pages(), kind->name, TopicGroup::fault); }
    for (const ProbeKind* kind : probe_kinds()) {
        covers(probe_pages(), kind->name, TopicGroup::probe);
    }
}

TEST_CASE("every parameter of a kind stands on its page") {
    const auto check = [](TopicGroup group, std::string_view name, std::span<const Param> params) {
        for (const Param& param : params) {
            CAPTURE(name);
            CAPTURE(param.name);
            CHECK(only(group, name)->text.find("`" + std::string(param.name) + "`") !=
                  std::string::npos);
        }
    };
    for (const Kind* kind : fault_kinds()) { check(TopicGroup::fault, kind->name, kind->params); }
    for (const ProbeKind* kind : probe_kinds()) {
        check(TopicGroup::probe, kind->name, kind->params);
    }
}

TEST_CASE("every verdict is explained under its name and under its exit code") {
    for (const Verdict verdict :
         {Verdict::passed, Verdict::failed, Verdict::usage, Verdict::refused, Verdict::halted,
          Verdict::invalid, Verdict::dirty}) {
        check_explained(TopicGroup::verdict, name_of(verdict));
        check_explained(TopicGroup::verdict, std::to_string(static_cast<int>(verdict)));
    }
    check_explained(TopicGroup::verdict, "70");
}

TEST_CASE("every metric says its formula or that it is not measured, and its inputs") {
    for (const char* name :
         {"success", "p50", "p90", "p95", "p99", "outage", "rto", "rpo", "regain", "before",
          "during", "latency", "lateness", "unknown", "bite", "held", "overstay"}) {
        CAPTURE(name);
        const Topic* topic = only(TopicGroup::metric, name);
        REQUIRE(topic != nullptr);
        const bool formula = topic->text.find("## Formula") != std::string::npos;
        const bool refused = topic->text.find("cannot measure") != std::string::npos;
        CHECK((formula || refused));
    }
}

TEST_CASE("no two topics of a group share a name") {
    std::set<std::string> seen;
    for (const Topic& topic : topics()) {
        CAPTURE(topic.name);
        CHECK(seen.insert(std::string(name_of(topic.group)) + " " + topic.name).second);
    }
}

TEST_CASE("a key named without its table gives all keys of that name") {
    CHECK(find_topics(topics(), "hosts").size() == 2);
    CHECK(find_topics(topics(), "limit.hosts").size() == 1);
    CHECK(find_topics(topics(), "within").size() == 1);
}

TEST_CASE("a topic is found in either case, and an unknown one gives the nearest names") {
    CHECK(find_topics(topics(), "e0102").size() == 1);
    CHECK(find_topics(topics(), "passed").size() == 1);
    CHECK(find_topics(topics(), "net-partitoin").empty());
    REQUIRE_FALSE(near_topics(topics(), "net-partitoin").empty());
    CHECK(near_topics(topics(), "net-partitoin").front() == "net-partition");
    CHECK(near_topics(topics(), "xyzzyxyzzy").empty());
    CHECK(find_topics(topics(), "").empty());
}
