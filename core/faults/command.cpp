// command: the user's own apply, undo and read-back, carried by the same lease as every kind.
// Must not: put a word of the user's into a script; every argv goes out as it was written.
// Next: command.md.
#include "base/text.hpp"
#include "faults/parts/values.hpp"

#include <algorithm>

namespace drill::faults {

namespace {

constexpr Param params[] = {
    {.name = "apply",
     .type = ParamType::texts,
     .required = true,
     .help = "Program and arguments that make the fault."},
    {.name = "undo",
     .type = ParamType::texts,
     .required = true,
     .help = "Program and arguments that end it; also harmless when there is nothing to end."},
    {.name = "read_back",
     .type = ParamType::texts,
     .required = true,
     .help = "Program that tells by exit status: 0 as before, 10 bites, 11 idle, 12 altered."},
    {.name = "check",
     .type = ParamType::texts,
     .help = "Program that exits 0 when an expectation is met; polled after the fault bit."},
    {.name = "check_within",
     .type = ParamType::duration,
     .fallback = "30s",
     .help = "How long `check` may take to be met.",
     .least = 1000,
     .most = 3'600'000},
};

Status examine(std::string_view name, const std::vector<std::string>& argv) {
    const std::string key = "`" + std::string(name) + "`";
    if (argv.empty() || trim(argv.front()).empty()) {
        return fail(Code::refused, key + " names no program");
    }
    const bool nul = std::any_of(argv.begin(), argv.end(), [](const std::string& word) {
        return word.find('\0') != std::string::npos;
    });
    if (nul) { return fail(Code::refused, key + " holds a NUL byte"); }
    return ok();
}

std::vector<Exec> observe(const ChangeRequest& /*request*/) { return {}; }

Result<Change> compose(const ChangeRequest& request) {
    for (const std::string_view name : {"apply", "undo", "read_back"}) {
        DRILL_CHECK(examine(name, texts_of(request.params, name)));
    }
    Change change;
    change.apply = {{texts_of(request.params, "apply"), {}}};
    change.undo = {{texts_of(request.params, "undo"), {}}};
    change.read_back = {{texts_of(request.params, "read_back"), {}}};
    const std::vector<std::string> check = texts_of(request.params, "check");
    if (!check.empty()) {
        DRILL_CHECK(examine("check", check));
        change.check = {{check, {}}};
        change.check_within =
            value_or<Nanos>(request.params, "check_within", std::chrono::seconds{30});
        change.check_claim =
            shell_join(check) + " succeeds within " + show_duration(change.check_within);
    }
    change.ending = Ending::watcher;
    return change;
}

std::string describe(const ChangeRequest& request) {
    return "run on " + request.host + ": " + shell_join(texts_of(request.params, "apply"));
}

}  // namespace

extern const Kind command;
const Kind command{
    .name = "command",
    .summary = "Runs your own commands as a fault, with your own undo and read-back.",
    .ending = Ending::watcher,
    .peers_param = "",
    .needs = "",
    .params = params,
    .observe = observe,
    .compose = compose,
    .describe = describe,
    .harms_data = true,
};

}  // namespace drill::faults
