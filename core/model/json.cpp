// The model as JSON text and back, see json.hpp. Every struct is listed once, in `fields`, for
// both directions; the structured bindings there make a new member a compile error.
// Must not: let an exception out, or accept what it would not write. The tests are in
// tests/model/json_test.cpp. Longer than 600 lines because writer and reader are two halves of one
// rule for each member, and both are templates over the same `fields`.
#include "model/json.hpp"

#include "base/digest.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <charconv>
#include <concepts>
#include <limits>
#include <set>
#include <utility>

namespace drill {

namespace {

using nlohmann::json;

constexpr std::int64_t plan_schema = 1;
constexpr std::int64_t lease_schema = 1;
constexpr std::size_t deepest = 32;
constexpr std::size_t largest_plan = std::size_t{64} << 20U;
constexpr std::size_t largest_lease = std::size_t{16} << 20U;
constexpr std::size_t largest_body = std::size_t{64} << 20U;

/// T is U or const U: one `fields` serves the writer and the reader.
template <class T, class U>
concept Like = std::same_as<std::remove_const_t<T>, U>;

// ---- what each struct consists of -------------------------------------------------------------

void fields(auto& v, Like<Exec> auto& x) {
    auto& [argv, input] = x;
    v("argv", argv), v("input", input);
}

void fields(auto& v, Like<Stimulus> auto& x) {
    auto& [host, exec] = x;
    v("host", host), v("exec", exec);
}

void fields(auto& v, Like<Change> auto& x) {
    auto& [arm, apply, renew, undo, read_back, disarm, stimulate, check, check_within, check_claim,
           ending, lasting] = x;
    v("arm", arm), v("apply", apply), v("renew", renew), v("undo", undo);
    v("read_back", read_back), v("disarm", disarm), v("stimulate", stimulate);
    v("check", check), v("check_within_ns", check_within), v("check_claim", check_claim);
    v("ending", ending), v("lasting", lasting);
}

void fields(auto& v, Like<SecretSource> auto& x) {
    auto& [file, credential, command] = x;
    v("file", file), v("credential", credential), v("command", command);
}

void fields(auto& v, Like<Connection> auto& x) {
    auto& [host, transport, address, port, user, key_file, known_hosts, become, host_key, jumps,
           become_password] = x;
    v("host", host), v("transport", transport), v("address", address), v("port", port);
    v("user", user), v("key_file", key_file), v("known_hosts", known_hosts);
    v("become", become), v("host_key", host_key), v("jumps", jumps);
    v.if_set("become_password", become_password);
}

void fields(auto& v, Like<Peer> auto& x) {
    auto& [host, addresses] = x;
    v("host", host), v("addresses", addresses);
}

void fields(auto& v, Like<Selection> auto& x) {
    auto& [labels, hosts, all] = x;
    v("labels", labels), v("hosts", hosts), v("all", all);
}

void fields(auto& v, Like<Lease> auto& x) {
    auto& [id, run, step, kind, connection, change, state, boot_id, not_after, ttl, until,
           until_wall, controller_boot, note] = x;
    v("id", id), v("run", run), v("step", step), v("kind", kind);
    v("connection", connection), v("change", change), v("state", state), v("boot_id", boot_id);
    v("not_after_ns", not_after), v("ttl_ns", ttl), v("until_ns", until);
    v("until_wall_ms", until_wall), v("controller_boot", controller_boot), v("note", note);
}

void fields(auto& v, Like<Predicate> auto& x) {
    auto& [metric, compare, ppm, latency, span, text] = x;
    v("metric", metric), v("compare", compare), v("ppm", ppm), v("latency_ns", latency);
    v("span_ns", span), v("text", text);
}

void fields(auto& v, Like<Regain> auto& x) {
    auto& [within, hold, from] = x;
    v("within_ns", within), v("hold_ns", hold), v("from", from);
}

void fields(auto& v, Like<ProbeSpec> auto& x) {
    auto& [name, kind, params, every, timeout] = x;
    v("name", name), v("kind", kind), v("params", params);
    v("every_ns", every), v("timeout_ns", timeout);
}

void fields(auto& v, Like<HypothesisSpec> auto& x) {
    auto& [probe, before, during, regain, integrity] = x;
    v("probe", probe), v("before", before), v("during", during), v("regain", regain);
    v("integrity_ns", integrity);
}

void fields(auto& v, Like<HaltSpec> auto& x) {
    auto& [probe, when] = x;
    v("probe", probe), v("when", when);
}

void fields(auto& v, Like<After> auto& x) {
    auto& [step, held] = x;
    v("step", step), v("held", held);
}

void fields(auto& v, Like<PlannedHost> auto& x) {
    auto& [connection, labels, identity] = x;
    v("connection", connection), v("labels", labels), v("identity", identity);
}

void fields(auto& v, Like<PlannedChange> auto& x) {
    auto& [host, says, peers, change, data_of] = x;
    v("host", host), v("says", says), v("peers", peers), v("change", change);
    v("data_of", data_of);
}

void fields(auto& v, Like<PlannedStep> auto& x) {
    auto& [name, kind, target, params, hold, after, cuts_control, changes, on_partial] = x;
    v("name", name), v("kind", kind), v("target", target), v("params", params);
    v("hold_ns", hold), v("after", after), v("cuts_control", cuts_control);
    v("on_partial", on_partial);
    v("changes", changes);
}

/// All members but the hash, which is read and written by its own rule.
void fields(auto& v, Like<Plan> auto& x) {
    auto& [drill_version, experiment, title, service, definition_sha256, catalog_sha256,
           environment, environment_class, contact, seed, rto, rpo, rto_from, limit_hosts,
           limit_says, group, longest, lease_ttl, probes, hypotheses, halts, steps, hosts, hash] =
        x;
    v("drill_version", drill_version), v("experiment", experiment), v("title", title);
    v("service", service), v("definition_sha256", definition_sha256);
    v("catalog_sha256", catalog_sha256), v("environment", environment);
    v("environment_class", environment_class), v("contact", contact), v("seed", seed);
    v("rto_ns", rto), v("rpo_ns", rpo), v("rto_from", rto_from);
    v("limit_hosts", limit_hosts), v("limit_says", limit_says), v("group", group);
    v("longest_ns", longest), v("lease_ttl_ns", lease_ttl), v("probes", probes);
    v("hypotheses", hypotheses), v("halts", halts), v("steps", steps), v("hosts", hosts);
    static_cast<void>(hash);
}

// ---- names of enumerators ---------------------------------------------------------------------

template <class E>
struct Named {
    E value;
    std::string_view name;
};
template <class E>
Named(E, std::string_view) -> Named<E>;

template <class E>
constexpr std::array<Named<E>, 0> names_of{};
template <>
constexpr std::array names_of<OnPartial>{Named{OnPartial::undo, "undo"},
                                         Named{OnPartial::go_on, "continue"}};
template <>
constexpr std::array names_of<Ending>{
    Named{Ending::instant, "instant"}, Named{Ending::kernel, "kernel"},
    Named{Ending::holder, "holder"},   Named{Ending::watcher, "watcher"},
    Named{Ending::durable, "durable"}, Named{Ending::off_target, "off-target"}};
template <>
constexpr std::array names_of<Lasting>{Named{Lasting::transient, "transient"},
                                       Named{Lasting::stays, "stays"}};
template <>
constexpr std::array names_of<LeaseState>{
    Named{LeaseState::intended, "intended"}, Named{LeaseState::armed, "armed"},
    Named{LeaseState::held, "held"},         Named{LeaseState::releasing, "releasing"},
    Named{LeaseState::released, "released"}, Named{LeaseState::stuck, "stuck"},
    Named{LeaseState::closed, "closed"}};
template <>
constexpr std::array names_of<Predicate::Metric>{
    Named{Predicate::Metric::success, "success"}, Named{Predicate::Metric::p50, "p50"},
    Named{Predicate::Metric::p90, "p90"}, Named{Predicate::Metric::p95, "p95"},
    Named{Predicate::Metric::p99, "p99"}};
template <>
constexpr std::array names_of<Predicate::Compare>{
    Named{Predicate::Compare::ge, ">="}, Named{Predicate::Compare::gt, ">"},
    Named{Predicate::Compare::le, "<="}, Named{Predicate::Compare::lt, "<"}};
template <>
constexpr std::array names_of<Regain::From>{Named{Regain::From::fault, "fault"},
                                            Named{Regain::From::undo, "undo"}};

template <class T>
concept Enumerator = std::is_enum_v<T>;
template <class T>
concept Signed = std::same_as<T, int> || std::same_as<T, std::int64_t>;
// ---- writing ----------------------------------------------------------------------------------

struct Writer {
    json object = json::object();
    template <class T>
    void operator()(const char* name, const T& value);
    /// A member that came later: not written while it says nothing, so that what was written
    /// before, hashes included, stays the same.
    template <class T>
    void if_set(const char* name, const T& value);
};

json written(const std::string& text) { return json(text); }
json written(bool value) { return json(value); }
json written(std::uint16_t value) { return json(value); }
json written(Signed auto value) { return json(value); }
json written(std::uint64_t value) { return json(std::to_string(value)); }
json written(Nanos span) { return json(std::int64_t{span.count()}); }
json written(Wall wall) { return json(std::int64_t{wall.time_since_epoch().count()}); }

json written(Enumerator auto value) {
    for (const auto& named : names_of<decltype(value)>) {
        if (named.value == value) { return json(std::string(named.name)); }
    }
    DRILL_ASSERT(false);
    return json();
}

json written(const Value& value);
template <class T>
json written(const std::vector<T>& items);
template <class T>
json written(const std::map<std::string, T>& items);
template <class T>
json written(const std::optional<T>& value);

template <class T>
requires std::is_class_v<T> json written(const T& value) {
    Writer writer;
    fields(writer, value);
    return std::move(writer.object);
}

template <class T>
json written(const std::vector<T>& items) {
    json out = json::array();
    for (const T& item : items) { out.push_back(written(item)); }
    return out;
}

template <class T>
json written(const std::map<std::string, T>& items) {
    json out = json::object();
    for (const auto& [name, item] : items) { out[name] = written(item); }
    return out;
}

template <class T>
json written(const std::optional<T>& value) {
    return value ? written(*value) : json(nullptr);
}

/// The tags of Value, in the order of its alternatives.
constexpr std::array<const char*, 7> value_tags{"boolean",     "integer", "text",     "duration_ns",
                                                "percent_ppm", "texts",   "selection"};
static_assert(value_tags.size() == std::variant_size_v<Value>);

json written(const Percent& percent) { return json(percent.ppm); }

json written(const Value& value) {
    json out = json::object();
    out[value_tags.at(value.index())] =
        std::visit([](const auto& held) { return written(held); }, value);
    return out;
}

template <class T>
void Writer::operator()(const char* name, const T& value) {
    object[name] = written(value);
}

template <class T>
void Writer::if_set(const char* name, const T& value) {
    if (!value.empty()) { (*this)(name, value); }
}

std::string dumped(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// ---- checking before the tree is built --------------------------------------------------------

/// Refuses floats, duplicate keys and deep nesting while nothing is stored yet.
class Gate : public json::json_sax_t {
public:
    [[nodiscard]] const std::string& problem() const { return problem_; }

    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t value) override {
        return value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) ||
               refuse("a number is too large");
    }
    bool number_float(number_float_t, const string_t&) override {
        return refuse("a number is not an integer");
    }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return refuse("binary data"); }
    bool start_object(std::size_t) override { return enter(); }
    bool key(string_t& name) override {
        return keys_.back().insert(name).second || refuse("member `" + name + "` stands twice");
    }
    bool end_object() override { return leave(); }
    bool start_array(std::size_t) override { return enter(); }
    bool end_array() override { return leave(); }
    bool parse_error(std::size_t position, const std::string&,
                     const nlohmann::detail::exception&) override {
        return refuse("not valid JSON at byte " + std::to_string(position));
    }

private:
    bool enter() {
        keys_.emplace_back();
        return keys_.size() <= deepest ||
               refuse("nested deeper than " + std::to_string(deepest) + " levels");
    }
    bool leave() {
        keys_.pop_back();
        return true;
    }
    bool refuse(const std::string& problem) {
        if (problem_.empty()) { problem_ = problem; }
        return false;
    }

    std::vector<std::set<std::string>> keys_;
    std::string problem_;
};

Result<json> parsed(std::string_view text, std::size_t largest) {
    if (text.size() > largest) {
        return fail(Code::invalid, "larger than " + std::to_string(largest >> 20U) + " MiB");
    }
    Gate gate;
    if (!json::sax_parse(text, &gate)) { return fail(Code::invalid, gate.problem()); }
    json tree = json::parse(text, nullptr, false);
    if (!tree.is_object()) { return fail(Code::invalid, "not a JSON object"); }
    return tree;
}

// ---- reading ----------------------------------------------------------------------------------

/// Keeps the path to where it is and the first problem; after one it does nothing more.
class Reader {
public:
    [[nodiscard]] bool good() const { return problem_.empty(); }
    [[nodiscard]] Error error() const { return fail(Code::invalid, problem_); }

    /// Members that `fields` does not list, e.g. the schema version.
    std::set<std::string> allowed;

    template <class T>
    void member(const json& object, const std::string& name, T& out) {
        if (!good()) { return; }
        const std::size_t length = path_.size();
        path_ += path_.empty() ? name : "." + name;
        const auto found = object.find(name);
        if (found == object.end()) {
            refuse("is missing");
        } else {
            read(*found, out);
        }
        path_.resize(length);
    }

    template <class T>
    void whole(const json& object, T& out) {
        std::set<std::string> known = std::exchange(allowed, {});
        Visit visit{*this, object, known};
        fields(visit, out);
        if (!good()) { return; }
        for (const auto& item : object.items()) {
            if (!known.contains(item.key())) {
                path_ += path_.empty() ? item.key() : "." + item.key();
                refuse("is not known");
                return;
            }
        }
    }

    /// Handed to `fields`: reads each member.
    struct Visit {
        Reader& reader;
        const json& object;
        std::set<std::string>& known;
        template <class T>
        void operator()(const char* name, T& part) {
            known.insert(name);
            reader.member(object, name, part);
        }
        /// Absent = the empty value: rows of earlier versions do not have it.
        template <class T>
        void if_set(const char* name, T& part) {
            if (object.contains(name)) { return (*this)(name, part); }
            part = T{};
        }
    };

    void refuse(const std::string& what) {
        if (good()) { problem_ = "`" + path_ + "` " + what; }
    }

private:
    void read(const json& from, std::string& out) {
        if (const auto* text = from.get_ptr<const json::string_t*>()) {
            out = *text;
        } else {
            refuse("is not a text");
        }
    }
    void read(const json& from, bool& out) {
        if (const auto* value = from.get_ptr<const json::boolean_t*>()) {
            out = *value;
        } else {
            refuse("is not true or false");
        }
    }
    template <class T>
    requires Signed<T> || std::same_as<T, std::uint16_t>
    void read(const json& from, T& out) {
        if (!from.is_number_integer()) { return refuse("is not an integer"); }
        const auto value = from.get<std::int64_t>();  // the gate has refused larger ones
        if (!std::in_range<T>(value)) { return refuse("is out of range"); }
        out = static_cast<T>(value);
    }
    void read(const json& from, std::uint64_t& out) {
        std::string text;
        read(from, text);
        const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
        if (code != std::errc() || end != text.data() + text.size() ||
            std::to_string(out) != text) {
            refuse("is not a decimal number in a text");
        }
    }
    void read(const json& from, Nanos& out) {
        std::int64_t count = 0;
        read(from, count);
        out = Nanos{count};
    }
    void read(const json& from, Wall& out) {
        std::int64_t count = 0;
        read(from, count);
        out = Wall{std::chrono::milliseconds{count}};
    }
    void read(const json& from, Percent& out) { read(from, out.ppm); }

    void read(const json& from, Enumerator auto& out) {
        std::string text;
        read(from, text);
        std::string known;
        for (const auto& named : names_of<std::remove_reference_t<decltype(out)>>) {
            if (named.name == text) {
                out = named.value;
                return;
            }
            known += (known.empty() ? "" : ", ") + std::string(named.name);
        }
        refuse("is none of " + known);
    }

    template <class T>
    void read(const json& from, std::vector<T>& out) {
        if (!from.is_array()) { return refuse("is not a list"); }
        out.clear();
        const std::size_t length = path_.size();
        for (std::size_t i = 0; i < from.size() && good(); ++i) {
            path_ += "[" + std::to_string(i) + "]";
            T item;
            read(from[i], item);
            out.push_back(std::move(item));
            path_.resize(length);
        }
    }
    template <class T>
    void read(const json& from, std::map<std::string, T>& out) {
        if (!from.is_object()) { return refuse("is not an object"); }
        out.clear();
        for (const auto& item : from.items()) { member(from, item.key(), out[item.key()]); }
    }
    template <class T>
    void read(const json& from, std::optional<T>& out) {
        out.reset();
        if (!from.is_null()) { read(from, out.emplace()); }
    }
    template <class T>
    requires std::is_class_v<T>
    void read(const json& from, T& out) {
        if (!from.is_object()) { return refuse("is not an object"); }
        whole(from, out);
    }

    void read(const json& from, Datum& out) {
        if (from.is_string()) { return read(from, out.emplace<std::string>()); }
        if (from.is_boolean()) { return read(from, out.emplace<bool>()); }
        if (from.is_number_integer()) { return read(from, out.emplace<std::int64_t>()); }
        refuse("is not a text, an integer, true or false");
    }
    void read(const json& from, Value& out) {
        if (!from.is_object() || from.size() != 1) {
            return refuse("is not an object with one type tag");
        }
        read_tagged<0>(from, out);
    }
    template <std::size_t index>
    void read_tagged(const json& from, Value& out) {
        if constexpr (index < std::variant_size_v<Value>) {
            if (from.contains(value_tags[index])) {
                return member(from, value_tags[index], out.emplace<index>());
            }
            return read_tagged<index + 1>(from, out);
        } else {
            refuse("has no known type tag");
        }
    }

    std::string path_;
    std::string problem_;
};

/// The schema member comes first: a file of another version must not be blamed for its members.
Status check_schema(const json& tree, const char* name, std::int64_t known) {
    const auto found = tree.find(name);
    if (found == tree.end() || !found->is_number_integer()) {
        return fail(Code::invalid, std::string("`") + name + "` is missing: not written by drill");
    }
    const auto version = found->get<std::int64_t>();
    if (version != known) {
        return fail(version > known ? Code::newer : Code::invalid,
                    std::string("`") + name + "` is " + std::to_string(version) +
                        ", this program knows " + std::to_string(known));
    }
    return ok();
}

}  // namespace

std::string lease_to_json(const Lease& lease) {
    json tree = written(lease);
    tree["drill_lease"] = lease_schema;
    return dumped(tree);
}

Result<Lease> lease_from_json(std::string_view text) {
    DRILL_TRY(const json tree, parsed(text, largest_lease));
    DRILL_CHECK(check_schema(tree, "drill_lease", lease_schema));
    Reader reader;
    reader.allowed = {"drill_lease"};
    Lease lease;
    reader.whole(tree, lease);
    if (!reader.good()) { return reader.error(); }
    return lease;
}

std::string plan_to_json(const Plan& plan, Hash hash) {
    json tree = written(plan);
    tree["drill_plan"] = plan_schema;
    if (hash == Hash::with) { tree["hash"] = plan.hash; }
    return dumped(tree);
}

Result<Plan> plan_from_json(std::string_view text) {
    DRILL_TRY(const json tree, parsed(text, largest_plan));
    DRILL_CHECK(check_schema(tree, "drill_plan", plan_schema));
    Reader reader;
    reader.allowed = {"drill_plan", "hash"};
    Plan plan;
    reader.whole(tree, plan);
    reader.member(tree, "hash", plan.hash);
    if (!reader.good()) { return reader.error(); }
    const std::string right = plan_hash(plan);
    if (plan.hash != right) {
        return fail(Code::invalid,
                    "`hash` does not fit the content: the plan was changed after "
                    "it was made (content has " +
                        right + ")");
    }
    return plan;
}

std::string plan_hash(const Plan& plan) { return sha256_hex(plan_to_json(plan, Hash::without)); }

std::string event_body(const Event& event) { return event_body(event, {}); }

std::string event_body(const Event& event, const std::map<std::string, std::string>& digests) {
    json tree = json::object();
    json data = json::object();
    for (const auto& [name, datum] : event.data) {
        std::visit([&, &key = name](const auto& held) { data[key] = held; }, datum);
    }
    tree["data"] = std::move(data);
    tree["step"] = event.step;
    tree["host"] = event.host;
    tree["lease"] = event.lease;
    tree["message"] = event.message;
    if (!digests.empty()) { tree["personal"] = written(digests); }
    return dumped(tree);
}

Result<Event> event_from_body(std::string_view body) {
    DRILL_TRY(const json tree, parsed(body, largest_body));
    Reader reader;
    Event event;
    reader.member(tree, "data", event.data);
    reader.member(tree, "step", event.step);
    reader.member(tree, "host", event.host);
    reader.member(tree, "lease", event.lease);
    reader.member(tree, "message", event.message);
    if (tree.contains("personal")) { reader.member(tree, "personal", event.personal); }
    if (!reader.good()) { return reader.error(); }
    return event;
}

}  // namespace drill
