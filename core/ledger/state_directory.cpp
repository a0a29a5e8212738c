// See state_directory.hpp.
#include "ledger/state_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

namespace drill {

namespace {

std::string ballast_path(const std::string& directory) { return directory + "/ledger.ballast"; }

/// A new name is durable only when its directory is synced.
void sync_directory(const std::string& directory) {
    const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) { return; }
    fsync(fd);
    close(fd);
}

Status make_directories(const std::string& directory) {
    for (std::size_t at = 1; at != std::string::npos && at <= directory.size();) {
        at = directory.find('/', at);
        const std::string part = directory.substr(0, at);
        if (mkdir(part.c_str(), 0700) == 0) {
            const std::size_t slash = part.rfind('/');
            sync_directory(slash == std::string::npos ? "." : part.substr(0, slash + 1));
        } else if (errno != EEXIST) {
            const int number = errno;
            struct stat there {};
            // A parent that may not be written (EROFS, EACCES) is fine as long as it is there.
            if (stat(part.c_str(), &there) != 0) {
                return file_error("cannot make the directory " + part, number);
            }
        }
        if (at != std::string::npos) { ++at; }
    }
    return ok();
}

}  // namespace

const char* network_file_system(unsigned long magic) noexcept {
    switch (magic & 0xffffffffUL) {
        case 0x6969UL: return "NFS";
        case 0x517bUL:
        case 0xff534d42UL:
        case 0xfe534d42UL: return "SMB";
        case 0x01021997UL: return "9p";
        case 0x65735546UL: return "FUSE";
        case 0x5346414fUL: return "AFS";
        case 0x00c36400UL: return "Ceph";
        case 0x0bd00bd0UL: return "Lustre";
        default: return nullptr;
    }
}

Error file_error(const std::string& what, int number) {
    const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
    return fail(full ? Code::no_space : Code::internal, what + ": " + std::strerror(number));
}

Status make_state_directory(const std::string& directory) {
    if (directory.empty()) { return fail(Code::invalid, "no state directory is given"); }
    DRILL_CHECK(make_directories(directory));
    struct stat there {};
    if (stat(directory.c_str(), &there) != 0) {
        return file_error("cannot read the state directory " + directory, errno);
    }
    if (!S_ISDIR(there.st_mode)) { return fail(Code::refused, directory + " is no directory"); }
    if ((there.st_mode & 022U) != 0) {
        return fail(Code::refused, "the state directory " + directory +
                                       " can be written by others: chmod go-w it");
    }
    struct statfs system {};
    if (statfs(directory.c_str(), &system) != 0) {
        return file_error("cannot read the file system of " + directory, errno);
    }
    if (const char* name = network_file_system(static_cast<unsigned long>(system.f_type))) {
        return fail(Code::refused, "the state directory " + directory + " is on " + name +
                                       ", where locks and syncs cannot be trusted: give a local "
                                       "directory");
    }
    return ok();
}

Status make_private_file(const std::string& path) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return errno == EEXIST ? ok() : Status(file_error("cannot make " + path, errno));
    }
    close(fd);
    return ok();
}

Status lay_ballast(const std::string& directory) {
    const std::string path = ballast_path(directory);
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) { return file_error("cannot make " + path, errno); }
    const int number = posix_fallocate(fd, 0, static_cast<off_t>(ballast_size));
    close(fd);
    if (number == 0) { return ok(); }
    free_ballast(directory);
    return file_error("cannot reserve 1 MiB in " + directory, number);
}

void free_ballast(const std::string& directory) noexcept {
    unlink((directory + "/ledger.ballast").c_str());
}

}  // namespace drill
