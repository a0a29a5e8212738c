"""Kills controllers and watches from outside when the effects of their faults end.

    proofs_farm.py SCRIPTS-LAB LAB-DIR LAB-ID WORK-DIR EXPERIMENT

Thirty hosts in ten groups of three (a, b, c): nothing from c reaches a, a process on b is stopped,
a has nine of ten packets from b lost on c. One controller per group, ten at a time, three rounds.
Each controller is killed some time after a word of its own: all stages are hit on any machine.
Effects are judged by packets of our own (one each 20 ms) and by the state of the process, never by
what tables or records say. Prints "claim TEXT|yes or no|figures" lines; proofs_test.sh counts them.
Must not: end a process that it did not start.
"""
import ctypes, os, re, socket, statistics, subprocess, sys, time

script, lab, lab_id, work, experiment = sys.argv[1:6]
POINTS = [(word, after) for word, delays in {
    "": (0.1, 0.4, 0.8, 1.2),                                      # asks the hosts, plans
    "environment lab": (0.0, 0.2, 0.5, 0.8, 1.1),                  # rehearses guards
    " begins": (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4),        # applies
    ": bites": (0.0, 0.3, 0.7, 1.1, 1.6, 2.1, 2.6, 3.2, 3.7),      # holds, renews
    ": undo sent": (0.0, 0.02, 0.06, 0.12),                        # undoes
}.items() for after in delays]
TTL, TICK, GROUPS = 3.0, 0.02, 10
cgroups = next(line.split()[1] for line in open("/proc/mounts") if line.split()[2] == "cgroup2")
parent = os.getppid()
libc = ctypes.CDLL(None, use_errno=True)
now = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)


def claim(text, good, figures=""):
    print(f"claim {text}|{'yes' if good else 'no'}|{figures}", flush=True)


def enter(name):
    with open(name) as net:
        if libc.setns(net.fileno(), 0x40000000) != 0:
            sys.exit(f"cannot enter {name}: {os.strerror(ctypes.get_errno())}")


def udp_on(number):
    enter(f"/run/netns/drl{lab_id}-farm-{number}")
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    made.bind((f"10.77.1.{number}", 4999))
    made.setblocking(False)
    return made


class Flow:
    """Numbered packets from one host to another; knows when the last one was lost."""

    def __init__(self, sender, receiver, number):
        self.sender, self.receiver, self.to = sender, receiver, (f"10.77.1.{number}", 4999)
        self.forget()

    def forget(self):
        self.drain()
        self.sent, self.got = [], set()

    def tick(self):
        try:
            self.sender.sendto(str(len(self.sent)).encode(), self.to)
        except BlockingIOError:
            return
        self.sent.append(now())

    def drain(self):
        while True:
            try:
                word = self.receiver.recv(64)
            except BlockingIOError:
                return
            self.got.add(int(word))

    def losses(self):
        self.drain()
        return [when for number, when in enumerate(self.sent) if number not in self.got]


class Host:
    def __init__(self, number):
        self.number, self.name = number, f"farm-{number}"
        self.cgroup = f"{cgroups}/drl{lab_id}/h-{self.name}"
        self.disk = f"/proc/{open(f'{lab}/hosts/{self.name}/init.pid').read().split()[0]}/root"

    def processes(self):
        for folder, _, _ in os.walk(self.cgroup):
            with open(folder + "/cgroup.procs") as procs:
                yield from (int(pid) for pid in procs.read().split())

    def deadlines(self):
        """Lease times as the host recorded them, on the boot clock."""
        for folder, _, files in os.walk(self.disk + "/run/drill"):
            for file in files:
                if not re.fullmatch(r"guard\.\d+", file):
                    continue
                try:
                    words = open(f"{folder}/{file}").readline().split()
                    kind = open(folder + "/kind").read().strip()
                except OSError:
                    continue
                if len(words) == 6 and kind != "rehearsal":
                    yield int(words[5]) / 100

    def residue(self):
        left = []
        try:
            left += [n for n in os.listdir(self.disk + "/run/drill") if "." not in n]
        except FileNotFoundError:
            pass
        tables = subprocess.run(["nsenter", f"--net=/run/netns/drl{lab_id}-{self.name}", "nft",
                                 "list", "tables"], capture_output=True, text=True).stdout
        left += [line for line in tables.splitlines() if " drill_" in line]
        for pid in self.processes():
            try:
                command = open(f"/proc/{pid}/cmdline").read().replace("\0", " ")
                if state(pid) == "T":
                    left.append(f"stopped: {command}")
                if "/run/drill/" in command:
                    left.append(f"guard: {command}")
            except OSError:
                continue
        return [f"{self.name}: {one}" for one in left]


def state(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "gone"


class Group:
    def __init__(self, index, hosts):
        self.index, self.hosts = index, hosts
        self.folder = f"{work}/group-{index}"
        os.makedirs(self.folder)
        self.file = self.folder + "/farm.toml"
        text = open(experiment).read()
        for place, host in zip((1, 2, 3), hosts):
            text = text.replace(f'"farm-{place}"', f'"@{host.number}"')
        open(self.file, "w").write(text.replace('"@', '"farm-'))
        a, b, c = (udp_on(host.number) for host in hosts)
        self.flows = {"cut": Flow(c, a, hosts[0].number), "loss": Flow(b, c, hosts[2].number)}
        self.paused = next(pid for pid in hosts[1].processes()
                           if open(f"/proc/{pid}/comm").read() == "paused\n")
        self.stopped_seen, self.killed, self.ended, self.kill_at = [], None, 0.0, None

    def drill(self, *verb):
        out = open(self.folder + "/log", "ab")
        return subprocess.Popen([script, "enter", "drill", "--state", self.folder + "/state", *verb],
                                stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def start(self, point):
        for flow in self.flows.values():
            flow.forget()
        self.stopped_seen, self.killed, self.ended, self.kill_at = [], None, None, None
        self.word, self.after = point
        self.log = open(self.folder + "/log", "a+")
        self.log.seek(0, os.SEEK_END)
        self.said = ""
        self.child = self.drill("run", self.file, "--seed", "1")

    def tick(self):
        for flow in self.flows.values():
            flow.tick()
            flow.drain()
        if state(self.paused) == "T":
            self.stopped_seen.append(now())
        if self.ended is None and self.child.poll() is not None:
            self.ended = now()
        if self.ended is None and self.kill_at is None:
            self.said += self.log.read()
            if self.word in self.said:
                self.kill_at = now() + self.after
        if self.ended is None and self.kill_at is not None and now() >= self.kill_at:
            self.is_controller = open(f"/proc/{self.child.pid}/comm").read() == "drill\n"
            self.child.kill()
            self.child.wait()
            self.killed = self.ended = now()

    def effects(self):
        """Name to the times at which the effect was seen."""
        seen = {name: flow.losses() for name, flow in self.flows.items()}
        seen["pause"] = self.stopped_seen
        return {name: times for name, times in seen.items() if times}


def watch(groups, until):
    """Ticks on an absolute schedule while `until` is false; 60 s at most."""
    begun = due = now()
    while not until() and now() < begun + 60:
        if os.getppid() != parent:
            sys.exit("whoever wanted this is gone")
        for group in groups:
            group.tick()
        due = max(due + TICK, now())
        time.sleep(max(0, due - now()))


def undo_all(groups):
    undoing = [group.drill("undo") for group in groups]
    return [child.wait() for child in undoing]


own = f"/proc/{os.getpid()}/ns/net"
hosts = [Host(number) for number in range(1, 3 * GROUPS + 1)]
home = os.open(own, os.O_RDONLY)
groups = [Group(i, hosts[3 * i:3 * i + 3]) for i in range(GROUPS)]
libc.setns(home, 0x40000000)
begun = now()
watch(groups, lambda: now() > begun + 1)  # the first packets wait for the neighbours' addresses
for group in groups:
    for flow in group.flows.values():
        flow.forget()
begun = now()
watch(groups, lambda: now() > begun + 1)
lost = sum(len(times) for group in groups for times in group.effects().values())
claim("packets and processes are fine before the first fault", lost == 0, f"{lost} lost")

overstays, late, after_kill, left, undone, kills, in_effect, strays = [], [], [], [], [], 0, 0, 0
for turn in range(0, len(POINTS), GROUPS):
    for index, group in enumerate(groups):
        # Each round has points of all stages.
        group.start(POINTS[(index * len(POINTS) // GROUPS + turn // GROUPS) % len(POINTS)])
    watch(groups, lambda: all(group.ended for group in groups))
    end = max(group.ended for group in groups) + TTL + 2
    watch(groups, lambda: now() > end)
    time.sleep(0.2)
    for group in groups:
        if group.killed is None:
            continue
        kills += 1
        strays += not group.is_controller
        places = {"cut": 0, "pause": 1, "loss": 2}
        for name, times in group.effects().items():
            in_effect += times[0] < group.killed <= times[-1] + 0.1
            lease = max(group.hosts[places[name]].deadlines(), default=None)
            if times[-1] <= group.killed:
                continue
            after_kill.append(times[-1] - group.killed)
            if lease is None:
                late.append(f"{name} in group {group.index}: no lease on the host")
                continue
            overstays.append(times[-1] - lease)
            if times[-1] > lease + 1 or times[-1] > group.killed + TTL + 2:
                late.append(f"{name} in group {group.index}: {times[-1] - lease:.2f} s past its lease, "
                            f"{after_kill[-1]:.2f} s after the kill")
    undone += undo_all(groups)
    for host in hosts:
        left += host.residue()

claim(f"kill -9 at {len(POINTS)} points: nearly all hit a living controller",
      strays == 0 and kills >= 0.8 * len(POINTS), f"{kills} killed")
claim("kill -9: many of them hit while faults were in effect", in_effect >= 15, f"{in_effect} effects")
claim("kill -9: every effect is over at lease time + 1 s, without help", bool(overstays) and not late,
      "; ".join(late) or f"of {len(overstays)} effects, seen last after lease time: "
      f"median {statistics.median(overstays):+.3f} s, max {max(overstays):+.3f} s; after the kill: "
      f"median {statistics.median(after_kill):.2f} s, max {max(after_kill):.2f} s")
claim("kill -9: undo proves all of it, exit 0", undone and not any(undone), f"{len(undone)} undos")
claim("kill -9: nothing is left after undo", not left, "; ".join(left[:5]))
