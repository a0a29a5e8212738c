// process-kill and process-pause: who is chosen, who never, and what is refused.
#include "faults/requests.hpp"

#include <doctest/doctest.h>

using namespace drill;
using namespace drill::test;

namespace {

const Kind& killing() { return kind_of("process-kill"); }
ChangeRequest request() { return request_for(killing(), Binding::run); }
std::string refusal(const ChangeRequest& of) { return refusal_of(killing(), of); }
bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("another number of matches than count is refused with pids and command lines") {
    ChangeRequest two = request();
    two.observed.front().out += "victim 4712 88124 0 S /usr/bin/orders-app --port 8081 \n";
    const std::string text = refusal(two);
    CHECK(has(text, "`count` is 1, but 2 processes on app-1 match"));
    CHECK(has(text, "4711 (uid 33) /usr/bin/orders-app --port 8080"));
    CHECK(has(text, "4712 (uid 0) /usr/bin/orders-app --port 8081"));
    two.params["count"] = std::int64_t{2};
    CHECK(refusal(two).empty());
    ChangeRequest none = request();
    none.observed.front().out = "";
    CHECK(refusal(none) == "`count` is 1, but 0 processes on app-1 match");
}

TEST_CASE("a protected process is no victim and the refusal says so") {
    ChangeRequest init = request();
    init.observed.front().out = "protected 1 5 0 S /sbin/init\n";
    CHECK(has(refusal(init), "0 processes on app-1 match"));
    CHECK(has(refusal(init), "1 (uid 0) /sbin/init [never a victim]"));
}

TEST_CASE("what carries the way in and the undo is refused by name") {
    for (const char* name :
         {"sshd", "sshd-session", "systemd", "systemd-logind", "dbus-daemon", "init"}) {
        CAPTURE(name);
        ChangeRequest never = request();
        never.params["process"] = std::string(name);
        CHECK(has(refusal(never), "is never a victim"));
    }
}

TEST_CASE("a selection of nothing, or one that cannot be meant, is refused") {
    ChangeRequest none = request();
    none.params["process"] = std::string();
    CHECK(has(refusal(none), "give at least one of"));
    ChangeRequest longer = request();
    longer.params["process"] = std::string("orders-application");
    CHECK(has(refusal(longer), "process = \"orders-applicat\""));
    ChangeRequest relative = request();
    relative.params["pidfile"] = std::string("run/app.pid");
    CHECK(has(refusal(relative), "absolute path"));
    ChangeRequest path = request();
    path.params["unit"] = std::string("a/b.service");
    CHECK(has(refusal(path), "name of a unit"));
    ChangeRequest lines = request();
    lines.params["match"] = std::string("a\nb");
    CHECK(has(refusal(lines), "one line"));
    ChangeRequest big = request();
    big.params["match"] = std::string(600, 'a');
    CHECK(has(refusal(big), "longer than 512"));
    ChangeRequest no_units = request();
    no_units.params["unit"] = std::string("orders.service");
    no_units.facts["init"] = "busybox";
    CHECK(has(refusal(no_units), "does not run systemd"));
}

TEST_CASE("an answer that is none, or a pattern that grep refuses, is refused") {
    ChangeRequest unread = request();
    unread.observed.clear();
    CHECK(has(refusal(unread), "could not be read"));
    ChangeRequest pattern = request();
    pattern.observed = {{2, "", "grep: Unmatched ( or \\(\n"}};
    CHECK(refusal(pattern) == "grep on app-1 does not accept `match`: grep: Unmatched ( or \\(");
}

TEST_CASE("lines that are not ours are not taken for processes") {
    ChangeRequest odd = request();
    odd.observed.front().out += "victim x 5 0 S y\nvictim 5\n\nvictim 6 -7 0 S z\n";
    CHECK(refusal(odd).empty());
}

TEST_CASE("control bytes of a command line do not reach the terminal") {
    ChangeRequest evil = request();
    evil.observed.front().out += "victim 4712 88124 0 S app \x1b[2J\n";
    CHECK_FALSE(has(refusal(evil), "\x1b"));
}

TEST_CASE("a process that is stopped already is not paused but may be killed") {
    ChangeRequest stopped = request_for(kind_of("process-pause"), Binding::run);
    stopped.observed = {{0, "victim 4711 88123 33 T /usr/bin/orders-app\n", ""}};
    CHECK(has(refusal_of(kind_of("process-pause"), stopped), "4711 on app-1 is stopped already"));
    ChangeRequest killed = request();
    killed.observed = stopped.observed;
    CHECK(refusal(killed).empty());
}

TEST_CASE("victims are pid and start time, and placeholders in the plan") {
    const Result<Change> run = killing().compose(request());
    REQUIRE(bool(run));
    CHECK(run->apply.front().argv.back() == "4711:88123");
    const Result<Change> plan = killing().compose(request_for(killing(), Binding::plan));
    REQUIRE(bool(plan));
    CHECK(plan->apply.front().argv.back() == "{pid}:{start}");
    CHECK_FALSE(has(killing().describe(request()), "4711"));
}

TEST_CASE("a restart is checked only where it is expected") {
    const Result<Change> with = killing().compose(request());
    REQUIRE(bool(with));
    CHECK(with->check.size() == 1);
    CHECK(with->check_within == std::chrono::seconds{20});
    ChangeRequest bare = request();
    bare.params.erase("expect_restart");
    CHECK(killing().compose(bare)->check.empty());
}

TEST_CASE("a unit without a suffix is a service") {
    ChangeRequest unit = request();
    unit.params["unit"] = std::string("orders");
    CHECK(killing().observe(unit).front().argv[7] == "orders.service");
    unit.params["unit"] = std::string("user@3.scope");
    CHECK(killing().observe(unit).front().argv[7] == "user@3.scope");
}

TEST_CASE("a signal that is none of the choices is refused") {
    ChangeRequest odd = request();
    odd.params["signal"] = std::string("STOP");
    CHECK(has(refusal(odd), "`signal` is none of"));
}
