"""The machines of the benchmark: each a network, process, mount and host-name namespace of its own on a bridge, so that it can be
killed or cut off as a whole. They live inside the namespaces that bench/failover/run made around itself: when that ends, by
whatever cause, the kernel ends every process here and the networks are gone."""

import os
import signal
import subprocess
import time

PORT = 5432
NODES = "10.99.0.0/16"  # all addresses of all runs
POSTGRES_BIN = "/usr/lib/postgresql/15/bin"

# The first process of a node: a private /run (sockets lie there) and somebody who reaps orphans, as init does.
FIRST_PROCESS = r"""
set -e
mount -t tmpfs tmpfs /run
install -d -o postgres -g postgres /run/postgresql
hostname "$1"
ip link set lo up
exec /usr/bin/python3 -S -E -c '
import os, time
print("ready", flush=True)
while True:
    try: os.wait()
    except ChildProcessError: time.sleep(0.02)
'
"""

CUT = """table inet bench_cut {
  chain in { type filter hook input priority 0; policy accept; iifname "eth0" drop; }
  chain out { type filter hook output priority 0; policy accept; oifname "eth0" drop; }
}
"""


class Trouble(Exception):
    """Something the benchmark needs did not work; the text says what."""


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def wait_for(what, within, condition, every=0.05):
    """Waits until condition() is true and gives what it gave."""
    end = time.monotonic() + within
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise Trouble(f"{what}: not within {within} s")
        time.sleep(every)


def run(argv, text=None, within=60, check=True):
    """Runs a program to its end. Gives its standard output."""
    try:
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=within, check=False)
    except subprocess.TimeoutExpired:
        raise Trouble(f"{' '.join(argv[-6:])}: no end within {within} s") from None
    if check and done.returncode != 0:
        raise Trouble(f"{' '.join(argv)}: exit {done.returncode}: {(done.stderr or done.stdout).strip()[-800:]}")
    return done.stdout


class Bridge:
    """The network between the nodes; the writer stands on it. One for each run, so that nothing is left from the last; runs that
    go on at the same time have different lanes."""

    def __init__(self, lane):
        self.lane, self.name = lane, f"br{lane}"
        run(["ip", "-batch", "-"], f"link set lo up\nlink add {self.name} type bridge forward_delay 0\nlink set {self.name} up\n"
            f"address add 10.99.{lane}.254/24 dev {self.name}\n")

    def remove(self):
        run(["ip", "link", "delete", self.name])


class Node:
    def __init__(self, name, number, bridge, folder):
        self.name = name
        self.address = f"10.99.{bridge.lane}.{number}"
        self.folder = os.path.join(folder, name)
        self.device = f"v{bridge.lane}n{number}"
        os.makedirs(self.folder, mode=0o755)
        give_to_postgres(self.folder)
        self._shell = subprocess.Popen(
            ["unshare", "--net", "--pid", "--fork", "--mount", "--uts", "--mount-proc", "--kill-child=KILL",
             "bash", "-c", FIRST_PROCESS, "node", name],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if self._shell.stdout.readline() != "ready\n":
            raise Trouble(f"node {name} could not be made: {self._shell.stdout.read()}")
        children = f"/proc/{self._shell.pid}/task/{self._shell.pid}/children"
        with open(children, encoding="ascii") as file:
            self.first = int(file.read().split()[0])
        # The network lives as long as this is open, also when every process of the node is dead.
        self._network = os.open(f"/proc/{self.first}/ns/net", os.O_RDONLY)
        self._pid_space = os.readlink(f"/proc/{self.first}/ns/pid")
        self.alive = True
        self._started = {}
        run(["ip", "-batch", "-"], f"link add {self.device} type veth peer name eth0 netns {self.first}\n"
            f"link set {self.device} master {bridge.name} up\n")
        self.run(["ip", "-batch", "-"], text=f"link set eth0 up\naddress add {self.address}/24 dev eth0\n")

    def _inside(self, argv, user, environment):
        words = ["nsenter", "--target", str(self.first), "--net", "--pid", "--mount", "--uts", "-W" + self.folder]
        if user:
            words += ["setpriv", "--reuid", user, "--regid", user, "--init-groups"]
        values = {"PATH": POSTGRES_BIN + ":/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self.folder, "LC_ALL": "C.UTF-8",
                  **(environment or {})}
        return words + ["env", "-i"] + [f"{key}={value}" for key, value in values.items()] + argv

    def run(self, argv, user=None, environment=None, text=None, within=60, check=True):
        return run(self._inside(argv, user, environment), text, within, check)

    def start(self, argv, user=None, environment=None):
        """Starts a program that goes on; its output is in the node's folder."""
        path = os.path.join(self.folder, os.path.basename(argv[0]) + ".log")
        with open(path, "ab") as log:
            self._started[path] = subprocess.Popen(self._inside(argv, user, environment), stdin=subprocess.DEVNULL, stdout=log,
                                                   stderr=log)

    def check_programs(self):
        """What was started goes on."""
        for path, program in self._started.items():
            if program.poll() is not None:
                with open(path, encoding="utf-8", errors="replace") as log:
                    raise Trouble(f"{os.path.basename(path)[:-4]} on {self.name} ended: {log.read().strip()[-300:]}")

    def pipe(self, argv, user=None):
        """Starts a program that is told by its standard input what to do."""
        return subprocess.Popen(self._inside(argv, user, None), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, text=True)

    def start_in_network(self, argv):
        """Starts a program in the node's network which does not die with the node."""
        return subprocess.Popen(["nsenter", f"--net=/proc/self/fd/{self._network}"] + argv, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, pass_fds=[self._network])

    def processes(self, name):
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                if os.readlink(f"/proc/{entry}/ns/pid") == self._pid_space and command_of(entry) == name:
                    found.append(int(entry))
            except OSError:
                continue  # it ended meanwhile
        return found

    def postmaster(self):
        servers = self.processes("postgres")
        first = [pid for pid in servers if (parent := parent_of(pid)) is not None and parent not in servers]
        if len(first) != 1:
            raise Trouble(f"{len(first)} PostgreSQL servers run on {self.name}, one was expected")
        return first[0]

    def signal_servers(self, number):
        """All processes of PostgreSQL on it, until no new one turns up."""
        done = set()
        while fresh := [pid for pid in self.processes("postgres") if pid not in done]:
            for pid in fresh:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
                done.add(pid)

    def cut(self):
        self._nft(["-f", "-"], CUT)

    def mend(self):
        self._nft(["delete", "table", "inet", "bench_cut"], None)

    def _nft(self, words, text):
        argv = ["nsenter", f"--net=/proc/self/fd/{self._network}", "nft"] + words
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=10, check=False,
                              pass_fds=[self._network])
        if done.returncode != 0:
            raise Trouble(f"nft on {self.name}: {done.stderr.strip()}")

    def kill(self):
        """Everything on it dies at once, as in a power cut."""
        if self.alive:
            self.alive = False
            os.kill(self.first, signal.SIGKILL)

    def remove(self):
        self.kill()
        self._shell.wait()
        self._shell.stdout.close()
        os.close(self._network)
        # The kernel takes its time to end a network that nobody uses any more; the next node of this number does not wait.
        run(["ip", "link", "delete", self.device], check=False)


def command_of(pid):
    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().strip()


def parent_of(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return None  # it ended meanwhile


def give_to_postgres(path):
    import pwd
    user = pwd.getpwnam("postgres")
    os.chown(path, user.pw_uid, user.pw_gid)


def write_file(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    give_to_postgres(path)
