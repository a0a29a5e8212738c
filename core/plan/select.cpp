// See select.hpp.
#include "plan/select.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace drill {

namespace {

const CatalogHost* find_host(const Catalog& catalog, const std::string& name) {
    for (const CatalogHost& host : catalog.hosts) {
        if (host.name == name) { return &host; }
    }
    return nullptr;
}

bool has_labels(const CatalogHost& host, const std::map<std::string, std::string>& labels) {
    return std::all_of(labels.begin(), labels.end(), [&](const auto& label) {
        const auto found = host.labels.find(label.first);
        return found != host.labels.end() && found->second == label.second;
    });
}

std::string hosts_text(std::int64_t count) {
    return std::to_string(count) + (count == 1 ? " host" : " hosts");
}

std::int64_t share_of(Percent share, std::size_t count) {
    return static_cast<std::int64_t>(count) * share.ppm / 1'000'000;
}

Error unknown_host(const std::string& name, const Catalog& catalog) {
    std::vector<std::string> names;
    for (const CatalogHost& host : catalog.hosts) { names.push_back(host.name); }
    std::string message = "no host `" + name + "` in the catalog";
    if (const auto near = nearest(name, names)) { message += "; did you mean `" + *near + "`?"; }
    return fail(Code::invalid, std::move(message));
}

/// A group of hosts with the words for it.
struct Group {
    std::vector<std::string> hosts;
    std::string says;
};

/// Targets given by name stand for their role; without a role, for themselves.
Group group_by_role(const TargetSpec& target, const Catalog& catalog) {
    std::set<std::string> hosts(target.match.hosts.begin(), target.match.hosts.end());
    std::set<std::string> roles;
    for (const std::string& name : target.match.hosts) {
        const CatalogHost* host = find_host(catalog, name);
        if (host == nullptr || !host->labels.contains("role")) { continue; }
        roles.insert(host->labels.at("role"));
    }
    for (const CatalogHost& host : catalog.hosts) {
        const auto role = host.labels.find("role");
        if (role != host.labels.end() && roles.contains(role->second)) { hosts.insert(host.name); }
    }
    std::string says;
    for (const std::string& role : roles) { says += (says.empty() ? "role=" : " or role=") + role; }
    if (says.empty()) { says = describe_selection(target.match); }
    return {{hosts.begin(), hosts.end()}, says};
}

Result<std::vector<Group>> groups_of(const LimitSpec& spec, const Catalog& catalog,
                                     std::span<const PickedTarget> targets) {
    std::vector<Group> groups;
    if (spec.of) {
        auto hosts = select_hosts(*spec.of, catalog);
        if (!hosts) { return std::move(hosts).error().at("limit.of"); }
        groups.push_back({*std::move(hosts), describe_selection(*spec.of)});
        for (const PickedTarget& target : targets) {
            for (const std::string& host : target.hosts) {
                if (!std::binary_search(groups[0].hosts.begin(), groups[0].hosts.end(), host)) {
                    return fail(Code::refused, "target `" + target.spec->name + "` has " + host +
                                                   ", which is outside of limit.of (" +
                                                   groups[0].says + ")");
                }
            }
        }
        return groups;
    }
    for (const PickedTarget& target : targets) {
        const Selection& match = target.spec->match;
        if (!match.hosts.empty()) {
            groups.push_back(group_by_role(*target.spec, catalog));
            continue;
        }
        DRILL_TRY(auto hosts, select_hosts(match, catalog));
        groups.push_back({std::move(hosts), describe_selection(match)});
    }
    return groups;
}

}  // namespace

std::string describe_selection(const Selection& selection) {
    if (selection.all) { return "all hosts"; }
    if (!selection.hosts.empty()) { return join(selection.hosts, ", "); }
    std::string out;
    for (const auto& [name, value] : selection.labels) {
        if (!out.empty()) { out += ' '; }
        out.append(name).append("=").append(value);
    }
    return out;
}

std::string describe_pick(const Pick& pick) {
    switch (pick.how) {
        case Pick::How::count: return std::to_string(pick.count);
        case Pick::How::percent: return show_percent(pick.percent.ppm);
        case Pick::How::all: return "all";
    }
    return "all";
}

Result<std::vector<std::string>> select_hosts(const Selection& selection, const Catalog& catalog) {
    std::set<std::string> found;
    for (const std::string& name : selection.hosts) {
        if (find_host(catalog, name) == nullptr) { return unknown_host(name, catalog); }
        found.insert(name);
    }
    if (selection.hosts.empty() && !selection.all && selection.labels.empty()) {
        return fail(Code::invalid, "the selection names no host; all of them is spelled \"all\"");
    }
    for (const CatalogHost& host : catalog.hosts) {
        const bool matches =
            selection.all || (!selection.labels.empty() && has_labels(host, selection.labels));
        if (selection.hosts.empty() && matches) { found.insert(host.name); }
    }
    if (found.empty()) {
        return fail(Code::invalid, "no catalog host matches " + describe_selection(selection));
    }
    return std::vector<std::string>(found.begin(), found.end());
}

std::uint64_t seed_for(std::uint64_t seed, std::string_view target) {
    std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a, public constants
    for (const char c : target) { hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U; }
    return seed ^ hash;
}

Result<std::vector<std::string>> pick_hosts(const Pick& pick, std::vector<std::string> matches,
                                            std::uint64_t seed) {
    const auto have = static_cast<std::int64_t>(matches.size());
    std::int64_t wanted = have;
    if (pick.how == Pick::How::count) { wanted = pick.count; }
    if (pick.how == Pick::How::percent) { wanted = share_of(pick.percent, matches.size()); }
    if (wanted <= 0) {
        return fail(Code::refused, "pick = " + describe_pick(pick) + " of " + hosts_text(have) +
                                       " is no host (rounded down)");
    }
    if (wanted > have) {
        return fail(Code::refused, "pick = " + describe_pick(pick) + ", but only " +
                                       hosts_text(have) + (have == 1 ? " matches" : " match"));
    }
    std::sort(matches.begin(), matches.end());
    Random random(seed);
    random.shuffle(matches);
    matches.resize(static_cast<std::size_t>(wanted));
    std::sort(matches.begin(), matches.end());
    return matches;
}

Result<Limit> limit_in_force(const LimitSpec& spec, const Catalog& catalog,
                             std::span<const PickedTarget> targets) {
    if (spec.hosts <= 0 && !spec.share) {
        return fail(Code::invalid, "no limit: set limit.hosts, limit.share or both");
    }
    DRILL_TRY(const std::vector<Group> groups, groups_of(spec, catalog, targets));
    std::set<std::string> all;
    for (const Group& group : groups) { all.insert(group.hosts.begin(), group.hosts.end()); }
    Limit limit;
    limit.group.assign(all.begin(), all.end());
    std::string of = " of " + hosts_text(static_cast<std::int64_t>(all.size()));
    std::optional<std::int64_t> least;
    if (spec.hosts > 0) { least = spec.hosts; }
    std::string reason;
    for (const Group& group : groups) {
        if (!spec.share) { break; }
        const std::int64_t allowed = share_of(*spec.share, group.hosts.size());
        const std::string words = show_percent(spec.share->ppm) + " of " + group.says;
        if (allowed == 0) {
            return fail(Code::refused,
                        "the limit allows no host: " + show_percent(spec.share->ppm) + " of " +
                            hosts_text(static_cast<std::int64_t>(group.hosts.size())) + " (" +
                            group.says + ") is " + show_percent(spec.share->ppm) + " x " +
                            std::to_string(group.hosts.size()) + " = less than 1, rounded down 0");
        }
        if (!least || allowed <= *least) {
            least = allowed;
            reason = " (" + words + ")";
            of = " of " + hosts_text(static_cast<std::int64_t>(group.hosts.size()));
        }
    }
    limit.hosts = least.value_or(0);
    limit.says = "at most " + std::to_string(limit.hosts) + of + reason;
    return limit;
}

}  // namespace drill
