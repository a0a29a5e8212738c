// See fleet.hpp.
#include "cli/fleet.hpp"

#include "base/ids.hpp"
#include "transport/local.hpp"

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

std::string credential(const Connection& connection) {
    return connection.transport + " " + connection.user + " " + connection.key_file;
}
}  // namespace

Fleet::Fleet(Nanos connect_within)
    : connect_within_(connect_within), jumps_(std::make_shared<JumpPool>()) {
    lanes_ = std::make_unique<Lanes>(
        clock, mailbox,
        LanesOptions{.carrier = [this](const Connection& to) { return carrier(to); }});
}

SshOptions Fleet::ssh_options() const {
    SshOptions options{};
    options.jumps = jumps_;
    options.connect_within = connect_within_;
    if (const char* agent = std::getenv("SSH_AUTH_SOCK")) { options.agent_socket = agent; }
    return options;
}

std::unique_ptr<Carrier> Fleet::carrier(const Connection& connection) const {
    if (connection.transport == "local") { return make_local(connection); }
    return make_ssh(connection, ssh_options());
}

std::vector<AskAnswer> Fleet::ask(std::vector<Ask> questions, bool& stopped) {
    std::vector<AskAnswer> answers;
    std::map<std::uint64_t, std::size_t> waiting;  // order to question
    std::map<std::string, std::string> rejected;   // credential to where it was
    std::set<std::string> tried;
    std::vector<std::size_t> held;
    std::uint64_t next = 1;
    const auto send = [&](std::size_t index) {
        const Ask& ask = questions[index];
        waiting[next] = index;
        lanes_->submit({.id = next++,
                        .to = ask.to,
                        .action = ask.envelope,
                        .deadline = clock.now().boot + question_time,
                        .urgency = Urgency::question});
    };
    const auto release_held = [&](const std::string& which) {
        std::vector<std::size_t> still;
        for (const std::size_t index : held) {
            if (credential(questions[index].to) != which) {
                still.push_back(index);
                continue;
            }
            if (const auto bad = rejected.find(which); bad != rejected.end()) {
                answers.push_back(
                    {.host = questions[index].host,
                     .reply = fail(Code::auth_failed,
                                   "not tried: the same key was rejected on " + bad->second)});
            } else {
                send(index);
            }
        }
        held = std::move(still);
    };
    // Nothing was heard for a while: the next one of each credential is tried too.
    const auto join_canary = [&] {
        std::set<std::string> joined;
        std::vector<std::size_t> still;
        for (const std::size_t index : held) {
            if (joined.insert(credential(questions[index].to)).second) {
                send(index);
            } else {
                still.push_back(index);
            }
        }
        held = std::move(still);
    };
    for (std::size_t i = 0; i < questions.size(); ++i) {
        if (tried.insert(credential(questions[i].to)).second) {
            send(i);
        } else {
            held.push_back(i);
        }
    }
    while (!waiting.empty()) {
        std::optional<Nanos> until;
        if (!held.empty()) { until = clock.now().boot + canary_patience; }
        std::vector<News> news = mailbox.take(until);
        if (news.empty()) { join_canary(); }
        for (News& one : news) {
            if (std::holds_alternative<StopAsked>(one)) {
                stopped = true;
                return answers;
            }
            auto* answered = std::get_if<Answered>(&one);
            if (answered == nullptr) { continue; }
            const auto found = waiting.find(answered->order);
            if (found == waiting.end()) { continue; }
            const Ask& ask = questions[found->second];
            const std::string which = credential(ask.to);
            if (!answered->reply && answered->reply.error().code == Code::auth_failed) {
                rejected.emplace(which, ask.host);
            }
            answers.push_back({.host = ask.host,
                               .reply = std::move(answered->reply),
                               .sent = answered->sent,
                               .received = answered->received});
            const Code* code = answers.back().reply ? nullptr : &answers.back().reply.error().code;
            waiting.erase(found);
            // A host that could not be reached says nothing of the credential.
            const bool silent =
                code != nullptr && (*code == Code::unreachable || *code == Code::timed_out);
            const bool last = std::none_of(waiting.begin(), waiting.end(), [&](const auto& entry) {
                return credential(questions[entry.second].to) == which;
            });
            if (!silent) {
                release_held(which);
            } else if (last) {
                join_canary();
            }
        }
    }
    return answers;
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
