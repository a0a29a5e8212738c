// tls: does a server show a certificate that is right, and will it be so for a while?
// Must not: do I/O; transport/sampler.hpp performs the question. Next: tls.md.
#include "base/text.hpp"
#include "probes/parts/judging.hpp"

#include <algorithm>

namespace drill::probes {

namespace {

constexpr Param params[] = {
    {.name = "host",
     .type = ParamType::text,
     .required = true,
     .help = "Name or address that is connected to."},
    {.name = "port",
     .type = ParamType::integer,
     .fallback = "443",
     .help = "Port that is connected to.",
     .least = 1,
     .most = 65535},
    {.name = "server_name",
     .type = ParamType::text,
     .help = "Name that is asked for (SNI) and must be in the certificate; default `host`."},
    {.name = "alpn",
     .type = ParamType::texts,
     .help = "Protocols that are offered, as in [\"h2\", \"http/1.1\"]."},
    {.name = "ca", .type = ParamType::text, .help = "File of authorities; default the system's."},
    {.name = "ok.days",
     .type = ParamType::integer,
     .fallback = "0",
     .help = "Fewer days until the first certificate of the chain expires are failed.",
     .most = 36500},
    {.name = "ok.alpn", .type = ParamType::text, .help = "Protocol that the server must choose."},
    {.name = "ok.within",
     .type = ParamType::duration,
     .help = "A later handshake is degraded; counts from the intended send.",
     .least = 1},
};

Result<Question> compose(const Values& values) {
    TlsQuestion question;
    DRILL_CHECK(check_host(values, "host"));
    DRILL_TRY(question.port, port_of(values, 443));
    question.host = text_of(values, "host");
    question.name = text_of(values, "server_name");
    if (question.name.empty()) { question.name = question.host; }
    if (question.name.find_first_of(" \t\r\n") != std::string::npos) {
        return fail(Code::invalid, "`server_name` must be one name or address without blanks");
    }
    if (const auto* alpn = value_of<std::vector<std::string>>(values, "alpn")) {
        question.alpn = *alpn;
    }
    const bool sound = std::ranges::all_of(question.alpn, [](const std::string& protocol) {
        return !protocol.empty() && protocol.size() <= 255;
    });
    if (!sound) { return fail(Code::invalid, "a protocol of `alpn` has 1 to 255 bytes"); }
    const std::string chosen = text_of(values, "ok.alpn");
    if (!chosen.empty() && std::ranges::find(question.alpn, chosen) == question.alpn.end()) {
        return fail(Code::invalid, "`ok.alpn` is not among the protocols of `alpn`");
    }
    question.ca = text_of(values, "ca");
    if (!question.ca.empty() && !question.ca.starts_with('/')) {
        return fail(Code::invalid, "`ca` must be an absolute path: plans are run from anywhere");
    }
    return Question{std::move(question)};
}

std::optional<std::string> wrong(const Values& values, const Answer& answer) {
    const std::int64_t days = integer_of(values, "ok.days", 0);
    if (answer.status < days) {
        return "expires in " + std::to_string(answer.status) +
               (answer.status == 1 ? " day" : " days");
    }
    const std::string wanted = text_of(values, "ok.alpn");
    const std::string chosen = answer.values.empty() ? "" : answer.values.front();
    if (!wanted.empty() && chosen != wanted) {
        return chosen.empty() ? "no protocol was chosen" : "the protocol is " + chosen;
    }
    return std::nullopt;
}

SampleState judge(const Values& values, const Answer& answer, std::string& detail) {
    return judged(values, answer, wrong, detail);
}

}  // namespace

extern const ProbeKind tls;
const ProbeKind tls{
    .name = "tls",
    .summary = "Makes a TLS handshake, verifies name and chain, and looks at the days left.",
    .params = params,
    .compose = compose,
    .judge = judge,
};

}  // namespace drill::probes
