// The ledger seam. Durable on return; write-ahead is kept by the runner, which commits a turn's
// events and leases before it sends the turn's orders.
#pragma once

#include "model/event.hpp"
#include "model/lease.hpp"

#include <span>

namespace drill {

class Ledger {
public:
    Ledger() = default;
    Ledger(const Ledger&) = delete;
    Ledger& operator=(const Ledger&) = delete;
    virtual ~Ledger() = default;
    /// All or nothing. Leases are inserted or replaced by id; a lease never goes back from
    /// released or closed. Failure: Code::no_space, busy or internal, nothing was written.
    virtual Status commit(std::span<const Event> events, std::span<const Lease> leases) = 0;
};

}  // namespace drill
