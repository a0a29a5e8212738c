// net-bandwidth: what the target sends to its peers goes at a given rate at most.
// Must not: replace a qdisc that somebody set. Next: parts/net_queue.hpp, net-bandwidth.md.
#include "base/text.hpp"
#include "faults/parts/net_queue.hpp"
#include "faults/parts/values.hpp"

#include <charconv>

namespace drill::faults {

namespace {

constexpr Param params[] = {net_to,
                            net_addresses,
                            {.name = "rate",
                             .type = ParamType::text,
                             .required = true,
                             .help = "Most bits per second and device: \"512kbit\", \"10mbit\"."},
                            net_protocol,
                            net_ports};

/// "10mbit" to bits per second; empty on anything else.
std::optional<std::int64_t> parse_rate(const std::string& text) {
    std::int64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [unit, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || number < 1 || number > 1'000'000'000) { return std::nullopt; }
    const std::string_view word =
        trim(std::string_view(unit, static_cast<std::size_t>(end - unit)));
    const std::int64_t factor = word == "kbit"   ? 1000
                                : word == "mbit" ? 1'000'000
                                : word == "gbit" ? 1'000'000'000
                                                 : 0;
    if (factor == 0) { return std::nullopt; }
    const std::int64_t rate = number * factor;
    constexpr std::int64_t least = 8000, most = 100'000'000'000;
    return rate < least || rate > most ? std::nullopt : std::optional(rate);
}

Result<Change> compose(const ChangeRequest& request) {
    const std::string written = text_of(request.params, "rate");
    const std::optional<std::int64_t> rate = parse_rate(written);
    if (!rate) {
        return fail(Code::refused, "`" + escape_control(written, Lines::one) +
                                       "` is no rate from 8kbit to 100gbit; write \"10mbit\"");
    }
    return queue_compose(request, {"", *rate, drop_every_packet});
}

std::string describe(const ChangeRequest& request) {
    return net_describe_outward(request,
                                "limit to " + text_of(request.params, "rate") + " per second");
}

}  // namespace

extern const Kind net_bandwidth;
const Kind net_bandwidth{
    .name = "net-bandwidth",
    .summary = "Limits the rate at which the target sends to other hosts.",
    .ending = Ending::kernel,
    .peers_param = "to",
    .needs = "nft ip tc",
    .params = params,
    .observe = queue_observe,
    .compose = compose,
    .describe = describe,
};

}  // namespace drill::faults
