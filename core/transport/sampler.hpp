// Performs the probes of a plan: asks on an absolute schedule, stamps as close to the wire as it
// can, and posts one sample for each question. Open loop: a slow answer delays no later question.
// Must not: blame the target for the controller's own delay; what this machine could not ask or
// could not see in time is unknown. Next: sampler_http.hpp, sampler_tcp.hpp, sampler_pool.hpp.
#pragma once

#include "model/definition.hpp"
#include "model/probe.hpp"
#include "transport/transport.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace drill {

struct PlannedProbe {
    std::uint32_t index{0};  ///< becomes Sample::probe
    std::string name;
    Question question;
    SampleState (*judge)(const Values& params, const Answer& answer, std::string& detail){nullptr};
    Values params;
    Nanos every{0}, timeout{0};  ///< both above zero
};

/// Index by position. Failure: Code::not_found for a kind that is not in the table, else what
/// the kind says of its parameters, at the name of the probe.
[[nodiscard]] Result<std::vector<PlannedProbe>> plan_probes(std::span<const ProbeSpec> specs,
                                                            ProbeKinds kinds);

/// Runs question.exec on question.on ("" = controller). Blocks at most until the deadline (boot
/// time) and ends within 100 ms of a stop request. Called from several threads at once.
/// Code::timed_out with an effect other than none means that the program did not end in time
/// (failed); every other error means that it could not be asked (unknown).
using CommandRunner = std::function<Result<Reply>(const CommandQuestion& question, Nanos deadline,
                                                  std::stop_token stop)>;

/// start: one thread for all http and tcp probes, at real-time priority where that is allowed,
/// and a small pool for commands and names; first questions leave at once. The mailbox must
/// outlive the sampler or stop(). A second start after stop goes on with the numbers.
/// stop: blocks up to 200 ms (as long as the runner heeds its stop token); nothing is posted
/// after it. Questions under way are dropped without a sample.
/// Samples come in the order of their ends, not of their numbers. `sent` is stamped before the
/// connection is begun (with a name: before it is resolved), `received` when the end was seen;
/// a time-out ends at sent + timeout exactly. Without descriptors at start nothing is posted,
/// which measure.hpp reads as unknown.
[[nodiscard]] std::unique_ptr<Sampler> make_sampler(std::vector<PlannedProbe> probes, Clock& clock,
                                                    CommandRunner runner);

}  // namespace drill
