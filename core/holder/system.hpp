// What the holder needs of Linux, without a C library: system calls, numbers as text, one-line
// files. x86-64 only; a build for another machine refuses here.
// Must not: allocate, keep state, or know of any kind. Next: holder.cpp.
#pragma once

#include <fcntl.h>
#include <linux/falloc.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <ctime>

#ifndef __x86_64__
#error "the holder is written for x86-64"
#endif

namespace drill::holder {

using Number = std::int64_t;

/// A system call: its result, or -errno.
inline Number call(Number number, Number a = 0, Number b = 0, Number c = 0, Number d = 0,
                   Number e = 0) {
    Number result = 0;
    register Number r10 __asm__("r10") = d;
    register Number r8 __asm__("r8") = e;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}
template <class T>
Number at(T* pointer) {
    return reinterpret_cast<Number>(pointer);
}

inline constexpr Number second = 1'000'000'000;
inline constexpr Number mebibyte = 1'048'576;

/// Of CLOCK_BOOTTIME, CLOCK_PROCESS_CPUTIME_ID; ns.
inline Number clock_now(clockid_t clock) {
    timespec time{};
    call(SYS_clock_gettime, clock, at(&time));
    return time.tv_sec * second + time.tv_nsec;
}
inline void pause_for(Number nanoseconds) {
    const timespec time{nanoseconds / second, nanoseconds % second};
    call(SYS_nanosleep, at(&time), 0);
}
[[noreturn]] inline void leave(int status) {
    for (;;) { call(SYS_exit_group, status); }
}
/// fork(2): 0 in the child.
inline Number split_off() { return call(SYS_clone, SIGCHLD); }

inline std::size_t length(const char* text) {
    std::size_t count = 0;
    while (text[count] != '\0') { ++count; }
    return count;
}
inline bool same_text(const char* a, const char* b) {
    while (*a != '\0' && *a == *b) { ++a, ++b; }
    return *a == *b;
}
/// What follows `prefix` in `text`, or null.
inline const char* behind(const char* text, const char* prefix) {
    while (*prefix != '\0') {
        if (*text++ != *prefix++) { return nullptr; }
    }
    return text;
}
/// Digits from `text` on, moved behind them; -1 where there is none.
inline Number digits(const char*& text) {
    if (*text < '0' || *text > '9') { return -1; }
    Number value = 0;
    while (*text >= '0' && *text <= '9' && value < INT64_MAX / 16) {
        value = value * 10 + (*text++ - '0');
    }
    return value;
}
inline Number number_in(const char* text) { return digits(text); }

/// `ppm` parts of a million of `whole`; the plain product would not fit.
inline Number share_of(Number whole, Number ppm) {
    return whole / 1'000'000 * ppm + whole % 1'000'000 * ppm / 1'000'000;
}

/// A line that grows up to its bound and always ends in NUL.
template <std::size_t bound>
struct Line {
    char text[bound]{};
    std::size_t size{0};
    Line& add(const char* more) {
        while (*more != '\0' && size + 1 < bound) { text[size++] = *more++; }
        text[size] = '\0';
        return *this;
    }
    Line& add(Number value) {
        char reversed[24];
        std::size_t count = 0;
        if (value < 0) {
            add("-");
            value = -value;
        }
        do { reversed[count++] = static_cast<char>('0' + value % 10); } while ((value /= 10) != 0);
        while (count > 0 && size + 1 < bound) { text[size++] = reversed[--count]; }
        text[size] = '\0';
        return *this;
    }
};
using Path = Line<512>;

/// Up to `bound - 1` bytes of a file, ended by NUL; the count, or -errno.
inline Number read_file(const char* path, char* buffer, std::size_t bound) {
    const Number file = call(SYS_open, at(path), O_RDONLY | O_CLOEXEC);
    if (file < 0) { return file; }
    std::size_t size = 0;
    while (size + 1 < bound) {
        const Number got =
            call(SYS_read, file, at(buffer + size), static_cast<Number>(bound - 1 - size));
        if (got <= 0) { break; }
        size += static_cast<std::size_t>(got);
    }
    buffer[size] = '\0';
    call(SYS_close, file);
    return static_cast<Number>(size);
}
/// The number a file begins with; -1 where there is none, as for "max".
inline Number number_of_file(const char* path) {
    char text[64];
    return read_file(path, text, sizeof text) < 0 ? -1 : number_in(text);
}
/// 0, or -errno.
inline Number write_file(const char* path, const char* text, int flags) {
    const Number file = call(SYS_open, at(path), O_WRONLY | O_CLOEXEC | flags, 0600);
    if (file < 0) { return file; }
    const Number put = call(SYS_write, file, at(text), static_cast<Number>(length(text)));
    call(SYS_close, file);
    return put < 0 ? put : 0;
}

/// Start time of a process as /proc/PID/stat has it; -1 when it is gone or a zombie.
inline Number start_of(Number pid) {
    Path path;
    path.add("/proc/").add(pid).add("/stat");
    char stat[1024];
    const Number size = read_file(path.text, stat, sizeof stat);
    if (size <= 0) { return -1; }
    const char* field = stat + size;
    while (field > stat && *field != ')') { --field; }
    if (field == stat || field[1] == '\0') { return -1; }
    field += 2;
    if (*field == 'Z' || *field == 'X' || *field == 'x') { return -1; }
    for (int skipped = 0; skipped < 19; ++skipped) {
        while (*field != ' ' && *field != '\0') { ++field; }
        if (*field == ' ') { ++field; }
    }
    return number_in(field);
}

}  // namespace drill::holder
