// Random leases and plans for round-trip properties. Every member gets a value, texts hold
// quotes, control bytes and characters of one to four bytes.
// Must not: make values that have no exact JSON (invalid UTF-8). Used by model/ and ledger/.
#pragma once

#include "base/random.hpp"
#include "model/json.hpp"

#include <array>

namespace drill::testing {

class RandomModel {
public:
    explicit RandomModel(std::uint64_t seed) : random_(seed) {}

    std::string text() {
        static constexpr std::array<std::string_view, 12> pieces{
            "a",    "Z",    "0", "\"",       "\\",           "\n",
            "\x01", "\x7f", "/", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x92\xa5"};
        std::string out;
        for (std::uint64_t i = random_.below(9); i > 0; --i) {
            out += pieces.at(static_cast<std::size_t>(random_.below(pieces.size())));
        }
        return out;
    }
    bool coin() { return random_.chance(500); }
    std::int64_t number() { return static_cast<std::int64_t>(random_.next() >> random_.below(64)); }
    Nanos span() { return Nanos{number() / 2 * (coin() ? 1 : -1)}; }
    template <class T>
    T one_of(std::uint64_t count) {
        return static_cast<T>(random_.below(count));
    }
    template <class Make>
    auto list(Make make) {
        std::vector<decltype(make())> out;
        for (std::uint64_t i = random_.below(4); i > 0; --i) { out.push_back(make()); }
        return out;
    }
    template <class Make>
    auto dictionary(Make make) {
        std::map<std::string, decltype(make())> out;
        for (std::uint64_t i = random_.below(4); i > 0; --i) { out[text()] = make(); }
        return out;
    }
    template <class Make>
    auto maybe(Make make) {
        return coin() ? std::optional(make()) : std::nullopt;
    }
    std::vector<std::string> texts() {
        return list([this] { return text(); });
    }
    std::map<std::string, std::string> labels() {
        return dictionary([this] { return text(); });
    }

    Exec exec() { return {texts(), text()}; }
    std::vector<Exec> execs() {
        return list([this] { return exec(); });
    }
    Change change() {
        return {.arm = execs(),
                .apply = execs(),
                .renew = execs(),
                .undo = execs(),
                .read_back = execs(),
                .disarm = execs(),
                .stimulate = list([this] {
                    return Stimulus{text(), exec()};
                }),
                .check = execs(),
                .check_within = span(),
                .check_claim = text(),
                .ending = one_of<Ending>(6),
                .lasting = one_of<Lasting>(2)};
    }
    Connection connection(int depth = 2) {
        Connection out{text(), text(), text(), one_of<std::uint16_t>(65536),
                       text(), text(), text(), text(),
                       text(), {},     {}};
        if (coin()) { out.become_password = {text(), text(), texts()}; }
        if (depth > 0 && coin()) { out.jumps.push_back(connection(depth - 1)); }
        return out;
    }
    Lease lease() {
        return {.id = text(),
                .run = text(),
                .step = text(),
                .kind = text(),
                .connection = connection(),
                .change = change(),
                .state = one_of<LeaseState>(7),
                .boot_id = text(),
                .not_after = span(),
                .ttl = span(),
                .until = span(),
                .until_wall = Wall{std::chrono::milliseconds{number()}},
                .controller_boot = text(),
                .note = text()};
    }

    Value value() {
        switch (random_.below(7)) {
            case 0: return Value{coin()};
            case 1: return Value{number()};
            case 2: return Value{text()};
            case 3: return Value{span()};
            case 4: return Value{Percent{one_of<int>(1'000'001)}};
            case 5: return Value{texts()};
            default: return Value{Selection{labels(), texts(), coin()}};
        }
    }
    Values values() {
        return dictionary([this] { return value(); });
    }
    Predicate predicate() {
        return {one_of<Predicate::Metric>(5),     one_of<Predicate::Compare>(4),
                one_of<int>(1'000'001),           span(),
                maybe([this] { return span(); }), text()};
    }
    PlannedStep step() {
        return {.name = text(),
                .kind = text(),
                .target = text(),
                .params = values(),
                .hold = span(),
                .after = list([this] {
                    return After{text(), coin()};
                }),
                .cuts_control = coin(),
                .changes = list([this] {
                    return PlannedChange{text(), text(), list([this] {
                                             return Peer{text(), texts()};
                                         }),
                                         change(), text()};
                }),
                .on_partial = coin() ? OnPartial::go_on : OnPartial::undo};
    }
    /// With the right hash.
    Plan plan() {
        Plan out;
        for (std::string* member :
             {&out.drill_version, &out.experiment, &out.title, &out.service, &out.definition_sha256,
              &out.catalog_sha256, &out.environment, &out.environment_class, &out.contact,
              &out.rto_from, &out.limit_says}) {
            *member = text();
        }
        out.seed = random_.next();
        out.rto = maybe([this] { return span(); });
        out.rpo = maybe([this] { return span(); });
        out.limit_hosts = number();
        out.group = texts();
        out.longest = span();
        out.lease_ttl = span();
        out.probes = list([this] { return ProbeSpec{text(), text(), values(), span(), span()}; });
        out.hypotheses = list([this] {
            return HypothesisSpec{text(), maybe([this] { return predicate(); }),
                                  maybe([this] { return predicate(); }), maybe([this] {
                                      return Regain{span(), span(), one_of<Regain::From>(2)};
                                  }),
                                  maybe([this] { return span(); })};
        });
        out.halts = list([this] { return HaltSpec{text(), predicate()}; });
        out.steps = list([this] { return step(); });
        out.hosts = dictionary([this] { return PlannedHost{connection(), labels(), labels()}; });
        out.hash = plan_hash(out);
        return out;
    }

private:
    Random random_;
};

}  // namespace drill::testing
