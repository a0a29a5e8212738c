// drill trust HOST: shows the key that a host proves to own and records it once a person, or
// --fingerprint, says that it is right. Never trusts by itself.
#include "base/text.hpp"
#include "cli/session.hpp"
#include "cli/verbs.hpp"
#include "transport/known_hosts.hpp"

#include <algorithm>

namespace drill::cli {

namespace {

constexpr Nanos fetch_time = std::chrono::seconds{20};

int trust_one(const Globals& globals, const TrustOptions& options, Fleet& fleet,
              const CatalogHost& host) {
    if (host.connection.known_hosts.empty()) {
        complain("known_hosts of " + host.name +
                 " is left to ssh_config, so its key is recorded there: ssh " +
                 shell_quote(host.connection.address));
        return exit_refused;
    }
    const Result<SeenKey> seen = fleet.host_key(host.connection, boot_now() + fetch_time);
    if (!seen) {
        complain(seen.error());
        return exit_refused;
    }
    Connection to = host.connection;
    if (to.transport == "openssh") { take_known_name(to, split(seen->line, ' ').front()); }
    print(host.name + " (" + to.address + " port " + std::to_string(to.port) + ") shows\n  " +
          seen->key.type + " " + seen->fingerprint + "\n");
    if (!options.fingerprint.empty()) {
        if (options.fingerprint != seen->fingerprint) {
            complain("the key of " + host.name + " is not the one that was given, " +
                     options.fingerprint +
                     ". Nothing was recorded. Either the fingerprint is mistyped, or somebody is "
                     "in between: look on the host's own console");
            return exit_refused;
        }
    }
    const auto known = read_known_hosts(to.known_hosts);
    if (!known) {
        complain(known.error());
        return exit_refused;
    }
    const KeyJudgement judgement = judge_key(*known, known_name(to.address, to.port), seen->key);
    if (judgement.trust == Trust::trusted && !options.replace) {
        print("it is recorded already in " + to.known_hosts + "\n");
        return exit_ok;
    }
    // Asking a person first, to refuse then, would teach people to type yes.
    if (judgement.trust == Trust::revoked ||
        (judgement.trust == Trust::changed && !options.replace)) {
        complain(untrusted(to, seen->key, judgement));
        progress("Nothing was recorded.");
        return exit_refused;
    }
    if (options.fingerprint.empty()) {
        const std::string answer = ask_person(
            globals, "Is this the key that the host's own console shows? Type yes to record it:");
        if (answer != "yes") {
            complain("the key of " + host.name +
                     " was not recorded: nobody said that it is right. Compare it with what the "
                     "host's own console shows for `ssh-keygen -lf "
                     "/etc/ssh/ssh_host_ed25519_key.pub`, then: drill trust " +
                     shell_quote(host.name) + (options.replace ? " --replace" : "") +
                     " --fingerprint " + seen->fingerprint);
            return exit_refused;
        }
    }
    const Status added =
        trust_add(to.known_hosts, to, seen->line, options.replace ? Replace::yes : Replace::no);
    if (!added) {
        complain(added.error());
        return exit_refused;
    }
    print("recorded in " + to.known_hosts + "\n");
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
        const CatalogHost* host = find_host(*catalog, name);
        if (host == nullptr) { return exit_usage; }
        exit = std::max(exit, trust_one(globals, options, fleet, *host));
    }
    return exit;
}

}  // namespace drill::cli
