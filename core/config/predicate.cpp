// See predicate.hpp.
#include "config/predicate.hpp"

#include "base/text.hpp"
#include "config/codes.hpp"
#include "config/reader.hpp"

#include <algorithm>
#include <array>

namespace drill {

namespace {

constexpr std::string_view example = "as in \"success >= 99% for 10s\" or \"p99 <= 250ms\"";
// A predicate is judged over a window in memory; an hour is far more than a drill needs.
constexpr Nanos longest_span = std::chrono::hours{1};

struct Metric {
    std::string_view name;
    Predicate::Metric metric;
};
constexpr std::array<Metric, 5> metrics{{{"success", Predicate::Metric::success},
                                         {"p50", Predicate::Metric::p50},
                                         {"p90", Predicate::Metric::p90},
                                         {"p95", Predicate::Metric::p95},
                                         {"p99", Predicate::Metric::p99}}};

class Parser {
public:
    Parser(Report& report, const Node& node, std::string_view key)
        : report_(report), node_(node), text_(node.text), key_(key) {}

    std::optional<Predicate> parse() {
        Predicate out;
        out.text = node_.text;
        if (!metric(out) || !compare(out) || !value(out) || !span(out)) { return std::nullopt; }
        return out;
    }

private:
    struct Word {
        std::size_t at;
        std::string_view text;
    };

    void skip_blanks() {
        while (at_ < text_.size() && text_[at_] == ' ') { ++at_; }
    }
    Word take_while(auto fits) {
        skip_blanks();
        const std::size_t from = at_;
        while (at_ < text_.size() && fits(text_[at_])) { ++at_; }
        return {from, text_.substr(from, at_ - from)};
    }
    [[nodiscard]] Spot spot(Word word) const {
        if (!node_.plain) { return node_.spot; }
        const std::size_t before = width(text_.substr(0, word.at));
        return {node_.spot.line, node_.spot.column + 1 + before,
                std::max<std::size_t>(1, width(word.text))};
    }
    bool wrong(Word word, std::string summary, std::string help = std::string(example),
               std::string_view code = codes::bad_predicate) {
        report_.error(code, spot(word), std::move(summary), std::move(help));
        return false;
    }

    bool metric(Predicate& out) {
        const Word word = take_while([](char c) { return c != ' ' && !is_sign(c); });
        for (const Metric& one : metrics) {
            if (one.name == word.text) {
                out.metric = one.metric;
                return true;
            }
        }
        if (word.text.empty()) { return wrong(word, ticked(key_) + " does not name a metric"); }
        std::vector<std::string> names;
        names.reserve(std::size(metrics));
        for (const Metric& one : metrics) { names.emplace_back(one.name); }
        return wrong(word, "unknown metric " + ticked(word.text),
                     report_.did_you_mean(word.text, names, "it is one of " + one_of(names)));
    }

    static bool is_sign(char c) {
        return std::string_view("<>=!~").find(c) != std::string_view::npos;
    }

    bool compare(Predicate& out) {
        const Word word = take_while(is_sign);
        if (word.text == ">=") {
            out.compare = Predicate::Compare::ge;
        } else if (word.text == ">") {
            out.compare = Predicate::Compare::gt;
        } else if (word.text == "<=") {
            out.compare = Predicate::Compare::le;
        } else if (word.text == "<") {
            out.compare = Predicate::Compare::lt;
        } else if (word.text.empty()) {
            return wrong(word, ticked(key_) + " lacks a comparison (>=, >, <=, <)");
        } else {
            return wrong(word, ticked(word.text) + " is not a comparison", "use one of >= > <= <");
        }
        return true;
    }

    /// Up to the word `for` or the end, without blanks at its ends.
    Word until_for() {
        skip_blanks();
        const std::size_t from = at_;
        std::size_t end = text_.find(" for", from);
        while (end != std::string_view::npos && end + 4 < text_.size() && text_[end + 4] != ' ') {
            end = text_.find(" for", end + 4);
        }
        at_ = end == std::string_view::npos ? text_.size() : end;
        return {from, trim(text_.substr(from, at_ - from))};
    }

    bool value(Predicate& out) {
        const Word word = until_for();
        const std::optional<int> percent = parse_percent(word.text);
        const std::optional<Nanos> latency = parse_duration(word.text);
        const bool success = out.metric == Predicate::Metric::success;
        const bool number = !word.text.empty() &&
                            std::all_of(word.text.begin(), word.text.end(),
                                        [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
        if (word.text.empty()) {
            return wrong(word, ticked(key_) + " has nothing to compare with");
        }
        if (number) {
            return wrong(word, ticked(word.text) + " needs a unit",
                         success ? "a percentage, as in \"99%\"" : "a duration, as in \"250ms\"",
                         codes::missing_unit);
        }
        if (success && percent) {
            out.ppm = *percent;
            return true;
        }
        if (!success && latency) {
            out.latency = *latency;
            return true;
        }
        if (success) {
            return wrong(word, ticked(word.text) + " is not a percentage",
                         "success is compared with a percentage from 0% to 100%");
        }
        return wrong(word, ticked(word.text) + " is not a duration",
                     "a percentile is compared with a duration, as in \"p99 <= 250ms\"");
    }

    bool span(Predicate& out) {
        skip_blanks();
        if (at_ >= text_.size()) { return true; }
        at_ += std::string_view("for").size();
        skip_blanks();
        const Word word{at_, trim(text_.substr(at_))};
        const std::optional<Nanos> length = parse_duration(word.text);
        if (!length) {
            return wrong(word, word.text.empty() ? "a duration is missing after `for`"
                                                 : ticked(word.text) + " is not a duration");
        }
        if (length->count() == 0 || *length > longest_span) {
            return wrong(word, ticked(word.text) + " is out of range", "more than 0s, at most 1h",
                         codes::out_of_range);
        }
        out.span = length;
        return true;
    }

    Report& report_;
    const Node& node_;
    std::string_view text_;
    std::string_view key_;
    std::size_t at_{0};
};

}  // namespace

std::optional<Predicate> read_predicate(Report& report, const Node& node, std::string_view key) {
    if (!read_text(report, node, key)) { return std::nullopt; }
    return Parser(report, node, key).parse();
}

}  // namespace drill
