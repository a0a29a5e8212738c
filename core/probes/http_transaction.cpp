// http-transaction: do several requests, each made of what the ones before brought, all go well?
// Must not: do I/O; transport/sampler.hpp performs the question. Next: http-transaction.md.
#include "base/text.hpp"
#include "probes/parts/judging.hpp"

#include <regex.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <set>

namespace drill::probes {

namespace {

constexpr Param step_params[] = {
    {.name = "name", .type = ParamType::text, .required = true, .help = "What the step is called."},
    {.name = "url",
     .type = ParamType::text,
     .required = true,
     .help = "Address that is asked, http or https."},
    {.name = "method",
     .type = ParamType::choice,
     .fallback = "GET",
     .help = "HTTP method.",
     .choices = "GET|HEAD|OPTIONS|POST|PUT|PATCH|DELETE"},
    {.name = "headers", .type = ParamType::table, .help = "Header lines that are sent along."},
    {.name = "body", .type = ParamType::text, .help = "Body that is sent along."},
    {.name = "take",
     .type = ParamType::table,
     .help = "What later steps use: name = \"json:/a/b\", \"header:X\" or \"regex:(.*)\"."},
    {.name = "ok.status",
     .type = ParamType::integer,
     .fallback = "200",
     .help = "Status that is right; 0 = any from 200 to 399.",
     .most = 599},
    {.name = "ok.contains",
     .type = ParamType::text,
     .help = "Text that the first 64 KiB of the body must contain."},
};

constexpr Param params[] = {
    {.name = "step",
     .type = ParamType::steps,
     .required = true,
     .help = "The requests, in order.",
     .items = step_params,
     .item_count = std::size(step_params)},
    {.name = "ok.within",
     .type = ParamType::duration,
     .help = "A later end of the whole is degraded; counts from the intended send.",
     .least = 1},
};

constexpr std::size_t most_steps = 16;
constexpr std::size_t longest_taken = 4096;
using Taken = std::map<std::string, std::string>;

struct Pattern {
    regex_t compiled{};
    bool sound;
    explicit Pattern(const std::string& text)
        : sound(::regcomp(&compiled, text.c_str(), REG_EXTENDED) == 0) {}
    Pattern(const Pattern&) = delete;
    Pattern& operator=(const Pattern&) = delete;
    ~Pattern() {
        if (sound) { ::regfree(&compiled); }
    }
};

std::optional<std::string> from_json(const std::string& pointer, const std::string& body) {
    try {
        const auto document = nlohmann::json::parse(body, nullptr, false);
        if (document.is_discarded()) { return std::nullopt; }
        const auto& found = document.at(nlohmann::json::json_pointer(pointer));
        return found.is_string() ? found.get<std::string>() : found.dump();
    } catch (const std::exception&) {  // not there, or not valid UTF-8
        return std::nullopt;
    }
}

std::optional<std::string> from_header(const std::string& name, const HttpSeen& seen) {
    const auto lower = [](std::string text) {
        std::ranges::transform(text, text.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        return text;
    };
    for (const auto& [found, value] : seen.headers) {
        if (lower(found) == lower(name)) { return value; }
    }
    return std::nullopt;
}

/// The first group, or the whole match where there is none.
std::optional<std::string> from_pattern(const std::string& text, const std::string& body) {
    const Pattern pattern(text);
    regmatch_t matches[2]{};
    if (!pattern.sound || ::regexec(&pattern.compiled, body.c_str(), 2, &matches[0], 0) != 0) {
        return std::nullopt;
    }
    const regmatch_t& match = matches[1].rm_so >= 0 ? matches[1] : matches[0];
    return body.substr(static_cast<std::size_t>(match.rm_so),
                       static_cast<std::size_t>(match.rm_eo - match.rm_so));
}

std::optional<std::string> taken_by(const std::string& how, const HttpSeen& seen) {
    const std::string what = how.substr(how.find(':') + 1);
    if (how.starts_with("json:")) { return from_json(what, seen.body); }
    if (how.starts_with("header:")) { return from_header(what, seen); }
    return from_pattern(what, seen.body);
}

bool is_sound_take(const std::string& how) {
    if (how.starts_with("header:")) { return how.size() > 7; }
    if (how.starts_with("regex:")) { return how.size() > 6 && Pattern(how.substr(6)).sound; }
    if (!how.starts_with("json:")) { return false; }
    try {
        return !nlohmann::json::json_pointer(how.substr(5)).empty();
    } catch (const std::exception&) { return false; }
}

/// Bytes that mean something in a URL become %XX: a value cannot change where it stands.
std::string for_url(const std::string& value) {
    constexpr std::string_view plain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : value) {
        if (plain.find(c) != std::string_view::npos) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += digits[byte >> 4U];
        out += digits[byte & 15U];
    }
    return out;
}

/// Puts what was taken in the place of each ${name}; calls `use` for each name.
template <class Use>
std::string filled(const std::string& text, Use use) {
    std::string out;
    std::size_t from = 0;
    while (true) {
        const std::size_t open = text.find("${", from);
        const std::size_t close = open == text.npos ? text.npos : text.find('}', open);
        if (close == text.npos) { return out + text.substr(from); }
        out += text.substr(from, open - from);
        out += use(text.substr(open + 2, close - open - 2));
        from = close + 1;
    }
}

HttpQuestion request(const HttpStep& step, const Taken& taken) {
    const auto plain = [&](const std::string& name) {
        const auto found = taken.find(name);
        return found == taken.end() ? std::string() : found->second;
    };
    HttpQuestion ask = step.ask;
    ask.url = filled(ask.url, [&](const std::string& name) { return for_url(plain(name)); });
    ask.body = filled(ask.body, plain);
    for (auto& [name, value] : ask.headers) { value = filled(value, plain); }
    return ask;
}

HttpTurn turn(const TransactionQuestion& question, std::size_t index, const HttpSeen& seen,
              Taken& taken) {
    const HttpStep& step = question.steps[index];
    const auto problem = [&](const std::string& why) {
        return HttpTurn{std::nullopt, "step " + step.name + ": " + why};
    };
    const bool fits =
        step.status == 0 ? seen.status >= 200 && seen.status <= 399 : seen.status == step.status;
    if (!fits) { return problem("HTTP " + std::to_string(seen.status)); }
    if (seen.body.find(step.contains) == seen.body.npos) {
        return problem("the answer does not contain \"" + step.contains + '"');
    }
    for (const auto& [name, how] : step.take) {
        const std::optional<std::string> value = taken_by(how, seen);
        // They may end up in a header line, and are bounded like one.
        const bool sound = value && value->size() <= longest_taken &&
                           value->find_first_of(std::string_view("\r\n\0", 3)) == value->npos;
        if (!sound) { return problem("no " + name + " by " + how); }
        taken.insert_or_assign(name, *value);
    }
    if (index + 1 == question.steps.size()) { return {}; }
    return {request(question.steps[index + 1], taken), ""};
}

/// The parameters of one step, without their prefix.
Values step_values(const Values& values, std::size_t index) {
    const std::string prefix = "step." + std::to_string(index) + '.';
    Values own;
    for (const auto& [name, value] : values) {
        if (name.starts_with(prefix)) { own.emplace(name.substr(prefix.size()), value); }
    }
    return own;
}

Status check_names(const HttpStep& step, const std::set<std::string>& known) {
    std::string unknown;
    const auto look = [&](const std::string& name) {
        if (!known.contains(name)) { unknown = name; }
        return std::string();
    };
    static_cast<void>(filled(step.ask.url, look));
    static_cast<void>(filled(step.ask.body, look));
    for (const auto& [name, value] : step.ask.headers) { static_cast<void>(filled(value, look)); }
    if (unknown.empty()) { return ok(); }
    return fail(Code::invalid,
                "step " + step.name + " uses ${" + unknown + "}, which no earlier step takes");
}

Result<HttpStep> step_of(const Values& values, std::size_t index) {
    HttpStep step;
    step.name = text_of(values, "name");
    if (step.name.empty()) { step.name = std::to_string(index + 1); }
    DRILL_TRY(step.ask, http_request(values));
    step.status = static_cast<int>(integer_of(values, "ok.status", 200));
    step.contains = text_of(values, "ok.contains");
    for (const auto& [name, value] : values) {
        if (!name.starts_with("take.")) { continue; }
        const auto* how = std::get_if<std::string>(&value);
        if (how == nullptr || !is_sound_take(*how)) {
            return fail(Code::invalid,
                        "step " + step.name + ": `" + name +
                            "` must be \"json:/a/b\", \"header:NAME\" or \"regex:PATTERN\"");
        }
        step.take.emplace(name.substr(5), *how);
    }
    return step;
}

Result<Question> compose(const Values& values) {
    TransactionQuestion question;
    question.turn = turn;
    std::set<std::string> known;
    for (std::size_t i = 0; i < most_steps; ++i) {
        const Values own = step_values(values, i);
        if (own.empty()) { break; }
        DRILL_TRY(HttpStep step, step_of(own, i));
        DRILL_CHECK(check_names(step, known));
        for (const auto& [name, how] : step.take) { known.insert(name); }
        question.steps.push_back(std::move(step));
    }
    if (question.steps.empty()) {
        return fail(Code::invalid, "a transaction needs a [[probe.step]]");
    }
    return Question{std::move(question)};
}

std::optional<std::string> wrong(const Values& /*values*/, const Answer& /*answer*/) {
    return std::nullopt;  // what is wrong with a step is a problem, and names it
}

SampleState judge(const Values& values, const Answer& answer, std::string& detail) {
    const SampleState state = judged(values, answer, wrong, detail);
    if (answer.asked && answer.timed_out && !answer.problem.empty()) {
        detail = answer.problem + ": " + detail;
    }
    return state;
}

}  // namespace

extern const ProbeKind http_transaction;
const ProbeKind http_transaction{
    .name = "http-transaction",
    .summary = "Makes several HTTP requests, each out of what the ones before brought.",
    .params = params,
    .compose = compose,
    .judge = judge,
};

}  // namespace drill::probes
