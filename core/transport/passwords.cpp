// See passwords.hpp. Must not: say anything of what was read.
#include "transport/passwords.hpp"

#include "base/text.hpp"
#include "transport/clock.hpp"
#include "transport/local.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace drill {

namespace {

constexpr std::size_t longest_secret = 4096;  // PAM takes 512
constexpr Nanos command_within = std::chrono::seconds{30};
constexpr Nanos turn_pause = std::chrono::milliseconds{10};

Error unusable(const std::string& what, const std::string& why) {
    return fail(Code::refused, "the password of sudo cannot be had: " + what + " " + why);
}

Result<Secret> checked(const std::string& what, std::string&& text) {
    Secret whole(std::move(text));
    std::string_view line = whole.reveal();
    if (line.ends_with('\n')) { line.remove_suffix(1); }
    if (line.ends_with('\r')) { line.remove_suffix(1); }
    if (line.empty()) { return unusable(what, "gave nothing"); }
    if (line.size() > longest_secret) { return unusable(what, "gave more than 4096 bytes"); }
    if (line.find_first_of(std::string_view("\n\r\0", 3)) != std::string_view::npos) {
        return unusable(what, "gave more than one line");
    }
    return Secret(line);
}

/// `others` are the permission bits that must not be there.
Result<Secret> from_file(const std::string& what, const std::string& file, mode_t others) {
    // O_NONBLOCK: opening a FIFO must not wait for its writer.
    const Fd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
    struct stat info {};
    if (!fd.open() || ::fstat(fd.get(), &info) != 0) {
        return unusable(what, std::string("cannot be read (") + std::strerror(errno) + ")");
    }
    if (!S_ISREG(info.st_mode)) { return unusable(what, "is not a regular file"); }
    if (info.st_uid != ::geteuid() && info.st_uid != 0) {
        return unusable(what, "belongs to another user than you or root");
    }
    if ((info.st_mode & others) != 0) {
        return unusable(what, "can be read or changed by others; chmod 600 " + shell_quote(file));
    }
    std::string text(longest_secret + 3, '\0');
    const ssize_t got = ::read(fd.get(), text.data(), text.size());
    if (got < 0) { return unusable(what, std::string("cannot be read: ") + std::strerror(errno)); }
    text.resize(static_cast<std::size_t>(got));
    return checked(what, std::move(text));
}

Result<Secret> from_command(const std::vector<std::string>& argv, Wait& wait) {
    const std::string what = "`" + escape_control(argv[0], Lines::one) + "`";
    const auto here = make_local(Connection{.host = "controller", .transport = "local"});
    auto reply =
        here->perform(Exec{.argv = argv, .input = {}},
                      std::min(wait.deadline(), boot_now() + command_within), wait.token());
    if (!reply) {
        Error error = std::move(reply).error();
        if (error.code == Code::cancelled) { return error; }
        return unusable(what, "did not answer in time");
    }
    // What it wrote beside the secret is not shown either: it may hold the secret.
    const Secret noise(std::move(reply->err));
    Secret out(std::move(reply->out));
    if (reply->status != 0) {
        return unusable(what, "ended with status " + std::to_string(reply->status));
    }
    return checked(what, std::string(out.reveal()));
}

std::string key_of(const Connection& connection) {
    const SecretSource& source = connection.become_password;
    return connection.user + '\0' + source.file + '\0' + source.credential + '\0' +
           join(source.command, std::string_view("\0", 1));
}

}  // namespace

Result<Secret> read_secret(const SecretSource& source, const std::string& directory, Wait& wait) {
    if (!source.file.empty()) { return from_file("file " + source.file, source.file, 077); }
    if (!source.command.empty()) { return from_command(source.command, wait); }
    const std::string what = "credential " + source.credential;
    if (source.credential.empty()) { return unusable("nothing", "says where it lies"); }
    if (directory.empty()) {
        return unusable(what,
                        "needs $CREDENTIALS_DIRECTORY, which systemd sets for a unit with"
                        " LoadCredential=");
    }
    // systemd keeps them mode 0440 in a directory of mode 0550 that is the unit's own.
    return from_file(what, directory + "/" + source.credential, 037);
}

Passwords::Turn& Passwords::Turn::operator=(Turn&& other) noexcept {
    if (this != &other) {
        leave();
        from_ = std::exchange(other.from_, nullptr);
        key_ = std::move(other.key_);
        host_ = std::move(other.host_);
        secret_ = std::move(other.secret_);
    }
    return *this;
}

void Passwords::Turn::accepted() {
    if (from_ == nullptr) { return; }
    const std::lock_guard lock(from_->mutex_);
    State& state = from_->states_[key_];
    state.good_on.insert(host_);
    state.trying = false;
    from_ = nullptr;
}

void Passwords::Turn::rejected() {
    if (from_ == nullptr) { return; }
    const std::lock_guard lock(from_->mutex_);
    State& state = from_->states_[key_];
    state.good_on.erase(host_);
    state.rejected_on = host_;
    state.trying = false;
    from_ = nullptr;
}

void Passwords::Turn::leave() {
    if (from_ == nullptr) { return; }
    const std::lock_guard lock(from_->mutex_);
    State& state = from_->states_[key_];
    // With one that is good nobody waits, so this was not the first try.
    if (state.good_on.empty()) { state.trying = false; }
    from_ = nullptr;
}

/// True: go on, false: somebody else tries just now.
Result<bool> Passwords::try_enter(const std::string& key, const std::string& host) {
    const std::lock_guard lock(mutex_);
    State& state = states_[key];
    if (state.good_on.contains(host)) { return true; }
    if (!state.rejected_on.empty()) {
        return fail(Code::auth_failed, state.rejected_on == host
                                           ? "sudo on " + host +
                                                 " rejected this password before; it is not tried"
                                                 " again, so that no account is locked"
                                           : "not tried on " + host + ": sudo on " +
                                                 state.rejected_on + " rejected the same password");
    }
    if (!state.good_on.empty()) { return true; }
    if (state.trying) { return false; }
    state.trying = true;
    return true;
}

Result<Passwords::Turn> Passwords::enter(const Connection& connection, Wait& wait) {
    Turn turn;
    turn.key_ = key_of(connection);
    turn.host_ = connection.host;
    for (;;) {
        DRILL_TRY(const bool mine, try_enter(turn.key_, turn.host_));
        if (mine) { break; }
        const Woken woken = wait.wait({}, boot_now() + turn_pause);
        if (woken != Woken::until) {
            return ended(woken, "waiting for the first try of the password of sudo", Effect::none);
        }
    }
    turn.from_ = this;
    {
        const std::lock_guard lock(mutex_);
        turn.secret_ = states_[turn.key_].secret;
    }
    if (!turn.secret_) {
        DRILL_CHECK(forbid_core_dumps());
        auto secret = read_secret(connection.become_password, credentials_, wait);
        if (!secret) { return std::move(secret).error().at(connection.host); }
        turn.secret_ = std::make_shared<const Secret>(std::move(*secret));
        const std::lock_guard lock(mutex_);
        states_[turn.key_].secret = turn.secret_;
    }
    return turn;
}

}  // namespace drill
