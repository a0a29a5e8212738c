// See judging.hpp.
#include "probes/parts/judging.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <utility>

namespace drill::probes {

std::string text_of(const Values& values, std::string_view name) {
    const auto* found = value_of<std::string>(values, name);
    return found == nullptr ? std::string{} : *found;
}

std::int64_t integer_of(const Values& values, std::string_view name, std::int64_t otherwise) {
    const auto* found = value_of<std::int64_t>(values, name);
    return found == nullptr ? otherwise : *found;
}

Status check_host(const Values& values, std::string_view name) {
    const std::string host = text_of(values, name);
    const bool sound = !host.empty() && std::ranges::all_of(host, [](char c) {
        return static_cast<unsigned char>(c) > 0x20 && c != ',' && c != 0x7f;
    });
    if (sound) { return ok(); }
    return fail(Code::invalid,
                "`" + std::string(name) + "` must be one name or address without blanks");
}

Result<std::uint16_t> port_of(const Values& values, std::int64_t otherwise) {
    const std::int64_t port = integer_of(values, "port", otherwise);
    if (port < 1 || port > 65535) { return fail(Code::invalid, "`port` must be 1 to 65535"); }
    return static_cast<std::uint16_t>(port);
}

SampleState judged(const Values& values, const Answer& answer,
                   std::optional<std::string> (*wrong)(const Values&, const Answer&),
                   std::string& detail) {
    if (!answer.asked) {
        detail = answer.problem.empty() ? "could not ask" : answer.problem;
        return SampleState::unknown;
    }
    if (answer.timed_out) {
        detail = "no answer in time";
        return SampleState::failed;
    }
    if (!answer.problem.empty()) {
        detail = answer.problem;
        return SampleState::failed;
    }
    if (std::optional<std::string> reason = wrong(values, answer)) {
        detail = *std::move(reason);
        return SampleState::failed;
    }
    const auto* within = value_of<Nanos>(values, "ok.within");
    if (within != nullptr && answer.latency > *within) {
        detail = show_duration(answer.latency) + ", later than " + show_duration(*within);
        return SampleState::degraded;
    }
    detail.clear();
    return SampleState::ok;
}

std::optional<std::string> lacks_text(const Values& values, const Answer& answer) {
    const std::string wanted = text_of(values, "ok.contains");
    if (wanted.empty() || answer.body.find(wanted) != std::string::npos) { return std::nullopt; }
    return "the answer does not contain \"" + wanted + '"';
}

}  // namespace drill::probes
