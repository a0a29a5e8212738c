// See import.hpp.
#include "config/import.hpp"

#include "base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace drill {

namespace {

using nlohmann::json;

constexpr std::size_t most_hosts = 10'000;

/// What a catalog takes as a name or an address (config/reader.cpp).
bool fits(std::string_view text) {
    return !text.empty() && text.size() <= 253 && text.front() != '-' &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      std::string_view("._:%-").find(c) != std::string_view::npos;
           });
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

/// Words of the values of one keyword; "Host a b" and "Host=a b" alike.
std::vector<std::string> words_of(std::string_view text, std::string_view keyword) {
    std::vector<std::string> found;
    for (std::string line : split(text, '\n')) {
        std::replace_if(
            line.begin(), line.end(), [](char c) { return c == '\t' || c == '\r' || c == '"'; },
            ' ');
        std::string_view all = trim(line);
        const std::size_t end = all.find_first_of(" =");
        if (end == std::string_view::npos || lower(all.substr(0, end)) != keyword) { continue; }
        all.remove_prefix(all.find_first_not_of(" =", end) == std::string_view::npos
                              ? all.size()
                              : all.find_first_not_of(" =", end));
        for (const std::string& word : split(all, ' ')) {
            if (!word.empty()) { found.push_back(word); }
        }
    }
    return found;
}

std::string first_word(std::string_view text, std::string_view keyword) {
    const std::vector<std::string> words = words_of(text, keyword);
    return words.empty() ? "" : words.front();
}

std::uint16_t port_of(const std::string& text) {
    const bool digits = !text.empty() && text.size() <= 5 &&
                        text.find_first_not_of("0123456789") == std::string::npos;
    const int port = digits ? std::stoi(text) : 22;
    return port >= 1 && port <= 65535 ? static_cast<std::uint16_t>(port) : std::uint16_t{22};
}

/// A member as text; "" where it is absent or something else than text and numbers.
std::string text_of(const json& table, const char* name) {
    const auto found = table.find(name);
    if (found == table.end()) { return ""; }
    if (found->is_string()) { return found->get<std::string>(); }
    return found->is_number_integer() ? std::to_string(found->get<std::int64_t>()) : "";
}

bool is_true(const json& table, const char* name) {
    const auto found = table.find(name);
    if (found == table.end()) { return false; }
    if (found->is_boolean()) { return found->get<bool>(); }
    const std::string text = lower(text_of(table, name));
    return text == "true" || text == "yes" || text == "1";
}

ImportedHost host_from_variables(const std::string& name, const json& variables) {
    ImportedHost host{};
    host.name = name;
    host.address = text_of(variables, "ansible_host");
    if (host.address.empty()) { host.address = name; }
    host.user = text_of(variables, "ansible_user");
    if (host.user.empty()) { host.user = text_of(variables, "ansible_ssh_user"); }
    host.key_file = text_of(variables, "ansible_ssh_private_key_file");
    if (host.key_file.empty()) { host.key_file = text_of(variables, "ansible_private_key_file"); }
    host.port = port_of(text_of(variables, "ansible_port"));
    const std::string way = text_of(variables, "ansible_become_method");
    if (is_true(variables, "ansible_become") && (way.empty() || way == "sudo")) {
        host.become = "sudo";
    } else if (is_true(variables, "ansible_become")) {
        host.remark = "becomes root by " + way;
    }
    if (!text_of(variables, "ansible_ssh_common_args").empty()) {
        host.remark += (host.remark.empty() ? "" : "; ") +
                       std::string("has ansible_ssh_common_args, perhaps a jump host");
    }
    return host;
}

/// A basic string of TOML.
std::string toml_text(std::string_view text) {
    std::string out = "\"";
    for (const char c : escape_control(text, Lines::one)) {
        if (c == '"' || c == '\\') { out += '\\'; }
        out += c;
    }
    return out + "\"";
}

std::string host_text(const ImportedHost& host, const std::set<std::string>& names) {
    std::string out = "\n";
    if (!host.remark.empty()) {
        out += "# not taken over: " + escape_control(host.remark, Lines::one) + "\n";
    }
    out += "[host.\"" + host.name + "\"]\naddress     = " + toml_text(host.address) + "\n";
    // A group is a label of its own: a host may be in many.
    std::string labels;
    for (const std::string& group : host.groups) {
        labels += (labels.empty() ? "" : ", ") + ("\"" + group + "\" = \"yes\"");
    }
    if (!labels.empty()) { out += "labels      = { " + labels + " }\n"; }
    if (!host.user.empty()) { out += "user        = " + toml_text(host.user) + "\n"; }
    if (host.port != 22) { out += "port        = " + std::to_string(host.port) + "\n"; }
    if (!host.key_file.empty()) {
        out += "key         = { file = " + toml_text(host.key_file) + " }\n";
    }
    if (!host.become.empty()) { out += "become      = " + toml_text(host.become) + "\n"; }
    if (names.contains(host.jump)) {
        out += "jump        = " + toml_text(host.jump) + "\n";
    } else if (!host.jump.empty()) {
        out += "# jump      = " + toml_text(host.jump) + "   needs a [host] of its own\n";
    }
    return out + "known_hosts = \"~/.ssh/known_hosts\"\n";
}

}  // namespace

std::vector<std::string> ssh_config_names(std::string_view text) {
    std::vector<std::string> names;
    for (const std::string& word : words_of(text, "host")) {
        const bool pattern = word.find_first_of("*?!") != std::string::npos;
        const bool known = std::find(names.begin(), names.end(), word) != names.end();
        if (!pattern && !known && fits(word) && names.size() < most_hosts) {
            names.push_back(word);
        }
    }
    return names;
}

std::vector<std::string> ssh_config_includes(std::string_view text) {
    return words_of(text, "include");
}

ImportedHost host_from_ssh(const std::string& name, std::string_view text) {
    ImportedHost host{};
    host.name = name;
    host.address = first_word(text, "hostname");
    if (host.address.empty()) { host.address = name; }
    host.user = first_word(text, "user");
    host.port = port_of(first_word(text, "port"));
    host.key_file = first_word(text, "identityfile");
    std::string jump = first_word(text, "proxyjump");
    if (jump.find(',') != std::string::npos) {
        host.remark = "jumps over " + jump;
        jump.clear();
    }
    if (const std::size_t at = jump.rfind('@'); at != std::string::npos) { jump.erase(0, at + 1); }
    host.jump = jump == "none" ? "" : jump;
    const std::string command = first_word(text, "proxycommand");
    if (!command.empty() && command != "none") {
        host.remark += (host.remark.empty() ? "" : "; ") + std::string("has a ProxyCommand");
    }
    return host;
}

Result<Imported> hosts_from_ansible(std::string_view text) {
    const json root = json::parse(text, nullptr, false);
    const json none = json::object();
    if (!root.is_object() || !root.contains("_meta") || !root["_meta"].is_object()) {
        return fail(Code::invalid, "this is not what `ansible-inventory --list` prints");
    }
    const json& variables = root["_meta"].contains("hostvars") ? root["_meta"]["hostvars"] : none;
    std::map<std::string, std::set<std::string>> groups;  // by host
    for (const auto& [group, table] : root.items()) {
        if (group == "_meta" || !table.is_object() || !table.contains("hosts") ||
            !table["hosts"].is_array()) {
            continue;
        }
        for (const json& host : table["hosts"]) {
            if (!host.is_string()) { continue; }
            std::set<std::string>& of = groups[host.get<std::string>()];
            if (group != "all" && group != "ungrouped" && fits(group)) { of.insert(group); }
        }
    }
    if (variables.is_object()) {
        for (const auto& [host, table] : variables.items()) { groups[host]; }
    }
    Imported imported{};
    for (const auto& [name, of] : groups) {
        const json& own =
            variables.is_object() && variables.contains(name) ? variables[name] : none;
        ImportedHost host = host_from_variables(name, own.is_object() ? own : none);
        host.groups.assign(of.begin(), of.end());
        if (fits(name) && fits(host.address) && imported.hosts.size() < most_hosts) {
            imported.hosts.push_back(std::move(host));
        } else {
            imported.skipped.push_back(name);
        }
    }
    return imported;
}

std::string catalog_text(const Imported& imported, std::string_view from) {
    std::set<std::string> names;
    for (const ImportedHost& host : imported.hosts) { names.insert(host.name); }
    std::string out =
        "# The catalog: which hosts there are and how to log in. Made by `drill init`" +
        std::string(from.empty() ? "" : " from ") + std::string(from) +
        ".\n# Only you may be able to write it. Look at every line; then: drill doctor\n\n"
        "[environment]\nname    = \"first\"\n"
        "class   = \"staging\"                # lab, staging, production\n"
        "contact = \"\"                       # told to whoever finds us on a host\n";
    for (const ImportedHost& host : imported.hosts) { out += host_text(host, names); }
    return out;
}

}  // namespace drill
