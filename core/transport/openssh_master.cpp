// See openssh_master.hpp. OpenSSH says what it does in its log only; the sentences that are looked
// for here are those of 8.0 to 9.9. What is not understood is unreachable, never trusted.
#include "transport/openssh_master.hpp"

#include "base/text.hpp"
#include "transport/clock.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

extern char** environ;

namespace drill {

namespace {

constexpr Nanos look_pause = std::chrono::milliseconds{5};
constexpr std::size_t longest_log = std::size_t{256} << 10U;
constexpr std::size_t most_words = 400;
constexpr std::string_view key_mark = "drill-host-key ";

/// A path as a value in ssh_config: one word, nothing expanded.
std::string path_value(const std::string& path) {
    std::string out = "\"";
    for (const char c : path) {
        if (c == '"' || c == '\\') { out += '\\'; }
        if (c == '%') { out += '%'; }
        out += c;
    }
    return out + "\"";
}

/// What holds for the target and for each jump host.
void put_common(std::vector<std::string>& words, const Connection& to) {
    for (const char* option :
         {"BatchMode=yes", "StrictHostKeyChecking=yes", "UpdateHostKeys=no", "CheckHostIP=no",
          "ConnectTimeout=10", "ConnectionAttempts=1", "ServerAliveInterval=5",
          "ServerAliveCountMax=3", "ForwardAgent=no", "ForwardX11=no", "PermitLocalCommand=no",
          "RequestTTY=no", "RemoteCommand=none", "EscapeChar=none"}) {
        words.insert(words.end(), {"-o", option});
    }
    if (to.port != 0) { words.insert(words.end(), {"-o", "Port=" + std::to_string(to.port)}); }
    if (!to.user.empty()) { words.insert(words.end(), {"-o", "User=" + to.user}); }
    if (!to.key_file.empty()) {
        words.insert(words.end(),
                     {"-o", "IdentityFile=" + path_value(to.key_file), "-o", "IdentitiesOnly=yes"});
    }
    if (!to.known_hosts.empty()) {
        words.insert(words.end(), {"-o", "UserKnownHostsFile=" + path_value(to.known_hosts), "-o",
                                   "GlobalKnownHostsFile=/dev/null"});
    }
}

/// The jumps as nested ProxyCommands, each with the options of its own host.
std::string proxy_command(const std::vector<Connection>& jumps, std::size_t count) {
    std::vector<std::string> words{"ssh"};
    const Connection& jump = jumps[count - 1];
    put_common(words, jump);
    words.insert(words.end(), {"-o", "ControlPath=none", "-o", "LogLevel=ERROR"});
    if (count > 1) {
        words.insert(words.end(), {"-o", "ProxyCommand=" + proxy_command(jumps, count - 1)});
    }
    // %h and %p of the one who asks; doubled once for each level that reads this text.
    const std::string line = shell_join(words);  // ssh itself puts exec in front
    std::string escaped;
    for (const char c : line) { escaped += c == '%' ? std::string("%%") : std::string(1, c); }
    return escaped + " -W " + "'[%h]:%p'" + " -- " + shell_quote(jump.address);
}

std::vector<std::string> environment() {
    // ssh_config and its ProxyCommands rely on what the user has: agents, tickets, proxies.
    std::vector<std::string> all{"LC_ALL=C"};
    for (char** one = environ; one != nullptr && *one != nullptr; ++one) {
        const std::string_view variable = *one;
        if (!variable.starts_with("LC_ALL=")) { all.emplace_back(variable); }
    }
    return all;
}

bool holds(std::string_view text, std::string_view words) {
    return text.find(words) != std::string_view::npos;
}

/// What follows `begin` up to the end of its line; the last such line.
std::string after(std::string_view log, std::string_view begin) {
    const std::size_t at = log.rfind(begin);
    if (at == std::string_view::npos) { return {}; }
    const std::size_t from = at + begin.size();
    return std::string(trim(log.substr(from, log.find('\n', from) - from)));
}

std::string first_word(const std::string& text) { return text.substr(0, text.find(' ')); }

/// What ssh said to people: everything but debugging and our own marks.
std::string said(std::string_view log) {
    std::vector<std::string> lines;
    for (const std::string& line : split(log, '\n')) {
        const std::string_view text = trim(line);
        if (text.empty() || text.starts_with("debug") || text.starts_with(key_mark) ||
            text.starts_with("@@@") || text.starts_with("Pseudo-terminal")) {
            continue;
        }
        lines.emplace_back(text);
    }
    std::string all = join(lines, "; ");
    if (all.size() > most_words) { all = "..." + all.substr(all.size() - most_words); }
    return all.empty() ? "ssh ended without a word" : escape_control(all, Lines::one);
}

/// The connection with what ssh_config filled in.
Connection resolved(Connection connection, std::string_view log) {
    // "debug1: Authenticating to 127.0.0.1:2299 as 'root'"
    const std::string line = after(log, "debug1: Authenticating to ");
    const std::size_t as = line.rfind(" as '");
    if (as != std::string::npos && connection.user.empty()) {
        connection.user = line.substr(as + 5, line.size() - as - 6);
    }
    const std::size_t colon = line.rfind(':', as);
    if (colon != std::string::npos && connection.port == 0) {
        connection.port =
            static_cast<std::uint16_t>(std::strtoul(line.c_str() + colon + 1, nullptr, 10));
    }
    if (connection.port == 0) { connection.port = 22; }
    if (connection.user.empty()) { connection.user = "(as ssh_config says)"; }
    return connection;
}

/// The plain key that KnownHostsCommand was asked about, and the name that OpenSSH knows it by.
struct Shown {
    HostKey key;
    std::string name;
};

std::optional<Shown> shown_key(std::string_view log) {
    std::optional<Shown> found;
    for (const std::string& line : split(log, '\n')) {
        if (!line.starts_with(key_mark)) { continue; }
        const std::vector<std::string> word = split(line.substr(key_mark.size()), ' ');
        if (word.size() >= 3 && word[0] != "NONE" && !holds(word[0], "-cert-")) {
            found = Shown{.key = {.type = word[0], .blob = word[1]},
                          .name = std::string(trim(word[2]))};
        }
    }
    return found;
}

Error host_key_failure(const Connection& connection, std::string_view log) {
    const std::optional<Shown> shown = shown_key(log);
    if (shown && !connection.known_hosts.empty()) {
        const std::string& name = shown->name;
        const auto known = read_known_hosts(connection.known_hosts, name);
        if (!known) { return known.error(); }
        const KeyJudgement judgement = judge_key(*known, name, shown->key);
        if (judgement.trust == Trust::unknown || judgement.trust == Trust::changed ||
            judgement.trust == Trust::revoked) {
            Connection as = connection;
            take_known_name(as, name);
            return untrusted(as, shown->key, judgement);
        }
    }
    const std::string seen = openssh_host_key(log);
    const std::string where =
        connection.known_hosts.empty() ? "the files of ssh_config" : connection.known_hosts;
    return fail(Code::host_key,
                "the host key of " + connection.host + " (" +
                    known_name(connection.address, connection.port) + ") is not trusted by " +
                    where + (seen.empty() ? "" : ", it showed " + seen) + ": " + said(log) +
                    ". Where an authority signs host keys, its line is: @cert-authority PATTERN"
                    " TYPE KEY",
                Effect::none);
}

Error login_failure(const Connection& connection, std::string_view log) {
    std::vector<std::string> tried;
    for (const std::string& line : split(log, '\n')) {
        const std::string_view text = trim(line);
        constexpr std::string_view offering = "debug1: Offering public key: ";
        if (text.starts_with(offering)) {
            tried.push_back("key " + first_word(std::string(text.substr(offering.size()))));
        } else if (text.starts_with("no such identity: ") || text.starts_with("Load key ")) {
            tried.emplace_back(text);
        } else if (text.starts_with("Permissions ") && holds(text, "too open")) {
            tried.push_back(std::string(text) + " chmod 600");
        } else if (holds(text, "passphrase")) {
            tried.emplace_back("an encrypted key (load it into an ssh-agent with ssh-add)");
        }
    }
    std::string methods = after(log, "Permission denied (");
    methods = methods.substr(0, methods.find(')'));
    std::replace(methods.begin(), methods.end(), ',', ' ');
    if (methods.empty()) { methods = "nothing more"; }
    const std::string what = tried.empty() ? "no key" : join(tried, ", ");
    return fail(Code::auth_failed,
                connection.user + "@" + known_name(connection.address, connection.port) +
                    " was not let in; the server offers " + methods +
                    "; tried: " + escape_control(what, Lines::one) +
                    ". Is the public half of that key, or its authority, trusted for " +
                    connection.user + " there?",
                Effect::none);
}

/// Whether something listens on the control socket.
bool listens(const std::string& path) {
    const Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (!fd.open() || path.size() >= sizeof address.sun_path) { return false; }
    std::memcpy(address.sun_path, path.data(), path.size());
    // The interface wants the general address form.
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

/// The key that a lease was made with counts where known_hosts has nothing on the host, as for ssh.
Result<std::string> pinned_key(const Connection& connection) {
    if (connection.host_key.empty() || connection.known_hosts.empty()) { return std::string(); }
    const std::string name =
        known_name(connection.address, connection.port == 0 ? 22 : connection.port);
    DRILL_TRY(const auto known, read_known_hosts(connection.known_hosts, name));
    const bool nothing = std::all_of(known.begin(), known.end(), [](const KnownHost& host) {
        return host.mark == KeyMark::revoked;
    });
    return nothing ? connection.host_key : std::string();
}

}  // namespace

std::vector<std::string> openssh_arguments(const Connection& connection, const std::string& control,
                                           const std::string& pinned) {
    std::vector<std::string> words{"-M", "-N", "-T", "-S", control};
    put_common(words, connection);
    for (const char* option : {"ControlPersist=no", "ClearAllForwardings=yes", "LogLevel=DEBUG1",
                               "ForkAfterAuthentication=no", "ExitOnForwardFailure=no"}) {
        words.insert(words.end(), {"-o", option});
    }
    if (!connection.known_hosts.empty()) {
        // Tells us the key, and lets in the one that a lease was made with.
        std::string script = "echo drill-host-key $1 $2 $3 >&2";
        if (!pinned.empty()) { script += "; if [ $4 = " + pinned + " ]; then echo $3 $1 $2; fi"; }
        words.insert(words.end(),
                     {"-o", "KnownHostsCommand=/bin/sh -c '" + script + "' sh %t %K %H %f"});
    }
    if (!connection.jumps.empty()) {
        words.insert(words.end(), {"-o", "ProxyCommand=" + proxy_command(connection.jumps,
                                                                         connection.jumps.size())});
    }
    words.insert(words.end(), {"--", connection.address});
    return words;
}

std::string openssh_host_key(std::string_view log) {
    std::string line = after(log, "debug1: Server host key: ");
    if (line.empty()) { line = after(log, "debug1: Server host certificate: "); }
    const std::size_t at = line.find("SHA256:");
    if (at == std::string::npos) { return {}; }
    return line.substr(at, line.find_first_of(" ,", at) - at);
}

std::string openssh_method(std::string_view log) {
    // Authenticated to 127.0.0.1 ([127.0.0.1]:2299) using "publickey".
    const std::string line = after(log, "Authenticated to ");
    const std::size_t at = line.find("using \"");
    if (at == std::string::npos) { return {}; }
    std::string method = line.substr(at + 7, line.find('"', at + 7) - at - 7);
    const std::string key = first_word(after(log, "debug1: Server accepts key: "));
    if (method == "publickey" && !key.empty()) { method += " " + key; }
    return method;
}

Error openssh_failure(const Connection& connection, std::string_view log) {
    const Connection to = resolved(connection, log);
    const std::string who = to.user + "@" + known_name(to.address, to.port);
    if (holds(log, "Bad configuration option") || holds(log, "Bad owner or permissions") ||
        holds(log, "bad configuration options") || holds(log, "keyword ")) {
        return fail(Code::invalid, "ssh_config for " + to.host + " is wrong: " + said(log));
    }
    const bool met = !openssh_host_key(log).empty();
    if (!met && !to.jumps.empty()) {
        // The target was not reached: whatever was said is of a jump host.
        const Connection& jump = to.jumps.back();
        Error error = fail(Code::unreachable, who + ": no SSH session: " + said(log));
        if (holds(log, "Permission denied")) { error.code = Code::auth_failed; }
        if (holds(log, "Host key verification failed")) { error.code = Code::host_key; }
        return std::move(error).at("jump host " + jump.host);
    }
    if (holds(log, "Host key verification failed") || holds(log, "REVOKED HOST KEY")) {
        return host_key_failure(to, log);
    }
    if (holds(log, "Permission denied (") || holds(log, "Too many authentication failures") ||
        holds(log, "No more authentication methods")) {
        return login_failure(to, log);
    }
    return fail(Code::unreachable, who + ": no SSH session: " + said(log));
}

Result<std::unique_ptr<OpensshMaster>> OpensshMaster::launch(const Connection& connection,
                                                             const std::string& control) {
    if (connection.address.empty() || connection.address.starts_with('-') ||
        connection.user.starts_with('-')) {
        return fail(Code::invalid, "not an address: " + escape_control(connection.address));
    }
    const std::string program = find_program("ssh");
    if (program.empty()) {
        return fail(Code::refused,
                    connection.host + ": no `ssh` on this machine; apt install openssh-client");
    }
    std::unique_ptr<OpensshMaster> master(new OpensshMaster());  // the constructor is private
    master->control_ = control;
    master->log_ = Fd{::memfd_create("drill-ssh", MFD_CLOEXEC)};
    const Fd nothing{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    if (!master->log_.open() || !nothing.open()) {
        return fail(Code::internal, "no descriptors for ssh");
    }
    DRILL_TRY(const std::string pinned, pinned_key(connection));
    DRILL_TRY(master->child_,
              start_child({.program = program,
                           .arguments = openssh_arguments(connection, control, pinned),
                           .environment = environment(),
                           .in = nothing.get(),
                           .out = nothing.get(),
                           .err = master->log_.get(),
                           .bond = Bond::thread}));
    return master;
}

Result<std::unique_ptr<OpensshMaster>> OpensshMaster::start(const Connection& connection,
                                                            const std::string& control,
                                                            Wait& wait) {
    DRILL_TRY(auto master, launch(connection, control));
    master->way_.host = connection.host;
    const Nanos begun = boot_now();
    Nanos connected = begun;
    Nanos exchanged = begun;
    for (;;) {
        std::array<pollfd, 1> fds{{{master->child_.pidfd.get(), POLLIN, 0}}};
        const Woken woken = wait.wait(fds, boot_now() + look_pause);
        if (woken == Woken::ready) { return openssh_failure(connection, master->log()); }
        if (woken == Woken::until) {
            const std::string log = master->log();
            const Nanos now = boot_now();
            if (!holds(log, "debug1: Remote protocol version")) { connected = now; }
            if (!holds(log, "debug1: SSH2_MSG_NEWKEYS received")) { exchanged = now; }
            if (!listens(control)) { continue; }
            master->host_key_ = openssh_host_key(log);
            master->way_.connected = connected - begun;
            master->way_.logged_in = now - exchanged;
            master->way_.method = openssh_method(log);
            return master;
        }
        const std::string doing = "logging in on " + connection.host;
        if (woken == Woken::deadline) {
            return fail(Code::unreachable, connection.host + ": no answer while " + doing + ": " +
                                               said(master->log()));
        }
        return ended(woken, doing, Effect::none);
    }
}

Result<SeenKey> openssh_fetch_host_key(const Connection& connection, Nanos deadline,
                                       std::stop_token stop) {
    Wait wait(deadline, std::move(stop));
    Connection stranger = connection;
    stranger.known_hosts = "/dev/null";  // so that it ends before the login
    stranger.host_key.clear();
    DRILL_TRY(const auto master, OpensshMaster::launch(stranger, "none"));
    std::array<pollfd, 1> fds{{{master->child_.pidfd.get(), POLLIN, 0}}};
    const Woken woken = wait.wait(fds);
    if (woken != Woken::ready) {
        return ended(woken, "asking " + connection.host + " for its key", Effect::none);
    }
    const std::string log = master->log();
    const std::optional<Shown> shown = shown_key(log);
    if (!shown || openssh_host_key(log).empty()) { return openssh_failure(connection, log); }
    return SeenKey{.key = shown->key,
                   .fingerprint = fingerprint(shown->key),
                   .line = shown->name + " " + shown->key.type + " " + shown->key.blob};
}

OpensshMaster::~OpensshMaster() {
    if (child_.pid > 0 && !over_) { end_group(child_); }
    if (control_.starts_with('/')) { ::unlink(control_.c_str()); }
}

bool OpensshMaster::alive() const {
    pollfd one{child_.pidfd.get(), POLLIN, 0};
    return !over_ && ::poll(&one, 1, 0) == 0;
}

void OpensshMaster::kill() {
    if (!over_) { kill_group(child_); }
    over_ = true;
}

std::size_t OpensshMaster::log_size() const {
    struct stat info {};
    return ::fstat(log_.get(), &info) == 0 ? static_cast<std::size_t>(info.st_size) : 0;
}

std::string OpensshMaster::log() const {
    const std::size_t size = log_size();
    const std::size_t from = size > longest_log ? size - longest_log : 0;
    std::string text(size - from, '\0');
    const ssize_t got = ::pread(log_.get(), text.data(), text.size(), static_cast<off_t>(from));
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
}

}  // namespace drill
