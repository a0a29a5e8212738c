// The sampler against a real server on loopback: what it asks, how it stamps, what is unknown.
#include "transport/sampler.hpp"

#include "probes/kinds.hpp"
#include "sampler/server.hpp"

#include <doctest/doctest.h>

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

using namespace drill;
using namespace drill::test;
using namespace std::chrono_literals;

namespace {

ProbeSpec http(const std::string& url, Nanos every = 20ms, Nanos timeout = 5s) {
    ProbeSpec spec;
    spec.name = "order";
    spec.kind = "http";
    spec.params = {{"url", url}};
    spec.every = every;
    spec.timeout = timeout;
    return spec;
}

ProbeSpec tcp(const std::string& host, std::uint16_t port, Nanos every = 20ms) {
    ProbeSpec spec = http("", every);
    spec.kind = "tcp";
    spec.params = {{"host", host}, {"port", std::int64_t{port}}};
    return spec;
}

ProbeSpec command(Nanos every = 20ms, Nanos timeout = 5s) {
    ProbeSpec spec = http("", every, timeout);
    spec.kind = "command";
    spec.params = {{"argv", std::vector<std::string>{"look"}}, {"on", "app-1"}};
    return spec;
}

/// Boot time that can be pushed forward, as a suspend does.
class PushedClock : public Clock {
public:
    [[nodiscard]] Instant now() override {
        Instant instant = system_.now();
        instant.boot += Nanos{ahead_.load()};
        return instant;
    }
    void push(Nanos by) { ahead_ += by.count(); }

private:
    SystemClock system_;
    std::atomic<std::int64_t> ahead_{0};
};

/// A running sampler; stopped before the mailbox goes.
struct Run {
    PushedClock clock;
    Collector box;
    std::unique_ptr<Sampler> sampler;

    explicit Run(const std::vector<ProbeSpec>& specs, CommandRunner runner = {}) {
        auto planned = plan_probes(specs, probe_kinds());
        REQUIRE(planned);
        sampler = make_sampler(*std::move(planned), clock, std::move(runner));
        sampler->start(box);
    }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    ~Run() { sampler->stop(); }

    Sample first(std::uint32_t probe = 0, std::uint64_t number = 0) {
        const auto found = box.sample(probe, number);
        REQUIRE(found.has_value());
        return *found;
    }
};

std::uint16_t free_port() {
    std::uint16_t port = 0;
    const Fd socket = listen_on(0, port);
    return port;
}

}  // namespace

TEST_CASE("planning refuses an unknown kind, bad parameters and no period") {
    ProbeSpec unknown = http("http://a/");
    unknown.kind = "gopher";
    CHECK(plan_probes(std::vector{unknown}, probe_kinds()).error().code == Code::not_found);
    CHECK(plan_probes(std::vector{http("a")}, probe_kinds()).error().code == Code::invalid);
    CHECK_FALSE(plan_probes(std::vector{http("http://a/", 0ms)}, probe_kinds()));
    const auto planned =
        plan_probes(std::vector{http("http://a/"), http("http://b/")}, probe_kinds());
    REQUIRE(planned);
    CHECK((*planned)[1].index == 1);
}

TEST_CASE("an answer that is right is ok, with stamps in order and on the schedule") {
    Server server;
    Run run({http(server.url("/ok")), tcp("127.0.0.1", server.port())});
    for (std::uint32_t probe = 0; probe < 2; ++probe) {
        run.first(probe, 5);
        const auto series = run.box.series(probe);
        for (std::size_t i = 0; i < 5; ++i) {
            CHECK(series[i].number == i);
            CHECK(series[i].state == SampleState::ok);
            CHECK(series[i].intended <= series[i].sent);
            CHECK(series[i].sent <= series[i].received);
            if (i > 0) { CHECK(series[i].intended - series[i - 1].intended == 20ms); }
        }
    }
}

TEST_CASE("a wrong status, a redirect and a missing text are failed, with the reason") {
    Server server;
    ProbeSpec lacks = http(server.url("/ok"));
    lacks.params["ok.contains"] = "paid";
    Run run({http(server.url("/503")), http(server.url("/moved")), lacks});
    CHECK(run.first(0).state == SampleState::failed);
    CHECK(run.first(0).detail == "HTTP 503");
    CHECK(run.first(1).detail == "HTTP 302");
    CHECK(run.first(2).detail == "the answer does not contain \"paid\"");
}

TEST_CASE("a refused connection is failed, not unknown") {
    const std::uint16_t port = free_port();
    Run run({http("http://127.0.0.1:" + std::to_string(port)), tcp("127.0.0.1", port)});
    for (std::uint32_t probe = 0; probe < 2; ++probe) {
        CHECK(run.first(probe).state == SampleState::failed);
        CHECK(run.first(probe).detail == "connection refused");
    }
}

TEST_CASE("names are resolved for http and tcp, and one that does not resolve is failed") {
    Server server;
    const std::string too_long(70, 'a');  // longer than a label may be: no query leaves
    Run run({http("http://localhost:" + std::to_string(server.port()) + "/ok"),
             tcp("localhost", server.port()), http("http://" + too_long + "/"), tcp(too_long, 80)});
    CHECK(run.first(0).state == SampleState::ok);
    CHECK(run.first(1).state == SampleState::ok);
    CHECK(run.first(2).state == SampleState::failed);
    CHECK(run.first(3).state == SampleState::failed);
    CHECK(run.first(3).detail.find(too_long) == 0);
}

TEST_CASE("method, headers and body reach the server; the connection is for one question") {
    Server server;
    const auto echo = [&](const std::string& wanted) {
        ProbeSpec spec = http(server.url("/echo"));
        spec.params["method"] = "PUT";
        spec.params["headers.X-Probe"] = "seven";
        spec.params["body"] = "an order";
        spec.params["ok.contains"] = wanted;
        return spec;
    };
    Run run({echo("PUT /echo HTTP/1.1\r\n"), echo("X-Probe: seven\r\n"),
             echo("Connection: close\r\n"), echo("User-Agent: drill/")});
    for (std::uint32_t probe = 0; probe < 4; ++probe) {
        CAPTURE(probe);
        CHECK(run.first(probe).state == SampleState::ok);
    }
}

TEST_CASE("no more than 64 KiB of a body are read, and that is an answer") {
    Server server;
    ProbeSpec spec = http(server.url("/big"));
    spec.params["ok.contains"] = std::string(std::size_t{64} * 1024, 'x');
    ProbeSpec longer = http(server.url("/big"));
    longer.params["ok.contains"] = std::string(std::size_t{64} * 1024 + 1, 'x');
    Run run({spec, longer});
    CHECK(run.first(0).state == SampleState::ok);
    CHECK(run.first(1).state == SampleState::failed);
}

TEST_CASE("no answer ends at the time-out exactly") {
    Server server;
    Run run({http(server.url("/hang"), 20ms, 200ms)});
    const Sample sample = run.first();
    if (sample.state != SampleState::unknown) {  // unknown: this machine stood still meanwhile
        CHECK(sample.state == SampleState::failed);
        CHECK(sample.detail == "no answer in time");
        CHECK(sample.received == sample.sent + 200ms);
    }
}

TEST_CASE("a slow answer does not delay the next question") {
    Server server;
    Run run({http(server.url("/hang"), 20ms, 30s), http(server.url("/ok"))});
    for (std::uint64_t number = 1; server.held() < 10 && number < 500; ++number) {
        run.first(1, number);
    }
    CHECK(server.held() >= 10);
    CHECK(run.box.series(0).empty());
}

TEST_CASE("proxy variables are ignored") {
    Server server;
    const std::vector<const char*> names{"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"};
    for (const char* name : names) { ::setenv(name, "http://127.0.0.1:1", 1); }
    {
        Run run({http(server.url("/ok"))});
        CHECK(run.first().state == SampleState::ok);
    }
    for (const char* name : names) { ::unsetenv(name); }
}

TEST_CASE("without descriptors a sample is unknown, and it goes on when there are some again") {
    Server server;
    Run run({http(server.url("/ok")), tcp("127.0.0.1", server.port()),
             tcp("localhost", server.port())});
    for (std::uint32_t probe = 0; probe < 3; ++probe) { run.first(probe, 3); }
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    rlimit none = before;
    none.rlim_cur = 3;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    // Nothing but the wait happens here: doctest and the sanitizers want descriptors, too.
    const bool all_unknown = run.box.wait([](const auto& all) {
        return std::ranges::all_of(all, [](const auto& of_probe) {
            return of_probe.second.back().state == SampleState::unknown;
        });
    });
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(all_unknown);
    std::uint64_t last = 0;
    for (std::uint32_t probe = 0; probe < 3; ++probe) {
        for (const Sample& sample : run.box.series(probe)) {
            CHECK(sample.state != SampleState::failed);
            last = std::max(last, sample.number);
        }
    }
    for (std::uint32_t probe = 0; probe < 3; ++probe) {
        CHECK(run.first(probe, last + 20).state == SampleState::ok);
    }
}

TEST_CASE("a command is run with its question and deadline, and its reply judged") {
    std::atomic<bool> as_asked{true};
    Run run({command()}, [&](const CommandQuestion& question, Nanos deadline, std::stop_token) {
        as_asked = as_asked && question.on == "app-1" &&
                   question.exec.argv == std::vector<std::string>{"look"} && deadline > boot_now();
        Reply reply;
        reply.status = 3;
        return Result<Reply>(reply);
    });
    CHECK(run.first().state == SampleState::failed);
    CHECK(run.first().detail == "exit status 3");
    CHECK(as_asked);
}

TEST_CASE("a command that could not be sent is unknown, one that did not end is failed") {
    std::atomic<Effect> effect{Effect::none};
    Run run({command()}, [&](const CommandQuestion&, Nanos, std::stop_token) -> Result<Reply> {
        return fail(Code::timed_out, "deadline passed", effect);
    });
    CHECK(run.first().state == SampleState::unknown);
    effect = Effect::unknown;
    CHECK(run.box.wait([](const auto& all) {
        return all.at(0).back().state == SampleState::failed &&
               all.at(0).back().detail == "no answer in time";
    }));
}

TEST_CASE("a command that throws is unknown") {
    Run run({command()}, [](const CommandQuestion&, Nanos, std::stop_token) -> Result<Reply> {
        throw std::bad_alloc();
    });
    CHECK(run.first().state == SampleState::unknown);
}

TEST_CASE("commands that wait for a slot until their time-out are unknown") {
    // Each worker is held past the time-out by a runner that ignores its deadline.
    Run run({command(20ms, 100ms)}, [](const CommandQuestion&, Nanos, std::stop_token stop) {
        std::mutex mutex;
        std::unique_lock lock(mutex);
        std::condition_variable_any never;
        never.wait(lock, stop, [] { return false; });
        return Result<Reply>(Reply{});
    });
    CHECK(run.box.wait([](const auto& all) {
        return all.contains(0) && std::ranges::any_of(all.at(0), [](const Sample& sample) {
                   return sample.state == SampleState::unknown &&
                          sample.detail.find("no free slot in time") == 0;
               });
    }));
    CHECK(run.first(0, 0).state == SampleState::failed);
}

TEST_CASE(
    "after a stall, questions beyond the bound in flight are unknown and numbers have no gap") {
    Server server;
    Run run({http(server.url("/hang"), 50ms, 100ms)});
    run.first(0, 2);
    run.clock.push(50ms * 100);
    REQUIRE(run.box.wait([](const auto& all) { return all.at(0).size() > 100; }));
    run.sampler->stop();
    const auto series = run.box.series();
    const auto refused = std::ranges::count_if(series, [](const Sample& sample) {
        return sample.state == SampleState::unknown &&
               sample.detail.find("too many questions in flight") == 0;
    });
    // Two periods fit into the time-out, and two more are let through; stop dropped those.
    CHECK(series.back().number + 1 - series.size() <= 4);
    CHECK(refused > 80);
}

TEST_CASE("a question that left late says so") {
    Server server;
    Run run({http(server.url("/ok"), 50ms)});
    run.first(0, 2);
    run.clock.push(160ms);
    CHECK(run.box.wait([](const auto& all) {
        return std::ranges::any_of(all.at(0), [](const Sample& sample) {
            return sample.state == SampleState::ok && sample.detail.find("late ") == 0;
        });
    }));
}

TEST_CASE("after a very long stall one unknown stands for what was missed") {
    Server server;
    Run run({http(server.url("/ok"), 50ms)});
    run.first(0, 2);
    run.clock.push(50ms * 20'000);
    REQUIRE(run.box.wait([](const auto& all) {
        return all.at(0).back().detail.find("the schedule stood still") != std::string::npos ||
               std::ranges::any_of(all.at(0), [](const Sample& sample) {
                   return sample.detail.find("the schedule stood still") == 0;
               });
    }));
    run.sampler->stop();
    CHECK(run.box.series().size() < 100);
}

TEST_CASE("stop drops what is under way and posts nothing after it") {
    Server server;
    Run run({http(server.url("/hang"), 20ms, 60s), http(server.url("/ok")),
             tcp("localhost", server.port())});
    for (std::uint64_t number = 1; server.held() < 3 && number < 500; ++number) {
        run.first(1, number);
    }
    const Nanos before = boot_now();
    run.sampler->stop();
    CHECK(boot_now() - before < 10s);  // far below the time-out of what was under way
    const std::size_t posted = run.box.count();
    CHECK(run.box.series(0).empty());
    CHECK(run.box.count() == posted);
}

TEST_CASE("a second start goes on with the numbers") {
    Server server;
    Run run({http(server.url("/ok"))});
    run.first(0, 3);
    run.sampler->stop();
    const std::uint64_t last = run.box.series().back().number;
    run.sampler->start(run.box);
    CHECK(run.first(0, last + 3).state == SampleState::ok);
}

namespace {

/// haproxy with a plain and a TLS front end, before a server that refuses.
class Proxy {
public:
    Proxy() : directory_("/tmp/drl" + std::to_string(::getpid()) + "-proxy") {
        REQUIRE(Child::run({"mkdir", "-p", directory_}).wait() == 0);
        const std::string pem = directory_ + "/cert.pem";
        REQUIRE(Child::run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj",
                            "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                            pem + ".key", "-out", pem})
                    .wait() == 0);
        std::ofstream config(directory_ + "/haproxy.cfg");
        config << "global\n stats timeout 1s\ndefaults\n mode http\n retries 0\n"
               << " timeout connect 1s\n timeout client 5s\n timeout server 5s\n"
               << "frontend f\n bind 127.0.0.1:" << plain << "\n bind 127.0.0.1:" << secure
               << " ssl crt " << pem << "\n default_backend b\n"
               << "backend b\n server gone 127.0.0.1:" << free_port() << "\n";
        config.close();
        child_.emplace(Child::run({"haproxy", "-db", "-f", directory_ + "/haproxy.cfg"}));
    }
    Proxy(const Proxy&) = delete;
    Proxy& operator=(const Proxy&) = delete;
    ~Proxy() {
        child_.reset();
        Child::run({"rm", "-r", directory_}).wait();
    }

    std::uint16_t plain{free_port()}, secure{free_port()};

private:
    std::string directory_;
    std::optional<Child> child_;
};

}  // namespace

TEST_CASE("a balancer without servers is failed by its 503, a self-signed certificate by name") {
    Proxy proxy;
    Run run({http("http://127.0.0.1:" + std::to_string(proxy.plain) + "/"),
             http("https://127.0.0.1:" + std::to_string(proxy.secure) + "/")});
    CHECK(run.box.wait(
        [](const auto& all) { return all.contains(0) && all.at(0).back().detail == "HTTP 503"; }));
    CHECK(run.box.wait([](const auto& all) {
        return all.contains(1) && all.at(1).back().state == SampleState::failed &&
               all.at(1).back().detail.find("certificate") != std::string::npos;
    }));
    for (const Sample& sample : run.box.series(1)) { CHECK(sample.state != SampleState::ok); }
}
