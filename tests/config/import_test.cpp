// A first catalog out of ssh_config and inventories: what is taken, what is left, and that the
// result loads.
#include "config/import.hpp"

#include "config/loader.hpp"

#include <doctest/doctest.h>

using namespace drill;

namespace {

constexpr const char* inventory = R"({
  "_meta": {"hostvars": {
    "web-1": {"ansible_host": "192.0.2.11", "ansible_user": "ops", "ansible_port": 2222,
              "ansible_become": true, "ansible_password": "hunter2",
              "ansible_become_pass": "hunter3", "db_password": "hunter4",
              "ansible_ssh_private_key_file": "/keys/id"},
    "bad name": {}}},
  "all": {"children": ["web", "ungrouped"]},
  "ungrouped": {"hosts": ["db-1"]},
  "web": {"hosts": ["web-1"]}})";

bool loads(const std::string& text) {
    const LoadedCatalog loaded = parse_catalog(text, "/tmp/drill.toml");
    for (const Diagnostic& one : loaded.diagnostics) { MESSAGE(one.summary); }
    return !has_errors(loaded.diagnostics);
}

}  // namespace

TEST_CASE("hosts of an inventory become a catalog that loads") {
    const auto imported = hosts_from_ansible(inventory);
    REQUIRE(imported);
    REQUIRE(imported->hosts.size() == 2);
    CHECK(imported->hosts[0].name == "db-1");
    CHECK(imported->hosts[0].address == "db-1");
    const ImportedHost& web = imported->hosts[1];
    CHECK(web.address == "192.0.2.11");
    CHECK(web.port == 2222);
    CHECK(web.become == "sudo");
    CHECK(web.groups == std::vector<std::string>{"web"});
    CHECK(imported->skipped == std::vector<std::string>{"bad name"});
    CHECK(loads(catalog_text(*imported, "ansible:hosts.yml")));
}

TEST_CASE("no secret of an inventory reaches the catalog") {
    const auto imported = hosts_from_ansible(inventory);
    REQUIRE(imported);
    CHECK(catalog_text(*imported, "ansible:hosts.yml").find("hunter") == std::string::npos);
}

TEST_CASE("what is no inventory is refused") {
    for (const char* text : {"", "[]", "{}", "{\"_meta\": 5}", "not json"}) {
        CAPTURE(text);
        CHECK(!hosts_from_ansible(text));
    }
}

TEST_CASE("names of ssh_config are those that are no patterns") {
    CHECK(ssh_config_names(
              "Host web-1 *.example.org !x db?\n  HostName h\nhost=bal-1\nHost web-1\n") ==
          std::vector<std::string>{"web-1", "bal-1"});
    CHECK(ssh_config_includes("Include conf.d/a  b\n") ==
          std::vector<std::string>{"conf.d/a", "b"});
}

TEST_CASE("what ssh -G says becomes a host, with its jump") {
    const ImportedHost host = host_from_ssh("web-1",
                                            "user ops\nhostname 192.0.2.11\nport 2222\n"
                                            "identityfile ~/.ssh/id\nidentityfile ~/.ssh/other\n"
                                            "proxyjump kim@bastion\n");
    CHECK(host.address == "192.0.2.11");
    CHECK(host.user == "ops");
    CHECK(host.port == 2222);
    CHECK(host.key_file == "~/.ssh/id");
    CHECK(host.jump == "bastion");
    Imported imported{.hosts = {host_from_ssh("bastion", "hostname 192.0.2.1\n"), host},
                      .skipped = {}};
    CHECK(loads(catalog_text(imported, "ssh-config")));
    CHECK(catalog_text(imported, "ssh-config").find("\njump        = \"bastion\"") !=
          std::string::npos);
}

TEST_CASE("what cannot be taken over is said beside the host") {
    Imported imported{.hosts = {host_from_ssh("a", "hostname h\nproxyjump x,y\nproxycommand nc\n")},
                      .skipped = {}};
    const std::string text = catalog_text(imported, "ssh-config");
    CHECK(text.find("# not taken over: jumps over x,y; has a ProxyCommand") != std::string::npos);
    CHECK(loads(text));
}
