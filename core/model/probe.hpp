// Probes ask the same question again and again; a sample is one answer.
#pragma once

#include "base/instant.hpp"
#include "base/result.hpp"
#include "model/action.hpp"
#include "model/host.hpp"
#include "model/param.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace drill {

enum class SampleState : std::uint8_t {
    ok,        ///< right and in time
    degraded,  ///< right, but later than `ok.within`
    failed,    ///< wrong, refused, or no answer within the time-out
    unknown,   ///< the probe itself could not ask (no descriptor, own overload, lost vantage)
};

struct Sample {
    std::uint32_t probe{0};   ///< index in Plan::probes
    std::uint64_t number{0};  ///< gapless per probe, from 0
    Nanos intended{0};        ///< absolute schedule; latency counts from here
    Nanos sent{0};            ///< when the question really left (boot time)
    Nanos received{0};        ///< when the answer was complete, or sent + time-out
    SampleState state{SampleState::unknown};
    std::string detail;  ///< "HTTP 503", "connection refused"; "" when ok
};

/// What to ask, made by a probe kind.
struct HttpQuestion {
    std::string method{"GET"};
    std::string url;
    std::map<std::string, std::string> headers;
    std::string body;
};
struct TcpQuestion {
    std::string host;
    std::uint16_t port{0};
};
struct CommandQuestion {
    std::string on;  ///< catalog host, "" = on the controller
    Exec exec;
};
using Question = std::variant<HttpQuestion, TcpQuestion, CommandQuestion>;

/// What came back, before it is judged.
struct Answer {
    bool asked{false};  ///< false: the probe could not ask (unknown)
    bool timed_out{false};
    int status{0};        ///< HTTP status, or exit status
    std::string body;     ///< HTTP body or stdout, capped
    std::string problem;  ///< "" or what failed below: "connection refused"
    Nanos latency{0};     ///< received - intended
};

struct ProbeKind {
    std::string_view name;
    std::string_view summary;
    std::span<const Param> params;
    Result<Question> (*compose)(const Values& params){nullptr};
    /// Never returns unknown unless !answer.asked. Fills detail.
    SampleState (*judge)(const Values& params, const Answer& answer, std::string& detail){nullptr};
};
using ProbeKinds = std::span<const ProbeKind* const>;

}  // namespace drill
