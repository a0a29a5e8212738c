// cpu: processes of ours that compute and nothing else, on as many processors as are asked for.
// Must not: bind to a processor, or run before the keeper that ends them.
// Next: parts/holder.hpp, cpu.md.
#include "base/text.hpp"
#include "faults/parts/holder.hpp"
#include "faults/parts/values.hpp"

#include <algorithm>

namespace drill::faults {

namespace {

constexpr std::int64_t most_spinners = 512;

constexpr Param params[] = {
    {.name = "cores",
     .fallback = "100%",
     .help = "How many processors: a number, or a share of those that are online."},
    {.name = "load",
     .type = ParamType::percent,
     .fallback = "100%",
     .help = "Share of each of them, in slices of 50 ms.",
     .least = 10'000,
     .most = 1'000'000},
    {.name = "nice",
     .type = ParamType::integer,
     .fallback = "0",
     .help = "Scheduling priority: -20 goes before all others, 19 takes what they leave.",
     .least = -20,
     .most = 19},
    holder_cgroup,
};

Result<std::int64_t> cores_of(const ChangeRequest& request, std::int64_t online) {
    const std::string text = text_of(request.params, "cores");
    std::int64_t cores = 0;
    if (const std::optional<int> share = parse_percent(text)) {
        cores = std::max<std::int64_t>((online * *share + 500'000) / 1'000'000, 1);
    } else if (!text.empty() && text.size() < 5 &&
               text.find_first_not_of("0123456789") == std::string::npos) {
        cores = std::stoll(text);
    }
    if (cores < 1 || cores > most_spinners) {
        return fail(Code::refused, "`cores` is a number from 1 to " +
                                       std::to_string(most_spinners) + ", or a share as \"50%\"");
    }
    return cores;
}

std::vector<Exec> observe(const ChangeRequest& request) {
    return {holder_observe({.path = "", .cgroup = text_of(request.params, "cgroup"), .user = ""})};
}

Result<Change> compose(const ChangeRequest& request) {
    DRILL_TRY(const HolderFacts facts, holder_facts(request));
    DRILL_TRY(const std::int64_t cores, cores_of(request, facts.processors));
    DRILL_TRY(std::vector<std::string> options, holder_cgroup_option(request, facts, "cpu"));
    options.push_back("cores=" + std::to_string(cores));
    options.push_back("load=" + std::to_string(value_or<Percent>(request.params, "load", {}).ppm));
    options.push_back("nice=" + std::to_string(value_or<std::int64_t>(request.params, "nice", 0)));
    return holder_change(request, "cpu", options);
}

std::string describe(const ChangeRequest& request) {
    const std::string cores = text_of(request.params, "cores");
    return "compute on " + cores +
           (parse_percent(cores) ? " of the processors of " : " processors of ") + request.host +
           ", " + show_percent(value_or<Percent>(request.params, "load", {}).ppm) + " each, nice " +
           std::to_string(value_or<std::int64_t>(request.params, "nice", 0));
}

}  // namespace

extern const Kind cpu;
const Kind cpu{
    .name = "cpu",
    .summary = "Keeps processors busy, as many and as much as asked for.",
    .ending = Ending::holder,
    .peers_param = "",
    .needs = "base64 sha256sum",
    .params = params,
    .observe = observe,
    .compose = compose,
    .describe = describe,
};

}  // namespace drill::faults
