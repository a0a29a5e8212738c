// libssh sessions, driven by our own poll loop: non-blocking session on a blocking socket, as
// libssh 0.10 takes EAGAIN from recv or send for a broken connection.
// Must not: let libssh judge host keys, read ~/.ssh, or wait by itself.
// Read next: transport/ssh.cpp, which runs programs over a link.
#include "transport/ssh_link.hpp"

#include "base/text.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <thread>
#include <vector>

namespace drill {

namespace {

struct FreeKey {
    void operator()(ssh_key key) const noexcept { ssh_key_free(key); }
};
using Key = std::unique_ptr<std::remove_pointer_t<ssh_key>, FreeKey>;

/// What a server shall sign with, best first: types recorded for the host come before the rest, so
/// that a host known by its RSA key alone does not look changed.
std::string host_key_order(const std::vector<std::string>& recorded) {
    std::vector<std::string> order;
    const auto add = [&order](const std::string& algorithm) {
        if (std::find(order.begin(), order.end(), algorithm) == order.end()) {
            order.push_back(algorithm);
        }
    };
    const std::array<std::string, 5> all{"ssh-ed25519", "ecdsa-sha2-nistp256",
                                         "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"};
    std::vector<std::string> types;
    for (const std::string& type : recorded) {
        if (std::find(all.begin(), all.end(), type) != all.end()) { types.push_back(type); }
    }
    types.insert(types.end(), all.begin(), all.end());
    for (const std::string& type : types) {
        if (type == "ssh-rsa") {
            add("rsa-sha2-512");
            add("rsa-sha2-256");
        } else {
            add(type);
        }
    }
    return join(order, ",");
}

/// libssh asks for a passphrase only when the key is encrypted; we have none to give.
int note_encrypted(const char*, char*, size_t, int, int, void* encrypted) {
    *static_cast<bool*>(encrypted) = true;
    return -1;
}

std::string method_names(int methods) {
    std::vector<std::string> names;
    if ((methods & SSH_AUTH_METHOD_PUBLICKEY) != 0) { names.emplace_back("publickey"); }
    if ((methods & SSH_AUTH_METHOD_PASSWORD) != 0) { names.emplace_back("password"); }
    if ((methods & SSH_AUTH_METHOD_INTERACTIVE) != 0) {
        names.emplace_back("keyboard-interactive");
    }
    if ((methods & SSH_AUTH_METHOD_HOSTBASED) != 0) { names.emplace_back("hostbased"); }
    if ((methods & SSH_AUTH_METHOD_GSSAPI_MIC) != 0) { names.emplace_back("gssapi-with-mic"); }
    return names.empty() ? "nothing" : join(names, ", ");
}

Fd connect_agent(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) { return {}; }
    std::memcpy(address.sun_path, path.data(), path.size());
    Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    // Non-blocking: a full backlog fails at once. The interface wants the general address form.
    if (!fd.open() ||
        ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return {};
    }
    return fd;
}

/// libssh talks to the agent without a time limit, and an agent may ask a person. This ends the
/// connection to it at the deadline or on a stop.
class AgentLimit {
public:
    AgentLimit(const Fd& agent, Wait& wait) : agent_(::dup(agent.get())) {
        watcher_ = std::thread([this, deadline = wait.deadline(), stop = wait.token()] {
            Wait mine(deadline, stop);
            std::array<pollfd, 1> fds{{{done_.get(), POLLIN, 0}}};
            if (mine.wait(fds) != Woken::ready) { ::shutdown(agent_.get(), SHUT_RDWR); }
        });
    }
    ~AgentLimit() {
        raise_event(done_.get());
        watcher_.join();
    }
    AgentLimit(const AgentLimit&) = delete;
    AgentLimit& operator=(const AgentLimit&) = delete;

private:
    Fd agent_;
    Fd done_{make_event()};
    std::thread watcher_;
};

}  // namespace

std::string SshLink::name() const {
    return connection_.user + "@" + known_name(connection_.address, connection_.port);
}

SshLink::~SshLink() {
    if (probe_ != nullptr) { ssh_channel_free(probe_); }
    if (session_ != nullptr) {
        if (begun_ && ssh_get_fd(session_) < 0) { socket_ = -1; }  // closed by libssh already
        ssh_disconnect(session_);
        ssh_free(session_);
    }
    end_socket();
}

/// libssh 0.10 closes a descriptor that it was given on some paths and leaves it open on others,
/// ssh_disconnect among them. A socket's inode number is not used again, so this closes the
/// descriptor only if it still is our socket and not one that another thread opened since.
void SshLink::end_socket() noexcept {
    struct stat info {};
    if (socket_ >= 0 && ::fstat(socket_, &info) == 0 && info.st_ino == socket_inode_) {
        ::close(socket_);
    }
    socket_ = -1;
}

bool SshLink::alive() const {
    return ssh_is_connected(session_) != 0 &&
           (ssh_get_status(session_) & (SSH_CLOSED | SSH_CLOSED_ERROR)) == 0;
}

bool SshLink::pump() { return ssh_channel_poll(probe_, 0) != SSH_ERROR && alive(); }

std::string SshLink::problem() const {
    const std::string text = ssh_get_error(session_);
    return text.empty() ? "connection lost" : escape_control(text, Lines::one);
}

pollfd SshLink::poll_entry() const {
    const int flags = ssh_get_poll_flags(session_);
    const bool write = (flags & SSH_WRITE_PENDING) != 0;
    return {ssh_get_fd(session_), static_cast<short>(write ? POLLIN | POLLOUT : POLLIN), 0};
}

template <class Step>
Result<int> SshLink::repeat(Step step, int again, std::string_view doing, Wait& wait) {
    for (;;) {
        const int answer = step();
        if (answer != again) { return answer; }
        std::array<pollfd, 1> fds{poll_entry()};
        const Woken woken = wait.wait(fds);
        if (woken == Woken::deadline) {
            return fail(Code::unreachable, name() + ": no answer while " + std::string(doing));
        }
        if (woken != Woken::ready) { return ended(woken, doing, Effect::none); }
    }
}

Status SshLink::prepare(Fd socket) {
    session_ = ssh_new();
    if (session_ == nullptr) { return fail(Code::internal, "libssh has no session"); }
    int no = 0;
    int yes = 1;
    struct stat info {};
    if (::fstat(socket.get(), &info) != 0) { return fail(Code::internal, "no socket"); }
    socket_inode_ = info.st_ino;
    socket_ = socket.release();
    const std::string known_as = known_name(connection_.address, connection_.port);
    DRILL_TRY(known_, read_known_hosts(connection_.known_hosts, known_as));
    const std::string order = host_key_order(recorded_types(known_, known_as));
    // The host's name is ours to know: libssh would split it at '@' and look it up in known_hosts.
    const bool set =
        ssh_options_set(session_, SSH_OPTIONS_HOST, "target") == SSH_OK &&
        ssh_options_set(session_, SSH_OPTIONS_USER, connection_.user.c_str()) == SSH_OK &&
        ssh_options_set(session_, SSH_OPTIONS_PROCESS_CONFIG, &no) == SSH_OK &&
        ssh_options_set(session_, SSH_OPTIONS_KNOWNHOSTS, "/dev/null") == SSH_OK &&
        ssh_options_set(session_, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null") == SSH_OK &&
        ssh_options_set(session_, SSH_OPTIONS_HOSTKEYS, order.c_str()) == SSH_OK &&
        ssh_options_set(session_, SSH_OPTIONS_NODELAY, &yes) == SSH_OK &&
        ssh_options_set(session_, SSH_OPTIONS_FD, &socket_) == SSH_OK;
    if (!set) { return fail(Code::invalid, name() + ": " + problem()); }
    ssh_set_blocking(session_, 0);
    return ok();
}

Result<std::unique_ptr<SshLink>> SshLink::shake_hands(Fd socket, const Connection& connection,
                                                      Wait& wait) {
    std::unique_ptr<SshLink> link(new SshLink(connection));  // the constructor is private
    if (auto ready = link->prepare(std::move(socket)); !ready) { return std::move(ready).error(); }
    link->begun_ = true;
    DRILL_TRY(const int answer, link->repeat([&] { return ssh_connect(link->session_); }, SSH_AGAIN,
                                             "the key exchange was under way", wait));
    if (answer != SSH_OK) {
        return fail(Code::unreachable, link->name() + ": no SSH session: " + link->problem());
    }
    if (auto taken = link->take_key(); !taken) { return std::move(taken).error(); }
    return link;
}

Status SshLink::take_key() {
    ssh_key raw = nullptr;
    if (ssh_get_server_publickey(session_, &raw) != SSH_OK) {
        return fail(Code::host_key, name() + " showed no host key");
    }
    const Key key(raw);
    char* text = nullptr;
    if (ssh_pki_export_pubkey_base64(key.get(), &text) != SSH_OK) {
        return fail(Code::host_key, name() + " showed a host key that cannot be read");
    }
    key_ = HostKey{.type = ssh_key_type_to_char(ssh_key_type(key.get())), .blob = text};
    ssh_string_free_char(text);
    return ok();
}

Status SshLink::judge() const {
    const KeyJudgement judgement =
        judge_key(known_, known_name(connection_.address, connection_.port), key_);
    if (judgement.trust == Trust::trusted) { return ok(); }
    // A lease outlives its catalog and known_hosts; the key that it was made with is as good.
    if (judgement.trust == Trust::unknown && judgement.recorded.empty() &&
        !connection_.host_key.empty() && connection_.host_key == fingerprint(key_)) {
        return ok();
    }
    return untrusted(connection_, key_, judgement);
}

Result<bool> SshLink::try_key_file(std::string& tried, Wait& wait) {
    const std::string& file = connection_.key_file;
    struct stat info {};
    if (::stat(file.c_str(), &info) != 0) {
        tried = "key " + file + " (" + std::strerror(errno) + ")";
        return false;
    }
    if (!S_ISREG(info.st_mode) || (info.st_mode & 077U) != 0) {
        tried = "key " + file +
                " (not used: it must be a regular file that only its owner can"
                " read, chmod 600)";
        return false;
    }
    bool encrypted = false;
    ssh_key raw = nullptr;
    const int got =
        ssh_pki_import_privkey_file(file.c_str(), nullptr, note_encrypted, &encrypted, &raw);
    const Key key(raw);
    if (got != SSH_OK) {
        tried =
            "key " + file +
            (encrypted ? " (it is encrypted: load it into an ssh-agent with ssh-add, passphrases"
                         " are never asked for)"
                       : " (not a private key that can be read)");
        return false;
    }
    tried = "key " + file;
    DRILL_TRY(const int answer,
              repeat([&] { return ssh_userauth_publickey(session_, nullptr, key.get()); },
                     SSH_AUTH_AGAIN, "logging in", wait));
    if (answer == SSH_AUTH_PARTIAL) { tried += " (accepted, but a second method is asked for)"; }
    return answer == SSH_AUTH_SUCCESS;
}

Result<bool> SshLink::try_agent(const std::string& socket, std::string& tried, Wait& wait) {
    tried += tried.empty() ? "" : ", ";
    if (socket.empty()) {
        tried += "no agent (SSH_AUTH_SOCK is not set)";
        return false;
    }
    Fd agent = connect_agent(socket);
    if (!agent.open()) {
        tried += "agent " + socket + " (does not answer)";
        return false;
    }
    tried += "agent " + socket;
    try {
        const PipeSignal held_back;
        const AgentLimit limit(agent, wait);
        if (ssh_set_agent_socket(session_, agent.get()) != SSH_OK) { return false; }
        [[maybe_unused]] const int owned = agent.release();  // the session closes it
        DRILL_TRY(const int answer, repeat([&] { return ssh_userauth_agent(session_, nullptr); },
                                           SSH_AUTH_AGAIN, "logging in by the agent", wait));
        return answer == SSH_AUTH_SUCCESS;
    } catch (const std::exception& error) {
        return fail(Code::internal, std::string("no thread for the agent: ") + error.what());
    }
}

Status SshLink::log_in(const std::string& agent_socket, Wait& wait) {
    if (auto in = authenticate(agent_socket, wait); !in) { return in; }
    // libssh makes channels only once the login is done.
    probe_ = ssh_channel_new(session_);
    if (probe_ == nullptr) { return fail(Code::unreachable, name() + ": " + problem()); }
    return ok();
}

Status SshLink::authenticate(const std::string& agent_socket, Wait& wait) {
    std::string tried;
    if (!connection_.key_file.empty()) {
        DRILL_TRY(const bool in, try_key_file(tried, wait));
        if (in) {
            method_ = "key file " + connection_.key_file;
            return ok();
        }
    }
    if (alive()) {
        DRILL_TRY(const bool in, try_agent(agent_socket, tried, wait));
        if (in) {
            method_ = "agent";
            return ok();
        }
    }
    if (const Woken now = wait.check(); now != Woken::ready) {
        return ended(now, "logging in as " + name(), Effect::none);
    }
    if (!alive()) {
        // sshd hangs up after MaxAuthTries or LoginGraceTime; that is no verdict on the credential
        // unless it said so.
        const std::string why = problem();
        const bool denied = why.find("Too many authentication failures") != std::string::npos;
        return fail(denied ? Code::auth_failed : Code::unreachable,
                    "the connection ended while logging in as " + name() + " (tried " + tried +
                        "): " + why);
    }
    return fail(Code::auth_failed, name() + " was not let in; the server offers " +
                                       method_names(ssh_userauth_list(session_, nullptr)) +
                                       "; tried: " + tried +
                                       ". Is the public half of that key in authorized_keys of " +
                                       connection_.user + " there?");
}

}  // namespace drill
