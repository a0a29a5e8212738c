// See ssh_config_notes.hpp.
#include "cli/ssh_config_notes.hpp"

#include "config/files.hpp"
#include "transport/clock.hpp"
#include "transport/local.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace drill::cli {

namespace {

constexpr Nanos patience = std::chrono::seconds{2};
constexpr std::size_t largest_config = std::size_t{1} << 20U;
constexpr std::size_t most_hosts = 500;  // 5 ms each

std::string text_of(const std::filesystem::path& path) {
    std::error_code failed;
    if (!std::filesystem::is_regular_file(path, failed)) { return {}; }
    std::ifstream in(path, std::ios::binary);
    std::string text(largest_config, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
    return text;
}

/// Whether any file that ssh reads by itself could matter.
bool anything_said() {
    // ssh itself does not look at $HOME.
    const passwd* user = getpwuid(getuid());
    const std::string home = user == nullptr ? home_directory() : std::string(user->pw_dir);
    if (ssh_config_matters(text_of(home + "/.ssh/config")) ||
        ssh_config_matters(text_of("/etc/ssh/ssh_config"))) {
        return true;
    }
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator("/etc/ssh/ssh_config.d", failed)) {
        if (ssh_config_matters(text_of(entry.path()))) { return true; }
    }
    return false;
}

/// Standard output of a program of the controller; "" when it fails.
std::string output_of(std::vector<std::string> argv) {
    const auto here = make_local(Connection{.host = "controller", .transport = "local"});
    const auto reply =
        here->perform(Exec{.argv = std::move(argv), .input = {}}, boot_now() + patience, {});
    return reply && reply->status == 0 ? reply->out : "";
}

}  // namespace

std::map<std::string, std::vector<std::string>> ssh_config_notes(const std::vector<Tried>& hosts) {
    std::map<std::string, std::vector<std::string>> notes;
    const bool failed = std::any_of(hosts.begin(), hosts.end(), [](const Tried& one) {
        return one.works == LoginWorks::no && one.connection.transport == "ssh";
    });
    const bool said = anything_said();
    if (!said && !failed) { return notes; }
    const bool ticket = failed && !output_of({"klist"}).empty();
    std::size_t asked = 0;
    for (const Tried& one : hosts) {
        const bool wanted = said || one.works == LoginWorks::no;
        if (one.connection.transport != "ssh" || !wanted || ++asked > most_hosts) { continue; }
        auto found = ssh_config_findings(
            output_of({"ssh", "-G", "-l", one.connection.user, "--", one.connection.address}),
            one.connection, one.works, ticket ? Ticket::there : Ticket::none);
        if (!found.empty()) { notes.emplace(one.connection.host, std::move(found)); }
    }
    return notes;
}

}  // namespace drill::cli
