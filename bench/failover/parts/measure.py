"""One run: bring a system up, write, put the fault in, wait for the writes to come back, heal, watch, count."""

import os
import platform
import random
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass

from . import figures
from .common import WRITER_PASSWORD
from .nodes import PORT, Bridge, Node, Trouble, now_ns, wait_for

# What each fault is, for the table's reader.
FAULTS = {
    "kill-node": "every process of the primary's node killed",
    "kill-server": "the primary's postmaster alone killed",
    "cut-node": "the primary's node cut off from the network, both ways",
    "stop-server": "the primary's PostgreSQL processes stopped (SIGSTOP)",
}

CALM_S = 3  # of writing before the fault
STEADY_S = 4  # of writing again, without a pause of half a second, before anything is healed
INSIDE_EVERY_MS = 50  # the writers inside the nodes are there to see who acknowledges, not to load


@dataclass
class Programs:
    lifeboat: str
    writer: str


@dataclass
class Options:
    folder: str
    programs: Programs
    patience: float
    watch: float
    logs: str | None
    number: int
    lane: int = 0  # of runs that go on at the same time, each has its own


class World:
    """Two database nodes and an arbiter on one bridge, with nothing running on them."""

    def __init__(self, folder, lane, programs):
        self.folder, self.lifeboat, self._writer = folder, programs.lifeboat, programs.writer
        os.mkdir(folder, mode=0o755)
        self.nodes, self._writers = [], {}
        self._bridge = Bridge(lane)
        try:
            self.nodes = [Node(name, number, self._bridge, folder)
                          for number, name in enumerate(["node1", "node2", "arbiter"], start=1)]
            self.first, self.second, self.arbiter = self.nodes
        except BaseException:
            self.remove()
            raise

    def start_writers(self):
        """One outside, as the users of the database; one in the network of each node, for what is acknowledged behind a cut."""
        pair = [self.first, self.second]
        self._writers["outside"] = subprocess.Popen(self._argv("outside", pair, []), stdin=subprocess.DEVNULL)
        for node in pair:
            argv = self._argv("in-" + node.name, [node], ["--every", str(INSIDE_EVERY_MS)])
            self._writers["in-" + node.name] = node.start_in_network(argv)

    def _argv(self, name, nodes, words):
        targets = [f"{node.name}=host={node.address} port={PORT} user=bench password={WRITER_PASSWORD} dbname=bench sslmode=disable "
                   "gssencmode=disable" for node in nodes]
        return [self._writer, "--as", name, "--out", self._file(name)] + words + targets

    def _file(self, name):
        return f"{self.folder}/{name}.acks"

    def acks(self, name):
        try:
            with open(self._file(name), encoding="utf-8", errors="replace") as file:
                return figures.read_acks(name, file.read())
        except FileNotFoundError:
            return []

    def stop_writers(self):
        """All that was acknowledged, by whichever node and to whom."""
        for name, writer in self._writers.items():
            if writer.poll() is not None:
                raise Trouble(f"the writer {name} ended by itself with {writer.returncode}")
            writer.terminate()
        for writer in self._writers.values():
            writer.wait(10)
        names, self._writers = list(self._writers), {}
        return [ack for name in names for ack in self.acks(name)]

    def remove(self):
        for writer in self._writers.values():
            writer.kill()
            writer.wait()
        for node in self.nodes:
            node.remove()
        self._bridge.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def keep_logs(self, to):
        for path, _, names in os.walk(self.folder):
            for name in names:
                if name.endswith((".log", ".acks")) and "/data/" not in path:
                    target = os.path.join(to, os.path.relpath(path, self.folder))
                    os.makedirs(target, exist_ok=True)
                    shutil.copy(os.path.join(path, name), target)


def measure(system, config, mode, fault, options):
    world = World(f"{options.folder}/run-{options.number}", options.lane, options.programs)
    try:
        return measure_in(world, system(world, config, mode), fault, options)
    finally:
        if options.logs:
            world.keep_logs(f"{options.logs}/{options.number:03d}-{system.name}-{config.split()[0]}-{mode}-{fault}")
        world.remove()


def measure_in(world, system, fault, options):
    system.up()
    system.wait_for_pair()
    system.furnish()
    world.start_writers()
    # Faults do not wait for the beat of anybody's timers.
    time.sleep(CALM_S + random.random() * 2)
    if not steady(world, now_ns() - 1_000_000_000):
        raise Trouble(f"{system.name}: the writer gets no answers before the fault")
    if not is_mode(system):
        raise Trouble(f"{system.name}: replication is not in mode {system.mode} at the time of the fault")
    fault_ns, heal = put_in(world, system, fault)
    recovered = wait_until_steady(world, fault_ns, options.patience)
    healed_ns = now_ns()
    if heal:
        heal()
        time.sleep(options.watch)
    end_ns = now_ns()
    acks = world.stop_writers()
    return figures_of(world, system, fault, acks, fault_ns, healed_ns, end_ns, recovered)


def is_mode(system):
    return (system.standby_of(system.first) in ("sync", "quorum")) == (system.mode == "sync")


def put_in(world, system, fault):
    """Gives when it was put in, and what heals it, if anything does: what is dead stays dead unless the system revives it."""
    node = world.first
    postmaster = node.postmaster()
    heal = None
    fault_ns = now_ns()
    if fault == "kill-node":
        node.kill()
    elif fault == "kill-server":
        os.kill(postmaster, signal.SIGKILL)
    elif fault == "cut-node":
        node.cut()
        heal = node.mend
    elif fault == "stop-server":
        node.signal_servers(signal.SIGSTOP)

        def heal():
            node.signal_servers(signal.SIGCONT)
    system.fault_done()
    return fault_ns, heal


def steady(world, since):
    """Whether the outer writer has been acknowledged from `since` until now without a pause of half a second."""
    times = [since] + [ack.done for ack in world.acks("outside") if ack.done > since] + [now_ns()]
    return all(later - earlier < 500_000_000 for earlier, later in zip(times, times[1:]))


def wait_until_steady(world, fault_ns, patience):
    end = fault_ns + int(patience * 1e9)
    while now_ns() < end + STEADY_S * 1_000_000_000:
        time.sleep(0.2)
        since = now_ns() - STEADY_S * 1_000_000_000
        if since > fault_ns and steady(world, since):
            return True
    return False


def figures_of(world, system, fault, acks, fault_ns, healed_ns, end_ns, recovered):
    outside = [ack for ack in acks if ack.writer == "outside"]
    outage, _ = figures.longest_gap(outside, fault_ns, healed_ns)
    later, later_ended = figures.longest_gap(outside, healed_ns, end_ns)
    final = wait_for(f"{system.name}: a node that takes writes at the end, to look for what was lost", 60,
                     lambda: final_primary(world, system), every=0.5)
    lost = figures.lost_rows(acks, rows_of(system, final))
    return {
        "system": system.name, "config": system.config, "mode": system.mode, "fault": fault,
        "outage_s": round(outage, 3), "recovered": recovered,
        "lost": len(lost), "lost_outside": sum(ack.writer == "outside" for ack in lost), "acknowledged": len(acks),
        "double_acknowledged_s": round(figures.double_acknowledged(acks, fault_ns), 3),
        "longest_pause_after_healing_s": round(later, 3), "writing_at_the_end": later_ended,
        "final_primary": final.name,
        "acknowledged_per_s_before": round(sum(fault_ns - 2e9 < ack.done <= fault_ns for ack in outside) / 2),
    }


def final_primary(world, system):
    """The node that takes writes, if any does; of two, the one of the later timeline, which is the one that was promoted."""
    found = []
    for node in (world.first, world.second):
        if not node.alive:
            continue
        try:
            timeline = system.sql(node, "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int "
                                  "WHERE NOT pg_is_in_recovery()")
        except Trouble:
            continue
        if timeline:
            found.append((int(timeline), node))
    return max(found, key=lambda pair: pair[0])[1] if found else None


def rows_of(system, node):
    text = system.sql(node, "SELECT writer || ' ' || row FROM bench_rows", database="bench", within=60)
    return {(writer, int(row)) for writer, row in (line.split() for line in text.splitlines())}


def machine():
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(file.readline().split()[1]) // 1024 // 1024
    versions = {}
    for name, argv in {"postgresql": ["/usr/lib/postgresql/15/bin/postgres", "--version"], "patroni": ["patroni", "--version"],
                       "etcd": ["etcd", "--version"], "pg_auto_failover": ["pg_autoctl", "version"],
                       "repmgr": ["repmgr", "--version"]}.items():
        if shutil.which(argv[0]):
            said = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20, cwd="/").stdout
            versions[name] = said.splitlines()[0].strip() if said else "?"
    return {"processors": os.cpu_count(), "memory_gib": memory, "kernel": platform.release(), "versions": versions,
            "load_1min": round(os.getloadavg()[0], 2)}
