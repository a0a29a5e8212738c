// See runner.hpp.
#include "faults/runner.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

namespace drill::test {

namespace fs = std::filesystem;

bool is_root() { return geteuid() == 0; }

bool has_program(const std::string& name) {
    for (const char* folder : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"}) {
        if (access((folder + name).c_str(), X_OK) == 0) { return true; }
    }
    return false;
}

std::string make_directory() {
    std::string path = "/tmp/drl-faults-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) { std::abort(); }  // also called after the last test
    return path;
}

void remove_directory(const std::string& directory) {
    std::error_code ignored;
    fs::remove_all(directory, ignored);
}

namespace {

/// A PATH in which `sh` is the shell asked for; with busybox only its applets and nft and ip.
std::string path_for(const std::string& shell) {
    static const std::string root = [] {
        const std::string made = make_directory();
        static const std::string kept = made;
        std::atexit([] { remove_directory(kept); });
        return made;
    }();
    const std::string folder = root + "/" + shell;
    if (!fs::exists(folder)) {
        fs::create_directory(folder);
        if (shell == "busybox") {
            for (const char* applet :
                 {"sh", "cat", "tr", "grep", "rm", "sleep", "ip", "ping", "timeout", "test", "true",
                  "base64", "sha256sum", "mkdir", "mv", "chmod", "df", "uname", "id"}) {
                fs::create_symlink("/usr/bin/busybox", folder + "/" + applet);
            }
            fs::create_symlink("/usr/sbin/nft", folder + "/nft");
        } else {
            fs::create_symlink("/usr/bin/" + shell, folder + "/sh");
        }
    }
    return shell == "busybox" ? folder : folder + ":/usr/sbin:/usr/bin:/sbin:/bin";
}

std::string text_of_file(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> all;
    for (std::string& word : words) { all.push_back(word.data()); }
    all.push_back(nullptr);
    return all;
}

int wait_for(pid_t pid) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    for (;;) {
        int status = 0;
        if (waitpid(pid, &status, WNOHANG) == pid) {
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        if (std::chrono::steady_clock::now() > deadline) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return 124;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
}

}  // namespace

CommandReply run(const Exec& exec, const Place& place) {
    const std::string files = make_directory();
    std::ofstream(files + "/in", std::ios::binary) << exec.input;
    std::vector<std::string> argv = exec.argv;
    std::vector<std::string> environment{"PATH=" + path_for(place.shell), "LC_ALL=C"};
    const std::vector<char*> argv_pointers = pointers(argv);
    std::vector<char*> environment_pointers = pointers(environment);
    const std::string directory = place.directory.empty() ? "/" : place.directory;
    const int netns = place.netns.empty()
                          ? -1
                          : open(("/run/netns/" + place.netns).c_str(), O_RDONLY | O_CLOEXEC);
    const int in = open((files + "/in").c_str(), O_RDONLY | O_CLOEXEC);
    const int out = open((files + "/out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const int err = open((files + "/err").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const pid_t pid = fork();
    if (pid == 0) {
        if (netns >= 0 && setns(netns, CLONE_NEWNET) != 0) { _exit(125); }
        if (chdir(directory.c_str()) != 0) { _exit(125); }
        dup2(in, 0);
        dup2(out, 1);
        dup2(err, 2);
        environ = environment_pointers.data();
        execvp(argv_pointers[0], argv_pointers.data());
        _exit(127);
    }
    const int status = wait_for(pid);
    for (const int descriptor : {netns, in, out, err}) {
        if (descriptor >= 0) { close(descriptor); }
    }
    CommandReply reply{status, text_of_file(files + "/out"), text_of_file(files + "/err")};
    remove_directory(files);
    return reply;
}

std::vector<CommandReply> run_all(const std::vector<Exec>& execs, const Place& place) {
    std::vector<CommandReply> replies;
    for (const Exec& exec : execs) { replies.push_back(run(exec, place)); }
    return replies;
}

int status_of(const std::vector<Exec>& execs, const Place& place) {
    for (const Exec& exec : execs) {
        const CommandReply reply = run(exec, place);
        if (reply.status != 0) { return reply.status; }
    }
    return 0;
}

Presence presence(const Change& change, const Place& place) {
    return presence_of(run_all(change.read_back, place), 0);
}

Process::Process(std::vector<std::string> argv) {
    const std::vector<char*> words = pointers(argv);
    pid_ = fork();
    if (pid_ == 0) {
        const int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execv(words[0], words.data());
        _exit(127);
    }
    // The name is the new one only after the exec: wait for it, bounded.
    for (int i = 0; i < 2000; ++i) {
        if (text_of_file("/proc/" + name() + "/cmdline").find(argv.back()) != std::string::npos) {
            break;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
}

void Process::end() {
    if (pid_ <= 0) { return; }
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
}

namespace {
std::vector<std::string> fields_of(pid_t pid) {
    const std::string text = text_of_file("/proc/" + std::to_string(pid) + "/stat");
    const std::size_t close_at = text.rfind(") ");
    std::vector<std::string> fields;
    if (close_at == std::string::npos) { return fields; }
    std::istringstream rest(text.substr(close_at + 2));
    for (std::string word; rest >> word;) { fields.push_back(word); }
    return fields;
}
}  // namespace

char Process::state() const {
    const std::vector<std::string> fields = fields_of(pid_);
    return fields.empty() ? '-' : fields[0][0];
}

std::string Process::start() const {
    const std::vector<std::string> fields = fields_of(pid_);
    return fields.size() < 20 ? "" : fields[19];
}

bool Process::becomes(char wanted) const {
    for (int i = 0; i < 500; ++i) {
        if (state() == wanted) { return true; }
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return false;
}

}  // namespace drill::test
