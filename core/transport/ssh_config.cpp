// See ssh_config.hpp. The names are those that `ssh -G` prints, in lower case.
#include "transport/ssh_config.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>

namespace drill {

namespace {

constexpr std::size_t longest_value = 80;
// Debian's own ssh_config includes it; its files are looked at by themselves.
constexpr std::string_view debian_include = "/etc/ssh/ssh_config.d/*.conf";

enum class About : unsigned char { way, host_key, login };

struct Setting {
    std::string_view key;
    std::string_view shown;  ///< as it is written in ssh_config
    About about;
    std::string_view plain;  ///< the value that says nothing; "" = each value says something
};

constexpr std::array<Setting, 16> settings{{
    {"proxycommand", "ProxyCommand", About::way, "none"},
    {"proxyjump", "ProxyJump", About::way, "none"},
    {"bindaddress", "BindAddress", About::way, ""},
    {"bindinterface", "BindInterface", About::way, ""},
    {"canonicalizehostname", "CanonicalizeHostname", About::way, "false"},
    {"hostkeyalias", "HostKeyAlias", About::host_key, ""},
    {"knownhostscommand", "KnownHostsCommand", About::host_key, "none"},
    {"revokedhostkeys", "RevokedHostKeys", About::host_key, "none"},
    {"verifyhostkeydns", "VerifyHostKeyDNS", About::host_key, "false"},
    {"certificatefile", "CertificateFile", About::login, ""},
    {"pkcs11provider", "PKCS11Provider", About::login, "none"},
    {"securitykeyprovider", "SecurityKeyProvider", About::login, "internal"},
    {"identityagent", "IdentityAgent", About::login, "SSH_AUTH_SOCK"},
    {"gssapiauthentication", "GSSAPIAuthentication", About::login, "no"},
    {"hostbasedauthentication", "HostbasedAuthentication", About::login, "no"},
    {"preferredauthentications", "PreferredAuthentications", About::login, ""},
}};

std::string lower(std::string_view text) {
    std::string out;
    for (const char c : text) { out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
    return out;
}

std::string finding(const Connection& connection, std::string_view key, std::string_view value) {
    std::string shown = escape_control(value, Lines::one);
    if (shown.size() > longest_value) { shown = shown.substr(0, longest_value) + "..."; }
    return connection.host + ": ssh_config says `" + std::string(key) + " " + shown +
           "`, which transport = \"ssh\" does not do; transport = \"openssh\" in [host." +
           connection.host + "] does";
}

/// HostName, Port and User differ from the catalog: by hand another place would be reached.
void compare(std::vector<std::string>& findings, const Connection& connection,
             const std::string& key, std::string_view value) {
    const bool name = key == "hostname" && lower(value) != lower(connection.address);
    // 22 is what is said where nothing is said.
    const bool port = key == "port" && value != "22" && value != std::to_string(connection.port);
    if (name) { findings.push_back(finding(connection, "HostName", value)); }
    if (port) { findings.push_back(finding(connection, "Port", value)); }
}

}  // namespace

std::vector<std::string> ssh_config_findings(std::string_view said, const Connection& connection,
                                             LoginWorks works, Ticket ticket) {
    std::vector<std::string> findings;
    if (connection.transport != "ssh") { return findings; }
    for (const std::string& line : split(said, '\n')) {
        const std::string_view text = trim(line);
        const std::size_t blank = text.find(' ');
        if (blank == std::string_view::npos) { continue; }
        const std::string key = lower(text.substr(0, blank));
        const std::string_view value = trim(text.substr(blank));
        compare(findings, connection, key, value);
        for (const Setting& setting : settings) {
            if (setting.key != key || value == setting.plain) { continue; }
            if (setting.about == About::login && works == LoginWorks::yes) { continue; }
            if (setting.key == "gssapiauthentication" && ticket == Ticket::none) { continue; }
            // A jump in the catalog is the same thing said there.
            if (setting.key == "proxyjump" && !connection.jumps.empty()) { continue; }
            findings.push_back(finding(connection, setting.shown, value));
        }
    }
    return findings;
}

bool ssh_config_matters(std::string_view text) {
    for (const std::string& line : split(text, '\n')) {
        const std::string_view words = trim(line);
        const std::string key = lower(words.substr(0, words.find_first_of(" \t=")));
        if (key.empty() || key.starts_with('#')) { continue; }
        if (key == "include") {
            if (words.find(debian_include) == std::string_view::npos) { return true; }
            continue;
        }
        if (key == "gssapiauthentication") { continue; }
        const bool known = std::any_of(settings.begin(), settings.end(),
                                       [&](const Setting& one) { return one.key == key; });
        if (known || key == "hostname" || key == "port") { return true; }
    }
    return false;
}

}  // namespace drill
