// What the parts of the holder share: the memory that its processes see in common, the options it
// was started with, and the six kinds of work. Must not: hold a pointer into another process.
// Next: holder.cpp (keeper and life), work.cpp (cpu, memory, pids), files.cpp (disk, inodes, fds).
#pragma once

#include "holder/system.hpp"

namespace drill::holder {

inline constexpr Number most_spinners = 512;
inline constexpr Number most_victims = 64;

enum Stage : int { filling, full, missed, failed, lost, over };

/// One process whose limit of open files is lowered.
struct Victim {
    Number pid{0}, start{0};
    rlimit64 before{};
    Number lowered{0};  ///< soft limit that was set, 0 = not yet
};

struct Options {
    const char* kind{""};
    const char* directory{""};  ///< the lease directory
    const char* path{""};       ///< disk, inodes
    const char* cgroup{""};     ///< directory below /sys/fs/cgroup
    Number ppm{-1};             ///< share to be reached
    Number size{-1};            ///< bytes or count to be taken
    Number leave{0};            ///< bytes or count that stay free
    Number cores{0}, load{1'000'000}, nice{0};
    Number uid{-1};
    Number victims{0};
    Victim victim[most_victims];
};

/// Mapped shared before the first fork. Each member has one writer.
struct Shared {
    volatile int stage{filling};            ///< worker; keeper for lost and over
    volatile Number until{0};               ///< of the lease, CLOCK_BOOTTIME in ns
    volatile Number busy[most_spinners]{};  ///< each spinner: CPU time so far, ns
    Line<200> said;                         ///< worker: what was reached, or why not
    Options options;                        ///< victims: what was lowered, for whoever puts it back
};

/// Each takes what it was told, says so in `shared`, and returns to let itself be held, or calls
/// give_up. They run in the worker.
void take_cpu(Shared& shared);
void take_memory(Shared& shared);
void take_pids(Shared& shared);
void take_disk(Shared& shared);
void take_inodes(Shared& shared);
void take_files(Shared& shared);

/// Puts limits back that are still as they were set, of processes that are still the same.
/// False when one could not be.
bool restore_limits(const Options& options);
/// The same out of the file `limits` of the lease directory.
bool restore_from_file(const char* directory);

/// Writes into a file of the lease directory, made where it is not there. False on failure.
bool note(const Options& options, const char* name, const char* text);

/// Ends the worker when the lease is over or its keeper is gone. Called at each step of a work.
void check_time(const Shared& shared);
/// From now on this process ends with its present parent.
void end_with_parent();
[[noreturn]] void give_up(Shared& shared, const char* why, Number number = 0);
/// "12 MiB", or "3400 KiB" below ten of them.
void add_size(Line<200>& line, Number bytes);
/// A line of /proc/meminfo in bytes; -1 where there is none.
Number meminfo(const char* name);

}  // namespace drill::holder
