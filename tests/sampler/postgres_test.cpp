// The postgres probe against a real server: who is let in, what is seen, what stays outside.
#include "sampler/parts.hpp"
#include "transport/secret_source.hpp"

#include "probes/kinds.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <set>
#include <string>

using namespace drill;
using namespace drill::test;
using namespace std::chrono_literals;

namespace {

/// One cluster for all cases; making one takes longer than all of them.
Postgres& database() {
    static Postgres server;
    return server;
}

ProbeSpec with(ProbeSpec spec, const std::string& name, Value value) {
    spec.params.insert_or_assign(name, std::move(value));
    return spec;
}

struct Variable {
    explicit Variable(const char* name, const char* value) : name_(name) {
        ::setenv(name, value, 1);
    }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;
    ~Variable() { ::unsetenv(name_); }

private:
    const char* name_;
};

}  // namespace

TEST_CASE("postgres: a login with a password from a file and the right value is ok") {
    const Sample sample =
        ask_once(with(database().probe("SELECT 40 + 2"), "ok.value", std::string("42")));
    CHECK(sample.detail.empty());
    CHECK(sample.state == SampleState::ok);
    CHECK(sample.intended <= sample.sent);
    CHECK(sample.sent < sample.received);
}

TEST_CASE("postgres: another value is failed and shown") {
    const Sample sample =
        ask_once(with(database().probe("SELECT 'old'"), "ok.value", std::string("new")));
    CHECK(sample.state == SampleState::failed);
    CHECK(sample.detail == "the value is \"old\"");
}

TEST_CASE("postgres: another number of rows is failed") {
    const Sample sample = ask_once(
        with(database().probe("SELECT generate_series(1, 3)"), "ok.rows", std::int64_t{2}));
    CHECK(sample.state == SampleState::failed);
    CHECK(sample.detail == "3 rows");
}

TEST_CASE("postgres: a wrong password is failed") {
    const std::string file = database().folder().write("wrong", "guess\n");
    const Sample sample = ask_once(with(database().probe(), "password.file", file));
    CHECK(sample.state == SampleState::failed);
    CHECK(sample.detail == "password authentication failed for user \"app\"");
}

TEST_CASE("postgres: neither environment, service files nor ~/.pgpass give what is not told") {
    const std::string pass = database().folder().write("pgpass", "*:*:*:*:opensesame\n");
    const Variable home("HOME", database().folder().path().c_str());
    database().folder().write(".pgpass", "*:*:*:*:opensesame\n");
    const Variable password("PGPASSWORD", "opensesame");
    const Variable passfile("PGPASSFILE", pass.c_str());
    const Variable service("PGSERVICE", "nowhere");
    const Variable options("PGOPTIONS", "-c no_such_setting=1");
    const Variable mode("PGTARGETSESSIONATTRS", "standby");
    ProbeSpec spec = database().probe();
    spec.params.erase("password.file");
    const Sample sample = ask_once(spec);
    CHECK(sample.state == SampleState::failed);
    CHECK(sample.detail == "the server asks for a password, and none is given");
    CHECK(ask_once(database().probe()).state == SampleState::ok);
}

TEST_CASE("postgres: an error in the query is failed, with its SQLSTATE") {
    const Sample sample = ask_once(database().probe("SELEC 1"));
    CHECK(sample.state == SampleState::failed);
    CHECK(sample.detail == "syntax error at or near \"SELEC\" (42601)");
}

TEST_CASE("postgres: only one statement is taken") {
    const Sample sample = ask_once(database().probe("SELECT 1; SELECT 2"));
    CHECK(sample.state == SampleState::failed);
    CHECK(sample.detail.find("(42601)") != std::string::npos);
}

TEST_CASE("postgres: a server that accepts writes is no standby") {
    CHECK(ask_once(with(database().probe(), "ok.mode", std::string("read-write"))).state ==
          SampleState::ok);
    const Sample sample = ask_once(with(database().probe(), "ok.mode", std::string("standby")));
    CHECK(sample.state == SampleState::failed);
    CHECK(sample.detail == "server is not in hot standby mode");
}

TEST_CASE("postgres: a server that wants no TLS fails a probe that does") {
    const Sample sample = ask_once(with(database().probe(), "tls", std::string("require")));
    CHECK(sample.state == SampleState::failed);
    CHECK(sample.detail == "server does not support SSL, but SSL was required");
}

TEST_CASE("postgres: too many connections are failed") {
    // A role of its own: what is given up goes on in the server until its sleep is over.
    const ProbeSpec spec =
        with(database().probe("SELECT pg_sleep(5)", 50ms, 5s), "user", std::string("few"));
    Asking asking({spec});
    CHECK(asking.await(SampleState::failed).detail == "too many connections for role \"few\"");
}

TEST_CASE("postgres: a new connection for each question unless it is kept") {
    // The value that is looked for never comes, so each detail shows the server's process.
    const auto process = [](const char* connect, std::size_t count) {
        ProbeSpec spec = database().probe("SELECT pg_backend_pid()");
        spec.params.insert_or_assign("ok.value", std::string("none"));
        spec.params.insert_or_assign("connect", std::string(connect));
        Asking asking({spec});
        static_cast<void>(asking.box.sample(0, count));
        std::set<std::string> seen;
        for (const Sample& sample : asking.box.series()) { seen.insert(sample.detail); }
        return seen.size();
    };
    CHECK(process("kept", 8) < 8);  // one, or more where an answer was slower than the schedule
    CHECK(process("each", 8) >= 8);
}

TEST_CASE("postgres: a late answer is degraded, and delays no other question") {
    Asking asking(
        {with(database().probe("SELECT pg_sleep(0.4)", 300ms), "ok.within", Nanos{200ms})});
    CHECK(asking.await(SampleState::degraded).state == SampleState::degraded);
    static_cast<void>(asking.box.sample(0, 3));
    const auto series = asking.box.series();
    REQUIRE(series.size() >= 3);
    CHECK(series[1].sent < series[0].received);
}

TEST_CASE("postgres: a server that stands still is failed at the time-out") {
    Asking asking({database().probe("SELECT 1", 100ms, 300ms)});
    static_cast<void>(asking.await(SampleState::ok));
    database().stand(true);
    const Sample sample = asking.await(SampleState::failed);
    database().stand(false);
    CHECK(sample.detail == "no answer in time");
    CHECK(sample.received - sample.sent == 300ms);
    static_cast<void>(asking.await(SampleState::ok));
}

TEST_CASE("postgres: a killed server is failed, and ok again when it is back") {
    ProbeSpec kept = database().probe("SELECT 1", 50ms);
    kept.params.insert_or_assign("connect", std::string("kept"));
    Asking asking({database().probe("SELECT 1", 50ms), kept});
    static_cast<void>(asking.await(SampleState::ok, 1));
    database().kill();
    static_cast<void>(asking.await(SampleState::failed, 1));
    const Sample sample = asking.await(SampleState::failed, 0);
    CHECK(sample.detail == "Connection refused");
    database().start();
    static_cast<void>(asking.await(SampleState::ok, 0));
    static_cast<void>(asking.await(SampleState::ok, 1));
}

TEST_CASE("postgres: a port that says nothing is failed at the time-out") {
    std::uint16_t port = 0;
    const Fd silent = listen_on(0, port);
    ProbeSpec spec = database().probe("SELECT 1", 100ms, 200ms);
    spec.params.insert_or_assign("port", std::int64_t{port});
    const Sample sample = ask_once(spec);
    CHECK(sample.state == SampleState::failed);
    CHECK(sample.detail == "no answer in time");
}

TEST_CASE("secret: a file that others can read is refused") {
    const Folder folder("secret");
    const std::string file = folder.write("open", "opensesame\n", 0640);
    const auto secret = read_secret({.file = file, .credential = "", .command = {}});
    REQUIRE_FALSE(secret);
    CHECK(secret.error().code == Code::refused);
    CHECK(secret.error().text().find("opensesame") == std::string::npos);
}

TEST_CASE("secret: a file that is not there is said at the name of the probe") {
    ProbeSpec spec = database().probe();
    spec.params.insert_or_assign("password.file", std::string("/nonexistent/secret"));
    const auto planned = plan_probes(std::vector{spec}, probe_kinds());
    REQUIRE_FALSE(planned);
    CHECK(planned.error().code == Code::not_found);
    CHECK(planned.error().trail.back() == "probe database");
}

TEST_CASE("secret: the first line of what a command prints") {
    const auto secret =
        read_secret({.file = "", .credential = "", .command = {"printf", "open%s\\n", "sesame"}});
    REQUIRE(secret);
    CHECK(secret->reveal() == "opensesame");
}

TEST_CASE("secret: a command that fails gives none") {
    const auto secret = read_secret({.file = "", .credential = "", .command = {"false"}});
    REQUIRE_FALSE(secret);
    CHECK(secret.error().code == Code::refused);
}

TEST_CASE("secret: a credential is looked for in its directory") {
    const Folder folder("secret");
    folder.write("db", "opensesame");
    const Variable directory("CREDENTIALS_DIRECTORY", folder.path().c_str());
    const auto secret = read_secret({.file = "", .credential = "db", .command = {}});
    REQUIRE(secret);
    CHECK(secret->reveal() == "opensesame");
    CHECK_FALSE(read_secret({.file = "", .credential = "other", .command = {}}));
}

TEST_CASE("secret: two lines are no secret") {
    const Folder folder("secret");
    const std::string file = folder.write("two", "open\nsesame\n");
    CHECK_FALSE(read_secret({.file = file, .credential = "", .command = {}}));
}
