// See manual_words.hpp.
#include "config/manual_words.hpp"

namespace drill {

namespace {

constexpr auto metric = TopicGroup::metric;
constexpr auto verdict = TopicGroup::verdict;
constexpr auto word = TopicGroup::word;

constexpr const char* percentile_text = R"md(
## Formula
`value at rank ceil(P / 100 * known)` of all latencies in the window, sorted (nearest rank).

Latency is `received - intended`: it counts from the moment at which the question should have left,
so a probe that is held up itself does not look fast. A failed sample ranks as slower than every
answer, whatever its kind. Where the rank falls on one, no upper limit holds.

## Inputs
Samples that are ok, degraded or failed. Unknown ones do not count; more than 5 % of them, or fewer
than 3 answers, and nothing is decided.

## In a file
`during = "p99 <= 250ms"`, with `p50`, `p90`, `p95` or `p99`.
)md";

constexpr WordHelp helps[] = {
    {metric, "success", "", "Share of the answers that were right and in time.", R"md(
## Formula
`ok / (ok + degraded + failed)`

A degraded answer (right, but later than `ok.within`) is no success. Unknown samples leave the
denominator; more than 5 % of them make the window blind, and it is then not decided. Fewer than 3
answers are too few. The share is rounded down where it is shown, compared exactly.

## Inputs
The samples of one probe that were sent within the window: for `before` the baseline, for `during`
from each bite to the last read-back that still found the fault, for a halt the last span. Questions
that the schedule wanted and that left no sample count as unknown.

## In a file
`before = "success >= 99% for 10s"`
)md"},
    {metric, "p50", "", "Median latency.", percentile_text},
    {metric, "p90", "", "Latency that 90 % of the answers keep.", percentile_text},
    {metric, "p95", "", "Latency that 95 % of the answers keep.", percentile_text},
    {metric, "p99", "percentile percentiles", "Latency that 99 % of the answers keep.",
     percentile_text},
    {metric, "outage", "outages bounds", "How long a service was away, as lower and upper bound.",
     R"md(
## Formula
An outage goes from the first sample that is not ok to the first ok of a hold without another such
sample. Its true length lies between:

- `lower = max(0, sent(last fail) - min(received, sent + timeout) of the first fail)`
- `upper = received(first ok after) - sent(last ok before)`

Without an ok before it, or without an end, there is no upper bound: "at least".

## Inputs
The samples of one probe, and the hold: `regain.hold` of its hypothesis, 1 s without one. The
distance of the bounds is about one `every` at either end: probe more often to know more.
)md"},
    {metric, "rto", "", "Longest outage after a fault, against the objective.", R"md(
## Formula
Every outage from the first fault on counts. Held when each `upper` is within the objective, missed
when one `lower` is above it, else not decided: an objective that lies between the bounds is never
rounded to good. Without an outage it is held only if the probe could see, and if no outage longer
than the objective can have passed between two answers.

## Inputs
`[objective] rto` of the experiment, else `rto` of its service in the catalog; the outages of each
probe that a hypothesis names. The worst of them is shown.
)md"},
    {metric, "rpo", "", "Longest loss of data, against the objective.", R"md(
This version cannot measure it: that takes numbered writes that are read back on what survives. An
`rpo` of the catalog is shown as "not measured", one in an experiment is refused (E0403). No verdict
ever rests on it.
)md"},
    {metric, "regain", "regained", "How soon a probe was ok again, and stayed so.", R"md(
## Formula
`lower = sent(last sample that is not ok) - start`, `upper = received(first ok of the hold) - start`,
with `start` the fault's apply, or its undo where the file says `from = "undo"`.

Held when `upper <= regain.within` and the ok lasts for `regain.hold`; broken when a failure was sent
later than `within`; else not decided. A probe that was never away holds.

## Inputs
The samples of the probe since `start`, up to the next fault.
)md"},
    {metric, "before", "baseline steady-state", "The steady state, measured before any fault.",
     R"md(
## Formula
The predicate of `before` over the samples sent since the probes began, once its `for` span is full.
When it does not hold or cannot be judged, the run is REFUSED and nothing was touched.
)md"},
    {metric, "during", "", "What holds while faults are in force.", R"md(
## Formula
The predicate of `during` over the samples sent while a fault was known to be in force: from its bite
to the last read-back that still found it. Windows that overlap count once.
)md"},
    {metric, "integrity", "data-integrity", "Whether data is right after a fault that can hurt it.",
     R"md(
## Formula
From when everything is undone and every `regain` is decided, for as long as `integrity` of the
hypothesis says: broken when one answer failed, held when all were right (late is right) and at most
5 % unknown, else not decided.

The verdict line says `data integrity: checked` or `not checked` when a fault that kills, cuts the
power, takes what files need, or runs a command of its own was applied to a host of a service with
`stateful = true`. Broken is FAILED. A check that nobody asked for does not change the verdict.

## Inputs
The samples of a probe that looks at data: a query or a command that fails when rows are missing.
`stateful` of the catalog's services; the kinds and hosts of the steps.
)md"},
    {metric, "latency", "", "Time from the intended send to the answer.", R"md(
## Formula
`received - intended`

`intended` is the absolute schedule, so waiting in a queue of our own counts (no coordinated
omission).
)md"},
    {metric, "lateness", "", "How late a question really left.", R"md(
## Formula
`sent - intended`, recorded with each sample

A controller that is overloaded shows here first. Outage bounds use `sent`, latencies `intended`.
)md"},
    {metric, "unknown", "blind", "Questions that could not be asked.", R"md(
## Formula
`unknown / (ok + degraded + failed + unknown)`; above 5 % a window is blind

The probe itself could not ask: no descriptor or port left, its own packet filter said no, the way to
its vantage was lost, or the sample is missing. An unknown sample counts neither as good nor as bad,
and a blind window is not decided.
)md"},
    {metric, "bite", "bit", "When a fault was first seen to have effect.", R"md(
## Formula
`bite = received(first read-back that found an effect)`; shown as the distance from the run's begin

Each kind says on its page what it takes as effect, a packet that was dropped or a process that is
gone. Without a bite within 6 s the change is undone and the run is INVALID: what was measured was
not under the fault. `during` and `hold` begin here.
)md"},
    {metric, "held", "", "How long a fault was in force.", R"md(
## Formula
`held = undo sent - bite`, on the controller's CLOCK_BOOTTIME
)md"},
    {metric, "overstay", "", "How much longer a fault lasted than its lease.", R"md(
## Formula
`overstay = end as seen - planned end`, for a fault that ended by itself

The planned end is that of the last renewal. Negative: it ended before its time. The end is seen by
a read-back, so the figure is an upper bound.
)md"},
    {verdict, "PASSED", "0", "Exit 0: what was expected was measured, and everything is undone.",
     R"md(
Every hypothesis held, every objective that can be measured was met, every fault was seen to bite, no
probe was blind, and every undo was read back.
)md"},
    {verdict, "FAILED", "1", "Exit 1: a promise was broken, and measured to be.", R"md(
A hypothesis or an objective was conclusively missed, an expected restart did not come, or a halt
condition tripped on measured data. Everything is undone. `incomplete` says that something else could
not be judged.
)md"},
    {verdict, "USAGE", "2", "Exit 2: flags, a file or its shape; nothing was touched.", R"md(
The message says where. `drill validate FILE` shows all errors of a file at once.
)md"},
    {verdict, "REFUSED", "3", "Exit 3: a gate said no; nothing was touched.", R"md(
The limit, a veto on a host, a missing tool, a confirmation that was not given, a steady state that
did not hold, a plan whose hosts have changed, or a ledger that cannot be written. In JUnit it is an
error: a pipeline without a drill is not green.
)md"},
    {verdict, "HALTED", "4", "Exit 4: a person or a signal ended it; everything is undone.", R"md(
What was not measured by then is not judged. In JUnit it is an error.
)md"},
    {verdict, "INVALID", "5", "Exit 5: nothing conclusive could be measured; everything is undone.",
     R"md(
A fault that did not bite or was ended by others, a probe that could not see, a connection that was
lost, an objective that lies between the bounds. Neither good nor bad: mend what the reasons name and
run it again. In JUnit it is an error.
)md"},
    {verdict, "DIRTY", "6", "Exit 6: an undo is not proven; a person is needed now.", R"md(
At least one change is not known to be undone. It comes before every other verdict.

1. `drill ls` shows the leases that are open.
2. `drill undo` ends and proves them.
3. `drill sweep HOST` looks on a host for what carries our name.
4. On the host itself: `/run/drill/<lease>/README`, and `sh /run/drill/<lease>/undo`.
)md"},
    {verdict, "internal", "70", "Exit 70: an error of this program or machine.", R"md(
What may be open is in the ledger: `drill ls`, then `drill undo`.
)md"},
    {word, "lease", "leases", "The right of a change to exist until a time.", R"md(
It carries all that its undo needs, so that another process can end it. States: intended (committed
before anything is sent), armed (applied), held (seen to bite), releasing (the undo was decided),
released (read back and disarmed), stuck (the undo is not proven), closed (a person attested it).
Whatever is neither released nor closed is open: `drill ls` shows it, `drill undo` ends it.
)md"},
    {word, "guard", "dead-man", "What undoes a change on the target when nobody renews it.", R"md(
A process on the target, armed and seen alive before the fault is applied. It fires when its lease
runs out, needs no controller and forks nothing when it fires.
)md"},
    {word, "ending", "endings instant kernel holder watcher durable off-target",
     "How a change ends when its controller is gone.", R"md(
- **instant**: nothing to undo; it has happened.
- **kernel**: a timed entry in the kernel runs out.
- **holder**: it ends with a process that carries its own deadline.
- **watcher**: the guard on the target undoes it.
- **durable**: guard, stored pre-image and boot hook; a reboot ends it.
- **off-target**: nothing on the host can end it; a witness elsewhere does.
)md"},
    {word, "fidelity", "real simulated rehearsal", "What kind of truth a result is.", R"md(
- **real**: faults were applied to hosts of an environment that is not a lab.
- **lab**: faults were real, on hosts of an environment of class lab.
- **rehearsal**: probes and gates were real, nothing was changed.
- **simulated**: the fleet was simulated; nothing left the process.

Every report says which, beside the class of the environment. Only *real* says something about the
environment that people depend on.
)md"},
    {word, "ledger", "chain head", "The record of every run, chained by hashes.", R"md(
`ledger.db` in the state directory, SQLite. Each event holds the digest of the one before; the first
builds on the plan and on the run before. `drill verify` recomputes all of it. The heads stand in
the controller's syslog at begin and end of each run: whoever kept one notices a ledger that was
rewritten whole.
)md"},
    {word, "predicate", "predicates", "What `before`, `during` and `when` are made of.", R"md(
`METRIC COMPARISON VALUE [for SPAN]`

- METRIC: success, p50, p90, p95, p99
- COMPARISON: >=, >, <=, <
- VALUE: a percentage for success, a duration for the others
- SPAN: more than 0s, at most 1h; a halt needs one
)md"},
    {word, "selection", "selections", "How hosts are chosen in files.", R"md(
- `{ role = "db", site = "a" }`: hosts with all of these labels
- `["db-1", "db-2"]`: hosts by their names in the catalog
- `"all"`: every host; it has to be spelled

A selection that matches nothing is an error.
)md"},
};

}  // namespace

std::span<const WordHelp> word_helps() { return helps; }

}  // namespace drill
