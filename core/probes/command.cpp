// command: what does a program on a host, or on the controller, answer?
// Must not: do I/O; transport/sampler.hpp has the question performed. Next: command.md.
#include "probes/parts/judging.hpp"

#include <algorithm>

namespace drill::probes {

namespace {

constexpr Param params[] = {
    {.name = "argv",
     .type = ParamType::texts,
     .required = true,
     .help = "Program and arguments, run without a shell; it must change nothing."},
    {.name = "on",
     .type = ParamType::text,
     .help = "Host of the catalog on which it runs; not given = on the controller."},
    {.name = "ok.status",
     .type = ParamType::integer,
     .fallback = "0",
     .help = "Exit status that is right.",
     .most = 255},
    {.name = "ok.within",
     .type = ParamType::duration,
     .help = "A later end is degraded; counts from the intended send.",
     .least = 1},
    {.name = "ok.contains",
     .type = ParamType::text,
     .help = "Text that the first 64 KiB of the output must contain."},
};

Result<Question> compose(const Values& values) {
    const auto* argv = value_of<std::vector<std::string>>(values, "argv");
    if (argv == nullptr || argv->empty() || argv->front().empty()) {
        return fail(Code::invalid, "`argv` must name a program");
    }
    const bool sound = std::ranges::none_of(
        *argv, [](const std::string& word) { return word.find('\0') != std::string::npos; });
    if (!sound) { return fail(Code::invalid, "`argv` must not hold a NUL byte"); }
    return Question{CommandQuestion{.on = text_of(values, "on"), .exec = {*argv, {}}}};
}

std::optional<std::string> wrong(const Values& values, const Answer& answer) {
    if (answer.status != integer_of(values, "ok.status", 0)) {
        return "exit status " + std::to_string(answer.status);
    }
    return lacks_text(values, answer);
}

SampleState judge(const Values& values, const Answer& answer, std::string& detail) {
    return judged(values, answer, wrong, detail);
}

}  // namespace

extern const ProbeKind command;
const ProbeKind command{
    .name = "command",
    .summary = "Runs a program and looks at exit status, output and time.",
    .params = params,
    .compose = compose,
    .judge = judge,
};

}  // namespace drill::probes
