// The difference of two plans, member by member.
#include "plan/render.hpp"

#include "plan/sample.hpp"

#include <doctest/doctest.h>

#include <functional>

using namespace drill;
using namespace drill::test;

namespace {

/// The difference that `edit` makes to the sample plan.
std::string change(const std::function<void(Plan&)>& edit) {
    const auto plan = make_plan();
    REQUIRE(plan);
    Plan edited = *plan;
    edit(edited);
    return diff_plans(*plan, edited);
}

}  // namespace

TEST_CASE("equal plans have no difference, and the hash alone is none") {
    CHECK(change([](Plan&) {}).empty());
    CHECK(change([](Plan& plan) { plan.hash = "x"; }).empty());
}

TEST_CASE("each difference is one line that names place, member and both values") {
    const std::string host = make_plan()->steps[0].changes[0].host;
    struct Row {
        std::function<void(Plan&)> edit;
        std::string line;
    };
    const Row rows[] = {
        {[&](Plan& p) { p.hosts[host].identity["host_key"] = "SHA256:b"; },
         "host " + host + ": host key changed SHA256:" + host + " -> SHA256:b\n"},
        {[&](Plan& p) { p.hosts[host].identity.erase("tool.nft"); },
         "host " + host + ": path of nft changed /usr/sbin/nft -> none\n"},
        {[&](Plan& p) { p.hosts[host].connection.port = 2222; },
         "host " + host + ": port changed 22 -> 2222\n"},
        {[&](Plan& p) { p.hosts[host].connection.become_password.file = "/secret"; },
         "host " + host + ": where the password of sudo lies changed\n"},
        {[](Plan& p) { p.hosts.erase("bal-1"); }, "host bal-1: removed\n"},
        {[](Plan& p) { p.hosts["new"]; }, "host new: added\n"},
        {[](Plan& p) { p.environment = "prod"; }, "environment changed lab -> prod\n"},
        {[](Plan& p) { p.seed = 1; }, "seed changed 4711 -> 1\n"},
        {[](Plan& p) { p.rto.reset(); }, "RTO changed 10s -> none\n"},
        {[](Plan& p) { p.steps[0].hold = 60s; }, "step cut-off: hold changed 30s -> 1m\n"},
        {[](Plan& p) { p.steps[1].after[0].held = true; },
         "step kill-app: start changed cut-off -> cut-off:held\n"},
        {[](Plan& p) { p.steps[0].params["from"] = by_role("db"); },
         "step cut-off: parameter from changed role=balancer -> role=db\n"},
        {[](Plan& p) { p.steps.pop_back(); }, "step kill-app: removed\n"},
        {[](Plan& p) { std::swap(p.steps[0], p.steps[1]); },
         "order of steps changed cut-off, kill-app -> kill-app, cut-off\n"},
        {[](Plan& p) { p.probes[0].every = 1s; }, "probe order: every changed 50ms -> 1s\n"},
        {[](Plan& p) { p.hypotheses[0].during->text = "success >= 1%"; },
         "hypothesis order: during changed success >= 90% -> success >= 1%\n"},
        {[](Plan& p) { p.halts.clear(); }, "halt order success < 20% for 20s: removed\n"},
        {[](Plan& p) { p.title = "a\x1b[2J"; },
         "title changed Orders keeps answering when one backend is cut off -> a\\x1b[2J\n"}};
    for (const Row& row : rows) { CHECK(change(row.edit) == row.line); }
}

TEST_CASE("changed commands are shown before and after") {
    const std::string text =
        change([](Plan& plan) { plan.steps[0].changes[0].change.undo[0].argv[1] = "flush"; });
    const std::string host = make_plan()->steps[0].changes[0].host;
    CHECK(text == "step cut-off on " + host + ": the commands of undo changed\n" +
                      "  - nft delete table inet 'drill_{lease}'\n" +
                      "  + nft flush table inet 'drill_{lease}'\n");
}

TEST_CASE("no difference is passed over in silence") {
    CHECK_FALSE(change([](Plan& plan) {
                    plan.halts[0].when.span = 1s;  // its text stays
                }).empty());
}
