// See inbox.hpp. A file appears under its name only when it is whole and synced.
#include "ledger/inbox.hpp"

#include "base/ids.hpp"
#include "base/text.hpp"
#include "ledger/state_directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>

namespace drill {

namespace {

constexpr std::size_t most_letters = 1000;  // read at one time; the rest follows
constexpr std::size_t largest_file = 2 * longest_letter;
constexpr std::size_t random_length = 6;
constexpr std::string_view first_line = "drill-letter 1";

bool names_a_file(std::string_view text) {
    return !text.empty() && text.size() <= 64 && text.front() != '.' &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
           });
}

std::string inbox_of(const std::string& directory, std::string_view run) {
    return directory + "/inbox/" + std::string(run);
}

std::string block_path(const std::string& directory) { return directory + "/blocked"; }

/// "cannot write PATH: Permission denied", and who may.
Error not_allowed(const std::string& what, const std::string& path, int number) {
    Error error = file_error(what + " " + path, number);
    if (number != EACCES && number != EPERM) { return error; }
    error.code = Code::refused;
    error.message += "; only its owner and root may: try again as one of them, e.g. with sudo";
    return error;
}

/// What root leaves in another user's state directory belongs to that user, whose controller has
/// to read it.
void hand_over(const std::string& directory, const std::string& path) {
    struct stat owner {};
    if (geteuid() != 0 || stat(directory.c_str(), &owner) != 0 || owner.st_uid == 0) { return; }
    static_cast<void>(!lchown(path.c_str(), owner.st_uid, owner.st_gid));
}

Status make_directory(const std::string& directory, const std::string& path) {
    if (mkdir(path.c_str(), 0700) == 0) {
        hand_over(directory, path);
        return ok();
    }
    return errno == EEXIST ? ok() : Status(not_allowed("cannot make", path, errno));
}

std::string bytes_of(const Letter& letter) {
    return std::string(first_line) + "\nverb " + letter.verb + "\nat " +
           std::to_string(letter.at.time_since_epoch().count()) + "\nby " +
           escape_control(letter.by, Lines::one) + "\n\n" + letter.text;
}

std::optional<Letter> parse(std::string_view bytes) {
    const std::size_t head_end = bytes.find("\n\n");
    if (head_end == std::string_view::npos) { return std::nullopt; }
    Letter letter;
    letter.text = bytes.substr(head_end + 2);
    const std::vector<std::string> lines = split(bytes.substr(0, head_end), '\n');
    if (lines.front() != first_line) { return std::nullopt; }
    for (const std::string& line : lines) {
        const std::size_t blank = line.find(' ');
        const std::string value = blank == std::string::npos ? "" : line.substr(blank + 1);
        if (line.starts_with("verb ")) { letter.verb = value; }
        if (line.starts_with("by ")) { letter.by = value; }
        if (line.starts_with("at ")) {
            std::int64_t ms = 0;
            std::from_chars(value.data(), value.data() + value.size(), ms);
            letter.at = Wall{std::chrono::milliseconds{ms}};
        }
    }
    return letter;
}

/// Empty: not a plain file, too large, or gone meanwhile.
std::optional<std::string> slurp(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) { return std::nullopt; }
    struct stat there {};
    std::array<char, largest_file + 1> buffer{};
    ssize_t got = -1;
    if (fstat(fd, &there) == 0 && S_ISREG(there.st_mode)) {
        got = pread(fd, buffer.data(), buffer.size(), 0);
    }
    close(fd);
    if (got < 0 || got > static_cast<ssize_t>(largest_file)) { return std::nullopt; }
    return std::string(buffer.data(), static_cast<std::size_t>(got));
}

Status spill(const std::string& directory, const std::string& path, const std::string& part,
             const std::string& bytes) {
    const int fd = open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) { return not_allowed("cannot write", path, errno); }
    errno = 0;
    const bool written =
        write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
        fsync(fd) == 0;
    int number = written ? 0 : (errno == 0 ? ENOSPC : errno);
    close(fd);
    hand_over(directory, part);
    if (number == 0 && std::rename(part.c_str(), path.c_str()) != 0) { number = errno; }
    if (number != 0) {
        unlink(part.c_str());
        return not_allowed("cannot write", path, number);
    }
    const int folder =
        open(path.substr(0, path.rfind('/')).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        fsync(folder);
        close(folder);
    }
    return ok();
}

}  // namespace

Result<std::string> drop_letter(const std::string& directory, std::string_view run,
                                const Letter& letter) {
    if (!names_a_file(run) || !names_a_file(letter.verb)) {
        return fail(Code::invalid, "`" + std::string(run) + "` cannot be the id of a run");
    }
    if (letter.text.size() > longest_letter) {
        return fail(Code::invalid,
                    "the text is longer than " + std::to_string(longest_letter) + " bytes");
    }
    const std::string inbox = inbox_of(directory, run);
    DRILL_CHECK(make_directory(directory, directory + "/inbox"));
    DRILL_CHECK(make_directory(directory, inbox));
    std::string id = std::to_string(letter.at.time_since_epoch().count()) + "-" +
                     random_id(random_length) + "." + letter.verb;
    DRILL_CHECK(spill(directory, inbox + "/" + id, inbox + "/." + id + ".part", bytes_of(letter)));
    return id;
}

Result<std::vector<Letter>> read_letters(const std::string& directory, std::string_view run) {
    std::vector<Letter> letters;
    std::string inbox = inbox_of(directory, run);
    const std::unique_ptr<DIR, int (*)(DIR*)> open_inbox(opendir(inbox.c_str()), closedir);
    if (!open_inbox) {
        if (errno == ENOENT || errno == ENOTDIR) { return letters; }
        return file_error("cannot read " + inbox, errno);
    }
    std::vector<std::string> names;
    while (const dirent* entry = readdir(open_inbox.get())) {
        if (names_a_file(entry->d_name)) { names.emplace_back(entry->d_name); }
        if (names.size() >= most_letters) { break; }
    }
    std::sort(names.begin(), names.end());
    inbox += '/';
    for (std::string& name : names) {
        const std::optional<std::string> bytes = slurp(std::string(inbox).append(name));
        std::optional<Letter> letter = bytes ? parse(*bytes) : std::nullopt;
        if (!letter) { continue; }
        letter->id = std::move(name);
        letters.push_back(*std::move(letter));
    }
    return letters;
}

bool letter_waits(const std::string& directory, std::string_view run, std::string_view id) {
    return access((inbox_of(directory, run) + "/" + std::string(id)).c_str(), F_OK) == 0;
}

void remove_letter(const std::string& directory, std::string_view run, std::string_view id) {
    if (!names_a_file(id) || !names_a_file(run)) { return; }
    unlink((inbox_of(directory, run) + "/" + std::string(id)).c_str());
}

void close_inbox(const std::string& directory, std::string_view run) {
    if (!names_a_file(run)) { return; }
    rmdir(inbox_of(directory, run).c_str());  // stays while something is in it
}

Status block_runs(const std::string& directory, const Block& block) {
    if (block.reason.size() > longest_letter) {
        return fail(Code::invalid,
                    "the reason is longer than " + std::to_string(longest_letter) + " bytes");
    }
    DRILL_CHECK(make_state_directory(directory));
    const Letter letter{
        .id = "", .verb = "block", .by = block.by, .text = block.reason, .at = block.at};
    const std::string path = block_path(directory);
    return spill(directory, path, path + "." + random_id(random_length) + ".part",
                 bytes_of(letter));
}

Result<std::optional<Block>> block_of(const std::string& directory) {
    const std::string path = block_path(directory);
    struct stat there {};
    if (lstat(path.c_str(), &there) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) { return std::optional<Block>(); }
        return file_error("cannot see " + path, errno);
    }
    const std::optional<std::string> bytes = slurp(path);
    const std::optional<Letter> letter = bytes ? parse(*bytes) : std::nullopt;
    if (!letter) {
        return std::optional(Block{.by = "somebody", .reason = path + " cannot be read", .at = {}});
    }
    return std::optional(Block{.by = letter->by, .reason = letter->text, .at = letter->at});
}

Result<bool> unblock_runs(const std::string& directory) {
    const std::string path = block_path(directory);
    if (unlink(path.c_str()) == 0) { return true; }
    if (errno == ENOENT || errno == ENOTDIR) { return false; }
    return not_allowed("cannot remove", path, errno);
}

}  // namespace drill
