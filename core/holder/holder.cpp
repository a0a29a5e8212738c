// The holder: a program of ours on a target that takes a resource and gives it back by ending.
//   holder hold KIND DIRECTORY TTL_CS LONGEST_CS OPTION=VALUE..   apply: answers once it is taken
//   holder restore DIRECTORY                                      puts lowered limits back
// A keeper looks after one worker that takes the resource. The worker dies with its keeper (the
// kernel's parent-death signal), and both look at the time themselves, so whichever is killed or
// stopped, the effect ends. Renewals are one number in the file `until`, in centiseconds.
// Must not: write outside of the lease directory, fork once it holds, or outlive `longest`.
// Next: holder.hpp, work.cpp, files.cpp; core/faults/parts/holder.cpp, which starts and reads it.
#include "holder/holder.hpp"

#include <new>

namespace drill::holder {

namespace {

constexpr Number centisecond = second / 100;
constexpr Number look_pause = 5 * centisecond;
constexpr Number answer_within = 8 * second;  ///< of the bite's time, most stays for the read-back
constexpr std::size_t record_size = 320;      ///< `holder` always has this many bytes

const char* const stage_names[] = {"filling", "full", "missed", "failed", "lost", "over"};

Number parent = 0;  ///< that this process ends with; 0 = none

struct Keeper {
    Shared* shared{nullptr};
    Number pid{0}, start{0}, worker{0}, worker_start{0};
    Number record{-1}, until{-1};  ///< open files of the lease directory
    Number latest{0};              ///< past this no renewal counts
};

void write_record(const Keeper& keeper) {
    Line<record_size> line;
    line.add(stage_names[keeper.shared->stage]).add(" ").add(keeper.pid).add(":");
    line.add(keeper.start).add(" ").add(keeper.worker).add(":").add(keeper.worker_start);
    line.add(" ").add(keeper.shared->said.text);
    while (line.size + 2 < record_size) { line.add(" "); }
    line.add("\n");
    call(SYS_pwrite64, keeper.record, at(line.text), static_cast<Number>(line.size), 0);
}

/// Reads a renewal. False when the lease directory is gone: then nobody can end us but we.
bool read_until(const Keeper& keeper) {
    char text[32]{};
    struct Times {  // struct stat, of which only the links count here
        Number device, inode, links;
        Number rest[15];
    } file{};
    if (call(SYS_fstat, keeper.until, at(&file)) < 0 || file.links == 0) { return false; }
    if (call(SYS_pread64, keeper.until, at(text), sizeof text - 1, 0) <= 0) { return true; }
    const Number asked = number_in(text);
    if (asked < 0) { return true; }
    const Number time = asked * centisecond;
    keeper.shared->until = time < keeper.latest ? time : keeper.latest;
    return true;
}

/// Milli-cores that the spinners had since `before`, which is moved on.
Number cores_since(const Shared& shared, Number& busy_before, Number& time_before) {
    Number busy = 0;
    for (Number i = 0; i < most_spinners; ++i) { busy += shared.busy[i]; }
    const Number now = clock_now(CLOCK_BOOTTIME);
    const Number share = (busy - busy_before) * 1000 / (now - time_before + 1);
    busy_before = busy;
    time_before = now;
    return share;
}

/// What a spinner reached is known only from outside: a tenth of what was asked counts as effect,
/// as a host that is full of work gives no more to one that is not preferred.
void watch_cpu(Keeper& keeper, Number& busy_before, Number& time_before) {
    Shared& shared = *keeper.shared;
    if (clock_now(CLOCK_BOOTTIME) - time_before < second / 2) { return; }
    const Number got = cores_since(shared, busy_before, time_before);
    const Number asked = keeper.shared->options.cores * (keeper.shared->options.load / 1000);
    shared.said = {};
    shared.said.add(got / 10).add(" % of one core in use, ").add(asked / 10).add(" % asked for");
    shared.stage = got * 10 >= asked ? full : filling;
}

/// Ends the worker and all that is below it, and writes why.
[[noreturn]] void end_all(Keeper& keeper, Stage stage, const char* why, Number number) {
    restore_limits(keeper.shared->options);
    call(SYS_kill, keeper.worker, SIGKILL);
    call(SYS_wait4, keeper.worker, 0, 0, 0);
    keeper.shared->stage = stage;
    keeper.shared->said = {};
    keeper.shared->said.add(why);
    if (number != 0) { keeper.shared->said.add(number); }
    write_record(keeper);
    leave(0);
}

[[noreturn]] void keep(Keeper& keeper) {
    const bool spins = same_text(keeper.shared->options.kind, "cpu");
    Number busy_before = 0;
    Number time_before = clock_now(CLOCK_BOOTTIME);
    for (int round = 0;; ++round) {
        if (!read_until(keeper)) { end_all(keeper, over, "the lease directory was removed", 0); }
        int status = 0;
        if (call(SYS_wait4, keeper.worker, at(&status), WNOHANG, 0) == keeper.worker) {
            if (keeper.shared->stage == failed) {
                restore_limits(keeper.shared->options);
                write_record(keeper);
                leave(0);
            }
            if ((status & 0x7f) != 0) {
                end_all(keeper, lost, "its worker was ended by signal ", status & 0x7f);
            }
            end_all(keeper, over, "the lease was over", 0);
        }
        if (clock_now(CLOCK_BOOTTIME) >= keeper.shared->until) {
            end_all(keeper, over, "the lease was over", 0);
        }
        if (spins) { watch_cpu(keeper, busy_before, time_before); }
        if (round % 4 == 0) { write_record(keeper); }
        pause_for(look_pause);
    }
}

void work(Shared& shared) {
    const Options& options = shared.options;
    if (same_text(options.kind, "cpu")) { take_cpu(shared); }
    if (same_text(options.kind, "memory")) { take_memory(shared); }
    if (same_text(options.kind, "disk-fill")) { take_disk(shared); }
    if (same_text(options.kind, "inode-fill")) { take_inodes(shared); }
    if (same_text(options.kind, "fd-exhaust")) { take_files(shared); }
    if (same_text(options.kind, "pid-exhaust")) { take_pids(shared); }
    for (;;) {
        check_time(shared);
        pause_for(look_pause);
    }
}

/// Out of the cgroups of the login: its limits are not meant, and systemd may end what stays in
/// them when the login ends. Where the host does not let us, we stay.
void leave_login() {
    static const char* const roots[] = {"/sys/fs/cgroup/cgroup.procs",
                                        "/sys/fs/cgroup/unified/cgroup.procs",
                                        "/sys/fs/cgroup/systemd/cgroup.procs",
                                        "/sys/fs/cgroup/memory/cgroup.procs",
                                        "/sys/fs/cgroup/pids/cgroup.procs",
                                        "/sys/fs/cgroup/cpu/cgroup.procs",
                                        "/sys/fs/cgroup/cpu,cpuacct/cgroup.procs"};
    for (const char* root : roots) { write_file(root, "0", 0); }
}

/// Keeper and worker. Both are the kernel's first victims; the keeper gets the processor first.
[[noreturn]] void become_keeper(Keeper& keeper) {
    call(SYS_setsid);
    const Number null = call(SYS_open, at("/dev/null"), O_RDWR);
    for (int file = 0; file < 3; ++file) { call(SYS_dup2, null, file); }
    write_file("/proc/self/oom_score_adj", "1000", 0);
    leave_login();
    keeper.pid = call(SYS_getpid);
    keeper.start = start_of(keeper.pid);
    const Number worker = split_off();
    if (worker == 0) {
        end_with_parent();
        // Limits outside of us are put back by whoever is left; all else dies with its keeper.
        if (keeper.shared->options.victims > 0) { call(SYS_prctl, PR_SET_PDEATHSIG, 0); }
        work(*keeper.shared);
    }
    keeper.worker = worker;
    keeper.worker_start = start_of(worker);
    call(SYS_setpriority, PRIO_PROCESS, 0, -20);
    if (worker < 0) {
        keeper.shared->said.add("no process can be made, error ").add(-worker);
        keeper.shared->stage = failed;
        write_record(keeper);
        leave(1);
    }
    keep(keeper);
}

void say(int file, const char* text) {
    call(SYS_write, file, at(text), static_cast<Number>(length(text)));
}

/// "4711:88123,4712:88130"
bool parse_victims(Options& options, const char* text) {
    while (*text != '\0' && options.victims < most_victims) {
        Victim& victim = options.victim[options.victims++];
        victim.pid = digits(text);
        if (*text != ':') { return false; }
        victim.start = digits(++text);
        if (victim.pid <= 1 || victim.start < 0 || (*text != '\0' && *text != ',')) {
            return false;
        }
        if (*text == ',') { ++text; }
    }
    return *text == '\0';
}

bool parse_option(Options& options, const char* word) {
    struct Text {
        const char* name;
        const char** value;
    };
    struct Count {
        const char* name;
        Number* value;
    };
    const Text texts[] = {{"path=", &options.path}, {"cgroup=", &options.cgroup}};
    const Count counts[] = {{"ppm=", &options.ppm},     {"size=", &options.size},
                            {"leave=", &options.leave}, {"cores=", &options.cores},
                            {"load=", &options.load},   {"nice=", &options.nice},
                            {"uid=", &options.uid}};
    for (const Text& text : texts) {
        if (const char* value = behind(word, text.name)) { return *(*text.value = value) != '\0'; }
    }
    for (const Count& count : counts) {
        if (const char* value = behind(word, count.name)) {
            const bool negative = *value == '-';
            if (negative) { ++value; }
            *count.value = digits(value);
            if (*count.value < 0 || *value != '\0') { return false; }
            if (negative) { *count.value = -*count.value; }
            return true;
        }
    }
    if (const char* value = behind(word, "victims=")) { return parse_victims(options, value); }
    return false;
}

/// A file of the lease directory that later is only overwritten; open, or -errno.
Number record_file(const Options& options, const char* name, const char* text) {
    if (!note(options, name, text)) { return -1; }
    Path path;
    path.add(options.directory).add("/").add(name);
    return call(SYS_open, at(path.text), O_RDWR | O_CLOEXEC);
}

int hold(int count, char** words) {
    const Number memory =
        call(SYS_mmap, 0, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
    if (memory < 0) { return 2; }
    Keeper keeper;
    keeper.shared = new (reinterpret_cast<void*>(memory)) Shared;  // NOLINT: a system call's answer
    Options& options = keeper.shared->options;
    options.kind = words[2];
    options.directory = words[3];
    const Number ttl = number_in(words[4]);
    const Number longest = number_in(words[5]);
    for (int i = 6; i < count; ++i) {
        if (!parse_option(options, words[i])) {
            say(2, "holder: an option is not understood\n");
            return 2;
        }
    }
    const Number now = clock_now(CLOCK_BOOTTIME);
    if (ttl <= 0 || longest <= 0) { return 2; }
    keeper.latest = now + longest * centisecond;
    keeper.shared->until = now + ttl * centisecond;
    Line<32> until;
    // Wide enough for each later time, so that a renewal is one write of the same length.
    for (Number digit = 1'000'000'000'000; digit > now / centisecond + ttl; digit /= 10) {
        until.add("0");
    }
    until.add(now / centisecond + ttl).add("\n");
    keeper.until = record_file(options, "until", until.text);
    keeper.record = record_file(options, "holder", "");
    if (record_file(options, "undone", "no \n") < 0 || keeper.until < 0 || keeper.record < 0) {
        say(2, "holder: the lease directory cannot be written\n");
        return 1;
    }
    const Number child = split_off();
    if (child == 0) { become_keeper(keeper); }
    if (child < 0) {
        say(2, "holder: no process can be made\n");
        return 1;
    }
    while (keeper.shared->stage == filling && clock_now(CLOCK_BOOTTIME) < now + answer_within &&
           call(SYS_wait4, child, 0, WNOHANG, 0) == 0) {
        pause_for(2 * centisecond);
    }
    const bool good = keeper.shared->stage != failed && keeper.shared->stage != lost;
    say(good ? 1 : 2, keeper.shared->said.text);
    say(good ? 1 : 2, "\n");
    return good ? 0 : 1;
}

}  // namespace

void check_time(const Shared& shared) {
    if (clock_now(CLOCK_BOOTTIME) < shared.until && (parent == 0 || call(SYS_getppid) == parent)) {
        return;
    }
    if (shared.options.victims > 0) { restore_limits(shared.options); }
    leave(0);
}

void end_with_parent() {
    parent = call(SYS_getppid);
    call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
}

bool note(const Options& options, const char* name, const char* text) {
    Path path;
    path.add(options.directory).add("/").add(name);
    return write_file(path.text, text, O_CREAT | O_TRUNC) >= 0;
}

void give_up(Shared& shared, const char* why, Number number) {
    shared.said = {};
    shared.said.add(why);
    if (number != 0) { shared.said.add(number); }
    shared.stage = failed;
    leave(1);
}

void add_size(Line<200>& line, Number bytes) {
    if (bytes >= 10 * mebibyte) {
        line.add(bytes / mebibyte).add(" MiB");
    } else {
        line.add(bytes / 1024).add(" KiB");
    }
}

/// After the kernel has put argc and argv on the stack.
extern "C" [[noreturn]] [[gnu::used]] void drill_holder(const Number* stack) {
    const int count = static_cast<int>(stack[0]);
    char** words = reinterpret_cast<char**>(const_cast<Number*>(stack + 1));
    if (count >= 6 && same_text(words[1], "hold")) { leave(hold(count, words)); }
    if (count == 3 && same_text(words[1], "restore")) {
        leave(restore_from_file(words[2]) ? 0 : 1);
    }
    say(2,
        "usage: holder hold KIND DIRECTORY TTL_CS LONGEST_CS OPTION=VALUE..\n"
        "       holder restore DIRECTORY\n");
    leave(2);
}

__asm__(
    ".globl _start\n_start:\n  xor %ebp, %ebp\n  mov %rsp, %rdi\n  and $-16, %rsp\n"
    "  call drill_holder\n");

// What a compiler may call without being asked.
extern "C" [[gnu::used]] void* memset(void* to, int value, std::size_t size) {
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
    return to;
}
extern "C" [[gnu::used]] void* memcpy(void* to, const void* from, std::size_t size) {
    void* begin = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
    return begin;
}

}  // namespace drill::holder
