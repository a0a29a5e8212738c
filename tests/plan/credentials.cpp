// Ends of certificates, tickets and accounts, and the gate that they close.
#include "plan/credentials.hpp"

#include "base/text.hpp"
#include "plan/facts.hpp"
#include "plan/gates.hpp"
#include "plan/sample.hpp"

#include <doctest/doctest.h>

using namespace drill;
using namespace drill::test;

namespace {

Wall at(std::int64_t seconds) { return Wall{} + std::chrono::seconds{seconds}; }

}  // namespace

TEST_CASE("the end of a certificate is read in UTC") {
    const auto ends = certificate_ends(
        "k-cert.pub:\n        Type: ssh-ed25519-cert-v01@openssh.com user certificate\n"
        "        Valid: from 1970-01-01T00:00:00 to 1970-01-02T03:04:05\n");
    REQUIRE(ends.size() == 1);
    CHECK(ends.front() == at(86400 + 3 * 3600 + 4 * 60 + 5));
}

TEST_CASE("a certificate for ever has no end, and nonsense neither") {
    CHECK(certificate_ends("        Valid: forever\n").empty());
    CHECK(certificate_ends("        Valid: from 1970-01-01T00:00:00 to 1970-13-45T00:00:00\n")
              .empty());
    CHECK(certificate_ends("").empty());
}

TEST_CASE("of tickets the latest one that grants others counts") {
    const auto end = ticket_end(
        "Ticket cache: FILE:/tmp/krb5cc_0\nDefault principal: kim@EXAMPLE.ORG\n\n"
        "Valid starting       Expires              Service principal\n"
        "01/01/1970 00:00:00  01/02/1970 00:00:00  krbtgt/EXAMPLE.ORG@EXAMPLE.ORG\n"
        "\trenew until 01/08/1970 00:00:00\n"
        "01/01/70 00:00:00  01/03/70 00:00:00  krbtgt/OTHER.ORG@EXAMPLE.ORG\n"
        "01/01/1970 00:00:00  01/09/1970 00:00:00  host/app-1@EXAMPLE.ORG\n");
    REQUIRE(end);
    CHECK(*end > at(86400));
    CHECK(!ticket_end("klist: No credentials cache found\n"));
}

TEST_CASE("a credential that ends before the limit and its undo closes the gate") {
    const Nanos need = credential_need(5min, 15s);
    CHECK(need == 5min + 45s);
    const Credential ends{"app-1", "the account ops", at(1000), "`chage -E`"};
    CHECK(credential_gates({ends}, at(655), need).empty());
    const auto reasons = credential_gates({ends}, at(656), need);
    REQUIRE(reasons.size() == 1);
    CHECK(reasons[0] ==
          "app-1: the account ops ends in 5 m 44 s (1970-01-01T00:16:40.000Z), this run may need "
          "it for 5 m 45 s (the limit and its undo); `chage -E`");
    CHECK(credential_gates({ends}, at(2000), need)[0].find("has ended") != std::string::npos);
}

TEST_CASE("the end of an account is its day, that of a password the day after its longest use") {
    Connection to;
    const auto ends = [&](const std::string& aging) {
        return account_ends("app-1", to, Facts{{"aging", aging}, {"login_user", "ops"}});
    };
    CHECK(ends("20000:99999::").empty());
    CHECK(ends("").empty());
    CHECK(ends("::::").empty());
    CHECK(ends("x:y:z:w").empty());
    REQUIRE(ends("10:99999::20").size() == 1);
    CHECK(ends("10:99999::20")[0].ends == at(20 * 86400));
    REQUIRE(ends("10:5::").size() == 1);
    CHECK(ends("10:5::")[0].ends == at(16 * 86400));
    CHECK(ends("0:99999::")[0].what == "the password of ops");
    to.transport = "local";
    CHECK(ends("10:5::20").empty());
}

TEST_CASE("a plan is refused when an account on a host ends within it") {
    const auto plan_at = [](Wall now, std::vector<Credential> credentials) {
        Planner planner(sample_catalog(), sample_experiment(), sample_kinds, sample_probes,
                        PlannerOptions{.seed = 4711,
                                       .drill_version = "0.1.0",
                                       .now = now,
                                       .credentials = std::move(credentials)});
        test::Fleet hosts;
        return run_planner(planner, hosts);
    };
    CHECK(plan_at(at(1000), {}));
    CHECK(plan_at(at(1000), {{"nobody", "a certificate", at(1001), ""}}));
    const auto refused = plan_at(at(1000), {{"", "the certificate k-cert.pub", at(1001), "renew"}});
    REQUIRE(!refused);
    CHECK(refused.error().code == Code::refused);
    CHECK(refused.error().message.find("controller: the certificate k-cert.pub ends in 1 s") !=
          std::string::npos);
}
