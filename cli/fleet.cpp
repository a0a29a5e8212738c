// See fleet.hpp.
#include "cli/fleet.hpp"

#include "base/ids.hpp"
#include "transport/local.hpp"
#include "transport/openssh_master.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>

namespace drill::cli {

namespace {
constexpr Nanos question_time = std::chrono::seconds{30};
// A login takes some tens of milliseconds; an account is locked after a handful of failures.
constexpr Nanos canary_patience = std::chrono::milliseconds{500};

/// Where systemd put the credentials of our unit, "" = nowhere.
std::string credentials_directory() {
    const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
    return directory == nullptr ? "" : directory;
}

std::string credential(const Connection& connection) {
    return connection.transport + " " + connection.user + " " + connection.key_file;
}
}  // namespace

Fleet::Fleet(Nanos connect_within)
    : connect_within_(connect_within),
      jumps_(std::make_shared<JumpPool>()),
      passwords_(std::make_shared<Passwords>(credentials_directory())),
      controls_(std::make_shared<ControlDirectory>()) {
    lanes_ = std::make_unique<Lanes>(
        clock, mailbox,
        LanesOptions{.carrier = [this](const Connection& to) { return carrier(to); }});
}

SshOptions Fleet::ssh_options() const {
    SshOptions options{};
    options.jumps = jumps_;
    options.connect_within = connect_within_;
    options.passwords = passwords_;
    if (const char* agent = std::getenv("SSH_AUTH_SOCK")) { options.agent_socket = agent; }
    return options;
}

std::unique_ptr<Carrier> Fleet::carrier(const Connection& connection) const {
    if (connection.transport == "local") {
        return make_local(connection, {.passwords = passwords_});
    }
    if (connection.transport == "openssh") {
        return make_openssh(connection, {.ssh = ssh_options(), .directory = controls_});
    }
    // A lease of a later version may name a way that this one does not have.
    return connection.transport == "ssh" ? make_ssh(connection, ssh_options()) : nullptr;
}

Result<SeenKey> Fleet::host_key(const Connection& connection, Nanos deadline) const {
    if (connection.transport == "openssh") {
        return openssh_fetch_host_key(connection, deadline, {});
    }
    return fetch_host_key(connection, deadline, {}, ssh_options());
}

namespace {

/// Questions on their way, the canary of each credential first.
class Asking {
public:
    Asking(std::vector<Ask> questions, Clock& clock, Lanes& lanes)
        : questions_(std::move(questions)), clock_(clock), lanes_(lanes) {}

    void begin() {
        std::set<std::string> tried;
        for (std::size_t i = 0; i < questions_.size(); ++i) {
            if (tried.insert(which(i)).second) {
                send(i);
            } else {
                held_.push_back(i);
            }
        }
    }
    [[nodiscard]] bool over() const { return waiting_.empty(); }
    [[nodiscard]] bool holds() const { return !held_.empty(); }
    /// The next one of each credential is tried too.
    void join_canary() {
        std::set<std::string> joined;
        std::vector<std::size_t> still;
        for (const std::size_t index : held_) {
            if (joined.insert(which(index)).second) {
                send(index);
            } else {
                still.push_back(index);
            }
        }
        held_ = std::move(still);
    }
    void take(Answered answered);
    [[nodiscard]] std::vector<AskAnswer> answers() { return std::move(answers_); }

private:
    [[nodiscard]] std::string which(std::size_t index) const {
        return credential(questions_[index].to);
    }
    void send(std::size_t index) {
        const Ask& ask = questions_[index];
        waiting_[next_] = index;
        lanes_.submit({.id = next_++,
                       .to = ask.to,
                       .action = ask.envelope,
                       .deadline = clock_.now().boot + question_time,
                       .urgency = Urgency::question});
    }
    void release_held(const std::string& credential);

    std::vector<Ask> questions_;
    Clock& clock_;
    Lanes& lanes_;
    std::vector<AskAnswer> answers_;
    std::map<std::uint64_t, std::size_t> waiting_;  // order to question
    std::map<std::string, std::string> rejected_;   // credential to where it was
    std::vector<std::size_t> held_;
    std::uint64_t next_{1};
};

void Asking::release_held(const std::string& credential) {
    const auto bad = rejected_.find(credential);
    std::vector<std::size_t> still;
    for (const std::size_t index : held_) {
        if (which(index) != credential) {
            still.push_back(index);
        } else if (bad == rejected_.end()) {
            send(index);
        } else {
            answers_.push_back(
                {.host = questions_[index].host,
                 .reply = fail(Code::auth_failed,
                               "not tried: the same key was rejected on " + bad->second)});
        }
    }
    held_ = std::move(still);
}

void Asking::take(Answered answered) {
    const auto found = waiting_.find(answered.order);
    if (found == waiting_.end()) { return; }
    const std::size_t index = found->second;
    const std::string host = questions_[index].host;
    waiting_.erase(found);
    const bool failed = !answered.reply;
    const Code code = failed ? answered.reply.error().code : Code::internal;
    if (failed && code == Code::auth_failed) { rejected_.emplace(which(index), host); }
    answers_.push_back({.host = host,
                        .reply = std::move(answered.reply),
                        .sent = answered.sent,
                        .received = answered.received});
    // A host that could not be reached says nothing of the credential.
    if (!failed || (code != Code::unreachable && code != Code::timed_out)) {
        release_held(which(index));
        return;
    }
    const bool last = std::none_of(waiting_.begin(), waiting_.end(), [&](const auto& entry) {
        return which(entry.second) == which(index);
    });
    if (last) { join_canary(); }
}

}  // namespace

std::vector<AskAnswer> Fleet::ask(std::vector<Ask> questions, bool& stopped) {
    Asking asking(std::move(questions), clock, *lanes_);
    asking.begin();
    while (!asking.over()) {
        std::optional<Nanos> until;
        if (asking.holds()) { until = clock.now().boot + canary_patience; }
        std::vector<News> news = mailbox.take(until);
        if (news.empty()) { asking.join_canary(); }
        for (News& one : news) {
            if (std::holds_alternative<StopAsked>(one)) {
                stopped = true;
                return asking.answers();
            }
            if (auto* answered = std::get_if<Answered>(&one)) { asking.take(std::move(*answered)); }
        }
    }
    return asking.answers();
}

CommandRunner Fleet::command_runner(const std::map<std::string, PlannedHost>& hosts) {
    // A carrier serves one call at a time, so each has its lock; made at the first question.
    struct Kept {
        std::mutex mutex;
        std::unique_ptr<Carrier> carrier;
    };
    // Shared by the sampler's threads for as long as any of them holds the runner.
    struct Carriers {
        std::mutex mutex;
        std::map<std::string, std::shared_ptr<Kept>> kept;
    };
    auto carriers = std::make_shared<Carriers>();
    auto connections = std::make_shared<std::map<std::string, Connection>>();
    for (const auto& [name, host] : hosts) { (*connections)[name] = host.connection; }
    return [this, carriers, connections](const CommandQuestion& question, Nanos deadline,
                                         std::stop_token stop) -> Result<Reply> {
        Connection connection{};
        if (question.on.empty()) {
            connection.host = "controller";
            connection.transport = "local";
        } else if (const auto found = connections->find(question.on); found != connections->end()) {
            connection = found->second;
        } else {
            return fail(Code::not_found, question.on + " is not in the plan");
        }
        std::shared_ptr<Kept> kept;
        {
            const std::lock_guard lock(carriers->mutex);
            std::shared_ptr<Kept>& place = carriers->kept[question.on];
            if (!place) {
                place = std::make_shared<Kept>();
                place->carrier = carrier(connection);
            }
            kept = place;
        }
        const std::lock_guard lock(kept->mutex);
        return kept->carrier->perform(question.exec, deadline, std::move(stop));
    };
}

}  // namespace drill::cli
