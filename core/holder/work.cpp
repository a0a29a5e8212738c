// cpu, memory and pid-exhaust: what the worker takes from processor, memory and the process table.
// Must not: take the last of anything; `leave` holds in every loop. Next: holder.hpp.
#include "holder/holder.hpp"

namespace drill::holder {

namespace {

constexpr Number period = second / 20;
constexpr Number chunk = 8 * mebibyte;
constexpr Number thread_cost = 32'768;  ///< bytes of the kernel for a thread that sleeps

/// Spins for `load` of each period. Multiplication is what the compiler may not leave out.
[[noreturn]] void spin(Shared& shared, Number index) {
    volatile std::uint64_t product = 1;
    const Number share = period / 1'000'000 * shared.options.load;
    for (;;) {
        const Number began = clock_now(CLOCK_BOOTTIME);
        while (clock_now(CLOCK_BOOTTIME) - began < share) {
            for (int i = 0; i < 20'000; ++i) { product = product * 6364136223846793005U + 1; }
        }
        shared.busy[index] = clock_now(CLOCK_PROCESS_CPUTIME_ID);
        check_time(shared);
        if (share < period) { pause_for(period - share); }
    }
}

/// Where the cgroup is named, its limit and use; else those of the host. -1 where it has no limit.
Number cgroup_number(const Options& options, const char* unified, const char* legacy) {
    Path path;
    path.add(options.cgroup).add("/").add(unified);
    char text[64];
    if (read_file(path.text, text, sizeof text) >= 0) { return number_in(text); }
    Path old;
    old.add(options.cgroup).add("/").add(legacy);
    const Number number = number_of_file(old.text);
    return number > INT64_MAX / 32 ? -1 : number;  // "no limit" is a number there
}

void enter_cgroup(Shared& shared) {
    if (*shared.options.cgroup == '\0') { return; }
    Path path;
    path.add(shared.options.cgroup).add("/cgroup.procs");
    const Number entered = write_file(path.text, "0", 0);
    if (entered < 0) { give_up(shared, "the cgroup cannot be entered, error ", -entered); }
}

struct Memory {
    Number total{0}, free{0};
};
Memory memory_now(const Options& options) {
    if (*options.cgroup == '\0') { return {meminfo("MemTotal:"), meminfo("MemAvailable:")}; }
    const Number limit = cgroup_number(options, "memory.max", "memory.limit_in_bytes");
    const Number used = cgroup_number(options, "memory.current", "memory.usage_in_bytes");
    return limit < 0 || used < 0 ? Memory{-1, -1} : Memory{limit, limit - used};
}

void say_memory(Shared& shared, const Memory& before, Number held) {
    shared.said = {};
    shared.said.add("holds ");
    add_size(shared.said, held);
    shared.said.add(", available memory ");
    add_size(shared.said, before.free);
    shared.said.add(" -> ");
    add_size(shared.said, memory_now(shared.options).free);
}

/// A thread of this process that sleeps for good and needs no stack of its own: its code touches
/// none. Its id, or -errno. It ends with the process, whatever signal ends that.
Number sleeping_thread() {
    Number result = SYS_clone;
    __asm__ volatile(
        "syscall\n"
        "  test %%rax, %%rax\n"
        "  jnz 2f\n"
        "1: mov %[pause], %%eax\n"
        "  syscall\n"
        "  jmp 1b\n"
        "2:\n"
        : "+a"(result)
        : "D"(static_cast<Number>(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                                  CLONE_SYSVSEM)),
          "S"(0L), "d"(0L), [pause] "i"(SYS_pause)
        : "rcx", "r8", "r10", "r11", "memory");
    return result;
}

/// Threads of the host, out of "0.20 0.18 0.12 1/80 11206".
Number threads_now() {
    char text[128];
    if (read_file("/proc/loadavg", text, sizeof text) < 0) { return -1; }
    const char* slash = text;
    while (*slash != '/' && *slash != '\0') { ++slash; }
    return *slash == '/' ? number_in(slash + 1) : -1;
}

/// Free entries of what is to be exhausted; -1 where nothing bounds it.
Number free_pids(const Options& options) {
    if (*options.cgroup != '\0') {
        const Number most = cgroup_number(options, "pids.max", "pids.max");
        return most < 0 ? -1 : most - cgroup_number(options, "pids.current", "pids.current");
    }
    if (options.uid >= 0) { return -1; }
    const Number pids = number_of_file("/proc/sys/kernel/pid_max");
    const Number threads = number_of_file("/proc/sys/kernel/threads-max");
    const Number used = threads_now();
    return pids < 0 || threads < 0 || used < 0 ? -1 : (pids < threads ? pids : threads) - used;
}

void become_user(Shared& shared) {
    const Number uid = shared.options.uid;
    if (uid < 0) { return; }
    const rlimit64 all{RLIM64_INFINITY, RLIM64_INFINITY};
    call(SYS_prlimit64, 0, RLIMIT_NPROC, at(&all), 0);
    call(SYS_setgroups, 0, 0);
    call(SYS_setresgid, uid, uid, uid);
    if (call(SYS_setresuid, uid, uid, uid) < 0) { give_up(shared, "the user cannot be taken"); }
    end_with_parent();  // a change of user forgets it
}

}  // namespace

Number meminfo(const char* name) {
    char text[2048];
    if (read_file("/proc/meminfo", text, sizeof text) < 0) { return -1; }
    for (const char* line = text; *line != '\0'; ++line) {
        if (const char* value = behind(line, name)) {
            while (*value == ' ') { ++value; }
            return digits(value) * 1024;
        }
        while (*line != '\n' && line[1] != '\0') { ++line; }
    }
    return -1;
}

void take_cpu(Shared& shared) {
    enter_cgroup(shared);
    call(SYS_setpriority, PRIO_PROCESS, 0, shared.options.nice);
    for (Number i = 1; i < shared.options.cores && i < most_spinners; ++i) {
        const Number child = split_off();
        if (child < 0) { give_up(shared, "not enough processes can be made, error ", -child); }
        if (child == 0) {
            end_with_parent();
            spin(shared, i);
        }
    }
    spin(shared, 0);
}

void take_memory(Shared& shared) {
    const Options& options = shared.options;
    enter_cgroup(shared);
    const Memory before = memory_now(options);
    if (before.total <= 0 && (options.size < 0 || *options.cgroup == '\0')) {
        give_up(shared, "how much memory there is cannot be read, or the cgroup has no limit");
    }
    const Number keep_free =
        options.size >= 0 ? options.leave : before.total - share_of(before.total, options.ppm);
    const Number floor = keep_free > options.leave ? keep_free : options.leave;
    Number held = 0;
    while (options.size < 0 || held < options.size) {
        check_time(shared);
        const Number wanted =
            options.size >= 0 && options.size - held < chunk ? options.size - held : chunk;
        const Memory now = memory_now(options);
        if (now.total > 0 && now.free - wanted < floor) { break; }
        const Number place =
            call(SYS_mmap, 0, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
        if (place < 0) { break; }
        // Locked pages are there, and neither swapped nor compressed.
        if (call(SYS_mlock, place, wanted) < 0) {
            call(SYS_munmap, place, wanted);
            break;
        }
        held += wanted;
    }
    say_memory(shared, before, held);
    const bool reached = options.size >= 0
                             ? held >= options.size
                             : held > 0 && memory_now(options).free < keep_free + 4 * chunk;
    shared.stage = reached ? full : missed;
    for (;;) {
        check_time(shared);
        say_memory(shared, before, held);
        pause_for(second / 5);
    }
}

void take_pids(Shared& shared) {
    const Options& options = shared.options;
    const Number free_before = free_pids(options);
    if (free_before < 0 && options.size < 0) {
        give_up(shared, "nothing there bounds the number of processes; give `count`");
    }
    Number goal = options.size;
    if (free_before >= 0 && (goal < 0 || goal > free_before - options.leave)) {
        goal = free_before - options.leave;
    }
    if (goal <= 0) {
        give_up(shared, "no more than `leave` processes are free, now ", free_before);
    }
    if (goal > meminfo("MemAvailable:") / 2 / thread_cost) {
        give_up(shared, "the memory is too small for so many processes: ", goal);
    }
    enter_cgroup(shared);
    become_user(shared);
    Number held = 1;  // the worker itself
    while (held < goal) {
        if (held % 256 == 0) { check_time(shared); }
        if (sleeping_thread() < 0) { break; }
        ++held;
    }
    shared.said.add("holds ").add(held).add(" of the process table");
    if (free_before >= 0) {
        shared.said.add(", free ").add(free_before).add(" -> ").add(free_pids(options));
    }
    // The kernel's own bound may come first; then nothing is left, which is what was asked for.
    shared.stage = held >= goal || options.size < 0 ? full : missed;
}

}  // namespace drill::holder
