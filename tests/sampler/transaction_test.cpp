// The http-transaction probe against a real server: what steps hand on, and which one is named.
#include "sampler/parts.hpp"

#include <doctest/doctest.h>

using namespace drill;
using namespace drill::test;
using namespace std::chrono_literals;

namespace {

using Step = std::map<std::string, std::string>;

ProbeSpec transaction(const std::vector<Step>& steps, Nanos timeout = 5s) {
    ProbeSpec spec;
    spec.name = "checkout";
    spec.kind = "http-transaction";
    spec.every = 100ms;
    spec.timeout = timeout;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        for (const auto& [name, value] : steps[i]) {
            spec.params.insert_or_assign("step." + std::to_string(i) + '.' + name, value);
        }
    }
    return spec;
}

Step login(const Server& server) { return {{"name", "login"}, {"url", server.url("/login")}}; }

}  // namespace

TEST_CASE("transaction: a cookie of one step is sent by the next") {
    Server server;
    const Sample sample = ask_once(transaction(
        {login(server),
         {{"name", "look"}, {"url", server.url("/echo")}, {"ok.contains", "Cookie: session=s1"}}}));
    CHECK(sample.detail.empty());
    CHECK(sample.state == SampleState::ok);
}

TEST_CASE("transaction: cookies end with their transaction") {
    Server server;
    // The first step shows what it sends; the login is the last one.
    Asking asking({transaction(
        {{{"name", "look"}, {"url", server.url("/echo")}, {"take.cookie", "regex:Cookie: session"}},
         login(server)})});
    for (std::uint64_t number = 0; number < 3; ++number) {
        const auto sample = asking.box.sample(0, number);
        REQUIRE(sample);
        CHECK(sample->detail == "step look: no cookie by regex:Cookie: session");
    }
}

TEST_CASE(
    "transaction: values are taken by JSON pointer, header and pattern, and escaped in a URL") {
    Server server;
    Step first = login(server);
    first["take.id"] = "json:/order/id";
    first["take.count"] = "json:/n";
    first["take.token"] = "header:x-token";
    first["take.word"] = "regex:\"id\":\"([a-z]+)/";
    const Sample sample = ask_once(transaction({first,
                                                {{"name", "pay"},
                                                 {"method", "POST"},
                                                 {"url", server.url("/echo/${id}")},
                                                 {"headers.X-Token", "${token}"},
                                                 {"body", "{\"n\":${count},\"w\":\"${word}\"}"},
                                                 {"take.a", "regex:POST /echo/a%2Fb%201 HTTP"},
                                                 {"take.b", "regex:X-Token: t7"},
                                                 {"take.c", "regex:\\{\"n\":7,\"w\":\"a\"\\}"}}}));
    CHECK(sample.detail.empty());
    CHECK(sample.state == SampleState::ok);
}

TEST_CASE("transaction: the step that failed is named, and no later one is asked") {
    Server server;
    const Sample status =
        ask_once(transaction({login(server),
                              {{"name", "pay"}, {"url", server.url("/503")}},
                              {{"name", "never"}, {"url", server.url("/hang")}}}));
    CHECK(status.state == SampleState::failed);
    CHECK(status.detail == "step pay: HTTP 503");
    Step first = login(server);
    first["take.id"] = "json:/order/number";
    CHECK(ask_once(transaction({first})).detail == "step login: no id by json:/order/number");
}

TEST_CASE("transaction: the step in which the time ran out is named") {
    Server server;
    const Sample sample = ask_once(
        transaction({login(server), {{"name", "wait"}, {"url", server.url("/hang")}}}, 300ms));
    CHECK(sample.state == SampleState::failed);
    CHECK(sample.detail == "step wait: no answer in time");
    CHECK(sample.received - sample.sent == 300ms);
}

TEST_CASE("transaction: a step that nobody answers is failed, not unknown") {
    Server server;
    const std::string nobody = "http://127.0.0.1:" + std::to_string(free_port()) + '/';
    const Sample sample =
        ask_once(transaction({login(server), {{"name", "pay"}, {"url", nobody}}}));
    CHECK(sample.state == SampleState::failed);
    CHECK(sample.detail == "step pay: connection refused");
}
