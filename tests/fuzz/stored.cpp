// Fuzzes what is read back from files and from the ledger: plans, leases, events, outcomes. Holds:
// what was read can be written, and what was written is read as the same.
#include "model/json.hpp"
#include "report/json.hpp"

#include <cstdlib>

using namespace drill;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto lease = lease_from_json(text)) {
        const auto again = lease_from_json(lease_to_json(*lease));
        if (!again || !(*again == *lease)) { std::abort(); }
    }
    if (const auto plan = plan_from_json(text)) {
        const auto again = plan_from_json(plan_to_json(*plan, Hash::with));
        if (!again || !(*again == *plan)) { std::abort(); }
    }
    if (const auto event = event_from_body(text)) {
        if (!event_from_body(event_body(*event))) { std::abort(); }
    }
    if (const auto outcome = outcome_from_json(text)) {
        if (!outcome_from_json(outcome_to_json(*outcome))) { std::abort(); }
    }
    return 0;
}
