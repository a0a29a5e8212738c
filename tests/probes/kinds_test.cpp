// Probe kinds: what they ask for given parameters, and how they judge answers.
#include "probes/kinds.hpp"

#include <doctest/doctest.h>

#include <algorithm>
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

Answer with_a_record(int status, Nanos latency) {
    Answer answer = answered(status, {}, latency);
    answer.values = {"192.0.2.7"};  // dns does not take silence for an answer
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
    REQUIRE(kinds.size() >= 3);
    CHECK(std::ranges::is_sorted(kinds, {}, &ProbeKind::name));
    for (const ProbeKind* kind : kinds) { CHECK_FALSE(kind->summary.empty()); }
}

TEST_CASE("no parameter has the name of a key that every probe has") {
    for (const ProbeKind* kind : probe_kinds()) {
        for (const Param& param : kind->params) {
            for (const std::string_view taken : {"name", "kind", "every", "timeout", "vantage"}) {
                CHECK_MESSAGE(param.name != taken, kind->name << ": " << param.name);
            }
        }
    }
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
        CHECK(judge(each->name, within, with_a_record(status, 250ms)) ==
              Judged{SampleState::ok, ""});
        CHECK(judge(each->name, within, with_a_record(status, 251ms)) ==
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

// ---- postgres, dns, tls -------------------------------------------------------------------------

namespace {

const Values login{{"host", "db.lab"}, {"user", "app"}, {"database", "orders"}};
const Values zone{{"server", "10.77.0.2"}, {"domain", "orders.lab"}};
const Values shake{{"host", "10.77.0.2"}, {"server_name", "orders.lab"}};

Values plus(Values values, const std::string& name, Value value) {
    values.insert_or_assign(name, std::move(value));
    return values;
}

Answer records(std::vector<std::string> values, int rcode = 0) {
    Answer answer = answered(rcode);
    answer.values = std::move(values);
    return answer;
}

}  // namespace

TEST_CASE("postgres takes its parameters and fills the others") {
    const auto result = kind("postgres").compose(plus(login, "password.file", "/etc/drill/db"));
    REQUIRE(result);
    const auto& question = std::get<PostgresQuestion>(*result);
    CHECK(question.port == 5432);
    CHECK(question.query == "SELECT 1");
    CHECK(question.tls == "prefer");
    CHECK(question.mode == "any");
    CHECK_FALSE(question.kept);
    CHECK(question.password.file == "/etc/drill/db");
}

TEST_CASE("postgres refuses a database that libpq would take for parameters") {
    CHECK(refusal("postgres", plus(login, "database", "host=evil")).starts_with("`database`"));
    CHECK(
        refusal("postgres", plus(login, "database", "postgres://evil")).starts_with("`database`"));
}

TEST_CASE("postgres refuses several hosts, two secrets and paths that are not absolute") {
    CHECK(refusal("postgres", plus(login, "host", "a,b")).starts_with("`host`"));
    CHECK(refusal("postgres", plus(login, "ca", "ca.pem")).starts_with("`ca`"));
    CHECK(refusal("postgres", plus(login, "password.file", "db")).starts_with("`password.file`"));
    CHECK(
        refusal("postgres", plus(plus(login, "password.file", "/db"), "password.credential", "db"))
            .starts_with("`password` has one"));
    CHECK(refusal("postgres", plus(login, "password.credential", "../db"))
              .starts_with("`password.credential`"));
}

TEST_CASE("postgres without a wanted value takes every answer, with one only that") {
    CHECK(judge("postgres", login, records({"7"}, 1)) == Judged{SampleState::ok, ""});
    CHECK(judge("postgres", plus(login, "ok.value", "7"), records({}, 0)) ==
          Judged{SampleState::failed, "no row"});
}

TEST_CASE("dns wants an address for a server and a sound name") {
    CHECK(refusal("dns", plus(zone, "server", "ns.lab")).starts_with("`server`"));
    CHECK(refusal("dns", plus(zone, "domain", "a..b")).starts_with("`domain`"));
    CHECK(refusal("dns", plus(zone, "domain", std::string(64, 'a'))).starts_with("`domain`"));
    CHECK(refusal("dns", plus(zone, "type", "ANY")).starts_with("`type`"));
    CHECK(refusal("dns", plus(zone, "domain", ".")).empty());
}

TEST_CASE("dns compares records whatever the case of names, but texts as they are") {
    const Values name = plus(plus(zone, "type", "CNAME"), "ok.value", "APP.orders.lab.");
    CHECK(judge("dns", name, records({"app.orders.lab"})).state == SampleState::ok);
    const Values text = plus(plus(zone, "type", "TXT"), "ok.value", "Two");
    CHECK(judge("dns", text, records({"two"})) == Judged{SampleState::failed, "two"});
}

TEST_CASE("dns wants all records and no others where all are given") {
    const Values both = plus(zone, "ok.values", std::vector<std::string>{"10.0.0.2", "10.0.0.1"});
    CHECK(judge("dns", both, records({"10.0.0.1", "10.0.0.2"})).state == SampleState::ok);
    CHECK(judge("dns", both, records({"10.0.0.1"})).state == SampleState::failed);
    CHECK(judge("dns", both, records({"10.0.0.1", "10.0.0.2", "10.0.0.3"})).state ==
          SampleState::failed);
}

TEST_CASE("dns tells response codes by name, and those without one by number") {
    CHECK(judge("dns", zone, records({}, 2)) == Judged{SampleState::failed, "SERVFAIL"});
    CHECK(judge("dns", zone, records({}, 9)) == Judged{SampleState::failed, "rcode 9"});
}

TEST_CASE("dns wants an authoritative answer only where that is told") {
    CHECK(judge("dns", zone, records({"10.0.0.1"})).state == SampleState::ok);
    CHECK(judge("dns", plus(zone, "ok.authoritative", true), records({"10.0.0.1"})) ==
          Judged{SampleState::failed, "the answer is not authoritative"});
}

TEST_CASE("tls asks for the host's name unless another is given") {
    const auto result = kind("tls").compose({{"host", "orders.lab"}});
    REQUIRE(result);
    CHECK(std::get<TlsQuestion>(*result).name == "orders.lab");
    CHECK(std::get<TlsQuestion>(*result).port == 443);
}

TEST_CASE("tls refuses a wanted protocol that is not offered, and a path that is not absolute") {
    CHECK(refusal("tls", plus(shake, "ok.alpn", "h2")).starts_with("`ok.alpn`"));
    CHECK(refusal("tls", plus(shake, "ca", "ca.pem")).starts_with("`ca`"));
    CHECK(refusal("tls", plus(shake, "alpn", std::vector<std::string>{""})).find("alpn") !=
          std::string::npos);
}

TEST_CASE("tls fails what expires before the wanted days") {
    CHECK(judge("tls", plus(shake, "ok.days", std::int64_t{14}), answered(13)) ==
          Judged{SampleState::failed, "expires in 13 days"});
    CHECK(judge("tls", plus(shake, "ok.days", std::int64_t{14}), answered(14)).state ==
          SampleState::ok);
}

// ---- http-transaction ---------------------------------------------------------------------------

TEST_CASE("a transaction refuses what no earlier step takes, and what cannot be taken") {
    Values steps{{"step.0.name", "a"}, {"step.0.url", "http://orders.lab/"}};
    CHECK(refusal("http-transaction", steps).empty());
    CHECK(refusal("http-transaction", plus(steps, "step.0.body", "${id}")) ==
          "step a uses ${id}, which no earlier step takes");
    for (const char* how : {"id", "json:id", "json:", "header:", "regex:("}) {
        CAPTURE(how);
        CHECK(refusal("http-transaction", plus(steps, "step.0.take.id", how))
                  .starts_with("step a: "));
    }
    CHECK_FALSE(refusal("http-transaction", {}).empty());
    CHECK(refusal("http-transaction", plus(steps, "step.0.url", "ftp://a/")).starts_with("`url`"));
}
