// tcp: does a port accept a connection? The smallest probe kind, and the pattern for others.
// Must not: do I/O; transport/sampler.hpp performs the question. Next: tcp.md, http.cpp.
#include "probes/parts/judging.hpp"

namespace drill::probes {

namespace {

constexpr Param params[] = {
    {.name = "host",
     .type = ParamType::text,
     .required = true,
     .help = "Name or address that is connected to."},
    {.name = "port",
     .type = ParamType::integer,
     .required = true,
     .help = "Port that is connected to.",
     .least = 1,
     .most = 65535},
    {.name = "ok.within",
     .type = ParamType::duration,
     .help = "A later connection is degraded; counts from the intended send.",
     .least = 1},
};

Result<Question> compose(const Values& values) {
    TcpQuestion question;
    question.host = text_of(values, "host");
    if (question.host.empty() || question.host.find_first_of(" \t\r\n") != std::string::npos) {
        return fail(Code::invalid, "`host` must be a name or an address without blanks");
    }
    const std::int64_t port = integer_of(values, "port", 0);
    if (port < 1 || port > 65535) { return fail(Code::invalid, "`port` must be 1 to 65535"); }
    question.port = static_cast<std::uint16_t>(port);
    return Question{std::move(question)};
}

std::optional<std::string> wrong(const Values& /*values*/, const Answer& /*answer*/) {
    return std::nullopt;  // a connection says all there is to say
}

SampleState judge(const Values& values, const Answer& answer, std::string& detail) {
    return judged(values, answer, wrong, detail);
}

}  // namespace

extern const ProbeKind tcp;
const ProbeKind tcp{
    .name = "tcp",
    .summary = "Opens a TCP connection and closes it again.",
    .params = params,
    .compose = compose,
    .judge = judge,
};

}  // namespace drill::probes
