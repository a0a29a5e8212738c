# Recomputes every figure of a report from the tables of the ledger, with nothing of drill but the
# report itself: python and sqlite3. The formulas are those of core/README.md "How it is judged"
# and of core/engine/measure.hpp. usage: figures.py LEDGER.DB REPORT.JSON REPORT.TXT
# Each line is "ok    claim" or "FAIL  claim: both values". Must not: read anything else of the run.
import json, re, sqlite3, sys

UNBOUNDED = None
DELIVERY = 250_000_000
FEWEST = 3
ledger = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
report = json.load(open(sys.argv[2]))
page = " ".join(open(sys.argv[3], encoding="utf-8").read().split())
outcome = report["outcome"]
number = report["number"]
failed = 0


def claim(text, mine, theirs):
    global failed
    if mine == theirs:
        print(f"ok    {text}")
    else:
        failed += 1
        print(f"FAIL  {text}: the ledger says {mine!r}, the report {theirs!r}")


def duration(ns):  # as people read it
    if ns == 0: return "0 s"
    if ns < 1_000: return f"{ns} ns"
    if ns < 999_500: return f"{ns / 1e3:.3g} us"
    if ns < 999_500_000: return f"{ns / 1e6:.3g} ms"
    if ns % 1_000_000_000 == 0 and ns < 60_000_000_000: return f"{ns // 1_000_000_000} s"
    if ns < 9_995_000_000: return f"{ns / 1e9:.2f} s"
    if ns < 59_950_000_000: return f"{ns / 1e9:.1f} s"
    seconds = (ns + 500_000_000) // 1_000_000_000
    return f"{seconds // 60} m {seconds % 60:02} s"


def nanos(text):  # "1s", "250ms", "2m"
    value, unit = re.fullmatch(r"([\d.]+)(ms|s|m)", text).groups()
    return int(float(value) * {"ms": 1e6, "s": 1e9, "m": 6e10}[unit])


class Sample:
    def __init__(self, row):
        self.number, self.intended = row[0], row[1]
        self.sent = self.intended + row[2]
        self.received = self.sent + row[3]
        self.state = row[4][0]  # o, d, f, u
        self.ok = self.state == "o"
        self.unknown = self.state == "u"
        self.bad = self.state in "df"


# --- the run as the ledger holds it ----------------------------------------------------------------

events = [
    (kind, at, json.loads(body))
    for kind, at, body in ledger.execute(
        "SELECT type, at_boot_ns, body FROM event WHERE run = ? ORDER BY seq", (number,))
]
plan = json.loads(ledger.execute("SELECT plan FROM run_bytes WHERE run = ?", (number,)).fetchone()[0])
row = ledger.execute("SELECT run, experiment, environment, environment_class, plan_hash FROM run"
                     " WHERE number = ?", (number,)).fetchone()
verdict = ledger.execute("SELECT verdict, exit_code FROM verdict WHERE run = ?", (number,)).fetchone()
leases = dict(ledger.execute("SELECT id, state FROM lease WHERE run = ?", (number,)))
began = next(body["data"]["boot_ns"] for kind, _, body in events if kind == "run.started")
judged = next(at for kind, at, _ in events if kind == "run.judged")
probes = {probe["name"]: probe for probe in plan["probes"]}
series = {name: {} for name in probes}
for kind, _, body in events:
    if kind == "probe.samples":
        for one in json.loads(body["data"]["samples"]):
            series[body["data"]["probe"]].setdefault(one[0], Sample(one))
series = {name: [found[n] for n in sorted(found)] for name, found in series.items()}


def of(kind, step, host):
    for name, at, body in events:
        if name == kind and body["step"] == step and body["host"] == host:
            return {"at": at, "lease": body["lease"], **body["data"]}
    return {}


class Change:
    def __init__(self, step, host):
        self.step, self.host = step, host
        applied, bit = of("fault.applied", step, host), of("fault.bit", step, host)
        over, undo, proven = (of(k, step, host) for k in ("hold.over", "undo.sent", "undo.proven"))
        self.lease = of("lease.intended", step, host).get("lease", "")
        self.applied = applied.get("sent_ns")
        self.bite = bit.get("bite_ns")
        self.undo = undo.get("at")
        self.undone = proven.get("received_ns")
        self.until = over.get("proven_ns", self.undo if self.undo is not None else judged)


changes = [Change(step["name"], change["host"]) for step in plan["steps"] for change in step["changes"]]
bitten = [c for c in changes if c.bite is not None and c.applied is not None]
faults = []  # (applied, undo, step)
for step in plan["steps"]:
    mine = [c for c in bitten if c.step == step["name"]]
    if mine:
        faults.append((min(c.applied for c in mine), max((c.undo or 0) for c in mine), step["name"]))
faults.sort()

# --- shares and percentiles ------------------------------------------------------------------------


def merge(windows):
    merged = []
    for begin, end in sorted(w for w in windows if w[0] < w[1]):
        if merged and begin <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([begin, end])
    return merged


def unasked(samples, begin, end):  # questions of the schedule without a sample
    meant = [s for s in samples if begin <= s.intended < end]
    gaps = sum(b.number - a.number - 1 for a, b in zip(meant, meant[1:]))
    steps = [(b.intended - a.intended) // (b.number - a.number)
             for a, b in zip(samples, samples[1:]) if b.intended > a.intended]
    seen = sum(1 for s in samples if begin <= s.intended < end or begin <= s.sent < end)
    due = (end - begin) // min(steps) if steps else 0
    return max(gaps, due - seen - 1, 0)


def count(samples, windows):
    spans = merge(windows)
    inside = [s for s in samples if any(b <= s.sent < e for b, e in spans)]
    unknown = sum(s.unknown for s in inside) + sum(unasked(samples, b, e) for b, e in spans)
    return inside, unknown


def is_blind(unknown, everything):
    return unknown * 20 > everything


def predicate(claim_text, samples, windows):
    inside, unknown = count(samples, windows)
    known = [s for s in inside if not s.unknown]
    if is_blind(unknown, len(known) + unknown):
        return "undecided", f"blind: {unknown} of {len(known) + unknown} unknown"
    if len(known) < FEWEST:
        return "undecided", f"only {len(known)} answers, {FEWEST} needed"
    metric, sign, limit = re.match(r"(\w+) *(>=|>|<=|<) *(\S+)", claim_text).groups()
    holds = {">=": lambda a, b: a >= b, ">": lambda a, b: a > b,
             "<=": lambda a, b: a <= b, "<": lambda a, b: a < b}[sign]
    bad = sum(s.state == "f" for s in known)
    slow = sum(s.state == "d" for s in known)
    tail = f" of {len(known)} ({bad} failed, " + (f"{slow} degraded, " if slow else "") + f"{unknown} unknown)"
    if metric == "success":
        good = sum(s.ok for s in known)
        hundredths = good * 10_000 // len(known)  # of a percent, rounded down
        shown = f"{hundredths // 100}.{hundredths % 100:02}".rstrip("0").rstrip(".")
        ppm = int(round(float(limit.rstrip("%")) * 10_000))
        return ("held" if holds(good * 1_000_000, ppm * len(known)) else "broken"), shown + " %" + tail
    ranked = sorted(s.received - s.intended for s in known if s.state in "od")
    place = -(-int(metric[1:]) * len(known) // 100)  # nearest rank, from one
    if place > len(ranked):
        return ("held" if sign[0] == ">" else "broken"), f"{metric} no right answer{tail}"
    value = ranked[place - 1]
    return ("held" if holds(value, nanos(limit)) else "broken"), f"{metric} {duration(value)}{tail}"


# --- outages, regaining, objectives ----------------------------------------------------------------


class Course:
    """Goes through samples in the order of their numbers; knows the outage it is in."""

    def __init__(self, hold, timeout):
        self.hold, self.timeout = hold, timeout
        self.oks, self.bads, self.run, self.next = [], [], [], 0

    def take(self, s):  # True: a hold is complete
        if self.next and s.number > self.next and self.run:
            self.run += [None] * (s.number - self.next)
        self.next = s.number + 1
        if s.unknown:
            if self.run: self.run.append(None)
            return False
        if s.bad:
            self.bads.append(s)
            self.run = []
            return False
        self.oks.append(s)
        if self.bads and s.sent <= self.last_bad(): return False
        self.run.append(s)
        if s.sent - self.run[0].sent < self.hold: return False
        if is_blind(self.run.count(None), len(self.run)):
            self.run = [s]
            return False
        return True

    def last_bad(self):
        return max(s.sent for s in self.bads)

    def answered(self):  # the earliest receipt that no unknown comes after
        last = max((i for i, s in enumerate(self.run) if s is None), default=-1)
        return min(s.received for s in self.run[last + 1:])

    def outage(self, regained):
        first = self.bads[0]
        ended = min(min(s.received, s.sent + self.timeout) for s in self.bads)
        # the oks of the hold, or of an earlier hold, were all sent before the first failure or after
        before = [s.sent for s in self.oks if s.number < first.number and s.sent < first.sent]
        upper = self.answered() - max(before) if regained and before else UNBOUNDED
        return {"first_bad_ns": first.sent, "first_good_ns": self.run[0].sent if regained else None,
                "lower_ns": max(0, self.last_bad() - ended), "upper_ns": upper,
                "last_bad": self.last_bad()}


def outages(samples, hold, timeout, begin, end):
    found, course = [], Course(hold, timeout)
    for s in samples:
        if course.take(s) and course.bads:
            found.append(course.outage(True))
            course.bads = []
    if course.bads: found.append(course.outage(False))
    return [o for o in found if o["first_bad_ns"] < end and o["last_bad"] >= begin]


def regain(rule, samples, probe, start):
    within, hold = rule["within_ns"], rule["hold_ns"]
    course, away, answered, decided = Course(hold, probe["timeout_ns"]), False, None, False
    for s in samples:
        if s.sent < start: continue
        complete = course.take(s)
        away = away or bool(course.bads)
        if s.bad and s.sent > start + within:
            return "broken", f"not ok {duration(course.last_bad() - start)} after"
        if not complete: continue
        if away or answered is None: answered = course.answered()
        if away or rule["from"] == "undo" or s.sent >= start + within:
            decided = True
            break
    if answered is None or not decided:
        late = judged >= start + within + hold + probe["timeout_ns"] + 2 * probe["every_ns"] + DELIVERY
        return "undecided", "could not be judged: too little was seen" if late else "not regained yet"
    upper = answered - start
    lower = course.last_bad() - start if away else 0
    text = f"after {duration(lower)} to {duration(upper)}" if away else f"never away, ok seen {duration(upper)} after"
    return ("held" if upper <= within else "undecided"), f"{text}, held {duration(hold)}"


def unseen(samples, begin, end):  # the longest outage that would have left no trace
    since, longest, seen, after_bad = begin, 0, False, False
    for s in samples:
        if s.unknown: continue
        if s.bad:
            after_bad = True
            continue
        if s.received >= begin and s.sent < end:
            if not after_bad: longest = max(longest, s.received - since)
            seen = True
        since, after_bad = max(since, s.sent), False
        if s.sent >= end: break
    if not seen: return UNBOUNDED
    return longest if after_bad else max(longest, end - since)


def rto(objective, found, samples, probe, begin, end):
    by = f" (probe {probe['name']}, {duration(probe['every_ns'])})"
    inside, unknown = count(samples, [(begin, end)])
    known = sum(not s.unknown for s in inside)
    sees = known >= FEWEST and not is_blind(unknown, known + unknown)
    dark = unseen(samples, begin, end)
    if not found:
        if not sees or dark is UNBOUNDED:
            return "undecided", f"not measured: {unknown} of {known + unknown} unknown" + by
        return ("held" if dark <= objective else "undecided"), f"no outage seen, none above {duration(dark)}" + by
    high = lambda o: float("inf") if o["upper_ns"] is UNBOUNDED else o["upper_ns"]
    worst = max(found, key=lambda o: (o["lower_ns"] > objective, high(o), o["lower_ns"]))
    past = any(o["lower_ns"] > objective for o in found)
    hidden = not sees or (dark is not UNBOUNDED and dark > objective)
    finding = "broken" if past else "held" if all(high(o) <= objective for o in found) and not hidden else "undecided"
    if worst["upper_ns"] is UNBOUNDED:
        text = f"at least {duration(worst['lower_ns'])}" + (
            ", its start was not seen" if worst["first_good_ns"] else ", not regained")
    else:
        text = f"{duration(worst['lower_ns'])} to {duration(worst['upper_ns'])}"
    return finding, text + by + (", but partly blind" if hidden and not past else "")


# --- the report against it -------------------------------------------------------------------------

claim("the run, its experiment, environment, class and plan are those of the ledger", row,
      (report["run"], report["experiment"], report["environment"], report["environment_class"],
       report["plan_hash"]))
claim("verdict and exit code", verdict, (outcome["verdict"], report["exit_code"]))
claim("beginning and end", (began, judged), (outcome["began_ns"], outcome["ended_ns"]))

expected = []
for hypothesis in plan["hypotheses"]:
    name, samples = hypothesis["probe"], series[hypothesis["probe"]]
    if hypothesis["before"]:
        text = hypothesis["before"]["text"]
        span = nanos(re.search(r" for (\S+)$", text)[1])
        expected.append((name, "before", text, *predicate(text, samples, [(began, began + span)])))
for hypothesis in plan["hypotheses"]:
    name, samples = hypothesis["probe"], series[hypothesis["probe"]]
    probe, rule = probes[name], hypothesis["regain"]
    if hypothesis["during"]:
        text = hypothesis["during"]["text"]
        expected.append((name, "during", text,
                         *predicate(text, samples, [(c.applied, c.until) for c in bitten])))
    for i, (applied, undo, step) in enumerate(faults if rule else []):
        start = undo if rule["from"] == "undo" else applied
        after = faults[i + 1][0] if i + 1 < len(faults) else None
        if after is not None and after < start + rule["within_ns"] + rule["hold_ns"]: continue
        cut = next((n for n, s in enumerate(samples) if after is not None and s.sent >= after), len(samples))
        text = (f"{step}: " if len(faults) > 1 else "") + \
            f"regained within {duration(rule['within_ns'])} of the {rule['from']}, held {duration(rule['hold_ns'])}"
        expected.append((name, "regain", text, *regain(rule, samples[:cut], probe, start)))
claim("as many findings", len(expected), len(outcome["hypotheses"]))
for mine, theirs in zip(expected, outcome["hypotheses"]):
    claim(f"{mine[0]} {mine[1]}: {mine[2]}: {mine[4]}", mine,
          tuple(theirs[k] for k in ("probe", "part", "claim", "finding", "measured")))

window = (faults[0][0] if faults else began, judged)
lines, objectives = [], []
for hypothesis in plan["hypotheses"]:
    name, probe = hypothesis["probe"], probes[hypothesis["probe"]]
    hold = hypothesis["regain"]["hold_ns"] if hypothesis["regain"] else 1_000_000_000
    found = outages(series[name], hold, probe["timeout_ns"], *window)
    for one in found:
        steps = [f[2] for f in faults if f[0] <= one["first_bad_ns"] + probe["timeout_ns"]]
        lines.append((name, steps[-1] if steps else "", one["first_bad_ns"], one["first_good_ns"],
                      one["lower_ns"], one["upper_ns"]))
    if plan["rto_ns"]:
        objectives.append(rto(plan["rto_ns"], found, series[name], probe, *window))
claim("as many outages", len(lines), len(outcome["outages"]))
for mine, theirs in zip(lines, outcome["outages"]):
    claim(f"outage of {mine[0]} after {mine[1]}: bounds", mine,
          tuple(theirs[k] for k in ("probe", "step", "first_bad_ns", "first_good_ns", "lower_ns", "upper_ns")))
order = ("held", "undecided", "broken")
if plan["rto_ns"]:
    worst = max(objectives, key=lambda o: order.index(o[0]))
    theirs = next(o for o in outcome["objectives"] if o["name"] == "rto")
    claim(f"rto: {worst[1]}", (plan["rto_ns"], *worst),
          (theirs["objective_ns"], theirs["finding"], theirs["measured"]))

claim("as many changes", len(changes), len(outcome["changes"]))
for mine, theirs in zip(changes, outcome["changes"]):
    where = f"{mine.step} on {mine.host}"
    claim(f"{where}: lease and its state", (mine.lease, leases.get(mine.lease)),
          (theirs["lease"], theirs["state"]))
    claim(f"{where}: applied, bite, undo sent, undone",
          (mine.applied is not None, mine.bite is not None, mine.bite, mine.undo, mine.undone),
          (theirs["applied"], theirs["bit"], theirs["bite_at_ns"], theirs["undo_sent_ns"], theirs["undone_at_ns"]))
    held = f"bit at +{duration(mine.bite - began)}, held {duration(mine.undo - mine.bite)}"
    claim(f"{where}: {held}", True, held in page)

total = sum(len(s) for s in series.values())
claim("the run has what is to be measured: samples, outages, regaining, degraded answers", (True,) * 4,
      (total > 50, len(lines) > 0, any(e[1] == "regain" for e in expected),
       any(s.state == "d" for s in series["order"])))
sys.exit(failed > 0)
