// Lanes: queues by host, worker threads, and one thread that watches the deadlines of what is
// still queued. Must not: hold the lock while a carrier works.
// Read next: transport/lanes.hpp.
#include "transport/lanes.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace drill {

namespace {

// The keeper looks at the clock at least so often: condition variables wait on a clock that stands
// still in suspend, deadlines do not.
constexpr Nanos keeper_pause = std::chrono::milliseconds{500};
constexpr std::size_t most_threads = 64;

struct Lane {
    std::deque<Order> queue;
    std::unique_ptr<Carrier> carrier;
    std::optional<Connection> connection;  // what the carrier was made for
    bool busy{false};
    std::uint64_t ready_since{0};  // counts lanes that became ready: the first of them goes first
    Urgency running{Urgency::question};
    std::stop_source stop;

    [[nodiscard]] bool urgent() const {
        return !queue.empty() && queue.front().urgency == Urgency::undo;
    }
};

/// The host key that was seen last changes with every contact; it does not change the way there.
bool same_way(Connection a, Connection b) {
    a.host_key.clear();
    b.host_key.clear();
    return a == b;
}

}  // namespace

class Lanes::Inside {
public:
    Inside(Clock& clock, Mailbox& mailbox, LanesOptions options)
        : clock_(clock), mailbox_(mailbox), options_(std::move(options)) {
        DRILL_ASSERT(options_.carrier);
        options_.threads = std::clamp<std::size_t>(options_.threads, 1, most_threads);
        keeper_ = std::thread([this] { keep(); });
    }
    ~Inside() {
        {
            const std::lock_guard lock(mutex_);
            ending_ = true;
            for (auto& [host, lane] : lanes_) { lane.stop.request_stop(); }
        }
        work_.notify_all();
        queued_.notify_all();
        for (std::thread& worker : workers_) { worker.join(); }
        keeper_.join();
        for (auto& [host, lane] : lanes_) {
            for (Order& order : lane.queue) {
                refuse(order, Code::cancelled, "not sent: the program is ending");
            }
        }
    }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

    void submit(Order order);
    [[nodiscard]] std::size_t threads() const {
        const std::lock_guard lock(mutex_);
        return workers_.size();
    }

private:
    void work();
    void keep();
    Lane* pick();
    void make_ready(Lane& lane);
    void carry_out(Lane& lane, const Order& order, std::unique_lock<std::mutex>& lock);
    Result<Reply> perform(Lane& lane, const Order& order, const std::stop_token& stop);
    void grow();
    void refuse(const Order& order, Code code, std::string why);

    Clock& clock_;
    Mailbox& mailbox_;
    LanesOptions options_;
    mutable std::mutex mutex_;
    std::condition_variable work_;
    std::condition_variable queued_;
    std::map<std::string, Lane> lanes_;  // nodes stay where they are
    std::vector<std::thread> workers_;
    std::size_t idle_{0};
    std::size_t ready_{0};  // lanes with orders that nobody works on
    std::uint64_t ready_count_{0};
    Nanos look_at_{0};  // when the keeper looks at the deadlines next
    bool ending_{false};
    std::thread keeper_;
};

void Lanes::Inside::refuse(const Order& order, Code code, std::string why) {
    const Nanos now = clock_.now().boot;
    mailbox_.post(Answered{.order = order.id,
                           .reply = fail(code, std::move(why), Effect::none),
                           .sent = now,
                           .received = now});
}

void Lanes::Inside::grow() {
    if (idle_ >= ready_ || workers_.size() >= options_.threads) { return; }
    try {
        workers_.emplace_back([this] { work(); });
    } catch (const std::exception&) {
        // The threads that exist go on. Without any, the keeper answers at the deadline.
        return;
    }
}

void Lanes::Inside::submit(Order order) {
    bool sooner = false;
    {
        const std::lock_guard lock(mutex_);
        sooner = order.deadline < look_at_;
        Lane& lane = lanes_[order.to.host];
        const bool was_ready = !lane.busy && !lane.queue.empty();
        if (order.urgency == Urgency::undo) {
            // Behind the undos that are there, before everything else.
            const auto place =
                std::find_if(lane.queue.begin(), lane.queue.end(),
                             [](const Order& o) { return o.urgency != Urgency::undo; });
            const bool cancel =
                options_.undo_ends_question && lane.busy && lane.running == Urgency::question;
            lane.queue.insert(place, std::move(order));
            if (cancel) { lane.stop.request_stop(); }
        } else {
            lane.queue.push_back(std::move(order));
        }
        if (!lane.busy && !was_ready) { make_ready(lane); }
        grow();
    }
    work_.notify_one();
    if (sooner) { queued_.notify_one(); }
}

void Lanes::Inside::make_ready(Lane& lane) {
    ++ready_;
    lane.ready_since = ready_count_++;
}

/// A lane that has orders and no worker: one with an undo if there is one; among equals the one
/// that has waited longest.
Lane* Lanes::Inside::pick() {
    if (ready_ == 0) { return nullptr; }
    Lane* first = nullptr;
    for (auto& [host, lane] : lanes_) {
        if (lane.busy || lane.queue.empty()) { continue; }
        const bool before =
            first == nullptr || (lane.urgent() && !first->urgent()) ||
            (lane.urgent() == first->urgent() && lane.ready_since < first->ready_since);
        if (before) { first = &lane; }
    }
    return first;
}

void Lanes::Inside::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        Lane* lane = ending_ ? nullptr : pick();
        if (lane == nullptr) {
            if (ending_) { return; }
            ++idle_;
            work_.wait(lock, [this] { return ending_ || ready_ > 0; });
            --idle_;
            continue;
        }
        Order order = std::move(lane->queue.front());
        lane->queue.pop_front();
        lane->busy = true;
        lane->running = order.urgency;
        lane->stop = std::stop_source();
        --ready_;
        carry_out(*lane, order, lock);
        lane->busy = false;
        if (!lane->queue.empty()) { make_ready(*lane); }
    }
}

void Lanes::Inside::carry_out(Lane& lane, const Order& order, std::unique_lock<std::mutex>& lock) {
    const std::stop_token stop = lane.stop.get_token();
    lock.unlock();
    const Nanos sent = clock_.now().boot;
    if (sent >= order.deadline) {
        refuse(order, Code::timed_out, "not sent: its deadline passed in the queue of its host");
    } else {
        auto reply = perform(lane, order, stop);
        const Nanos received = clock_.now().boot;
        mailbox_.post(Answered{
            .order = order.id, .reply = std::move(reply), .sent = sent, .received = received});
    }
    lock.lock();
}

/// Only the worker that made the lane busy touches its carrier.
Result<Reply> Lanes::Inside::perform(Lane& lane, const Order& order, const std::stop_token& stop) {
    try {
        if (!lane.connection || !same_way(*lane.connection, order.to)) { lane.carrier.reset(); }
        if (!lane.carrier) {
            lane.carrier = options_.carrier(order.to);
            lane.connection = order.to;
        }
        if (!lane.carrier) {
            return fail(Code::invalid,
                        "no transport \"" + order.to.transport + "\" for " + order.to.host);
        }
        if (order.fresh) { lane.carrier->disconnect(); }
        return lane.carrier->perform(order.action, order.deadline, stop);
    } catch (const std::exception& error) {
        lane.carrier.reset();
        return fail(Code::internal, order.to.host + ": " + error.what(), Effect::unknown);
    }
}

void Lanes::Inside::keep() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
        const Nanos now = clock_.now().boot;
        Nanos next = now + keeper_pause;
        std::vector<Order> late;
        for (auto& [host, lane] : lanes_) {
            const bool was_ready = !lane.busy && !lane.queue.empty();
            for (auto order = lane.queue.begin(); order != lane.queue.end();) {
                if (order->deadline <= now) {
                    late.push_back(std::move(*order));
                    order = lane.queue.erase(order);
                } else {
                    next = std::min(next, order->deadline);
                    ++order;
                }
            }
            if (was_ready && lane.queue.empty()) { --ready_; }
        }
        if (!late.empty()) {
            lock.unlock();
            for (const Order& order : late) {
                refuse(order, Code::timed_out,
                       "not sent: its deadline passed in the queue of its host");
            }
            lock.lock();
            continue;
        }
        look_at_ = next;
        queued_.wait_for(lock, next - now);
    }
}

Lanes::Lanes(Clock& clock, Mailbox& mailbox, LanesOptions options)
    : inside_(std::make_unique<Inside>(clock, mailbox, std::move(options))) {}
Lanes::~Lanes() = default;
void Lanes::submit(Order order) { inside_->submit(std::move(order)); }
std::size_t Lanes::threads() const { return inside_->threads(); }

}  // namespace drill
