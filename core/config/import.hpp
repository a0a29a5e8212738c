// A first catalog out of what exists: what `ssh -G NAME` and `ansible-inventory --list` print, as
// TOML text. Takes addresses, users, ports, paths of keys, jumps and groups; passwords and whatever
// else stands there are not looked at. Pure. Must not: run either program, write a file.
// Next: cli/cmd_init.cpp, catalog.cpp, which reads the result.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace drill {

struct ImportedHost {
    std::string name, address, user, key_file, jump, become;
    std::uint16_t port{22};
    std::vector<std::string> groups;
    std::string remark;  ///< what could not be taken over, for a comment; "" = nothing
};
struct Imported {
    std::vector<ImportedHost> hosts;  ///< sorted by name
    std::vector<std::string> skipped;
};

/// Names of `Host` lines that are no patterns, in their order, each once.
[[nodiscard]] std::vector<std::string> ssh_config_names(std::string_view text);
/// Paths of `Include` lines, as written.
[[nodiscard]] std::vector<std::string> ssh_config_includes(std::string_view text);
/// What `ssh -G name` says. Of several identity files the first is taken.
[[nodiscard]] ImportedHost host_from_ssh(const std::string& name, std::string_view text);
/// Failure: Code::invalid when the text is no inventory.
[[nodiscard]] Result<Imported> hosts_from_ansible(std::string_view json);

/// The catalog: class "staging", so that nothing runs without its name being typed.
[[nodiscard]] std::string catalog_text(const Imported& imported, std::string_view from);

}  // namespace drill
