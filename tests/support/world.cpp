// See world.hpp. Longer than 600 lines because it is one state machine: each phase of the
// envelope changes the same records, and is compared with transport/envelope.sh side by side.
#include "support/world.hpp"

#include "base/text.hpp"
#include "support/real_kinds.hpp"

#include <algorithm>

namespace drill::sim {

namespace {
constexpr Nanos ms(std::int64_t n) { return std::chrono::milliseconds{n}; }
constexpr Nanos s(std::int64_t n) { return std::chrono::seconds{n}; }
constexpr Nanos boot_time = s(20);
constexpr Nanos service_fails_for = ms(700);
}  // namespace

World::World(std::uint64_t seed, Kinds kinds, Weather weather)
    : random_(seed), kinds_(kinds), weather_(weather), now_(s(1000)) {}

void World::say(const std::string& text) {
    if (tracing) { trace.push_back(show_duration(now_ - s(1000)) + "  " + text); }
}

void World::add_host(const std::string& name) {
    Host host{};
    host.name = name;
    host.boot_id = "boot-" + name + "-1";
    host.booted = now_ - s(static_cast<std::int64_t>(100 + random_.below(100'000)));
    hosts_.emplace(name, std::move(host));
    schedule(now_ + s(1), [this, name] { weather_tick(name); });
}

Facts World::facts_of(const std::string& host) const {
    return {{"boot_id", hosts_.at(host).boot_id},
            {"machine_id", "machine-" + host},
            {"uid", "0"},
            {"init", "systemd"},
            {"addresses", "10.0.0.9"},
            {"interfaces", "eth0"},
            {"tool.nft", "/usr/sbin/nft"},
            {"tool.tc", "/usr/sbin/tc"},
            {"tool.ip", "/usr/sbin/ip"},
            {"tool.ping", "/usr/bin/ping"},
            {"kernel", "6.1.0-26-amd64"},
            {"identity_services", "127.0.0.53 10.0.0.53"},
            {"ssh_client", "10.0.0.1"},
            {"ssh_server_address", "10.0.0.9"},
            {"ssh_server_port", "22"}};
}

Nanos World::uptime_of(const std::string& host) const { return now_ - hosts_.at(host).booted; }

Instant World::now() {
    return {.boot = now_,
            .wall = Wall{std::chrono::duration_cast<std::chrono::milliseconds>(now_)}};
}

void World::schedule(Nanos at, std::function<void()> what) {
    agenda_.push(
        Scheduled{.at = std::max(at, now_), .number = numbers_++, .what = std::move(what)});
}

void World::run_until(Nanos when, bool stop_at_news) {
    while (!agenda_.empty() && agenda_.top().at <= when) {
        const Scheduled next = agenda_.top();
        agenda_.pop();
        now_ = next.at;
        next.what();
        if (stop_at_news && !news_.empty()) { return; }
    }
    now_ = std::max(now_, when);
}

void World::pass(Nanos span) { run_until(now_ + span, false); }

std::vector<News> World::take(std::optional<Nanos> until) {
    // A controller that waits for nothing at all would hang for ever: bounded, and a violation.
    const Nanos latest = until.value_or(now_ + s(3600));
    if (news_.empty()) { run_until(std::max(latest, now_), true); }
    if (news_.empty() && !until) { violations.emplace_back("waits without anything to wait for"); }
    std::vector<News> news;
    news.swap(news_);
    return news;
}

void World::post(News news) { news_.push_back(std::move(news)); }

void World::controller_died() {
    ++epoch_;
    news_.clear();
    for (auto& [name, host] : hosts_) {
        host.queue.clear();
        host.busy = false;
    }
    crossing = Crossing{};
    say("the controller dies");
}

void World::calm() {
    weather_ = Weather{};
    for (auto& [name, host] : hosts_) {
        host.full = false;
        host.silent_until = std::min(host.silent_until, now_ + s(1));
    }
}

void World::weather_tick(const std::string& name) {
    Host& host = hosts_.at(name);
    if (random_.chance(weather_.reboot)) { reboot(name); }
    if (random_.chance(weather_.full_disk)) { host.full = !host.full; }
    if (random_.chance(weather_.silence)) {
        host.silent_until = now_ + s(static_cast<std::int64_t>(1 + random_.below(30)));
        say(name + " falls silent");
    }
    std::vector<std::string> mine;
    for (const SeenEffect& effect : effects_) {
        if (effect.host == name && !effect.ended) { mine.push_back(effect.lease); }
    }
    for (const std::string& lease : mine) {
        if (random_.chance(weather_.foreign)) { remove_by_others(name, lease); }
        if (random_.chance(weather_.kill_guard)) { kill_guard(name, lease); }
    }
    schedule(now_ + s(1), [this, name] { weather_tick(name); });
}

// ---- the wire ----------------------------------------------------------------------------

void World::submit(Order order) {
    crossing.cross();
    Host& host = hosts_.at(order.to.host);
    if (const auto* envelope = std::get_if<Envelope>(&order.action)) {
        if (envelope->nonce.size() != 16) {
            violations.emplace_back("an envelope without a nonce");
        }
    }
    const auto place = order.urgency == Urgency::undo
                           ? std::find_if(host.queue.begin(), host.queue.end(),
                                          [](const Order& o) { return o.urgency != Urgency::undo; })
                           : host.queue.end();
    host.queue.insert(place, std::move(order));
    next_in_lane(host);
    crossing.cross();
}

void World::next_in_lane(Host& host) {
    if (host.busy || host.queue.empty()) { return; }
    Order order = std::move(host.queue.front());
    host.queue.erase(host.queue.begin());
    host.busy = true;
    carry(host, std::move(order));
}

void World::answer(std::uint64_t epoch, const std::string& host, Answered answered) {
    if (epoch != epoch_) { return; }  // to a controller that is dead
    if (!answered_.insert({epoch, answered.order}).second) { return; }
    answered.received = now_;
    hosts_.at(host).busy = false;
    news_.emplace_back(std::move(answered));
    next_in_lane(hosts_.at(host));
}

void World::carry(Host& host, Order order) {
    const std::string name = host.name;
    const std::uint64_t epoch = epoch_;
    const Nanos sent = now_;
    const auto fail_at = [&](Nanos at, Code code, Effect effect, const std::string& why) {
        schedule(at, [this, epoch, name, id = order.id, code, effect, why, sent] {
            answer(epoch, name,
                   {.order = id, .reply = fail(code, why, effect), .sent = sent, .received = now_});
        });
    };
    if (now_ >= order.deadline) {
        return fail_at(now_, Code::timed_out, Effect::none,
                       "the deadline passed before it was sent");
    }
    const Envelope envelope = std::get<Envelope>(order.action);
    const Nanos way = ms(static_cast<std::int64_t>(1 + random_.below(5)));
    if (now_ < host.silent_until) {
        if (random_.chance(500)) {
            return fail_at(std::min(order.deadline, now_ + s(1)), Code::unreachable, Effect::none,
                           "no route to host");
        }
        return fail_at(order.deadline, Code::timed_out, Effect::unknown, "no answer");
    }
    if (random_.chance(weather_.lose_request)) {
        return fail_at(order.deadline, Code::timed_out, Effect::unknown, "no answer");
    }
    Nanos arrives = now_ + way;
    if (random_.chance(weather_.delay)) {
        arrives += s(static_cast<std::int64_t>(random_.below(40)));
    }
    if (random_.chance(weather_.duplicate)) {
        schedule(arrives + s(static_cast<std::int64_t>(random_.below(40))), [this, name, envelope] {
            Host& again = hosts_.at(name);
            if (now_ >= again.silent_until) { (void)serve(again, envelope); }
        });
    }
    const bool reply_lost = random_.chance(weather_.lose_reply);
    const bool told_at_once = random_.chance(500);
    schedule(arrives, [this, epoch, name, order, envelope, sent, way, reply_lost, told_at_once] {
        Host& there = hosts_.at(name);
        const bool lost = now_ < there.silent_until;  // it went down while this was on the wire
        std::optional<Reply> reply;
        if (!lost) { reply = serve(there, envelope); }
        if (now_ >= order.deadline) { return; }  // already answered as timed out
        Nanos back = now_ + way;
        if (lost || reply_lost) {
            if (!told_at_once || back >= order.deadline) { return; }
            schedule(back, [this, epoch, name, id = order.id, sent] {
                answer(epoch, name,
                       {.order = id,
                        .reply = fail(Code::unreachable, "connection lost", Effect::unknown),
                        .sent = sent,
                        .received = now_});
            });
        } else {
            schedule(std::min(back, order.deadline), [this, epoch, name, id = order.id, sent,
                                                      answer_text = *reply] {
                answer(epoch, name,
                       {.order = id, .reply = answer_text, .sent = sent, .received = now_});
            });
        }
    });
    // The one answer that is certain: at the deadline, unless another came before.
    fail_at(order.deadline, Code::timed_out, Effect::unknown, "no answer");
}

// ---- the target --------------------------------------------------------------------------

Reply World::serve(const std::string& host, const Envelope& envelope) {
    return serve(hosts_.at(host), envelope);
}

Reply World::serve(Host& host, const Envelope& envelope) {
    const Nanos uptime = now_ - host.booted;
    std::erase_if(host.gone, [&](const auto& mark) { return mark.second < uptime; });
    Reply reply{};
    switch (envelope.phase) {
        case Phase::ask: reply.parts = observe(host, envelope); break;
        case Phase::rehearse: {
            if (envelope.boot_id != host.boot_id) {
                reply.status = EnvelopeStatus::other_boot;
                break;
            }
            if (uptime > envelope.not_after) {
                reply.status = EnvelopeStatus::too_late;
                break;
            }
            if (host.stop) {
                reply.status = EnvelopeStatus::stop_file;
                break;
            }
            if (host.gone.contains(envelope.lease) || host.directories.contains(envelope.lease)) {
                reply.status = EnvelopeStatus::undone_before;
                break;
            }
            if (host.full) {
                reply.status = EnvelopeStatus::no_directory;
                break;
            }
            LeaseDirectory directory{};
            directory.kind = envelope.kind;
            directory.boot_id = host.boot_id;
            directory.rehearsal = true;
            LeaseDirectory& made = host.directories[envelope.lease] = directory;
            arm_guard(host, envelope.lease, made, envelope.ttl);
            break;
        }
        case Phase::rehearsed: {
            const auto found = host.directories.find(envelope.lease);
            if (found == host.directories.end()) {
                reply.status = EnvelopeStatus::unknown_lease;
                break;
            }
            if (!found->second.guard_at || found->second.guard_dead || found->second.main_dead) {
                reply.status = EnvelopeStatus::no_guard;
                break;
            }
            if (uptime <= envelope.not_after) {
                if (host.full) {
                    reply.status = EnvelopeStatus::no_directory;
                    break;
                }
                host.gone[envelope.lease] = envelope.not_after;
            }
            host.directories.erase(found);
            break;
        }
        case Phase::apply: reply.status = apply(host, envelope, reply); break;
        case Phase::renew: reply.status = renew(host, envelope); break;
        case Phase::undo: reply.status = undo(host, envelope, reply); break;
        case Phase::read_back: reply.parts.push_back(presence(host, envelope.lease)); break;
        case Phase::disarm: reply.status = disarm(host, envelope); break;
        case Phase::sweep: break;
    }
    reply.boot_id = host.boot_id;
    reply.uptime = uptime;
    reply.host_key = "SHA256:" + host.name;
    if (tracing) {
        static const char* names[] = {"ask",  "rehearse",  "rehearsed", "apply", "renew",
                                      "undo", "read_back", "disarm",    "sweep"};
        say(host.name + " " + names[static_cast<int>(envelope.phase)] + " " + envelope.lease +
            " -> " + std::to_string(reply.status) +
            (reply.parts.empty() ? "" : " part " + std::to_string(reply.parts.back().status)));
    }
    return reply;
}

// Commands are opaque but for two names: "false" fails, "endless" does not end by itself.
bool World::fails(const Exec& exec) { return !exec.argv.empty() && exec.argv.front() == "false"; }

int World::apply(Host& host, const Envelope& envelope, Reply& reply) {
    if (envelope.boot_id != host.boot_id) { return EnvelopeStatus::other_boot; }
    const auto found = host.directories.find(envelope.lease);
    const bool known = found != host.directories.end();
    if (host.gone.contains(envelope.lease) ||
        (known && (found->second.tombstone || found->second.fired))) {
        return EnvelopeStatus::undone_before;
    }
    if (known && found->second.running) { return EnvelopeStatus::still_running; }
    if (known) {
        reply = found->second.recorded;
        reply.repeated = true;
        return reply.status;
    }
    if (now_ - host.booted > envelope.not_after) { return EnvelopeStatus::too_late; }
    if (host.stop) { return EnvelopeStatus::stop_file; }
    if (host.denied.contains(envelope.kind) || host.denied.contains("all")) {
        return EnvelopeStatus::denied;
    }
    if (host.full) { return EnvelopeStatus::no_directory; }
    const bool instant = ending_of(envelope.kind) == Ending::instant;
    if (!envelope.undo.empty() && envelope.ttl <= Nanos{0}) { return EnvelopeStatus::no_guard; }
    if (envelope.undo.empty() && !instant) {
        violations.emplace_back("a fault that does not end by itself is applied without an undo");
    }
    LeaseDirectory& made = host.directories[envelope.lease];
    made.kind = envelope.kind;
    made.boot_id = host.boot_id;
    made.applied = true;
    made.undo = envelope.undo;
    for (const Exec& exec : envelope.arm) {
        reply.parts.push_back({.status = fails(exec) ? 1 : 0, .out = "", .err = ""});
        if (fails(exec)) { reply.status = EnvelopeStatus::apply_failed; }
    }
    if (reply.status == EnvelopeStatus::done) {
        if (!envelope.undo.empty()) { arm_guard(host, envelope.lease, made, envelope.ttl); }
        for (const Exec& exec : envelope.commands) {
            if (!exec.argv.empty() && exec.argv.front() == "endless") { made.running = true; }
            reply.parts.push_back({.status = fails(exec) ? 1 : 0, .out = "", .err = ""});
            if (fails(exec)) {
                reply.status = EnvelopeStatus::apply_failed;
                break;
            }
            if (effect_of(host.name, envelope.lease) == nullptr) { begin_effect(host, envelope); }
        }
    }
    made.recorded = reply;
    return reply.status;
}

void World::arm_guard(Host& host, const std::string& lease, LeaseDirectory& directory, Nanos ttl) {
    if (ttl <= Nanos{0}) { violations.emplace_back("a guard without a time"); }
    const std::uint64_t generation = ++directory.generation;
    directory.guard_at = now_ + ttl;
    directory.guard_dead = directory.main_dead = false;
    schedule(now_ + ttl, [this, name = host.name, boot = host.boot_id, lease, generation] {
        Host& there = hosts_.at(name);
        const auto found = there.directories.find(lease);
        if (there.boot_id != boot || found == there.directories.end()) { return; }
        LeaseDirectory& mine = found->second;
        if (mine.generation != generation || mine.tombstone || mine.fired) { return; }
        const Ending ending = ending_of(mine.kind);
        const bool alone = ending == Ending::kernel || ending == Ending::holder;
        if (mine.guard_dead && !alone) { return; }
        mine.fired = true;
        mine.running = false;
        mine.guard_at.reset();
        end_effect(name, lease, mine.guard_dead ? name_of(ending) : "guard");
    });
}

void World::begin_effect(Host& host, const Envelope& envelope) {
    const bool instant = ending_of(envelope.kind) == Ending::instant;
    effects_.push_back(SeenEffect{.host = host.name,
                                  .lease = envelope.lease,
                                  .kind = envelope.kind,
                                  .boot_id = host.boot_id,
                                  .began = now_,
                                  .ended = instant ? std::optional<Nanos>(now_) : std::nullopt,
                                  .ended_by = instant ? "instant" : "",
                                  .promised = now_ + envelope.ttl});
    std::set<std::string> affected{host.name};
    for (const SeenEffect& effect : effects_) {
        if (!effect.ended) { affected.insert(effect.host); }
    }
    most_affected_ = std::max(most_affected_, affected.size());
    say(host.name + " effect of " + envelope.lease + " begins");
}

SeenEffect* World::effect_of(const std::string& host, const std::string& lease) {
    for (SeenEffect& effect : effects_) {
        if (effect.host == host && effect.lease == lease) { return &effect; }
    }
    return nullptr;
}

void World::end_effect(const std::string& host, const std::string& lease, const std::string& by) {
    SeenEffect* effect = effect_of(host, lease);
    if (effect != nullptr && !effect->ended) {
        effect->ended = now_;
        effect->ended_by = by;
        say(host + " effect of " + lease + " ends by " + by);
    }
}

int World::renew(Host& host, const Envelope& envelope) {
    const auto found = host.directories.find(envelope.lease);
    if (envelope.boot_id != host.boot_id) { return EnvelopeStatus::other_boot; }
    if (found == host.directories.end()) { return EnvelopeStatus::unknown_lease; }
    LeaseDirectory& mine = found->second;
    if (mine.tombstone) { return EnvelopeStatus::undone_before; }
    if (mine.fired || !effect_now(host.name, envelope.lease) ||
        std::any_of(envelope.commands.begin(), envelope.commands.end(), fails)) {
        return EnvelopeStatus::ended;
    }
    if (mine.main_dead) { return EnvelopeStatus::no_guard; }
    // A new generation is armed first, so a guard that somebody killed is alive again.
    arm_guard(host, envelope.lease, mine, envelope.ttl);
    if (SeenEffect* effect = effect_of(host.name, envelope.lease)) {
        effect->promised = now_ + envelope.ttl;
        effect->guard_killed = false;
    }
    return EnvelopeStatus::done;
}

int World::undo(Host& host, const Envelope& envelope, Reply& reply) {
    const auto found = host.directories.find(envelope.lease);
    int status = EnvelopeStatus::done;
    if (found != host.directories.end()) {
        LeaseDirectory& mine = found->second;
        if (!mine.rehearsal && !mine.undo.empty() && !mine.tombstone &&
            mine.undo != envelope.undo) {
            violations.emplace_back("the undo sent is not the undo armed");
        }
        mine.tombstone = true;
        mine.running = false;
        ++mine.generation;
        mine.guard_at.reset();
    } else if (now_ - host.booted <= envelope.not_after) {
        if (host.full) {
            status = EnvelopeStatus::undo_failed;  // no room for the tombstone
        } else {
            host.gone[envelope.lease] = envelope.not_after;
        }
    }
    for (const Exec& exec : envelope.undo) {
        reply.parts.push_back({.status = fails(exec) ? 1 : 0, .out = "", .err = ""});
        if (fails(exec)) {
            status = EnvelopeStatus::undo_failed;
        } else {
            end_effect(host.name, envelope.lease, "undo");
        }
    }
    altered_.erase(host.name + "/" + envelope.lease);
    reply.read_back_from = reply.parts.size();
    for (std::size_t i = 0; i < envelope.read_back.size(); ++i) {
        reply.parts.push_back(presence(host, envelope.lease));
    }
    return status;
}

int World::disarm(Host& host, const Envelope& envelope) {
    const auto found = host.directories.find(envelope.lease);
    if (found != host.directories.end() && found->second.running) {
        return EnvelopeStatus::disarm_failed;
    }
    host.directories.erase(envelope.lease);
    if (now_ - host.booted <= envelope.not_after) {
        if (host.full) { return EnvelopeStatus::disarm_failed; }
        host.gone[envelope.lease] = envelope.not_after;
    }
    return EnvelopeStatus::done;
}

CommandReply World::presence(Host& host, const std::string& lease) {
    if (altered_.contains(host.name + "/" + lease)) {
        return {.status = 12, .out = "gone", .err = ""};
    }
    if (effect_now(host.name, lease)) { return {.status = 10, .out = "", .err = ""}; }
    const auto found = host.directories.find(lease);
    if (found != host.directories.end() && found->second.applied && !found->second.tombstone) {
        if (ending_of(found->second.kind) == Ending::instant) {
            return {.status = 10, .out = "", .err = ""};
        }
        const Ending ending = ending_of(found->second.kind);
        if (ending == Ending::kernel || ending == Ending::holder) {
            return {.status = 12, .out = "expired", .err = ""};
        }
    }
    return {};
}

std::vector<CommandReply> World::observe(const Host& host, const Envelope& envelope) const {
    (void)host;
    return canned_answers(envelope.kind, envelope.commands.size());
}

Ending World::ending_of(const std::string& kind) const {
    const Kind* found = find_kind(kinds_, kind);
    return found == nullptr ? Ending::instant : found->ending;  // the rehearsal has no kind
}

bool World::effect_now(const std::string& host, const std::string& lease) const {
    return std::any_of(effects_.begin(), effects_.end(), [&](const SeenEffect& effect) {
        return effect.host == host && effect.lease == lease && !effect.ended;
    });
}

void World::reboot(const std::string& name) {
    Host& host = hosts_.at(name);
    host.boot_id = "boot-" + name + "-" + std::to_string(numbers_++);
    host.booted = now_ + boot_time;
    host.silent_until = host.booted;
    host.directories.clear();  // /run is a tmpfs
    host.gone.clear();
    host.stop = false;
    say(name + " is rebooted");
    for (SeenEffect& effect : effects_) {
        if (effect.host == name) {
            end_effect(name, effect.lease, "reboot");
            altered_.erase(name + "/" + effect.lease);
        }
    }
}

void World::set_stop_file(const std::string& name, bool there) {
    Host& host = hosts_.at(name);
    host.stop = there;
    if (!there) { return; }
    for (auto& [lease, directory] : host.directories) {
        if (directory.guard_at && !directory.guard_dead && !directory.tombstone) {
            directory.fired = true;
            directory.running = false;
            ++directory.generation;
            directory.guard_at.reset();
            end_effect(name, lease, "guard");
        }
    }
}

void World::deny(const std::string& host, const std::string& kind) {
    hosts_.at(host).denied.insert(kind);
}
void World::set_full(const std::string& host, bool full) { hosts_.at(host).full = full; }

void World::remove_by_others(const std::string& host, const std::string& lease) {
    if (!effect_now(host, lease)) { return; }
    end_effect(host, lease, "somebody else");
    altered_.insert(host + "/" + lease);
}

void World::kill_guard(const std::string& host, const std::string& lease) {
    const auto found = hosts_.at(host).directories.find(lease);
    if (found == hosts_.at(host).directories.end()) { return; }
    found->second.guard_dead = true;
    if (SeenEffect* effect = effect_of(host, lease)) { effect->guard_killed = true; }
    say(host + " the guard of " + lease + " is killed");
}

void World::kill_guard_main(const std::string& host, const std::string& lease) {
    const auto found = hosts_.at(host).directories.find(lease);
    if (found != hosts_.at(host).directories.end()) { found->second.main_dead = true; }
}

std::size_t World::hosts_affected() const {
    std::set<std::string> affected;
    for (const SeenEffect& effect : effects_) {
        if (!effect.ended) { affected.insert(effect.host); }
    }
    return affected.size();
}

std::vector<std::string> World::residue() const {
    std::vector<std::string> left;
    for (const auto& [name, host] : hosts_) {
        for (const auto& [lease, directory] : host.directories) {
            left.push_back(name + " " + lease);
        }
    }
    return left;
}

bool World::service_ok() const {
    return std::none_of(effects_.begin(), effects_.end(), [&](const SeenEffect& effect) {
        const Nanos end = std::min(
            effect.ended_by == "instant" ? Nanos::max() : effect.ended.value_or(Nanos::max()),
            effect.began + service_fails_for);
        return now_ >= effect.began && now_ < end;
    });
}

// ---- ledger and probes -------------------------------------------------------------------

Status MemoryLedger::commit(std::span<const Event> new_events, std::span<const Lease> new_leases) {
    world_.crossing.cross();
    if (fails_left > 0 && random_.chance(fails_)) {
        if (fails_left != UINT64_MAX) { --fails_left; }
        return fail(Code::no_space, "the disk is full");
    }
    for (const Lease& lease : new_leases) {
        const auto known = leases.find(lease.id);
        if (known != leases.end() && !is_open(known->second.state) && is_open(lease.state)) {
            world_.violations.push_back("lease " + lease.id + " goes back from released");
        }
        first_seen.try_emplace(lease.id, world_.now().boot);
        if (lease.state == LeaseState::released) {
            released_at.try_emplace(lease.id, world_.now().boot);
        }
        leases[lease.id] = lease;
    }
    events.insert(events.end(), new_events.begin(), new_events.end());
    world_.crossing.cross();
    return ok();
}

std::vector<Lease> MemoryLedger::open_leases() const {
    std::vector<Lease> open;
    for (const auto& [id, lease] : leases) {
        if (is_open(lease.state)) { open.push_back(lease); }
    }
    return open;
}

WorldSampler::WorldSampler(World& world, std::vector<ProbeSpec> probes)
    : world_(world), probes_(std::move(probes)) {}

void WorldSampler::start(Mailbox&) {
    running_ = true;
    ++generation_;
    for (std::uint32_t i = 0; i < probes_.size(); ++i) { ask(i, 0, generation_); }
}

void WorldSampler::stop() { running_ = false; }

void WorldSampler::ask(std::uint32_t probe, std::uint64_t number, std::uint64_t generation) {
    if (!running_ || generation != generation_) { return; }
    const Nanos sent = world_.now().boot;
    const bool good = world_.service_ok();
    const Nanos takes = good ? ms(2) : probes_[probe].timeout;
    world_.schedule(sent + takes, [this, probe, number, generation, sent, takes, good] {
        if (!running_ || generation != generation_) { return; }
        world_.post(Sampled{Sample{.probe = probe,
                                   .number = number,
                                   .intended = sent,
                                   .sent = sent,
                                   .received = sent + takes,
                                   .state = good ? SampleState::ok : SampleState::failed,
                                   .detail = good ? "" : "timed out"}});
    });
    world_.schedule(sent + probes_[probe].every,
                    [this, probe, number, generation] { ask(probe, number + 1, generation); });
}

}  // namespace drill::sim
