// What several verbs share: finding and loading files, the state directory, planning against
// live hosts, signals. Must not: hold policy of one verb. Next: cmd_run.cpp.
#pragma once

#include "cli/console.hpp"
#include "cli/fleet.hpp"
#include "model/definition.hpp"
#include "model/plan.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace drill::cli {

/// Exit codes beside those of Verdict (model/outcome.hpp).
inline constexpr int exit_ok = 0;
inline constexpr int exit_usage = 2;
inline constexpr int exit_refused = 3;
inline constexpr int exit_halted = 4;
inline constexpr int exit_dirty = 6;
inline constexpr int exit_internal = 70;

/// For verbs that only read: a ledger of another version or place is no fault of this program.
[[nodiscard]] inline int unreadable(const Error& error) {
    const bool ours = error.code == Code::internal;
    return ours ? exit_internal : exit_usage;
}

/// --state, $DRILL_STATE, $STATE_DIRECTORY, /var/lib/drill for root, else below XDG_STATE_HOME.
[[nodiscard]] std::string state_directory(const Globals& globals);

/// Loads and shows what is wrong; empty after an error was shown.
[[nodiscard]] std::optional<Catalog> open_catalog(const Globals& globals);
[[nodiscard]] std::optional<Experiment> open_experiment(const std::string& path,
                                                        const Catalog& catalog);

/// True when the file begins with '{', as plans do and experiments do not.
[[nodiscard]] bool is_plan_file(const std::string& path);

/// The host of the catalog with this name; a message, with the nearest name, when there is none.
[[nodiscard]] const CatalogHost* find_host(const Catalog& catalog, const std::string& name);

/// What was planned against live hosts, with what they said.
struct Planned {
    Plan plan;
    std::map<std::string, HostState> hosts;
    std::string definition_bytes, catalog_bytes;
};
/// FILE is an experiment or a plan (begins with '{'). A plan is planned again; when that gives
/// another hash, the difference is shown and it is refused. On failure `exit` is set and the
/// reason shown. Read-only on the targets.
[[nodiscard]] std::optional<Planned> plan_live(const Globals& globals, Fleet& fleet,
                                               const std::string& file,
                                               std::optional<std::uint64_t> seed, int& exit);

/// Turns signals into stop requests: the first is a halt, the second prints `remaining`, a third
/// within five seconds of the second leaves everything to the dead men (exit 6). ^Z is refused.
/// Construct before any other thread is made.
class Signals {
public:
    Signals();
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;
    /// From now on stop requests go to `mailbox`; `remaining` is called on the signal's thread.
    void listen(Mailbox& mailbox, std::function<std::string()> remaining);

private:
    void serve(const std::stop_token& stop);
    int fd_{-1};
    std::mutex mutex_;
    Mailbox* mailbox_{nullptr};
    std::function<std::string()> remaining_;
    std::jthread thread_;
};

/// "kim (root)": SUDO_USER beside the user, for labels and the ledger.
[[nodiscard]] std::map<std::string, std::string> who_runs();
[[nodiscard]] std::string short_name(const std::map<std::string, std::string>& who);

}  // namespace drill::cli
