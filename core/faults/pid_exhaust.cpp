// pid-exhaust: entries of the process table, of a cgroup, a user or the host, up to a rest.
// Must not: take the rest that a login and the undo need, or those of the user who logs in.
// Next: parts/holder.hpp, pid-exhaust.md.
#include "base/text.hpp"
#include "faults/parts/holder.hpp"
#include "faults/parts/values.hpp"

#include <algorithm>

namespace drill::faults {

namespace {

constexpr std::int64_t host_reserve = 512;

constexpr Param params[] = {
    holder_cgroup,
    {.name = "user", .help = "Name of a user, for whom they count; needs `take`."},
    {.name = "host",
     .type = ParamType::boolean,
     .fallback = "false",
     .help = "The table of the whole host; has to be spelled."},
    holder_take,
    {.name = "leave",
     .type = ParamType::integer,
     .help = "How many stay free: 0 for a cgroup, at least 512 for the host."},
};

bool of_host(const ChangeRequest& request) { return value_or(request.params, "host", false); }

std::vector<Exec> observe(const ChangeRequest& request) {
    return {holder_observe({.path = "",
                            .cgroup = text_of(request.params, "cgroup"),
                            .user = text_of(request.params, "user")})};
}

Status add_user(const ChangeRequest& request, const HolderFacts& facts,
                std::vector<std::string>& options) {
    const std::string user = text_of(request.params, "user");
    if (user.empty()) { return ok(); }
    if (facts.uid < 0) { return fail(Code::refused, "no user " + user + " on " + request.host); }
    if (facts.uid == 0 || facts.uid == facts.login_uid) {
        return fail(Code::refused, "`user` " + user + " logs in on " + request.host +
                                       " for the undo; choose the user of the service");
    }
    if (value_of<std::int64_t>(request.params, "take") == nullptr) {
        return fail(Code::refused,
                    "`user` needs `take`: the limit of a user is one of each of"
                    " its processes, so drill cannot know how many are left");
    }
    options.push_back("uid=" + std::to_string(facts.uid));
    return ok();
}

Result<Change> compose(const ChangeRequest& request) {
    DRILL_TRY(const HolderFacts facts, holder_facts(request));
    const int scopes = (text_of(request.params, "cgroup").empty() ? 0 : 1) +
                       (text_of(request.params, "user").empty() ? 0 : 1) +
                       (of_host(request) ? 1 : 0);
    if (scopes != 1) {
        return fail(Code::refused, "say whose process table: one of `cgroup`, `user`, host = true");
    }
    DRILL_TRY(std::vector<std::string> options, holder_cgroup_option(request, facts, "pids"));
    DRILL_CHECK(add_user(request, facts, options));
    const auto leave =
        value_or<std::int64_t>(request.params, "leave", of_host(request) ? host_reserve : 0);
    if (of_host(request) && leave < host_reserve) {
        return fail(Code::refused, "`leave` is at least " + std::to_string(host_reserve) +
                                       " for a host: logins and the undo need processes too");
    }
    options.push_back("leave=" + std::to_string(leave));
    if (const std::int64_t* take = value_of<std::int64_t>(request.params, "take")) {
        options.push_back("size=" + std::to_string(*take));
    }
    return holder_change(request, "pid-exhaust", options);
}

std::string describe(const ChangeRequest& request) {
    const std::string cgroup = text_of(request.params, "cgroup");
    const std::string user = text_of(request.params, "user");
    const std::int64_t* take = value_of<std::int64_t>(request.params, "take");
    return "take " +
           (take != nullptr ? std::to_string(*take) + " of the processes" : "the processes") +
           " that " +
           (!cgroup.empty() ? "cgroup " + cgroup
            : !user.empty() ? "user " + user
                            : std::string("all")) +
           " may have on " + request.host;
}

}  // namespace

extern const Kind pid_exhaust;
const Kind pid_exhaust{
    .name = "pid-exhaust",
    .summary = "Takes the processes that a cgroup, a user or the host may have.",
    .ending = Ending::holder,
    .peers_param = "",
    .needs = "base64 sha256sum",
    .params = params,
    .observe = observe,
    .compose = compose,
    .describe = describe,
};

}  // namespace drill::faults
