// An experiment: its tables one by one, then what holds between them. See loader.hpp for the
// keys; order.cpp finds steps that wait for each other. Longer than 600 lines because each table
// is read here from its first key to its last, in the order of the file.
#include "base/text.hpp"
#include "config/codes.hpp"
#include "config/files.hpp"
#include "config/loader.hpp"
#include "config/order.hpp"
#include "config/params.hpp"
#include "config/predicate.hpp"
#include "config/reader.hpp"

#include <algorithm>
#include <map>

namespace drill {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Nanos longest_fault = hours{24};  // whoever needs more needs no drill
constexpr Nanos longest_objective = hours{24 * 30};
constexpr Nanos shortest_hold = milliseconds{100};
constexpr Nanos shortest_lease = seconds{3};  // renewed at a third of it, over a slow link
constexpr Nanos longest_lease = minutes{10};  // how long a fault may outlive its controller
constexpr Nanos shortest_interval = milliseconds{1};
constexpr Nanos longest_interval = hours{1};
constexpr Nanos longest_timeout = minutes{5};
constexpr Nanos longest_regain = hours{24};
constexpr Nanos longest_calm = hours{1};  // regain.hold: the run only waits meanwhile
constexpr std::int64_t most_limit_hosts = 10'000;
constexpr std::int64_t whole_ppm = 1'000'000;

struct Sources {
    Kinds kinds;
    ProbeKinds probe_kinds;
    const Catalog* catalog;
};

class ExperimentReader {
public:
    ExperimentReader(Sources sources, Report& report) : sources_(sources), report_(report) {}

    Experiment read(const Node& root);

private:
    void heading(TableReader& top);
    void objective(TableReader& top);
    void limit(TableReader& top);
    void targets(TableReader& top);
    void target(const Member& member);
    Pick pick(const Node& node);
    void probe(const Node& node);
    void probe_kind(TableReader& table, ProbeSpec& probe);
    void hypothesis(const Node& node);
    void regain(const Node& node, HypothesisSpec& hypothesis);
    void integrity(const Node& node, HypothesisSpec& hypothesis);
    void halt(const Node& node);
    void step(const Node& node);
    void fault(TableReader& table, StepSpec& step);
    void hold(TableReader& table, const Kind* kind, StepSpec& step);
    void after(TableReader& table, StepSpec& step);
    void note_places(const Node& node, StepSpec& step);
    void whole();

    /// The name of a probe that exists; "" otherwise.
    std::string probe_name(TableReader& table);
    std::optional<Predicate> predicate(TableReader& table, std::string_view key, bool needed,
                                       const std::string& probe);
    void unique(const std::string& name, Spot spot, std::map<std::string, Spot>& names,
                std::string_view what);
    template <class Each>
    void each(TableReader& top, std::string_view key, Each read_one);

    Sources sources_;
    Report& report_;
    Experiment out_;
    std::map<std::string, Spot> target_names_;
    std::map<std::string, Spot> probe_names_;
    std::map<std::string, Spot> step_names_;
    std::map<std::string, bool> target_used_;
    std::vector<StepOrder> orders_;
    bool steps_given_{false};
    bool hypotheses_given_{false};
};

std::vector<std::string> keys_of(const std::map<std::string, Spot>& names) {
    std::vector<std::string> keys;
    keys.reserve(names.size());
    for (const auto& [name, spot] : names) { keys.push_back(name); }
    return keys;
}

std::vector<std::string> names_of(auto kinds) {
    std::vector<std::string> names;
    for (const auto* kind : kinds) { names.emplace_back(kind->name); }
    return names;
}

Experiment ExperimentReader::read(const Node& root) {
    TableReader top(report_, root, "");
    heading(top);
    objective(top);
    limit(top);
    targets(top);
    each(top, "probe", [&](const Node& node) { probe(node); });
    // Steps are named before they are read: `after` may look ahead.
    if (const Node* steps = top.get("step")) {
        for (const Node& node : steps->items) {
            const Member* name = node.find("name");
            const bool named = name != nullptr && name->value.type == Node::Type::text;
            if (named) { unique(name->value.text, name->value.spot, step_names_, "step"); }
        }
    }
    each(top, "hypothesis", [&](const Node& node) { hypothesis(node); });
    each(top, "halt", [&](const Node& node) { halt(node); });
    each(top, "step", [&](const Node& node) { step(node); });
    steps_given_ = root.find("step") != nullptr;
    hypotheses_given_ = root.find("hypothesis") != nullptr;
    whole();
    top.close(TableReader::Show::tables);
    return std::move(out_);
}

/// Each table of an array of tables `[[key]]`.
template <class Each>
void ExperimentReader::each(TableReader& top, std::string_view key, Each read_one) {
    const Node* node = top.get(key);
    if (node == nullptr) { return; }
    if (node->type == Node::Type::table) {
        report_.error(codes::wrong_type, node->spot,
                      "[" + std::string(key) + "] must be written [[" + std::string(key) + "]]",
                      "there may be more than one of them");
        return;
    }
    if (!has_type(report_, *node, key, Node::Type::array)) { return; }
    for (const Node& item : node->items) {
        if (has_type(report_, item, key, Node::Type::table)) { read_one(item); }
    }
}

void ExperimentReader::unique(const std::string& name, Spot spot,
                              std::map<std::string, Spot>& names, std::string_view what) {
    const auto [found, fresh] = names.emplace(name, spot);
    if (fresh) { return; }
    report_.error(codes::duplicate_name, spot,
                  "two " + std::string(what) + "s have the name " + ticked(name),
                  "first used at line " + std::to_string(found->second.line) + ", column " +
                      std::to_string(found->second.column));
}

void ExperimentReader::heading(TableReader& top) {
    const Node* node = top.get("experiment");
    if (node == nullptr) {
        report_.error(codes::missing_table, {}, "the file has no [experiment]",
                      "[experiment]\nname = \"orders-backend-loss\"");
        return;
    }
    if (!has_type(report_, *node, "experiment", Node::Type::table)) { return; }
    TableReader table(report_, *node, "[experiment]");
    if (const Node* name = table.need("name", "name = \"orders-backend-loss\"")) {
        out_.name = read_name(report_, *name, "name").value_or("");
    }
    out_.title = out_.name;
    if (const Node* title = table.get("title")) {
        out_.title = read_text(report_, *title, "title").value_or("");
    }
    const Node* service = table.get("service");
    if (service != nullptr) { out_.service = read_name(report_, *service, "service").value_or(""); }
    table.close();
    if (out_.service.empty() || sources_.catalog == nullptr) { return; }
    std::vector<std::string> known;
    for (const Service& one : sources_.catalog->services) { known.push_back(one.name); }
    if (std::find(known.begin(), known.end(), out_.service) == known.end()) {
        report_.error(codes::unknown_service, service->spot,
                      "the catalog has no service " + ticked(out_.service),
                      report_.did_you_mean(out_.service, known,
                                           known.empty() ? "it has no [service.NAME] at all"
                                                         : "services are " + one_of(known)));
    }
}

void ExperimentReader::objective(TableReader& top) {
    const Node* node = top.get("objective");
    if (node == nullptr || !has_type(report_, *node, "objective", Node::Type::table)) { return; }
    TableReader table(report_, *node, "[objective]");
    if (const Node* rto = table.get("rto")) {
        out_.rto = read_duration(report_, *rto, "rto", spans(milliseconds{1}, longest_objective));
    }
    if (const Node* rpo = table.get("rpo")) {
        out_.rpo = read_duration(report_, *rpo, "rpo", spans(Nanos{0}, longest_objective));
        report_.error(codes::rpo_without_marker, rpo->spot,
                      "an rpo objective needs the marker writer, which this version does not have",
                      "take it out; the catalog may keep its rpo, it is shown as \"not measured\"");
    }
    table.close();
}

void ExperimentReader::limit(TableReader& top) {
    const Node* node = top.get("limit");
    if (node == nullptr) {
        report_.error(codes::missing_table, {}, "the file has no [limit]",
                      "[limit]\nhosts   = 1\nlongest = \"5m\"");
        return;
    }
    if (!has_type(report_, *node, "limit", Node::Type::table)) { return; }
    TableReader table(report_, *node, "[limit]");
    LimitSpec& limit = out_.limit;
    limit.place = report_.place(node->spot);
    const Node* hosts = table.get("hosts");
    const Node* share = table.get("share");
    if (hosts != nullptr) {
        limit.hosts = read_integer(report_, *hosts, "hosts", {1, most_limit_hosts}).value_or(0);
    }
    if (share != nullptr) { limit.share = read_percent(report_, *share, "share", {1, whole_ppm}); }
    if (hosts == nullptr && share == nullptr) {
        report_.error(codes::no_limit, node->spot,
                      "[limit] says neither `hosts` nor `share`: how much may be hit at a time?",
                      "hosts = 1");
    }
    if (const Node* of = table.get("of")) {
        limit.of = read_selection(report_, *of, "of", sources_.catalog);
    }
    if (const Node* longest = table.need("longest", "longest = \"5m\"")) {
        limit.longest =
            read_duration(report_, *longest, "longest", spans(seconds{1}, longest_fault))
                .value_or(Nanos{0});
    }
    if (const Node* lease = table.get("lease")) {
        limit.lease = read_duration(report_, *lease, "lease", spans(shortest_lease, longest_lease))
                          .value_or(limit.lease);
    }
    table.close();
}

void ExperimentReader::targets(TableReader& top) {
    const Node* node = top.get("target");
    if (node == nullptr || !has_type(report_, *node, "target", Node::Type::table)) { return; }
    for (const Member& member : node->members) {
        if (has_type(report_, member.value, member.key, Node::Type::table)) { target(member); }
    }
}

void ExperimentReader::target(const Member& member) {
    TableReader table(report_, member.value, "[target." + member.key + "]");
    const bool named = check_name(report_, member.key, member.spot, "a target");
    TargetSpec target;
    target.name = member.key;
    target.place = report_.place(member.value.spot);
    if (const Node* match = table.need("match", "match = { role = \"...\" }")) {
        target.match =
            read_selection(report_, *match, "match", sources_.catalog).value_or(Selection{});
    }
    if (const Node* node = table.need("pick", "pick = 1")) { target.pick = pick(*node); }
    table.close();
    target_names_.emplace(member.key, member.spot);
    if (named) { out_.targets.push_back(std::move(target)); }
}

Pick ExperimentReader::pick(const Node& node) {
    Pick pick;
    if (node.type == Node::Type::integer) {
        pick.count = read_integer(report_, node, "pick", {1, most_limit_hosts}).value_or(0);
        return pick;
    }
    if (node.type == Node::Type::text && node.text == "all") {
        pick.how = Pick::How::all;
        return pick;
    }
    if (node.type == Node::Type::text && node.text.find('%') != std::string::npos) {
        pick.how = Pick::How::percent;
        pick.percent = read_percent(report_, node, "pick", {1, whole_ppm}).value_or(Percent{});
        return pick;
    }
    report_.error(codes::wrong_type, node.spot, "`pick` must be a count, a percentage or \"all\"",
                  "pick = 1, pick = \"50%\" or pick = \"all\"");
    return pick;
}

void ExperimentReader::probe(const Node& node) {
    TableReader table(report_, node, "[[probe]]");
    ProbeSpec probe;
    if (const Node* name = table.need("name", "name = \"order\"")) {
        probe.name = read_name(report_, *name, "name").value_or("");
        if (!probe.name.empty()) { unique(probe.name, name->spot, probe_names_, "probe"); }
    }
    if (const Node* every = table.need("every", "every = \"1s\"")) {
        probe.every =
            read_duration(report_, *every, "every", spans(shortest_interval, longest_interval))
                .value_or(Nanos{0});
    }
    if (const Node* timeout = table.need("timeout", "timeout = \"1s\"")) {
        probe.timeout =
            read_duration(report_, *timeout, "timeout", spans(shortest_interval, longest_timeout))
                .value_or(Nanos{0});
    }
    probe_kind(table, probe);
    out_.probes.push_back(std::move(probe));
}

/// The kind and its parameters; closes the table when the kind is known.
void ExperimentReader::probe_kind(TableReader& table, ProbeSpec& probe) {
    const std::vector<std::string> names = names_of(sources_.probe_kinds);
    const Node* node = table.need("kind", "kind = " + one_of(names));
    const std::optional<std::string> name =
        node == nullptr ? std::nullopt : read_text(report_, *node, "kind");
    if (!name) { return; }
    for (const ProbeKind* kind : sources_.probe_kinds) {
        if (kind->name != *name) { continue; }
        probe.kind = *name;
        read_params(table, kind->params, sources_.catalog, probe.params);
        table.close();
        return;
    }
    report_
        .error(codes::unknown_probe_kind, node->spot, "unknown kind of probe " + ticked(*name),
               report_.did_you_mean(*name, names, "it is one of " + one_of(names)))
        .label = "no such kind";
}

std::string ExperimentReader::probe_name(TableReader& table) {
    const Node* node = table.need("probe", "probe = \"NAME\" of a [[probe]]");
    const std::optional<std::string> name =
        node == nullptr ? std::nullopt : read_text(report_, *node, "probe");
    if (!name) { return ""; }
    if (probe_names_.contains(*name)) { return *name; }
    const std::vector<std::string> known = keys_of(probe_names_);
    report_.error(codes::unknown_probe, node->spot, "there is no probe " + ticked(*name),
                  report_.did_you_mean(
                      *name, known,
                      known.empty() ? "the file has no [[probe]]" : "probes are " + one_of(known)));
    return "";
}

std::optional<Predicate> ExperimentReader::predicate(TableReader& table, std::string_view key,
                                                     bool needed, const std::string& probe) {
    const Node* node = needed ? table.need(key, std::string(key) + " = \"success < 20% for 20s\"")
                              : table.get(key);
    if (node == nullptr) { return std::nullopt; }
    std::optional<Predicate> found = read_predicate(report_, *node, key);
    if (!found || !found->span) { return found; }
    for (const ProbeSpec& spec : out_.probes) {
        if (spec.name != probe || *found->span >= spec.every) { continue; }
        report_.error(codes::out_of_range, node->spot,
                      ticked(key) + " looks at " + format_duration(*found->span) + ", yet " +
                          ticked(probe) + " asks only every " + format_duration(spec.every),
                      "the span must cover at least one question");
        break;
    }
    return found;
}

void ExperimentReader::hypothesis(const Node& node) {
    TableReader table(report_, node, "[[hypothesis]]");
    HypothesisSpec hypothesis;
    hypothesis.probe = probe_name(table);
    hypothesis.before = predicate(table, "before", false, hypothesis.probe);
    hypothesis.during = predicate(table, "during", false, hypothesis.probe);
    if (const Node* regained = table.get("regain")) { regain(*regained, hypothesis); }
    if (const Node* right = table.get("integrity")) { integrity(*right, hypothesis); }
    table.close();
    const bool judges = node.find("before") != nullptr || node.find("during") != nullptr ||
                        node.find("regain") != nullptr || node.find("integrity") != nullptr;
    if (!judges) {
        report_.error(codes::judges_nothing, node.spot,
                      "this hypothesis has neither `before`, `during`, `regain` nor `integrity`",
                      "during = \"success >= 90%\"");
    }
    out_.hypotheses.push_back(std::move(hypothesis));
}

void ExperimentReader::regain(const Node& node, HypothesisSpec& hypothesis) {
    if (!has_type(report_, node, "regain", Node::Type::table)) { return; }
    TableReader table(report_, node, "`regain`");
    Regain regain;
    if (const Node* within = table.need("within", "within = \"10s\"")) {
        regain.within =
            read_duration(report_, *within, "within", spans(milliseconds{1}, longest_regain))
                .value_or(Nanos{0});
    }
    if (const Node* hold = table.need("hold", "hold = \"5s\"")) {
        regain.hold = read_duration(report_, *hold, "hold", spans(milliseconds{1}, longest_calm))
                          .value_or(Nanos{0});
    }
    if (const Node* from = table.get("from")) {
        const std::vector<std::string> choices{"fault", "undo"};
        const bool undo = read_choice(report_, *from, "from", choices) == "undo";
        regain.from = undo ? Regain::From::undo : Regain::From::fault;
    }
    table.close();
    hypothesis.regain = regain;
}

void ExperimentReader::integrity(const Node& node, HypothesisSpec& hypothesis) {
    hypothesis.integrity =
        read_duration(report_, node, "integrity", spans(milliseconds{1}, longest_calm));
    for (const ProbeSpec& spec : out_.probes) {
        const Nanos least = spec.every * 5;  // three answers are judged, two may lie on the edges
        const Nanos given = hypothesis.integrity.value_or(least);
        if (spec.name != hypothesis.probe || given >= least) { continue; }
        report_.error(codes::out_of_range, node.spot,
                      "`integrity` is too short for " + ticked(spec.name) + " to answer",
                      "integrity = \"" + format_duration(least) + "\" or longer");
    }
}

void ExperimentReader::halt(const Node& node) {
    TableReader table(report_, node, "[[halt]]");
    HaltSpec halt;
    halt.probe = probe_name(table);
    const std::optional<Predicate> when = predicate(table, "when", true, halt.probe);
    table.close();
    if (!when) { return; }
    if (!when->span) {
        report_.error(codes::halt_without_span, node.find("when")->value.spot,
                      "a halt must say for how long its condition holds",
                      "when = \"" + when->text + " for 20s\"");
        return;
    }
    halt.when = *when;
    out_.halts.push_back(std::move(halt));
}

void ExperimentReader::step(const Node& node) {
    TableReader table(report_, node, "[[step]]");
    StepSpec step;
    step.place = report_.place(node.spot);
    note_places(node, step);
    if (const Node* name = table.need("name", "name = \"cut-off\"")) {
        step.name = read_name(report_, *name, "name").value_or("");
    }
    if (const Node* on = table.need("on", "on = \"NAME\" of a [target.NAME]")) {
        step.on = read_text(report_, *on, "on").value_or("");
        target_used_[step.on] = true;
        if (on->type == Node::Type::text && !target_names_.contains(step.on)) {
            const std::vector<std::string> known = keys_of(target_names_);
            report_.error(codes::unknown_target, on->spot, "there is no target " + ticked(step.on),
                          report_.did_you_mean(step.on, known,
                                               known.empty() ? "the file has no [target.NAME]"
                                                             : "targets are " + one_of(known)));
        }
    }
    fault(table, step);
    after(table, step);
    if (const Node* cuts = table.get("cuts_control")) {
        step.cuts_control = read_boolean(report_, *cuts, "cuts_control").value_or(false);
    }
    if (const Node* partial = table.get("on_partial")) {
        static const std::vector<std::string> choices{"undo", "continue"};
        const bool go_on = read_choice(report_, *partial, "on_partial", choices) == "continue";
        step.on_partial = go_on ? OnPartial::go_on : OnPartial::undo;
    }
    table.close();
    out_.steps.push_back(std::move(step));
}

/// The fault, its parameters and how long it is held.
void ExperimentReader::fault(TableReader& table, StepSpec& step) {
    const std::vector<std::string> names = names_of(sources_.kinds);
    const Node* node = table.need("fault", "fault = " + one_of(names));
    const Node* with = table.get("with");
    const std::optional<std::string> name =
        node == nullptr ? std::nullopt : read_text(report_, *node, "fault");
    const Kind* kind = name ? find_kind(sources_.kinds, *name) : nullptr;
    if (name && kind == nullptr) {
        report_
            .error(codes::unknown_fault, node->spot, "unknown fault " + ticked(*name),
                   report_.did_you_mean(*name, names, "it is one of " + one_of(names)))
            .label = "no such fault";
    }
    hold(table, kind, step);
    if (kind == nullptr) { return; }
    step.fault = *name;
    Node absent;
    absent.spot = table.table().spot;
    if (with != nullptr && !has_type(report_, *with, "with", Node::Type::table)) { return; }
    TableReader inner(report_, with == nullptr ? absent : *with, "`with` of " + *name);
    read_params(inner, kind->params, sources_.catalog, step.with);
    inner.close();
}

void ExperimentReader::hold(TableReader& table, const Kind* kind, StepSpec& step) {
    // What ends in an instant has nothing to hold; of an unknown fault nothing is demanded.
    const bool needed = kind != nullptr && kind->ending != Ending::instant;
    const Node* node = needed ? table.need("hold", "hold = \"30s\"") : table.get("hold");
    if (node == nullptr) { return; }
    const std::optional<Nanos> length =
        read_duration(report_, *node, "hold", spans(shortest_hold, longest_fault));
    if (!length) { return; }
    step.hold = *length;
    if (out_.limit.longest.count() > 0 && *length > out_.limit.longest) {
        report_.error(codes::hold_too_long, node->spot,
                      "`hold` is " + format_duration(*length) + ", limit.longest is " +
                          format_duration(out_.limit.longest),
                      "shorten the one or raise the other");
    }
}

void ExperimentReader::after(TableReader& table, StepSpec& step) {
    StepOrder& order = orders_.emplace_back();
    order.name = step.name;
    order.spot = table.table().spot;
    const Node* node = table.get("after");
    if (node == nullptr) { return; }
    order.spot = node->spot;
    order.given = true;
    step.after.emplace();
    const std::optional<std::vector<std::string>> texts = read_texts(report_, *node, "after");
    if (!texts) { return; }
    const std::vector<std::string> known = keys_of(step_names_);
    for (std::size_t i = 0; i < texts->size(); ++i) {
        const Spot spot = node->items[i].spot;
        After one;
        const std::size_t colon = (*texts)[i].find(':');
        one.step = (*texts)[i].substr(0, colon);
        const std::string state =
            colon == std::string::npos ? "released" : (*texts)[i].substr(colon + 1);
        one.held = state == "held";
        const bool again = std::any_of(step.after->begin(), step.after->end(),
                                       [&](const After& other) { return other.step == one.step; });
        if (!step_names_.contains(one.step)) {
            report_.error(codes::unknown_step, spot, "there is no step " + ticked(one.step),
                          report_.did_you_mean(one.step, known, "steps are " + one_of(known)));
        } else if (state != "held" && state != "released") {
            const std::vector<std::string> states{"held", "released"};
            report_.error(
                codes::bad_choice, spot, "a step cannot be waited for until " + ticked(state),
                report_.did_you_mean(state, states,
                                     "write \"" + one.step + "\" or \"" + one.step + ":held\""));
        } else if (again) {
            report_.error(codes::duplicate_name, spot, ticked(one.step) + " is named twice");
        } else {
            order.after.push_back(one.step);
            step.after->push_back(std::move(one));
        }
    }
}

/// "hold", "with", "with.from" ...: the place of each value.
void ExperimentReader::note_places(const Node& node, StepSpec& step) {
    for (const Member& member : node.members) {
        step.places.insert_or_assign(member.key, report_.place(member.value.spot));
        if (member.key != "with") { continue; }
        for (const Member& inner : member.value.members) {
            step.places.insert_or_assign("with." + inner.key, report_.place(inner.value.spot));
        }
    }
}

/// What no single table can know.
void ExperimentReader::whole() {
    if (!steps_given_ || (out_.steps.empty() && !report_.failed())) {
        report_.error(codes::no_step, {}, "the file has no [[step]]: nothing would be done",
                      "[[step]]\nname  = \"cut-off\"\nfault = \"net-partition\"\non    = \"NAME\"");
    }
    if (!hypotheses_given_ || (out_.hypotheses.empty() && !report_.failed())) {
        report_.error(codes::no_hypothesis, {},
                      "the file has no [[hypothesis]]: nothing would be judged",
                      "[[hypothesis]]\nprobe  = \"NAME\"\nduring = \"success >= 90%\"");
    }
    for (const TargetSpec& target : out_.targets) {
        if (target_used_.contains(target.name)) { continue; }
        report_.warning(codes::unused_target,
                        {target.place.line, target.place.column, target.place.length},
                        "no step works on the target " + ticked(target.name));
    }
    report_cycles(orders_, report_);
}

LoadedExperiment read_experiment(const std::string& text, const std::string& file, Sources sources,
                                 Report& report) {
    LoadedExperiment loaded;
    if (const std::optional<Node> root = parse_document(text, experiment_caps, report)) {
        loaded.experiment = ExperimentReader(sources, report).read(*root);
    }
    loaded.experiment.file = file;
    loaded.experiment.bytes = text;
    loaded.diagnostics = report.take();
    return loaded;
}

}  // namespace

LoadedExperiment parse_experiment(const std::string& text, const std::string& file, Kinds kinds,
                                  ProbeKinds probe_kinds, const Catalog* catalog) {
    Report report(file);
    return read_experiment(text, file, {kinds, probe_kinds, catalog}, report);
}

LoadedExperiment load_experiment(const std::string& path, Kinds kinds, ProbeKinds probe_kinds,
                                 const Catalog* catalog) {
    Report report(path);
    const std::optional<std::string> text =
        read_file(path, experiment_caps.bytes, Writers::anyone, report);
    if (text) { return read_experiment(*text, path, {kinds, probe_kinds, catalog}, report); }
    LoadedExperiment loaded;
    loaded.experiment.file = path;
    loaded.diagnostics = report.take();
    return loaded;
}

}  // namespace drill
