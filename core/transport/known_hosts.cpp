// Reads, judges and writes OpenSSH known_hosts files.
// Must not: talk to a host. Read next: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT, for the format.
#include "transport/known_hosts.hpp"

#include "base/text.hpp"
#include "transport/wait.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace drill {

namespace {

// A known_hosts of ten thousand hosts is about 1.5 MB.
constexpr std::size_t most_bytes = std::size_t{4} << 20U;

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) { c = lower(c); }
    return out;
}

std::optional<std::string> decode_base64(std::string_view text) {
    if (text.empty() || text.size() % 4 != 0 || text.size() > 65'536) { return {}; }
    std::string out(text.size() / 4 * 3, '\0');
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
    if (size < 0) { return {}; }
    // EVP_DecodeBlock counts the padding as bytes.
    std::size_t padding = 0;
    while (padding < 2 && text[text.size() - 1 - padding] == '=') { ++padding; }
    out.resize(static_cast<std::size_t>(size) - padding);
    return out;
}

std::string encode_base64(std::string_view bytes) {
    std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

/// `text` is in lower case. Iterative, so that "****...*" stays linear times the text.
bool glob(std::string_view pattern, std::string_view text) {
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;
    std::size_t resume = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.size() && (pattern[p] == '?' || lower(pattern[p]) == text[t])) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') { ++p; }
    return p == pattern.size();
}

/// "|1|base64 salt|base64 HMAC-SHA1(salt, name)"
bool hashed_match(std::string_view names, std::string_view name) {
    const std::vector<std::string> parts = split(names.substr(1), '|');
    if (parts.size() != 3 || parts[0] != "1") { return false; }
    const auto salt = decode_base64(parts[1]);
    const auto hash = decode_base64(parts[2]);
    if (!salt || !hash) { return false; }
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    if (HMAC(EVP_sha1(), salt->data(), static_cast<int>(salt->size()),
             reinterpret_cast<const unsigned char*>(name.data()), name.size(), digest.data(),
             &size) == nullptr) {
        return false;
    }
    return hash->size() == size && std::memcmp(hash->data(), digest.data(), size) == 0;
}

std::vector<std::string_view> words(std::string_view line) {
    std::vector<std::string_view> out;
    std::size_t at = 0;
    while (at < line.size()) {
        const std::size_t begin = line.find_first_not_of(" \t", at);
        if (begin == std::string_view::npos) { break; }
        const std::size_t end = std::min(line.find_first_of(" \t", begin), line.size());
        out.push_back(line.substr(begin, end - begin));
        at = end;
    }
    return out;
}

/// `name`: a line that does not cover it is left out before its key is looked at, which is what
/// costs; a fan-out reads the file once for every host.
std::optional<KnownHost> parse_line(std::string_view line,
                                    std::optional<std::string_view> name = {}) {
    std::vector<std::string_view> word = words(line);
    KnownHost host;
    if (word.empty() || word[0].starts_with('#')) { return {}; }
    if (word[0].starts_with('@')) {
        if (word[0] == "@revoked") {
            host.mark = KeyMark::revoked;
        } else if (word[0] == "@cert-authority") {
            host.mark = KeyMark::authority;
        } else {
            return {};
        }
        word.erase(word.begin());
    }
    if (word.size() < 3 || (name && !covers(word[0], *name)) || !decode_base64(word[2])) {
        return {};
    }
    host.names = word[0];
    host.key = HostKey{.type = std::string(word[1]), .blob = std::string(word[2])};
    return host;
}

Result<std::string> read_file(const std::string& file) {
    Fd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (!fd.open()) {
        if (errno == ENOENT) { return std::string{}; }
        return fail(Code::invalid, file + " cannot be read: " + std::strerror(errno));
    }
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
        // /dev/null is a usual way to say "nothing is known".
        if (S_ISCHR(info.st_mode)) { return std::string{}; }
        return fail(Code::invalid, file + " is not a regular file");
    }
    std::string text;
    std::array<char, 65'536> buffer{};
    while (text.size() <= most_bytes) {
        const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
        if (got == 0) { return text; }
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0) { return fail(Code::invalid, file + ": " + std::strerror(errno)); }
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return fail(Code::invalid, file + " is larger than 4 MiB");
}

Error cannot(const std::string& what) {
    const Code code = errno == ENOSPC || errno == EDQUOT ? Code::no_space : Code::invalid;
    return fail(code, what + ": " + std::strerror(errno));
}

/// Write aside, fsync, rename, fsync the directory.
Status write_file(const std::string& file, std::string_view text) {
    std::array<char, PATH_MAX> resolved{};
    const bool exists = ::realpath(file.c_str(), resolved.data()) != nullptr;
    const std::string target = exists ? std::string(resolved.data()) : file;
    const std::size_t slash = target.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : target.substr(0, slash + 1);
    std::string aside = target + ".XXXXXX";
    Fd fd{::mkostemp(aside.data(), O_CLOEXEC)};  // mode 0600
    if (!fd.open()) { return cannot("no file can be made beside " + target); }
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t put = ::write(fd.get(), text.data() + done, text.size() - done);
        if (put < 0 && errno == EINTR) { continue; }
        if (put <= 0) {
            Error error = cannot(aside + " cannot be written");
            ::unlink(aside.c_str());
            return error;
        }
        done += static_cast<std::size_t>(put);
    }
    if (::fsync(fd.get()) != 0 || ::rename(aside.c_str(), target.c_str()) != 0) {
        Error error = cannot(target + " cannot be replaced");
        ::unlink(aside.c_str());
        return error;
    }
    const Fd parent{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!parent.open() || ::fsync(parent.get()) != 0) { return cannot(directory); }
    return ok();
}

/// `line` without `name`; empty when no other name is left. Patterns stay: they are not ours.
std::string without(std::string_view line, std::string_view name) {
    const std::optional<KnownHost> host = parse_line(line);
    if (!host || host->mark != KeyMark::none || !covers(host->names, name)) {
        return std::string(line);
    }
    if (host->names.starts_with('|')) { return {}; }
    std::vector<std::string> left;
    for (const std::string& each : split(host->names, ',')) {
        if (lower(each) != name) { left.push_back(each); }
    }
    if (left.empty()) { return {}; }
    return std::string(line).replace(line.find(host->names), host->names.size(), join(left, ","));
}

std::string shown(const Connection& connection) {
    return connection.host + " (" + known_name(connection.address, connection.port) + ")";
}

}  // namespace

const char* name_of(Trust trust) noexcept {
    switch (trust) {
        case Trust::trusted: return "trusted";
        case Trust::unknown: return "unknown";
        case Trust::changed: return "changed";
        case Trust::revoked: return "revoked";
        case Trust::authority_only: return "authority_only";
    }
    return "";
}

std::string fingerprint(const HostKey& key) {
    const auto bytes = decode_base64(key.blob);
    if (!bytes) { return {}; }
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    if (EVP_Digest(bytes->data(), bytes->size(), digest.data(), &size, EVP_sha256(), nullptr) !=
        1) {
        return {};
    }
    std::string text =
        encode_base64({reinterpret_cast<const char*>(digest.data()), std::size_t{size}});
    while (text.ends_with('=')) { text.pop_back(); }
    return "SHA256:" + text;
}

std::string known_name(std::string_view address, std::uint16_t port) {
    const std::string name = lower(address);
    return port == 22 ? name : "[" + name + "]:" + std::to_string(port);
}

void take_known_name(Connection& connection, std::string_view name) {
    const std::size_t end = name.rfind("]:");
    std::string_view address = name;
    std::uint16_t port = 22;
    if (name.starts_with('[') && end != std::string_view::npos) {
        address = name.substr(1, end - 1);
        const std::string_view digits = name.substr(end + 2);
        const auto [last, code] =
            std::from_chars(digits.data(), digits.data() + digits.size(), port);
        if (code != std::errc() || last != digits.data() + digits.size() || port == 0) { return; }
    }
    if (address.empty() || address.starts_with('-')) { return; }
    connection.address = address;
    connection.port = port;
}

bool covers(std::string_view names, std::string_view name) {
    if (names.starts_with('|')) { return hashed_match(names, name); }
    bool found = false;
    for (std::size_t at = 0; at <= names.size();) {
        const std::size_t end = std::min(names.find(',', at), names.size());
        const std::string_view pattern = names.substr(at, end - at);
        at = end + 1;
        if (pattern.starts_with('!')) {
            // A negated match wins over every other pattern of the line.
            if (glob(pattern.substr(1), name)) { return false; }
        } else if (!pattern.empty() && glob(pattern, name)) {
            found = true;
        }
    }
    return found;
}

std::vector<KnownHost> parse_known_hosts(std::string_view text,
                                         std::optional<std::string_view> name) {
    std::vector<KnownHost> known;
    std::size_t number = 0;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string_view line = text.substr(at, end - at);
        at = end + 1;
        ++number;
        if (auto host = parse_line(trim(line), name)) {
            host->line = number;
            known.push_back(std::move(*host));
        }
    }
    return known;
}

Result<std::vector<KnownHost>> read_known_hosts(const std::string& file,
                                                std::optional<std::string_view> name) {
    if (file.empty()) { return std::vector<KnownHost>{}; }
    DRILL_TRY(const std::string text, read_file(file));
    return parse_known_hosts(text, name);
}

KeyJudgement judge_key(const std::vector<KnownHost>& known, std::string_view name,
                       const HostKey& key) {
    KeyJudgement judgement;
    const auto blob = decode_base64(key.blob);
    bool same = false;
    bool other = false;
    bool authority = false;
    for (const KnownHost& host : known) {
        if (!covers(host.names, name)) { continue; }
        const bool equal = blob && decode_base64(host.key.blob) == blob;
        if (host.mark == KeyMark::revoked) {
            if (equal) { return KeyJudgement{.trust = Trust::revoked, .recorded = {}}; }
        } else if (host.mark == KeyMark::authority) {
            authority = true;
        } else {
            same = same || equal;
            const bool alike = host.key.type == key.type;
            other = other || (alike && !equal);
            judgement.recorded.insert(alike ? judgement.recorded.begin() : judgement.recorded.end(),
                                      host.key.type + " " + fingerprint(host.key));
        }
    }
    if (same) {
        judgement.trust = Trust::trusted;
    } else if (other) {
        judgement.trust = Trust::changed;
    } else if (authority && judgement.recorded.empty()) {
        judgement.trust = Trust::authority_only;
    }
    return judgement;
}

std::vector<std::string> recorded_types(const std::vector<KnownHost>& known,
                                        std::string_view name) {
    std::vector<std::string> types;
    for (const KnownHost& host : known) {
        if (host.mark == KeyMark::none && covers(host.names, name) &&
            std::find(types.begin(), types.end(), host.key.type) == types.end()) {
            types.push_back(host.key.type);
        }
    }
    return types;
}

Error untrusted(const Connection& connection, const HostKey& key, const KeyJudgement& judgement) {
    const std::string who = shown(connection);
    const std::string seen = key.type + " " + fingerprint(key);
    const std::string recorded = join(judgement.recorded, ", ");
    std::string text;
    switch (judgement.trust) {
        case Trust::trusted: break;
        case Trust::unknown:
            text = "the host key of " + who + " is not known: it showed " + seen;
            text +=
                recorded.empty() ? "" : ", while " + connection.known_hosts + " has " + recorded;
            text +=
                "; this is a first contact, a host under another name, or somebody in between."
                " Compare the fingerprint on the host itself, then: drill trust " +
                connection.host;
            break;
        case Trust::changed:
            text = "the host key of " + who + " has CHANGED: it showed " + seen + ", but " +
                   connection.known_hosts + " has " + recorded +
                   "; the host was installed anew, the address belongs to another host now, or"
                   " somebody is in between. Find out which, then: drill trust " +
                   connection.host + " --replace";
            break;
        case Trust::revoked:
            text = "the host key of " + who + " is marked @revoked in " + connection.known_hosts +
                   ": " + seen +
                   "; a revoked key may be in the hands of others. Give the host a"
                   " new key, then: drill trust " +
                   connection.host + " --replace";
            break;
        case Trust::authority_only:
            text = "for " + who + " only a @cert-authority is recorded in " +
                   connection.known_hosts +
                   ", and transport = \"ssh\" cannot check certificates. It showed " + seen +
                   ". With transport = \"openssh\" in [host." + connection.host +
                   "] its certificate counts. To trust this key itself: drill trust " +
                   connection.host;
            break;
    }
    return fail(Code::host_key, text, Effect::none);
}

Status trust_add(const std::string& file, const Connection& connection, std::string_view key_line,
                 Replace replace) {
    const std::vector<std::string_view> word = words(trim(key_line));
    HostKey key;
    if (word.size() == 2) {
        key = HostKey{.type = std::string(word[0]), .blob = std::string(word[1])};
    } else if (word.size() >= 3) {
        key = HostKey{.type = std::string(word[1]), .blob = std::string(word[2])};
    }
    if (key.type.empty() || key.type.starts_with('@') || !decode_base64(key.blob)) {
        return fail(Code::invalid, "not a host key: " + escape_control(key_line, Lines::one));
    }
    const std::string name = known_name(connection.address, connection.port);
    if (name.empty() || name.find_first_of(" \t\n\r,*?!|#@") != std::string::npos) {
        return fail(Code::invalid, "not a host name: " + escape_control(name, Lines::one));
    }
    DRILL_TRY(std::string text, read_file(file));
    const KeyJudgement judgement = judge_key(parse_known_hosts(text), name, key);
    if (judgement.trust == Trust::trusted && replace == Replace::no) { return ok(); }
    if (judgement.trust == Trust::revoked ||
        (judgement.trust == Trust::changed && replace == Replace::no)) {
        Error error = untrusted(connection, key, judgement);
        error.code = Code::refused;
        return error;
    }
    if (replace == Replace::yes) {
        std::string kept;
        for (const std::string& line : split(text, '\n')) {
            const std::string left = without(line, name);
            if (!left.empty()) { kept += left + "\n"; }
        }
        text = std::move(kept);
    }
    if (!text.empty() && !text.ends_with('\n')) { text += '\n'; }
    text += name + " " + key.type + " " + key.blob + "\n";
    return write_file(file, text);
}

}  // namespace drill
