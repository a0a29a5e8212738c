// The scenario table of the envelope: what a target answers, and whether the effect is there,
// when calls are late, repeated, refused, overtaken or cut off. It runs against real shells
// (scenario_test.cpp) and against the simulated world, which must not promise what shells do not.
// Must not: know how a target works. Read next: core/transport/envelope.hpp, model/action.hpp.
#pragma once

#include "base/ids.hpp"
#include "model/change.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace drill::scenarios {

/// Something that carries out envelopes. One effect, which `effect` puts there and `lift` takes
/// away; both may be repeated.
class Target {
public:
    Target() = default;
    Target(const Target&) = delete;
    Target& operator=(const Target&) = delete;
    virtual ~Target() = default;

    virtual Result<Reply> call(const Envelope& envelope) = 0;
    /// Sends an apply whose last command does not end by itself, and returns when that runs.
    virtual void begin(const Envelope& envelope) = 0;

    [[nodiscard]] virtual bool effect_present() = 0;
    [[nodiscard]] virtual std::string boot_id() = 0;
    [[nodiscard]] virtual Nanos uptime() = 0;

    /// Boot time goes on; returns when all that is then due has happened.
    virtual void pass_time(Nanos span) = 0;
    /// Everything volatile is gone, the effect too; another boot id; uptime begins anew.
    virtual void reboot() = 0;
    /// Returns when every fault of the host has ended, where there was one.
    virtual void create_stop_file() = 0;
    /// Adds a line to the host's deny file.
    virtual void deny(std::string_view line) = 0;
    /// SIGKILL to the guard's main process.
    virtual void kill_guard() = 0;

    [[nodiscard]] virtual Exec effect() const = 0;   ///< apply command; status 0
    [[nodiscard]] virtual Exec lift() const = 0;     ///< undo command; status 0, also twice
    [[nodiscard]] virtual Exec look() const = 0;     ///< read_back: 10 there, 0 not there
    [[nodiscard]] virtual Exec failing() const = 0;  ///< status 1, no effect
    [[nodiscard]] virtual Exec endless() const = 0;  ///< runs until it is ended
};

enum class Act : std::uint8_t {
    apply,              ///< effect; guard with lift
    apply_other_boot,   ///< the same, bound to another boot
    apply_failing,      ///< effect, then failing
    apply_arm_failing,  ///< arm command fails
    apply_bare,         ///< without undo, so without a guard
    apply_zero_ttl,     ///< has an undo, but no time for a guard
    begin_apply,        ///< effect, then endless; not waited for
    renew,
    renew_other_boot,
    renew_failing,  ///< renew command fails
    undo,
    undo_failing,  ///< lift, then failing
    read_back,
    disarm,
    rehearse,
    rehearsed,
    half_ttl,
    past_ttl,
    past_not_after,  ///< time passes
    reboot,
    stop_file,
    deny_kind,
    deny_all,
    deny_other,
    kill_guard,
};

/// What is expected of one act. `status` of acts that are no call is not looked at.
struct Step {
    Act act{Act::apply};
    int status{0};
    bool present{false};   ///< the effect, after the act
    bool repeated{false};  ///< Reply::repeated
};

struct Scenario {
    std::string_view claim;
    std::vector<Step> steps;
};

inline constexpr Nanos ttl = std::chrono::seconds{30};
inline constexpr Nanos apply_window = std::chrono::seconds{60};  ///< not_after - uptime at start

/// The statuses that refuse say that this lease has never had an effect that still stands; so
/// what is known of an earlier apply (its answer, its tombstone) comes before every refusal but
/// the boot id.
inline const std::vector<Scenario>& table() {
    using S = EnvelopeStatus;
    static const std::vector<Scenario> all{
        {"apply, read back, undo, disarm",
         {{Act::apply, S::done, true},
          {Act::read_back, S::done, true},
          {Act::undo, S::done, false},
          {Act::read_back, S::done, false},
          {Act::disarm, S::done, false}}},
        {"a repeated apply returns the recorded answer",
         {{Act::apply, S::done, true},
          {Act::apply, S::done, true, true},
          {Act::undo, S::done, false}}},
        {"a repeated apply returns its answer even past not_after and with a stop file",
         {{Act::apply_bare, S::done, true},
          {Act::past_not_after, 0, true},
          {Act::stop_file, 0, true},
          {Act::apply_bare, S::done, true, true},
          {Act::undo, S::done, false}}},
        {"a repeated failed apply returns the failure",
         {{Act::apply_failing, S::apply_failed, true},
          {Act::apply_failing, S::apply_failed, true, true},
          {Act::undo, S::done, false}}},
        {"a failed apply is still ended by the guard",
         {{Act::apply_failing, S::apply_failed, true}, {Act::past_ttl, 0, false}}},
        {"a failed arm command applies nothing",
         {{Act::apply_arm_failing, S::apply_failed, false},
          {Act::undo, S::done, false},
          {Act::disarm, S::done, false}}},
        {"an apply without an undo needs no guard",
         {{Act::apply_bare, S::done, true}, {Act::past_ttl, 0, true}, {Act::undo, S::done, false}}},
        {"an apply with an undo and no time for the guard applies nothing",
         {{Act::apply_zero_ttl, S::no_guard, false}}},
        {"a late apply is refused", {{Act::past_not_after}, {Act::apply, S::too_late, false}}},
        {"an apply for another boot is refused", {{Act::apply_other_boot, S::other_boot, false}}},
        {"an apply from before a reboot is refused",
         {{Act::apply, S::done, true},
          {Act::reboot, 0, false},
          {Act::apply, S::other_boot, false}}},
        {"an undo after a reboot works",
         {{Act::apply, S::done, true},
          {Act::reboot, 0, false},
          {Act::undo, S::done, false},
          {Act::disarm, S::done, false}}},
        {"an apply after its undo is refused",
         {{Act::apply, S::done, true},
          {Act::undo, S::done, false},
          {Act::apply, S::undone_before, false}}},
        {"an apply that its undo overtook is refused",
         {{Act::undo, S::done, false},
          {Act::apply, S::undone_before, false},
          {Act::disarm, S::done, false}}},
        {"an apply that comes after an early disarm is refused",
         {{Act::disarm, S::done, false}, {Act::apply, S::undone_before, false}}},
        {"an apply after undo and disarm is refused until not_after, and then as late",
         {{Act::apply, S::done, true},
          {Act::undo, S::done, false},
          {Act::disarm, S::done, false},
          {Act::apply, S::undone_before, false},
          {Act::past_not_after, 0, false},
          {Act::read_back, S::done, false},
          {Act::apply, S::too_late, false}}},
        {"an apply after the guard fired is refused",
         {{Act::apply, S::done, true},
          {Act::past_ttl, 0, false},
          {Act::apply, S::undone_before, false},
          {Act::undo, S::done, false},
          {Act::disarm, S::done, false}}},
        {"a repeated apply while the first one runs says so",
         {{Act::begin_apply, 0, true},
          {Act::apply, S::still_running, true},
          {Act::undo, S::done, false},
          {Act::disarm, S::done, false}}},
        {"an undo ends an apply that still runs",
         {{Act::begin_apply, 0, true},
          {Act::undo, S::done, false},
          {Act::apply, S::undone_before, false},
          {Act::disarm, S::done, false}}},
        {"the guard ends an apply that still runs",
         {{Act::begin_apply, 0, true}, {Act::past_ttl, 0, false}, {Act::disarm, S::done, false}}},
        {"a disarm does not remove the directory below an apply that still runs",
         {{Act::begin_apply, 0, true},
          {Act::disarm, S::disarm_failed, true},
          {Act::undo, S::done, false},
          {Act::disarm, S::done, false}}},
        {"a stop file refuses an apply", {{Act::stop_file}, {Act::apply, S::stop_file, false}}},
        {"a stop file ends what is held, and refuses the renewal",
         {{Act::apply, S::done, true},
          {Act::stop_file, 0, false},
          {Act::renew, S::ended, false},
          {Act::undo, S::done, false},
          {Act::disarm, S::done, false}}},
        {"a deny file that names the kind refuses",
         {{Act::deny_other}, {Act::deny_kind}, {Act::apply, S::denied, false}}},
        {"a deny file that says all refuses", {{Act::deny_all}, {Act::apply, S::denied, false}}},
        {"a deny file that names another kind does not refuse",
         {{Act::deny_other}, {Act::apply, S::done, true}, {Act::undo, S::done, false}}},
        {"a denied host still lets go",
         {{Act::apply, S::done, true},
          {Act::deny_all, 0, true},
          {Act::renew, S::done, true},
          {Act::undo, S::done, false},
          {Act::disarm, S::done, false}}},
        {"renewals carry the effect past its first time",
         {{Act::apply, S::done, true},
          {Act::half_ttl, 0, true},
          {Act::renew, S::done, true},
          {Act::half_ttl, 0, true},
          {Act::half_ttl, 0, false},
          {Act::renew, S::ended, false},
          {Act::undo, S::done, false},
          {Act::disarm, S::done, false}}},
        {"a renewal after the guard fired is refused",
         {{Act::apply, S::done, true}, {Act::past_ttl, 0, false}, {Act::renew, S::ended, false}}},
        {"a renewal for another boot is refused",
         {{Act::apply, S::done, true},
          {Act::renew_other_boot, S::other_boot, true},
          {Act::undo, S::done, false}}},
        {"a renewal of nothing is refused", {{Act::renew, S::unknown_lease, false}}},
        {"a renewal after the undo is refused",
         {{Act::apply, S::done, true},
          {Act::undo, S::done, false},
          {Act::renew, S::undone_before, false}}},
        {"a renewal whose command fails leaves the old guard, which ends it",
         {{Act::apply, S::done, true},
          {Act::renew_failing, S::ended, true},
          {Act::past_ttl, 0, false}}},
        {"a renewal sees that the guard was killed, and the rest of the guard still ends it",
         {{Act::apply, S::done, true},
          {Act::kill_guard, 0, true},
          {Act::renew, S::no_guard, true},
          {Act::past_ttl, 0, false}}},
        {"an undo works with the guard killed",
         {{Act::apply, S::done, true},
          {Act::kill_guard, 0, true},
          {Act::undo, S::done, false},
          {Act::disarm, S::done, false}}},
        {"an undo may be repeated",
         {{Act::apply, S::done, true},
          {Act::undo, S::done, false},
          {Act::undo, S::done, false},
          {Act::disarm, S::done, false},
          {Act::disarm, S::done, false}}},
        {"an undo command that fails is told",
         {{Act::apply, S::done, true},
          {Act::undo_failing, S::undo_failed, false},
          {Act::undo, S::done, false},
          {Act::disarm, S::done, false}}},
        {"a disarm without an undo ends the guard and leaves the effect",
         {{Act::apply, S::done, true},
          {Act::disarm, S::done, true},
          {Act::past_ttl, 0, true},
          {Act::undo, S::done, false},
          {Act::disarm, S::done, false}}},
        {"a rehearsed guard is seen alive",
         {{Act::rehearse, S::done, false},
          {Act::rehearsed, S::done, false},
          {Act::rehearsed, S::unknown_lease, false}}},
        {"a rehearsed guard that was killed is told",
         {{Act::rehearse, S::done, false},
          {Act::kill_guard},
          {Act::rehearsed, S::no_guard, false}}},
    };
    return all;
}

/// One play of a scenario: the lease, its nonces, and when the window of its apply closes.
struct Play {
    std::string lease{random_id(lease_id_length)};
    std::string boot_id;
    Nanos not_after{0};
    int calls{0};
};

inline Envelope envelope_of(Act act, Play& play, const Target& target) {
    Envelope envelope;
    envelope.lease = play.lease;
    envelope.nonce = "n" + random_id(nonce_length) + std::to_string(++play.calls);
    envelope.kind = "test-kind";
    envelope.label = "run 1 scenario by nobody";
    envelope.boot_id = play.boot_id;
    envelope.not_after = play.not_after;
    envelope.ttl = ttl;
    envelope.undo = {target.lift()};
    envelope.read_back = {target.look()};
    switch (act) {
        case Act::apply_other_boot: envelope.boot_id = "0" + play.boot_id; [[fallthrough]];
        case Act::apply: envelope.commands = {target.effect()}; break;
        case Act::apply_failing: envelope.commands = {target.effect(), target.failing()}; break;
        case Act::apply_arm_failing:
            envelope.arm = {target.failing()};
            envelope.commands = {target.effect()};
            break;
        case Act::apply_bare:
            envelope.commands = {target.effect()};
            envelope.undo.clear();
            break;
        case Act::apply_zero_ttl:
            envelope.commands = {target.effect()};
            envelope.ttl = Nanos{0};
            break;
        case Act::begin_apply: envelope.commands = {target.effect(), target.endless()}; break;
        case Act::renew_other_boot: envelope.boot_id = "0" + play.boot_id; break;
        case Act::renew_failing: envelope.commands = {target.failing()}; break;
        case Act::undo_failing: envelope.undo = {target.lift(), target.failing()}; break;
        case Act::read_back: envelope.commands = {target.look()}; break;
        default: break;
    }
    switch (act) {
        case Act::renew:
        case Act::renew_other_boot:
        case Act::renew_failing: envelope.phase = Phase::renew; break;
        case Act::undo:
        case Act::undo_failing: envelope.phase = Phase::undo; break;
        case Act::read_back: envelope.phase = Phase::read_back; break;
        case Act::disarm: envelope.phase = Phase::disarm; break;
        case Act::rehearse: envelope.phase = Phase::rehearse; break;
        case Act::rehearsed: envelope.phase = Phase::rehearsed; break;
        default: envelope.phase = Phase::apply; break;
    }
    return envelope;
}

/// True when the act was something other than a call, and has been done.
inline bool happen(Act act, Play& play, Target& target) {
    constexpr Nanos second = std::chrono::seconds{1};
    switch (act) {
        case Act::half_ttl: target.pass_time(ttl / 2 + second); return true;
        case Act::past_ttl: target.pass_time(ttl + second); return true;
        case Act::past_not_after: target.pass_time(apply_window + second); return true;
        case Act::reboot: target.reboot(); return true;
        case Act::stop_file: target.create_stop_file(); return true;
        case Act::deny_kind: target.deny("test-kind  # not here"); return true;
        case Act::deny_all: target.deny("all"); return true;
        case Act::deny_other: target.deny("# test-kind\n\nother-kind"); return true;
        case Act::kill_guard: target.kill_guard(); return true;
        case Act::begin_apply: target.begin(envelope_of(act, play, target)); return true;
        default: return false;
    }
}

inline std::string say(std::size_t step, const std::string& what) {
    return "step " + std::to_string(step + 1) + ": " + what;
}

/// Plays a scenario; "" when everything was as expected, else the first difference.
inline std::string play(const Scenario& scenario, Target& target) {
    Play play;
    play.boot_id = target.boot_id();
    play.not_after = target.uptime() + apply_window;
    for (std::size_t i = 0; i < scenario.steps.size(); ++i) {
        const Step& step = scenario.steps[i];
        if (!happen(step.act, play, target)) {
            const Envelope envelope = envelope_of(step.act, play, target);
            const Result<Reply> reply = target.call(envelope);
            if (!reply) { return say(i, reply.error().text()); }
            if (reply->status != step.status) {
                return say(i, "status " + std::to_string(reply->status) + ", expected " +
                                  std::to_string(step.status) + ": " + reply->err);
            }
            if (reply->repeated != step.repeated) { return say(i, "repeated is wrong"); }
            const bool judged = envelope.phase == Phase::undo || envelope.phase == Phase::read_back;
            const Presence seen = presence_of(reply->parts, reply->read_back_from);
            if (judged && seen != (step.present ? Presence::bites : Presence::absent)) {
                return say(i, std::string("read back says ") + name_of(seen));
            }
        }
        if (target.effect_present() != step.present) {
            return say(i, step.present ? "the effect is gone" : "the effect is there");
        }
    }
    return {};
}

}  // namespace drill::scenarios
