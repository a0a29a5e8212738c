// What ssh_config says and transport = "ssh" does not do. Read next: transport/ssh_config.hpp.
#include "transport/ssh_config.hpp"

#include <doctest/doctest.h>

using namespace drill;

namespace {

const Connection app{.host = "app-1", .address = "app-1.example", .port = 22};
/// What `ssh -G app-1.example` of OpenSSH 9.2 prints on Debian 12 without any configuration.
const std::string nothing_set =
    "host app-1.example\nuser kim\nhostname app-1.example\nport 22\naddressfamily any\n"
    "batchmode no\ncanonicalizefallbacklocal yes\ncanonicalizehostname false\n"
    "checkhostip no\ngssapiauthentication yes\ngssapidelegatecredentials no\n"
    "hostbasedauthentication no\nverifyhostkeydns false\nsecuritykeyprovider internal\n"
    "identityfile ~/.ssh/id_rsa\nuserknownhostsfile ~/.ssh/known_hosts\n";

std::size_t count(const std::string& text, LoginWorks works) {
    return ssh_config_findings(text, app, works).size();
}

}  // namespace

TEST_CASE("Debian's own ssh_config gives nothing to say about a host that works") {
    CHECK(count(nothing_set, LoginWorks::yes) == 0);
}

TEST_CASE("each setting that ssh does not do is one sentence with the fix") {
    for (const char* line :
         {"proxycommand nc %h %p", "proxyjump bastion", "bindaddress 10.0.0.9",
          "canonicalizehostname always", "hostkeyalias orders", "knownhostscommand /bin/keys",
          "revokedhostkeys /etc/ssh/revoked", "verifyhostkeydns true", "ProxyCommand x"}) {
        CAPTURE(std::string(line));
        const auto found = ssh_config_findings(nothing_set + line + "\n", app, LoginWorks::yes);
        REQUIRE(found.size() == 1);
        CHECK(found[0].starts_with("app-1: ssh_config says `"));
        CHECK(found[0].find("transport = \"openssh\" in [host.app-1]") != std::string::npos);
    }
}

TEST_CASE("what one could log in with is said only where the login does not work") {
    for (const char* line : {"certificatefile ~/.ssh/id-cert.pub", "pkcs11provider /usr/lib/p.so",
                             "securitykeyprovider /usr/lib/sk.so", "identityagent /run/agent"}) {
        CAPTURE(std::string(line));
        const std::string text = nothing_set + line + "\n";
        CHECK(count(text, LoginWorks::yes) == 0);
        CHECK(count(text, LoginWorks::no) == count(nothing_set, LoginWorks::no) + 1);
    }
}

TEST_CASE("another name or port than the catalog's is said") {
    CHECK(count("hostname 10.0.0.1\nport 22\n", LoginWorks::yes) == 1);
    CHECK(count("hostname app-1.example\nport 22\n", LoginWorks::yes) == 0);
    CHECK(count("hostname APP-1.example\nport 2222\n", LoginWorks::yes) == 1);
}

TEST_CASE("a jump that the catalog knows is no finding, nor is anything of another transport") {
    Connection connection = app;
    connection.jumps = {app};
    CHECK(ssh_config_findings("proxyjump bastion\n", connection, LoginWorks::yes).empty());
    connection = app;
    connection.transport = "openssh";
    CHECK(ssh_config_findings("proxycommand x\n", connection, LoginWorks::no).empty());
}

TEST_CASE("text of a config is data: control bytes are shown and long values cut") {
    const auto found = ssh_config_findings(
        "proxycommand \x1b[2J" + std::string(500, 'x') + "\nbroken\n\n", app, LoginWorks::yes);
    REQUIRE(found.size() == 1);
    CHECK(found[0].find('\x1b') == std::string::npos);
    CHECK(found[0].size() < 300);
}

TEST_CASE("GSSAPI is said only where there is a ticket and the login does not work") {
    const auto found = ssh_config_findings(nothing_set, app, LoginWorks::no, Ticket::there);
    REQUIRE(found.size() == 1);
    CHECK(found[0].find("GSSAPIAuthentication") != std::string::npos);
    CHECK(ssh_config_findings(nothing_set, app, LoginWorks::yes, Ticket::there).empty());
    CHECK(ssh_config_findings(nothing_set, app, LoginWorks::no).empty());
}

TEST_CASE("only a config that could lead to a finding is asked about") {
    const std::string debian =
        "Include /etc/ssh/ssh_config.d/*.conf\n\nHost *\n#   ForwardAgent no\n    SendEnv LANG "
        "LC_*\n"
        "    HashKnownHosts yes\n    GSSAPIAuthentication yes\n";
    CHECK_FALSE(ssh_config_matters(debian));
    CHECK_FALSE(ssh_config_matters(""));
    for (const char* line : {"ProxyCommand nc %h %p", "\tproxyjump=bastion", "Include other",
                             "HostName 10.0.0.1", "Port 2222", "CertificateFile x"}) {
        CAPTURE(std::string(line));
        CHECK(ssh_config_matters(debian + line + "\n"));
    }
}
