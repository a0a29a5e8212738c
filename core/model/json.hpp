// The model as JSON text: plans on disk, lease rows, event bodies. Keys are sorted, no floats;
// durations are integers in nanoseconds with keys ending in `_ns`. The same value gives the
// same bytes. Reading checks every member and says which one is wrong.
#pragma once

#include "base/result.hpp"
#include "model/event.hpp"
#include "model/lease.hpp"
#include "model/plan.hpp"

#include <map>
#include <string>
#include <string_view>

namespace drill {

/// Invalid UTF-8 in any string is replaced (U+FFFD), never thrown about.
[[nodiscard]] std::string lease_to_json(const Lease& lease);
/// Failure: Code::invalid with the path of the member ("change.undo[0].argv").
[[nodiscard]] Result<Lease> lease_from_json(std::string_view text);

/// `with_hash` off: the bytes that Plan::hash is computed over.
enum class Hash : bool { without, with };
[[nodiscard]] std::string plan_to_json(const Plan& plan, Hash hash);
/// Refuses other schema versions (member "drill_plan"), unknown members, nesting past 32,
/// more than 64 MiB, and a hash that does not fit the content.
[[nodiscard]] Result<Plan> plan_from_json(std::string_view text);
/// SHA-256 over plan_to_json(plan, Hash::without).
[[nodiscard]] std::string plan_hash(const Plan& plan);

/// Event::data (without personal) as one JSON object, plus "step", "host", "lease", "message".
/// Data stand in a member "data"; integers, texts and booleans are told apart by their JSON type.
[[nodiscard]] std::string event_body(const Event& event);
/// The same with a member "personal": the salted digest of each personal text, by name.
[[nodiscard]] std::string event_body(const Event& event,
                                     const std::map<std::string, std::string>& digests);
/// The other way: `at` and `type` stay empty, `personal` holds digests.
[[nodiscard]] Result<Event> event_from_body(std::string_view body);

}  // namespace drill
