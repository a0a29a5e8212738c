// A simulated fleet behind the seams: clock, transport, mailbox, ledger and probes in virtual
// time. It interprets envelopes as transport/envelope.sh does on a target (the scenario table
// of tests/envelope holds both to the same answers), ages guards and kernel fuses, and by seed
// loses requests, loses replies, delays, duplicates, reboots, and runs out of disk.
// It also keeps its own account of every effect, which the invariants are checked against.
#pragma once

#include "base/random.hpp"
#include "ledger/ledger.hpp"
#include "model/definition.hpp"
#include "model/kind.hpp"
#include "transport/transport.hpp"

#include <functional>
#include <map>
#include <queue>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace drill::sim {

/// Thrown in place of the controller's death; nothing of the controller's memory survives.
struct SimulatedCrash {};

/// Counts the boundaries that the controller crosses and dies at one of them.
struct Crossing {
    std::uint64_t count{0};
    std::uint64_t die_at{0};  ///< 0 = never
    void cross() {
        if (++count == die_at) { throw SimulatedCrash{}; }
    }
};

/// Chances per mille, drawn for each message or each host and second.
struct Weather {
    std::uint64_t lose_request{0}, lose_reply{0}, delay{0}, duplicate{0};
    std::uint64_t reboot{0}, full_disk{0}, silence{0}, foreign{0}, kill_guard{0}, ledger_fails{0};
};

/// One effect of ours on a host, from beginning to end, as the world saw it.
struct SeenEffect {
    std::string host, lease, kind, boot_id;
    Nanos began{0};
    std::optional<Nanos> ended;
    std::string ended_by;  ///< "undo", "guard", "kernel", "holder", "reboot", "somebody else"
    Nanos promised{
        0};  ///< lease time on the host's clock as controller time: latest end without us
    bool guard_killed{false};
};

class World : public Clock, public Transport, public Mailbox {
public:
    World(std::uint64_t seed, Kinds kinds, Weather weather);

    void add_host(const std::string& name);
    Facts facts_of(const std::string& host) const;
    Nanos uptime_of(const std::string& host) const;

    // Clock, Transport, Mailbox
    Instant now() override;
    void submit(Order order) override;
    void post(News news) override;
    std::vector<News> take(std::optional<Nanos> until) override;

    Crossing crossing;
    /// The controller died: what is not on the wire yet is never sent, answers go nowhere.
    void controller_died();
    /// Lets time pass with nobody listening.
    void pass(Nanos span);
    /// No more weather from here on; hosts that are silent answer again.
    void calm();

    /// Answers one envelope on a host at once, as if it had just arrived there.
    Reply serve(const std::string& host, const Envelope& envelope);

    [[nodiscard]] const std::vector<SeenEffect>& effects() const { return effects_; }
    [[nodiscard]] std::size_t hosts_affected() const;
    /// Lease directories, guards and marks that carry our name, one line each.
    [[nodiscard]] std::vector<std::string> residue() const;
    /// Most hosts that were under an effect at the same time.
    [[nodiscard]] std::size_t most_affected() const { return most_affected_; }
    /// Any effect at this moment makes the service fail for a while after its beginning.
    [[nodiscard]] bool service_ok() const;
    void schedule(Nanos at, std::function<void()> what);
    void reboot(const std::string& host);
    void set_stop_file(const std::string& host, bool there);
    void deny(const std::string& host, const std::string& kind);
    void set_full(const std::string& host, bool full);
    void remove_by_others(const std::string& host, const std::string& lease);
    /// Every process of the guard: a watcher has lost its dead man.
    void kill_guard(const std::string& host, const std::string& lease);
    /// Only its main process: what is left of it still fires at the deadline.
    void kill_guard_main(const std::string& host, const std::string& lease);
    [[nodiscard]] bool effect_now(const std::string& host, const std::string& lease) const;
    std::vector<std::string> violations;  ///< rules of the protocol that the controller broke
    std::vector<std::string> trace;       ///< what happened, for a failing seed
    bool tracing{false};

private:
    struct LeaseDirectory {
        std::string kind, boot_id;
        bool tombstone{false}, applied{false}, fired{false}, rehearsal{false};
        std::optional<Nanos> guard_at;  ///< controller time at which the guard fires
        std::uint64_t generation{0};
        bool guard_dead{false}, main_dead{false};
        bool running{false};  ///< an apply command does not end by itself
        Reply recorded;
        std::vector<Exec> undo;
    };
    struct Host {
        std::string name, boot_id;
        Nanos booted{0};  ///< controller time of uptime 0
        std::map<std::string, LeaseDirectory> directories;
        std::map<std::string, Nanos> gone;  ///< marks: lease to not_after (host's uptime)
        std::set<std::string> denied;
        bool stop{false}, full{false};
        Nanos silent_until{0};
        std::vector<Order> queue;
        bool busy{false};
    };
    struct Scheduled {
        Nanos at{0};
        std::uint64_t number{0};
        std::function<void()> what;
        bool operator<(const Scheduled& other) const {
            return std::tie(other.at, other.number) < std::tie(at, number);
        }
    };

    void weather_tick(const std::string& host);
    void next_in_lane(Host& host);
    void carry(Host& host, Order order);
    void answer(std::uint64_t epoch, const std::string& host, Answered answered);
    Reply serve(Host& host, const Envelope& envelope);
    [[nodiscard]] static bool fails(const Exec& exec);
    int apply(Host& host, const Envelope& envelope, Reply& reply);
    int renew(Host& host, const Envelope& envelope);
    int undo(Host& host, const Envelope& envelope, Reply& reply);
    int disarm(Host& host, const Envelope& envelope);
    void arm_guard(Host& host, const std::string& lease, LeaseDirectory& directory, Nanos ttl);
    void begin_effect(Host& host, const Envelope& envelope);
    void end_effect(const std::string& host, const std::string& lease, const std::string& by);
    [[nodiscard]] CommandReply presence(Host& host, const std::string& lease);
    [[nodiscard]] SeenEffect* effect_of(const std::string& host, const std::string& lease);
    [[nodiscard]] Ending ending_of(const std::string& kind) const;
    std::vector<CommandReply> observe(const Host& host, const Envelope& envelope) const;
    void say(const std::string& text);
    void run_until(Nanos when, bool stop_at_news);

    Random random_;
    Kinds kinds_;
    Weather weather_;
    Nanos now_;
    std::uint64_t numbers_{0};
    std::uint64_t epoch_{0};  ///< of the controller: answers to a dead one are dropped
    std::map<std::string, Host> hosts_;
    std::priority_queue<Scheduled> agenda_;
    std::vector<News> news_;
    std::set<std::pair<std::uint64_t, std::uint64_t>> answered_;  ///< epoch, order
    std::vector<SeenEffect> effects_;
    std::set<std::string> altered_;  ///< host/lease removed by others
    std::size_t most_affected_{0};
};

/// A ledger in memory with the rules of the real one: all or nothing, no way back from released.
class MemoryLedger : public Ledger {
public:
    MemoryLedger(World& world, std::uint64_t seed, std::uint64_t fails_per_mille)
        : world_(world), random_(seed), fails_(fails_per_mille) {}
    Status commit(std::span<const Event> events, std::span<const Lease> leases) override;
    [[nodiscard]] std::vector<Lease> open_leases() const;

    std::map<std::string, Lease> leases;
    std::map<std::string, Nanos> first_seen;  ///< when a lease was first durable
    std::map<std::string, Nanos> released_at;
    std::vector<Event> events;
    std::uint64_t fails_left{UINT64_MAX};

private:
    World& world_;
    Random random_;
    std::uint64_t fails_;
};

/// Probes in virtual time: ok unless the service fails in the world.
class WorldSampler : public Sampler {
public:
    WorldSampler(World& world, std::vector<ProbeSpec> probes);
    void start(Mailbox& mailbox) override;
    void stop() override;

private:
    void ask(std::uint32_t probe, std::uint64_t number, std::uint64_t generation);
    World& world_;
    std::vector<ProbeSpec> probes_;
    std::uint64_t generation_{0};
    bool running_{false};
};

}  // namespace drill::sim
