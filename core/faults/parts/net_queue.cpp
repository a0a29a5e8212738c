// See net_queue.hpp. Facts about tc that shape this text: a qdisc that the kernel set by itself has
// handle 0:, so any other handle is somebody's; `add` fails where such a root stands; `del` with a
// handle takes away only that one; deleting a root makes the kernel set its default anew, on
// devices with several queues mq with one default each.
#include "faults/parts/net_queue.hpp"

#include "base/text.hpp"
#include "faults/parts/values.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <span>

namespace drill::faults {

namespace {

// A kernel function of each discipline tells that it is built in or loaded; else modprobe says,
// without loading it, whether it could be. Read-only.
constexpr std::string_view ask_queues = R"sh(
for name do
    if grep -qE " ${name}_enqueue([[:space:]]|\$)" /proc/kallsyms 2>/dev/null ||
        modprobe -n -q "sch_$name" 2>/dev/null; then
        echo "has $name"
    else
        echo "lacks $name"
    fi
done
tc qdisc show
)sh";

constexpr std::string_view normal = R"sh(nl='
'
# The qdiscs of device $1 as text, without what changes by itself.
queues() {
    listing=$(tc qdisc show dev "$1" 2>/dev/null) || return 1
    old_ifs=$IFS
    IFS=$nl
    set -f
    for line in $listing; do
        case $line in *" refcnt "*)
            rest=${line#* refcnt }
            line="${line%% refcnt *} ${rest#* }" ;;
        esac
        printf '%s\n' "$line"
    done
    IFS=$old_ifs
}
)sh";

constexpr std::string_view remember = R"sh(
directory=$1
shift
for device do
    queues "$device" >"$directory/queue.$device" || exit 1
done
)sh";

// What is ours is known by its handle, which is made of the lease. It may fork: the effect has
// ended in the kernel by the time it is needed.
constexpr std::string_view take_away = R"sh(
failed=0
while [ $# -gt 1 ]; do
    case $(tc qdisc show dev "$1" root 2>/dev/null) in
    *" $2: root "*) tc qdisc del dev "$1" root handle "$2:" || failed=1 ;;
    esac
    shift 2
done
exit $failed
)sh";

constexpr std::string_view read_queues = R"sh(
directory=$1 need=$2 mode=$3
shift 3
here= gone= other= hit=0
while [ $# -gt 1 ]; do
    device=$1 handle=$2
    shift 2
    now=$(tc -s qdisc show dev "$device" 2>/dev/null)
    case $now in
    *" $handle: root "*) here="$here $device" ;;
    *)
        if [ ! -e "$directory/queue.$device" ] ||
            [ "$(queues "$device")" = "$(cat "$directory/queue.$device")" ]; then
            gone="$gone $device"
        else
            other="$other $device"
        fi
        continue ;;
    esac
    [ "$mode" = netem ] || now=$(tc -s class show dev "$device") || exit 99
    found= ours=
    old_ifs=$IFS
    IFS=$nl
    set -f
    for line in $now; do
        case $line in
        *" netem "*" parent $handle:2 "* | "class htb $handle:2 "*) ours=1 found=1 ;;
        "qdisc "* | "class "*) ours= ;;
        " Sent "*)
            [ -n "$ours" ] || continue
            count=${line#*bytes }
            [ "$mode" = netem ] || count=${line#*overlimits }
            hit=$((hit + ${count%% *})) ;;
        " backlog "*)
            [ -n "$ours" ] && [ "$mode" = netem ] || continue
            count=${line#*b }
            hit=$((hit + ${count%%p*})) ;;
        esac
    done
    IFS=$old_ifs
    if [ -z "$found" ]; then
        echo "the queue of $device was altered by somebody else"
        exit 12
    fi
done
if [ ! -e "$directory/rules.inet" ]; then
    # The undo has taken the record away, or there was no apply.
    if [ -n "$here" ]; then echo "our queue is still there:$here"; exit 99; fi
    if [ -n "$other" ]; then echo "the queues are not as they were before:$other"; exit 12; fi
    exit 0
fi
if [ -n "$gone$other" ]; then
    echo "our queue was taken away by somebody else:$gone$other"
    exit 12
fi
if [ "$mode" = netem ]; then echo "$hit packets met the queue"
else echo "$hit times packets were held back"; fi
[ "$hit" -ge "$need" ] && exit 10
exit 11
)sh";

struct Asked {
    std::string lacks;                                         ///< the first that is missing
    std::vector<std::pair<std::string, std::string>> foreign;  ///< device, "htb 1:"
};

Asked parse_queues(std::string_view out, const std::set<std::string>& devices) {
    Asked asked;
    for (const std::string& line : split(out, '\n')) {
        const std::vector<std::string> words = split(line, ' ');
        if (words.size() >= 2 && words[0] == "lacks" && asked.lacks.empty()) {
            asked.lacks = words[1];
        }
        if (words.size() < 5 || words[0] != "qdisc" || words[3] != "dev") { continue; }
        const bool besides = words[1] == "ingress" || words[1] == "clsact";  // not in our way
        if (!besides && words[2] != "0:" && devices.contains(words[4])) {
            asked.foreign.emplace_back(words[4], join(std::span(words).subspan(1, 2), " "));
        }
    }
    return asked;
}

Status examine(const ChangeRequest& request, const Asked& asked) {
    if (fact_of(request.facts, "tool.tc").empty()) {
        return fail(Code::refused,
                    "tc is not installed on " + request.host + "; install iproute2 there");
    }
    if (!asked.lacks.empty()) {
        return fail(Code::refused,
                    "kernel " + fact_of(request.facts, "kernel") + " of " + request.host +
                        " has no sch_" + asked.lacks +
                        "; install the modules of this kernel there (Debian: linux-image-amd64; "
                        "Ubuntu: linux-modules-extra-$(uname -r); RHEL: kernel-modules-extra; "
                        "SLES: kernel-default)");
    }
    for (const auto& [device, qdisc] : asked.foreign) {
        return fail(Code::refused,
                    device + " of " + request.host + " has a queue that somebody set (" +
                        escape_control(qdisc, Lines::one) +
                        "); drill takes the place of the kernel's default only. Take it away, or "
                        "choose peers behind another device");
    }
    return ok();
}

std::vector<std::string> pairs_of(const NetCut& cut) {
    std::vector<std::string> pairs;
    std::size_t number = 0;
    for (const std::string& device : cut.devices) {
        pairs.push_back(device);
        pairs.push_back(net_handle(cut.handle, number++));
    }
    return pairs;
}

/// One tc batch that makes the trees; it stops at the first line that fails.
Exec plant(const NetCut& cut, const NetQueue& queue) {
    Exec exec{{"tc", "-batch", "-"}, {}};
    const std::vector<std::string> pairs = pairs_of(cut);
    for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
        const std::string dev = " add dev " + pairs[i];
        const std::string& handle = pairs[i + 1];
        std::string text = "qdisc" + dev;
        if (!queue.netem.empty()) {
            // Every priority leads to the first band; only what is sent to the second gets there.
            text.append(" root handle ").append(handle).append(": prio bands 2 priomap");
            for (int priority = 0; priority < 16; ++priority) { text += " 0"; }
            text.append("\nqdisc").append(dev).append(" parent ").append(handle);
            text.append(":2 netem ").append(queue.netem).append("\n");
        } else {
            // 10 ms of the rate at once, 100 ms of it waiting.
            const std::int64_t bytes = queue.rate / 8;
            std::string rate = std::to_string(queue.rate);
            rate.append("bit burst ");
            rate.append(std::to_string(std::clamp<std::int64_t>(bytes / 100, 3200, 4'000'000)));
            text.append(" root handle ").append(handle).append(": htb default 0\nclass");
            text.append(dev).append(" parent ").append(handle).append(": classid ");
            text.append(handle).append(":2 htb rate ").append(rate);
            text.append("\nqdisc").append(dev).append(" parent ").append(handle);
            text.append(":2 pfifo limit ");
            text.append(std::to_string(std::clamp<std::int64_t>(bytes / 15000, 10, 1000)));
            text += "\n";
        }
        exec.input += text;
    }
    return exec;
}

NetWish wish_of(const NetQueue& queue) {
    NetWish wish;
    wish.treatment = Treatment::classify;
    wish.outward = true;
    wish.affected_ppm = queue.affected_ppm;
    if (queue.netem.empty()) {
        wish.packets = 200;
        wish.size = 1200;
    }
    return wish;
}

}  // namespace

std::string tc_time(Nanos span) {
    return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(span).count()) +
           "us";
}

std::string tc_percent(int ppm) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%d.%04d%%", ppm / 10000, ppm % 10000);
    return text.data();
}

std::vector<Exec> queue_observe(const ChangeRequest& request) {
    std::vector<Exec> asked = net_observe(request);
    const bool rate = value_of<std::string>(request.params, "rate") != nullptr;
    asked.push_back(script(ask_queues, rate ? std::vector<std::string>{"htb"}
                                            : std::vector<std::string>{"prio", "netem"}));
    return asked;
}

Result<Change> queue_compose(const ChangeRequest& request, const NetQueue& queue) {
    const NetWish wish = wish_of(queue);
    DRILL_TRY(const NetCut cut, net_cut(request, wish));
    if (request.observed.size() != 2 || request.observed[1].status != 0) {
        return fail(Code::refused, "the queues of " + request.host +
                                       " could not be read: is tc (iproute2) installed there?");
    }
    DRILL_CHECK(examine(request, parse_queues(request.observed[1].out, cut.devices)));
    DRILL_TRY(std::vector<Stimulus> stimulate, net_stimuli(request, wish));
    NetTables tables = net_tables(cut);
    tables.bite_elsewhere = true;
    const std::vector<std::string> pairs = pairs_of(cut);
    std::vector<std::string> devices{request.directory};
    devices.insert(devices.end(), cut.devices.begin(), cut.devices.end());
    // As with a burst of losses: after so many packets fewer than 1 in 1000 hosts saw no effect.
    const int need = queue.affected_ppm < drop_every_packet
                         ? std::min(500, 7 * drop_every_packet / queue.affected_ppm + 1)
                         : 1;
    std::vector<std::string> reading{request.directory, std::to_string(need),
                                     queue.netem.empty() ? "rate" : "netem"};
    reading.insert(reading.end(), pairs.begin(), pairs.end());
    Change change;
    change.arm = {script(std::string(normal) += remember, std::move(devices))};
    change.apply = {plant(cut, queue), net_apply(tables), net_record(tables)};
    change.renew = {net_renew(tables)};
    change.undo = net_undo(tables);
    change.undo.push_back(script(take_away, pairs));
    change.read_back = {net_read_back(tables),
                        script(std::string(normal) += read_queues, std::move(reading))};
    change.stimulate = std::move(stimulate);
    change.ending = Ending::kernel;
    return change;
}

}  // namespace drill::faults
