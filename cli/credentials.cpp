// See credentials.hpp.
#include "cli/credentials.hpp"

#include "plan/credentials.hpp"
#include "transport/clock.hpp"
#include "transport/local.hpp"

#include <sys/stat.h>
#include <algorithm>
#include <cstdlib>
#include <map>

namespace drill::cli {

namespace {

constexpr Nanos patience = std::chrono::seconds{2};

/// Standard output of a program of the controller, in UTC and English; "" when it fails.
std::string output_of(std::vector<std::string> argv, std::string input = "") {
    Connection here{};
    here.host = "controller";
    here.transport = "local";
    argv.insert(argv.begin(), {"env", "TZ=UTC0", "LC_ALL=C"});
    const auto reply = make_local(here)->perform(
        Exec{.argv = std::move(argv), .input = std::move(input)}, boot_now() + patience, {});
    return reply && reply->status == 0 ? reply->out : "";
}

bool exists(const std::string& path) {
    struct stat info {};
    return stat(path.c_str(), &info) == 0;
}

/// The certificate that OpenSSH takes along with this key, "" when there is none.
std::string certificate_beside(const std::string& key_file) {
    const std::string path = key_file + "-cert.pub";
    return !key_file.empty() && exists(path) ? path : "";
}

std::vector<Wall> agent_certificates() {
    if (std::getenv("SSH_AUTH_SOCK") == nullptr) { return {}; }
    std::string certificates;
    const std::string all = output_of({"ssh-add", "-L"});
    for (std::size_t at = 0; at < all.size();) {
        const std::size_t end = std::min(all.find('\n', at), all.size());
        const std::string line = all.substr(at, end - at);
        if (line.find("-cert-v01@openssh.com ") != std::string::npos) {
            certificates += line + "\n";
        }
        at = end + 1;
    }
    if (certificates.empty()) { return {}; }
    return certificate_ends(output_of({"ssh-keygen", "-L", "-f", "-"}, std::move(certificates)));
}

}  // namespace

std::vector<Credential> credentials_of(const std::vector<Connection>& connections) {
    std::vector<Credential> found;
    std::map<std::string, std::vector<Wall>> files;
    std::optional<std::vector<Wall>> agent;
    std::optional<std::string> tickets;
    const auto add = [&](const std::string& host, const std::string& what, Wall ends,
                         const char* fix) {
        const bool known = std::any_of(found.begin(), found.end(), [&](const Credential& one) {
            return one.host == host && one.what == what;
        });
        if (!known) { found.push_back({host, what, ends, fix}); }
    };
    const auto one = [&](const std::string& host, const Connection& to) {
        if (to.transport == "local") { return; }
        // libssh is given the bare key; only OpenSSH itself presents a certificate or a ticket.
        const bool openssh = to.transport == "openssh";
        if (const std::string path = certificate_beside(to.key_file); openssh && !path.empty()) {
            if (!files.contains(path)) {
                files[path] = certificate_ends(output_of({"ssh-keygen", "-L", "-f", path}));
            }
            for (const Wall ends : files[path]) {
                add(host, "the certificate " + path, ends, "have it signed anew");
            }
        }
        if (!to.key_file.empty()) { return; }
        if (!agent) { agent = agent_certificates(); }
        if (!agent->empty()) {
            add(host, "the agent's certificate", *std::max_element(agent->begin(), agent->end()),
                "load a new one with ssh-add");
        }
        if (!openssh) { return; }
        if (!tickets) { tickets = output_of({"klist"}); }
        if (const auto ends = ticket_end(*tickets)) {
            add(host, "the Kerberos ticket", *ends, "kinit");
        }
    };
    for (const Connection& connection : connections) {
        for (const Connection& jump : connection.jumps) { one(connection.host, jump); }
        one(connection.host, connection);
    }
    return found;
}

}  // namespace drill::cli
