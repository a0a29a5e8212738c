// drill trust HOST: shows the key that a host proves to own and records it once a person, or
// --fingerprint, says that it is right. Never trusts by itself.
#include "cli/session.hpp"
#include "cli/verbs.hpp"
#include "transport/known_hosts.hpp"

#include <algorithm>

namespace drill::cli {

namespace {

constexpr Nanos fetch_time = std::chrono::seconds{20};

int trust_one(const Globals& globals, const TrustOptions& options, Fleet& fleet,
              const CatalogHost& host) {
    const Result<SeenKey> seen =
        fetch_host_key(host.connection, boot_now() + fetch_time, {}, fleet.ssh_options());
    if (!seen) {
        complain(seen.error());
        return exit_refused;
    }
    print(host.name + " (" + host.connection.address + " port " +
          std::to_string(host.connection.port) + ") shows " + seen->key.type + " " +
          seen->fingerprint + "\n");
    if (!options.fingerprint.empty()) {
        if (options.fingerprint != seen->fingerprint) {
            complain(host.name + ": this is not the fingerprint that was given (" +
                     options.fingerprint + "); nothing was recorded");
            return exit_refused;
        }
    } else {
        const std::string answer = ask_person(
            globals, "Is this the key that the host's own console shows? Type yes to record it:");
        if (answer != "yes") {
            complain(host.name +
                     ": not recorded; compare it on the host's console (ssh-keygen -lf "
                     "/etc/ssh/ssh_host_ed25519_key.pub), then: drill trust " +
                     host.name + " --fingerprint " + seen->fingerprint);
            return exit_refused;
        }
    }
    const Status added = trust_add(host.connection.known_hosts, host.connection, seen->line,
                                   options.replace ? Replace::yes : Replace::no);
    if (!added) {
        complain(added.error());
        return exit_refused;
    }
    print("recorded in " + host.connection.known_hosts + "\n");
    return exit_ok;
}

}  // namespace

int trust(const Globals& globals, const TrustOptions& options) {
    const std::optional<Catalog> catalog = open_catalog(globals);
    if (!catalog) { return exit_usage; }
    if (!options.fingerprint.empty() && options.hosts.size() > 1) {
        complain("--fingerprint is that of one host");
        return exit_usage;
    }
    Fleet fleet;
    int exit = exit_ok;
    for (const std::string& name : options.hosts) {
        const auto host = std::find_if(catalog->hosts.begin(), catalog->hosts.end(),
                                       [&](const CatalogHost& one) { return one.name == name; });
        if (host == catalog->hosts.end()) {
            complain("the catalog has no host " + name);
            return exit_usage;
        }
        exit = std::max(exit, trust_one(globals, options, fleet, *host));
    }
    return exit;
}

}  // namespace drill::cli
