// See files.hpp; find_catalog of loader.hpp.
#include "config/files.hpp"

#include "base/text.hpp"
#include "config/codes.hpp"
#include "config/loader.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace drill {

namespace {

namespace fs = std::filesystem;

constexpr mode_t others_may_write = S_IWGRP | S_IWOTH;
constexpr mode_t others_may_read = S_IRWXG | S_IRWXO;
// A path of PATH_MAX bytes has at most this many directories.
constexpr int most_parents = 2048;

class Descriptor {
public:
    explicit Descriptor(int number) noexcept : number_(number) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (number_ >= 0) { ::close(number_); }
    }
    [[nodiscard]] int get() const noexcept { return number_; }

private:
    int number_;
};

std::string octal(mode_t mode) {
    std::string out = "000";
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[2 - i] = static_cast<char>('0' + ((mode >> (3 * i)) & 7U));
    }
    return out;
}

std::string parent_of(const std::string& path) { return fs::path(path).parent_path().string(); }

/// Why somebody else could change what `status` describes; "" when nobody could.
std::string weakness(const std::string& path, const struct stat& status) {
    const bool foreign = status.st_uid != 0 && status.st_uid != ::geteuid();
    if (foreign) { return path + " belongs to uid " + std::to_string(status.st_uid); }
    const mode_t open = status.st_mode & others_may_write;
    if (open == 0) { return ""; }
    return path + " is " + ((open & S_IWOTH) != 0 ? "world" : "group") + "-writable (mode " +
           octal(status.st_mode) + ")";
}

void check_writers(const std::string& path, const struct stat& file, Report& report) {
    std::vector<std::string> weak;
    std::vector<std::string> open;
    const auto look = [&](const std::string& name, const struct stat& status) {
        const std::string reason = weakness(name, status);
        if (reason.empty()) { return; }
        weak.push_back(reason);
        if ((status.st_mode & others_may_write) != 0) { open.push_back(shell_quote(name)); }
    };
    look(path, file);
    // A link is as trustworthy as both ends: the directory that holds it and the real one.
    std::vector<std::string> directories{parent_of(path)};
    std::error_code error;
    const std::string real = parent_of(fs::canonical(path, error).string());
    if (!error && real != directories.front()) { directories.push_back(real); }
    for (const std::string& directory : directories) {
        struct stat status {};
        if (::stat(directory.c_str(), &status) == 0) { look(directory, status); }
    }
    if (weak.empty()) { return; }
    report.error(codes::unsafe_catalog, {}, "others could change this catalog: " + join(weak, "; "),
                 open.empty() ? "it must belong to root or to you (chown)"
                              : "chmod go-w " + join(open, " "));
}

std::optional<std::string> read_all(int descriptor, std::size_t most) {
    std::string text;
    std::array<char, 65536> buffer{};
    while (text.size() <= most) {
        const ssize_t n = ::read(descriptor, buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) { continue; }
        if (n < 0) { return std::nullopt; }
        if (n == 0) { break; }
        text.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return text;
}

bool exists(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0;
}

}  // namespace

std::optional<std::string> read_file(const std::string& path, std::size_t most, Writers writers,
                                     Report& report) {
    const auto unreadable = [&](const std::string& why) -> std::optional<std::string> {
        report.error(codes::unreadable, {}, "cannot read this file: " + why);
        return std::nullopt;
    };
    // O_NONBLOCK: opening a FIFO must not wait for its writer.
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (file.get() < 0) { return unreadable(std::strerror(errno)); }
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) { return unreadable(std::strerror(errno)); }
    if (!S_ISREG(status.st_mode)) { return unreadable("it is not a regular file"); }
    if (writers == Writers::trusted) {
        check_writers(absolute_path(path), status, report);
        if (report.failed()) { return std::nullopt; }
    }
    std::optional<std::string> text = read_all(file.get(), most);
    if (!text) { return unreadable(std::strerror(errno)); }
    if (text->size() > most) {
        report.error(codes::too_large, {},
                     "the file has more than " + std::to_string(most) + " bytes");
        return std::nullopt;
    }
    return text;
}

void check_key_file(const std::string& path, Spot spot, Report& report) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        report.error(codes::missing_key_file, spot,
                     "the key file " + ticked(path) + " cannot be used: " + std::strerror(errno),
                     "relative paths begin at the directory of the catalog");
    } else if (!S_ISREG(status.st_mode)) {
        report.error(codes::missing_key_file, spot,
                     "the key file " + ticked(path) + " is not a regular file");
    } else if ((status.st_mode & others_may_read) != 0) {
        report.error(codes::unsafe_key_file, spot,
                     "others can read the key file " + ticked(path) + " (mode " +
                         octal(status.st_mode) + ")",
                     "chmod 600 " + shell_quote(path));
    }
}

std::string absolute_path(const std::string& path) {
    std::error_code error;
    const fs::path absolute = fs::absolute(path, error);
    return error ? path : absolute.lexically_normal().string();
}

std::string home_directory() {
    const char* home = std::getenv("HOME");
    if (home != nullptr && *home == '/') { return home; }
    struct passwd entry {};
    struct passwd* found = nullptr;
    std::array<char, 4096> buffer{};
    if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
        found == nullptr) {
        return "";
    }
    return found->pw_dir;
}

std::string expand_path(const std::string& path, const std::string& directory) {
    if (path == "~") { return home_directory(); }
    if (path.starts_with("~/")) { return absolute_path(home_directory() + path.substr(1)); }
    if (path.starts_with('/')) { return absolute_path(path); }
    return absolute_path(directory + '/' + path);
}

Result<std::string> find_catalog(const std::string& flag, const std::string& from_directory) {
    const char* variable = std::getenv("DRILL_CONFIG");
    const bool by_variable = flag.empty() && variable != nullptr && *variable != '\0';
    if (!flag.empty() || by_variable) {
        const std::string named = absolute_path(by_variable ? std::string(variable) : flag);
        if (exists(named)) { return named; }
        return fail(Code::not_found, "there is no catalog " + named + " (named by " +
                                         (by_variable ? "DRILL_CONFIG" : "--config") + ")");
    }
    const std::string from = absolute_path(from_directory.empty() ? "." : from_directory);
    const std::string home = absolute_path(home_directory());
    fs::path directory = fs::path(from);
    if (!directory.has_filename()) { directory = directory.parent_path(); }
    for (int level = 0; level < most_parents; ++level) {
        const std::string candidate = (directory / "drill.toml").string();
        if (exists(candidate)) { return candidate; }
        const bool last = directory.string() == home || exists((directory / ".git").string()) ||
                          directory == directory.parent_path();
        if (last) { break; }
        directory = directory.parent_path();
    }
    return fail(Code::not_found, "no drill.toml in " + from + " nor above it up to " +
                                     directory.string() +
                                     " (looked at: --config, DRILL_CONFIG, drill.toml)");
}

}  // namespace drill
