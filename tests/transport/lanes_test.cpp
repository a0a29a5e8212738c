// Lanes with carriers made for the test. No sleeps: carriers wait for gates that the test opens.
// Also built with the thread sanitizer. Read next: transport/lanes.hpp.
#include "transport/lanes.hpp"

#include "transport/clock.hpp"
#include "transport/mailbox.hpp"
#include "transport/wait.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

using namespace drill;
using namespace std::chrono_literals;

namespace {

/// What all carriers of one test see and are held by.
struct Stage {
    std::mutex mutex;
    std::condition_variable changed;
    std::set<std::string> held;      // programs that wait here until released
    std::vector<std::string> begun;  // "host program"
    std::map<std::string, int> disconnects;
    std::map<std::string, int> made;
    int now{0}, most{0};

    void hold(const std::string& program) {
        const std::lock_guard lock(mutex);
        held.insert(program);
    }
    void release(const std::string& program) {
        const std::lock_guard lock(mutex);
        held.erase(program);
        changed.notify_all();
    }
    void until_begun(const std::string& what) {
        std::unique_lock lock(mutex);
        changed.wait(lock,
                     [&] { return std::find(begun.begin(), begun.end(), what) != begun.end(); });
    }
};

class Actor : public Carrier {
public:
    Actor(Stage& stage, std::string host) : stage_(stage), host_(std::move(host)) {}
    Result<Reply> perform(const Action& action, Nanos deadline, std::stop_token stop) override {
        const std::string program = std::get<Exec>(action).argv[0];
        // Without the lock: it may run inside of its own construction. The wait below looks again.
        const std::stop_callback wake(stop, [this] { stage_.changed.notify_all(); });
        std::unique_lock lock(stage_.mutex);
        stage_.begun.push_back(host_ + " " + program);
        stage_.most = std::max(stage_.most, ++stage_.now);
        stage_.changed.notify_all();
        while (stage_.held.contains(program) && !stop.stop_requested() && boot_now() < deadline) {
            stage_.changed.wait_for(lock, 10ms);
        }
        --stage_.now;
        lock.unlock();
        if (stop.stop_requested()) { return fail(Code::cancelled, "stopped", Effect::unknown); }
        if (program == "throw") { throw std::runtime_error("thrown"); }
        Reply reply;
        reply.out = program;
        return reply;
    }
    void disconnect() override {
        const std::lock_guard lock(stage_.mutex);
        ++stage_.disconnects[host_];
    }

private:
    Stage& stage_;
    std::string host_;
};

struct Bench {
    Stage stage;
    SystemClock clock;
    ThreadMailbox mailbox;
    std::uint64_t next{1};
    Lanes lanes;

    explicit Bench(std::size_t threads = 8)
        : lanes(clock, mailbox, {.threads = threads, .carrier = [this](const Connection& to) {
                                     const std::lock_guard lock(stage.mutex);
                                     ++stage.made[to.host];
                                     return to.transport == "none"
                                                ? nullptr
                                                : std::make_unique<Actor>(stage, to.host);
                                 }}) {}

    Order order(const std::string& host, const std::string& program,
                Urgency urgency = Urgency::change) {
        return Order{.id = next++,
                     .to = Connection{.host = host},
                     .action = Exec{.argv = {program}},
                     .deadline = boot_now() + 30s,
                     .urgency = urgency};
    }
    std::uint64_t send(const std::string& host, const std::string& program,
                       Urgency urgency = Urgency::change) {
        Order one = order(host, program, urgency);
        const std::uint64_t id = one.id;
        lanes.submit(std::move(one));
        return id;
    }
    std::map<std::uint64_t, Answered> answers(std::size_t count) {
        std::map<std::uint64_t, Answered> got;
        while (got.size() < count) {
            for (News& news : mailbox.take(boot_now() + 20s)) {
                auto& answered = std::get<Answered>(news);
                CHECK(answered.sent <= answered.received);
                CHECK(got.emplace(answered.order, answered).second);  // exactly one each
            }
        }
        return got;
    }
};

}  // namespace

TEST_CASE("orders of one host are carried out in their order") {
    Bench bench;
    for (int i = 0; i < 50; ++i) { bench.send("a", "p" + std::to_string(i)); }
    bench.answers(50);
    for (int i = 0; i < 50; ++i) {
        CHECK(bench.stage.begun[static_cast<std::size_t>(i)] == "a p" + std::to_string(i));
    }
    CHECK(bench.stage.most == 1);
    CHECK(bench.stage.made["a"] == 1);
}

TEST_CASE("among undos of several hosts the one that has waited longest goes first") {
    Bench bench(1);
    bench.stage.hold("busy");
    bench.send("a", "busy");
    bench.stage.until_begun("a busy");
    bench.send("b", "change");
    for (const char* host : {"m", "c", "z", "d"}) { bench.send(host, "undo", Urgency::undo); }
    bench.stage.release("busy");
    bench.answers(6);
    CHECK(bench.stage.begun ==
          std::vector<std::string>{"a busy", "m undo", "c undo", "z undo", "d undo", "b change"});
}

TEST_CASE("an undo goes before everything else in its lane, after earlier undos") {
    Bench bench;
    bench.stage.hold("first");
    bench.send("a", "first");
    bench.stage.until_begun("a first");
    bench.send("a", "change");
    bench.send("a", "question", Urgency::question);
    bench.send("a", "undo-1", Urgency::undo);
    bench.send("a", "undo-2", Urgency::undo);
    bench.stage.release("first");
    bench.answers(5);
    CHECK(bench.stage.begun ==
          std::vector<std::string>{"a first", "a undo-1", "a undo-2", "a change", "a question"});
}

TEST_CASE("an undo ends the question that its host is busy with, but not a change") {
    Bench bench;
    bench.stage.hold("question");
    bench.stage.hold("change");
    const auto question = bench.send("a", "question", Urgency::question);
    const auto change = bench.send("b", "change");
    bench.stage.until_begun("a question");
    bench.stage.until_begun("b change");
    bench.send("a", "undo", Urgency::undo);
    bench.send("b", "undo", Urgency::undo);
    bench.stage.until_begun("a undo");
    bench.stage.release("change");
    const auto got = bench.answers(4);
    CHECK(got.at(question).reply.error().code == Code::cancelled);
    CHECK(got.at(change).reply);
}

TEST_CASE("a host that hangs does not hold up another") {
    Bench bench;
    bench.stage.hold("hang");
    bench.send("a", "hang");
    const auto quick = bench.send("b", "quick");
    CHECK(bench.answers(1).contains(quick));
    bench.stage.release("hang");
    bench.answers(1);
}

TEST_CASE("threads are bounded, made on demand, and every order is still answered") {
    Bench bench(4);
    CHECK(bench.lanes.threads() == 0);
    for (int i = 0; i < 300; ++i) { bench.send("h" + std::to_string(i % 100), "x"); }
    bench.answers(300);
    CHECK(bench.lanes.threads() <= 4);
    CHECK(bench.stage.most <= 4);
}

TEST_CASE("one order at a time needs one thread, whatever the number of hosts") {
    Bench bench(8);
    for (int i = 0; i < 20; ++i) {
        bench.send("h" + std::to_string(i), "x");
        bench.answers(1);
        // The worker goes idle a moment after its answer was posted, so a second may appear.
        CHECK(bench.lanes.threads() <= 2);
    }
}

TEST_CASE("with more lanes than threads the lane with an undo is next") {
    Bench bench(1);
    bench.stage.hold("first");
    bench.send("a", "first");
    bench.stage.until_begun("a first");
    for (const char* host : {"b", "c", "d", "e"}) { bench.send(host, "change"); }
    bench.send("z", "undo", Urgency::undo);
    bench.stage.release("first");
    bench.answers(6);
    CHECK(bench.stage.begun[1] == "z undo");
}

TEST_CASE("an order whose deadline passes in the queue is answered by then, without effect") {
    Bench bench;
    bench.stage.hold("hang");
    bench.send("a", "hang");
    bench.stage.until_begun("a hang");
    Order late = bench.order("a", "late");
    late.deadline = boot_now() + 30ms;
    const std::uint64_t id = late.id;
    bench.lanes.submit(std::move(late));
    const auto got = bench.answers(1);  // while the lane is still busy
    REQUIRE(got.contains(id));
    CHECK(got.at(id).reply.error().code == Code::timed_out);
    CHECK(got.at(id).reply.error().effect == Effect::none);
    bench.stage.release("hang");
    bench.answers(1);
    CHECK(bench.stage.begun.size() == 1);
}

TEST_CASE("a fresh order ends the kept connection first") {
    Bench bench;
    bench.send("a", "one");
    Order fresh = bench.order("a", "two");
    fresh.fresh = true;
    bench.lanes.submit(std::move(fresh));
    bench.send("a", "three");
    bench.answers(3);
    CHECK(bench.stage.disconnects["a"] == 1);
    CHECK(bench.stage.made["a"] == 1);
}

TEST_CASE("another way to the same host is another carrier, a newly seen host key is not") {
    Bench bench;
    bench.send("a", "one");
    Order seen = bench.order("a", "two");
    seen.to.host_key = "SHA256:x";
    bench.lanes.submit(std::move(seen));
    bench.answers(2);
    CHECK(bench.stage.made["a"] == 1);
    Order moved = bench.order("a", "three");
    moved.to.port = 2222;
    bench.lanes.submit(std::move(moved));
    bench.answers(1);
    CHECK(bench.stage.made["a"] == 2);
}

TEST_CASE("a transport that does not exist is an answer, not a hang") {
    Bench bench;
    Order odd = bench.order("a", "one");
    odd.to.transport = "none";
    bench.lanes.submit(std::move(odd));
    CHECK(bench.answers(1).begin()->second.reply.error().code == Code::invalid);
}

TEST_CASE("an exception in a carrier is an unknown effect and the lane goes on") {
    Bench bench;
    const auto thrown = bench.send("a", "throw");
    const auto next = bench.send("a", "next");
    const auto got = bench.answers(2);
    CHECK(got.at(thrown).reply.error().effect == Effect::unknown);
    CHECK(got.at(next).reply);
}

TEST_CASE("the end stops what runs and answers what is queued") {
    Stage stage;
    SystemClock clock;
    ThreadMailbox mailbox;
    {
        Lanes lanes(clock, mailbox, {.threads = 2, .carrier = [&](const Connection& to) {
                                         return std::make_unique<Actor>(stage, to.host);
                                     }});
        stage.hold("hang");
        for (std::uint64_t id = 1; id <= 3; ++id) {
            lanes.submit(Order{.id = id,
                               .to = Connection{.host = "a"},
                               .action = Exec{.argv = {"hang"}},
                               .deadline = boot_now() + 1h});
        }
        stage.until_begun("a hang");
    }
    const auto news = mailbox.take(boot_now());
    REQUIRE(news.size() == 3);
    for (const News& one : news) {
        const auto& answered = std::get<Answered>(one);
        CHECK(answered.reply.error().code == Code::cancelled);
        const Effect expected = answered.order == 1 ? Effect::unknown : Effect::none;
        CHECK(answered.reply.error().effect == expected);
    }
}

TEST_CASE("many submitters at once lose and double nothing") {
    Bench bench(6);
    std::atomic<std::uint64_t> next{1000};
    {
        std::vector<std::jthread> submitters;
        for (int t = 0; t < 4; ++t) {
            submitters.emplace_back([&, t] {
                for (int i = 0; i < 100; ++i) {
                    Order order{.id = next++,
                                .to = Connection{.host = "h" + std::to_string((i + t) % 13)},
                                .action = Exec{.argv = {"x"}},
                                .deadline = boot_now() + 30s,
                                .urgency = static_cast<Urgency>(i % 3)};
                    bench.lanes.submit(std::move(order));
                }
            });
        }
    }
    CHECK(bench.answers(400).size() == 400);
}
