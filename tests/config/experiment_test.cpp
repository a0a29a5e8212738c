// Experiments: what loads, and for each mistake its code, place and words.
// Longer than 600 lines because every mistake has a case of its own.
#include "config/codes.hpp"
#include "samples.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <set>

using namespace drill;
using namespace drill::test;
using namespace std::chrono_literals;

TEST_CASE("the sample experiment of the design loads without a word") {
    const Catalog catalog = lab();
    const LoadedExperiment loaded = load(sample_experiment, &catalog);
    CHECK_MESSAGE(loaded.diagnostics.empty(), shown(loaded.diagnostics, sample_experiment));
    const Experiment& e = loaded.experiment;
    CHECK(e.name == "orders-backend-loss");
    CHECK(e.service == "orders");
    CHECK(e.rto == Nanos{10s});
    CHECK_FALSE(e.rpo.has_value());
    CHECK(e.limit.hosts == 1);
    CHECK(e.limit.share == Percent{500'000});
    CHECK(e.limit.longest == 5min);
    CHECK(e.limit.lease == 15s);
    CHECK(e.bytes == sample_experiment);
    REQUIRE(e.targets.size() == 1);
    CHECK(e.targets[0].match.labels.at("role") == "orders-app");
    CHECK(e.targets[0].pick.count == 1);
    CHECK(e.targets[0].place == Place{"two.toml", 14, 1, 16});
}

TEST_CASE("the probe of the sample has its parameters, nested ones flat, and defaults") {
    const Experiment e = load(sample_experiment).experiment;
    REQUIRE(e.probes.size() == 1);
    const ProbeSpec& probe = e.probes[0];
    CHECK(probe.kind == "http");
    CHECK(probe.every == 50ms);
    CHECK(probe.timeout == 1s);
    CHECK(*value_of<std::string>(probe.params, "url") == "http://orders.lab:8080/orders");
    CHECK(*value_of<std::int64_t>(probe.params, "ok.status") == 200);
    CHECK(*value_of<Nanos>(probe.params, "ok.within") == 250ms);
    CHECK(*value_of<std::string>(probe.params, "method") == "GET");
    CHECK(value_of<std::string>(probe.params, "body") == nullptr);
}

TEST_CASE("hypotheses and halts of the sample are parsed") {
    const Experiment e = load(sample_experiment).experiment;
    REQUIRE(e.hypotheses.size() == 1);
    const HypothesisSpec& h = e.hypotheses[0];
    REQUIRE(h.before);
    CHECK(h.before->metric == Predicate::Metric::success);
    CHECK(h.before->compare == Predicate::Compare::ge);
    CHECK(h.before->ppm == 990'000);
    CHECK(h.before->span == Nanos{10s});
    CHECK(h.before->text == "success >= 99% for 10s");
    REQUIRE(h.during);
    CHECK_FALSE(h.during->span.has_value());
    CHECK(h.regain == Regain{10s, 5s, Regain::From::fault});
    REQUIRE(e.halts.size() == 1);
    CHECK(e.halts[0].when.compare == Predicate::Compare::lt);
    CHECK(e.halts[0].when.span == Nanos{20s});
}

TEST_CASE("steps of the sample have complete parameters and places of their keys") {
    const Experiment e = load(sample_experiment).experiment;
    REQUIRE(e.steps.size() == 2);
    const StepSpec& cut = e.steps[0];
    CHECK(cut.hold == 30s);
    CHECK_FALSE(cut.after.has_value());
    CHECK(value_of<Selection>(cut.with, "from")->labels.at("role") == "balancer");
    CHECK(*value_of<std::string>(cut.with, "direction") == "both");
    CHECK(value_of<Percent>(cut.with, "loss")->ppm == 1'000'000);
    CHECK(cut.places.at("with.from").line == 40);
    CHECK(cut.places.at("hold") == Place{"two.toml", 41, 9, 5});
    const StepSpec& kill = e.steps[1];
    CHECK(kill.after == std::vector<After>{{"cut-off", false}});
    CHECK(kill.hold == 0s);
    CHECK(*value_of<std::int64_t>(kill.with, "count") == 1);
    CHECK(*value_of<Nanos>(kill.with, "expect_restart") == 20s);
}

TEST_CASE("all forms of selections, picks, ports, after and tables load") {
    std::string text = sample_experiment;
    text = with(text, "match = { role = \"orders-app\" }", "match = [\"app-1\", \"app-2\"]");
    text = with(text, "pick  = 1", "pick  = \"50%\"");
    text = with(text, "longest = \"5m\"", "longest = \"5m\"\nof = \"all\"\nlease = \"30s\"");
    text = with(text, "direction = \"both\" }", "ports = [80, \"8000-8100\"] }");
    text = with(text, "after = [\"cut-off\"]", "after = [\"cut-off:held\"]\ncuts_control = true");
    text = with(text, "cuts_control = true", "cuts_control = true\non_partial = \"continue\"");
    text = with(text, "timeout = \"1s\"", "timeout = \"1s\"\nheaders = { Accept = \"5s\", n = 3 }");
    text = with(text, "hold = \"5s\" }", "hold = \"5s\", from = \"undo\" }");
    const Catalog catalog = lab();
    const LoadedExperiment loaded = load(text, &catalog);
    REQUIRE_MESSAGE(loaded.diagnostics.empty(), shown(loaded.diagnostics, text));
    const Experiment& e = loaded.experiment;
    CHECK(e.targets[0].match.hosts == std::vector<std::string>{"app-1", "app-2"});
    CHECK(e.targets[0].pick.how == Pick::How::percent);
    CHECK(e.limit.of->all);
    CHECK(e.limit.lease == 30s);
    CHECK(*value_of<std::vector<std::string>>(e.steps[0].with, "ports") ==
          std::vector<std::string>{"80", "8000-8100"});
    CHECK(e.steps[1].after == std::vector<After>{{"cut-off", true}});
    CHECK((e.steps[1].cuts_control && e.steps[1].on_partial == OnPartial::go_on));
    CHECK(*value_of<std::string>(e.probes[0].params, "headers.Accept") == "5s");
    CHECK(*value_of<std::int64_t>(e.probes[0].params, "headers.n") == 3);
    CHECK(e.hypotheses[0].regain->from == Regain::From::undo);
}

TEST_CASE("a table of free keys has its default, and `within` in it is a duration") {
    const std::string old = "kind    = \"http\"\nurl     = \"http://orders.lab:8080/orders\"";
    const std::string command = "kind = \"command\"\nargv = [\"true\", \"a b\"]";
    SUBCASE("given") {
        const Experiment e = load(with(sample_experiment, old, command)).experiment;
        CHECK(*value_of<Nanos>(e.probes[0].params, "ok.within") == 250ms);
        CHECK(*value_of<std::vector<std::string>>(e.probes[0].params, "argv") ==
              std::vector<std::string>{"true", "a b"});
    }
    SUBCASE("absent") {
        const std::string text = with(with(sample_experiment, old, command),
                                      "ok      = { status = 200, within = \"250ms\" }", "");
        CHECK(*value_of<std::int64_t>(load(text).experiment.probes[0].params, "ok.status") == 0);
    }
}

TEST_CASE("CRLF and a byte order mark load like anything else") {
    std::string text = "\xef\xbb\xbf";
    for (const char c : sample_experiment) {
        text += c == '\n' ? std::string("\r\n") : std::string(1, c);
    }
    const LoadedExperiment loaded = load(text);
    CHECK_MESSAGE(loaded.diagnostics.empty(), shown(loaded.diagnostics, text));
    CHECK(loaded.experiment.steps[0].places.at("hold") == Place{"two.toml", 41, 9, 5});
}

namespace {

/// One mistake in the sample: replace, then expect this diagnostic and no other.
struct Mistake {
    const char* from;
    const char* to;
    std::string_view code;
    std::size_t line, column, length;
    const char* says;  ///< within summary or help
};

void check_mistakes(std::span<const Mistake> mistakes, const Catalog* catalog) {
    for (const Mistake& m : mistakes) {
        const std::string text = with(sample_experiment, m.from, m.to);
        CAPTURE(std::string(m.from));
        CAPTURE(std::string(m.to));
        REQUIRE_FALSE(text.empty());
        const Diagnostics found = load(text, catalog).diagnostics;
        const std::string out = shown(found, text);
        CAPTURE(out);
        REQUIRE(found.size() == 1);
        CHECK(found[0].code == m.code);
        CHECK(found[0].place == Place{"two.toml", m.line, m.column, m.length});
        const std::string words = found[0].summary + "\n" + found[0].help;
        CHECK_MESSAGE(words.find(m.says) != std::string::npos, m.says);
    }
}

}  // namespace

TEST_CASE("syntax errors are said in plain words at the right place") {
    const Mistake mistakes[] = {
        {"rto = \"10s\"", "rto = 15m", codes::bare_duration, 7, 7, 3, "rto = \"15m\""},
        {"rto = \"10s\"", "rto = 1.5 s # c", codes::bare_duration, 7, 7, 5, "\"1.5 s\""},
        {"within = \"250ms\"", "within = 250ms", codes::bare_duration, 24, 36, 5,
         "within = \"250ms\""},
        {"share   = \"50%\"", "share   = 50%", codes::bare_percent, 11, 11, 3, "share = \"50%\""},
        {"service = \"orders\" ", "service = orders ", codes::bare_word, 4, 11, 6,
         "service = \"orders\""},
        {"title   = \"Orders keeps answering when one backend is cut off\"", "title = it is john's",
         codes::bare_word, 3, 9, 12, "a text needs quotes"},
        {"pick  = 1  ", "pick  = all ", codes::bare_word, 16, 9, 3, "pick = \"all\""},
        {"hold  = \"30s\"", "hold  = \"30s\"\ncuts_control = True", codes::bare_word, 42, 16, 4,
         "write true"},
        {"hold  = \"30s\"", "hold  = \"30s\"\ncuts_control = no", codes::bare_word, 42, 16, 2,
         "write false"},
        {"rto = \"10s\"", "rto = \"10s", codes::open_string, 7, 7, 4, "string is not closed"},
        {"rto = \"10s\"", "rto = '10s", codes::open_string, 7, 7, 4, "add the closing `'`"},
        {"rto = \"10s\"", "rto = \"\"\"10s", codes::open_string, 7, 7, 3, "not closed"},
        {"rto = \"10s\"", "rto \"10s\"", codes::missing_equals, 7, 1, 3,
         "`=` is missing after `rto`"},
        {"rto = \"10s\"", "rto: \"10s\"", codes::missing_equals, 7, 1, 4, "`=`"},
        {"rto = \"10s\"", "rto : \"10s\"", codes::missing_equals, 7, 1, 3, "not `:`"},
        {"rto = \"10s\"", "rto", codes::missing_equals, 7, 1, 3, "write `rto` = value"},
        {"rto = \"10s\"", "rto =", codes::missing_value, 7, 1, 3, "`rto` has no value"},
        {"rto = \"10s\"", "rto = \"10s\"\nrto = \"9s\"", codes::duplicate_key, 8, 1, 3,
         "first given at line 7, column 1"},
        {"rto = \"10s\"", "rto = \"10s\"\n[experiment]", codes::duplicate_key, 8, 2, 10,
         "first given at line 1, column 2"},
        {"within = \"250ms\" }", "status = 201 }", codes::duplicate_key, 24, 27, 6,
         "first given at line 24, column 13"},
        {"[objective]", "[objective", codes::open_bracket, 6, 1, 1, "header is not closed"},
        {"[objective]", "[{x]", codes::bad_syntax, 6, 2, 1, "cannot begin with"},
        {"[objective]", "[ü]", codes::bad_syntax, 6, 2, 1, "need quotes"},
        {"[objective]", "[[.x]]", codes::bad_syntax, 6, 3, 1, "cannot begin with"},
        {"after = [\"cut-off\"]", "after = [\"cut-off\"", codes::open_bracket, 45, 9, 1,
         "array is not closed"},
        {"within = \"250ms\" }", "within = \"250ms\"", codes::split_table, 24, 11, 1,
         "must end on its line"},
        {"rto = \"10s\"", "größe = 1", codes::bad_syntax, 7, 1, 5, "`größe` needs quotes"},
        {"rto = \"10s\"", "é = 1", codes::bad_syntax, 7, 1, 1, "cannot begin with this"},
        {"rto = \"10s\"", "rto = ä", codes::bare_word, 7, 7, 1, "rto = \"ä\""},
        {"after = [\"cut-off\"]", "after = [\n  cut-off,\n]", codes::bare_word, 46, 3, 7,
         "a text needs quotes"},
        {"rto = \"10s\"", "rto = \"10\\q\"", codes::bad_syntax, 7, 11, 1, "escape"},
        {"hosts   = 1", "hosts   = 01", codes::bad_syntax, 10, 11, 2, "begin with 0"},
        {"hosts   = 1", "hosts   = 1 2", codes::bad_syntax, 10, 13, 1, "nothing may follow"},
        {"after = [\"cut-off\"]", "after = [\"a\" \"b\"]", codes::bad_syntax, 45, 14, 1, "comma"},
        {"rto = \"10s\"", "rto = \"\xff\"", codes::bad_utf8, 7, 7, 1, "UTF-8"},
        {"rto = \"10s\"", "rto = \"\x01\"", codes::control_byte, 7, 8, 1, "control byte"},
    };
    check_mistakes(mistakes, nullptr);
}

TEST_CASE("input on which the parser itself misbehaves ends as an error or a text") {
    // Its issues 190, 294 and 295: undefined behaviour, seen by the sanitizers.
    for (const char* text : {"[&", "[{x]", "[\xc3\xa9]", "\xcc\xaa", "\xc3\xa9 = 1",
                             "a\xc3\xa9 = 1", "a = 1\xc3\xa9", "a = 0x", "a = \"x\" \xc3\xa9"}) {
        CAPTURE(std::string(text));
        const Diagnostics found = load(text).diagnostics;
        REQUIRE(found.size() == 1);
        CHECK(found[0].place.line == 1);
    }
    const std::string text =
        with(sample_experiment, "\"Orders keeps answering when one backend is cut off\"",
             "\"\"\"\\\n  §\"\"\"");
    const LoadedExperiment loaded = load(text);
    CHECK(loaded.diagnostics.empty());
    CHECK(loaded.experiment.title == "§");
}

TEST_CASE("a NUL byte is named") {
    std::string text = sample_experiment;
    text[3] = '\0';
    const Diagnostics found = load(text).diagnostics;
    REQUIRE(found.size() == 1);
    CHECK(found[0].code == codes::control_byte);
    CHECK(found[0].place == Place{"two.toml", 1, 4, 1});
    CHECK(found[0].summary == "a NUL byte in the file");
}

TEST_CASE("unknown and missing keys and wrong types are told with their place") {
    const Mistake mistakes[] = {
        {"timeout = \"1s\"", "timeout = \"1s\"\ntimout = \"1s\"", codes::unknown_key, 24, 1, 6,
         "did you mean `timeout`?"},
        {"[objective]", "[objektive]", codes::unknown_key, 6, 2, 9, "did you mean `objective`?"},
        {"direction = \"both\"", "directon = \"both\"", codes::unknown_key, 40, 41, 8,
         "`with` of net-partition"},
        {"status = 200,", "statsu = 200,", codes::unknown_key, 24, 13, 6, "did you mean `status`?"},
        {"hold = \"5s\" }", "hold = \"5s\", form = \"undo\" }", codes::unknown_key, 30, 41, 4,
         "did you mean `from`?"},
        {"timeout = \"1s\"\n", "", codes::missing_key, 18, 1, 9,
         "`timeout` is missing in [[probe]]"},
        {"url     = \"http://orders.lab:8080/orders\"\n", "", codes::missing_key, 18, 1, 9,
         "`url`"},
        {"longest = \"5m\"\n", "", codes::missing_key, 9, 1, 7, "add longest = \"5m\""},
        {"hold  = \"30s\"\n", "", codes::missing_key, 36, 1, 8, "`hold` is missing in [[step]]"},
        {"pick  = 1 ", "", codes::missing_key, 14, 1, 16, "`pick` is missing in [target.backend]"},
        {"process = \"orders-app\", ", "", codes::missing_key, 48, 9, 43,
         "`process` is missing in `with` of process-kill"},
        {"regain = { within = \"10s\", ", "regain = { ", codes::missing_key, 30, 10, 15,
         "`within`"},
        {"title   = \"Orders keeps answering when one backend is cut off\"", "title = 5",
         codes::wrong_type, 3, 9, 1, "title = \"5\""},
        {"hosts   = 1", "hosts   = \"1\"", codes::wrong_type, 10, 11, 3, "hosts = 1"},
        {"after = [\"cut-off\"]", "after = \"cut-off\"", codes::wrong_type, 45, 9, 9, "[ ]"},
        {"after = [\"cut-off\"]", "cuts_control = \"yes\"", codes::wrong_type, 45, 16, 5,
         "true or false"},
        {"pick  = 1", "pick  = \"one\"", codes::wrong_type, 16, 9, 5, "pick = \"50%\""},
        {"rto = \"10s\"", "rto = true", codes::wrong_type, 7, 7, 4, "a duration"},
        {"status = 200", "status = \"200\"", codes::wrong_type, 24, 22, 5, "status = 200"},
        {"[[halt]]", "[halt]", codes::wrong_type, 32, 1, 6, "[[halt]]"},
        {"with  = { process = \"orders-app\", signal = \"KILL\", expect_restart = \"20s\" }",
         "with = 5", codes::wrong_type, 48, 8, 1, "must be a table"},
    };
    check_mistakes(mistakes, nullptr);
}

TEST_CASE("values without unit, out of range or of no such word are told") {
    const Mistake mistakes[] = {
        {"rto = \"10s\"", "rto = \"30\"", codes::missing_unit, 7, 7, 4, "rto = \"30s\""},
        {"rto = \"10s\"", "rto = 30", codes::missing_unit, 7, 7, 2, "needs a unit"},
        {"share   = \"50%\"", "share   = 50", codes::missing_unit, 11, 11, 2, "share = \"50%\""},
        {"rto = \"10s\"", "rto = \"10 sec\"", codes::bad_duration, 7, 7, 8, "units are"},
        {"rto = \"10s\"", "rto = \"-10s\"", codes::bad_duration, 7, 7, 6, "never negative"},
        {"rto = \"10s\"", "rto = \"400d\"", codes::bad_duration, 7, 7, 6, "at most 365d"},
        {"share   = \"50%\"", "share   = \"150%\"", codes::bad_percent, 11, 11, 6, "100%"},
        {"share   = \"50%\"", "share   = \"0%\"", codes::out_of_range, 11, 11, 4, "out of range"},
        {"hosts   = 1", "hosts   = 0", codes::out_of_range, 10, 11, 1, "at least 1"},
        {"pick  = 1", "pick  = 0", codes::out_of_range, 16, 9, 1, "at least 1"},
        {"every   = \"50ms\"", "every   = \"500us\"", codes::out_of_range, 22, 11, 7,
         "at least 1ms"},
        {"timeout = \"1s\"", "timeout = \"0s\"", codes::out_of_range, 23, 11, 4, "at least 1ms"},
        {"longest = \"5m\"", "longest = \"2d\"", codes::out_of_range, 12, 11, 4, "at most 1d"},
        {"hold = \"5s\" }", "hold = \"2h\" }", codes::out_of_range, 30, 35, 4, "at most 1h"},
        {"status = 200", "status = 2000", codes::out_of_range, 24, 22, 4, "at most 599"},
        {"direction = \"both\"", "direction = \"bth\"", codes::bad_choice, 40, 53, 5,
         "did you mean `both`?"},
        {"direction = \"both\"", "ports = 0", codes::bad_port, 40, 49, 1, "1 to 65535"},
        {"direction = \"both\"", "ports = [80, \"90-80\"]", codes::bad_port, 40, 54, 7,
         "8000-8100"},
        {"name    = \"orders-backend-loss\"", "name    = \"Orders loss\"", codes::bad_name, 2, 11,
         13, "a-z, 0-9"},
        {"[target.backend]", "[target.Backend]\nmatch=\"all\"\npick=1\n[target.backend]",
         codes::bad_name, 14, 9, 7, "a target"},
        {"process = \"orders-app\"", "process = \"a\\nb\"", codes::bad_text, 48, 21, 6,
         "line break"},
        {"process = \"orders-app\"", "process = \"a\\u0000b\"", codes::bad_text, 48, 21, 10,
         "control character"},
        {"match = { role = \"orders-app\" }", "match = \"app-1\"", codes::bad_choice, 15, 9, 7,
         "[\"app-1\"]"},
        {"match = { role = \"orders-app\" }", "match = [\"-oProxyCommand\"]", codes::bad_address,
         15, 10, 16, "option"},
        {"match = { role = \"orders-app\" }", "match = {}", codes::matches_nothing, 15, 9, 2,
         "write \"all\""},
        {"match = { role = \"orders-app\" }", "match = []", codes::matches_nothing, 15, 9, 2,
         "write \"all\""},
    };
    check_mistakes(mistakes, nullptr);
}

TEST_CASE("what refers to nothing is told with the nearest name") {
    const Catalog catalog = lab();
    const Mistake mistakes[] = {
        {"\"process-kill\"", "\"process-kil\"", codes::unknown_fault, 46, 9, 13,
         "did you mean `process-kill`?"},
        {"kind    = \"http\"", "kind    = \"htp\"", codes::unknown_probe_kind, 20, 11, 5,
         "did you mean `http`?"},
        {"on    = \"backend\"", "on    = \"backends\"", codes::unknown_target, 39, 9, 10,
         "did you mean `backend`?"},
        {"[[halt]]\nprobe = \"order\"", "[[halt]]\nprobe = \"ordr\"", codes::unknown_probe, 33, 9,
         6, "did you mean `order`?"},
        {"after = [\"cut-off\"]", "after = [\"cutoff\"]", codes::unknown_step, 45, 10, 8,
         "did you mean `cut-off`?"},
        {"after = [\"cut-off\"]", "after = [\"cut-off:helt\"]", codes::bad_choice, 45, 10, 14,
         "did you mean `held`?"},
        {"service = \"orders\"", "service = \"order\"", codes::unknown_service, 4, 11, 7,
         "did you mean `orders`?"},
        {"match = { role = \"orders-app\" }", "match = [\"app1\"]", codes::unknown_host, 15, 10, 6,
         "did you mean `app-1`?"},
        {"match = { role = \"orders-app\" }", "match = [\"app-1\", \"app-1\"]",
         codes::duplicate_name, 15, 19, 7, "named twice"},
        {"match = { role = \"orders-app\" }", "match = { rol = \"orders-app\" }",
         codes::unknown_label, 15, 11, 3, "did you mean `role`?"},
        {"from = { role = \"balancer\" }", "from = { role = \"balancr\" }", codes::unknown_label,
         40, 27, 9, "did you mean `balancer`?"},
        {"match = { role = \"orders-app\" }", "match = { role = \"balancer\", site = \"b\" }",
         codes::matches_nothing, 15, 9, 33, "no host has all of them"},
        {"name  = \"kill-app\"", "name  = \"cut-off\"", codes::duplicate_name, 44, 9, 9,
         "first used at line 37, column 9"},
    };
    for (const Mistake& m : mistakes) {
        // The renamed second step also waits for itself by its new name: only its name counts.
        if (m.code == codes::duplicate_name && m.line == 44) { continue; }
        check_mistakes({&m, 1}, &catalog);
    }
    const std::string text =
        with(sample_experiment, "name  = \"kill-app\"\nafter = [\"cut-off\"]\n",
             "name  = \"cut-off\"\n");
    const Diagnostics found = load(text, &catalog).diagnostics;
    REQUIRE(found.size() == 1);
    CHECK(found[0].code == codes::duplicate_name);
    CHECK(found[0].help == "first used at line 37, column 9");
}

TEST_CASE("two probes of one name are told") {
    const std::string text = with(sample_experiment, "[[hypothesis]]", R"([[probe]]
name = "order"
kind = "tcp"
host = "a"
port = 1
every = "1s"
timeout = "1s"

[[hypothesis]])");
    const Diagnostics found = load(text).diagnostics;
    REQUIRE(found.size() == 1);
    CHECK(found[0].code == codes::duplicate_name);
    CHECK(found[0].place == Place{"two.toml", 27, 8, 7});
    CHECK(found[0].help == "first used at line 19, column 11");
}

TEST_CASE("what makes no sense as a whole is told") {
    const Mistake mistakes[] = {
        {"hosts   = 1\nshare   = \"50%\"\n", "", codes::no_limit, 9, 1, 7, "hosts = 1"},
        {"[limit]\nhosts   = 1\nshare   = \"50%\"\nlongest = \"5m\"\n", "", codes::missing_table, 0,
         0, 1, "no [limit]"},
        {"[experiment]\nname    = \"orders-backend-loss\"\n"
         "title   = \"Orders keeps answering when one backend is cut off\"\nservice = \"orders\" ",
         "", codes::missing_table, 0, 0, 1, "no [experiment]"},
        {"hold  = \"30s\"", "hold  = \"6m\"", codes::hold_too_long, 41, 9, 4,
         "limit.longest is 5m"},
        {"rto = \"10s\"", "rpo = \"10s\"", codes::rpo_without_marker, 7, 7, 5,
         "an rpo objective needs the marker writer, which this version does not have"},
        {"before = \"success >= 99% for 10s\"\nduring = \"success >= 90%\"\n"
         "regain = { within = \"10s\", hold = \"5s\" }\n",
         "", codes::judges_nothing, 26, 1, 14,
         "neither `before`, `during`, `regain` nor `integrity`"},
        {"[[hypothesis]]\nprobe  = \"order\"\nbefore = \"success >= 99% for 10s\"\n"
         "during = \"success >= 90%\"\nregain = { within = \"10s\", hold = \"5s\" }\n",
         "", codes::no_hypothesis, 0, 0, 1, "nothing would be judged"},
        {"when  = \"success < 20% for 20s\"", "when  = \"success < 20%\"", codes::halt_without_span,
         34, 9, 15, "success < 20% for 20s"},
        {"name  = \"cut-off\"\n", "name  = \"cut-off\"\nafter = [\"kill-app\"]\n", codes::cycle, 46,
         9, 11, "cut-off -> kill-app -> cut-off"},
        {"name  = \"cut-off\"\n", "name  = \"cut-off\"\nafter = [\"cut-off:held\"]\n", codes::cycle,
         38, 9, 16, "waits for itself"},
        {"for 20s\"", "for 20ms\"", codes::out_of_range, 34, 9, 24, "at least one question"},
    };
    check_mistakes(mistakes, nullptr);
}

TEST_CASE("a cycle through the order of the file is found") {
    const std::string text =
        with(with(sample_experiment, "after = [\"cut-off\"]\n", ""), "name  = \"cut-off\"\n",
             "name  = \"cut-off\"\nafter = [\"kill-app\"]\n");
    const Diagnostics found = load(text).diagnostics;
    REQUIRE(found.size() == 1);
    CHECK(found[0].code == codes::cycle);
    CHECK(found[0].place == Place{"two.toml", 38, 9, 12});
}

TEST_CASE("a file without steps does nothing and is an error") {
    const std::string text = sample_experiment.substr(0, sample_experiment.find("[[step]]"));
    const Diagnostics found = load(text).diagnostics;
    REQUIRE(has_errors(found));
    CHECK(found[0].code == codes::no_step);
    CHECK(found[0].place.line == 0);
}

TEST_CASE("an empty file lacks each of its tables") {
    std::multiset<std::string> found;
    for (const Diagnostic& one : load("").diagnostics) { found.insert(one.code); }
    CHECK(found == std::multiset<std::string>{"E0104", "E0104", "E0404", "E0405"});
}

TEST_CASE("known keys are listed once each") {
    const Diagnostics found = load(sample_experiment + "[zzzzzzzz]\n").diagnostics;
    REQUIRE(found.size() == 1);
    CHECK(found[0].help ==
          "known are `experiment`, `objective`, `limit`, `target`, `probe`, `step`, "
          "`hypothesis` or `halt`");
}

TEST_CASE("a target that no step works on is only a warning") {
    const std::string text = with(sample_experiment, "[[probe]]",
                                  "[target.spare]\nmatch = \"all\"\npick = \"all\"\n\n[[probe]]");
    const Diagnostics found = load(text).diagnostics;
    REQUIRE(found.size() == 1);
    CHECK(found[0].severity == Severity::warning);
    CHECK(found[0].code == codes::unused_target);
    CHECK(found[0].place == Place{"two.toml", 18, 1, 14});
}

TEST_CASE("predicates are refused at the word that is wrong") {
    const Mistake mistakes[] = {
        {"during = \"success >= 90%\"", "during = \"succes >= 90%\"", codes::bad_predicate, 29, 11,
         6, "did you mean `success`?"},
        {"during = \"success >= 90%\"", "during = \"success 90%\"", codes::bad_predicate, 29, 19, 1,
         "comparison"},
        {"during = \"success >= 90%\"", "during = \"success == 90%\"", codes::bad_predicate, 29, 19,
         2, "one of"},
        {"during = \"success >= 90%\"", "during = \"success >= 0.9\"", codes::missing_unit, 29, 22,
         3, "99%"},
        {"during = \"success >= 90%\"", "during = \"success >= 90ms\"", codes::bad_predicate, 29,
         22, 4, "percentage"},
        {"during = \"success >= 90%\"", "during = \"p99 <= 90%\"", codes::bad_predicate, 29, 18, 3,
         "250ms"},
        {"during = \"success >= 90%\"", "during = \"p99 <= 250\"", codes::missing_unit, 29, 18, 3,
         "a duration"},
        {"during = \"success >= 90%\"", "during = \"success >=\"", codes::bad_predicate, 29, 21, 1,
         "nothing to compare"},
        {"during = \"success >= 90%\"", "during = \"success >= 90% for\"", codes::bad_predicate, 29,
         29, 1, "missing after `for`"},
        {"during = \"success >= 90%\"", "during = \"success >= 90% for ever\"",
         codes::bad_predicate, 29, 30, 4, "not a duration"},
        {"during = \"success >= 90%\"", "during = \"success >= 90% for 2h\"", codes::out_of_range,
         29, 30, 2, "at most 1h"},
        {"during = \"success >= 90%\"", "during = \"\"", codes::bad_predicate, 29, 11, 1,
         "a metric"},
        {"during = \"success >= 90%\"", "during = \"success >= 90% fr 10s\"", codes::bad_predicate,
         29, 22, 10, "not a percentage"},
    };
    check_mistakes(mistakes, nullptr);
}

TEST_CASE("percentiles and tight spacing are predicates too") {
    const std::string text =
        with(sample_experiment, "during = \"success >= 90%\"", "during = \"p95<1.5s for 1m30s\"");
    const LoadedExperiment loaded = load(text);
    REQUIRE(loaded.diagnostics.empty());
    const Predicate& p = *loaded.experiment.hypotheses[0].during;
    CHECK(p.metric == Predicate::Metric::p95);
    CHECK(p.compare == Predicate::Compare::lt);
    CHECK(p.latency == 1500ms);
    CHECK(p.span == Nanos{90s});
}

TEST_CASE("every error of a file comes at once, sorted by place") {
    std::string text = sample_experiment;
    text = with(text, "rto = \"10s\"", "rto = 10");
    text = with(text, "timeout = \"1s\"", "timout = \"1s\"");
    text = with(text, "\"process-kill\"", "\"process-kil\"");
    text = with(text, "pick  = 1", "pick  = 0");
    const Diagnostics found = load(text).diagnostics;
    std::vector<std::pair<std::string, std::size_t>> seen;
    for (const Diagnostic& one : found) { seen.emplace_back(one.code, one.place.line); }
    CHECK(seen == std::vector<std::pair<std::string, std::size_t>>{
                      {"E0201", 7}, {"E0204", 16}, {"E0101", 18}, {"E0102", 23}, {"E0301", 46}});
}

TEST_CASE("errors of a file are shown as a compiler shows them") {
    std::string text = with(sample_experiment, "\"process-kill\"", "\"process-kil\"");
    text = with(text, "timeout = \"1s\"", "timeout = \"1s\"\ntimout  = \"90s\"");
    CHECK(shown(load(text).diagnostics, text) == R"(error[E0102]: unknown key `timout` in [[probe]]
  --> two.toml:24:1
   |
24 | timout  = "90s"
   | ^^^^^^
   = help: did you mean `timeout`?
error[E0301]: unknown fault `process-kil`
  --> two.toml:47:9
   |
47 | fault = "process-kil"
   |         ^^^^^^^^^^^^^ no such fault
   = help: did you mean `process-kill`?
)");
}

TEST_CASE("what would cost too much is refused before it is parsed") {
    const auto code_of = [](const std::string& text) {
        const Diagnostics found = load(text).diagnostics;
        return found.empty() ? std::string() : found[0].code;
    };
    CHECK(code_of(std::string((1U << 20U) + 1, '\n')) == codes::too_large);
    CHECK(code_of("a = " + std::string(33, '[') + std::string(33, ']')) == codes::too_deep);
    CHECK(code_of("a = " + std::string(200'000, '[')) == codes::too_deep);
    std::string just = "a";
    for (int i = 1; i < 32; ++i) { just += ".a"; }
    CHECK(code_of(just + " = 1") != codes::too_deep);
    CHECK(code_of(just + ".a = 1") == codes::too_deep);
    CHECK(code_of("[" + just + "]\na = 1") == codes::too_deep);
    CHECK(code_of("a = { " + just + " = 1 }") == codes::too_deep);
    std::string dotted = "a";
    for (int i = 0; i < 100'000; ++i) { dotted += ".a"; }
    CHECK(code_of(dotted + " = 1") == codes::too_deep);
    CHECK(code_of("[" + dotted + "]") == codes::too_deep);
    std::string keys;
    for (int i = 0; i < 10'001; ++i) { keys += "k" + std::to_string(i) + " = 1\n"; }
    CHECK(code_of(keys) == codes::too_many_keys);
    std::string items = "a = [";
    for (int i = 0; i < 1'002; ++i) { items += "1,"; }
    CHECK(code_of(items + "]") == codes::too_many_entries);
}

TEST_CASE("what is just within the caps is parsed") {
    const Diagnostics found =
        load("a = " + std::string(31, '[') + std::string(31, ']')).diagnostics;
    CHECK(std::none_of(found.begin(), found.end(), [](const Diagnostic& one) {
        return one.code == codes::too_deep || one.code == codes::bad_syntax;
    }));
}

TEST_CASE("past a thousand errors the rest is counted") {
    std::string text;
    for (int i = 0; i < 1'500; ++i) { text += "k" + std::to_string(i) + " = 1\n"; }
    const Diagnostics found = load(text).diagnostics;
    CHECK(found.size() == 1'001);
    CHECK(found.back().code == codes::too_many_errors);
    CHECK(found.back().summary == "504 more errors are not shown");
}

TEST_CASE("every code has one meaning") {
    std::set<std::string_view> seen;
    for (const CodeMeaning& one : code_meanings) {
        CHECK(one.code.size() == 5);
        CHECK_FALSE(one.meaning.empty());
        CHECK(seen.insert(one.code).second);
    }
}

TEST_CASE("a wrong built-in default is called a bug") {
    static constexpr std::array<Param, 1> params{
        {{.name = "n", .type = ParamType::integer, .fallback = "many"}}};
    static constexpr Kind broken{.name = "noop", .ending = Ending::instant, .params = params};
    const std::array<const Kind*, 2> table{&broken, &net_partition};
    const std::string text = with(
        with(sample_experiment, "process-kill", "noop"),
        "with  = { process = \"orders-app\", signal = \"KILL\", expect_restart = \"20s\" }", "");
    const Diagnostics found =
        parse_experiment(text, "two.toml", table, probe_kinds, nullptr).diagnostics;
    REQUIRE(found.size() == 1);
    CHECK(found[0].code == codes::bad_fallback);
}
