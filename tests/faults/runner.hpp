// Carries composed commands out as the envelope would: environment, directory, root, one shell.
// Must not: be used outside of tests. Next: fabric.hpp, the network they run in.
#pragma once

#include "model/change.hpp"

#include <sys/types.h>
#include <string>
#include <vector>

namespace drill::test {

/// Where and how commands run.
struct Place {
    std::string shell{"dash"};  ///< dash, bash or busybox: what `sh` is; busybox: nothing else
    std::string directory;      ///< lease directory, made by make_directory
    std::string netns;          ///< name, "" = the caller's
};

[[nodiscard]] bool is_root();
[[nodiscard]] bool has_program(const std::string& name);

/// A new directory below /tmp; removed with remove_directory.
[[nodiscard]] std::string make_directory();
void remove_directory(const std::string& directory);

/// Runs one command to its end, at most 20 s (then status 124).
[[nodiscard]] CommandReply run(const Exec& exec, const Place& place);
/// All of them; stops at the first failure where `all` is not asked.
[[nodiscard]] std::vector<CommandReply> run_all(const std::vector<Exec>& execs, const Place& place);
/// The status of the last one, 0 when all were good.
[[nodiscard]] int status_of(const std::vector<Exec>& execs, const Place& place);
[[nodiscard]] Presence presence(const Change& change, const Place& place);

/// A process of our own; ended and reaped by end().
class Process {
public:
    explicit Process(std::vector<std::string> argv);
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process() { end(); }
    void end();
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] std::string name() const { return std::to_string(pid_); }
    /// 'R', 'S', 'T', 'Z' ... or '-' when it is gone.
    [[nodiscard]] char state() const;
    [[nodiscard]] std::string start() const;
    /// Waits, at most 5 s, until the state is `wanted`.
    [[nodiscard]] bool becomes(char wanted) const;

private:
    pid_t pid_{0};
};

}  // namespace drill::test
