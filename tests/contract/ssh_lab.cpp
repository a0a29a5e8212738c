// Namespaces, users, keys and SSH servers for the tests of the carriers.
// Must not: touch anything outside of its namespaces. Read next: ssh_lab.hpp.
#include "ssh_lab.hpp"

#include "base/text.hpp"
#include "transport/clock.hpp"
#include "transport/local.hpp"
#include "transport/tcp.hpp"
#include "transport/wait.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace drill::lab {

using namespace std::chrono_literals;

namespace {

void must(bool done, const char* what) {
    if (done) { return; }
    std::fprintf(stderr, "test_contract: %s: %s (needs root)\n", what, std::strerror(errno));
    std::_Exit(1);
}

void loopback_up() {
    const Fd fd{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    must(::ioctl(fd.get(), SIOCGIFFLAGS, &request) == 0, "loopback");
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    must(::ioctl(fd.get(), SIOCSIFFLAGS, &request) == 0, "loopback");
}

void cover(const std::string& file, const std::string& text, unsigned int mode) {
    const std::string copy = directory + "/etc-" + std::filesystem::path(file).filename().string();
    spill(copy, text);
    must(::chmod(copy.c_str(), mode) == 0, "mode");
    must(::mount(copy.c_str(), file.c_str(), nullptr, MS_BIND, nullptr) == 0, file.c_str());
}

std::vector<pid_t> children_of(pid_t parent) {
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const pid_t pid = std::atoi(entry.path().filename().c_str());
        if (pid <= 0) { continue; }
        const std::string stat = slurp(entry.path().string() + "/stat");
        const std::size_t name_end = stat.rfind(')');
        if (name_end == std::string::npos) { continue; }
        if (std::atoi(stat.c_str() + name_end + 4) == parent) { found.push_back(pid); }
    }
    return found;
}

void end_tree(pid_t pid) {
    // Stopped first, so that it starts no more children while they are looked for.
    ::kill(pid, SIGSTOP);
    for (const pid_t child : children_of(pid)) { end_tree(child); }
    ::kill(pid, SIGKILL);
}

/// Programs outlive the sessions that started them, as they do on any host. Here they come back to
/// us and end with us.
void end_children() {
    for (const pid_t child : children_of(::getpid())) { end_tree(child); }
}

bool enter() {
    must(::unshare(CLONE_NEWNET | CLONE_NEWNS) == 0, "unshare");
    must(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "private mounts");
    must(::mount("drl", "/run", "tmpfs", 0, "mode=755") == 0, "tmpfs on /run");
    must(::mount("drl", "/root", "tmpfs", 0, "mode=700") == 0, "tmpfs on /root");
    must(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "subreaper");
    std::atexit(end_children);
    loopback_up();
    std::filesystem::create_directories(directory);
    // What is made new below /etc lies in our tmpfs.
    std::filesystem::create_directories(directory + "/etc.new");
    std::filesystem::create_directories(directory + "/etc.work");
    must(::mount(
             "drl", "/etc", "overlay", 0,
             ("lowerdir=/etc,upperdir=" + directory + "/etc.new,workdir=" + directory + "/etc.work")
                 .c_str()) == 0,
         "overlay on /etc");
    std::filesystem::create_directories("/run/sshd");
    std::filesystem::create_directories("/root/.ssh");
    cover("/etc/passwd",
          slurp("/etc/passwd") +
              "plain:x:4001:4001::/tmp:/bin/sh\nadmin:x:4002:4002::/tmp:/bin/sh\n"
              "asked:x:4003:4003::/tmp:/bin/sh\n",
          0644);
    // The password of `asked` is sudo_password, as `openssl passwd -6` writes it.
    cover("/etc/shadow",
          slurp("/etc/shadow") +
              "plain:*:19000:0:99999:7:::\nadmin:*:19000:0:99999:7:::\n"
              "asked:$6$abcdefgh$xipHhw9/NU1ASPvh9yHqieZTU/wnHyMSOZS8m4xkh3DunUWS9aWU6YyGCVH6."
              "orJUrRcjNuTwSSMmBOVdkdOl0:19000:0:99999:7:::\n",
          0640);
    cover("/etc/group", slurp("/etc/group") + "plain:x:4001:\nadmin:x:4002:\nasked:x:4003:\n",
          0644);
    // use_pty is Debian's default; the log is what a fan-out with a wrong password would fill.
    cover("/etc/sudoers",
          "Defaults use_pty, !syslog, logfile=" + sudo_log +
              "\nroot ALL=(ALL:ALL) ALL\n"
              "admin ALL=(root) NOPASSWD: ALL\nasked ALL=(root) PASSWD: /bin/sh -c *\n",
          0440);
    spill("/etc/doas.conf", "permit nopass admin as root\npermit asked as root\n");
    must(::chmod("/etc/doas.conf", 0644) == 0, "mode");
    return true;
}

// Before main(), while there is one thread: a mount namespace cannot be entered later.
const bool entered = enter();

HostKey make_key(const std::string& type, const std::string& file, const std::string& passphrase) {
    std::vector<std::string> argv{"ssh-keygen", "-q", "-t", type, "-N", passphrase, "-f", file};
    if (type == "rsa") { argv.insert(argv.end(), {"-b", "2048"}); }
    run(argv);
    const std::vector<std::string> word = split(slurp(file + ".pub"), ' ');
    return {.type = word.at(0), .blob = word.at(1)};
}

bool make_user_keys() {
    std::string all;
    for (const std::string name : {"ed25519", "rsa", "ecdsa", "encrypted", "stranger"}) {
        const bool odd = name == "encrypted" || name == "stranger";
        const HostKey made = make_key(odd ? "ed25519" : name, directory + "/id_" + name,
                                      name == "encrypted" ? "secret" : "");
        if (name != "stranger") { all += made.type + " " + made.blob + "\n"; }
    }
    spill(directory + "/authorized_keys", all);
    spill("/root/.ssh/authorized_keys", all);  // where dropbear looks
    must(::chmod("/root/.ssh/authorized_keys", 0600) == 0, "mode");
    return true;
}

std::string config(const ServerOptions& options, const std::string& host_key) {
    return "HostKey " + host_key + "\nListenAddress " + options.address + "\nPort " +
           std::to_string(options.port) + "\nAuthorizedKeysFile " + directory +
           "/authorized_keys\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
           "KbdInteractiveAuthentication no\nUsePAM no\nUseDNS no\nPrintMotd no\n"
           "PrintLastLog no\nStrictModes no\nPidFile none\n" +
           options.extra;
}

void start_program(const std::vector<std::string>& argv, const std::string& log, pid_t& pid) {
    std::vector<char*> pointers;
    for (const std::string& word : argv) { pointers.push_back(const_cast<char*>(word.c_str())); }
    pointers.push_back(nullptr);
    pid = ::fork();
    if (pid != 0) { return; }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, 0);
    ::dup2(fd, 1);
    ::dup2(fd, 2);
    ::execv(pointers[0], pointers.data());
    ::_exit(127);
}

}  // namespace

std::string key(const std::string& name) {
    [[maybe_unused]] static const bool made = make_user_keys();
    return directory + "/id_" + name;
}

Server::Server(ServerOptions options) : options_(std::move(options)) {
    [[maybe_unused]] const std::string user_key = key("ed25519");
    const std::string stem = fresh_name("server");
    const std::string host_key = stem + ".key";
    std::vector<std::string> argv;
    if (options_.dropbear) {
        run({"dropbearkey", "-t", options_.type, "-f", host_key});
        const std::string shown = run({"dropbearkey", "-y", "-f", host_key});
        const std::size_t begin = shown.find("ssh-");
        const std::vector<std::string> word = split(shown.substr(begin), ' ');
        key_ = {.type = word.at(0), .blob = word.at(1)};
        argv = {"/usr/sbin/dropbear",
                "-F",
                "-E",
                "-s",
                "-r",
                host_key,
                "-P",
                stem + ".pid",
                "-p",
                options_.address + ":" + std::to_string(options_.port)};
    } else {
        key_ = make_key(options_.type, host_key, "");
        spill(stem + ".conf", config(options_, host_key));
        argv = {"/usr/sbin/sshd", "-D", "-e", "-f", stem + ".conf"};
    }
    known_hosts_ = stem + ".known_hosts";
    spill(known_hosts_,
          known_name(options_.address, options_.port) + " " + key_.type + " " + key_.blob + "\n");
    log_ = stem + ".log";
    start_program(argv, log_, pid_);
    for (int i = 0; i < 500; ++i) {
        Wait wait(boot_now() + 5s, {});
        if (connect_tcp(options_.address, options_.port, 1s, wait)) { return; }
        std::this_thread::sleep_for(20ms);
    }
    FAIL("no server: " << log());
}

Server::~Server() {
    end_tree(pid_);
    ::waitpid(pid_, nullptr, 0);
}

Connection Server::connection(const std::string& user) const {
    return {.host = "h" + options_.address,
            .address = options_.address,
            .port = options_.port,
            .user = user,
            .key_file = key("ed25519"),
            .known_hosts = known_hosts_};
}

std::string Server::log() const { return slurp(log_); }

Server& plain() {
    static Server server({.address = "127.0.1.1"});
    return server;
}
Server& bastion() {
    static Server server({.address = "127.0.1.2", .port = 2222, .extra = "MaxSessions 20\n"});
    return server;
}
Server& inner() {
    static Server server({.address = "127.0.1.3"});
    return server;
}
Server& dropbear() {
    static Server server({.address = "127.0.1.4", .dropbear = true});
    return server;
}

std::string run(const std::vector<std::string>& argv) {
    const auto local = make_local(Connection{.host = "here", .transport = "local"});
    const auto reply = perform(*local, argv);
    must(reply && reply->status == 0,
         (argv[0] + ": " + (reply ? reply->err : reply.error().message)).c_str());
    return reply->out;
}

void spill(const std::string& file, const std::string& text) { std::ofstream(file) << text; }

std::string slurp(const std::string& file) {
    std::ifstream in(file);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

std::string fresh_name(const std::string& stem) {
    static std::atomic<int> number{0};
    return directory + "/" + stem + std::to_string(++number);
}

std::string await_text(const std::string& file) {
    for (int i = 0; i < 2000; ++i) {
        const std::string text = slurp(file);
        if (text.ends_with('\n')) { return text.substr(0, text.size() - 1); }
        std::this_thread::sleep_for(10ms);
    }
    FAIL("no text in " << file);
    return {};
}

void await_gone(pid_t pid) {
    for (int i = 0; i < 2000; ++i) {
        const std::string stat = slurp("/proc/" + std::to_string(pid) + "/stat");
        // A zombie has let go of its sockets.
        if (stat.empty() || stat.find(") Z ") != std::string::npos) { return; }
        std::this_thread::sleep_for(10ms);
    }
    FAIL("process " << pid << " does not end");
}

Result<Reply> perform(Carrier& carrier, const std::vector<std::string>& argv, std::string input) {
    return carrier.perform(Exec{.argv = argv, .input = std::move(input)}, boot_now() + 20s, {});
}

}  // namespace drill::lab
