// http: what does a URL answer? A new connection each time, as a new user would make one.
// Must not: do I/O; transport/sampler.hpp performs the question. Next: http.md.
#include "probes/parts/judging.hpp"

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

Result<Question> compose(const Values& values) {
    DRILL_TRY(HttpQuestion question, http_request(values));
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
