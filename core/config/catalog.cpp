// The catalog: drill.toml to Catalog. See loader.hpp for the keys.
#include "base/text.hpp"
#include "config/codes.hpp"
#include "config/files.hpp"
#include "config/loader.hpp"
#include "config/reader.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>

namespace drill {

namespace {

constexpr std::size_t most_addresses = 64;  // of one host; they become elements of a set
constexpr std::size_t most_labels = 64;
constexpr std::size_t most_jumps = 8;  // each hop is a session of its own
constexpr std::int64_t lowest_tier = 10;
constexpr Nanos longest_objective = std::chrono::hours{24 * 30};

const std::vector<std::string> classes{"lab", "staging", "production"};
const std::vector<std::string> transports{"ssh", "openssh", "local"};
const std::vector<std::string> become_ways{"sudo", "doas"};
const std::string left_to_ssh_config = "ssh_config";
constexpr std::size_t longest_credential = 64;

bool is_numeric_address(const std::string& text) {
    std::array<unsigned char, sizeof(in6_addr)> buffer{};
    return ::inet_pton(AF_INET, text.c_str(), buffer.data()) == 1 ||
           ::inet_pton(AF_INET6, text.c_str(), buffer.data()) == 1;
}

struct Jump {
    std::string to;
    Spot spot;
};

class CatalogReader {
public:
    CatalogReader(const std::string& file, KeyFiles key_files, Report& report)
        : report_(report),
          key_files_(key_files),
          directory_(std::filesystem::path(file).parent_path().string()) {}

    Catalog read(const Node& root) {
        TableReader top(report_, root, "");
        environment(top);
        hosts(top);
        jumps();
        services(top);
        top.close(TableReader::Show::tables);
        return std::move(catalog_);
    }

private:
    void environment(TableReader& top);
    void hosts(TableReader& top);
    void host(const Member& member);
    void addresses(TableReader& table, CatalogHost& host);
    void labels(TableReader& table, CatalogHost& host);
    void login(TableReader& table, Connection& connection);
    void become(TableReader& table, Connection& connection, Spot header);
    void become_password(const Node& node, Connection& connection, Spot header);
    void known_hosts(TableReader& table, Connection& connection);
    void paths(TableReader& table, Connection& connection);
    void jumps();
    void services(TableReader& top);
    Service service(const Member& member);

    Report& report_;
    KeyFiles key_files_;
    std::string directory_;
    Catalog catalog_;
    std::map<std::string, Jump> jumps_;
    std::set<std::string> checked_keys_;  // one diagnostic for a key that many hosts share
};

void CatalogReader::environment(TableReader& top) {
    const Node* node = top.get("environment");
    if (node == nullptr) {
        report_.error(codes::missing_table, {}, "the catalog has no [environment]",
                      "[environment]\nname  = \"lab\"\nclass = \"lab\"");
        return;
    }
    if (!has_type(report_, *node, "environment", Node::Type::table)) { return; }
    TableReader table(report_, *node, "[environment]");
    if (const Node* name = table.need("name", "name = \"lab\"")) {
        catalog_.environment = read_name(report_, *name, "name").value_or("");
    }
    if (const Node* kind = table.need("class", "class = \"lab\", \"staging\" or \"production\"")) {
        catalog_.environment_class = read_choice(report_, *kind, "class", classes).value_or("");
    }
    if (const Node* contact = table.get("contact")) {
        catalog_.contact = read_text(report_, *contact, "contact").value_or("");
    }
    table.close();
}

void CatalogReader::hosts(TableReader& top) {
    const Node* node = top.get("host");
    if (node == nullptr) {
        report_.error(codes::missing_table, {}, "the catalog has no host",
                      "[host.app-1]\naddress = \"192.0.2.1\"");
        return;
    }
    if (!has_type(report_, *node, "host", Node::Type::table)) { return; }
    if (node->members.size() > most_catalog_hosts) {
        report_.error(codes::too_many_entries, node->spot,
                      "more than " + std::to_string(most_catalog_hosts) + " hosts");
        return;
    }
    for (const Member& member : node->members) { host(member); }
    std::sort(catalog_.hosts.begin(), catalog_.hosts.end(),
              [](const CatalogHost& a, const CatalogHost& b) { return a.name < b.name; });
}

void CatalogReader::host(const Member& member) {
    if (!has_type(report_, member.value, member.key, Node::Type::table)) { return; }
    if (!check_address(report_, member.key, member.spot, "the name of a host")) { return; }
    TableReader table(report_, member.value, "[host." + member.key + "]");
    CatalogHost host;
    host.name = member.key;
    Connection& connection = host.connection;
    connection.host = member.key;
    if (const Node* transport = table.get("transport")) {
        connection.transport =
            read_choice(report_, *transport, "transport", transports).value_or("ssh");
    }
    const bool local = connection.transport == "local";
    const Node* address =
        local ? table.get("address") : table.need("address", "address = \"192.0.2.1\"");
    if (address != nullptr) {
        connection.address = read_address(report_, *address, "address").value_or("");
    }
    login(table, connection);
    become(table, connection, member.spot);
    if (const Node* jump = table.get("jump")) {
        if (std::optional<std::string> to = read_address(report_, *jump, "jump")) {
            jumps_.insert_or_assign(host.name, Jump{*to, jump->spot});
        }
    }
    addresses(table, host);
    labels(table, host);
    paths(table, connection);
    table.close();
    catalog_.hosts.push_back(std::move(host));
}

void CatalogReader::login(TableReader& table, Connection& connection) {
    if (connection.transport == "openssh") {
        connection.user.clear();
        connection.port = 0;
    }
    if (const Node* user = table.get("user")) {
        connection.user = read_address(report_, *user, "user").value_or("");
    }
    if (const Node* port = table.get("port")) {
        connection.port = static_cast<std::uint16_t>(
            read_integer(report_, *port, "port", {1, 65535}).value_or(22));
    }
}

void CatalogReader::become(TableReader& table, Connection& connection, Spot header) {
    if (const Node* way = table.get("become")) {
        connection.become = read_choice(report_, *way, "become", become_ways).value_or("");
    }
    const Node* password = table.get("become_password");
    if (password == nullptr) { return; }
    if (connection.become != "sudo") {
        report_.error(codes::useless_key, password->spot,
                      "`become_password` needs become = \"sudo\"",
                      connection.become == "doas"
                          ? "doas takes a password from a terminal only: `permit nopass` there"
                          : "become = \"sudo\"");
    }
    become_password(*password, connection, header);
}

/// Says where the password lies. Whether it can be read is looked at when it is needed.
void CatalogReader::become_password(const Node& node, Connection& connection, Spot header) {
    const std::string example = "become_password = { file = \"sudo.secret\" }";
    if (node.type != Node::Type::table) {
        // The text may be a password. Its line would be shown, so the place is that of the host.
        report_.error(codes::wrong_type, header,
                      "`become_password` says where the password lies, never what it is",
                      example + ", or { credential = \"...\" }, or { command = [\"...\"] }");
        return;
    }
    TableReader source(report_, node, "`become_password`");
    SecretSource& to = connection.become_password;
    if (const Node* file = source.get("file")) {
        const std::optional<std::string> path = read_text(report_, *file, "file");
        if (path && !path->empty()) { to.file = expand_path(*path, directory_); }
    }
    if (const Node* name = source.get("credential")) {
        to.credential = read_text(report_, *name, "credential").value_or("");
        const bool odd = to.credential.find('/') != std::string::npos ||
                         to.credential.starts_with('.') ||
                         to.credential.size() > longest_credential;
        if (odd) {
            report_.error(codes::bad_name, name->spot, "`credential` is not the name of one",
                          "a file name in $CREDENTIALS_DIRECTORY, as LoadCredential= gives it");
        }
    }
    if (const Node* command = source.get("command")) {
        to.command = read_texts(report_, *command, "command").value_or(std::vector<std::string>{});
    }
    source.close();
    const int given =
        (to.file.empty() ? 0 : 1) + (to.credential.empty() ? 0 : 1) + (to.command.empty() ? 0 : 1);
    if (given == 0) {
        report_.error(codes::missing_key, node.spot,
                      "`become_password` names no file, credential or command", example);
    } else if (given > 1) {
        report_.error(codes::useless_key, node.spot, "`become_password` names more than one place",
                      example);
    }
}

void CatalogReader::addresses(TableReader& table, CatalogHost& host) {
    const Node* node = table.get("addresses");
    if (node == nullptr || !has_type(report_, *node, "addresses", Node::Type::array)) { return; }
    if (node->items.empty() || node->items.size() > most_addresses) {
        report_.error(
            codes::out_of_range, node->spot, "`addresses` is empty or too long",
            "1 to " + std::to_string(most_addresses) + " of them; leave it out to ask the host");
        return;
    }
    for (const Node& item : node->items) {
        const std::optional<std::string> text = read_text(report_, item, "addresses");
        if (!text) { continue; }
        if (!is_numeric_address(*text)) {
            report_.error(codes::bad_address, item.spot,
                          ticked(*text) + " is not an IPv4 or IPv6 address",
                          "no names and no prefix length here, as in \"192.0.2.1\" or \"fd00::1\"");
        } else if (std::find(host.addresses.begin(), host.addresses.end(), *text) !=
                   host.addresses.end()) {
            report_.error(codes::duplicate_name, item.spot, ticked(*text) + " is given twice");
        } else {
            host.addresses.push_back(*text);
        }
    }
}

void CatalogReader::labels(TableReader& table, CatalogHost& host) {
    const Node* node = table.get("labels");
    if (node == nullptr || !has_type(report_, *node, "labels", Node::Type::table)) { return; }
    if (node->members.size() > most_labels) {
        report_.error(codes::too_many_entries, node->spot,
                      "more than " + std::to_string(most_labels) + " labels");
        return;
    }
    for (const Member& member : node->members) {
        const std::optional<std::string> value = read_text(report_, member.value, member.key);
        if (check_address(report_, member.key, member.spot, "the name of a label") && value) {
            host.labels.emplace(member.key, *value);
        }
    }
}

void CatalogReader::known_hosts(TableReader& table, Connection& connection) {
    connection.known_hosts = expand_path("known_hosts", directory_);
    const Node* known = table.get("known_hosts");
    if (known == nullptr) { return; }
    const std::optional<std::string> path = read_text(report_, *known, "known_hosts");
    if (!path || path->empty()) { return; }
    if (*path != left_to_ssh_config) {
        connection.known_hosts = expand_path(*path, directory_);
    } else if (connection.transport == "openssh") {
        connection.known_hosts.clear();
    } else {
        report_.error(codes::bad_choice, known->spot,
                      "only transport = \"openssh\" leaves known_hosts to ssh_config",
                      "transport = \"openssh\"; a file of that name is \"./ssh_config\"");
    }
}

void CatalogReader::paths(TableReader& table, Connection& connection) {
    known_hosts(table, connection);
    const Node* key = table.get("key");
    if (key == nullptr) { return; }
    if (key->type != Node::Type::table) {
        report_.error(codes::wrong_type, key->spot, "`key` must be a table",
                      "key = { file = \"" +
                          (key->type == Node::Type::text ? key->text : std::string("id_ed25519")) +
                          "\" }");
        return;
    }
    TableReader source(report_, *key, "`key`");
    if (const Node* file = source.need("file", "file = \"id_ed25519\"")) {
        const std::optional<std::string> path = read_text(report_, *file, "file");
        if (path && path->empty()) {
            report_.error(codes::missing_key_file, file->spot, "`file` is empty");
        } else if (path) {
            connection.key_file = expand_path(*path, directory_);
            const bool first = checked_keys_.insert(connection.key_file).second;
            if (key_files_ == KeyFiles::check && first) {
                check_key_file(connection.key_file, file->spot, report_);
            }
        }
    }
    source.close();
}

/// Follows each chain to its end. Runs when all hosts are known, sorted by name.
void CatalogReader::jumps() {
    std::map<std::string_view, const CatalogHost*> by_name;
    std::vector<std::string> names;
    for (const CatalogHost& host : catalog_.hosts) {
        by_name.emplace(host.name, &host);
        names.push_back(host.name);
    }
    std::map<std::string, std::vector<Connection>> chains;
    for (const auto& [name, first] : jumps_) {
        const auto direct = by_name.find(first.to);
        if (direct == by_name.end()) {
            report_.error(codes::unknown_host, first.spot,
                          "the catalog has no host " + ticked(first.to),
                          report_.did_you_mean(first.to, names));
            continue;
        }
        if (direct->second->connection.transport == "local") {
            report_.error(codes::bad_choice, first.spot,
                          ticked(first.to) + " is this machine, it cannot be a jump host");
            continue;
        }
        if (direct->second->connection.transport == "openssh" &&
            by_name.at(name)->connection.transport != "openssh") {
            report_.error(codes::bad_choice, first.spot,
                          ticked(first.to) + " is reached by openssh, so what lies behind it too",
                          "transport = \"openssh\" in [host." + name + "]");
            continue;
        }
        std::vector<Connection> chain;  // innermost first
        std::string path = name;
        std::string at = first.to;
        while (chain.size() <= most_jumps && at != name) {
            const auto hop = by_name.find(at);
            if (hop == by_name.end()) { break; }  // reported at the host that names it
            chain.push_back(hop->second->connection);
            path += " -> " + at;
            const auto next = jumps_.find(at);
            if (next == jumps_.end()) { break; }
            at = next->second.to;
        }
        if (at == name || chain.size() > most_jumps) {
            report_.error(codes::cycle, first.spot,
                          at == name ? "jump hosts lead back to " + ticked(name)
                                     : "more than " + std::to_string(most_jumps) + " jump hosts",
                          at == name ? path.append(" -> ").append(name) : path);
            continue;
        }
        std::reverse(chain.begin(), chain.end());
        chains.emplace(name, std::move(chain));
    }
    for (CatalogHost& host : catalog_.hosts) {
        const auto chain = chains.find(host.name);
        if (chain != chains.end()) { host.connection.jumps = chain->second; }
    }
}

void CatalogReader::services(TableReader& top) {
    const Node* node = top.get("service");
    if (node == nullptr || !has_type(report_, *node, "service", Node::Type::table)) { return; }
    for (const Member& member : node->members) {
        if (!has_type(report_, member.value, member.key, Node::Type::table)) { continue; }
        if (check_name(report_, member.key, member.spot, "a service")) {
            catalog_.services.push_back(service(member));
        }
    }
}

Service CatalogReader::service(const Member& member) {
    TableReader table(report_, member.value, "[service." + member.key + "]");
    const Bounds objective = spans(Nanos{0}, longest_objective);
    Service service;
    service.name = member.key;
    if (const Node* tier = table.get("tier")) {
        service.tier = read_integer(report_, *tier, "tier", {0, lowest_tier}).value_or(0);
    }
    if (const Node* owner = table.get("owner")) {
        service.owner = read_text(report_, *owner, "owner").value_or("");
    }
    if (const Node* hosts = table.need("hosts", "hosts = { role = \"...\" }")) {
        service.hosts = read_selection(report_, *hosts, "hosts", &catalog_).value_or(Selection{});
    }
    if (const Node* rto = table.get("rto")) {
        service.rto = read_duration(report_, *rto, "rto", objective);
    }
    if (const Node* rpo = table.get("rpo")) {
        service.rpo = read_duration(report_, *rpo, "rpo", objective);
    }
    if (const Node* stateful = table.get("stateful")) {
        service.stateful = read_boolean(report_, *stateful, "stateful").value_or(false);
    }
    table.close();
    return service;
}

LoadedCatalog read_catalog(const std::string& text, const std::string& file, KeyFiles key_files,
                           Report& report) {
    LoadedCatalog loaded;
    const std::string absolute = absolute_path(file);
    if (const std::optional<Node> root = parse_document(text, catalog_caps, report)) {
        loaded.catalog = CatalogReader(absolute, key_files, report).read(*root);
    }
    loaded.catalog.file = absolute;
    loaded.catalog.bytes = text;
    loaded.diagnostics = report.take();
    return loaded;
}

}  // namespace

LoadedCatalog parse_catalog(const std::string& text, const std::string& file, KeyFiles key_files) {
    Report report(file);
    return read_catalog(text, file, key_files, report);
}

LoadedCatalog load_catalog(const std::string& path) {
    Report report(path);
    const std::optional<std::string> text =
        read_file(path, catalog_caps.bytes, Writers::trusted, report);
    if (text) { return read_catalog(*text, path, KeyFiles::check, report); }
    LoadedCatalog loaded;
    loaded.catalog.file = absolute_path(path);
    loaded.diagnostics = report.take();
    return loaded;
}

}  // namespace drill
