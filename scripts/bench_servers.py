"""The servers that scripts/bench measures. Each is a process with its own token. All tokens have the same key."""

import mmap
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

LIMIT = 60
TICKS = os.sysconf("SC_CLK_TCK")
CPUS = os.cpu_count() or 1
KEY = "alias/bench"
KEY_LABEL = "bench"


def read_tools(path):
    """Reads the paths of the programs from a file with lines NAME=PATH."""
    with open(path) as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file)


class Count:
    """The shared memory of bench/c/count.c: the counts of the token's calls, and the delay of a call."""

    MAX_MESSAGE = 4096
    DELAY, OVERSHOOT, SLEPT, SLEEPS, LENGTH_QUERIES, FAILED, SIGNED = range(7)

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.truncate(8 * (self.SIGNED + self.MAX_MESSAGE + 2))
        with open(path, "r+b") as file:
            self._words = memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")

    def signed(self, size):
        """Returns the number of MACs that the token has computed for messages of `size` bytes."""
        return self._words[self.SIGNED + size]

    def failed(self):
        return self._words[self.FAILED]

    def slept(self):
        return self._words[self.SLEPT] / 1e9, self._words[self.SLEEPS]

    def delay(self, seconds):
        """Sets the delay of each C_SignInit and each C_Sign."""
        self._words[self.DELAY] = round(seconds * 1e9)


def stat_cpu(pid, with_children=False):
    """Returns the processor seconds of all threads, on request with those of ended children."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return sum(int(f) for f in fields[11 : 15 if with_children else 13]) / TICKS


def machine_cpu():
    """Returns the processor seconds of all processes of this machine."""
    with open("/proc/stat") as file:
        user, nice, system, _idle, _wait, irq, softirq, *_ = (int(f) for f in file.readline().split()[1:])
    return (user + nice + system + irq + softirq) / TICKS


class Server:
    """A server process on a Unix socket."""

    warm_up = 50_000
    verifies = True
    counts = True

    def __init__(self, name, made, scratch, tools):
        self.name = name
        self.tools = tools
        self.folder = os.path.join(scratch, re.sub("[^a-z0-9]+", "-", name.lower()))
        self.process = None
        self.calls = 0
        # Each server has a copy of the folder of `hmacd dev` and its token: processes on one token slow each other down.
        shutil.copytree(made, self.folder, ignore=shutil.ignore_patterns("*.sock", "*.lock", "env", "*.log"))
        os.chmod(self.folder, 0o700)
        self._rewrite("softhsm2.conf", made)
        self.socket = self.folder + "/bench.sock"
        self.count = Count(self.folder + "/count")

    def _rewrite(self, name, made):
        path = os.path.join(self.folder, name)
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(text.replace(made, self.folder))

    def file(self, name):
        return os.path.join(self.folder, name)

    def environment(self):
        return dict(
            os.environ,
            SOFTHSM2_CONF=self.file("softhsm2.conf"),
            HMACD_BENCH_COUNT=self.count.path,
            HMACD_BENCH_MODULE=self.tools["module"],
        )

    def command(self):
        raise NotImplementedError

    def start(self):
        with open(self.file("log"), "w") as log:
            self.process = subprocess.Popen(
                self.command(), env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.wait_until(self._listens, "listen")

    def wait_until(self, condition, what):
        end = time.monotonic() + LIMIT
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                sys.exit(f"{self.name} did not {what}:\n{self.log()[-2000:]}")
            time.sleep(0.005)

    def _listens(self):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self.socket) == 0

    def log(self):
        with open(self.file("log")) as file:
            return file.read()

    def target(self):
        return "unix:" + self.socket

    def cpu(self):
        return stat_cpu(self.process.pid)

    def rss_mb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) * 1024 / 1e6

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Hmacd(Server):
    """The daemon as in production: authorization by a rule for the key's alias, metrics, both listeners."""

    warm_up = 400_000
    client_ca = "ca.pem"
    metrics = "127.0.0.1:0"
    callers = ()  # Principals of the rule, in addition to the client of `hmacd dev` and the user.

    def __init__(self, name, made, scratch, tools, lanes, launcher="hmacd"):
        super().__init__(name, made, scratch, tools)
        self.launcher = tools[launcher]
        with open(self.file("hmacd.yaml")) as file:
            text = file.read()
        client = re.search(r"principals: \['([^']+)'", text).group(1)
        principals = ", ".join(f"'{each}'" for each in (client, f"uid:{os.getuid()}", *self.callers))
        with open(self.file("hmacd.yaml"), "w") as file:
            file.write(
                f"""grpc:
  listen: 127.0.0.1:0
  tls: {{certificate: server.pem, private_key: server-key.pem, client_ca: {self.client_ca}}}
  unix_socket: {{path: '{self.socket}'}}
token: {{module: '{tools["count"]}', label: hmacd-dev, pin_file: pin, lanes: {lanes}}}
registry: {{path: registry.db}}
{re.search("^arn: .*", text, re.M).group()}
metrics: {{listen: "{self.metrics}"}}
access:
  rules:
    - principals: [{principals}]
      actions: [GenerateMac, VerifyMac]
      keys: [{KEY}]
"""
            )

    def command(self):
        return [self.launcher, "serve", "--config", self.file("hmacd.yaml")]

    def tls_target(self):
        """Returns HOST:PORT from the log: the kernel selected the port."""
        pattern = re.compile(r"mutual TLS.*address=\"?/?([\d.]+:\d+)")
        self.wait_until(lambda: pattern.search(self.log()), "log its TLS address")
        return pattern.search(self.log()).group(1)


class Go(Server):
    """The minimal service that a Go team would write instead."""

    def __init__(self, name, made, scratch, tools, sessions):
        super().__init__(name, made, scratch, tools)
        self.sessions = sessions

    def command(self):
        return [
            self.tools["minimum"], self.tools["count"], "hmacd-dev", self.file("pin"), KEY_LABEL,
            str(self.sessions), self.socket,
        ]


class Echo(Server):
    """An empty gRPC service in Java."""

    warm_up = 400_000
    verifies = False
    counts = False

    def __init__(self, name, made, scratch, tools, executor):
        super().__init__(name, made, scratch, tools)
        self.executor = executor

    def command(self):
        # With the JVM options of hmacd that affect speed.
        return [
            self.tools["java"], "-XX:+UseSerialGC", "-Xmx320m", "--sun-misc-unsafe-memory-access=allow",
            "--enable-native-access=ALL-UNNAMED", "-cp", self.tools["classpath"], "EchoGrpc", self.executor, self.socket,
        ]


class P11Kit(Server):
    """The token over a Unix socket, with p11-kit: one process for each connection."""

    def command(self):
        return [
            "p11-kit", "server", "--foreground", "--name", self.socket, "--provider", self.tools["count"],
            "pkcs11:token=hmacd-dev",
        ]

    def cpu(self):
        return stat_cpu(self.process.pid, with_children=True)
