// diff_plans of render.hpp: walks two plans member by member.
#include "plan/render.hpp"

#include "base/text.hpp"
#include "report/page.hpp"

#include <map>
#include <set>
#include <utility>

namespace drill {

namespace {

std::string fact_words(const std::string& name) {
    if (name == "host_key") { return "host key"; }
    if (name == "machine_id") { return "machine id"; }
    if (name == "ssh_server_port") { return "port of sshd"; }
    if (name.starts_with("tool.")) { return "path of " + name.substr(5); }
    return name;
}

std::string shown(const std::string& text) { return text.empty() ? "none" : safe(text); }

std::string after_text(const std::vector<After>& after) {
    std::string out;
    for (const After& entry : after) {
        out += (out.empty() ? "" : ", ") + entry.step + (entry.held ? ":held" : "");
    }
    return out.empty() ? "at once" : out;
}

std::string predicate_text(const std::optional<Predicate>& predicate) {
    return predicate ? predicate->text : "";
}

std::string command_text(const Exec& exec) {
    std::string out;
    for (const std::string& word : exec.argv) {
        const bool nul = word.find('\0') != std::string::npos;
        out += (out.empty() ? "" : " ") + (nul ? escape_control(word) : shell_quote(word));
    }
    return exec.input.empty() ? out : out + " <<< " + shell_quote(escape_control(exec.input));
}

/// Lines in the order in which they are found.
class Differences {
public:
    void say(const std::string& line) { out_ += line + "\n"; }
    void changed(const std::string& where, const std::string& what, const std::string& before,
                 const std::string& after) {
        if (before == after) { return; }
        say((where.empty() ? "" : where + ": ") + what + " changed " + shown(before) + " -> " +
            shown(after));
    }
    void duration(const std::string& where, const std::string& what, std::optional<Nanos> before,
                  std::optional<Nanos> after) {
        changed(where, what, before ? format_duration(*before) : "",
                after ? format_duration(*after) : "");
    }
    void commands(const std::string& where, const char* what, const std::vector<Exec>& before,
                  const std::vector<Exec>& after) {
        if (before == after) { return; }
        say(where + ": the commands of " + what + " changed");
        for (std::size_t i = 0; i < std::max(before.size(), after.size()); ++i) {
            const bool same = i < before.size() && i < after.size() && before[i] == after[i];
            if (same) { continue; }
            if (i < before.size()) { say("  - " + safe(command_text(before[i]))); }
            if (i < after.size()) { say("  + " + safe(command_text(after[i]))); }
        }
    }
    [[nodiscard]] std::string take() { return std::move(out_); }
    [[nodiscard]] bool empty() const { return out_.empty(); }

private:
    std::string out_;
};

std::map<std::string, std::string> texts_of(const Values& values) {
    std::map<std::string, std::string> texts;
    for (const auto& [name, value] : values) { texts[name] = describe_value(value); }
    return texts;
}

void diff_maps(Differences& out, const std::string& where, const std::string& prefix,
               const std::map<std::string, std::string>& before,
               const std::map<std::string, std::string>& after,
               std::string (*words)(const std::string&)) {
    std::set<std::string> names;
    for (const auto& [name, value] : before) { names.insert(name); }
    for (const auto& [name, value] : after) { names.insert(name); }
    for (const std::string& name : names) {
        const auto a = before.find(name);
        const auto b = after.find(name);
        out.changed(where, prefix + safe(words == nullptr ? name : words(name)),
                    a == before.end() ? "" : a->second, b == after.end() ? "" : b->second);
    }
}

std::string jumps_text(const Connection& connection) {
    std::string out;
    for (const Connection& jump : connection.jumps) {
        out += (out.empty() ? "" : ", ") + jump.user + "@" + jump.address + ":" +
               std::to_string(jump.port);
    }
    return out;
}

void diff_host(Differences& out, const std::string& where, const PlannedHost& before,
               const PlannedHost& after) {
    const Connection& a = before.connection;
    const Connection& b = after.connection;
    diff_maps(out, where, "", before.identity, after.identity, fact_words);
    const bool told = before.identity.contains("host_key") || after.identity.contains("host_key");
    if (!told) { out.changed(where, "host key", a.host_key, b.host_key); }
    out.changed(where, "transport", a.transport, b.transport);
    out.changed(where, "address", a.address, b.address);
    out.changed(where, "port", std::to_string(a.port), std::to_string(b.port));
    out.changed(where, "user", a.user, b.user);
    out.changed(where, "become", a.become, b.become);
    if (a.become_password != b.become_password) {
        out.say(where + ": where the password of sudo lies changed");
    }
    out.changed(where, "key file", a.key_file, b.key_file);
    out.changed(where, "known hosts file", a.known_hosts, b.known_hosts);
    out.changed(where, "jumps", jumps_text(a), jumps_text(b));
    diff_maps(out, where, "label ", before.labels, after.labels, nullptr);
    if (a.jumps != b.jumps && jumps_text(a) == jumps_text(b)) {
        out.say(where + ": a jump changed");
    }
}

std::string peers_text(const std::vector<Peer>& peers) {
    std::string out;
    for (const Peer& peer : peers) {
        out += (out.empty() ? "" : ", ") + peer.host + " (" + join(peer.addresses, " ") + ")";
    }
    return out;
}

void diff_change(Differences& out, const std::string& where, const PlannedChange& before,
                 const PlannedChange& after) {
    const Change& a = before.change;
    const Change& b = after.change;
    out.changed(where, "what it does", before.says, after.says);
    out.changed(where, "peers", peers_text(before.peers), peers_text(after.peers));
    out.changed(where, "ending", name_of(a.ending), name_of(b.ending));
    if (a.lasting != b.lasting) { out.say(where + ": whether it lasts changed"); }
    out.commands(where, "arm", a.arm, b.arm);
    out.commands(where, "apply", a.apply, b.apply);
    out.commands(where, "renew", a.renew, b.renew);
    out.commands(where, "undo", a.undo, b.undo);
    out.commands(where, "read back", a.read_back, b.read_back);
    out.commands(where, "disarm", a.disarm, b.disarm);
    out.commands(where, "check", a.check, b.check);
    out.changed(where, "expectation", a.check_claim, b.check_claim);
    out.duration(where, "time for the expectation", a.check_within, b.check_within);
    if (a.stimulate != b.stimulate) { out.say(where + ": the stimulus changed"); }
}

/// Pairs the items of two lists by name; calls `both` for those on both sides.
template <class Item, class Name, class Both>
void pair_up(Differences& out, const std::string& noun, const std::vector<Item>& before,
             const std::vector<Item>& after, Name name, Both both) {
    std::map<std::string, const Item*> old_items;
    std::map<std::string, const Item*> new_items;
    for (const Item& item : before) { old_items[name(item)] = &item; }
    for (const Item& item : after) { new_items[name(item)] = &item; }
    for (const Item& item : before) {
        const auto other = new_items.find(name(item));
        if (other == new_items.end()) {
            out.say(noun + " " + safe(name(item)) + ": removed");
        } else {
            both(noun + " " + safe(name(item)), *old_items[name(item)], *other->second);
        }
    }
    for (const Item& item : after) {
        if (!old_items.contains(name(item))) { out.say(noun + " " + safe(name(item)) + ": added"); }
    }
    std::vector<std::string> old_order;
    std::vector<std::string> new_order;
    for (const Item& item : before) {
        if (new_items.contains(name(item))) { old_order.push_back(name(item)); }
    }
    for (const Item& item : after) {
        if (old_items.contains(name(item))) { new_order.push_back(name(item)); }
    }
    if (old_order != new_order) {
        out.changed("", "order of " + noun + "s", join(old_order, ", "), join(new_order, ", "));
    }
}

void diff_steps(Differences& out, const Plan& before, const Plan& after) {
    pair_up(
        out, "step", before.steps, after.steps, [](const PlannedStep& step) { return step.name; },
        [&](const std::string& where, const PlannedStep& a, const PlannedStep& b) {
            out.changed(where, "kind", a.kind, b.kind);
            out.changed(where, "target", a.target, b.target);
            out.duration(where, "hold", a.hold, b.hold);
            out.changed(where, "start", after_text(a.after), after_text(b.after));
            out.changed(where, "cuts_control", a.cuts_control ? "true" : "false",
                        b.cuts_control ? "true" : "false");
            const auto partial = [](const PlannedStep& step) {
                return step.on_partial == OnPartial::go_on ? "continue" : "undo";
            };
            out.changed(where, "on_partial", partial(a), partial(b));
            diff_maps(out, where, "parameter ", texts_of(a.params), texts_of(b.params), nullptr);
            pair_up(
                out, where + " on", a.changes, b.changes,
                [](const PlannedChange& change) { return change.host; },
                [&](const std::string& place, const PlannedChange& x, const PlannedChange& y) {
                    diff_change(out, place, x, y);
                });
        });
}

std::string regain_text(const std::optional<Regain>& regain) {
    if (!regain) { return ""; }
    return "within " + format_duration(regain->within) + " hold " + format_duration(regain->hold) +
           (regain->from == Regain::From::undo ? " from undo" : " from fault");
}

void diff_claims(Differences& out, const Plan& before, const Plan& after) {
    pair_up(
        out, "probe", before.probes, after.probes,
        [](const ProbeSpec& probe) { return probe.name; },
        [&](const std::string& where, const ProbeSpec& a, const ProbeSpec& b) {
            out.changed(where, "kind", a.kind, b.kind);
            out.duration(where, "every", a.every, b.every);
            out.duration(where, "timeout", a.timeout, b.timeout);
            diff_maps(out, where, "parameter ", texts_of(a.params), texts_of(b.params), nullptr);
        });
    pair_up(
        out, "hypothesis", before.hypotheses, after.hypotheses,
        [](const HypothesisSpec& hypothesis) { return hypothesis.probe; },
        [&](const std::string& where, const HypothesisSpec& a, const HypothesisSpec& b) {
            out.changed(where, "before", predicate_text(a.before), predicate_text(b.before));
            out.changed(where, "during", predicate_text(a.during), predicate_text(b.during));
            out.changed(where, "regain", regain_text(a.regain), regain_text(b.regain));
            out.duration(where, "integrity", a.integrity, b.integrity);
        });
    pair_up(
        out, "halt", before.halts, after.halts,
        [](const HaltSpec& halt) { return halt.probe + " " + halt.when.text; },
        [](const std::string&, const HaltSpec&, const HaltSpec&) {});
}

void diff_head(Differences& out, const Plan& before, const Plan& after) {
    out.changed("", "experiment", before.experiment, after.experiment);
    out.changed("", "title", before.title, after.title);
    out.changed("", "service", before.service, after.service);
    out.changed("", "environment", before.environment, after.environment);
    out.changed("", "environment class", before.environment_class, after.environment_class);
    out.changed("", "contact", before.contact, after.contact);
    out.changed("", "definition", before.definition_sha256, after.definition_sha256);
    out.changed("", "catalog", before.catalog_sha256, after.catalog_sha256);
    out.changed("", "version of drill", before.drill_version, after.drill_version);
    out.changed("", "seed", std::to_string(before.seed), std::to_string(after.seed));
    out.duration("", "RTO", before.rto, after.rto);
    out.changed("", "origin of the RTO", before.rto_from, after.rto_from);
    out.duration("", "RPO", before.rpo, after.rpo);
    out.changed("", "limit", before.limit_says, after.limit_says);
    out.changed("", "most hosts at one time", std::to_string(before.limit_hosts),
                std::to_string(after.limit_hosts));
    out.changed("", "group of the limit", join(before.group, " "), join(after.group, " "));
    out.duration("", "time limit", before.longest, after.longest);
    out.duration("", "lease", before.lease_ttl, after.lease_ttl);
}

}  // namespace

std::string diff_plans(const Plan& before, const Plan& after) {
    Differences out;
    diff_head(out, before, after);
    std::vector<std::pair<std::string, PlannedHost>> old_hosts(before.hosts.begin(),
                                                               before.hosts.end());
    std::vector<std::pair<std::string, PlannedHost>> new_hosts(after.hosts.begin(),
                                                               after.hosts.end());
    pair_up(
        out, "host", old_hosts, new_hosts,
        [](const std::pair<std::string, PlannedHost>& host) { return host.first; },
        [&](const std::string& where, const std::pair<std::string, PlannedHost>& a,
            const std::pair<std::string, PlannedHost>& b) {
            diff_host(out, where, a.second, b.second);
        });
    diff_claims(out, before, after);
    diff_steps(out, before, after);
    Plan same = before;
    same.hash = after.hash;
    if (out.empty() && !(same == after)) { out.say("a member that is not shown here changed"); }
    return out.take();
}

}  // namespace drill
