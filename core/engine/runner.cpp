// See runner.hpp.
#include "engine/runner.hpp"

#include <algorithm>
#include <iterator>
#include <map>

namespace drill {

namespace {

/// Turns that could not be committed, kept for the next try. Bounded: beyond that the oldest
/// events go (the ledger records the gap), leases are kept by id.
class Backlog {
public:
    static constexpr std::size_t most_events = 20'000;

    void add(std::vector<Event> events, std::vector<Lease> leases) {
        std::move(events.begin(), events.end(), std::back_inserter(events_));
        if (events_.size() > most_events) {
            events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(
                                                                 events_.size() - most_events));
        }
        for (Lease& lease : leases) {
            const auto known = std::find_if(leases_.begin(), leases_.end(),
                                            [&](const Lease& one) { return one.id == lease.id; });
            if (known == leases_.end()) {
                leases_.push_back(std::move(lease));
            } else {
                *known = std::move(lease);
            }
        }
    }
    /// The intent of an order that was not sent must not appear later as an open lease.
    void forget_intents() {
        std::erase_if(leases_,
                      [](const Lease& lease) { return lease.state == LeaseState::intended; });
    }
    [[nodiscard]] bool empty() const { return events_.empty() && leases_.empty(); }
    [[nodiscard]] std::size_t events() const { return events_.size(); }
    [[nodiscard]] Status commit(Ledger& ledger) {
        Status status = ledger.commit(events_, leases_);
        if (status) {
            events_.clear();
            leases_.clear();
        }
        return status;
    }

private:
    std::vector<Event> events_;
    std::vector<Lease> leases_;
};

constexpr Nanos retry_pause = std::chrono::milliseconds{200};  // of a commit that failed

constexpr int last_attempts = 25;  // of writing what is left when everything is over

Withheld withhold_changes(std::vector<Order>& orders, Error error) {
    Withheld withheld{.orders = {}, .error = std::move(error)};
    for (const Order& order : orders) {
        if (order.urgency == Urgency::change) { withheld.orders.push_back(order.id); }
    }
    std::erase_if(orders, [](const Order& order) { return order.urgency == Urgency::change; });
    return withheld;
}

}  // namespace

RunnerReport run(const Director& director, const RunnerParts& parts) {
    RunnerReport report{};
    Backlog backlog;
    std::vector<News> news;
    bool told = false;  // the director knows that the ledger cannot be written
    Nanos try_again{0};
    while (true) {
        const Instant now = parts.clock.now();
        Turn turn = director(now, std::move(news));
        news.clear();
        const std::vector<Event> shown = turn.events;
        const bool fresh = !turn.events.empty() || !turn.leases.empty();
        backlog.add(std::move(turn.events), std::move(turn.leases));
        if (fresh || (!backlog.empty() && (now.boot >= try_again || turn.finished))) {
            Status status = backlog.commit(parts.ledger);
            if (status) {
                told = false;
                report.ledger_problem.clear();
            } else {
                ++report.failed_commits;
                report.ledger_problem = status.error().text();
                Withheld withheld = withhold_changes(turn.orders, std::move(status).error());
                if (!told || !withheld.orders.empty()) { news.emplace_back(std::move(withheld)); }
                told = true;
                try_again = now.boot + retry_pause;
                backlog.forget_intents();
            }
        }
        // Before anything is shown: a terminal that stands still must not keep an undo back.
        for (Order& order : turn.orders) { parts.transport.submit(std::move(order)); }
        if (parts.show) {
            for (const Event& event : shown) { parts.show(event); }
        }
        if (parts.sampler != nullptr && turn.start_probes) { parts.sampler->start(parts.mailbox); }
        if (parts.sampler != nullptr && turn.stop_probes) { parts.sampler->stop(); }
        if (turn.finished) { break; }
        if (news.empty()) { news = parts.mailbox.take(turn.wake_at); }
    }
    // The last facts are worth a wait: a verdict that nobody recorded is not green.
    for (int attempt = 0; attempt < last_attempts && !backlog.empty(); ++attempt) {
        (void)parts.mailbox.take(parts.clock.now().boot + retry_pause);
        const Status status = backlog.commit(parts.ledger);
        if (!status) {
            ++report.failed_commits;
            report.ledger_problem = status.error().text();
        }
    }
    report.complete = backlog.empty();
    report.unwritten_events = backlog.events();
    return report;
}

}  // namespace drill
