// Probe kinds: what they ask for given parameters, and how they judge answers.
#include "probes/kinds.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <string>

using namespace drill;
using namespace std::chrono_literals;

namespace {

const ProbeKind& kind(std::string_view name) {
    for (const ProbeKind* candidate : probe_kinds()) {
        if (candidate->name == name) { return *candidate; }
    }
    FAIL("no such kind");
    return *probe_kinds().front();
}

Answer answered(int status, std::string body = {}, Nanos latency = 10ms) {
    Answer answer;
    answer.asked = true;
    answer.status = status;
    answer.body = std::move(body);
    answer.latency = latency;
    return answer;
}

struct Judged {
    SampleState state;
    std::string detail;
    friend bool operator==(const Judged&, const Judged&) = default;
};

Judged judge(std::string_view name, const Values& values, const Answer& answer) {
    Judged judged{SampleState::unknown, "stale"};
    judged.state = kind(name).judge(values, answer, judged.detail);
    return judged;
}

std::string refusal(std::string_view name, const Values& values) {
    const auto result = kind(name).compose(values);
    return result ? "" : result.error().message;
}

const Values orders{{"url", "http://orders.lab:8080/orders"}};

}  // namespace

TEST_CASE("the table holds every kind, sorted by name") {
    const ProbeKinds kinds = probe_kinds();
    REQUIRE(kinds.size() == 3);
    CHECK(kinds[0]->name == "command");
    CHECK(kinds[1]->name == "http");
    CHECK(kinds[2]->name == "tcp");
}

TEST_CASE("every kind has a page that names all of its parameters") {
    for (const ProbeKind* each : probe_kinds()) {
        const std::string path =
            std::string(DRILL_SOURCE_DIR "/core/probes/") + std::string(each->name) + ".md";
        CAPTURE(path);
        std::ostringstream page;
        page << std::ifstream(path).rdbuf();
        for (const char* heading :
             {"## What it asks", "## Parameters",
              "## When a sample is ok, degraded, failed, unknown", "## Example"}) {
            CHECK(page.str().find(heading) != std::string::npos);
        }
        for (const Param& param : each->params) {
            CAPTURE(param.name);
            CHECK(page.str().find("| `" + std::string(param.name) + "` |") != std::string::npos);
            CHECK_FALSE(param.help.empty());
        }
    }
}

TEST_CASE("http asks with method, headers and body as given") {
    Values values = orders;
    values["method"] = "POST";
    values["body"] = "{\n}";
    values["headers.X-Probe"] = "drill";
    values["headers.X-Number"] = std::int64_t{7};
    const auto result = kind("http").compose(values);
    REQUIRE(result);
    const auto* question = std::get_if<HttpQuestion>(&*result);
    REQUIRE(question != nullptr);
    CHECK(question->method == "POST");
    CHECK(question->url == "http://orders.lab:8080/orders");
    CHECK(question->body == "{\n}");
    CHECK(question->headers ==
          std::map<std::string, std::string>{{"X-Number", "7"}, {"X-Probe", "drill"}});
}

TEST_CASE("http asks with GET when nothing else is said") {
    const auto result = kind("http").compose(orders);
    REQUIRE(result);
    CHECK(std::get<HttpQuestion>(*result).method == "GET");
}

TEST_CASE("http refuses what is no URL of a web server, or carries a password") {
    for (const char* url : {"", "orders.lab", "file:///etc/passwd", "http://", "http://a b/",
                            "http://a\n/", "http://kim:secret@orders.lab/"}) {
        CAPTURE(url);
        CHECK_FALSE(refusal("http", {{"url", url}}).empty());
    }
    CHECK(refusal("http", {{"url", "http://orders.lab/@home"}}).empty());
    CHECK(refusal("http", {{"url", "https://[::1]:8443"}}).empty());
}

TEST_CASE("http refuses headers that would be two") {
    for (const char* value : {"a\r\nX: b", "a\nb"}) {
        Values values = orders;
        values["headers.X"] = value;
        CHECK_FALSE(refusal("http", values).empty());
    }
    Values values = orders;
    values["headers.X Y"] = "a";
    CHECK_FALSE(refusal("http", values).empty());
}

TEST_CASE("tcp asks a host and a port in range") {
    const auto result = kind("tcp").compose({{"host", "::1"}, {"port", std::int64_t{65535}}});
    REQUIRE(result);
    CHECK(std::get<TcpQuestion>(*result).host == "::1");
    CHECK(std::get<TcpQuestion>(*result).port == 65535);
    CHECK_FALSE(refusal("tcp", {{"host", ""}, {"port", std::int64_t{1}}}).empty());
    CHECK_FALSE(refusal("tcp", {{"host", "a b"}, {"port", std::int64_t{1}}}).empty());
    CHECK_FALSE(refusal("tcp", {{"host", "a"}, {"port", std::int64_t{0}}}).empty());
    CHECK_FALSE(refusal("tcp", {{"host", "a"}, {"port", std::int64_t{65536}}}).empty());
}

TEST_CASE("command asks with its argv, on a host or on the controller") {
    const std::vector<std::string> argv{"true", "a b"};
    const auto result = kind("command").compose({{"argv", argv}, {"on", "app-1"}});
    REQUIRE(result);
    CHECK(std::get<CommandQuestion>(*result).on == "app-1");
    CHECK(std::get<CommandQuestion>(*result).exec.argv == argv);
    CHECK(std::get<CommandQuestion>(*kind("command").compose({{"argv", argv}})).on.empty());
    CHECK_FALSE(refusal("command", {}).empty());
    CHECK_FALSE(refusal("command", {{"argv", std::vector<std::string>{""}}}).empty());
    CHECK_FALSE(refusal("command", {{"argv", std::vector<std::string>{"a", std::string("\0", 1)}}})
                    .empty());
}

TEST_CASE("what was not asked is unknown, whatever else the answer says") {
    for (const ProbeKind* each : probe_kinds()) {
        CAPTURE(each->name);
        Answer answer = answered(200);
        answer.asked = false;
        answer.problem = "no descriptors left";
        CHECK(judge(each->name, {}, answer) == Judged{SampleState::unknown, "no descriptors left"});
    }
}

TEST_CASE("no answer and an error below are failures of every kind") {
    for (const ProbeKind* each : probe_kinds()) {
        CAPTURE(each->name);
        Answer late = answered(200);
        late.timed_out = true;
        CHECK(judge(each->name, {}, late) == Judged{SampleState::failed, "no answer in time"});
        Answer refused = answered(200);
        refused.problem = "connection refused";
        CHECK(judge(each->name, {}, refused) == Judged{SampleState::failed, "connection refused"});
    }
}

TEST_CASE("right but later than ok.within is degraded, exactly within is ok") {
    const Values within{{"ok.within", Nanos{250ms}}, {"ok.status", std::int64_t{0}}};
    for (const ProbeKind* each : probe_kinds()) {
        CAPTURE(each->name);
        const int status = each->name == "http" ? 204 : 0;
        CHECK(judge(each->name, within, answered(status, "", 250ms)) ==
              Judged{SampleState::ok, ""});
        CHECK(judge(each->name, within, answered(status, "", 251ms)) ==
              Judged{SampleState::degraded, "251 ms, later than 250 ms"});
    }
}

TEST_CASE("a wrong and late answer is failed, not degraded") {
    const Values within{{"ok.within", Nanos{250ms}}};
    CHECK(judge("http", within, answered(503, "", 1s)) == Judged{SampleState::failed, "HTTP 503"});
}

TEST_CASE("http: 200 is right when nothing is said, 0 is anything from 200 to 399") {
    CHECK(judge("http", {}, answered(200)).state == SampleState::ok);
    CHECK(judge("http", {}, answered(204)) == Judged{SampleState::failed, "HTTP 204"});
    CHECK(judge("http", {{"ok.status", std::int64_t{503}}}, answered(503)).state ==
          SampleState::ok);
    const Values any{{"ok.status", std::int64_t{0}}};
    CHECK(judge("http", any, answered(199)).state == SampleState::failed);
    CHECK(judge("http", any, answered(200)).state == SampleState::ok);
    CHECK(judge("http", any, answered(399)).state == SampleState::ok);
    CHECK(judge("http", any, answered(400)).state == SampleState::failed);
}

TEST_CASE("a body without the wanted text is wrong") {
    const Values wants{{"ok.contains", "accepted"}, {"ok.status", std::int64_t{0}}};
    for (const char* name : {"http", "command"}) {
        const int status = std::string_view(name) == "http" ? 200 : 0;
        CHECK(judge(name, wants, answered(status, "order accepted")).state == SampleState::ok);
        CHECK(judge(name, wants, answered(status, "order lost")) ==
              Judged{SampleState::failed, "the answer does not contain \"accepted\""});
    }
}

TEST_CASE("command: 0 is right when nothing is said") {
    CHECK(judge("command", {}, answered(0)).state == SampleState::ok);
    CHECK(judge("command", {}, answered(3)) == Judged{SampleState::failed, "exit status 3"});
    CHECK(judge("command", {{"ok.status", std::int64_t{3}}}, answered(3)).state == SampleState::ok);
}
