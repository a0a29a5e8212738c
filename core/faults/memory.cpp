// memory: pages that are touched and locked, up to a share of the memory or a size, with a rest
// that stays. Must not: take the rest, or be anything but the kernel's first victim.
// Next: parts/holder.hpp, memory.md.
#include "base/text.hpp"
#include "faults/parts/holder.hpp"
#include "faults/parts/values.hpp"

namespace drill::faults {

namespace {

constexpr Param params[] = {
    holder_percent,
    {.name = "size", .help = "How much is taken, as \"512MiB\"; either this or `percent`."},
    {.name = "leave",
     .fallback = "256MiB",
     .help = "How much stays available whatever is asked for."},
    holder_cgroup,
};

std::vector<Exec> observe(const ChangeRequest& request) {
    return {holder_observe({.path = "", .cgroup = text_of(request.params, "cgroup"), .user = ""})};
}

Result<Change> compose(const ChangeRequest& request) {
    DRILL_TRY(const HolderFacts facts, holder_facts(request));
    DRILL_TRY(std::vector<std::string> options, holder_cgroup_option(request, facts, "memory"));
    DRILL_TRY(const std::vector<std::string> amount, holder_amount(request));
    options.insert(options.end(), amount.begin(), amount.end());
    return holder_change(request, "memory", options);
}

std::string describe(const ChangeRequest& request) {
    const std::string cgroup = text_of(request.params, "cgroup");
    return "lock memory of " + (cgroup.empty() ? "" : "cgroup " + cgroup + " on ") + request.host +
           ", " + holder_amount_words(request) + ", " + text_of(request.params, "leave") +
           " stays available";
}

}  // namespace

extern const Kind memory;
const Kind memory{
    .name = "memory",
    .summary = "Takes memory in locked pages, up to a share or a size.",
    .ending = Ending::holder,
    .peers_param = "",
    .needs = "base64 sha256sum",
    .params = params,
    .observe = observe,
    .compose = compose,
    .describe = describe,
};

}  // namespace drill::faults
