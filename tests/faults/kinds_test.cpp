// Claims that hold for every kind of fault, also for the one that is written next.
#include "base/text.hpp"
#include "faults/requests.hpp"

#include <doctest/doctest.h>
#include <toml++/toml.h>
#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

using namespace drill;
using namespace drill::test;

namespace {

constexpr const char* canary = "$(touch /tmp/drill-canary)'\"`;|&";

std::string page_of(const Kind& kind) {
    std::ostringstream text;
    text
        << std::ifstream(DRILL_SOURCE_DIR "/core/faults/" + std::string(kind.name) + ".md").rdbuf();
    return text.str();
}

/// The first ```toml block behind the heading Example.
std::string example_of(const std::string& page) {
    const std::size_t heading = page.find("## Example");
    if (heading == std::string::npos) { return ""; }
    const std::size_t begin = page.find("```toml\n", heading);
    if (begin == std::string::npos) { return ""; }
    return page.substr(begin + 8, page.find("\n```", begin) - begin - 7);
}

std::vector<Exec> all_commands(const Change& change) {
    std::vector<Exec> all;
    for (const auto* part : {&change.arm, &change.apply, &change.renew, &change.undo,
                             &change.read_back, &change.disarm, &change.check}) {
        all.insert(all.end(), part->begin(), part->end());
    }
    for (const Stimulus& stimulus : change.stimulate) { all.push_back(stimulus.exec); }
    return all;
}

bool runs_script(const Exec& exec) {
    return exec.argv.size() >= 3 && exec.argv[0] == "sh" && exec.argv[1] == "-c";
}

}  // namespace

TEST_CASE("the table holds every kind once, sorted by name") {
    std::vector<std::string> names;
    for (const Kind* kind : fault_kinds()) { names.emplace_back(kind->name); }
    CHECK(names.size() >= 8);
    CHECK(std::is_sorted(names.begin(), names.end()));
    CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
}

TEST_CASE("what kills, cuts the power, takes what files need or is not known may hurt data") {
    // An orderly stop and a frozen or unreachable process lose nothing that was written.
    const std::set<std::string_view> harmful{"command",     "disk-fill",  "fd-exhaust",
                                             "host-reboot", "inode-fill", "process-kill"};
    for (const Kind* kind : fault_kinds()) {
        CAPTURE(kind->name);
        CHECK(kind->harms_data == harmful.contains(kind->name));
    }
}

TEST_CASE("every kind has a summary of one sentence and all its functions") {
    for (const Kind* kind : fault_kinds()) {
        CAPTURE(kind->name);
        CHECK(kind->summary.size() > 20);
        CHECK(kind->summary.back() == '.');
        CHECK((kind->observe != nullptr));
        CHECK((kind->compose != nullptr));
        CHECK((kind->describe != nullptr));
        for (const Param& param : kind->params) {
            CAPTURE(param.name);
            CHECK(param.help.size() > 10);
            CHECK(param.help.back() == '.');
            CHECK((param.type == ParamType::choice) == !param.choices.empty());
            CHECK_FALSE((param.required && !param.fallback.empty()));
        }
    }
}

TEST_CASE("every kind has a page with the fixed headings in their order") {
    for (const Kind* kind : fault_kinds()) {
        CAPTURE(kind->name);
        const std::string page = page_of(*kind);
        CHECK(page.substr(0, page.find('\n')) == "# " + std::string(kind->name));
        std::size_t place = 0;
        for (const char* heading :
             {"## What it does", "## Needs on the target", "## Parameters", "## How it is undone",
              "## Undo by hand", "## How to see it worked", "## Example"}) {
            CAPTURE(heading);
            const std::size_t found = page.find(std::string("\n") + heading + "\n", place);
            CHECK(found != std::string::npos);
            place = found;
        }
    }
}

TEST_CASE("the page documents every parameter with its default") {
    for (const Kind* kind : fault_kinds()) {
        const std::string page = page_of(*kind);
        for (const Param& param : kind->params) {
            CAPTURE(kind->name);
            CAPTURE(param.name);
            const std::size_t row = page.find("\n| `" + std::string(param.name) + "` |");
            REQUIRE(row != std::string::npos);
            const std::string text = page.substr(row + 1, page.find('\n', row + 1) - row - 1);
            if (param.required) { CHECK(text.find("required") != std::string::npos); }
            CHECK(text.find(param.fallback) != std::string::npos);
            for (const std::string& choice : split(param.choices, '|')) {
                CHECK(text.find(choice) != std::string::npos);
            }
        }
    }
}

TEST_CASE("the example of the page is a step of this kind with parameters it has") {
    for (const Kind* kind : fault_kinds()) {
        CAPTURE(kind->name);
        const std::string example = example_of(page_of(*kind));
        toml::table file;
        REQUIRE_NOTHROW(file = toml::parse(example));
        const toml::table* step = file["step"][0].as_table();
        REQUIRE(step != nullptr);
        CHECK((*step)["fault"].value_or(std::string()) == kind->name);
        std::set<std::string> given;
        if (const toml::table* with = (*step)["with"].as_table()) {
            for (const auto& [key, value] : *with) { given.emplace(key.str()); }
        }
        for (const Param& param : kind->params) {
            const bool is_given = given.erase(std::string(param.name)) == 1;
            CHECK((is_given || !param.required));
        }
        CHECK(given.empty());
    }
}

TEST_CASE("the same request composes the same change") {
    for (const Kind* kind : fault_kinds()) {
        CAPTURE(kind->name);
        const ChangeRequest request = request_for(*kind, Binding::run);
        const Result<Change> first = kind->compose(request);
        const Result<Change> second = kind->compose(request);
        REQUIRE(bool(first));
        CHECK(*first == *second);
        CHECK(first->ending == kind->ending);
    }
}

TEST_CASE("the plan differs from the run only in its placeholders") {
    for (const Kind* kind : fault_kinds()) {
        CAPTURE(kind->name);
        const Result<Change> plan = kind->compose(request_for(*kind, Binding::plan));
        const Result<Change> run = kind->compose(request_for(*kind, Binding::run));
        REQUIRE(bool(plan));
        REQUIRE(bool(run));
        std::string text = text_of_change(*plan);
        for (const auto& [placeholder, bound] :
             {std::pair{"{lease}", "abc123def456"}, std::pair{"{pid}", "4711"},
              std::pair{"{start}", "88123"}, std::pair{"{handle}", "783"}}) {
            for (std::size_t at = text.find(placeholder); at != std::string::npos;
                 at = text.find(placeholder)) {
                text.replace(at, std::strlen(placeholder), bound);
            }
        }
        // Quotes around a placeholder fall away with it.
        std::erase(text, '\'');
        std::string bound = text_of_change(*run);
        std::erase(bound, '\'');
        CHECK(text == bound);
    }
}

TEST_CASE("an undo is at most five programs without input, and an instant change has none") {
    for (const Kind* kind : fault_kinds()) {
        CAPTURE(kind->name);
        const Result<Change> change = kind->compose(request_for(*kind, Binding::run));
        REQUIRE(bool(change));
        CHECK(change->undo.size() <= 5);
        CHECK(change->undo.empty() == (kind->ending == Ending::instant));
        CHECK(change->renew.empty() ==
              (kind->ending != Ending::kernel && kind->ending != Ending::holder));
        CHECK_FALSE(change->read_back.empty());
        CHECK(change->lasting == Lasting::transient);
        for (const Exec& exec : change->undo) { CHECK(exec.input.empty()); }
        for (const Exec& exec : all_commands(*change)) {
            REQUIRE_FALSE(exec.argv.empty());
            CHECK_FALSE(exec.argv.front().empty());
        }
    }
}

TEST_CASE("no text of a parameter, an address or a device stands in a script or in nft text") {
    for (const Kind* kind : fault_kinds()) {
        CAPTURE(kind->name);
        for (const Param& param : kind->params) {
            CAPTURE(param.name);
            ChangeRequest request = request_for(*kind, Binding::run);
            if (param.type == ParamType::text || param.type == ParamType::choice) {
                request.params[std::string(param.name)] = std::string(canary);
            } else if (param.type == ParamType::texts || param.type == ParamType::ports) {
                request.params[std::string(param.name)] = std::vector<std::string>{"true", canary};
            } else {
                continue;
            }
            const Result<Change> change = kind->compose(request);
            if (!change) { continue; }  // refused: nothing is sent
            for (const Exec& exec : all_commands(*change)) {
                if (runs_script(exec)) {
                    CHECK(exec.argv[2].find("drill-canary") == std::string::npos);
                }
                if (exec.argv[0] == "nft") {
                    CHECK(shell_join(exec.argv).find("drill-canary") == std::string::npos);
                    CHECK(exec.input.find("drill-canary") == std::string::npos);
                }
            }
            for (const Exec& exec : kind->observe(request)) {
                REQUIRE(runs_script(exec));
                CHECK(exec.argv[2].find("drill-canary") == std::string::npos);
            }
        }
    }
}

TEST_CASE("noop writes what it was told and compares it") {
    ChangeRequest request = request_for(kind_of("noop"), Binding::run);
    request.params["say"] = std::string(canary);
    const Result<Change> change = kind_of("noop").compose(request);
    REQUIRE(bool(change));
    CHECK(change->apply.front().input == std::string(canary) + "\n");
    CHECK(change->read_back.front().argv.back() == canary);
}

TEST_CASE("noop refuses text of two lines") {
    ChangeRequest request = request_for(kind_of("noop"), Binding::run);
    request.params["say"] = std::string("a\nb");
    CHECK(refusal_of(kind_of("noop"), request) == "`say` must be one line");
}

TEST_CASE("command sends every argv as it was written") {
    ChangeRequest request = request_for(kind_of("command"), Binding::run);
    request.params["apply"] = std::vector<std::string>{"printf", canary};
    const Result<Change> change = kind_of("command").compose(request);
    REQUIRE(bool(change));
    CHECK(change->apply.front().argv == std::vector<std::string>{"printf", canary});
}

TEST_CASE("command refuses an argv without a program or with a NUL byte") {
    for (const char* name : {"apply", "undo", "read_back"}) {
        CAPTURE(name);
        ChangeRequest request = request_for(kind_of("command"), Binding::run);
        request.params[name] = std::vector<std::string>{};
        CHECK(refusal_of(kind_of("command"), request).find("names no program") !=
              std::string::npos);
        request.params[name] = std::vector<std::string>{"  ", "x"};
        CHECK(refusal_of(kind_of("command"), request).find("names no program") !=
              std::string::npos);
        request.params[name] = std::vector<std::string>{"a", std::string("b\0c", 3)};
        CHECK(refusal_of(kind_of("command"), request).find("NUL") != std::string::npos);
    }
}

TEST_CASE("command refuses a check without a program") {
    ChangeRequest request = request_for(kind_of("command"), Binding::run);
    request.params["check"] = std::vector<std::string>{""};
    CHECK(refusal_of(kind_of("command"), request) == "`check` names no program");
}
