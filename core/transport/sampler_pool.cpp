// See sampler_pool.hpp.
#include "transport/sampler_pool.hpp"

#include <netdb.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace drill::sampling {

namespace {

/// Names that may wait; more than this many unanswered look-ups mean a dead name server.
constexpr std::size_t most_names = 1024;

std::string to_text(std::string text) {
    if (text.size() > body_limit) { text.resize(body_limit); }
    return text;
}

Answer answer_of(Result<Reply> reply) {
    Answer answer;
    if (reply) {
        answer.asked = true;
        answer.status = reply->status;
        answer.body = to_text(std::move(reply->out));
        return answer;
    }
    const Error& error = reply.error();
    // Sent, and no end in time: that is an answer about the target. All else is about the way.
    answer.asked = error.code == Code::timed_out && error.effect != Effect::none;
    answer.timed_out = answer.asked;
    answer.problem = error.text();
    return answer;
}

}  // namespace

CommandPool::CommandPool(std::size_t threads, CommandRunner runner, Clock& clock)
    : runner_(std::move(runner)), clock_(clock), event_(make_event()) {
    for (std::size_t i = 0; i < threads; ++i) {
        threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    }
}

CommandPool::~CommandPool() {
    for (std::jthread& thread : threads_) { thread.request_stop(); }
}

void CommandPool::submit(std::shared_ptr<PooledQuestion> pooled) {
    {
        const std::lock_guard lock(mutex_);
        queue_.push_back(std::move(pooled));
    }
    changed_.notify_one();
}

void CommandPool::collect(Ends& ends) {
    clear_event(event_.get());
    const std::lock_guard lock(mutex_);
    std::ranges::move(ends_, std::back_inserter(ends));
    ends_.clear();
}

void CommandPool::work(const std::stop_token& stop) {
    while (true) {
        std::shared_ptr<PooledQuestion> pooled;
        {
            std::unique_lock lock(mutex_);
            if (!changed_.wait(lock, stop, [this] { return !queue_.empty(); })) { return; }
            pooled = std::move(queue_.front());
            queue_.pop_front();
        }
        if (stop.stop_requested()) { return; }
        if (pooled->dropped) { continue; }
        Done done = run(*pooled, stop);
        {
            const std::lock_guard lock(mutex_);
            ends_.push_back(std::move(done));
        }
        raise_event(event_.get());
    }
}

Done CommandPool::run(PooledQuestion& pooled, const std::stop_token& stop) {
    Done done;
    done.token = pooled.token;
    const Nanos sent = clock_.now().boot;
    pooled.started = sent.count();
    try {
        done.answer = answer_of(runner_(pooled.question, sent + pooled.timeout, stop));
    } catch (...) {  // out of memory or of threads: nothing may leave a thread
        done.answer = Answer{};
        done.answer.problem = "this machine could not run it";
    }
    done.received = clock_.now().boot;
    return done;
}

struct Resolver::State {
    struct Name {
        std::uint64_t token{0};
        std::string host;
        std::uint16_t port{0};
    };
    Fd event{make_event()};
    std::mutex mutex;
    std::condition_variable changed;
    bool stopped{false};
    std::deque<Name> names;
    std::vector<Resolved> results;
};

namespace {

Resolved look_up(std::uint64_t token, const std::string& host, std::uint16_t port) {
    Resolved resolved;
    resolved.token = token;
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
    const int error = errno;
    if (code != 0) {
        const bool own = code == EAI_MEMORY || (code == EAI_SYSTEM && own_trouble(error)) ||
                         out_of_descriptors();
        resolved.answer.asked = !own;
        resolved.answer.problem =
            own ? "no descriptors or memory left" : host + ": " + ::gai_strerror(code);
        return resolved;
    }
    for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
        Address address;
        std::memcpy(&address.storage, each->ai_addr, each->ai_addrlen);
        address.size = each->ai_addrlen;
        resolved.addresses.push_back(address);
    }
    ::freeaddrinfo(list);
    return resolved;
}

void resolve_names(const std::shared_ptr<Resolver::State>& state) {
    while (true) {
        Resolver::State::Name name;
        {
            std::unique_lock lock(state->mutex);
            state->changed.wait(lock, [&] { return state->stopped || !state->names.empty(); });
            if (state->stopped) { return; }
            name = std::move(state->names.front());
            state->names.pop_front();
        }
        Resolved resolved = look_up(name.token, name.host, name.port);
        const std::lock_guard lock(state->mutex);
        if (state->stopped) { return; }
        state->results.push_back(std::move(resolved));
        raise_event(state->event.get());
    }
}

}  // namespace

Resolver::Resolver(std::size_t threads) : state_(std::make_shared<State>()) {
    for (std::size_t i = 0; i < threads; ++i) {
        std::thread([state = state_] { resolve_names(state); }).detach();
    }
}

Resolver::~Resolver() {
    const std::lock_guard lock(state_->mutex);
    state_->stopped = true;
    state_->changed.notify_all();
}

void Resolver::submit(std::uint64_t token, std::string host, std::uint16_t port) {
    const std::lock_guard lock(state_->mutex);
    // The oldest has waited longest, past its time-out; nobody asks for it any more.
    if (state_->names.size() >= most_names) { state_->names.pop_front(); }
    state_->names.push_back({token, std::move(host), port});
    state_->changed.notify_one();
}

int Resolver::event() const noexcept { return state_->event.get(); }

std::vector<Resolved> Resolver::collect() {
    clear_event(state_->event.get());
    const std::lock_guard lock(state_->mutex);
    return std::exchange(state_->results, {});
}

}  // namespace drill::sampling
