"""What every fault kind promises, held against a snapshot of its host from before.

    kinds_watch.py SCRIPTS-LAB LAB-DIR LAB-ID WORK-DIR KINDS-DIR KIND..

For each kind, KINDS-DIR/KIND.toml is a step and says in comments how it is watched:
    # on: HOST             a host that it needs; any farm host where this is absent
    # prepare: SH          run on the host first, may leave processes
    # effect: SH           status 0 while the fault has its effect; absent for instant kinds
    # flow: in|out         instead: the effect is that packets from or to bal-1 are lost
    # without-guard: yes   kernel or holder ends it, also with the guard killed
    # verdict: N           exit code of a run to its end, 0 where this is absent
    # keeps: pids memory   what a starved host keeps, with the reason beside it
    # differs: REGEX       lines of the snapshot that may differ afterwards, with the reason in WHY
Trials, each on a host of its own: run to the end; the controller killed with -9; controller and
guard killed; with DRILL_STARVE set also the controller killed and the host starved of processes, memory, processor time and
room in /run. The snapshot after `drill undo` has to equal the one before, and the effect has to end by
lease time + 1 s. Prints "claim TEXT|yes or no|figures" lines; kinds_proof.sh counts them.
Must not: end a process that is not of the lab.
"""
import collections, contextlib, ctypes, os, queue, re, socket, stat, subprocess, sys, threading, time

script, lab, lab_id, work, folder = sys.argv[1:6]
wanted = sys.argv[6:]
TTL, GRACE = 3.0, 1.0
FARM = 10
parent = os.getppid()
now = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
printing, starving = threading.Lock(), threading.Lock()
libc = ctypes.CDLL(None, use_errno=True)
overstays = collections.defaultdict(list)


def claim(text, good, figures=""):
    with printing:
        print(f"claim {text}|{'yes' if good else 'no'}|{figures}".replace("\n", " "), flush=True)


def hierarchies():
    for line in open("/proc/mounts"):
        words = line.split()
        if words[2].startswith("cgroup"):
            yield words[1], (words[3] if words[2] == "cgroup" else "")


class Kind:
    def __init__(self, name):
        self.name = name
        self.text = open(f"{folder}/{name}.toml").read()
        said = dict(re.findall(r"^# ([a-z-]+): (.*)$", self.text, re.M))
        self.on, self.prepare = said.get("on"), said.get("prepare")
        self.effect, self.flow = said.get("effect"), said.get("flow")
        self.without_guard = said.get("without-guard") == "yes"
        self.keeps = said.get("keeps", "").split()
        self.verdict, self.differs = int(said.get("verdict", 0)), said.get("differs")

    def experiment(self, host, hold):
        text = self.text if hold is None else re.sub(r'(?m)^hold( *)= .*', f'hold = "{hold}"', self.text)
        return f"""[experiment]
name  = "kind-{self.name}"
title = "What {self.name} leaves behind"
[limit]
hosts   = 1
of      = ["{host}"]
longest = "1m"
lease   = "{TTL:.0f}s"
[target.it]
match = ["{host}"]
pick  = 1
[[probe]]
name    = "controller"
kind    = "command"
argv    = ["true"]
every   = "200ms"
timeout = "5s"
[[hypothesis]]
probe  = "controller"
before = "success >= 50% for 1s"
{text}"""


class Host:
    def __init__(self, name):
        self.name = name
        self.cgroups = [(f"{mount}/drl{lab_id}/h-{name}", kind) for mount, kind in hierarchies()]
        self.cgroups = [one for one in self.cgroups if os.path.isdir(one[0])]

    @property
    def init(self):
        return int(open(f"{lab}/hosts/{self.name}/init.pid").read().split()[0])

    def sh(self, text, timeout=20):
        try:
            return subprocess.run([script, "exec", self.name, "sh", "-c", text], text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout,
                                  errors="replace")
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess([], 124, "", "no end")

    def seen(self, text):
        """From outside: needs no process of the host's own allowance."""
        done = subprocess.run(["nsenter", "-t", str(self.init), "-m", "-n", "-p", "-u", "-i", "-r", "-w",
                               "timeout", "5", "sh", "-c", text], stdin=subprocess.DEVNULL, capture_output=True)
        self.said = done.stderr.decode(errors="replace")
        return done.returncode == 0

    def processes(self):
        path = next(path for path, kind in self.cgroups if "pids" in kind or not kind)
        for level, _, _ in os.walk(path):
            try:
                with open(level + "/cgroup.procs") as procs:
                    pids = [int(pid) for pid in procs.read().split()]
            except OSError:
                continue
            for pid in pids:
                try:
                    command = open(f"/proc/{pid}/cmdline", errors="replace").read().replace("\0", " ")
                    status = dict(re.findall(r"^(\w+):\s*(.*)$", open(f"/proc/{pid}/status").read(), re.M))
                except OSError:
                    continue
                yield pid, command.strip() or f"[{status['Name']}]", status

    def deadline(self):
        """The latest lease time that the host recorded, on the boot clock."""
        latest = None
        for place in ("/run/drill", "/var/lib/drill"):
            for level, _, files in os.walk(f"/proc/{self.init}/root{place}"):
                for file in files:
                    if re.fullmatch(r"guard\.\d+", file):
                        try:
                            words = open(f"{level}/{file}").readline().split()
                            kind = open(level + "/kind").read().strip()
                        except OSError:
                            continue
                        if len(words) == 6 and kind != "rehearsal":
                            latest = max(latest or 0, int(words[5]) / 100)
        return latest

    # --- the snapshot ----------------------------------------------------------------------------

    COMMANDS = {
        "nft": "nft list ruleset",
        "link": "ip -j -d link show",
        "address": "ip -j addr show",
        "route": "ip -4 route show table all; ip -6 route show table all",
        "rule": "ip rule show; ip -6 rule show",
        "neighbour": "ip neigh show nud permanent",
        "qdisc": "tc qdisc show; for d in $(ls /sys/class/net); do tc class show dev $d; "
                 "tc filter show dev $d; done",
        "mount": "cat /proc/mounts",
        "unit": "! [ -d /run/systemd/system ] || systemctl list-units --all --plain --no-legend "
                "--no-pager --type=service,mount,socket,timer,slice",
        "sysctl": "sysctl -a 2>/dev/null | grep -E 'forwarding|rp_filter|disable_ipv6|mtu'",
    }
    # What changes by itself: counters, ages, link statistics.
    STEADY = [(r"counter packets \d+ bytes \d+", "counter"), (r" expires \d+\w*", ""),
              (r'"(valid_life_time|preferred_life_time|linkinfo_age)":\d+', ""), (r"\bage \d+", ""), (r'"tentative":true,?', ""),
              (r'"(gc_timer|hello_timer|tcn_timer)":[\d.]+', ""), (r"session-\S+|user-\S+|user@\S+", ""),
              (r"(?m)^\s*(run-\S+|systemd-(tmpfiles|hostnamed|localed|logind)\S*|drill-rehearsal\S*)\s.*$", "")]
    # Places of the host where a fault could leave something. Ledger and homes of people excepted.
    PLACES = ["/etc", "/run", "/var/lib", "/var/tmp", "/tmp", "/root", "/home", "/usr/local", "/opt", "/srv"]
    VOLATILE = re.compile(r"^/run/(utmp|sudo|user|systemd|udev|log|lock|dbus|sshd|initctl|faillock|mount)"
                          r"|^/run/drill(/[a-z0-9]+\.gone)?$|^/var/lib/(systemd|drill(/bin(/.*)?)?$)"
                          r"|\.pid$|^/tmp/systemd-|^/var/tmp/systemd-|^/root/\.cache|^/run/(motd|blkid)|^/home/ops/\.")
    # Sessions come and go.
    PASSING = re.compile(r"^(sshd: |ssh-agent|\(sd-pam\)|/lib/systemd/systemd(-\w+)? ?(--user)?$|sudo )"
                         r"|/lib/systemd/systemd-(logind|hostnamed|userdbd|userwork|tmpfiles)|sd-pam|agetty"
                         r"|^dropbear|kinds-watch|^sh -c .*COMMANDS")

    def snapshot(self):
        text = "; ".join(f"echo '== {name}'; {command} 2>&1" for name, command in self.COMMANDS.items())
        lines, part = collections.Counter(), ""
        for line in self.sh("# kinds-watch\n" + text).stdout.splitlines():
            if line.startswith("== "):
                part = line[3:]
                continue
            for pattern, to in self.STEADY:
                line = re.sub(pattern, to, line)
            if line.strip():
                lines[f"{part}: {line.rstrip()}"] += 1
        for path, words in self.files():
            lines[f"file: {path} {words}"] += 1
        for _, command, status in self.processes():
            if not self.PASSING.search(command):
                lines[f"process: {command[:160]} state {status['State'][0].replace('R', 'S')} uid "
                      f"{status['Uid'].split()[0]}"] += 1
        for path, kind in self.cgroups:
            for level, _, files in os.walk(path):
                for name in ("cgroup.freeze", "freezer.state", "pids.max", "cpu.cfs_quota_us",
                             "memory.limit_in_bytes"):
                    if name in files:
                        try:
                            lines[f"cgroup: {level[len(path):]}/{name} {open(level + '/' + name).read().strip()}"] += 1
                        except OSError:
                            pass
        return lines

    def files(self):
        root = f"/proc/{self.init}/root"
        for place in self.PLACES:
            for level, folders, files in os.walk(root + place):
                if level.count("/") > root.count("/") + 7:
                    folders.clear()
                for name in folders + files:
                    path = f"{level}/{name}"[len(root):]
                    if self.VOLATILE.search(path):
                        if name in folders and not path.startswith("/var/lib/drill") and path != "/run/drill":
                            folders.remove(name)
                        continue
                    try:
                        info = os.lstat(root + path)
                        extra = {key: os.getxattr(root + path, key, follow_symlinks=False).hex()
                                 for key in os.listxattr(root + path, follow_symlinks=False)
                                 if not key.startswith("trusted.overlay")}
                    except OSError:
                        continue
                    times = "" if stat.S_ISDIR(info.st_mode) else f" {info.st_mtime_ns}"
                    yield path, (f"{stat.filemode(info.st_mode)} {info.st_uid}:{info.st_gid} "
                                 f"{0 if stat.S_ISDIR(info.st_mode) else info.st_size}{times} {extra or ''}")

    # --- starving ----------------------------------------------------------------------------------

    def starve(self, keeps):
        """4 x processor overcommit, /run full, no more memory, no more processes."""
        self.hogs = [subprocess.Popen([script, "exec", self.name, "sh", "-c", "while :; do :; done"],
                                      stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                     for _ in range(4 * (os.cpu_count() or 2))]
        self.sh("dd if=/dev/zero of=/run/starved bs=64k 2>/dev/null; true")
        time.sleep(0.3)
        self.limits = []
        for path, kind in self.cgroups:
            for usage, limit in (("pids.current", "pids.max"),
                                 ("memory.usage_in_bytes", "memory.limit_in_bytes")):
                if limit.split(".")[0] not in keeps and os.path.exists(f"{path}/{limit}"):
                    before = open(f"{path}/{limit}").read().strip()
                    # The kernel may look for pages to free for as long as it is let.
                    done = subprocess.run(["timeout", "2", "sh", "-c", 'cat "$1" >"$2"', "sh",
                                           f"{path}/{usage}", f"{path}/{limit}"], stderr=subprocess.DEVNULL)
                    self.limits.append((f"{path}/{limit}", before))
                    if done.returncode != 0:  # a page was used meanwhile: the others still starve it
                        open(f"{path}/{limit}", "w").write("-1" if "memory" in limit else before)
                        self.limits.pop()
        return [limit.rsplit("/", 1)[1] for limit, _ in self.limits]

    def feed(self):
        for limit, before in self.limits:
            open(limit, "w").write("-1" if "memory" in limit else before)
        for hog in self.hogs:
            hog.terminate()
            hog.wait()
        for pid, command, _ in self.processes():
            if command == "sh -c while :; do :; done":
                os.kill(pid, 9)
        os.remove(f"/proc/{self.init}/root/run/starved")


class Asked:
    """An effect that a command on the host sees."""

    def __init__(self, host, command):
        self.host, self.command = host, command

    def now(self):
        return self.host.seen(self.command)

    def last(self, lease, until):
        """When it was seen last; looks on for half a second after the lease."""
        last = now()
        while now() < until:
            at = now()
            if self.now():
                last = at
            elif now() > lease + 0.5:
                break
            time.sleep(0.02)
        return last


class Flow:
    """An effect that loses packets between the host and bal-1, one each 20 ms; UDP, port 4999 on the host."""

    def __init__(self, host, way):
        ends = [self.socket_on(host.name), self.socket_on("bal-1")]
        self.sender, self.receiver = ends if way == "out" else reversed(ends)
        self.to = self.receiver.getsockname()
        self.sent, self.got, self.over = [], set(), False
        self.thread = threading.Thread(target=self.send, daemon=True)
        self.thread.start()

    @staticmethod
    def socket_on(name):
        made = []

        def enter():  # a network namespace belongs to a thread
            with open(f"/run/netns/drl{lab_id}-{name}") as net:
                if libc.setns(net.fileno(), 0x40000000) != 0:
                    return
            made.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            env = open(f"{lab}/hosts/{name}/env").read()
            # bal-1 serves several trials at one time.
            made[0].bind((re.search(r"(?m)^ip4=(\S+)", env)[1], 0 if name == "bal-1" else 4999))
            made[0].setblocking(False)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        return made[0]

    def send(self):
        begun = now()
        while not self.over and now() < begun + 120:
            with contextlib.suppress(OSError):  # a fault may refuse it: then it is lost
                self.sender.sendto(str(len(self.sent)).encode(), self.to)
            self.sent.append(now())
            time.sleep(0.02)
            self.drain()

    def drain(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.got.add(int(self.receiver.recv(64)))

    def lost(self):
        """When the packets were sent that are not here 0.2 s later."""
        seen = now() - 0.2
        return [when for number, when in enumerate(list(self.sent)) if number not in self.got and when < seen]

    def now(self):
        begun = now()
        while now() < begun + 2:  # whoever sends has to get a turn on a busy machine
            time.sleep(0.1)
            if any(when > begun - 0.3 for when in self.lost()):
                return True
        return False

    def last(self, lease, until):
        time.sleep(max(0, min(lease + 1.5, until) - now()))
        self.over = True
        self.thread.join()
        time.sleep(0.2)
        self.drain()
        return max(self.lost(), default=0)


class Trial:
    def __init__(self, kind, host, name):
        self.kind, self.host, self.name = kind, host, name
        self.folder = f"{work}/{kind.name}-{name}"
        os.makedirs(self.folder)
        self.log = self.folder + "/log"

    def drill(self, *verb):
        out = open(self.log, "ab")
        return subprocess.Popen([script, "enter", "drill", "--no-input", "--state", self.folder + "/state", *verb],
                                stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def claim(self, text, good, figures=""):
        claim(f"{self.kind.name}: {text}", good, figures)
        if not good:
            log = open(self.log, errors="replace").read() if os.path.exists(self.log) else ""
            with printing:
                print(f"--- {self.kind.name}, {self.name}, on {self.host.name}\n{log[-6000:]}", file=sys.stderr)

    def begin(self, hold):
        self.effect = Flow(self.host, self.kind.flow) if self.kind.flow else Asked(self.host, self.kind.effect)
        if self.kind.prepare:
            done = self.host.sh(self.kind.prepare)
            if done.returncode != 0:
                self.claim("its host is made ready", False, done.stderr[-300:])
                return False
        until = now() + 5  # addresses of a host that was just switched on
        while self.host.sh("ip -6 addr show tentative").stdout.strip() and now() < until:
            time.sleep(0.2)
        time.sleep(0.3)
        self.before = self.host.snapshot()
        again = self.host.snapshot()
        until = now() + 10
        while again != self.before and now() < until:
            time.sleep(0.3)
            self.before, again = again, self.host.snapshot()
        file = f"{self.folder}/experiment.toml"
        open(file, "w").write(self.kind.experiment(self.host.name, hold))
        self.child = self.drill("run", file, "--seed", "1")
        return True

    def said(self, word):
        return os.path.exists(self.log) and word in open(self.log, errors="replace").read()

    def bites(self):
        until = now() + 40
        while now() < until and self.child.poll() is None:
            if self.said(": bites"):
                return True
            time.sleep(0.05)
        return False

    def difference(self):
        """Empty once the host is as before; what differs after ten seconds of waiting."""
        until = now() + 10
        while True:
            after = self.host.snapshot()
            lines = [f"- {line}" for line in (self.before - after)] + [f"+ {line}" for line in (after - self.before)]
            lines = [line for line in lines if not (self.kind.differs and re.search(self.kind.differs, line))]
            if not lines or now() > until:
                return lines
            time.sleep(0.5)

    def same(self, when):
        lines = self.difference()
        self.claim(f"{when}, the host is as before", not lines, "; ".join(sorted(lines)[:6])[:900])

    def guards(self):
        for pid, command, _ in self.host.processes():
            if re.search(r"run/drill/[a-z0-9]+/guard", command):
                yield pid, command

    def undo(self):
        code = self.drill("undo").wait()
        self.claim(f"{self.name}: undo proves it, exit 0", code == 0, f"exit {code}")

    # --- the trials --------------------------------------------------------------------------------

    def to_the_end(self):
        if not self.begin(None):
            return
        try:
            code = self.child.wait(timeout=120)
        except subprocess.TimeoutExpired:
            self.child.kill()
            code = "none"
        self.claim(f"a run to its end is exit {self.kind.verdict}", code == self.kind.verdict, f"exit {code}")
        self.same("after a run")

    def killed(self, guard=False, starved=False):
        if not self.begin("40s"):
            return
        if not self.bites():
            self.child.terminate()
            self.child.wait()
            return self.claim(f"{self.name}: it bites", False)
        # One starved host at a time, else it is the machine that is starved.
        with starving if starved else contextlib.nullcontext():
            self.watch(guard, starved)

    def watch(self, guard, starved):
        self.claim(f"{self.name}: the effect is there", self.effect.now())
        limits = self.host.starve(self.kind.keeps) if starved else []
        self.child.kill()
        self.child.wait()
        lease = self.host.deadline()
        if guard:
            left = list(self.guards())
            for _ in range(50):
                for pid, _ in left:
                    try:
                        os.kill(pid, 9)
                    except ProcessLookupError:
                        pass
                time.sleep(0.02)
                left = list(self.guards())
                if not left:
                    break
            self.claim(f"{self.name}: no guard is left", not left,
                       "; ".join(command for _, command in left)[:200])
        try:
            last = self.effect.last(lease or now(), now() + TTL + 6)
        finally:
            if starved:
                self.host.feed()
        if lease is None:
            self.claim(f"{self.name}: a lease is on the host", False)
        else:
            over = last - lease
            overstays[self.name].append(over)
            # Much earlier, and it was not its lease that ended it, or nobody looked.
            self.claim(f"{self.name}: over by lease time + 1 s", -TTL <= over <= GRACE,
                       f"seen last {over:+.2f} s after it" + (f"; held down: {', '.join(limits)}" if limits else ""))
        self.undo()
        self.same(f"{self.name}, after undo")

    def run(self):
        try:
            if self.name == "to the end":
                self.to_the_end()
            else:
                self.killed("guard" in self.name, "starved" in self.name)
        except Exception as problem:  # one trial must not end the others
            self.claim(f"{self.name}: comes to its end", False, repr(problem))


def main():
    kinds = [Kind(name) for name in wanted]
    free = queue.Queue()
    for number in range(1, FARM + 1):
        free.put(Host(f"farm-{number}"))
    special = collections.defaultdict(threading.Lock)
    threads = []

    def work_on(kind, name):
        host = Host(kind.on) if kind.on else free.get()
        with special[host.name]:
            try:
                Trial(kind, host, name).run()
            finally:
                if not kind.on:
                    # A host is used again only as it left the factory.
                    subprocess.run([script, "power", host.name, "reset"], stdout=subprocess.DEVNULL)
                    until = now() + 20
                    while now() < until and host.sh("pidof sshd").returncode != 0:
                        time.sleep(0.2)
                    free.put(host)

    for kind in kinds:
        names = ["to the end"]
        if kind.effect or kind.flow:
            names += ["controller killed"]
            names += ["controller killed, host starved"] if os.environ.get("DRILL_STARVE") else []
            names += ["controller and guard killed"] if kind.without_guard else []
        for name in names:
            threads.append(threading.Thread(target=work_on, args=(kind, name), daemon=True))
    for thread in threads:
        thread.start()
    until = now() + 800
    while any(thread.is_alive() for thread in threads):
        if now() > until:
            claim("the trials come to their end within 800 s", False)
            break
        if os.getppid() != parent:
            sys.exit("whoever wanted this is gone")
        time.sleep(0.2)
    for name, times in sorted(overstays.items()):
        times.sort()
        print(f"figures overstay, {name}: median {times[len(times) // 2]:+.2f} s, max {times[-1]:+.2f} s "
              f"of {len(times)} kinds", flush=True)


main()
