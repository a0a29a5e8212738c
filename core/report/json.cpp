// See json.hpp. nlohmann's object keeps its keys sorted; parsing is done without exceptions.
#include "report/json.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <utility>
#include <vector>

namespace drill {

namespace {

using Json = nlohmann::json;
constexpr std::int64_t version = 1;
constexpr std::size_t longest = std::size_t{16} << 20U;

const char* word_of(Finding finding) {
    switch (finding) {
        case Finding::held: return "held";
        case Finding::broken: return "broken";
        case Finding::undecided: return "undecided";
    }
    return "undecided";
}

Json maybe(const std::optional<Nanos>& span) { return span ? Json(span->count()) : Json(nullptr); }

/// Reads members of one object and remembers the first that is wrong.
class Reader {
public:
    Reader(const Json& json, std::string path, std::string& wrong)
        : json_(json), path_(std::move(path)), wrong_(wrong) {
        if (!json.is_object()) { complain(""); }
    }
    void text(const char* name, std::string& out) {
        if (const Json* value = find(name)) {
            if (value->is_string()) {
                out = value->get<std::string>();
            } else {
                complain(name);
            }
        }
    }
    void text_or(const char* name, const char* absent, std::string& out) {
        out = absent;
        if (json_.is_object() && json_.contains(name)) { text(name, out); }
    }
    void flag(const char* name, bool& out) {
        if (const Json* value = find(name)) {
            if (value->is_boolean()) {
                out = value->get<bool>();
            } else {
                complain(name);
            }
        }
    }
    void span(const char* name, Nanos& out) {
        if (const Json* value = find(name)) {
            if (value->is_number_integer()) {
                out = Nanos{value->get<std::int64_t>()};
            } else {
                complain(name);
            }
        }
    }
    void span(const char* name, std::optional<Nanos>& out) {
        const Json* value = find(name);
        out.reset();
        if (value == nullptr || value->is_null()) { return; }
        Nanos read{0};
        span(name, read);
        out = read;
    }
    void finding(const char* name, Finding& out) {
        std::string word;
        text(name, word);
        for (const Finding one : {Finding::held, Finding::broken, Finding::undecided}) {
            if (word == word_of(one)) {
                out = one;
                return;
            }
        }
        complain(name);
    }
    void state(const char* name, LeaseState& out) {
        std::string word;
        text(name, word);
        for (const LeaseState one :
             {LeaseState::intended, LeaseState::armed, LeaseState::held, LeaseState::releasing,
              LeaseState::released, LeaseState::stuck, LeaseState::closed}) {
            if (word == name_of(one)) {
                out = one;
                return;
            }
        }
        complain(name);
    }
    void integrity(const char* name, Integrity& out) {
        std::string word;
        text(name, word);
        for (const Integrity one : {Integrity::not_applicable, Integrity::checked,
                                    Integrity::broken, Integrity::not_checked}) {
            if (word == name_of(one)) {
                out = one;
                return;
            }
        }
        complain(name);
    }
    void took(const char* name, ChangeOutcome& one) {
        one.took = one.bit ? Took::bit : one.applied ? Took::no_bite : Took::not_begun;
        if (!json_.is_object() || !json_.contains(name)) { return; }  // of an older program
        std::string word;
        text(name, word);
        for (const Took took : {Took::not_begun, Took::refused, Took::apply_failed,
                                Took::unanswered, Took::no_bite, Took::bit}) {
            if (word == name_of(took)) {
                one.took = took;
                return;
            }
        }
        complain(name);
    }
    void verdict(const char* name, Verdict& out) {
        std::string word;
        text(name, word);
        for (const Verdict one :
             {Verdict::passed, Verdict::failed, Verdict::usage, Verdict::refused, Verdict::halted,
              Verdict::invalid, Verdict::dirty, Verdict::rehearsed}) {
            if (word == name_of(one)) {
                out = one;
                return;
            }
        }
        complain(name);
    }
    template <class Item, class Read>
    void list(const char* name, std::vector<Item>& out, Read read) {
        const Json* value = find(name);
        if (value == nullptr) { return; }
        if (!value->is_array()) {
            complain(name);
            return;
        }
        for (std::size_t i = 0; i < value->size(); ++i) {
            Reader item((*value)[i], path_ + name + "[" + std::to_string(i) + "].", wrong_);
            Item one;
            read(item, one);
            out.push_back(std::move(one));
        }
    }
    void texts(const char* name, std::vector<std::string>& out) {
        const Json* value = find(name);
        if (value == nullptr) { return; }
        if (!value->is_array()) {
            complain(name);
            return;
        }
        for (const Json& item : *value) {
            if (item.is_string()) {
                out.push_back(item.get<std::string>());
            } else {
                complain(name);
            }
        }
    }

private:
    const Json* find(const char* name) {
        if (!json_.is_object()) { return nullptr; }
        const auto found = json_.find(name);
        if (found == json_.end()) {
            complain(name);
            return nullptr;
        }
        return &*found;
    }
    void complain(const char* name) {
        if (wrong_.empty()) { wrong_ = path_ + name; }
    }
    const Json& json_;
    std::string path_;
    std::string& wrong_;
};

Json hypotheses_json(const Outcome& outcome) {
    Json list = Json::array();
    for (const HypothesisOutcome& one : outcome.hypotheses) {
        list.push_back({{"claim", one.claim},
                        {"finding", word_of(one.finding)},
                        {"measured", one.measured},
                        {"part", one.part},
                        {"probe", one.probe}});
    }
    return list;
}

Json objectives_json(const Outcome& outcome) {
    Json list = Json::array();
    for (const ObjectiveOutcome& one : outcome.objectives) {
        list.push_back({{"finding", word_of(one.finding)},
                        {"measured", one.measured},
                        {"name", one.name},
                        {"objective_ns", one.objective.count()}});
    }
    return list;
}

Json outages_json(const Outcome& outcome) {
    Json list = Json::array();
    for (const Outage& one : outcome.outages) {
        list.push_back(
            {{"first_bad_ns", one.first_bad.count()},
             {"first_good_ns", maybe(one.first_good)},
             {"lower_ns", one.lower.count()},
             {"probe", one.probe},
             {"step", one.step},
             {"upper_ns", one.upper == unbounded ? Json(nullptr) : Json(one.upper.count())}});
    }
    return list;
}

Json changes_json(const Outcome& outcome) {
    Json list = Json::array();
    for (const ChangeOutcome& one : outcome.changes) {
        list.push_back({{"applied", one.applied},
                        {"bit", one.bit},
                        {"bite_at_ns", maybe(one.bite_at)},
                        {"check", one.check},
                        {"check_finding", word_of(one.check_finding)},
                        {"host", one.host},
                        {"kind", one.kind},
                        {"lease", one.lease},
                        {"note", one.note},
                        {"remark", one.remark},
                        {"overstay_ns", maybe(one.overstay)},
                        {"state", name_of(one.state)},
                        {"step", one.step},
                        {"took", name_of(one.took)},
                        {"undo_sent_ns", maybe(one.undo_sent)},
                        {"undone_at_ns", maybe(one.undone_at)}});
    }
    return list;
}

void read_outcome(Reader& in, Outcome& out) {
    in.verdict("verdict", out.verdict);
    in.text_or("fidelity", "real", out.fidelity);  // without: of an older program
    in.flag("incomplete", out.incomplete);
    in.text("ended_by", out.ended_by);
    in.texts("reasons", out.reasons);
    in.integrity("integrity", out.integrity);
    in.span("began_ns", out.began);
    in.span("ended_ns", out.ended);
    in.list("hypotheses", out.hypotheses, [](Reader& item, HypothesisOutcome& one) {
        item.text("probe", one.probe);
        item.text("part", one.part);
        item.text("claim", one.claim);
        item.finding("finding", one.finding);
        item.text("measured", one.measured);
    });
    in.list("objectives", out.objectives, [](Reader& item, ObjectiveOutcome& one) {
        item.text("name", one.name);
        item.span("objective_ns", one.objective);
        item.finding("finding", one.finding);
        item.text("measured", one.measured);
    });
    in.list("outages", out.outages, [](Reader& item, Outage& one) {
        std::optional<Nanos> upper;
        item.text("probe", one.probe);
        item.span("lower_ns", one.lower);
        item.span("upper_ns", upper);
        one.upper = upper.value_or(unbounded);
        item.span("first_bad_ns", one.first_bad);
        item.span("first_good_ns", one.first_good);
        item.text("step", one.step);
    });
    in.list("changes", out.changes, [](Reader& item, ChangeOutcome& one) {
        item.text("step", one.step);
        item.text("host", one.host);
        item.text("kind", one.kind);
        item.text("lease", one.lease);
        item.flag("applied", one.applied);
        item.flag("bit", one.bit);
        item.state("state", one.state);
        item.span("bite_at_ns", one.bite_at);
        item.span("undo_sent_ns", one.undo_sent);
        item.span("undone_at_ns", one.undone_at);
        item.span("overstay_ns", one.overstay);
        item.text("check", one.check);
        item.finding("check_finding", one.check_finding);
        item.text("note", one.note);
        item.text("remark", one.remark);
        item.took("took", one);
    });
}

}  // namespace

std::string outcome_to_json(const Outcome& outcome) {
    const Json json = {{"drill_outcome", version},
                       {"began_ns", outcome.began.count()},
                       {"changes", changes_json(outcome)},
                       {"ended_by", outcome.ended_by},
                       {"ended_ns", outcome.ended.count()},
                       {"fidelity", outcome.fidelity},
                       {"hypotheses", hypotheses_json(outcome)},
                       {"incomplete", outcome.incomplete},
                       {"integrity", name_of(outcome.integrity)},
                       {"objectives", objectives_json(outcome)},
                       {"outages", outages_json(outcome)},
                       {"reasons", outcome.reasons},
                       {"verdict", name_of(outcome.verdict)}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Outcome> outcome_from_json(std::string_view text) {
    if (text.size() > longest) { return fail(Code::invalid, "the outcome is longer than 16 MiB"); }
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) { return fail(Code::invalid, "the outcome is not a JSON object"); }
    const auto found = json.find("drill_outcome");
    if (found == json.end() || !found->is_number_integer()) {
        return fail(Code::invalid, "the outcome has no version (drill_outcome)");
    }
    if (found->get<std::int64_t>() > version) {
        return fail(Code::newer, "the outcome was written by a newer version of this program");
    }
    std::string wrong;
    Outcome outcome;
    Reader reader(json, "", wrong);
    read_outcome(reader, outcome);
    if (!wrong.empty()) {
        return fail(Code::invalid, "the outcome's member " + wrong + " is missing or wrong");
    }
    return outcome;
}

}  // namespace drill
