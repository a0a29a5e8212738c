// service-stop and service-restart: which service is meant, who is never stopped, what may come
// back, and what the commands are under each manager.
#include "faults/requests.hpp"

#include "base/text.hpp"

#include <doctest/doctest.h>

using namespace drill;
using namespace drill::test;

namespace {

using Texts = std::vector<std::string>;

ChangeRequest stopping() { return request_for(kind_of("service-stop"), Binding::run); }
std::string refusal(const ChangeRequest& of) { return refusal_of(kind_of("service-stop"), of); }
bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}
ChangeRequest with_programs() {
    ChangeRequest request = stopping();
    request.params.erase("unit");
    request.params["stop"] = Texts{"pg_ctl", "stop"};
    request.params["start"] = Texts{"pg_ctl", "start"};
    request.params["status"] = Texts{"pg_ctl", "status"};
    request.observed = {{0, "LoadState=loaded\nStatus=0\n", ""}};
    return request;
}
std::string replaced(std::string text, std::string_view from, std::string_view to) {
    text.replace(text.find(from), from.size(), to);
    return text;
}

}  // namespace

TEST_CASE("a unit without a suffix is a service") {
    const Result<Change> change = kind_of("service-stop").compose(stopping());
    REQUIRE(bool(change));
    CHECK(shell_join(change->apply[0].argv) ==
          "systemctl --no-ask-password stop orders-app.service");
}

TEST_CASE("what carries the way in, the undo or the network is never stopped") {
    for (const char* name : {"ssh", "sshd.service", "ssh@1.service", "dbus", "systemd-journald",
                             "drill-abc-1", "NetworkManager", "systemd-networkd.service"}) {
        CAPTURE(name);
        ChangeRequest request = stopping();
        request.params["unit"] = std::string(name);
        CHECK(has(refusal(request), "is never stopped"));
    }
}

TEST_CASE("only services are stopped, and only by a plain name") {
    ChangeRequest request = stopping();
    request.params["unit"] = std::string("multi-user.target");
    CHECK(has(refusal(request), "is no service"));
    for (const char* name : {"--now", "a b", "../x", "a/b", ""}) {
        CAPTURE(name);
        request.params["unit"] = std::string(name);
        CHECK_FALSE(refusal(request).empty());
    }
}

TEST_CASE("a service that is not there or not active is refused") {
    ChangeRequest request = stopping();
    std::string& out = request.observed[0].out;
    const std::string good = out;
    out = replaced(good, "LoadState=loaded", "LoadState=not-found");
    CHECK(has(refusal(request), "there is no orders-app.service on app-1"));
    out = replaced(good, "ActiveState=active", "ActiveState=failed");
    CHECK(has(refusal(request), "is failed, not active"));
    out = replaced(good, "Id=orders-app", "Id=orders");
    CHECK(has(refusal(request), "another name of orders.service"));
    out = replaced(good, "RefuseManualStop=no", "RefuseManualStop=yes");
    CHECK(has(refusal(request), "may not be stopped"));
    request.observed[0].status = 3;
    CHECK(has(refusal(request), "could not be read"));
}

TEST_CASE("what would stop with it has to be named, and is started again with it") {
    ChangeRequest request = stopping();
    request.observed[0].out += "Dependent=shop.service\n";
    CHECK(has(refusal(request), "would stop shop.service"));
    request.params["also"] = Texts{"shop"};
    const Result<Change> change = kind_of("service-stop").compose(request);
    REQUIRE(bool(change));
    CHECK(shell_join(change->undo[0].argv) ==
          "systemctl --no-ask-password start orders-app.service shop.service");
}

TEST_CASE("a unit that something else would start again is refused") {
    ChangeRequest request = stopping();
    request.observed[0].out += "Trigger=orders-app.socket\n";
    CHECK(has(refusal(request), "orders-app.socket would start"));
}

TEST_CASE("a stateful service does not come back unless the file says how") {
    ChangeRequest request = stopping();
    request.params["stateful"] = true;
    CHECK(has(refusal(request), "say `return`"));
    request.params["return"] = std::string("always");
    CHECK(refusal(request).empty());
}

TEST_CASE("return = when-safe is refused, as nothing can prove it yet") {
    ChangeRequest request = stopping();
    request.params["return"] = std::string("when-safe");
    CHECK(has(refusal(request), "is not built"));
}

TEST_CASE("return = by-hand starts nothing, and the change stays") {
    ChangeRequest request = stopping();
    request.params["return"] = std::string("by-hand");
    const Result<Change> change = kind_of("service-stop").compose(request);
    REQUIRE(bool(change));
    CHECK(change->lasting == Lasting::stays);
    REQUIRE(change->undo.size() == 1);
    CHECK_FALSE(has(shell_join(change->undo[0].argv), "start"));
    CHECK(has(kind_of("service-stop").describe(request), "keep it out on purpose"));
}

TEST_CASE("a restart of a stateful service has to be spelled out") {
    ChangeRequest request = request_for(kind_of("service-restart"), Binding::run);
    request.params["stateful"] = true;
    CHECK(has(refusal_of(kind_of("service-restart"), request), "say `return`"));
    request.params["return"] = std::string("by-hand");
    CHECK(has(refusal_of(kind_of("service-restart"), request), "none of always"));
    request.params["return"] = std::string("always");
    CHECK(refusal_of(kind_of("service-restart"), request).empty());
}

TEST_CASE("without systemd the init script is used, and has to say that it runs") {
    ChangeRequest request = stopping();
    request.facts["init"] = "init";
    request.observed = {{0, "LoadState=loaded\nStatus=0\n", ""}};
    Result<Change> change = kind_of("service-stop").compose(request);
    REQUIRE(bool(change));
    CHECK(shell_join(change->apply[0].argv) == "/etc/init.d/orders-app stop");
    request.facts["tool.service"] = "/usr/sbin/service";
    change = kind_of("service-stop").compose(request);
    REQUIRE(bool(change));
    CHECK(shell_join(change->apply[0].argv) == "service orders-app stop");
    request.observed = {{0, "LoadState=loaded\nStatus=3\n", ""}};
    CHECK(has(refusal(request), "says 3"));
    request.observed = {{0, "LoadState=not-found\n", ""}};
    CHECK(has(refusal(request), "no executable /etc/init.d/orders-app"));
    request.params["also"] = Texts{"x"};
    CHECK(has(refusal(request), "does not run systemd"));
}

TEST_CASE("programs are given all three, and not beside a unit") {
    ChangeRequest request = with_programs();
    CHECK(refusal(request).empty());
    request.params["unit"] = std::string("orders");
    CHECK(has(refusal(request), "not both"));
    request = with_programs();
    request.params.erase("start");
    CHECK(has(refusal(request), "`start` names no program"));
    request = stopping();
    request.params["status"] = Texts{"true"};
    CHECK(has(refusal(request), "goes together with `stop`"));
}
