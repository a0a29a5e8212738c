// Performs the probes of a plan: asks on an absolute schedule, stamps as close to the wire as it
// can, and posts one sample for each question. Open loop: a slow answer delays no later question.
// Must not: blame the target for the controller's own delay; what this machine could not ask or
// could not see in time is unknown. Next: sampler_http.hpp, sampler_talk.hpp, sampler_pool.hpp.
#pragma once

#include "model/definition.hpp"
#include "model/probe.hpp"
#include "transport/redact.hpp"
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
    Nanos every{0}, timeout{0};                ///< both above zero
    std::shared_ptr<const Secret> password{};  ///< of a postgres question, may be null
};

/// Index by position. Reads the secrets that the probes refer to, which may block 10 s for each
/// that is a command. Failure, at the name of the probe: Code::not_found for a kind that is not
/// in the table, else what the kind says of its parameters, or why a secret cannot be read.
[[nodiscard]] Result<std::vector<PlannedProbe>> plan_probes(std::span<const ProbeSpec> specs,
                                                            ProbeKinds kinds);

/// Runs question.exec on question.on ("" = controller). Blocks at most until the deadline (boot
/// time) and ends within 100 ms of a stop request. Called from several threads at once.
/// Code::timed_out with an effect other than none means that the program did not end in time
/// (failed); every other error means that it could not be asked (unknown).
using CommandRunner = std::function<Result<Reply>(const CommandQuestion& question, Nanos deadline,
                                                  std::stop_token stop)>;

/// make_sampler: with a postgres probe, PG* variables leave the environment of this process.
/// start: one thread for all but commands and names, at real-time priority where that is allowed,
/// and a small pool for those two; first questions leave at once. The mailbox must
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
