// See planner.hpp.
#include "plan/planner.hpp"

#include "base/ids.hpp"
#include "base/text.hpp"
#include "model/json.hpp"
#include "plan/facts.hpp"
#include "plan/gates.hpp"
#include "plan/order.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace drill {

namespace {

constexpr std::size_t most_undo_commands = 5;  // model/action.hpp: what a guard may hold ready
constexpr const char* lease_mark = "{lease}";

std::string own_words(std::string_view text) {
    constexpr std::size_t longest = 400;  // what a person reads of a failed question
    std::string out = escape_control(trim(text).substr(0, longest), Lines::one);
    return out;
}

/// Why an answer cannot be used, "" when it can.
std::string trouble_of(const AskAnswer& answer, std::size_t commands) {
    if (!answer.reply) {
        const Error& error = answer.reply.error();
        if (error.code != Code::unreachable) { return error.text(); }
        return answer.host + " cannot be reached (" + error.text() +
               "): is it on, and is its address right?";
    }
    const Reply& reply = *answer.reply;
    if (reply.status != EnvelopeStatus::done) {
        return "the question ended with status " + std::to_string(reply.status) +
               (trim(reply.err).empty() ? "" : ": " + own_words(reply.err));
    }
    if (reply.truncated) { return "the answer is longer than this program takes"; }
    if (reply.parts.size() != commands) {
        return "the answer has " + std::to_string(reply.parts.size()) + " parts instead of " +
               std::to_string(commands);
    }
    return "";
}

/// The answers by host. Doubled or missing hosts become problems.
std::map<std::string, const AskAnswer*> by_host(
    const std::vector<AskAnswer>& answers, const std::map<std::string, std::vector<Exec>>& asked,
    Problems& problems) {
    std::map<std::string, const AskAnswer*> found;
    for (const AskAnswer& answer : answers) { found.emplace(answer.host, &answer); }
    for (const auto& [host, commands] : asked) {
        if (!found.contains(host)) { problems.add(Code::refused, host + ": there is no answer"); }
    }
    return found;
}

bool has_nul(const std::vector<Exec>& commands) {
    return std::any_of(commands.begin(), commands.end(), [](const Exec& exec) {
        return exec.argv.empty() ||
               std::any_of(exec.argv.begin(), exec.argv.end(), [](const std::string& word) {
                   return word.find('\0') != std::string::npos;
               });
    });
}

}  // namespace

Nanos ttl_of(const PlannedStep& step, Nanos lease_ttl) {
    if (!step.cuts_control) { return lease_ttl; }
    return std::chrono::ceil<std::chrono::seconds>(step.hold);
}

Planner::Planner(Catalog catalog, Experiment experiment, Kinds kinds, ProbeKinds probes,
                 PlannerOptions options)
    : catalog_(std::move(catalog)),
      experiment_(std::move(experiment)),
      kinds_(kinds),
      probes_(probes),
      options_(std::move(options)) {}

Planner::Planner(const Plan& approved, Kinds kinds, PlannerOptions options)
    : approved_(approved), kinds_(kinds), options_(std::move(options)) {}

Ask Planner::ask(const std::string& host, std::vector<Exec> commands) const {
    Envelope envelope;
    envelope.phase = Phase::ask;
    envelope.nonce = random_id(nonce_length);
    envelope.commands = std::move(commands);
    return Ask{host, draft_.hosts.at(host).connection, std::move(envelope)};
}

Result<std::vector<Ask>> Planner::start() {
    problems_ = {};
    states_.clear();
    silent_.clear();
    questions_.clear();
    auto draft = approved_
                     ? draft_from(*approved_, kinds_, problems_)
                     : draft_from(*catalog_, *experiment_, kinds_, probes_, options_, problems_);
    if (!draft) { return std::move(draft).error(); }
    draft_ = *std::move(draft);
    std::vector<Ask> asks;
    for (const auto& [name, host] : draft_.hosts) {
        if (!host.asked()) { continue; }
        const std::vector<std::string> tools(host.tools.begin(), host.tools.end());
        questions_[name] = {facts_question(tools)};
        asks.push_back(ask(name, questions_[name]));
    }
    return asks;
}

void Planner::take_facts(const std::string& host, const AskAnswer& answer) {
    const DraftHost& drafted = draft_.hosts.at(host);
    std::string trouble = trouble_of(answer, 1);
    Facts facts;
    if (trouble.empty()) {
        const CommandReply& part = answer.reply->parts.front();
        auto parsed = parse_facts(part.out);
        if (parsed) {
            facts = *std::move(parsed);
        } else {
            const std::string err = own_words(part.err.empty() ? answer.reply->err : part.err);
            trouble = parsed.error().message + (err.empty() ? "" : ": " + err);
        }
    }
    if (!trouble.empty() && drafted.needed) {
        problems_.add(Code::refused, about(host, trouble));
        return;
    }
    if (!trouble.empty()) {
        silent_[host] = trouble;
        return;
    }
    HostState state;
    state.uptime = answer.reply->uptime > Nanos{0} ? answer.reply->uptime
                                                   : fact_uptime(facts).value_or(Nanos{0});
    state.low = answer.sent;
    state.high = answer.received;
    state.host_key = answer.reply->host_key;
    state.facts = std::move(facts);
    if (drafted.changed()) {
        for (std::string& reason : host_gates(host, drafted, state.facts)) {
            problems_.add(Code::refused, std::move(reason));
        }
    }
    states_[host] = std::move(state);
}

void Planner::judge_limits() {
    InForce in_force;
    for (const auto& [name, host] : draft_.hosts) {
        if (!host.counted || host.changed()) { continue; }
        if (const auto silent = silent_.find(name); silent != silent_.end()) {
            in_force[name] = "could not be asked, so it counts: " + silent->second;
        } else if (const auto state = states_.find(name); state != states_.end()) {
            const std::string leases = join(fact_list(state->second.facts, "leases"), ", ");
            if (!leases.empty()) { in_force[name] = "lease " + leases + " of another run"; }
        }
    }
    for (std::string& reason : limit_gates(draft_, in_force)) {
        problems_.add(Code::refused, std::move(reason));
    }
}

void Planner::judge_credentials() {
    if (options_.now == Wall{}) { return; }
    std::vector<Credential> needed;
    for (const Credential& one : options_.credentials) {
        if (one.host.empty() || draft_.hosts.contains(one.host)) { needed.push_back(one); }
    }
    for (const auto& [name, state] : states_) {
        const DraftHost& host = draft_.hosts.at(name);
        if (!host.needed) { continue; }
        for (Credential& one : account_ends(name, host.connection, state.facts)) {
            needed.push_back(std::move(one));
        }
    }
    const Nanos need = credential_need(draft_.plan.longest, draft_.plan.lease_ttl);
    for (std::string& reason : credential_gates(needed, options_.now, need)) {
        problems_.add(Code::refused, std::move(reason));
    }
}

ChangeRequest Planner::request_for(std::size_t step, const std::string& host) {
    const PlannedStep& planned = draft_.plan.steps[step];
    const Kind& kind = *draft_.steps[step].kind;
    const std::vector<std::string> own = fact_list(states_.at(host).facts, "addresses");
    ChangeRequest request;
    request.binding = Binding::plan;
    request.host = host;
    request.lease = lease_mark;
    request.directory =
        (kind.ending == Ending::durable ? options_.durable_base : options_.directory_base) + "/" +
        lease_mark;
    request.ttl = ttl_of(planned, draft_.plan.lease_ttl);
    request.longest = draft_.plan.longest;
    request.params = planned.params;
    request.facts = states_.at(host).facts;
    const DraftStep& drafted = draft_.steps[step];
    const auto own_peers = drafted.peers_of.find(host);
    for (const std::string& name :
         own_peers != drafted.peers_of.end() ? own_peers->second : drafted.peers) {
        if (name == host) { continue; }
        Peer peer{name, {}};
        const auto known = draft_.addresses.find(name);
        const std::vector<std::string> all = known != draft_.addresses.end()
                                                 ? known->second
                                                 : fact_list(states_.at(name).facts, "addresses");
        // An address that both hosts have (a container bridge) is no way from one to the other;
        // dropping it would hit the target's own traffic.
        std::set<std::string> others(all.begin(), all.end());
        for (const std::string& address : own) { others.erase(address); }
        peer.addresses.assign(others.begin(), others.end());
        request.peers.push_back(std::move(peer));
    }
    return request;
}

Result<std::vector<Ask>> Planner::observe(const std::vector<AskAnswer>& answers) {
    problems_ = {};
    for (const auto& [host, answer] : by_host(answers, questions_, problems_)) {
        if (questions_.contains(host)) { take_facts(host, *answer); }
    }
    judge_limits();
    judge_credentials();
    if (!problems_.reasons.empty()) { return problems_.error(); }
    questions_.clear();
    slices_.clear();
    for (std::size_t i = 0; i < draft_.steps.size(); ++i) {
        const DraftStep& step = draft_.steps[i];
        for (const std::string& host : step.hosts) {
            const ChangeRequest request = request_for(i, host);
            for (const Peer& peer : request.peers) {
                if (peer.addresses.empty()) {
                    problems_.add(Code::refused, peer.host + ": no address is known that " + host +
                                                     " could meet (step " +
                                                     draft_.plan.steps[i].name + ")");
                }
            }
            if (request.peers.empty() && !step.peers.empty()) {
                problems_.add(Code::refused, "step " + draft_.plan.steps[i].name + ": " +
                                                 std::string(step.kind->peers_param) +
                                                 " names only " + host + ", the target itself");
            }
            if (!problems_.reasons.empty()) { continue; }  // kinds may rely on peers
            std::vector<Exec> wanted;
            if (step.kind->observe != nullptr) { wanted = step.kind->observe(request); }
            std::vector<Exec>& all = questions_[host];
            slices_.push_back({i, host, all.size(), wanted.size()});
            all.insert(all.end(), wanted.begin(), wanted.end());
        }
    }
    if (!problems_.reasons.empty()) { return problems_.error(); }
    std::erase_if(questions_, [](const auto& entry) { return entry.second.empty(); });
    std::vector<Ask> asks;
    for (const auto& [host, commands] : questions_) { asks.push_back(ask(host, commands)); }
    return asks;
}

void Planner::check_change(const std::string& where, const Change& change) {
    for (const auto* commands : {&change.arm, &change.apply, &change.renew, &change.undo,
                                 &change.read_back, &change.disarm, &change.check}) {
        if (has_nul(*commands)) {
            problems_.add(Code::refused, where + ": a command is empty or has a NUL byte");
        }
    }
    if (change.undo.size() > most_undo_commands) {
        problems_.add(Code::refused, where + ": more undo commands than a guard can hold ready");
    }
    if (change.ending == Ending::instant) { return; }
    if (change.undo.empty() || change.read_back.empty()) {
        problems_.add(Code::refused,
                      where + ": the change has no undo, or no way to prove it; it is not run");
    }
}

void Planner::compose_change(const Slice& slice, std::vector<CommandReply> observed) {
    PlannedStep& step = draft_.plan.steps[slice.step];
    const Kind& kind = *draft_.steps[slice.step].kind;
    const std::string where = "step " + step.name + ", " + slice.host;
    ChangeRequest request = request_for(slice.step, slice.host);
    request.observed = std::move(observed);
    if (kind.compose == nullptr) {
        problems_.add(Code::refused, where + ": " + std::string(kind.name) + " cannot be composed");
        return;
    }
    auto change = kind.compose(request);
    if (!change) {
        problems_.add(Code::refused, where + ": " + change.error().text());
        return;
    }
    check_change(where, *change);
    for (const Stimulus& stimulus : change->stimulate) {
        if (!draft_.hosts.contains(stimulus.host)) {
            problems_.add(Code::refused, where + ": the stimulus wants " + stimulus.host +
                                             ", which is no host of this plan");
        }
    }
    PlannedChange planned;
    planned.host = slice.host;
    planned.says = kind.describe == nullptr ? std::string(kind.summary) : kind.describe(request);
    planned.peers = request.peers;
    planned.change = *std::move(change);
    const auto& data_of = draft_.steps[slice.step].data_of;
    if (const auto at = data_of.find(slice.host); at != data_of.end()) {
        planned.data_of = at->second;
    }
    step.changes.push_back(std::move(planned));
}

void Planner::add_hosts() {
    for (const auto& [name, drafted] : draft_.hosts) {
        PlannedHost host{drafted.connection, drafted.labels, {}};
        if (const auto state = states_.find(name); drafted.needed && state != states_.end()) {
            const std::vector<std::string> tools(drafted.tools.begin(), drafted.tools.end());
            host.connection.host_key = state->second.host_key;
            host.identity =
                identity_of(state->second.facts, drafted.changed() ? Part::target : Part::bystander,
                            tools, state->second.host_key);
        }
        draft_.plan.hosts[name] = std::move(host);
    }
}

Result<Plan> Planner::compose(const std::vector<AskAnswer>& answers) {
    problems_ = {};
    const auto found = by_host(answers, questions_, problems_);
    for (const auto& [host, commands] : questions_) {
        const auto answer = found.find(host);
        if (answer == found.end()) { continue; }
        const std::string trouble = trouble_of(*answer->second, commands.size());
        if (!trouble.empty()) { problems_.add(Code::refused, about(host, trouble)); }
    }
    if (!problems_.reasons.empty()) { return problems_.error(); }
    for (PlannedStep& step : draft_.plan.steps) { step.changes.clear(); }
    for (const Slice& slice : slices_) {
        std::vector<CommandReply> observed;
        if (slice.count > 0) {
            const auto& parts = found.at(slice.host)->reply->parts;
            const auto from = parts.begin() + static_cast<std::ptrdiff_t>(slice.from);
            observed.assign(from, from + static_cast<std::ptrdiff_t>(slice.count));
        }
        compose_change(slice, std::move(observed));
    }
    if (!problems_.reasons.empty()) { return problems_.error(); }
    draft_.plan.hosts.clear();
    add_hosts();
    draft_.plan.hash = plan_hash(draft_.plan);
    return draft_.plan;
}

}  // namespace drill
