"""The measurement of scripts/bench: MADE SCRATCH TOOLS OUTPUT short|full ROUNDS SECONDS.

MADE is the folder of a stopped daemon, with the key on its token. TOOLS is a file with the paths of the programs, as
lines NAME=PATH.
"""

import os
import signal
import sys
import time

import bench_report
from bench_load import Caller, Invalid, Requests, h2load, measure, measure_frames, measure_macs, read_log, sampled
from bench_servers import Echo, Go, Hmacd, P11Kit, read_tools

SHAPES = {"4x16": (4, 16), "64x1": (64, 1), "1x1": (1, 1)}
SIZES = (64, 4096)
OPS = ("generate", "verify")
MILLION = 1_000_000

# The estimated rate of a shape before its first measurement, relative to 4 x 16 with 64 bytes.
GUESS = {"4x16": 1.0, "64x1": 0.7, "1x1": 0.15}
OTHER_WARM_UP = 20  # The warm-up of other kinds of calls is this fraction of the first warm-up.


class Bench:
    def __init__(self, made, scratch, tools, short, rounds, seconds):
        self.made, self.scratch, self.tools = made, scratch, tools
        self.short, self.rounds, self.seconds = short, rounds, seconds
        with open(made + "/secret", "rb") as file:
            self.requests = Requests(scratch, file.read())
        self.log = os.path.join("/dev/shm" if os.path.isdir("/dev/shm") else scratch, f"hmacd-bench-{os.getpid()}")
        self.running = []
        self.rates = {}
        self.results = {"rounds": [], "macs": [], "warm": {}, "slow": [], "invalid": [], "memory": {}}

    # --- Servers ---

    def add(self, kind, name, *arguments, made=None):
        server = kind(name, made or self.made, self.scratch, self.tools, *arguments)
        self.running.append(server)
        server.start()
        return server

    def stop(self):
        for server in self.running:
            server.stop()
        if os.path.exists(self.log):
            os.unlink(self.log)

    def attempt(self, what, call):
        """Makes a run. An invalid run is reported, and the other runs continue."""
        try:
            return call()
        except Invalid as e:
            self.results["invalid"].append(f"{what}: {e}")
            print(f"INVALID {what}: {e}", flush=True)
            return None

    # --- Warm-up ---

    def warm_up(self, server, caller, by_frames=None):
        """Makes the first calls to a server, and records their rate. Then makes calls of each other kind."""
        calls = server.warm_up
        caller.call("generate", b"first")
        before = server.count.signed(64)
        with sampled(caller, "generate", 64) as made:
            h2load(server, self.requests, "generate", 64, SHAPES["4x16"], calls, self.log)
        if server.counts and server.count.signed(64) - before != calls + made["of_size"]:
            raise Invalid("the token's count of the warm-up is wrong")
        ends = [end for end, _ in read_log(self.log)]
        server.calls += calls
        if by_frames is None:
            self.results["warm"][server.name] = bench_report.pace(ends)
        late = [end for end in ends if end > ends[-1] / 2]
        self.rates[server.name] = len(late) / (max(ends) - min(late))
        for op, size, shape in self.kinds(server):
            if by_frames is not None:
                by_frames(op, size, shape, calls // OTHER_WARM_UP)
            elif (op, size, shape) != ("generate", 64, "4x16"):
                h2load(server, self.requests, op, size, SHAPES[shape], calls // OTHER_WARM_UP)
                server.calls += calls // OTHER_WARM_UP
        print(f"warmed up: {server.name}, {server.calls} calls", flush=True)

    def kinds(self, server):
        for op in OPS[:1] if self.short or not server.verifies else OPS:
            for size in SIZES[:1] if self.short else SIZES:
                for shape in SHAPES:
                    yield op, size, shape

    def calls_for(self, name, server, op, size, shape):
        """Returns the number of calls for the duration, by the rate of the previous round."""
        rate = self.rates.get((name, op, size, shape)) or self.rates[server.name] * GUESS[shape]
        connections, streams = SHAPES[shape]
        step = connections * streams
        return max(4, round(rate * self.seconds / step)) * step

    # --- The rounds ---

    def run_rounds(self, subjects, loops):
        """Measures every subject once in each round, so that other processes affect all subjects equally."""
        for round_ in range(self.rounds):
            order = subjects if round_ % 2 == 0 else subjects[::-1]
            for op in OPS:
                for size in SIZES:
                    for shape in SHAPES:
                        for name, server, run in order:
                            if (op, size, shape) in self.kinds(server):
                                self.one(round_, name, server, op, size, shape, run)
            for name, size, run in loops:
                row = self.attempt(name, lambda: run(size))
                if row:
                    self.results["macs"].append(dict(name=name, size=size, round=round_, **row))
            print(f"round {round_ + 1} of {self.rounds} done", flush=True)

    def one(self, round_, name, server, op, size, shape, run):
        calls = self.calls_for(name, server, op, size, shape)
        row = self.attempt(f"{name}, {op} {size} {shape}", lambda: run(op, size, shape, calls))
        if row:
            self.rates[(name, op, size, shape)] = row["rate"]
            self.results["rounds"].append(dict(server=name, op=op, size=size, shape=shape, round=round_, **row))

    def subjects(self):
        """Starts and warms up the servers. Returns (name, server, function that measures one round) for each."""
        subjects = []
        add = self.add
        servers = [add(Go, f"go, {n} session{'s' * (n > 1)}", n) for n in (1, 2, 16)]
        self.main = add(Hmacd, "hmacd", 2)
        servers.append(self.main)
        if not self.short:
            servers.append(add(Hmacd, "hmacd, 1 lane", 1))
            servers.append(add(Echo, "echo, default executor", "default"))
            servers.append(add(Echo, "echo, direct executor", "direct"))
        for server in servers:
            caller = Caller(self.requests, server)
            self.warm_up(server, caller)
            subjects.append((server.name, server, self.by_h2load(server, caller)))
        over_tls = add(Hmacd, "hmacd over TLS", 2)
        caller = Caller(self.requests, over_tls, tls=True)
        frames = self.by_frames(over_tls, caller, True)
        # The first calls use the Unix socket, as for the other servers. The next calls use TLS.
        self.warm_up(over_tls, Caller(self.requests, over_tls), frames)
        frames("generate", 64, "4x16", 100_000 if self.short else over_tls.warm_up)
        subjects.append(("hmacd, mutual TLS", over_tls, frames))
        # The same client without TLS, which shows the cost of TLS.
        without = self.by_frames(self.main, Caller(self.requests, self.main), False)
        subjects.append(("hmacd, same client, no TLS", self.main, without))
        return subjects

    def by_h2load(self, server, caller):
        return lambda op, size, shape, calls: measure(
            server, caller, self.requests, op, size, SHAPES[shape], calls, self.log
        )

    def by_frames(self, server, caller, tls):
        return lambda op, size, shape, calls: measure_frames(
            server, caller, self.requests, self.tools, op, size, SHAPES[shape], calls, tls
        )

    def loops(self):
        """Returns the runs of the C loop: with the counting module, through p11-kit, and without counting."""
        forwarded = self.add(P11Kit, "p11-kit")
        own = Go("c", self.made, self.scratch, self.tools, 0)  # Only its folder with a token: it never starts.
        loops = []

        def loop(name, server, module, kind, threads):
            for size in SIZES[:1] if self.short else SIZES:
                loops.append((name, size, lambda size: measure_macs(
                    server, self.requests, self.tools, module, kind, threads, size, self.seconds / 2)))

        for kind in ("token", "session"):
            for threads in (1, 2):
                what = f"{kind} object, {threads} thread{'s' * (threads > 1)}"
                loop(f"C loop, {what}", own, self.tools["count"], kind, threads)
                loop(f"p11-kit, {what}", forwarded, self.tools["p11kit"], kind, threads)
        # The same loop without counting, which shows the cost of counting.
        loop("C loop without counting, session object, 1 thread", own, self.tools["module"], "session", 1)
        return loops

    # --- After the rounds ---

    def memory(self):
        """Records the resident memory of the daemon after a million calls."""
        while self.main.calls < MILLION:
            calls = min(200_000, -(-(MILLION - self.main.calls) // 64) * 64)
            h2load(self.main, self.requests, "generate", 64, SHAPES["4x16"], calls)
            self.main.calls += calls
        for server in (server for server in self.running if server.calls > 0):
            self.results["memory"][server.name] = {"calls": server.calls, "rss_mb": server.rss_mb()}

    def slow(self):
        """Measures the daemon with a slow HSM: n lanes, and four calls in flight for each lane."""
        lanes = (8,) if self.short else (1, 2, 4, 8, 16, 32, 64)
        delays = (0.001,) if self.short else (0.0002, 0.001, 0.005)
        for n in lanes:
            server = self.add(Hmacd, f"hmacd slow {n}", n)
            caller = Caller(self.requests, server)
            warm = 50_000 if self.short else 200_000
            h2load(server, self.requests, "generate", 64, (4, n), warm)
            for delay in delays:
                server.count.delay(delay)
                row = self.attempt(f"slow HSM, {n} lanes, {delay} s", lambda: self.slow_one(server, caller, n, delay))
                if row:
                    self.results["slow"].append(row)
            server.count.delay(0)
            caller.close()
            server.stop()
            self.running.remove(server)
            loop = Go(f"c slow {n}", self.made, self.scratch, self.tools, 0)
            for delay in delays:
                loop.count.delay(delay)
                loop_row = self.attempt("C loop, slow", lambda: measure_macs(
                    loop, self.requests, self.tools, self.tools["count"], "session", n, 64, self.seconds))
                for row in self.results["slow"]:
                    if loop_row and row["lanes"] == n and row["delay"] == delay:
                        row["loop_rate"] = loop_row["rate"]
            print(f"slow HSM, {n} lanes: done", flush=True)

    def slow_one(self, server, caller, n, delay):
        most = n / (2 * delay)
        ceiling = self.rates[("hmacd", "generate", 64, "4x16")]
        calls = max(8, round(min(most, ceiling) * max(self.seconds, 400 * delay) / (4 * n))) * 4 * n
        slept_before = server.count.slept()
        row = measure(server, caller, self.requests, "generate", 64, (4, n), calls, self.log)
        slept, sleeps = (after - before for after, before in zip(server.count.slept(), slept_before))
        return row | {
            "lanes": n, "delay": delay, "most": most, "efficiency": row["rate"] / most,
            "real_delay": slept / sleeps,
        }


def main():
    made, scratch, tools, output, mode, rounds, seconds = sys.argv[1:]
    tools = read_tools(tools)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    start = time.monotonic()
    bench = Bench(made, scratch, tools, mode == "short", int(rounds), float(seconds))
    try:
        subjects = bench.subjects()
        bench.run_rounds(subjects, bench.loops())
        bench.memory()
        bench.slow()
    finally:
        bench.stop()
    bench.results["minutes"] = (time.monotonic() - start) / 60
    bench.results["mode"] = f"{mode}, {rounds} rounds of {seconds} s"
    goals = bench_report.write(bench.results, output, tools)
    print(goals)
    print(f"\nReport: {output}/report.md")
    if bench.results["invalid"]:
        sys.exit(f"{len(bench.results['invalid'])} runs are invalid; see above")


if __name__ == "__main__":
    main()
