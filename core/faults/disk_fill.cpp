// disk-fill: space of a file system, in a file without a name, which the kernel takes back when its
// holder ends. Must not: fill where audit, sudo or drill write, unless the definition says so.
// Next: parts/holder.hpp, disk-fill.md.
#include "base/text.hpp"
#include "faults/parts/holder.hpp"
#include "faults/parts/values.hpp"

namespace drill::faults {

namespace {

constexpr Param params[] = {
    {.name = "path",
     .required = true,
     .help = "Absolute path of a directory on the file system that is filled."},
    holder_percent,
    {.name = "size", .help = "How much is taken, as \"20GiB\"; either this or `percent`."},
    {.name = "leave", .fallback = "0", .help = "How much stays free whatever is asked for."},
    holder_allow,
};

std::vector<Exec> observe(const ChangeRequest& request) {
    return {holder_observe({.path = text_of(request.params, "path"), .cgroup = "", .user = ""})};
}

Result<Change> compose(const ChangeRequest& request) {
    DRILL_TRY(const HolderFacts facts, holder_facts(request));
    DRILL_TRY(std::vector<std::string> options, holder_path(request, facts));
    DRILL_TRY(const std::vector<std::string> amount, holder_amount(request));
    options.insert(options.end(), amount.begin(), amount.end());
    return holder_change(request, "disk-fill", options);
}

std::string describe(const ChangeRequest& request) {
    return "fill the file system of " +
           escape_control(text_of(request.params, "path"), Lines::one) + " on " + request.host +
           ", " + holder_amount_words(request) + ", " + text_of(request.params, "leave") +
           " stays free";
}

}  // namespace

extern const Kind disk_fill;
const Kind disk_fill{
    .name = "disk-fill",
    .summary = "Fills a file system up to a share or by a size.",
    .ending = Ending::holder,
    .peers_param = "",
    .needs = "base64 sha256sum df",
    .params = params,
    .observe = observe,
    .compose = compose,
    .describe = describe,
    .harms_data = true,
};

}  // namespace drill::faults
