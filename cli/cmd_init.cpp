// drill init: writes a first catalog and a harmless first experiment, out of nothing, ssh_config
// or an Ansible inventory. Must not: overwrite a file, connect to a host, or copy a secret: only
// what `ssh -G` and `ansible-inventory` say of addresses, users, ports, key paths and groups.
// Next: config/import.hpp.
#include "base/text.hpp"
#include "cli/session.hpp"
#include "cli/verbs.hpp"
#include "config/files.hpp"
#include "config/import.hpp"
#include "config/loader.hpp"
#include "transport/clock.hpp"
#include "transport/local.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace drill::cli {

namespace {

constexpr Nanos patience = std::chrono::seconds{30};  // a large inventory takes some seconds
constexpr std::size_t most_names = 2000;              // one `ssh -G` for each
constexpr std::size_t most_config = std::size_t{1} << 20U;

const char* const hello =
    R"(# The harmless first experiment: it goes the whole way to one host of the catalog and back, and
# changes nothing but a marker file in its own directory /run/drill/<lease> on that host.
[experiment]
name  = "hello"
title = "The way to a host works, there and back"

[limit]
hosts   = 1
longest = "1m"

[target.any]
match = "all"
pick  = 1

# This probe stands where the one of your service will be.
[[probe]]
name    = "controller"
kind    = "command"
argv    = ["true"]
every   = "200ms"
timeout = "2s"

[[hypothesis]]
probe  = "controller"
before = "success >= 99% for 2s"
during = "success >= 99%"

[[step]]
name  = "greet"
fault = "noop"
on    = "any"
hold  = "3s"
)";

const char* const this_machine = R"(
[host.here]
transport = "local"
address   = "localhost"

# A host that is reached by ssh; its key is checked strictly (drill trust web-1 records it):
#   [host.web-1]
#   address     = "192.0.2.11"
#   labels      = { role = "web" }
#   user        = "ops"
#   become      = "sudo"
#   key         = { file = "~/.ssh/id_ed25519" }
#   known_hosts = "~/.ssh/known_hosts"
)";

Result<std::string> output_of(std::vector<std::string> argv) {
    Connection here{};
    here.host = "controller";
    here.transport = "local";
    const std::string program = argv.front();
    const auto reply = make_local(here)->perform(Exec{.argv = std::move(argv), .input = ""},
                                                 boot_now() + patience, {});
    if (!reply) { return reply.error(); }
    if (reply->status != 0 || reply->truncated) {
        return fail(Code::rejected,
                    program + " failed: " + escape_control(trim(reply->err), Lines::one));
    }
    return reply->out;
}

std::string text_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::string text(most_config, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
    return text;
}

/// ~/.ssh/config and what it includes, one level deep, without patterns in paths.
std::string ssh_config() {
    // ssh itself does not look at $HOME.
    const passwd* user = getpwuid(getuid());
    const std::string directory =
        (user == nullptr ? home_directory() : std::string(user->pw_dir)) + "/.ssh";
    std::string all = text_of(directory + "/config");
    for (const std::string& path : ssh_config_includes(all)) {
        if (path.find_first_of("*?[") == std::string::npos) {
            all += "\n" + text_of(expand_path(path, directory));
            continue;
        }
        const std::filesystem::path whole(expand_path(path, directory));
        std::error_code failed;
        for (const auto& entry : std::filesystem::directory_iterator(whole.parent_path(), failed)) {
            all += "\n" + text_of(entry.path().string());  // ssh -G says what really holds
        }
    }
    return all;
}

Result<Imported> from_ssh_config() {
    Imported imported{};
    std::vector<std::string> names = ssh_config_names(ssh_config());
    if (names.size() > most_names) { names.resize(most_names); }
    for (const std::string& name : names) {
        const auto said = output_of({"ssh", "-G", name});
        if (!said) {
            imported.skipped.push_back(name);
            continue;
        }
        ImportedHost host = host_from_ssh(name, *said);
        // ssh names a file whether it exists or not; a catalog may not.
        struct stat info {};
        const std::string file = expand_path(host.key_file, "/");
        if (host.key_file.empty() || stat(file.c_str(), &info) != 0) { host.key_file.clear(); }
        imported.hosts.push_back(std::move(host));
    }
    if (imported.hosts.empty()) {
        return fail(Code::not_found, "~/.ssh/config names no host that is not a pattern");
    }
    return imported;
}

Result<Imported> import(const std::string& from) {
    constexpr std::string_view ansible = "ansible:";
    if (from == "ssh-config") { return from_ssh_config(); }
    if (!from.starts_with(ansible)) {
        return fail(Code::invalid, "--from is ssh-config or ansible:FILE, not " + from);
    }
    DRILL_TRY(const std::string said,
              output_of({"ansible-inventory", "--list", "-i", from.substr(ansible.size())}));
    DRILL_TRY(Imported imported, hosts_from_ansible(said));
    if (imported.hosts.empty()) {
        return fail(Code::not_found, "the inventory has no host (" + from + ")");
    }
    return imported;
}

/// Makes the file; never one that is there.
Status write_new(const std::string& path, const std::string& text) {
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return fail(errno == EEXIST ? Code::refused : Code::internal,
                    errno == EEXIST ? path + " exists already and is never overwritten"
                                    : path + " cannot be written");
    }
    const bool whole = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (close(fd) != 0 || !whole) { return fail(Code::no_space, path + " was not written whole"); }
    return ok();
}

int give_up(const Error& error) {
    complain(error.text() + ". Nothing was overwritten");
    return error.code == Code::refused ? exit_refused : exit_usage;
}

}  // namespace

int init(const Globals& globals, const std::string& from) {
    Imported imported{};
    if (!from.empty()) {
        auto got = import(from);
        if (!got) { return give_up(got.error()); }
        imported = *std::move(got);
    }
    std::string text = catalog_text(imported, from);
    if (from.empty()) { text += this_machine; }
    const std::string catalog =
        absolute_path(globals.config.empty() ? "drill.toml" : globals.config);
    const std::filesystem::path directory = std::filesystem::path(catalog).parent_path();
    const std::string experiment = (directory / "experiments" / "hello.toml").string();
    for (const std::string& path : {catalog, experiment}) {
        if (access(path.c_str(), F_OK) == 0) {
            return give_up(fail(Code::refused, path + " exists already and is never overwritten"));
        }
    }
    const LoadedCatalog read = parse_catalog(text, catalog);
    if (has_errors(read.diagnostics)) {
        show_diagnostics(read.diagnostics, catalog, text);
        return exit_usage;
    }
    std::error_code failed;
    std::filesystem::create_directories(directory / "experiments", failed);
    if (auto wrote = write_new(catalog, text); !wrote) { return give_up(wrote.error()); }
    if (auto wrote = write_new(experiment, hello); !wrote) { return give_up(wrote.error()); }
    print("wrote " + catalog + "  (" + std::to_string(read.catalog.hosts.size()) +
          (read.catalog.hosts.size() == 1 ? " host" : " hosts") + ", class " +
          read.catalog.environment_class + ")\nwrote " + experiment +
          "  (changes nothing but a marker file)\n");
    for (const std::string& name : imported.skipped) {
        progress(escape_control(name, Lines::one) +
                 " was left out: its name or address is not one");
    }
    progress("No secret was copied. Look through it, then: drill doctor");
    return exit_ok;
}

}  // namespace drill::cli
