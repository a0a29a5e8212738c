// Catalogs: what loads, and for each mistake its code, place and words.
#include "config/codes.hpp"
#include "samples.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace drill;
using namespace drill::test;
using namespace std::chrono_literals;

namespace {

LoadedCatalog read(const std::string& text) { return parse_catalog(text, "/lab/drill.toml"); }

const CatalogHost& host(const Catalog& catalog, const std::string& name) {
    for (const CatalogHost& one : catalog.hosts) {
        if (one.name == name) { return one; }
    }
    FAIL("no host " << name);
    return catalog.hosts.front();
}

struct Mistake {
    const char* from;
    const char* to;
    std::string_view code;
    std::size_t line, column, length;
    const char* says;
};

}  // namespace

TEST_CASE("the sample catalog of the design loads without a word") {
    const LoadedCatalog loaded = read(sample_catalog);
    CHECK_MESSAGE(loaded.diagnostics.empty(), shown(loaded.diagnostics, sample_catalog));
    const Catalog& c = loaded.catalog;
    CHECK(c.file == "/lab/drill.toml");
    CHECK(c.environment == "lab");
    CHECK_FALSE(c.guarded());
    CHECK(c.bytes == sample_catalog);
    REQUIRE(c.hosts.size() == 1);
    const CatalogHost& app = c.hosts[0];
    CHECK(app.name == "app-1");
    CHECK(app.connection.host == "app-1");
    CHECK(app.connection.address == "10.77.0.4");
    CHECK(app.connection.user == "root");
    CHECK(app.connection.port == 22);
    CHECK(app.connection.transport == "ssh");
    CHECK(app.connection.key_file == "/lab/lab/id_ed25519");
    CHECK(app.connection.known_hosts == "/lab/known_hosts");
    CHECK(app.addresses == std::vector<std::string>{"10.77.0.4", "fd77::4"});
    CHECK(app.labels.at("site") == "a");
    REQUIRE(c.services.size() == 1);
    CHECK(c.services[0].tier == 1);
    CHECK(c.services[0].owner == "team-orders");
    CHECK(c.services[0].hosts.labels.at("role") == "orders-app");
    CHECK(c.services[0].rto == Nanos{30s});
    CHECK(c.services[0].rpo == Nanos{0});
}

TEST_CASE("hosts come sorted by name whatever their order in the file") {
    const Catalog c = read(with(lab_catalog, "[host.app-1]", "[host.zoo]")).catalog;
    REQUIRE(c.hosts.size() == 3);
    CHECK(c.hosts[0].name == "app-2");
    CHECK(c.hosts[2].name == "zoo");
}

TEST_CASE("all keys of a host are read") {
    const std::string text = with(lab_catalog, "[host.app-2]\n", R"([host.app-2]
port = 2222
become = "sudo"
known_hosts = "/etc/drill/known_hosts"
transport = "local"
)");
    const LoadedCatalog loaded = read(text);
    REQUIRE_MESSAGE(loaded.diagnostics.empty(), shown(loaded.diagnostics, text));
    const Connection& c = host(loaded.catalog, "app-2").connection;
    CHECK(c.port == 2222);
    CHECK(c.become == "sudo");
    CHECK(c.known_hosts == "/etc/drill/known_hosts");
    CHECK(c.transport == "local");
}

TEST_CASE("a service can be marked as stateful") {
    CHECK_FALSE(read(sample_catalog).catalog.services[0].stateful);
    const std::string text =
        with(sample_catalog, "[service.orders]\n", "[service.orders]\nstateful = true\n");
    const LoadedCatalog loaded = read(text);
    REQUIRE_MESSAGE(loaded.diagnostics.empty(), shown(loaded.diagnostics, text));
    CHECK(loaded.catalog.services[0].stateful);
}

TEST_CASE("by openssh what the catalog does not say is left to ssh_config") {
    std::string text = with(lab_catalog, "user    = \"root\"", "transport = \"openssh\"");
    text = with(text, "key     = { file = \"lab/id_ed25519\" }", "known_hosts = \"ssh_config\"");
    const LoadedCatalog loaded = read(text);
    REQUIRE_MESSAGE(loaded.diagnostics.empty(), shown(loaded.diagnostics, text));
    const Connection& c = host(loaded.catalog, "app-1").connection;
    CHECK(c.transport == "openssh");
    CHECK(c.port == 0);
    CHECK(c.user.empty());
    CHECK(c.key_file.empty());
    CHECK(c.known_hosts.empty());
}

TEST_CASE("by openssh the catalog's own known_hosts holds unless it is left to ssh_config") {
    const std::string text =
        with(lab_catalog, "[host.app-2]\n",
             "[host.app-2]\ntransport = \"openssh\"\nport = 2222\nuser = \"kim\"\n");
    const LoadedCatalog loaded = read(text);
    REQUIRE_MESSAGE(loaded.diagnostics.empty(), shown(loaded.diagnostics, text));
    const Connection& c = host(loaded.catalog, "app-2").connection;
    CHECK(c.port == 2222);
    CHECK(c.user == "kim");
    CHECK(c.known_hosts == "/lab/known_hosts");
}

TEST_CASE("a host by ssh cannot lie behind one that only openssh reaches") {
    std::string text = with(lab_catalog, "[host.app-1]\n", "[host.app-1]\njump = \"app-2\"\n");
    text = with(text, "[host.app-2]\n", "[host.app-2]\ntransport = \"openssh\"\n");
    const Diagnostics found = read(text).diagnostics;
    REQUIRE(found.size() == 1);
    CHECK(found[0].code == codes::bad_choice);
    CHECK(found[0].help == "transport = \"openssh\" in [host.app-1]");
}

TEST_CASE("where the password of sudo lies is read in its three forms") {
    const auto source = [](const std::string& value) {
        const std::string text =
            with(lab_catalog, "[host.app-2]\n",
                 "[host.app-2]\nbecome = \"sudo\"\nbecome_password = " + value + "\n");
        const LoadedCatalog loaded = read(text);
        REQUIRE_MESSAGE(loaded.diagnostics.empty(), shown(loaded.diagnostics, text));
        return host(loaded.catalog, "app-2").connection.become_password;
    };
    CHECK(source("{ file = \"sudo.secret\" }").file == "/lab/sudo.secret");
    CHECK(source("{ credential = \"ops\" }").credential == "ops");
    CHECK(source("{ command = [\"pass\", \"ops\"] }").command ==
          std::vector<std::string>{"pass", "ops"});
}

TEST_CASE("a password in the catalog itself is refused and its line is not shown") {
    const std::string text = with(lab_catalog, "[host.app-2]\n",
                                  "[host.app-2]\nbecome = \"sudo\"\nbecome_password = \"s3cr\"\n");
    const Diagnostics found = read(text).diagnostics;
    REQUIRE(found.size() == 1);
    CHECK(found[0].code == codes::wrong_type);
    CHECK(shown(found, text).find("s3cr") == std::string::npos);
}

TEST_CASE("everything but the class lab is guarded") {
    CHECK(read(with(sample_catalog, "class = \"lab\"", "class = \"staging\"")).catalog.guarded());
}

TEST_CASE("jump hosts are resolved outermost first") {
    std::string text = with(lab_catalog, "[host.app-1]\n", "[host.app-1]\njump = \"app-2\"\n");
    text = with(text, "[host.app-2]\n", "[host.app-2]\njump = \"bal-1\"\n");
    const LoadedCatalog loaded = read(text);
    REQUIRE_MESSAGE(loaded.diagnostics.empty(), shown(loaded.diagnostics, text));
    const std::vector<Connection>& jumps = host(loaded.catalog, "app-1").connection.jumps;
    REQUIRE(jumps.size() == 2);
    CHECK(jumps[0].host == "bal-1");
    CHECK(jumps[1].host == "app-2");
    CHECK(jumps[0].address == "10.77.0.2");
    CHECK(jumps[1].jumps.empty());
}

TEST_CASE("jump hosts that lead back are a cycle, told at each host of it") {
    std::string text = with(lab_catalog, "[host.app-1]\n", "[host.app-1]\njump = \"app-2\"\n");
    text = with(text, "[host.app-2]\n", "[host.app-2]\njump = \"app-1\"\n");
    const Diagnostics found = read(text).diagnostics;
    REQUIRE(found.size() == 2);
    CHECK(found[0].code == codes::cycle);
    CHECK(found[0].place.line == 7);
    CHECK(found[0].help == "app-1 -> app-2 -> app-1");
    CHECK(found[1].code == codes::cycle);
}

TEST_CASE("mistakes in a catalog are told with code, place and help") {
    const Mistake mistakes[] = {
        {"[environment]\nname  = \"lab\"\nclass = \"lab\"\n", "", codes::missing_table, 0, 0, 1,
         "no [environment]"},
        {"class = \"lab\"\n", "", codes::missing_key, 2, 1, 13, "production"},
        {"class = \"lab\"", "class = \"prod\"", codes::bad_choice, 4, 9, 6, "`production`"},
        {"class = \"lab\"", "class = \"stagin\"", codes::bad_choice, 4, 9, 8,
         "did you mean `staging`?"},
        {"name  = \"lab\"", "name  = \"my lab\"", codes::bad_name, 3, 9, 8, "a-z"},
        {"address = \"10.77.0.4\" ", "", codes::missing_key, 6, 1, 12, "`address`"},
        {"address = \"10.77.0.4\" ", "address = \"-oProxyCommand=x\" ", codes::bad_address, 7, 11,
         18, "option"},
        {"user    = \"root\"", "user    = \"ro ot\"", codes::bad_address, 10, 11, 7, "253"},
        {"user    = \"root\"", "user    = \"-l\"", codes::bad_address, 10, 11, 4, "option"},
        {"user    = \"root\"", "usr     = \"root\"", codes::unknown_key, 10, 1, 3,
         "did you mean `user`?"},
        {"user    = \"root\"", "port    = 0", codes::out_of_range, 10, 11, 1, "at most 65535"},
        {"user    = \"root\"", "port    = \"22\"", codes::wrong_type, 10, 11, 4, "port = 22"},
        {"user    = \"root\"", "become  = \"su\"", codes::bad_choice, 10, 11, 4, "sudo"},
        {"user    = \"root\"", "become_password = { file = \"x\" }", codes::useless_key, 10, 19, 14,
         "needs become = \"sudo\""},
        {"user    = \"root\"", "become = \"doas\"\nbecome_password = { file = \"x\" }",
         codes::useless_key, 11, 19, 14, "permit nopass"},
        {"user    = \"root\"", "become = \"sudo\"\nbecome_password = { }", codes::missing_key, 11,
         19, 3, "names no file"},
        {"user    = \"root\"",
         "become = \"sudo\"\nbecome_password = { file = \"x\", credential = \"y\" }",
         codes::useless_key, 11, 19, 32, "more than one"},
        {"user    = \"root\"", "become = \"sudo\"\nbecome_password = { credential = \"../x\" }",
         codes::bad_name, 11, 34, 6, "CREDENTIALS_DIRECTORY"},
        {"user    = \"root\"", "known_hosts = \"ssh_config\"", codes::bad_choice, 10, 15, 12,
         "openssh"},
        {"user    = \"root\"", "transport = \"shs\"", codes::bad_choice, 10, 13, 5,
         "did you mean `ssh`?"},
        {"user    = \"root\"", "jump = \"bal1\"", codes::unknown_host, 10, 8, 6,
         "did you mean `bal-1`?"},
        {"user    = \"root\"", "jump = \"app-1\"", codes::cycle, 10, 8, 7, "app-1 -> app-1"},
        {"\"fd77::4\"]", "\"fd77::4/64\"]", codes::bad_address, 8, 27, 12, "prefix"},
        {"\"fd77::4\"]", "\"10.77.0.4\"]", codes::duplicate_name, 8, 27, 11, "twice"},
        {"[\"10.77.0.4\", \"fd77::4\"]", "[]", codes::out_of_range, 8, 13, 2, "leave it out"},
        {"site = \"a\" }", "site = 1 }", codes::wrong_type, 9, 41, 1, "site = \"1\""},
        {"key     = { file = \"lab/id_ed25519\" }", "key = \"id\"", codes::wrong_type, 11, 7, 4,
         "key = { file = \"id\" }"},
        {"key     = { file = \"lab/id_ed25519\" }", "key = { fil = \"id\", file = \"x\" }",
         codes::unknown_key, 11, 9, 3, "did you mean `file`?"},
        {"[host.app-1]", "[host.\"-app\"]", codes::bad_address, 6, 7, 6, "option"},
        {"[host.app-1]", "[host.\"a b\"]", codes::bad_address, 6, 7, 5, "the name of a host"},
        {"[service.orders]", "[service.Orders]", codes::bad_name, 13, 10, 6, "a service"},
        {"[service.orders]", "[servce.orders]", codes::unknown_key, 13, 2, 6,
         "did you mean `service`?"},
        {"rto   = \"30s\"", "rto   = 30s", codes::bare_duration, 17, 9, 3, "rto = \"30s\""},
        {"tier  = 1", "tier  = 11", codes::out_of_range, 14, 9, 2, "at most 10"},
        {"hosts = { role = \"orders-app\" }", "hosts = { role = \"order-app\" }",
         codes::unknown_label, 16, 18, 11, "did you mean `orders-app`?"},
    };
    for (const Mistake& m : mistakes) {
        const std::string text = with(lab_catalog, m.from, m.to);
        CAPTURE(std::string(m.from));
        CAPTURE(std::string(m.to));
        REQUIRE_FALSE(text.empty());
        const Diagnostics found = read(text).diagnostics;
        const std::string out = shown(found, text);
        CAPTURE(out);
        REQUIRE(found.size() == 1);
        CHECK(found[0].code == m.code);
        CHECK(found[0].place == Place{"/lab/drill.toml", m.line, m.column, m.length});
        const std::string words = found[0].summary + "\n" + found[0].help;
        CHECK_MESSAGE(words.find(m.says) != std::string::npos, m.says);
    }
}

TEST_CASE("a catalog without hosts is an error") {
    const Diagnostics found = read("[environment]\nname = \"lab\"\nclass = \"lab\"\n").diagnostics;
    REQUIRE(found.size() == 1);
    CHECK(found[0].summary == "the catalog has no host");
}

TEST_CASE("ten thousand hosts load, more are refused") {
    std::string text = "[environment]\nname = \"lab\"\nclass = \"lab\"\n";
    for (int i = 0; i < 10'000; ++i) {
        text += "[host.h" + std::to_string(i) +
                "]\naddress = \"10.0.0.1\"\nlabels = { role = \"app\", site = \"a\" }\n";
    }
    const LoadedCatalog loaded = read(text);
    CHECK(loaded.diagnostics.empty());
    CHECK(loaded.catalog.hosts.size() == 10'000);
    const Diagnostics found = read(text + "[host.x]\naddress = \"10.0.0.1\"\n").diagnostics;
    REQUIRE(found.size() == 1);
    CHECK(found[0].code == codes::too_many_entries);
}
