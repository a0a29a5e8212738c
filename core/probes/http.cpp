// http: what does a URL answer? A new connection each time, as a new user would make one.
// Must not: do I/O; transport/sampler.hpp performs the question. Next: http.md.
#include "base/text.hpp"
#include "probes/parts/judging.hpp"

#include <algorithm>

namespace drill::probes {

namespace {

constexpr Param params[] = {
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
    {.name = "ok.status",
     .type = ParamType::integer,
     .fallback = "200",
     .help = "Status that is right; 0 = any from 200 to 399. Redirects are not followed.",
     .most = 599},
    {.name = "ok.within",
     .type = ParamType::duration,
     .help = "A later answer is degraded; counts from the intended send.",
     .least = 1},
    {.name = "ok.contains",
     .type = ParamType::text,
     .help = "Text that the first 64 KiB of the body must contain."},
};

constexpr std::string_view headers_prefix = "headers.";

bool is_header_name(std::string_view name) {
    constexpr std::string_view special = "!#$%&'*+-.^_`|~";  // RFC 9110, token
    return !name.empty() && std::ranges::all_of(name, [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               special.find(c) != std::string_view::npos;
    });
}

/// Texts and integers are allowed in the free table.
std::optional<std::string> header_value(const Value& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) { return std::to_string(*number); }
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr || text->find_first_of(std::string_view("\r\n\0", 3)) != text->npos) {
        return std::nullopt;
    }
    return *text;
}

Status check_url(const std::string& url) {
    const bool known = url.starts_with("http://") || url.starts_with("https://");
    const std::size_t from = url.find("//") + 2;
    if (!known || url.size() == from) {
        return fail(Code::invalid, "`url` must begin with http:// or https:// and name a host");
    }
    const bool printable =
        std::ranges::all_of(url, [](char c) { return static_cast<unsigned char>(c) > 0x20; });
    if (!printable) { return fail(Code::invalid, "`url` must not hold blanks or control bytes"); }
    const std::string_view authority =
        std::string_view(url).substr(from, url.find_first_of("/?#", from) - from);
    if (authority.find('@') != std::string_view::npos) {
        return fail(Code::invalid, "`url` must not hold a user name or password");
    }
    return ok();
}

Result<Question> compose(const Values& values) {
    HttpQuestion question;
    question.url = text_of(values, "url");
    DRILL_CHECK(check_url(question.url));
    if (const std::string method = text_of(values, "method"); !method.empty()) {
        question.method = method;
    }
    question.body = text_of(values, "body");
    for (const auto& [name, value] : values) {
        if (!name.starts_with(headers_prefix)) { continue; }
        const std::string header = name.substr(headers_prefix.size());
        std::optional<std::string> line = header_value(value);
        if (!is_header_name(header) || !line) {
            return fail(Code::invalid, "header `" + header + "` is not one sound header line");
        }
        question.headers.emplace(header, *std::move(line));
    }
    return Question{std::move(question)};
}

std::optional<std::string> wrong(const Values& values, const Answer& answer) {
    const std::int64_t wanted = integer_of(values, "ok.status", 200);
    const bool fits =
        wanted == 0 ? answer.status >= 200 && answer.status <= 399 : answer.status == wanted;
    if (!fits) { return "HTTP " + std::to_string(answer.status); }
    return lacks_text(values, answer);
}

SampleState judge(const Values& values, const Answer& answer, std::string& detail) {
    return judged(values, answer, wrong, detail);
}

}  // namespace

extern const ProbeKind http;
const ProbeKind http{
    .name = "http",
    .summary = "Asks a URL over a new connection and looks at status, body and time.",
    .params = params,
    .compose = compose,
    .judge = judge,
};

}  // namespace drill::probes
