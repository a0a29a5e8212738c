// See real_target.hpp. Processes are started by posix_spawn, as several tests run at a time.
#include "envelope/real_target.hpp"

#include "base/text.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <atomic>
#include <cctype>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace fs = std::filesystem;

namespace drill {
namespace {

constexpr std::string_view busybox = "/usr/bin/busybox";

std::string new_directory() {
    static std::atomic<int> count{0};
    const std::string path =
        "/tmp/drl" + std::to_string(::getpid()) + "-" + std::to_string(++count);
    fs::create_directory(path);
    fs::permissions(path, fs::perms::owner_all);
    return path;
}

pid_t spawn(const std::vector<std::string>& argv, const std::string& base,
            const std::vector<std::string>& environment) {
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, (base + ".in").c_str(), O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, (base + ".out").c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&files, 2, (base + ".err").c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    const auto pointers = [](const std::vector<std::string>& list) {
        std::vector<char*> all;
        for (const std::string& one : list) { all.push_back(const_cast<char*>(one.c_str())); }
        all.push_back(nullptr);
        return all;
    };
    pid_t pid = -1;
    const int problem = posix_spawnp(&pid, argv.front().c_str(), &files, &attributes,
                                     pointers(argv).data(), pointers(environment).data());
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return problem == 0 ? pid : -1;
}

std::vector<std::string> first_line_fields(const std::string& path) {
    const std::string text = file_text(path);
    return split(text.substr(0, text.find('\n')), ' ');
}

bool gone_or_zombie(pid_t pid) {
    const std::string text = file_text("/proc/" + std::to_string(pid) + "/stat");
    const std::size_t at = text.rfind(") ");
    return at == std::string::npos || text[at + 2] == 'Z' || text[at + 2] == 'X';
}

}  // namespace

std::string file_text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

void write_file(const std::string& path, std::string_view text) {
    const std::string fresh = path + ".new";
    {
        std::ofstream file(fresh, std::ios::binary);
        file << text;
    }
    fs::rename(fresh, path);  // a reader sees the old or the new text
}

std::vector<std::string> guard_fields(const std::string& lease_directory) {
    int newest = 0;
    std::error_code problem;
    for (const auto& entry : fs::directory_iterator(lease_directory, problem)) {
        const std::string name = entry.path().filename();
        if (name.starts_with("guard.")) { newest = std::max(newest, std::atoi(name.c_str() + 6)); }
    }
    return first_line_fields(lease_directory + "/guard." + std::to_string(newest));
}

std::vector<pid_t> processes_with(std::string_view text) {
    std::vector<pid_t> found;
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        if (std::isdigit(static_cast<unsigned char>(name.front())) == 0) { continue; }
        const std::string line = file_text(entry.path() / "cmdline");
        const pid_t pid = std::atoi(name.c_str());
        if (line.find(text) != std::string::npos && !gone_or_zombie(pid)) { found.push_back(pid); }
    }
    return found;
}

RealTarget::RealTarget(std::string_view shell_name)
    : directory(new_directory()), shell(shell_name) {
    places.run = directory + "/run";
    places.durable = directory + "/durable";
    places.deny = directory + "/deny";
    places.boot_id = directory + "/boot_id";
    places.uptime = directory + "/uptime";
    places.shell = shell == "busybox" ? "busybox sh" : shell;
    if (shell == "busybox") {
        places.path = directory + "/applets";
        fs::create_directory(places.path);
        for (const char* applet :
             {"busybox", "sh", "sleep", "mkfifo", "setsid", "cat", "mkdir", "rm", "rmdir", "touch",
              "tr", "true", "false", "printf", "sync", "od", "wc", "env"}) {
            fs::create_symlink(busybox, fs::path(places.path) / applet);
        }
    }
    write_file(places.boot_id, "11111111-0000-4000-8000-" + std::to_string(::getpid()) + "\n");
    write_file(places.uptime, "1000.00 1.00\n");
}

RealTarget::~RealTarget() {
    std::error_code problem;
    fs::create_directory(places.run, problem);
    write_file(places.run + "/stop", "");
    for (const pid_t pid : begun_) {
        ::kill(-pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    if (!within(3, [&] { return processes_with(directory).empty(); })) {
        for (const pid_t pid : processes_with(directory)) { ::kill(pid, SIGKILL); }
    }
    for (int i = 0; i < 50 && fs::exists(directory); ++i) { fs::remove_all(directory, problem); }
}

std::vector<std::string> RealTarget::command() const {
    std::vector<std::string> argv = before;
    if (shell == "busybox") {
        argv.insert(argv.end(), {std::string(busybox), "sh"});
    } else {
        argv.push_back(shell);
    }
    argv.insert(argv.end(), {"-s", "--", "192.0.2.1 5000 192.0.2.2 22"});
    return argv;
}

pid_t RealTarget::start(std::string_view script) {
    const std::string path = shell == "busybox" ? places.path : "/usr/sbin:/usr/bin:/sbin:/bin";
    const std::string base = directory + "/call" + std::to_string(++runs_);
    write_file(base + ".in", script);
    const pid_t pid = spawn(command(), base, {"PATH=" + path, "HOME=/"});
    if (pid > 0) { fs::create_symlink(base, directory + "/of" + std::to_string(pid)); }
    return pid;
}

Ran RealTarget::finish(pid_t pid) {
    Ran ran;
    const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    pollfd wait{descriptor, POLLIN, 0};
    constexpr int longest_ms = 30'000;
    if (::poll(&wait, 1, longest_ms) != 1) { ::kill(-pid, SIGKILL); }
    ::close(descriptor);
    int status = 0;
    ::waitpid(pid, &status, 0);
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    const std::string link = directory + "/of" + std::to_string(pid);
    const std::string base = fs::read_symlink(link);
    fs::remove(link);
    ran.out = file_text(base + ".out");
    ran.err = file_text(base + ".err");
    return ran;
}

Ran RealTarget::run(std::string_view script) {
    const auto begin_at = std::chrono::steady_clock::now();
    const pid_t pid = start(script);
    if (pid < 0) { return {}; }
    Ran ran = finish(pid);
    ran.milliseconds =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin_at)
            .count();
    return ran;
}

Result<Reply> RealTarget::call(const Envelope& envelope) {
    const Ran ran = run(render_envelope(envelope, places));
    return parse_envelope(envelope, ran.out, ran.err, false);
}

void RealTarget::begin(const Envelope& envelope) {
    const std::string lease = lease_directory(envelope.lease, envelope.durable, places);
    begun_.push_back(start(render_envelope(envelope, places)));
    const std::string last = "/out." + std::to_string(envelope.commands.size());
    within(5, [&] { return fs::exists(lease + last); });
}

bool RealTarget::effect_present() { return fs::exists(directory + "/effect"); }
std::string RealTarget::boot_id() { return std::string(trim(file_text(places.boot_id))); }

Nanos RealTarget::uptime() {
    return Nanos{static_cast<Nanos::rep>(std::atof(file_text(places.uptime).c_str()) * 1e9)};
}

void RealTarget::pass_time(Nanos span) {
    const auto hundredths = (uptime() + span).count() / 10'000'000;
    const std::string rest = std::to_string(100 + hundredths % 100).substr(1);
    write_file(places.uptime, std::to_string(hundredths / 100) + "." + rest + " 1.00\n");
    settle();
}

void RealTarget::settle() {
    const bool stop = fs::exists(places.run + "/stop");
    const auto now = uptime().count() / 10'000'000;
    const auto pending = [&](const std::string& guard_file) {
        const auto fields = first_line_fields(guard_file);
        if (fields.size() < 6 || fields[0] == "ended") { return false; }
        const bool main_over = gone_or_zombie(std::atoi(fields[1].c_str()));
        const bool timer_over = gone_or_zombie(std::atoi(fields[3].c_str()));
        if (main_over && (timer_over || fields[0] == "fired")) { return false; }
        return stop || std::atoll(fields[5].c_str()) < now;
    };
    within(5, [&] {
        std::error_code problem;
        for (const auto& entry : fs::recursive_directory_iterator(places.run, problem)) {
            const bool guard = entry.path().filename().string().starts_with("guard.");
            if (guard && pending(entry.path())) { return false; }
        }
        return true;
    });
    // With main killed its workers fire by themselves, and nothing tells when they are done.
    within(0.5, [&] { return processes_with(directory + "/run").empty(); });
}

void RealTarget::reboot() {
    for (const pid_t pid : processes_with(directory + "/run")) { ::kill(pid, SIGKILL); }
    within(3, [&] { return processes_with(directory + "/run").empty(); });
    fs::remove_all(places.run);
    fs::remove(directory + "/effect");
    write_file(places.boot_id, "22222222-0000-4000-8000-000000000000\n");
    write_file(places.uptime, "3.00 1.00\n");
}

void RealTarget::create_stop_file() {
    fs::create_directory(places.run);
    write_file(places.run + "/stop", "");
    settle();
}

void RealTarget::deny(std::string_view line) {
    std::ofstream(places.deny, std::ios::app) << line << "\n";
}

void RealTarget::kill_guard() {
    for (const auto& entry : fs::directory_iterator(places.run)) {
        const auto fields = guard_fields(entry.path());
        if (fields.size() < 6) { continue; }
        const pid_t pid = std::atoi(fields[1].c_str());
        ::kill(pid, SIGKILL);
        within(3, [&] { return gone_or_zombie(pid); });
    }
}

Exec RealTarget::effect() const { return {{"touch", directory + "/effect"}, ""}; }
Exec RealTarget::lift() const { return {{"rm", "-f", directory + "/effect"}, ""}; }
Exec RealTarget::look() const {
    return {{"sh", "-c", "[ ! -e \"$1\" ] || exit 10", "look", directory + "/effect"}, ""};
}
Exec RealTarget::failing() const { return {{"false"}, ""}; }
Exec RealTarget::endless() const { return {{"sleep", "1000"}, ""}; }

}  // namespace drill
