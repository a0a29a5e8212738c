// drill doctor [HOST..]: asks hosts what they are like and says which kinds can be used there and,
// for each that cannot, the fix. One round trip for a host; a second one only where become was
// refused. Must not: change a target, or judge (plan/ground.hpp does). Next: report/ground.hpp.
#include "base/ids.hpp"
#include "base/text.hpp"
#include "cli/credentials.hpp"
#include "cli/session.hpp"
#include "cli/ssh_config_notes.hpp"
#include "cli/verbs.hpp"
#include "faults/kinds.hpp"
#include "plan/facts.hpp"
#include "plan/gates.hpp"
#include "plan/ground.hpp"
#include "report/ground.hpp"

#include <sys/stat.h>
#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

namespace drill::cli {

namespace {

// A host that is down costs this long and no more; one that is slower to connect is no place for
// a drill.
constexpr Nanos connect_within = std::chrono::seconds{5};
// Without an experiment: what most limits on time are.
constexpr Nanos usual_longest = std::chrono::minutes{5};
constexpr Nanos usual_lease = std::chrono::seconds{15};
// More hosts than this, and only what is not as it should be is printed.
constexpr std::size_t most_in_full = 3;
constexpr std::size_t questions = 3;  // wall clock, facts, ground

struct Asked {
    Connection connection;
    Result<Reply> reply{fail(Code::internal, "not asked")};
    Nanos sent{0}, received{0};
    std::string refusal;  ///< become was refused: why, and the answer is that of the bare login
};

std::vector<const Kind*> chosen_kinds(const std::vector<std::string>& names, int& exit) {
    std::vector<const Kind*> chosen;
    for (const Kind* kind : fault_kinds()) {
        const bool wanted =
            names.empty() || std::find(names.begin(), names.end(), kind->name) != names.end();
        if (wanted) { chosen.push_back(kind); }
    }
    for (const std::string& name : names) {
        if (find_kind(fault_kinds(), name) != nullptr) { continue; }
        std::vector<std::string> all;
        for (const Kind* kind : fault_kinds()) { all.emplace_back(kind->name); }
        const auto near = nearest(name, all);
        complain("`" + name + "` is no kind of fault; " +
                 (near ? "did you mean `" + *near + "`?" : "there are " + join(all, ", ")));
        exit = exit_usage;
    }
    return chosen;
}

Envelope question(const std::vector<const Kind*>& kinds) {
    std::set<std::string> tools;
    for (const Kind* kind : kinds) {
        for (const std::string& tool : split(kind->needs, ' ')) { tools.insert(tool); }
    }
    const std::vector<std::string> list(tools.begin(), tools.end());
    Envelope envelope{};
    envelope.phase = Phase::ask;
    envelope.nonce = random_id(nonce_length);
    envelope.commands = {wall_question(), facts_question(list), ground_question()};
    return envelope;
}

/// False when it was stopped by a signal.
bool ask_all(Fleet& fleet, std::map<std::string, Asked>& hosts,
             const std::vector<const Kind*>& kinds) {
    for (const bool bare : {false, true}) {
        std::vector<Ask> asks;
        for (auto& [name, host] : hosts) {
            const bool refused = !host.reply && host.reply.error().code == Code::refused &&
                                 !host.connection.become.empty();
            if (bare && !refused) { continue; }
            Connection to = host.connection;
            if (bare) {
                host.refusal = host.reply.error().text();
                to.become.clear();
            }
            asks.push_back({.host = name, .to = std::move(to), .envelope = question(kinds)});
        }
        if (asks.empty()) { return true; }
        bool stopped = false;
        for (AskAnswer& answer : fleet.ask(std::move(asks), stopped)) {
            Asked& host = hosts.at(answer.host);
            host.reply = std::move(answer.reply);
            host.sent = answer.sent;
            host.received = answer.received;
        }
        if (stopped) { return false; }
    }
    return true;
}

/// Clock offset and latency out of the two readings of the target's clock within the answer.
void measure(const Asked& host, const Instant& now, GroundInput& input) {
    const Reply& reply = *host.reply;
    const Nanos asked = reply.asked > Nanos{0} ? reply.asked : host.sent;
    const auto ends = input.answer.find("ground_end");
    const auto begin = parse_wall(reply.parts.front().out);
    const auto end = parse_wall(ends == input.answer.end() ? "" : ends->second.front());
    input.latency = host.received - asked;
    if (!begin || !end) { return; }
    const Nanos work = end->since_epoch - begin->since_epoch;
    if (end->grain == Nanos{1} && work >= Nanos{0} && work <= input.latency) {
        input.latency -= work;
    }
    // The label of the controller's clock is rounded down to a millisecond.
    constexpr Nanos grain = std::chrono::milliseconds{1};
    const Nanos ahead = Nanos{now.wall.time_since_epoch()} - now.boot;
    if (host.connection.transport != "local") {
        input.offset = clock_offset(*begin, *end, asked + ahead, host.received + ahead + grain);
    }
}

HostGround judge(const Asked& host, const Instant& now, const std::vector<Credential>& credentials,
                 Kinds kinds) {
    if (!host.reply) { return unreached(host.connection, host.reply.error()); }
    const Reply& reply = *host.reply;
    if (reply.parts.size() != questions) {
        return unreached(host.connection, fail(Code::rejected, "the answer is not complete"));
    }
    Result<Facts> facts = parse_facts(reply.parts[1].out);
    if (!facts) { return unreached(host.connection, facts.error()); }
    GroundInput input{};
    input.connection = host.connection;
    input.facts = *std::move(facts);
    if (Result<GroundAnswer> answer = parse_ground(reply.parts[2].out)) {
        input.answer = *std::move(answer);
    }
    input.way = reply.way;
    input.now = now.wall;
    input.need = credential_need(usual_longest, usual_lease);
    input.became = host.refusal.empty();
    input.refusal = host.refusal;
    for (const Credential& one : credentials) {
        if (one.host == host.connection.host) { input.credentials.push_back(one); }
    }
    measure(host, now, input);
    return judge_ground(input, kinds);
}

std::vector<Tried> tried(const std::map<std::string, Asked>& hosts) {
    std::vector<Tried> all;
    all.reserve(hosts.size());
    for (const auto& [name, host] : hosts) {
        all.push_back({host.connection, host.reply ? LoginWorks::yes : LoginWorks::no});
    }
    return all;
}

/// What ssh_config says is no trouble of a host that answers, only another way than by hand.
void add_notes(HostGround& ground, const std::map<std::string, std::vector<std::string>>& notes) {
    const auto found = notes.find(ground.host);
    if (found == notes.end()) { return; }
    for (const std::string& text : found->second) {
        // Told in one sentence, "what; fix", with the host in front: here the host stands above.
        const std::size_t cut = text.find("; ");
        const std::size_t begin = text.starts_with(ground.host + ": ") ? ground.host.size() + 2 : 0;
        ground.remarks.push_back({Concern::doubt, "ssh_config", text.substr(begin, cut - begin),
                                  cut == std::string::npos ? "" : text.substr(cut + 2)});
    }
}

/// Debian's ldnsutils has a `drill` too; whoever types the name may get that one.
std::vector<Remark> controller_remarks() {
    std::vector<Remark> remarks;
    struct stat own {};
    const char* path = std::getenv("PATH");
    if (path == nullptr || stat("/proc/self/exe", &own) != 0) { return remarks; }
    for (const std::string& directory : split(path, ':')) {
        const std::string file = directory + "/drill";
        struct stat there {};
        if (directory.empty() || stat(file.c_str(), &there) != 0 || !S_ISREG(there.st_mode)) {
            continue;
        }
        if (there.st_ino == own.st_ino && there.st_dev == own.st_dev) { return remarks; }
        remarks.push_back({Concern::doubt, "path",
                           "`drill` is another program here: " + escape_control(file, Lines::one) +
                               " (the package ldnsutils has one of that name)",
                           "call this one by its path, or put its directory first in PATH"});
        return remarks;
    }
    return remarks;
}

bool all_possible(const HostGround& ground) {
    return std::none_of(ground.kinds.begin(), ground.kinds.end(),
                        [](const KindGround& kind) { return kind.possible == Possible::no; });
}

std::optional<std::vector<Connection>> chosen_hosts(const Catalog& catalog,
                                                    const std::vector<std::string>& names) {
    std::vector<Connection> chosen;
    for (const std::string& name : names) {
        const CatalogHost* host = find_host(catalog, name);
        if (host == nullptr) { return std::nullopt; }
        chosen.push_back(host->connection);
    }
    if (names.empty()) {
        for (const CatalogHost& host : catalog.hosts) { chosen.push_back(host.connection); }
    }
    return chosen;
}

int print_sudoers(const std::vector<Connection>& hosts, const std::vector<const Kind*>& kinds) {
    std::vector<std::string> names;
    names.reserve(kinds.size());
    for (const Kind* kind : kinds) { names.emplace_back(kind->name); }
    const std::string lines = sudoers_lines(hosts, names);
    if (lines.empty()) {
        progress("No line is needed: every login of these hosts is root already.");
        return exit_ok;
    }
    print(lines);
    return exit_ok;
}

}  // namespace

int doctor(const Globals& globals, const DoctorOptions& options) {
    Signals signals;
    int exit = exit_ok;
    const std::vector<const Kind*> kinds = chosen_kinds(options.kinds, exit);
    const std::optional<Catalog> catalog = open_catalog(globals);
    if (!catalog || exit != exit_ok) { return exit_usage; }
    const auto connections = chosen_hosts(*catalog, options.hosts);
    if (!connections) { return exit_usage; }
    if (options.sudoers) { return print_sudoers(*connections, kinds); }

    Fleet fleet(connect_within);
    signals.listen(fleet.mailbox, {});
    std::map<std::string, Asked> hosts;
    for (const Connection& to : *connections) { hosts[to.host].connection = to; }
    if (!ask_all(fleet, hosts, kinds)) {
        progress("Stopped. Nothing was changed on any host.");
        return exit_halted;
    }
    const std::vector<Credential> credentials = credentials_of(*connections);
    const Instant now = fleet.clock.now();
    GroundInventory inventory{};
    inventory.controller = controller_remarks();
    inventory.read_only = "Questions only: nothing was changed.";
    bool good = true;
    const auto notes = ssh_config_notes(tried(hosts));
    for (const auto& [name, host] : hosts) {
        inventory.hosts.push_back(judge(host, now, credentials, kinds));
        add_notes(inventory.hosts.back(), notes);
        good = good && usable(inventory.hosts.back()) &&
               (options.kinds.empty() || all_possible(inventory.hosts.back()));
    }
    const bool full = options.verbose || hosts.size() <= most_in_full;
    print(options.format == "json"
              ? ground_to_json(inventory)
              : render_ground(inventory, full ? Depth::full : Depth::brief, page_style(globals)));
    return good ? exit_ok : 1;
}

}  // namespace drill::cli
