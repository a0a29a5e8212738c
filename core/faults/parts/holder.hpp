// What the six kinds with a holder share: the program is pushed to the target, started with the
// lease as its deadline, renewed by one number in a file, seen by its record, and ended by a
// signal. Must not: know what is taken; each kind says that by its options. Next:
// core/holder/holder.cpp, the program; ../disk-fill.md, a page that describes the life of it.
#pragma once

#include "model/kind.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drill::faults {

/// Where programs of ours lie on a target, named by their SHA-256.
inline constexpr std::string_view program_folder = "/var/lib/drill/bin";

inline constexpr Param holder_percent{
    .name = "percent",
    .type = ParamType::percent,
    .help = "How full it shall be, counting what others use already; either this or `size`.",
    .least = 1,
    .most = 1'000'000};
inline constexpr Param holder_cgroup{
    .name = "cgroup", .help = "Path of a cgroup below /sys/fs/cgroup; what is taken counts there."};
inline constexpr Param holder_allow{
    .name = "allow",
    .type = ParamType::texts,
    .help = "Paths of logs or of drill's own that lie on the same file system, accepted by name."};
inline constexpr Param holder_take{.name = "take",
                                   .type = ParamType::integer,
                                   .help = "How many are taken.",
                                   .least = 1,
                                   .most = 1'000'000};

/// "64MiB", "1.5 GB", "4096": bytes. Empty on anything else and past 2^53.
[[nodiscard]] std::optional<std::int64_t> parse_size(std::string_view text);
/// "512 MiB", "1.5 GiB", "700 B".
[[nodiscard]] std::string show_size(std::int64_t bytes);

/// What a kind asks of the target besides architecture, mount options and processors.
struct HolderQuestion {
    std::string path;    ///< on which file system it lies, and which protected paths with it
    std::string cgroup;  ///< which directory it is, and whether the login or a sshd is in it
    std::string user;    ///< which uid it is
};
/// One read-only command; its answer is the last of `observed`, read by holder_facts.
[[nodiscard]] Exec holder_observe(const HolderQuestion& question);

/// The answer. Texts are as the target printed them.
struct HolderFacts {
    std::string machine;               ///< "x86_64"
    std::string noexec;                ///< mount point with noexec above the program, "" = none
    std::int64_t processors{0};        ///< online
    std::string type, mount;           ///< of the file system of `path`; "" = path is no directory
    std::vector<std::string> kept;     ///< protected paths on that file system
    std::vector<std::string> cgroups;  ///< directories that `cgroup` names, one per hierarchy
    std::string cgroup_user;  ///< who of the way in is in that cgroup: "this login", "sshd"
    std::int64_t uid{-1}, login_uid{-1};
};
/// Failure: refused when the target cannot run the holder, with the reason and the fix.
[[nodiscard]] Result<HolderFacts> holder_facts(const ChangeRequest& request);

/// Options for a path: refused when it is not absolute, no directory, of a file system that cannot
/// be filled, or one that holds protected paths which `allow` does not name.
[[nodiscard]] Result<std::vector<std::string>> holder_path(const ChangeRequest& request,
                                                           const HolderFacts& facts);
/// Options for `percent` or `size`, exactly one of them, and `leave`.
[[nodiscard]] Result<std::vector<std::string>> holder_amount(const ChangeRequest& request);
/// "until 95 % are in use" or "20 GiB".
[[nodiscard]] std::string holder_amount_words(const ChangeRequest& request);
/// Options for `cgroup`, none when it is not given: refused when it is not there or is needed by
/// the way in. `hierarchy` is its name where each resource has its own: "pids".
[[nodiscard]] Result<std::vector<std::string>> holder_cgroup_option(const ChangeRequest& request,
                                                                    const HolderFacts& facts,
                                                                    std::string_view hierarchy);

/// The whole change: push, start with these options, renew, undo, read back.
[[nodiscard]] Change holder_change(const ChangeRequest& request, std::string_view kind,
                                   const std::vector<std::string>& options);

}  // namespace drill::faults
