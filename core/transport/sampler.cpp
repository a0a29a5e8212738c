// See sampler.hpp. One thread, one epoll set, one timer on CLOCK_BOOTTIME for whatever is due
// next: a question, a time-out, libcurl. Must not: wait for anything else.
#include "transport/sampler.hpp"

#include "base/text.hpp"
#include "transport/sampler_dns.hpp"
#include "transport/sampler_http.hpp"
#include "transport/sampler_pool.hpp"
#include "transport/sampler_postgres.hpp"
#include "transport/sampler_talk.hpp"
#include "transport/sampler_tcp.hpp"
#include "transport/sampler_tls.hpp"
#include "transport/secret_source.hpp"
#include "transport/wait.hpp"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <optional>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>

namespace drill {

namespace {

using namespace sampling;

/// Commands at once over all probes; each may hold a connection to a host.
constexpr std::size_t most_workers = 16;
constexpr std::size_t resolver_threads = 2;
/// A loop that was away longer than this may have missed answers; it is told to each question.
constexpr Nanos stall_worth_noting = std::chrono::milliseconds{5};
/// An end seen this much after the time-out is still a time-out, not our own delay.
constexpr Nanos time_out_grain = std::chrono::milliseconds{5};
/// Questions of one probe that are made up for after a stall; beyond it the schedule moves on.
constexpr std::int64_t most_overdue = 10'000;
/// More than can be in flight in any sane plan: all answers are seen before a time-out is declared.
constexpr std::size_t events_at_once = 1024;
/// Turns of the loop between a begin and the request's last byte (connect, TLS, send).
constexpr int turns_to_ask = 4;
constexpr std::size_t detail_limit = 200;
/// libcurl's own limit only catches what the loop forgot.
constexpr Nanos curl_grace = std::chrono::seconds{1};

/// A question under way.
struct Flight {
    std::size_t probe{0};
    std::uint64_t number{0};
    Nanos intended{0}, sent{0};
    Nanos left{0};           ///< when the call that sent it returned
    Nanos longest_stall{0};  ///< of the loop while it was under way
    Nanos deadline{0};
    std::shared_ptr<PooledQuestion> pooled;  ///< shared with a worker of the pool
};

struct Schedule {
    std::uint64_t number{0};
    Nanos next{0};
    std::size_t in_flight{0};
    std::size_t most_in_flight{0};
};

/// Real-time where allowed: under load a normal thread wakes tens of milliseconds late. Lowest
/// real-time priority, and not inherited by what libcurl starts.
void raise_priority() {
    sched_param param{};
    param.sched_priority = 1;
    if (::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param) == 0) { return; }
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), -10);
}

/// A write to a connection that the other side closed must not end the process; OpenSSL cannot
/// say MSG_NOSIGNAL. For this thread only, and for what libcurl starts from it.
void hold_back_pipe_signal() {
    sigset_t pipe{};
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
}

/// Where a question connects to; empty for those that know it themselves.
struct Place {
    std::string host;
    std::uint16_t port{0};
};
std::optional<Place> place_of(const Question& question) {
    if (const auto* tcp = std::get_if<TcpQuestion>(&question)) {
        return Place{tcp->host, tcp->port};
    }
    if (const auto* tls = std::get_if<TlsQuestion>(&question)) {
        return Place{tls->host, tls->port};
    }
    const auto* postgres = std::get_if<PostgresQuestion>(&question);
    if (postgres == nullptr || postgres->host.starts_with('/')) { return std::nullopt; }
    return Place{postgres->host, postgres->port};
}

/// The state of one run, from start to stop. Everything in it belongs to the loop's thread.
class Loop {
public:
    Loop(const std::vector<PlannedProbe>& probes, std::vector<Schedule>& schedules, Clock& clock,
         const CommandRunner& runner, Mailbox& mailbox, int wake)
        : probes_(probes),
          schedules_(schedules),
          clock_(clock),
          mailbox_(mailbox),
          epoll_(::epoll_create1(EPOLL_CLOEXEC)),
          timer_(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)),
          tcp_(epoll_.get(), clock),
          http_(epoll_.get(), clock),
          talks_(epoll_.get(), clock) {
        std::size_t workers = 0;
        bool names = false;
        for (std::size_t i = 0; i < probes_.size(); ++i) {
            const Question& question = probes_[i].question;
            if (std::holds_alternative<CommandQuestion>(question)) {
                workers += schedules_[i].most_in_flight;
            }
            const std::optional<Place> place = place_of(question);
            names = names || (place && !numeric_address(place->host, place->port));
        }
        if (names) { resolver_.emplace(resolver_threads); }
        if (workers > 0) { commands_.emplace(std::min(workers, most_workers), runner, clock); }
        sound_ = watch(timer_.get(), Source::timer) && watch(wake, Source::wake) &&
                 (!commands_ || watch(commands_->event(), Source::wake)) &&
                 (!resolver_ || watch(resolver_->event(), Source::resolved));
    }

    void run(const std::atomic<bool>& stop) {
        if (!sound_) { return; }
        const Nanos start = clock_.now().boot;
        for (Schedule& schedule : schedules_) { schedule.next = start; }
        std::array<epoll_event, events_at_once> events{};
        Nanos rested = start;
        while (!stop) {
            const Nanos planned = arm();
            note_stall(clock_.now().boot - rested);
            const int count =
                ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
            rested = clock_.now().boot;
            note_stall(rested - planned);
            for (int i = 0; i < count; ++i) { handle(events[static_cast<std::size_t>(i)]); }
            if (commands_) { commands_->collect(ends_); }
            if (http_.due() && *http_.due() <= rested) { http_.expire(ends_); }
            settle();
            ask_due(stop);
            settle();
        }
        tcp_.drop_all();
        http_.drop_all();
        talks_.drop_all();
    }

private:
    bool watch(int fd, Source source) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = mark(source, 0);
        return epoll_.open() && fd >= 0 &&
               ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
    }

    /// Sets the timer to what is due first, and says when that is.
    Nanos arm() {
        Nanos first = Nanos::max();
        for (const Schedule& schedule : schedules_) { first = std::min(first, schedule.next); }
        if (!deadlines_.empty()) { first = std::min(first, deadlines_.begin()->first); }
        if (http_.due()) { first = std::min(first, *http_.due()); }
        const Nanos at = std::max(first, Nanos{1});  // zero would disarm it
        itimerspec when{};
        when.it_value.tv_sec = static_cast<time_t>(at.count() / 1'000'000'000);
        when.it_value.tv_nsec = static_cast<long>(at.count() % 1'000'000'000);
        ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
        return first;
    }

    void note_stall(Nanos stall) {
        if (stall < stall_worth_noting) { return; }
        for (auto& [token, flight] : flights_) {
            flight.longest_stall = std::max(flight.longest_stall, stall);
        }
    }

    void handle(const epoll_event& event) {
        constexpr std::uint64_t value_mask = (std::uint64_t{1} << source_shift) - 1;
        const std::uint64_t value = event.data.u64 & value_mask;
        switch (static_cast<Source>(event.data.u64 >> source_shift)) {
            case Source::timer: {
                std::uint64_t times = 0;
                [[maybe_unused]] const auto got = ::read(timer_.get(), &times, sizeof times);
                break;
            }
            case Source::wake: break;  // a stop, or the pool, which is looked at each time
            case Source::resolved:
                for (Resolved& resolved : resolver_->collect()) { connect(std::move(resolved)); }
                break;
            case Source::tcp: tcp_.ready(value, ends_); break;
            case Source::talk: talks_.ready(value, ends_); break;
            case Source::curl: http_.ready(static_cast<int>(value), event.events, ends_); break;
        }
    }

    void connect(Resolved resolved) {
        const auto found = flights_.find(resolved.token);
        if (found == flights_.end()) { return; }
        if (resolved.addresses.empty()) {
            ends_.push_back({resolved.token, std::move(resolved.answer), clock_.now().boot});
        } else {
            connect(resolved.token, found->second.probe, std::move(resolved.addresses));
        }
    }

    void connect(std::uint64_t token, std::size_t index, std::vector<Address> addresses) {
        const PlannedProbe& probe = probes_[index];
        if (const auto* tls = std::get_if<TlsQuestion>(&probe.question)) {
            talks_.begin(token, tls_.talk(*tls, std::move(addresses)), ends_);
        } else if (const auto* sql = std::get_if<PostgresQuestion>(&probe.question)) {
            static const Secret none;
            const Secret& password = probe.password ? *probe.password : none;
            talks_.begin(token, postgres_.talk(*sql, index, password, addresses), ends_);
        } else {
            tcp_.begin(token, std::move(addresses), ends_);
        }
    }

    /// Sends a question that needs no worker.
    void send(std::uint64_t token, std::size_t index) {
        const PlannedProbe& probe = probes_[index];
        if (const auto* http = std::get_if<HttpQuestion>(&probe.question)) {
            return http_.begin(token, *http, probe.timeout + curl_grace, ends_);
        }
        if (const auto* steps = std::get_if<TransactionQuestion>(&probe.question)) {
            return http_.begin(token, *steps, probe.timeout + curl_grace, ends_);
        }
        if (const auto* dns = std::get_if<DnsQuestion>(&probe.question)) {
            return talks_.begin(token, make_dns_talk(*dns), ends_);
        }
        const std::optional<Place> place = place_of(probe.question);
        if (!place || postgres_.idle(index)) { return connect(token, index, {}); }
        if (const std::optional<Address> address = numeric_address(place->host, place->port)) {
            return connect(token, index, {*address});
        }
        resolver_->submit(token, place->host, place->port);
    }

    void ask_due(const std::atomic<bool>& stop) {
        for (std::size_t i = 0; i < probes_.size(); ++i) {
            Schedule& schedule = schedules_[i];
            // Bounded: after a stall the schedule jumps; what is left fits into one turn.
            for (Nanos now = clock_.now().boot; schedule.next <= now && !stop;
                 now = clock_.now().boot) {
                skip_overdue(i, now);
                const Nanos intended = schedule.next;
                schedule.next += probes_[i].every;
                ask(i, intended);
            }
        }
    }

    /// After a stall of many periods (suspend, SIGSTOP) one unknown stands for what was missed;
    /// the hole in the intended times shows the rest.
    void skip_overdue(std::size_t probe, Nanos now) {
        Schedule& schedule = schedules_[probe];
        const Nanos every = probes_[probe].every;
        if (now - schedule.next < every * most_overdue) { return; }
        const std::int64_t missed = (now - schedule.next) / every;
        Flight flight;
        flight.probe = probe;
        flight.number = schedule.number++;
        flight.intended = schedule.next;
        flight.sent = now;
        schedule.next += every * missed;
        post(flight, now,
             unknown_because("the schedule stood still for " +
                             show_duration(now - flight.intended)));
    }

    void ask(std::size_t probe, Nanos intended) {
        Schedule& schedule = schedules_[probe];
        Flight flight;
        flight.probe = probe;
        flight.number = schedule.number++;
        flight.intended = intended;
        flight.sent = clock_.now().boot;
        if (schedule.in_flight >= schedule.most_in_flight) {
            return post(flight, flight.sent, unknown_because("too many questions in flight"));
        }
        try {
            begin(std::move(flight));
        } catch (...) {  // out of memory: the question is lost, and its number shows it
            return;
        }
    }

    void begin(Flight flight) {
        const std::uint64_t token = next_token_++;
        const PlannedProbe& probe = probes_[flight.probe];
        flight.deadline = flight.sent + probe.timeout;
        if (const auto* command = std::get_if<CommandQuestion>(&probe.question)) {
            flight.pooled = std::make_shared<PooledQuestion>();
            flight.pooled->token = token;
            flight.pooled->question = *command;
            flight.pooled->timeout = probe.timeout;
        }
        deadlines_.emplace(flight.deadline, token);
        ++schedules_[flight.probe].in_flight;
        const auto placed = flights_.emplace(token, std::move(flight)).first;
        if (placed->second.pooled) {
            commands_->submit(placed->second.pooled);
        } else {
            send(token, placed->second.probe);
        }
        placed->second.left = clock_.now().boot;
    }

    /// Posts what has ended, then what has run out of time.
    void settle() {
        for (Done& done : std::exchange(ends_, {})) { finish(std::move(done)); }
        const Nanos now = clock_.now().boot;
        while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
            const std::uint64_t token = deadlines_.begin()->second;
            deadlines_.erase(deadlines_.begin());
            time_out(token, now);
        }
    }

    void finish(Done done) {
        const auto found = flights_.find(done.token);
        if (found == flights_.end()) { return; }  // given up before
        Flight flight = take(found);
        if (flight.pooled) { flight.sent = Nanos{flight.pooled->started.load()}; }
        const Nanos timeout = probes_[flight.probe].timeout;
        const Nanos over = done.received - (flight.sent + timeout);
        if (done.answer.asked && (done.answer.timed_out || over > Nanos{0})) {
            if (!done.answer.timed_out && over > time_out_grain) {
                done.answer = unknown_because("its end was seen " + show_duration(over) +
                                              " after the time-out");
            } else {
                done.answer.timed_out = true;
                done.received = flight.sent + timeout;
            }
        }
        post(flight, done.received, std::move(done.answer));
    }

    void time_out(std::uint64_t token, Nanos now) {
        const auto found = flights_.find(token);
        if (found == flights_.end()) { return; }
        const Nanos timeout = probes_[found->second.probe].timeout;
        Answer answer;
        answer.asked = true;
        answer.timed_out = true;
        if (PooledQuestion* pooled = found->second.pooled.get()) {
            const Nanos started{pooled->started.load()};
            if (started > Nanos{0} && started + timeout > now) {  // it waited for a worker first
                found->second.deadline = started + timeout;
                deadlines_.emplace(found->second.deadline, token);
                return;
            }
            pooled->dropped = true;
            found->second.sent = std::max(found->second.sent, started);
            if (started == Nanos{0}) { answer = unknown_because("no free slot in time"); }
        }
        Flight flight = take(found);
        answer.problem = answer.asked ? http_.stage(token) : answer.problem;
        tcp_.drop(token);
        talks_.drop(token);
        if (was_unfair(flight, http_.drop(token), timeout)) {
            answer = unknown_because("this machine was too slow to ask");
        }
        post(flight, flight.sent + timeout, std::move(answer));
    }

    /// A time-out speaks against the target only if it had half of the time to answer. `asked`:
    /// how long after its begin the request left; slow because of the way, or of our loop?
    static bool was_unfair(const Flight& flight, Nanos asked, Nanos timeout) {
        if (flight.pooled) { return false; }
        if (flight.left - flight.sent > timeout / 2) { return true; }
        return asked > timeout / 2 && flight.longest_stall * turns_to_ask > timeout / 2;
    }

    Flight take(std::unordered_map<std::uint64_t, Flight>::iterator found) {
        Flight flight = std::move(found->second);
        deadlines_.erase({flight.deadline, found->first});
        flights_.erase(found);
        --schedules_[flight.probe].in_flight;
        return flight;
    }

    [[nodiscard]] static Answer unknown_because(std::string problem) {
        Answer answer;
        answer.problem = std::move(problem);
        return answer;
    }

    void post(const Flight& flight, Nanos received, Answer answer) {
        const PlannedProbe& probe = probes_[flight.probe];
        Sample sample;
        sample.probe = probe.index;
        sample.number = flight.number;
        sample.intended = flight.intended;
        sample.sent = flight.sent;
        sample.received = received;
        answer.latency = received - flight.intended;
        sample.state = probe.judge(probe.params, answer, sample.detail);
        const Nanos late = flight.sent - flight.intended;
        if (late > probe.every) {
            sample.detail += (sample.detail.empty() ? "late " : ", late ") + show_duration(late);
        }
        sample.detail = escape_control(sample.detail.substr(0, detail_limit), Lines::one);
        mailbox_.post(Sampled{std::move(sample)});
    }

    const std::vector<PlannedProbe>& probes_;
    std::vector<Schedule>& schedules_;
    Clock& clock_;
    Mailbox& mailbox_;
    Fd epoll_, timer_;
    TcpAsker tcp_;
    HttpAsker http_;
    TlsAsker tls_;
    PostgresAsker postgres_;
    TalkAsker talks_;
    std::optional<Resolver> resolver_;
    std::optional<CommandPool> commands_;
    bool sound_{false};
    Ends ends_;
    std::uint64_t next_token_{1};
    std::unordered_map<std::uint64_t, Flight> flights_;
    std::set<std::pair<Nanos, std::uint64_t>> deadlines_;
};

class LoopSampler : public Sampler {
public:
    LoopSampler(std::vector<PlannedProbe> probes, Clock& clock, CommandRunner runner)
        : probes_(std::move(probes)), clock_(clock), runner_(std::move(runner)) {
        for (const PlannedProbe& probe : probes_) {
            DRILL_ASSERT(probe.every > Nanos{0} && probe.timeout > Nanos{0} && probe.judge);
            Schedule schedule;
            const auto overlap = (probe.timeout + probe.every - Nanos{1}) / probe.every;
            schedule.most_in_flight = static_cast<std::size_t>(overlap) + 2;
            schedules_.push_back(schedule);
            if (std::holds_alternative<PostgresQuestion>(probe.question)) {
                forget_postgres_environment();
            }
        }
    }
    ~LoopSampler() override { end(); }

    void start(Mailbox& mailbox) override {
        end();
        for (Schedule& schedule : schedules_) { schedule.in_flight = 0; }
        stop_ = false;
        wake_ = make_event();
        thread_ = std::thread([this, &mailbox] {
            hold_back_pipe_signal();
            try {
                Loop loop(probes_, schedules_, clock_, runner_, mailbox, wake_.get());
                raise_priority();  // after the pool's threads, which stay as they are
                loop.run(stop_);
            } catch (...) {  // out of memory: silence, which is read as unknown
                stop_ = true;
            }
        });
    }

    void stop() override { end(); }

private:
    void end() {
        if (!thread_.joinable()) { return; }
        stop_ = true;
        raise_event(wake_.get());
        thread_.join();
    }

    std::vector<PlannedProbe> probes_;
    std::vector<Schedule> schedules_;
    Clock& clock_;
    CommandRunner runner_;
    Fd wake_;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

}  // namespace

Result<std::vector<PlannedProbe>> plan_probes(std::span<const ProbeSpec> specs, ProbeKinds kinds) {
    std::vector<PlannedProbe> planned;
    for (const ProbeSpec& spec : specs) {
        const auto kind = std::ranges::find(kinds, spec.kind, &ProbeKind::name);
        if (kind == kinds.end()) {
            return fail(Code::not_found, "no probe kind `" + spec.kind + '`')
                .at("probe " + spec.name);
        }
        Result<Question> question = (*kind)->compose(spec.params);
        if (!question) { return std::move(question).error().at("probe " + spec.name); }
        if (spec.every <= Nanos{0} || spec.timeout <= Nanos{0}) {
            return fail(Code::invalid, "`every` and `timeout` must be above zero")
                .at("probe " + spec.name);
        }
        std::shared_ptr<const Secret> password;
        if (const auto* sql = std::get_if<PostgresQuestion>(&*question);
            sql && sql->password.given()) {
            Result<Secret> secret = read_secret(sql->password);
            if (!secret) { return std::move(secret).error().at("probe " + spec.name); }
            password = std::make_shared<const Secret>(*std::move(secret));
        }
        planned.push_back({static_cast<std::uint32_t>(planned.size()), spec.name,
                           *std::move(question), (*kind)->judge, spec.params, spec.every,
                           spec.timeout, std::move(password)});
    }
    return planned;
}

std::unique_ptr<Sampler> make_sampler(std::vector<PlannedProbe> probes, Clock& clock,
                                      CommandRunner runner) {
    return std::make_unique<LoopSampler>(std::move(probes), clock, std::move(runner));
}

}  // namespace drill
