// noop: a marker file in the lease directory. It changes nothing else and goes through every
// phase of a change, so it rehearses the path to a host and is the pattern for a new kind.
// Must not: grow. Next: noop.md, the guide; model/kind.hpp, the contract.
#include "faults/parts/values.hpp"

namespace drill::faults {

namespace {

constexpr Param params[] = {
    {.name = "say",
     .type = ParamType::text,
     .fallback = "nothing is changed",
     .help = "Text that is written to the marker file."},
};

// The marker is compared as a whole: somebody else's file of that name is not ours.
constexpr std::string_view read_marker = R"sh(
[ -e "$1" ] || exit 0
[ "$(cat "$1")" = "$2" ] && exit 10
echo "$1 was altered"
exit 12
)sh";

std::vector<Exec> observe(const ChangeRequest& /*request*/) { return {}; }

Result<Change> compose(const ChangeRequest& request) {
    const std::string say = text_of(request.params, "say");
    if (say.find_first_of(std::string_view("\n\0", 2)) != std::string::npos) {
        return fail(Code::refused, "`say` must be one line");
    }
    const std::string marker = request.directory + "/marker";
    Change change;
    change.apply = {script("cat >\"$1\"", {marker})};
    change.apply.front().input = say + "\n";
    change.undo = {{{"rm", "-f", marker}, {}}};
    change.read_back = {script(read_marker, {marker, say})};
    change.ending = Ending::watcher;
    return change;
}

std::string describe(const ChangeRequest& request) {
    return "write a marker file on " + request.host + " and change nothing else";
}

}  // namespace

extern const Kind noop;
const Kind noop{
    .name = "noop",
    .summary = "Writes a marker file and changes nothing else: rehearses the path to a host.",
    .ending = Ending::watcher,
    .peers_param = "",
    .needs = "",
    .params = params,
    .observe = observe,
    .compose = compose,
    .describe = describe,
};

}  // namespace drill::faults
