// See draft.hpp.
#include "plan/draft.hpp"

#include "base/digest.hpp"
#include "base/text.hpp"
#include "plan/order.hpp"
#include "plan/select.hpp"
#include "plan/shape.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

namespace drill {

namespace {

// From the apply to the first bite, the rounding of leases to whole seconds, and the last look.
constexpr Nanos before_the_limit = std::chrono::seconds{5};

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words = split(text, ' ');
    std::erase(words, "");
    return words;
}

const ProbeKind* find_probe_kind(ProbeKinds kinds, std::string_view name) {
    for (const ProbeKind* kind : kinds) {
        if (kind->name == name) { return kind; }
    }
    return nullptr;
}

/// Fills a draft step by step; what goes wrong is gathered, so that a person sees all of it.
class Drafting {
public:
    Drafting(const Catalog& catalog, const Experiment& experiment, Kinds kinds, ProbeKinds probes,
             const PlannerOptions& options, Problems& problems)
        : catalog_(catalog),
          experiment_(experiment),
          kinds_(kinds),
          probes_(probes),
          options_(options),
          problems_(problems) {}

    Draft make() {
        header();
        objectives();
        pick_targets();
        order();
        for (const StepSpec& step : experiment_.steps) { add_step(step); }
        vantage_points();
        limit();
        return std::move(draft_);
    }

private:
    void header() {
        Plan& plan = draft_.plan;
        plan.drill_version = options_.drill_version;
        plan.experiment = experiment_.name;
        plan.title = experiment_.title;
        plan.service = experiment_.service;
        plan.definition_sha256 = sha256_hex(experiment_.bytes);
        plan.catalog_sha256 = sha256_hex(catalog_.bytes);
        plan.environment = catalog_.environment;
        plan.environment_class = catalog_.environment_class;
        plan.contact = catalog_.contact;
        plan.seed = options_.seed;
        plan.longest = experiment_.limit.longest;
        plan.lease_ttl = experiment_.limit.lease;
        plan.probes = experiment_.probes;
        plan.hypotheses = experiment_.hypotheses;
        plan.halts = experiment_.halts;
        if (plan.longest <= Nanos{0}) {
            problems_.add(Code::invalid, "no limit on time: set limit.longest");
        }
        if (plan.lease_ttl <= Nanos{0}) {
            problems_.add(Code::invalid, "limit.lease must be longer than nothing");
        }
        if (experiment_.steps.empty()) { problems_.add(Code::invalid, "there is no step"); }
    }

    void objectives() {
        Plan& plan = draft_.plan;
        const Service* service = nullptr;
        for (const Service& candidate : catalog_.services) {
            if (candidate.name == experiment_.service) { service = &candidate; }
        }
        if (service == nullptr && !experiment_.service.empty()) {
            problems_.add(Code::invalid, "no service `" + experiment_.service + "` in the catalog");
        }
        plan.rto = experiment_.rto;
        plan.rpo = experiment_.rpo;
        if (plan.rto) { plan.rto_from = "experiment"; }
        if (!plan.rto && service != nullptr && service->rto) {
            plan.rto = service->rto;
            plan.rto_from = "service " + service->name;
        }
        const bool marker =
            std::any_of(experiment_.probes.begin(), experiment_.probes.end(),
                        [](const ProbeSpec& probe) { return probe.kind == "marker"; });
        if (experiment_.rpo && !marker) {
            problems_.add(Code::invalid,
                          "objective rpo needs a probe of kind marker, which writes "
                          "numbered rows; without it nothing can be measured");
        }
        if (!plan.rpo && service != nullptr) { plan.rpo = service->rpo; }
    }

    void pick_targets() {
        for (const TargetSpec& target : experiment_.targets) {
            auto matches = select_hosts(target.match, catalog_);
            if (!matches) {
                problems_.add(std::move(matches).error().at("target " + target.name));
                continue;
            }
            auto picked =
                pick_hosts(target.pick, *std::move(matches), seed_for(options_.seed, target.name));
            if (!picked) {
                problems_.add(std::move(picked).error().at("target " + target.name));
                continue;
            }
            targets_.push_back({&target, *std::move(picked)});
        }
    }

    void order() {
        auto after = resolve_after(experiment_.steps);
        if (!after) {
            problems_.add(after.error());
            after_.resize(experiment_.steps.size());
            return;
        }
        after_ = *std::move(after);
    }

    DraftHost& host(const std::string& name) {
        const auto [place, is_new] = draft_.hosts.try_emplace(name);
        if (!is_new) { return place->second; }
        for (const CatalogHost& candidate : catalog_.hosts) {
            if (candidate.name != name) { continue; }
            place->second.connection = candidate.connection;
            place->second.connection.host = name;
            place->second.labels = candidate.labels;
        }
        return place->second;
    }

    void add_step(const StepSpec& spec) {
        const std::string where = "step " + spec.name;
        const Kind* kind = find_kind(kinds_, spec.fault);
        if (kind == nullptr) {
            problems_.add(Code::invalid, "there is no fault `" + spec.fault + "` (" + where + ")");
            return;
        }
        const PickedTarget* target = nullptr;
        for (const PickedTarget& candidate : targets_) {
            if (candidate.spec->name == spec.on) { target = &candidate; }
        }
        if (target == nullptr) {
            const bool declared =
                std::any_of(experiment_.targets.begin(), experiment_.targets.end(),
                            [&](const TargetSpec& one) { return one.name == spec.on; });
            if (!declared) {
                problems_.add(Code::invalid,
                              "there is no target `" + spec.on + "` (" + where + ")");
            }
            return;
        }
        if (spec.hold > draft_.plan.longest) {
            problems_.add(Code::refused,
                          where + " holds for " + show_duration(spec.hold) +
                              ", the limit is longest = " + show_duration(draft_.plan.longest));
        } else if (kind->ending != Ending::instant && !spec.cuts_control &&
                   spec.hold + before_the_limit > draft_.plan.longest) {
            // Its lease would end it before the last look, and such a run is INVALID.
            problems_.add(
                Code::refused,
                where + " holds for " + show_duration(spec.hold) +
                    ": too close to the limit, longest = " + show_duration(draft_.plan.longest) +
                    "; give it at least " + show_duration(spec.hold + before_the_limit));
        }
        DraftStep step{kind, target->hosts, {}, {}, data_at_risk(*kind, target->hosts)};
        add_shape(spec, step);
        for (const std::string& name : target->hosts) {
            DraftHost& changed = host(name);
            changed.kinds.insert(std::string(kind->name));
            for (std::string& tool : words_of(kind->needs)) { changed.tools.insert(tool); }
            changed.needed = true;
        }
        add_peers(spec, step);
        spell_out_return(spec, *kind, target->hosts);
        const auto index = static_cast<std::size_t>(&spec - experiment_.steps.data());
        draft_.plan.steps.push_back(PlannedStep{spec.name,
                                                spec.fault,
                                                spec.on,
                                                spec.with,
                                                spec.hold,
                                                after_[index],
                                                spec.cuts_control,
                                                {},
                                                spec.on_partial});
        draft_.steps.push_back(std::move(step));
    }

    /// A member of a group that shares state does not come back because nobody thought of it.
    void spell_out_return(const StepSpec& spec, const Kind& kind,
                          const std::vector<std::string>& hosts) {
        const bool asks = std::any_of(kind.params.begin(), kind.params.end(),
                                      [](const Param& param) { return param.name == "return"; });
        if (!asks || spec.with.contains("return")) { return; }
        for (const Service& service : catalog_.services) {
            if (!service.stateful) { continue; }
            const auto members = select_hosts(service.hosts, catalog_);
            if (!members) { continue; }  // the loader has told it
            for (const std::string& name : *members) {
                if (std::find(hosts.begin(), hosts.end(), name) == hosts.end()) { continue; }
                problems_.add(Code::refused, "step " + spec.name + ": " + name +
                                                 " is a member of " + service.name +
                                                 ", which is stateful in the catalog; say `return`"
                                                 " = \"always\" or what else the kind allows");
                return;
            }
        }
    }

    /// Hosts that the shape leaves alone are not changed; they are peers all the same.
    void add_shape(const StepSpec& spec, DraftStep& step) {
        const auto* shape = value_of<std::string>(spec.with, step.kind->shape_param);
        if (step.kind->shape_param.empty() || shape == nullptr || shape->empty()) { return; }
        auto cut = cut_by_shape(*shape, step.hosts, seed_for(options_.seed, spec.name));
        if (!cut) {
            problems_.add(std::move(cut).error().at("step " + spec.name));
            return;
        }
        for (const std::string& name : step.hosts) { know(name); }
        step.peers = step.hosts;
        step.peers_of = *std::move(cut);
        std::erase_if(step.hosts,
                      [&](const std::string& name) { return step.peers_of.at(name).empty(); });
    }

    /// Of each host the stateful service that this kind may hurt there.
    [[nodiscard]] std::map<std::string, std::string> data_at_risk(
        const Kind& kind, const std::vector<std::string>& hosts) const {
        std::map<std::string, std::string> found;
        if (!kind.harms_data) { return found; }
        for (const Service& service : catalog_.services) {
            if (!service.stateful) { continue; }
            const auto members = select_hosts(service.hosts, catalog_);
            if (!members) { continue; }  // the loader has told it
            for (const std::string& name : *members) {
                const bool hit = std::find(hosts.begin(), hosts.end(), name) != hosts.end();
                if (hit) { found.emplace(name, service.name); }
            }
        }
        return found;
    }

    void add_peers(const StepSpec& spec, DraftStep& step) {
        if (step.kind->peers_param.empty()) { return; }
        const auto* from = value_of<Selection>(spec.with, step.kind->peers_param);
        if (from == nullptr) { return; }
        auto peers = select_hosts(*from, catalog_);
        if (!peers) {
            problems_.add(std::move(peers).error().at("step " + spec.name + ", " +
                                                      std::string(step.kind->peers_param)));
            return;
        }
        step.peers = *std::move(peers);
        for (const std::string& name : step.peers) { know(name); }
    }

    /// A peer's addresses: the catalog's, else it is asked.
    void know(const std::string& name) {
        DraftHost& peer = host(name);
        for (const CatalogHost& candidate : catalog_.hosts) {
            if (candidate.name == name && !candidate.addresses.empty()) {
                draft_.addresses[name] = candidate.addresses;
            }
        }
        peer.needed = peer.needed || !draft_.addresses.contains(name);
    }

    void vantage_points() {
        for (const ProbeSpec& probe : experiment_.probes) {
            const ProbeKind* kind = find_probe_kind(probes_, probe.kind);
            if (kind == nullptr) {
                problems_.add(Code::invalid, "there is no probe kind `" + probe.kind + "` (probe " +
                                                 probe.name + ")");
                continue;
            }
            if (kind->compose == nullptr) { continue; }
            auto question = kind->compose(probe.params);
            if (!question) {
                problems_.add(std::move(question).error().at("probe " + probe.name));
                continue;
            }
            const auto* command = std::get_if<CommandQuestion>(&*question);
            if (command == nullptr || command->on.empty()) { continue; }
            Selection one;
            one.hosts = {command->on};
            if (auto known = select_hosts(one, catalog_); !known) {
                problems_.add(std::move(known).error().at("probe " + probe.name));
                continue;
            }
            host(command->on).needed = true;
        }
    }

    void limit() {
        std::vector<PickedTarget> used;
        for (const PickedTarget& target : targets_) {
            const bool on =
                std::any_of(experiment_.steps.begin(), experiment_.steps.end(),
                            [&](const StepSpec& s) { return s.on == target.spec->name; });
            if (on) { used.push_back(target); }
        }
        auto limit = limit_in_force(experiment_.limit, catalog_, used);
        if (!limit) {
            problems_.add(limit.error());
            return;
        }
        draft_.plan.limit_hosts = limit->hosts;
        draft_.plan.limit_says = limit->says;
        draft_.plan.group = limit->group;
        for (const std::string& name : limit->group) { host(name).counted = true; }
    }

    const Catalog& catalog_;
    const Experiment& experiment_;
    Kinds kinds_;
    ProbeKinds probes_;
    const PlannerOptions& options_;
    Problems& problems_;
    Draft draft_;
    std::vector<PickedTarget> targets_;
    std::vector<std::vector<After>> after_;
};

}  // namespace

void Problems::add(const Error& error) {
    add(error.code == Code::invalid ? Code::invalid : Code::refused, error.text());
}

void Problems::add(Code kind, std::string reason) {
    if (kind == Code::invalid) { code = Code::invalid; }
    if (std::find(reasons.begin(), reasons.end(), reason) == reasons.end()) {
        reasons.push_back(std::move(reason));
    }
}

Error Problems::error() const {
    DRILL_ASSERT(!reasons.empty());
    if (reasons.size() == 1) { return fail(code, reasons.front()); }
    std::string text =
        "the plan is not runnable for " + std::to_string(reasons.size()) + " reasons";
    for (const std::string& reason : reasons) { text += "\n  - " + reason; }
    return fail(code, std::move(text));
}

Result<Draft> draft_from(const Catalog& catalog, const Experiment& experiment, Kinds kinds,
                         ProbeKinds probes, const PlannerOptions& options, Problems& problems) {
    Draft draft = Drafting(catalog, experiment, kinds, probes, options, problems).make();
    if (!problems.reasons.empty()) { return problems.error(); }
    return draft;
}

Result<Draft> draft_from(const Plan& approved, Kinds kinds, Problems& problems) {
    Draft draft;
    draft.plan = approved;
    draft.plan.hash.clear();
    draft.plan.hosts.clear();
    for (const auto& [name, planned] : approved.hosts) {
        DraftHost& host = draft.hosts[name];
        host.connection = planned.connection;
        host.labels = planned.labels;
        host.needed = !planned.identity.empty();
    }
    for (PlannedStep& step : draft.plan.steps) {
        const Kind* kind = find_kind(kinds, step.kind);
        if (kind == nullptr) {
            problems.add(Code::invalid, "there is no fault `" + step.kind + "` (step " + step.name +
                                            "); the plan is of drill " + approved.drill_version);
            continue;
        }
        DraftStep drafted{kind, {}, {}, {}, {}};
        const bool shaped = !kind->shape_param.empty() &&
                            value_of<std::string>(step.params, kind->shape_param) != nullptr;
        std::set<std::string> peers;
        for (const PlannedChange& change : step.changes) {
            drafted.hosts.push_back(change.host);
            if (!change.data_of.empty()) { drafted.data_of[change.host] = change.data_of; }
            DraftHost& host = draft.hosts[change.host];
            host.kinds.insert(step.kind);
            for (std::string& tool : words_of(kind->needs)) { host.tools.insert(tool); }
            host.needed = true;
            for (const Peer& peer : change.peers) {
                peers.insert(peer.host);
                if (shaped) { drafted.peers_of[change.host].push_back(peer.host); }
                std::vector<std::string>& known = draft.addresses[peer.host];
                known.insert(known.end(), peer.addresses.begin(), peer.addresses.end());
            }
        }
        drafted.peers.assign(peers.begin(), peers.end());
        draft.steps.push_back(std::move(drafted));
        step.changes.clear();
    }
    for (const std::string& name : approved.group) { draft.hosts[name].counted = true; }
    for (const auto& [name, host] : draft.hosts) {
        if (host.asked() && host.connection.address.empty() &&
            host.connection.transport != "local") {
            problems.add(Code::invalid, "the plan does not say how " + name + " is reached");
        }
    }
    if (!problems.reasons.empty()) { return problems.error(); }
    return draft;
}

}  // namespace drill
