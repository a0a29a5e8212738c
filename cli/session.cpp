// See session.hpp.
#include "cli/session.hpp"

#include "base/ids.hpp"
#include "base/text.hpp"
#include "cli/credentials.hpp"
#include "cli/ssh_config_notes.hpp"
#include "config/files.hpp"
#include "config/loader.hpp"
#include "faults/kinds.hpp"
#include "model/json.hpp"
#include "plan/render.hpp"
#include "probes/kinds.hpp"

#include <poll.h>
#include <pwd.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace drill::cli {

namespace {

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

std::optional<std::string> first_character(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) { return std::nullopt; }
    for (char c = 0; in.get(c);) {
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') { return std::string(1, c); }
    }
    return std::string();
}

constexpr std::size_t largest_plan = std::size_t{64} << 20U;  // plan_from_json refuses more

std::string read_all(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::string text(largest_plan + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    return text;
}

void show_reasons(const Planner& planner, const Error& error) {
    if (planner.reasons().empty()) {
        complain(error);
        return;
    }
    for (const std::string& reason : planner.reasons()) { complain(reason); }
}

constexpr std::size_t most_explained = 5;  // hosts of a refused plan

/// What ssh_config says of hosts that were not reached, or not let us in.
void explain_unreached(const std::map<std::string, Connection>& connections,
                       const std::vector<AskAnswer>& answers) {
    std::vector<Tried> failed;
    for (const AskAnswer& answer : answers) {
        const auto to = connections.find(answer.host);
        const bool down = !answer.reply && (answer.reply.error().code == Code::unreachable ||
                                            answer.reply.error().code == Code::auth_failed ||
                                            answer.reply.error().code == Code::host_key);
        if (down && to != connections.end() && failed.size() < most_explained) {
            failed.push_back({to->second, LoginWorks::no});
        }
    }
    if (failed.empty()) { return; }
    for (const auto& [host, notes] : ssh_config_notes(failed)) {
        for (const std::string& note : notes) { progress(note); }
    }
}

/// Both rounds of questions. Empty: `exit` is set and the reason was shown.
std::optional<Plan> ask_and_compose(Fleet& fleet, Planner& planner, int& exit) {
    bool stopped = false;
    const auto refuse = [&](const Error& error) -> std::optional<Plan> {
        show_reasons(planner, error);
        exit = error.code == Code::invalid ? exit_usage : exit_refused;
        progress(exit == exit_refused ? "REFUSED. Nothing was touched." : "Nothing was run.");
        return std::nullopt;
    };
    Result<std::vector<Ask>> first = planner.start();
    if (!first) { return refuse(first.error()); }
    std::map<std::string, Connection> connections;
    for (const Ask& ask : *first) { connections.emplace(ask.host, ask.to); }
    std::vector<AskAnswer> answers = fleet.ask(*std::move(first), stopped);
    if (!stopped) {
        Result<std::vector<Ask>> second = planner.observe(answers);
        if (!second) {
            explain_unreached(connections, answers);
            return refuse(second.error());
        }
        answers = fleet.ask(*std::move(second), stopped);
    }
    if (stopped) {
        progress("Stopped. Nothing was touched.");
        exit = exit_halted;
        return std::nullopt;
    }
    Result<Plan> plan = planner.compose(answers);
    if (!plan) { return refuse(plan.error()); }
    return *std::move(plan);
}

PlannerOptions planner_options(std::uint64_t seed, const std::vector<Connection>& connections) {
    PlannerOptions options{};
    options.seed = seed;
    options.drill_version = DRILL_VERSION;
    options.now = SystemClock{}.now().wall;
    options.credentials = credentials_of(connections);
    return options;
}

std::optional<Planned> plan_again(Fleet& fleet, const std::string& file, int& exit) {
    Result<Plan> approved = plan_from_json(read_all(file));
    if (!approved) {
        complain(file + " is not a plan that can be run: " + approved.error().text() +
                 ". Nothing was touched. Make it again: drill plan EXPERIMENT -o " +
                 shell_quote(file));
        exit = exit_usage;
        return std::nullopt;
    }
    std::vector<Connection> connections;
    for (const auto& [name, host] : approved->hosts) { connections.push_back(host.connection); }
    Planner planner(*approved, fault_kinds(), planner_options(approved->seed, connections));
    std::optional<Plan> plan = ask_and_compose(fleet, planner, exit);
    if (!plan) { return std::nullopt; }
    if (plan->hash != approved->hash) {
        complain("the hosts no longer give the plan that was made (" +
                 approved->hash.substr(0, 12) + "), they give " + plan->hash.substr(0, 12) + ":");
        print(diff_plans(*approved, *plan));
        progress(
            "REFUSED. Nothing was touched. Have a new plan approved: drill plan "
            "EXPERIMENT -o " +
            shell_quote(file));
        exit = exit_refused;
        return std::nullopt;
    }
    return Planned{.plan = *std::move(plan),
                   .hosts = planner.states(),
                   .definition_bytes = "",
                   .catalog_bytes = ""};
}

}  // namespace

std::string state_directory(const Globals& globals) {
    if (!globals.state.empty()) { return absolute_path(globals.state); }
    for (const char* name : {"DRILL_STATE", "STATE_DIRECTORY"}) {
        if (const std::string value = variable(name); !value.empty()) {
            return absolute_path(value);
        }
    }
    if (geteuid() == 0) { return "/var/lib/drill"; }
    if (const std::string state = variable("XDG_STATE_HOME"); !state.empty()) {
        return state + "/drill";
    }
    return home_directory() + "/.local/state/drill";
}

std::optional<Catalog> open_catalog(const Globals& globals) {
    Result<std::string> path = find_catalog(globals.config, absolute_path("."));
    if (!path) {
        complain(path.error());
        return std::nullopt;
    }
    LoadedCatalog loaded = load_catalog(*path);
    if (!loaded.diagnostics.empty()) {
        show_diagnostics(loaded.diagnostics, *path, loaded.catalog.bytes);
    }
    if (has_errors(loaded.diagnostics)) { return std::nullopt; }
    return std::move(loaded.catalog);
}

std::optional<Experiment> open_experiment(const std::string& path, const Catalog& catalog) {
    LoadedExperiment loaded = load_experiment(path, fault_kinds(), probe_kinds(), &catalog);
    if (!loaded.diagnostics.empty()) {
        show_diagnostics(loaded.diagnostics, path, loaded.experiment.bytes);
    }
    if (has_errors(loaded.diagnostics)) { return std::nullopt; }
    return std::move(loaded.experiment);
}

bool is_plan_file(const std::string& path) {
    const auto first = first_character(path);
    return first && *first == "{";
}

const CatalogHost* find_host(const Catalog& catalog, const std::string& name) {
    std::vector<std::string> names;
    for (const CatalogHost& host : catalog.hosts) {
        if (host.name == name) { return &host; }
        names.push_back(host.name);
    }
    const auto near = nearest(name, names);
    complain("the catalog " + catalog.file + " has no host `" + name + "`; " +
             (near ? "did you mean `" + *near + "`?" : "it has " + join(names, ", ")));
    return nullptr;
}

std::optional<Planned> plan_live(const Globals& globals, Fleet& fleet, const std::string& file,
                                 std::optional<std::uint64_t> seed, int& exit) {
    if (is_plan_file(file)) {
        if (seed) {
            complain("--seed has no meaning for a plan: its hosts are picked already");
            exit = exit_usage;
            return std::nullopt;
        }
        return plan_again(fleet, file, exit);
    }
    std::optional<Catalog> catalog = open_catalog(globals);
    std::optional<Experiment> experiment;
    if (catalog) { experiment = open_experiment(file, *catalog); }
    if (!experiment) {
        exit = exit_usage;
        return std::nullopt;
    }
    Planned planned{};
    planned.definition_bytes = experiment->bytes;
    planned.catalog_bytes = catalog->bytes;
    std::vector<Connection> connections;
    for (const CatalogHost& host : catalog->hosts) { connections.push_back(host.connection); }
    Planner planner(*std::move(catalog), *std::move(experiment), fault_kinds(), probe_kinds(),
                    planner_options(seed.value_or(random_seed()), connections));
    std::optional<Plan> plan = ask_and_compose(fleet, planner, exit);
    if (!plan) { return std::nullopt; }
    planned.plan = *std::move(plan);
    planned.hosts = planner.states();
    return planned;
}

// ---- signals -----------------------------------------------------------------------------

Signals::Signals() {
    sigset_t set{};
    sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGTSTP}) { sigaddset(&set, signal); }
    pthread_sigmask(SIG_BLOCK, &set, nullptr);  // inherited by every thread made later
    std::signal(SIGPIPE, SIG_IGN);              // a closed pager must not stop an undo
    fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    DRILL_ASSERT(fd_ >= 0);
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

Signals::~Signals() {
    thread_.request_stop();
    thread_.join();
    close(fd_);
}

void Signals::listen(Mailbox& mailbox, std::function<std::string()> remaining) {
    const std::lock_guard lock(mutex_);
    mailbox_ = &mailbox;
    remaining_ = std::move(remaining);
}

void Signals::serve(const std::stop_token& stop) {
    constexpr int look_every_ms = 50;  // for the end of the program; signals wake at once
    constexpr Nanos third_within = std::chrono::seconds{5};
    int count = 0;
    Nanos second_at{0};
    while (!stop.stop_requested()) {
        pollfd waited{.fd = fd_, .events = POLLIN, .revents = 0};
        if (poll(&waited, 1, look_every_ms) <= 0) { continue; }
        signalfd_siginfo info{};
        if (read(fd_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) { continue; }
        const int signal = static_cast<int>(info.ssi_signo);
        if (signal == SIGTSTP) {
            progress("not suspended: a stopped drill cannot renew or undo; ^C halts and undoes");
            continue;
        }
        const std::lock_guard lock(mutex_);
        ++count;
        if (count == 1) {
            progress(std::string("SIG") + sigabbrev_np(signal) +
                     ": halting, everything is undone now. Again: show what remains.");
            if (mailbox_ != nullptr) {
                mailbox_->post(StopAsked{.reason = std::string("SIG") + sigabbrev_np(signal)});
            }
            continue;
        }
        if (count > 2 && boot_now() - second_at <= third_within) {
            progress(
                "left to the dead men on the targets, which end it in time. What remains: drill "
                "ls. To prove that it ended: drill undo");
            _exit(exit_dirty);
        }
        second_at = boot_now();
        progress("still being undone: " + (remaining_ ? remaining_() : std::string("nothing yet")) +
                 ". Once more within 5 s: leave it to the dead men.");
    }
}

std::map<std::string, std::string> who_runs() {
    std::map<std::string, std::string> who;
    who["uid"] = std::to_string(getuid());
    const passwd* entry = getpwuid(getuid());  // main thread only, before others ask
    who["user"] = entry == nullptr ? who["uid"] : entry->pw_name;
    for (const char* name : {"SUDO_USER", "SSH_CONNECTION"}) {
        if (const std::string value = variable(name); !value.empty()) { who[name] = value; }
    }
    std::ifstream in("/proc/self/loginuid");
    if (std::string loginuid; in >> loginuid) { who["loginuid"] = loginuid; }
    return who;
}

std::string short_name(const std::map<std::string, std::string>& who) {
    const auto sudo = who.find("SUDO_USER");
    return sudo != who.end() ? sudo->second : who.at("user");
}

}  // namespace drill::cli
