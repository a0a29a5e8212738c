// inode-fill: inodes of a file system, in open files without a name, which the kernel takes back
// when their holder ends. Must not: make names on the file system, which a killed holder would
// leave there. Next: parts/holder.hpp, inode-fill.md.
#include "base/text.hpp"
#include "faults/parts/holder.hpp"
#include "faults/parts/values.hpp"

namespace drill::faults {

namespace {

constexpr Param params[] = {
    {.name = "path",
     .required = true,
     .help = "Absolute path of a directory on the file system whose inodes are taken."},
    {.name = "percent",
     .type = ParamType::percent,
     .help = "How many of its inodes shall be in use at the end; either this or `take`.",
     .least = 1,
     .most = 1'000'000},
    holder_take,
    {.name = "leave",
     .type = ParamType::integer,
     .fallback = "0",
     .help = "How many inodes stay free whatever is asked for."},
    holder_allow,
};

std::vector<Exec> observe(const ChangeRequest& request) {
    return {holder_observe({.path = text_of(request.params, "path"), .cgroup = "", .user = ""})};
}

Result<Change> compose(const ChangeRequest& request) {
    DRILL_TRY(const HolderFacts facts, holder_facts(request));
    DRILL_TRY(std::vector<std::string> options, holder_path(request, facts));
    const Percent* share = value_of<Percent>(request.params, "percent");
    const std::int64_t* take = value_of<std::int64_t>(request.params, "take");
    if ((share == nullptr) == (take == nullptr)) {
        return fail(Code::refused, "give one of `percent` and `take`");
    }
    options.push_back(share != nullptr ? "ppm=" + std::to_string(share->ppm)
                                       : "size=" + std::to_string(*take));
    options.push_back("leave=" +
                      std::to_string(value_or<std::int64_t>(request.params, "leave", 0)));
    return holder_change(request, "inode-fill", options);
}

std::string describe(const ChangeRequest& request) {
    const Percent* share = value_of<Percent>(request.params, "percent");
    return "take inodes of the file system of " +
           escape_control(text_of(request.params, "path"), Lines::one) + " on " + request.host +
           (share != nullptr
                ? " until " + show_percent(share->ppm) + " are in use"
                : ", " + std::to_string(value_or<std::int64_t>(request.params, "take", 0)));
}

}  // namespace

extern const Kind inode_fill;
const Kind inode_fill{
    .name = "inode-fill",
    .summary = "Takes the inodes of a file system, up to a share or by a number.",
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
