// disk-fill, inode-fill and fd-exhaust: space and inodes in files without a name, which the kernel
// takes back when they are closed, whatever ends us; open files; lowered limits of open files.
// Must not: leave a name behind on the file system. Next: holder.hpp.
#include "holder/holder.hpp"

namespace drill::holder {

namespace {

constexpr Number spare_files = 64;  ///< below the kernel's bound of open files of one process
constexpr Number most_files = 1'000'000;
constexpr Number inode_cost = 2'048;  ///< bytes of the kernel for an inode that is held open
constexpr Number file_cost = 512;
constexpr Number most_space = 1'024 * mebibyte;  ///< in one call

/// A file without a name in `path`. Where the file system cannot make one, it is made and unlinked.
Number nameless_file(Shared& shared) {
    const Options& options = shared.options;
    const Number file = call(SYS_open, at(options.path), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file != -EOPNOTSUPP && file != -EISDIR && file != -EINVAL) { return file; }
    Path path;
    path.add(options.path).add("/.drill-").add(call(SYS_getpid));
    const Number named = call(SYS_open, at(path.text), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (named >= 0) { call(SYS_unlink, at(path.text)); }
    return named;
}

struct Space {
    Number size{0};  ///< used and what is free to others than root
    Number free{0};
};
Space space_now(Shared& shared) {
    struct statfs system {};
    const Number got = call(SYS_statfs, at(shared.options.path), at(&system));
    if (got < 0) { give_up(shared, "the path cannot be looked at, error ", -got); }
    const Number block = system.f_frsize != 0 ? system.f_frsize : system.f_bsize;
    const Number free = static_cast<Number>(system.f_bavail) * block;
    return {static_cast<Number>(system.f_blocks - system.f_bfree) * block + free, free};
}
Space inodes_now(Shared& shared) {
    struct statfs system {};
    const Number got = call(SYS_statfs, at(shared.options.path), at(&system));
    if (got < 0) { give_up(shared, "the path cannot be looked at, error ", -got); }
    return {static_cast<Number>(system.f_files), static_cast<Number>(system.f_ffree)};
}

/// How much stays free: what the share leaves, or what `size` leaves, never below `leave`.
Number floor_of(const Options& options, const Space& now) {
    Number floor = 0;
    if (options.size >= 0) {
        floor = now.free - options.size;
    } else {
        floor = now.size - share_of(now.size, options.ppm);
    }
    return floor > options.leave ? floor : options.leave;
}

/// One step of filling: bytes, or -errno. A file system without allocation is written to.
Number fill_space(Number file, Number offset, Number bytes) {
    const Number got = call(SYS_fallocate, file, 0, offset, bytes);
    if (got == 0) { return bytes; }
    if (got != -EOPNOTSUPP && got != -ENOSYS) { return got; }
    static std::uint64_t noise[131'072];  // 1 MiB, as a file system may compress or omit zeros
    if (noise[0] == 0) {
        std::uint64_t value = 88'172'645'463'325'252U;
        for (std::uint64_t& word : noise) {
            value ^= value << 13U;
            value ^= value >> 7U;
            word = value ^= value << 17U;
        }
    }
    const Number size = static_cast<Number>(sizeof noise);
    const Number put = call(SYS_pwrite64, file, at(noise), bytes < size ? bytes : size, offset);
    return put == 0 ? -ENOSPC : put;
}

/// As high as the kernel lets us, at least to our own hard limit; how many files that is.
Number raise_own_limit() {
    const Number most = number_of_file("/proc/sys/fs/nr_open");
    const rlimit64 all{static_cast<std::uint64_t>(most), static_cast<std::uint64_t>(most)};
    rlimit64 now{};
    if (call(SYS_prlimit64, 0, RLIMIT_NOFILE, at(&all), 0) < 0) {
        call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, at(&now));
        now.rlim_cur = now.rlim_max;
        call(SYS_prlimit64, 0, RLIMIT_NOFILE, at(&now), 0);
    }
    call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, at(&now));
    const Number limit = static_cast<Number>(now.rlim_cur) - spare_files;
    return limit < most_files ? limit : most_files;
}

void refuse_too_many(Shared& shared, Number goal, Number cost) {
    if (goal > raise_own_limit()) {
        give_up(shared, "more than one process may hold open would be needed: ", goal);
    }
    if (goal > meminfo("MemAvailable:") / 4 / cost) {
        give_up(shared, "the memory is too small to hold so many open: ", goal);
    }
}

/// Open files of the host and its bound, out of "1216 0 2466190".
Space files_now() {
    char text[128];
    if (read_file("/proc/sys/fs/file-nr", text, sizeof text) < 0) { return {}; }
    const char* place = text;
    const Number used = digits(place);
    while (*place == ' ' || *place == '\t') { ++place; }
    const Number unused = digits(place);
    while (*place == ' ' || *place == '\t') { ++place; }
    const Number most = digits(place);
    return {most, most - used + (unused > 0 ? unused : 0)};
}

/// The smallest soft limit under which a process has `leave` descriptors left; -1: it is gone.
Number limit_for(const Victim& victim, Number leave) {
    static std::uint64_t open[16'384];  // a bit for each descriptor
    constexpr Number most = static_cast<Number>(sizeof open) * 8;
    for (std::uint64_t& word : open) { word = 0; }
    Path path;
    path.add("/proc/").add(victim.pid).add("/fd");
    const Number folder = call(SYS_open, at(path.text), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) { return -1; }
    alignas(8) char entries[4096];
    Number size = 0;
    while ((size = call(SYS_getdents64, folder, at(entries), sizeof entries)) > 0) {
        // Each: inode 8, offset 8, length 2, type 1, name.
        for (Number i = 0; i < size;) {
            const Number number = number_in(entries + i + 19);
            if (number >= 0 && number < most) { open[number / 64] |= 1UL << (number % 64); }
            i += static_cast<unsigned char>(entries[i + 16]) +
                 256 * static_cast<unsigned char>(entries[i + 17]);
        }
    }
    call(SYS_close, folder);
    Number number = 0;
    for (Number left = leave; number < most; ++number) {
        const bool taken = (open[number / 64] >> (number % 64) & 1U) != 0;
        if (!taken && left-- == 0) { break; }
    }
    return number;
}

bool set_limit(Number pid, const rlimit64& limit) {
    return call(SYS_prlimit64, pid, RLIMIT_NOFILE, at(&limit), 0) == 0;
}
Number limit_now(Number pid) {
    rlimit64 now{};
    if (call(SYS_prlimit64, pid, RLIMIT_NOFILE, 0, at(&now)) != 0) { return -1; }
    return static_cast<Number>(now.rlim_cur);
}

/// One line each, before anything is lowered: "PID START LOWERED SOFT HARD".
bool note_limits(const Options& options) {
    Line<4096> text;
    for (Number i = 0; i < options.victims; ++i) {
        const Victim& one = options.victim[i];
        text.add(one.pid).add(" ").add(one.start).add(" ").add(one.lowered).add(" ");
        text.add(static_cast<Number>(one.before.rlim_cur)).add(" ");
        text.add(static_cast<Number>(one.before.rlim_max)).add("\n");
    }
    return note(options, "limits", text.text);
}

/// Lowers the limits of the victims and watches that they stay so.
void lower_limits(Shared& shared) {
    Options& options = shared.options;
    for (Number i = 0; i < options.victims; ++i) {
        Victim& one = options.victim[i];
        if (start_of(one.pid) != one.start ||
            call(SYS_prlimit64, one.pid, RLIMIT_NOFILE, 0, at(&one.before)) != 0) {
            give_up(shared, "not the process that was chosen: ", one.pid);
        }
        one.lowered = limit_for(one, options.leave);
        if (one.lowered < 0) { give_up(shared, "its open files cannot be read: ", one.pid); }
        if (static_cast<std::uint64_t>(one.lowered) >= one.before.rlim_cur) {
            give_up(shared, "no more than `leave` descriptors are free now in process ", one.pid);
        }
    }
    if (!note_limits(options)) { give_up(shared, "the lease directory cannot be written"); }
    for (Number i = 0; i < options.victims; ++i) {
        const Victim& one = options.victim[i];
        shared.said.add(i == 0 ? "limit of open files: " : ", ").add(one.pid).add(" ");
        shared.said.add(static_cast<Number>(one.before.rlim_cur)).add(" -> ").add(one.lowered);
        if (!set_limit(one.pid, {static_cast<std::uint64_t>(one.lowered), one.before.rlim_max})) {
            restore_limits(options);
            give_up(shared, "its limit cannot be set: ", one.pid);
        }
    }
    shared.stage = full;
    for (;;) {
        for (Number i = 0; i < options.victims; ++i) {
            const Victim& one = options.victim[i];
            if (start_of(one.pid) == one.start && limit_now(one.pid) == one.lowered) { continue; }
            restore_limits(options);
            give_up(shared, "gone, or its limit was set by somebody else: process ", one.pid);
        }
        check_time(shared);
        pause_for(second / 5);
    }
}

}  // namespace

bool restore_limits(const Options& options) {
    bool good = true;
    for (Number i = 0; i < options.victims; ++i) {
        const Victim& one = options.victim[i];
        // Only what is still as we set it: another value is somebody else's will.
        if (one.lowered == 0 || start_of(one.pid) != one.start ||
            limit_now(one.pid) != one.lowered) {
            continue;
        }
        good = set_limit(one.pid, one.before) && good;
    }
    return good;
}

bool restore_from_file(const char* directory) {
    Path path;
    path.add(directory).add("/limits");
    static char text[4096];
    if (read_file(path.text, text, sizeof text) < 0) { return true; }  // nothing was lowered
    static Options options;
    const char* place = text;
    while (*place != '\0' && options.victims < most_victims) {
        Victim& one = options.victim[options.victims++];
        Number soft = 0;
        Number hard = 0;
        Number* const values[] = {&one.pid, &one.start, &one.lowered, &soft, &hard};
        for (Number* value : values) {
            while (*place == ' ') { ++place; }
            *value = digits(place);
        }
        // "-1" stands for no limit.
        if (*place == '-') { hard = digits(++place) * -1; }
        one.before = {static_cast<std::uint64_t>(soft), static_cast<std::uint64_t>(hard)};
        while (*place != '\n' && *place != '\0') { ++place; }
        if (*place == '\n') { ++place; }
    }
    return restore_limits(options);
}

void take_disk(Shared& shared) {
    const Space before = space_now(shared);
    const Number floor = floor_of(shared.options, before);
    const Number file = nameless_file(shared);
    if (file < 0) { give_up(shared, "no file can be made there, error ", -file); }
    Number offset = 0;
    Number step = most_space;
    Number free = before.free;
    while (free > floor && step > 0) {
        check_time(shared);
        if (step > free - floor) { step = (free - floor + 4095) / 4096 * 4096; }
        const Number got = fill_space(file, offset, step);
        if (got == -ENOSPC || got == -EDQUOT || got == -EFBIG) {
            step = step > 4096 ? step / 2 / 4096 * 4096 : 0;
            continue;
        }
        if (got < 0) { give_up(shared, "the file cannot grow, error ", -got); }
        offset += got;
        free = space_now(shared).free;
    }
    Line<200>& said = shared.said;
    said.add("free space ");
    add_size(said, before.free);
    said.add(" -> ");
    add_size(said, free);
    shared.stage = free < before.free && free - floor < 8 * mebibyte ? full : missed;
}

void take_inodes(Shared& shared) {
    const Space before = inodes_now(shared);
    if (before.size <= 0) { give_up(shared, "this file system has no fixed number of inodes"); }
    const Number floor = floor_of(shared.options, before);
    const Number goal = before.free - floor;
    refuse_too_many(shared, goal, inode_cost);
    Number held = 0;
    while (held < goal) {
        if (held % 256 == 0) { check_time(shared); }
        const Number file = nameless_file(shared);
        if (file == -ENOSPC || file == -EDQUOT) { break; }
        if (file < 0) { give_up(shared, "no file can be made there, error ", -file); }
        ++held;
    }
    const Number free = inodes_now(shared).free;
    shared.said.add("free inodes ").add(before.free).add(" -> ").add(free);
    shared.stage = free < before.free && free - floor < 64 ? full : missed;
}

void take_files(Shared& shared) {
    if (shared.options.victims > 0) { lower_limits(shared); }
    const Space before = files_now();
    Number goal = before.free - shared.options.leave;
    if (shared.options.size >= 0 && shared.options.size < goal) { goal = shared.options.size; }
    if (goal <= 0) {
        give_up(shared, "no more than `leave` open files are free, now ", before.free);
    }
    refuse_too_many(shared, goal, file_cost);
    Number held = 0;
    while (held < goal) {
        if (held % 256 == 0) { check_time(shared); }
        if (call(SYS_eventfd2, 0, O_CLOEXEC) < 0) { break; }
        ++held;
    }
    shared.said.add("holds ").add(held).add(" open files, free ").add(before.free).add(" -> ");
    shared.said.add(files_now().free);
    shared.stage = held == goal ? full : missed;
}

}  // namespace drill::holder
