"""The measurement of scripts/bench-fairness: SCRATCH SECONDS TOKENS NAMES CHECK.

SCRATCH has the file tools, the folder tls with the certificates of all callers, and the folder new of a stopped daemon,
with the key on its token. If tools has the old build, SCRATCH also has the folder old. With CHECK true, a
missed goal on the slow token is a failure.
"""

import collections
import contextlib
import dataclasses
import http.client
import json
import math
import signal
import socket
import subprocess
import sys
import time

from bench_servers import LIMIT, Hmacd, read_tools

MODEST = 9  # Callers.
CONNECTIONS, STREAMS = 64, 200  # Of the greedy caller.
RESENDS = 5000  # Maximum number of refused calls that the greedy caller sends again in a second.
LANES = {"slow": 1, "softhsm": 2}  # 2 is the default.
# The additional time of each of the two token calls of a MAC on the slow token.
DELAY = 0.0005
SETTLE = 2  # Seconds from the start of the greedy caller to the measurement.
PAUSE = 1  # Seconds between two measurements.
WARM_LOAD = 5  # Seconds of the complete load at the end of the warm-up.
WARM_LIMIT = 600  # Seconds.

# The goals.
MAX_LOSS = 0.05
MAX_RATIO_TO_OLD = 0.2

LATE = 5  # Milliseconds. The load generator of a valid measurement is rarely late by more.


class FairServer(Hmacd):
    """The daemon with the authorities and the principals of the callers. Its limits are the defaults."""

    client_ca = "../tls/client-ca.pem"
    callers = ("spiffe://fairness/modest/*", "spiffe://fairness/greedy/*")

    def __init__(self, token, build, scratch, tools):
        self.metrics = free_address()
        self.certificates = f"{scratch}/tls"
        module = tools["count" if token == "slow" else "module"]
        super().__init__(
            f"{build} {token}", f"{scratch}/{build}", scratch, tools | {"count": module}, LANES[token], build
        )

    def sums(self):
        """Returns the metrics, each as the sum over its labels."""
        self.require_alive()
        connection = http.client.HTTPConnection(self.metrics, timeout=LIMIT)
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        sums = collections.defaultdict(float)
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                sums[name.partition("{")[0]] += float(value)
        return sums

    def require_alive(self):
        if self.process.poll() is not None:
            sys.exit(f"{self.name} exited with status {self.process.returncode}:\n{self.log()[-2000:]}")

    def wait_until_idle(self):
        """Waits for the end of all connections and operations of the previous callers."""
        end = time.monotonic() + LIMIT
        while True:
            sums = self.sums()
            if sums["hmacd_connections"] == 0 and sums["hmacd_token_queue"] == 0:
                break
            if time.monotonic() > end:
                sys.exit(f"{self.name} still has {sums['hmacd_connections']:.0f} connections after {LIMIT} s")
            time.sleep(0.1)
        time.sleep(PAUSE)

    def warm(self):
        """Makes the first calls, and then a short complete load with its refusals."""
        self.wait_until(self._serves_metrics, "serve metrics")
        end = time.monotonic() + WARM_LIMIT
        with Greedy(self, 1, connections=4, streams=16) as greedy:
            while greedy.counts()["answered"] < self.warm_up:
                self.require_alive()
                if time.monotonic() > end:
                    sys.exit(f"{self.name} did not answer {self.warm_up} calls within {WARM_LIMIT} s")
                time.sleep(0.5)
        self.wait_until_idle()
        together(self, 1, WARM_LOAD)

    def _serves_metrics(self):
        try:
            return self.sums()["hmacd_token_healthy"] == 1
        except OSError:
            return False


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


class Callers:
    """A process of bench/go/fairness. The constructor returns after its calls have begun."""

    def __init__(self, server, role, *arguments, prefix=()):
        self.process = subprocess.Popen(
            [
                *prefix, server.tools["fairness"], role, "-address", server.tls_target(), "-ca", server.file("ca.pem"),
                "-dir", server.certificates, "-secret", server.file("secret"), *arguments,
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        if self.process.stdout.readline() != "\n":
            self.close()
            sys.exit(f"the {role} callers did not start; the reason is above")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()


class Modest(Callers):
    """The modest callers: ten calls a second each, at the same times in each measurement."""

    def __init__(self, server, seconds):
        super().__init__(server, "modest", "-callers", str(MODEST), "-seconds", str(seconds))

    def outcomes(self):
        """Waits for the end of all calls. Returns the outcome of each caller."""
        text = self.process.stdout.read()
        if self.process.wait() != 0:
            sys.exit("the modest callers failed; the reason is above")
        return json.loads(text)


class Greedy(Callers):
    """The greedy caller, with a lower priority than the daemon and the modest callers."""

    def __init__(self, server, names, connections=CONNECTIONS, streams=STREAMS):
        super().__init__(
            server, "greedy", "-names", str(names), "-connections", str(connections), "-streams", str(streams),
            "-resends", str(RESENDS), prefix=("nice", "-n", "10"),
        )

    def counts(self):
        """Returns the counts since the start."""
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            sys.exit("the greedy caller ended; the reason is above")
        return json.loads(line)

    def rates(self, seconds):
        """Returns the rates of answers and refusals over a duration, and all failures since the start."""
        first = self.counts()
        time.sleep(seconds)
        last = self.counts()
        took = last["seconds"] - first["seconds"]
        return {
            "answered": (last["answered"] - first["answered"]) / took,
            "refused": (last["refused"] - first["refused"]) / took,
            "failed": last["failed"], "ended": last["ended"],
        }


# --- The measurements ---


def unloaded(server, seconds):
    """Returns the outcomes of the modest callers alone, and the service time of a MAC in milliseconds."""
    before = server.sums()
    with Modest(server, seconds) as modest:
        outcomes = modest.outcomes()
    after = server.sums()
    server.wait_until_idle()
    name = "hmacd_token_operation_duration_seconds"
    took, operations = (after[name + what] - before[name + what] for what in ("_sum", "_count"))
    return outcomes, 1e3 * took / operations


def alone(server, names, seconds):
    """Returns the rates of the greedy caller alone."""
    with Greedy(server, names) as greedy:
        time.sleep(SETTLE)
        rates = greedy.rates(seconds)
    server.wait_until_idle()
    return rates


def together(server, names, seconds):
    """Returns the outcomes of the modest callers, and the rates of the greedy caller beside them."""
    with Greedy(server, names) as greedy:
        time.sleep(SETTLE)
        with Modest(server, seconds) as modest:
            rates = greedy.rates(seconds)
            outcomes = modest.outcomes()
    server.wait_until_idle()
    return outcomes, rates


@dataclasses.dataclass
class Row:
    """The measurements of one build, token and number of names. Times are in milliseconds."""

    token: str
    names: int
    build: str
    seconds: int
    calm: list = None
    service: float = 0.0
    alone: dict = None
    loaded: list = None
    beside: dict = None

    def load(self):
        return f"token {self.token}, {self.names} name{'s' * (self.names > 1)}"

    def loss(self):
        """Returns the share of its rate alone that the greedy caller loses."""
        return 1 - self.beside["answered"] / self.alone["answered"]

    def modest_share(self):
        """Returns the rate of the modest callers' MACs, as a share of the rate of the greedy caller alone."""
        return sum(len(each["nanos"]) for each in self.loaded) / self.seconds / self.alone["answered"]

    def worst(self):
        """Returns (caller, p99, limit of the goal) of the modest caller that is closest to its limit."""
        limits = [2 * percentile([each], 0.99) + self.service for each in self.calm]
        loaded = [percentile([each], 0.99) for each in self.loaded]
        worst = max(range(MODEST), key=lambda i: loaded[i] / limits[i])
        return worst, loaded[worst], limits[worst]


def unanswered(callers):
    return sum(each["refused"] + sum(each["failed"].values()) for each in callers)


def percentile(callers, quantile):
    """Returns a percentile of all calls in milliseconds. A call without a MAC counts as infinitely slow."""
    nanos = sorted(nanos for each in callers for nanos in each["nanos"]) + [math.inf] * unanswered(callers)
    return nanos[int(quantile * (len(nanos) - 1))] / 1e6


def measure(token, names, servers, seconds):
    """Measures all builds, interleaved. Returns a row for each."""
    rows = {build: Row(token, names, build, seconds) for build in servers}
    order = list(servers)
    for phase in ("unloaded", "alone", "together"):
        for build in order:
            row, server = rows[build], servers[build]
            if phase == "unloaded":
                row.calm, row.service = unloaded(server, seconds)
                if any(percentile([each], 0.99) == math.inf for each in row.calm):
                    sys.exit(f"{server.name} refused {unanswered(row.calm)} calls without a load")
            elif phase == "alone":
                row.alone = alone(server, names, seconds)
                if row.alone["answered"] == 0:
                    sys.exit(f"{server.name} did not answer the greedy caller")
            else:
                row.loaded, row.beside = together(server, names, seconds)
        order.reverse()
    print(f"measured: {rows['new'].load()}", flush=True)
    return list(rows.values())


# --- The report ---

COLUMNS = {
    "token": lambda row: row.token,
    "greedy names": lambda row: row.names,
    "build": lambda row: row.build,
    "modest p50 unloaded": lambda row: f"{percentile(row.calm, 0.5):.2f}",
    "p99 unloaded": lambda row: f"{percentile(row.calm, 0.99):.2f}",
    "p50 loaded": lambda row: f"{percentile(row.loaded, 0.5):.2f}",
    "p99 loaded": lambda row: f"{percentile(row.loaded, 0.99):.2f}",
    "p99 loaded, worst caller": lambda row: f"{max(percentile([each], 0.99) for each in row.loaded):.2f}",
    "p99 loaded / unloaded": lambda row: f"{percentile(row.loaded, 0.99) / percentile(row.calm, 0.99):.2f}",
    "service time": lambda row: f"{row.service:.3f}",
    "modest calls": lambda row: sum(len(each["nanos"]) for each in row.loaded) + unanswered(row.loaded),
    "refused": lambda row: sum(each["refused"] for each in row.loaded),
    "failed": lambda row: sum(sum(each["failed"].values()) for each in row.loaded),
    "greedy alone": lambda row: f"{row.alone['answered']:.0f}",
    "greedy beside": lambda row: f"{row.beside['answered']:.0f}",
    "loss, %": lambda row: f"{100 * row.loss():.1f}",
    "MACs of the modest callers, %": lambda row: f"{100 * row.modest_share():.1f}",
    "greedy refused, alone": lambda row: f"{row.alone['refused']:.0f}",
    "greedy refused, beside": lambda row: f"{row.beside['refused']:.0f}",
}
TEXT_COLUMNS = ("token", "build")


def table(rows):
    """Yields the lines of the table. The daemon `new` is this build."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"| {' | '.join('---' if name in TEXT_COLUMNS else '---:' for name in COLUMNS)} |"
    for row in rows:
        yield f"| {' | '.join(str(cell(row)) for cell in COLUMNS.values())} |"


def notes(rows, refused):
    """Yields remarks on the validity of the rows, and on connections that the bounds of the daemon affect."""
    ended = False
    for row in rows:
        what = f"{row.load()}, build {row.build}"
        late = sorted(nanos for each in row.calm + row.loaded for nanos in each["late"])
        p99 = late[int(0.99 * (len(late) - 1))] / 1e6
        if p99 > LATE:
            yield f"{what}: the load generator began a hundredth of the modest calls {p99:.1f} ms late or more"
        for each in row.loaded:
            for status, times in each["failed"].items():
                yield f"{what}: a modest caller got {status} {times} times"
        for when, rates in (("alone", row.alone), ("beside the modest callers", row.beside)):
            if rates["failed"]:
                yield f"{what}: errors of the greedy caller {when}, by grpc-status: {rates['failed']}"
            if rates["ended"]:
                ended = True
                yield f"{what}: {rates['ended']} of {CONNECTIONS} connections of the greedy caller {when} ended early"
    for name, count in refused.items():
        yield f"{name}: the daemon refused or closed {count:.0f} connections at a bound"
    if not ended and not refused:
        yield f"{CONNECTIONS} connections of one principal are within the default bounds: none was refused or closed"


def verdict(what, goal, met, text):
    return f"- {what}: {goal}: {'met' if met else '**missed**'} ({text})", met


def verdicts(rows):
    """Yields (line, whether the goal is met, whether it is a goal on the slow token) for each goal."""
    by_build = {(row.token, row.names, row.build): row for row in rows}
    for (token, names, build), row in by_build.items():
        if build != "new":
            continue
        what = row.load()
        if token == "slow":
            caller, p99, limit = row.worst()
            yield *verdict(
                what, "p99 of each modest caller at most twice its unloaded p99 and one service time", p99 <= limit,
                f"closest to its limit: caller {caller} with {p99:.2f} ms, limit {limit:.2f} ms",
            ), True
            rest = row.loss() - row.modest_share()
            yield *verdict(
                what, f"the greedy caller loses at most {100 * MAX_LOSS:g} % beyond the MACs of the modest callers",
                rest <= MAX_LOSS,
                f"{100 * rest:.1f} %; with these MACs {100 * row.loss():.1f} %",
            ), True
        old = by_build.get((token, names, "old"))
        if token == "softhsm" and old:
            p99, old_p99 = percentile(row.loaded, 0.99), percentile(old.loaded, 0.99)
            ratio = p99 / old_p99
            yield *verdict(
                what, f"p99 of all modest calls at most {MAX_RATIO_TO_OLD:g} of that of the old build",
                ratio <= MAX_RATIO_TO_OLD, f"{ratio:.3f}: {p99:.2f} ms, old build {old_p99:.2f} ms",
            ), False


def main():
    scratch, seconds, tokens, names, check = sys.argv[1:]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    tools = read_tools(f"{scratch}/tools")
    builds = [build for build in ("new", "old") if build in tools]
    rows, refused = [], {}
    for token in tokens.split():
        servers = {}
        try:
            for build in builds:
                server = servers[build] = FairServer(token, build, scratch, tools)
                server.start()
                server.warm()
                if token == "slow":
                    server.count.delay(DELAY)
                print(f"warmed up: {server.name}", flush=True)
            for each in names.split():
                rows += measure(token, int(each), servers, int(seconds))
            for server in servers.values():
                sums = server.sums()
                count = sums["hmacd_connections_refused_total"] + sums["hmacd_connections_cut_for_memory_total"]
                if count:
                    refused[server.name] = count
        finally:
            for server in servers.values():
                server.stop()
    print(
        f"\n{MODEST} modest callers, 10 calls a second each; {CONNECTIONS} x {STREAMS} greedy calls in flight, at most"
        f" {RESENDS} refused calls a second sent again. Times in ms; greedy rates a second.\n"
    )
    print("\n".join(table(rows)), end="\n\n")
    results = list(verdicts(rows))
    for line, _, _ in results:
        print(line)
    for note in notes(rows, refused):
        print(f"- note: {note}")
    if check == "true" and not all(met for _, met, on_slow in results if on_slow):
        sys.exit("a goal on the slow token is missed")


if __name__ == "__main__":
    main()
