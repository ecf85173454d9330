"""The measurement of scripts/bench-clients: KEY ROUNDS SECONDS NAME=COMMAND...

The environment has the variables of fromEnv, and HMACD_COST_STUBS: the folder of Python's generated stub.
"""

import dataclasses
import json
import os
import shlex
import statistics
import subprocess
import sys
import time

CONCURRENCIES = (1, 16)
MODES = ("stub", "package")
PROBE_CALLS = 1000  # Of the run that finds the number of calls.
WARM_UP = {"java": 30_000, "node": 5_000}  # Calls, until a JIT has compiled the path of a call.
OTHER_WARM_UP = 1_000


@dataclasses.dataclass(frozen=True)
class Result:
    """What one run of a caller measured."""

    rate: float  # Calls a second.
    cpu_us: float  # Processor time of a call in the calling process.
    start_ms: float  # From process start to the first MAC.


class Caller:
    """The program `cost` of one language, with a number of closed loops."""

    def __init__(self, name, command, key, concurrency):
        self.name, self.concurrency = name, concurrency
        self._command, self._key = shlex.split(command), key
        self._warm_up = WARM_UP.get(name, OTHER_WARM_UP)
        self.results = {mode: [] for mode in MODES}

    def run(self, mode, calls):
        environment = dict(os.environ)
        if self.name == "python" and mode == "stub":
            environment["PYTHONPATH"] = environment["HMACD_COST_STUBS"]
        numbers = (str(number) for number in (self._warm_up, calls, self.concurrency))
        start = time.perf_counter()
        with subprocess.Popen(
            [*self._command, mode, self._key, *numbers], env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            ready = process.stdout.readline()
            start_ms = (time.perf_counter() - start) * 1000
            output = process.stdout.read()
        if process.returncode != 0 or ready != "ready\n":
            sys.exit(f"the caller of {self.name} failed with status {process.returncode}; the reason is above")
        row = json.loads(output)
        return Result(row["calls"] / row["seconds"], row["cpu_seconds"] / row["calls"] * 1e6, start_ms)

    def probe(self, seconds):
        """Finds the number of calls of a measurement. Also warms up the daemon and the file cache."""
        self.calls = max(1, round(seconds * min(self.run(mode, PROBE_CALLS).rate for mode in MODES)))

    def measure(self, round_):
        for mode in MODES if round_ % 2 == 0 else reversed(MODES):
            self.results[mode].append(self.run(mode, self.calls))

    def row(self):
        stubs, packages = (self.results[mode] for mode in MODES)
        pairs = list(zip(stubs, packages, strict=True))
        rate = statistics.median(package.rate / stub.rate for stub, package in pairs)
        cpu = statistics.median(stub.cpu_us / package.cpu_us for stub, package in pairs)
        cells = [
            self.name, self.concurrency,
            f"{median(stubs, 'rate'):,.0f}", f"{median(packages, 'rate'):,.0f}", f"{rate:.2f}",
            f"{median(stubs, 'cpu_us'):.0f}", f"{median(packages, 'cpu_us'):.0f}", f"{cpu:.2f}",
            f"{median(stubs, 'start_ms'):.0f}", f"{median(packages, 'start_ms'):.0f}",
        ]  # fmt: skip
        return f"| {' | '.join(str(cell) for cell in cells)} |"


def median(results, field):
    return statistics.median(getattr(result, field) for result in results)


def main():
    key, rounds, seconds = sys.argv[1], *(int(each) for each in sys.argv[2:4])
    commands = (each.split("=", 1) for each in sys.argv[4:])
    callers = [Caller(*each, key, concurrency) for each in commands for concurrency in CONCURRENCIES]
    for caller in callers:
        caller.probe(seconds)
    for round_ in range(rounds):
        for caller in callers:
            caller.measure(round_)
        print(f"round {round_ + 1} of {rounds}; load {os.getloadavg()[0]:.1f}", flush=True)
    print(
        f"\nMedians of {rounds} rounds. A ratio is the median of the ratios of the rounds: package to stub for calls/s,"
        " stub to package for the\nprocessor time. Processor time of a call in us, start in ms.\n"
        "\n| language | loops | stub, calls/s | package, calls/s | ratio | stub, CPU | package, CPU | ratio"
        " | stub, start | package, start |"
        "\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    for caller in callers:
        print(caller.row())


if __name__ == "__main__":
    main()
