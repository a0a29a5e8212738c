// fd-exhaust: chosen processes can open no more files, by their own limit, or the whole host by its
// table. Must not: put back a limit that somebody else has set meanwhile.
// Next: parts/holder.hpp, parts/processes.hpp, fd-exhaust.md.
#include "base/text.hpp"
#include "faults/parts/holder.hpp"
#include "faults/parts/processes.hpp"
#include "faults/parts/values.hpp"

namespace drill::faults {

namespace {

constexpr std::int64_t host_reserve = 4096;

constexpr Param params[] = {
    process_name,
    process_match,
    process_unit,
    process_pidfile,
    process_count,
    {.name = "host",
     .type = ParamType::boolean,
     .fallback = "false",
     .help = "The table of the whole host instead of chosen processes; has to be spelled."},
    holder_take,
    {.name = "leave",
     .type = ParamType::integer,
     .help = "How many files can still be opened: 0 for processes, at least 4096 for the host."},
};

bool of_host(const ChangeRequest& request) { return value_or(request.params, "host", false); }

bool of_processes(const ChangeRequest& request) {
    for (const std::string_view name : {"process", "match", "unit", "pidfile"}) {
        if (!text_of(request.params, name).empty()) { return true; }
    }
    return false;
}

std::vector<Exec> observe(const ChangeRequest& request) {
    std::vector<Exec> questions;
    if (of_processes(request)) { questions = process_observe(request); }
    questions.push_back(holder_observe({}));
    return questions;
}

Result<Change> compose_host(const ChangeRequest& request) {
    const auto leave = value_or<std::int64_t>(request.params, "leave", host_reserve);
    if (leave < host_reserve) {
        return fail(Code::refused, "`leave` is at least " + std::to_string(host_reserve) +
                                       " for a host: logins and the undo open files too");
    }
    std::vector<std::string> options{"leave=" + std::to_string(leave)};
    if (const std::int64_t* take = value_of<std::int64_t>(request.params, "take")) {
        options.push_back("size=" + std::to_string(*take));
    }
    return holder_change(request, "fd-exhaust", options);
}

Result<Change> compose(const ChangeRequest& request) {
    DRILL_TRY(const HolderFacts facts, holder_facts(request));
    if (of_host(request) == of_processes(request)) {
        return fail(Code::refused,
                    "say whose open files: choose processes by one of `process`,"
                    " `match`, `unit`, `pidfile`, or host = true");
    }
    if (of_host(request)) { return compose_host(request); }
    if (value_of<std::int64_t>(request.params, "take") != nullptr) {
        return fail(Code::refused, "`take` is for the host; a process has a limit and `leave`");
    }
    ChangeRequest processes = request;
    processes.observed.pop_back();
    DRILL_TRY(const std::vector<std::string> victims, victims_of(processes, Stopped::allowed));
    const auto leave = value_or<std::int64_t>(request.params, "leave", 0);
    Change change = holder_change(
        request, "fd-exhaust", {"leave=" + std::to_string(leave), "victims=" + join(victims, ",")});
    // The holder puts limits back when it ends by its time; this one does where it was killed.
    change.undo.push_back({{change.apply.front().argv.front(), "restore", request.directory}, {}});
    return change;
}

std::string describe(const ChangeRequest& request) {
    if (of_host(request)) { return "take the open files of " + request.host; }
    return "lower the limit of open files of " + process_words(request) + " on " + request.host +
           " to what it has open" +
           (value_or<std::int64_t>(request.params, "leave", 0) == 0 ? "" : " and `leave` more");
}

}  // namespace

extern const Kind fd_exhaust;
const Kind fd_exhaust{
    .name = "fd-exhaust",
    .summary = "Lets processes, or the whole host, open no more files.",
    .ending = Ending::holder,
    .peers_param = "",
    .needs = "base64 sha256sum",
    .params = params,
    .observe = observe,
    .compose = compose,
    .describe = describe,
    .harms_data = true,
};

}  // namespace drill::faults
