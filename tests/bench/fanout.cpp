// What a fan-out costs: `true` on every host of a list over the real lanes and SSH carriers, first
// on new sessions (cold), then on the kept ones (warm).
// Must not: be a test; scripts/bench/fanout makes the hosts and runs it.
// Read next: transport/lanes.hpp, transport/ssh.hpp.
#include "transport/clock.hpp"
#include "transport/lanes.hpp"
#include "transport/mailbox.hpp"
#include "transport/ssh.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

using namespace drill;

namespace {

constexpr Nanos longest_round = std::chrono::seconds{60};
constexpr int most_rounds = 1000;

struct Cost {
    double wall{0}, cpu{0};  // milliseconds
    std::size_t answered{0};
};

double milliseconds(Nanos span) { return std::chrono::duration<double, std::milli>(span).count(); }

double cpu_so_far() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto part = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
    };
    return part(used.ru_utime) + part(used.ru_stime);
}

std::vector<Connection> read_hosts(const std::string& file, const std::string& key,
                                   const std::string& known_hosts) {
    std::vector<Connection> hosts;
    std::ifstream in(file);
    for (std::string address; std::getline(in, address);) {
        Connection to{};
        to.host = to.address = address;
        to.key_file = key;
        to.known_hosts = known_hosts;
        hosts.push_back(std::move(to));
    }
    return hosts;
}

/// One `true` on every host; ends when all answers are there.
Cost round(const std::vector<Connection>& hosts, Transport& lanes, Mailbox& mailbox,
           std::uint64_t& next) {
    const double cpu = cpu_so_far();
    const Nanos began = boot_now();
    for (const Connection& to : hosts) {
        lanes.submit({.id = next++,
                      .to = to,
                      .action = Exec{.argv = {"true"}, .input = ""},
                      .deadline = began + longest_round,
                      .urgency = Urgency::question});
    }
    Cost cost;
    std::map<std::string, int> problems;
    for (std::size_t left = hosts.size(); left > 0;) {
        // Lanes answers every order by its deadline, so this wait is bounded.
        for (const News& one : mailbox.take(std::nullopt)) {
            const auto* answer = std::get_if<Answered>(&one);
            if (answer == nullptr) { continue; }
            --left;
            if (answer->reply && answer->reply->status == 0) {
                ++cost.answered;
            } else if (!answer->reply) {
                ++problems[answer->reply.error().text()];
            }
        }
    }
    cost.wall = milliseconds(boot_now() - began);
    cost.cpu = cpu_so_far() - cpu;
    for (const auto& [text, count] : problems) {
        std::fprintf(stderr, "%d x %s\n", count, text.c_str());
    }
    return cost;
}

void show(const char* name, const Cost& cost) {
    std::printf("%s wall_ms=%.1f cpu_ms=%.1f ok=%zu\n", name, cost.wall, cost.cpu, cost.answered);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        std::fprintf(stderr, "usage: bench_fanout HOST_FILE KEY_FILE KNOWN_HOSTS WARM_ROUNDS\n");
        return 2;
    }
    const std::vector<Connection> hosts = read_hosts(argv[1], argv[2], argv[3]);
    const int rounds = std::clamp(std::atoi(argv[4]), 0, most_rounds);
    SystemClock clock;
    ThreadMailbox mailbox;
    SshOptions options{};
    options.jumps = std::make_shared<JumpPool>();
    std::uint64_t next = 1;
    bool all = true;
    {
        Lanes lanes(clock, mailbox, LanesOptions{.carrier = [&options](const Connection& to) {
                        return make_ssh(to, options);
                    }});
        for (int i = 0; i <= rounds; ++i) {
            const Cost cost = round(hosts, lanes, mailbox, next);
            show(i == 0 ? "cold" : "warm", cost);
            all = all && cost.answered == hosts.size();
        }
        std::printf("threads=%zu\n", lanes.threads());
    }
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    std::printf("peak_kib=%ld\n", used.ru_maxrss);
    return all ? 0 : 1;
}
