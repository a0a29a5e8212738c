// See secret_source.hpp.
#include "transport/secret_source.hpp"

#include "transport/clock.hpp"
#include "transport/local.hpp"
#include "transport/wait.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <stop_token>
#include <utility>

namespace drill {

namespace {

constexpr std::size_t largest_secret = 4096;
constexpr Nanos command_limit = std::chrono::seconds{10};

Result<Secret> sound(std::string&& text, const std::string& from) {
    if (text.ends_with('\n')) { text.pop_back(); }
    if (text.ends_with('\r')) { text.pop_back(); }
    const bool usable = !text.empty() && text.size() <= largest_secret &&
                        text.find(std::string_view("\0\n", 2)) == std::string::npos &&
                        text.find('\n') == std::string::npos;
    Secret secret(std::move(text));
    if (!usable) { return fail(Code::refused, from + " does not hold one line with a secret"); }
    return secret;
}

Result<Secret> from_file(const std::string& path) {
    const Fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
    if (!fd.open()) {
        return fail(errno == ENOENT ? Code::not_found : Code::refused,
                    "the secret " + path + " cannot be read: " + std::strerror(errno));
    }
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
        return fail(Code::refused, "the secret " + path + " is not a regular file");
    }
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return fail(Code::refused, "others can read the secret " + path + "; chmod 600 " + path);
    }
    std::string text(largest_secret + 2, '\0');
    std::size_t have = 0;
    while (have < text.size()) {
        const ssize_t got = ::read(fd.get(), text.data() + have, text.size() - have);
        if (got <= 0) { break; }
        have += static_cast<std::size_t>(got);
    }
    text.resize(have);
    return sound(std::move(text), path);
}

Result<Secret> from_command(const std::vector<std::string>& argv) {
    Connection connection{};
    connection.host = "controller";
    connection.transport = "local";
    Result<Reply> reply =
        make_local(connection)
            ->perform(Exec{argv, {}}, boot_now() + command_limit, std::stop_token{});
    if (!reply) { return fail(Code::refused, "the secret's command: " + reply.error().message); }
    Secret bytes(std::move(reply->out));
    if (reply->status != 0) {
        return fail(Code::refused, "the secret's command `" + argv.front() +
                                       "` ended with exit status " + std::to_string(reply->status));
    }
    return sound(std::string(bytes.reveal()), "the output of `" + argv.front() + '`');
}

}  // namespace

Result<Secret> read_secret(const SecretRef& from) {
    if (!from.file.empty()) { return from_file(from.file); }
    if (!from.command.empty()) { return from_command(from.command); }
    if (from.credential.empty()) { return Secret{}; }
    const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
    if (directory == nullptr) {
        return fail(Code::not_found,
                    "no credential " + from.credential + ": $CREDENTIALS_DIRECTORY is not set");
    }
    return from_file(std::string(directory) + '/' + from.credential);
}

}  // namespace drill
