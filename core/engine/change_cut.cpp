// The part of a change that cuts its own way (`cuts_control`): silence until its lease is over,
// then what the host itself wrote down: when it bit, and when its guard fired. Must not: take
// silence for an end. Next: change_run.hpp; guard_main in transport/envelope.sh.
#include "engine/change_run.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace drill {

namespace {

constexpr Nanos cut_timeout = std::chrono::seconds{3};  // of a question that nobody may hear
constexpr Nanos cut_pause = std::chrono::milliseconds{300};
constexpr Nanos cut_margin = std::chrono::milliseconds{500};
constexpr Nanos whole_second = std::chrono::seconds{1};

// Nobody can ask while the way is cut, so the host looks for itself and writes down when it bit.
constexpr std::string_view witness = R"sh(
tries=0
while [ "$tries" -lt 30 ]; do
    "$@" </dev/null >/dev/null 2>&1
    if [ $? = 10 ]; then
        read -r up rest </proc/uptime
        echo "$up" >bit
        exit 0
    fi
    tries=$((tries + 1))
    sleep 0.2 2>/dev/null || sleep 1
done
exit 0
)sh";

// What the host wrote meanwhile: see guard_main in transport/envelope.sh for the guard's lines.
constexpr std::string_view testimony = R"sh(
if [ -e bit ]; then
    read -r up rest <bit
    echo "bit=${up%.*}${up#*.}"
fi
for file in guard.[0-9]*; do
    [ -f "$file" ] || continue
    while read -r word one two three four five rest; do
        case $word in
        fired) echo "due=$five" ;;
        at) echo "fired=$one" ;;
        undo) [ "$three" = 0 ] || echo "failed=$one" ;;
        esac
    done <"$file"
done
exit 0
)sh";

/// A line `name=centiseconds`; empty where it is not there.
std::optional<Nanos> told(const std::string& text, std::string_view name) {
    for (const std::string& line : split(text, '\n')) {
        if (!line.starts_with(std::string(name) + "=")) { continue; }
        const std::string digits = line.substr(name.size() + 1);
        constexpr std::size_t most_digits = 12;
        if (digits.empty() || digits.size() > most_digits ||
            digits.find_first_not_of("0123456789") != std::string::npos) {
            return {};
        }
        return Nanos{std::stoll(digits) * 10'000'000};
    }
    return {};
}

}  // namespace

Exec witness_of(const Exec& look) {
    Exec exec{{"sh", "-c", std::string(witness), "drill-step"}, {}};
    exec.argv.insert(exec.argv.end(), look.argv.begin(), look.argv.end());
    return exec;
}

bool ChangeRun::cuts_its_way() const {
    return step_.cuts_control && lease_->change.ending != Ending::instant;
}

void ChangeRun::await_return(TurnWriter& turn) {
    away_ = true;
    stage_ = Stage::seeking;
    ask_at_ = *apply_sent_ + lease_->ttl + cut_margin;
    turn.wake_at(*ask_at_);
}

void ChangeRun::ask_testimony(TurnWriter& turn) {
    Envelope ask = call(Phase::read_back);
    ask.commands = lease_->change.read_back;
    ask.commands.push_back({{"sh", "-c", std::string(testimony), "drill-step"}, {}});
    order_phase_ = Phase::read_back;
    order_ = turn.send(lease_->connection, std::move(ask), cut_timeout, Urgency::question, true);
    ask_at_.reset();
}

void ChangeRun::returned(TurnWriter& turn, const Answered& answered) {
    const std::size_t looks = lease_->change.read_back.size();
    Presence found = Presence::unclear;
    if (answered.reply && answered.reply->parts.size() == looks + 1) {
        std::vector<CommandReply> parts = answered.reply->parts;
        parts.pop_back();
        found = presence_of(parts, 0);
    }
    const Nanos now = turn.now().boot;
    if (found == Presence::bites && now > lease_->until + whole_second) {
        fail_with(turn, Failure::late, "it was still there after its lease time");
    } else if (found != Presence::absent && found != Presence::altered) {
        ask_at_ = now + cut_pause;  // bounded in tick()
        turn.wake_at(*ask_at_);
    } else {
        away_ = false;
        testify(turn, answered, found);
    }
}

void ChangeRun::testify(TurnWriter& turn, const Answered& answered, Presence found) {
    const Reply& reply = *answered.reply;
    const std::string& text = reply.parts.back().out;
    const std::optional<Nanos> bit = told(text, "bit");
    const std::optional<Nanos> fired = told(text, "fired");
    const std::optional<Nanos> due = told(text, "due");
    if (reply.boot_id != lease_->boot_id) {
        fail_with(turn, Failure::altered, "the host was rebooted while the fault was on");
        return;
    }
    if (!bit) {
        fail_with(turn, Failure::no_bite,
                  "no bite: the host wrote none down, or the apply never reached it");
        return;
    }
    // The host's clock on ours: it read `uptime` between our question and its answer.
    const Nanos earliest = answered.sent - reply.uptime;
    const Nanos latest = answered.received - reply.uptime;
    bite_at_ = std::max(*apply_sent_, std::min(*bit + latest, answered.received));
    lease_->state = LeaseState::held;
    turn.keep(*lease_);
    turn.tell({.type = "fault.bit",
               .step = step_.name,
               .host = planned_.host,
               .lease = lease_id_,
               .message = place() + ": bites, the host wrote down when",
               .data = {{"bite_ns", bite_at_->count()}, {"host_ns", bit->count()}}});
    if (found == Presence::altered || !fired || !due || told(text, "failed") || *fired < *bit ||
        *fired + cut_margin < *due) {
        fail_with(turn, Failure::altered, "ended by others, not by its guard at its time");
        return;
    }
    ended_at_ = std::max(*bite_at_, *fired + earliest);
    proven_until_ = ended_at_;
    turn.tell({.type = "hold.over",
               .step = step_.name,
               .host = planned_.host,
               .lease = lease_id_,
               .data = {{"proven_ns", proven_until_->count()}}});
    remark_ =
        "on for " + show_duration(*fired - *bit) + " by the host's own clock, until its guard";
    if (!lease_->change.check.empty()) {
        check_finding_ = Finding::undecided;
        check_text_ = lease_->change.check_claim + ": could not be asked, the way was cut";
    }
    release(turn);
}

}  // namespace drill
