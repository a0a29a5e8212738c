// A target made of a real shell and a directory of its own: what an envelope does here it does
// on a host. Boot id and uptime are files, so that tests can move time without waiting for it.
// Must not: touch anything outside of its directory. Read next: scenarios.hpp.
#pragma once

#include "envelope/scenarios.hpp"
#include "transport/envelope.hpp"

#include <sys/types.h>
#include <memory>

namespace drill {

/// "dash", "bash", or "busybox" (there with a PATH of applets only).
inline constexpr std::string_view shells[]{"dash", "bash", "busybox"};

/// What a shell that was handed a script left behind.
struct Ran {
    int status{-1};  ///< exit status, or -signal
    std::string out, err;
    double milliseconds{0};
};

class RealTarget : public scenarios::Target {
public:
    explicit RealTarget(std::string_view shell);
    ~RealTarget() override;  ///< ends guards and removes the directory

    Result<Reply> call(const Envelope& envelope) override;
    void begin(const Envelope& envelope) override;
    bool effect_present() override;
    std::string boot_id() override;
    Nanos uptime() override;
    void pass_time(Nanos span) override;
    void reboot() override;
    void create_stop_file() override;
    void deny(std::string_view line) override;
    void kill_guard() override;
    Exec effect() const override;
    Exec lift() const override;
    Exec look() const override;
    Exec failing() const override;
    Exec endless() const override;

    /// Runs a script on standard input of the shell, in a session of its own; 30 s at most.
    Ran run(std::string_view script);
    /// The same without waiting; the pid is that of the session.
    pid_t start(std::string_view script);
    Ran finish(pid_t pid);

    std::string directory;  ///< everything of this target
    std::string shell;
    EnvelopePlaces places;
    std::vector<std::string> before;  ///< words put in front of the shell, e.g. strace

private:
    [[nodiscard]] std::vector<std::string> command() const;
    void settle();  ///< waits until guards that are due are over
    std::vector<pid_t> begun_;
    int runs_{0};
};

/// Polls for at most `seconds`; true as soon as the condition holds.
template <class Condition>
bool within(double seconds, Condition holds);

[[nodiscard]] std::string file_text(const std::string& path);
void write_file(const std::string& path, std::string_view text);
/// Fields of the youngest `guard.<n>` file: state, main, its start, timer, its start, deadline.
[[nodiscard]] std::vector<std::string> guard_fields(const std::string& lease_directory);
/// Living processes (no zombies) whose command line holds the text.
[[nodiscard]] std::vector<pid_t> processes_with(std::string_view text);

}  // namespace drill

#include <chrono>
#include <thread>

template <class Condition>
bool drill::within(double seconds, Condition holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (!holds()) {
        if (std::chrono::steady_clock::now() > end) { return false; }
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return true;
}
