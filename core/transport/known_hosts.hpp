// Which host keys are trusted: an own reader of OpenSSH's known_hosts, as libssh 0.10 accepts
// revoked keys and does not know @cert-authority. Pure but for the functions that name a file.
// Must not: ask a person, or trust on first use. Read next: transport/ssh.hpp (fetch_host_key).
#pragma once

#include "base/result.hpp"
#include "model/host.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drill {

enum class Trust : std::uint8_t {
    trusted,
    unknown,         ///< no key of this type is recorded for the name
    changed,         ///< another key of this type is recorded
    revoked,         ///< this very key is marked @revoked
    authority_only,  ///< only a certificate authority is recorded, which we cannot check
};
[[nodiscard]] const char* name_of(Trust trust) noexcept;

/// A public key as it stands in known_hosts.
struct HostKey {
    std::string type;  ///< "ssh-ed25519"
    std::string blob;  ///< base64 of the wire form
    friend bool operator==(const HostKey&, const HostKey&) = default;
};

/// "SHA256:..." as OpenSSH prints it; "" when the blob is not base64.
[[nodiscard]] std::string fingerprint(const HostKey& key);

/// A key that a host showed.
struct SeenKey {
    HostKey key;
    std::string fingerprint;  ///< "SHA256:..."
    std::string line;         ///< the known_hosts line: "[app-1]:2222 ssh-ed25519 AAAA..."
};

enum class KeyMark : std::uint8_t { none, revoked, authority };

struct KnownHost {
    KeyMark mark{KeyMark::none};
    std::string names;  ///< as written: patterns by comma, or "|1|salt|hash"
    HostKey key;
    std::size_t line{0};  ///< counts from 1
};

/// The name under which a host stands: "app-1" for port 22, else "[app-1]:2222". Lower case.
[[nodiscard]] std::string known_name(std::string_view address, std::uint16_t port);
/// The other way: sets address and port. A text that is no such name changes nothing.
void take_known_name(Connection& connection, std::string_view name);
/// Whether the names of a line cover `name` (from known_name): patterns with * and ?, negation
/// with !, hashed names.
[[nodiscard]] bool covers(std::string_view names, std::string_view name);

/// Lines that cannot be read are left out, as OpenSSH does; a marker that is not known too.
/// With `name` (from known_name) only the lines that cover it, markers and negations as ever.
[[nodiscard]] std::vector<KnownHost> parse_known_hosts(std::string_view text,
                                                       std::optional<std::string_view> name = {});
/// A missing file is an empty list; larger than 4 MiB or unreadable is Code::invalid.
[[nodiscard]] Result<std::vector<KnownHost>> read_known_hosts(
    const std::string& file, std::optional<std::string_view> name = {});

struct KeyJudgement {
    Trust trust{Trust::unknown};
    std::vector<std::string> recorded;  ///< fingerprints recorded for the name, same type first
};
[[nodiscard]] KeyJudgement judge_key(const std::vector<KnownHost>& known, std::string_view name,
                                     const HostKey& key);
/// Key types recorded for the name (no revoked, no authority), in file order: what to ask the
/// server for first, as a host known by its RSA key alone must not look changed.
[[nodiscard]] std::vector<std::string> recorded_types(const std::vector<KnownHost>& known,
                                                      std::string_view name);

/// The error for a key that is not trusted: Code::host_key, Effect::none, with the fingerprints,
/// what it may mean and what to do.
[[nodiscard]] Error untrusted(const Connection& connection, const HostKey& key,
                              const KeyJudgement& judgement);

enum class Replace : std::uint8_t { no, yes };

/// Records a key for connection.address in `file` (0600, atomic: written aside, fsynced, renamed;
/// a symbolic link stays one). `key_line` is "type base64" or a whole known_hosts line, whose
/// names are ignored. Adding the same key again changes nothing. Another key of the same type is
/// Code::refused unless Replace::yes, which takes the name out of all its old lines. A revoked key
/// is always refused. Two writers at once: the last rename wins.
[[nodiscard]] Status trust_add(const std::string& file, const Connection& connection,
                               std::string_view key_line, Replace replace = Replace::no);

}  // namespace drill
