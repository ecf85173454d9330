"""The measurement of scripts/bench-builds: SCRATCH PAIRS ROUNDS SECONDS.

SCRATCH has the file tools, and the folders new and old of two stopped daemons, with the key on their tokens.
"""

import statistics
import sys

from bench_load import Caller
from bench_run import SHAPES, Bench
from bench_servers import Hmacd, read_tools

BUILDS = ("new", "old")
FIGURES = {"rate": "rate", "server_us": "CPU a call"}


def measure_pair(scratch, tools, number, rounds, seconds):
    """Returns {(shape, figure): ratios of the rounds} for one process of each build."""
    bench = Bench(f"{scratch}/new", scratch, tools, True, rounds, seconds)
    measured = {(shape, build): [] for shape in SHAPES for build in BUILDS}
    try:
        subjects = []
        for build in BUILDS if number % 2 == 0 else BUILDS[::-1]:
            server = bench.add(Hmacd, f"{build} {number}", 2, build, made=f"{scratch}/{build}")
            caller = Caller(bench.requests, server)
            bench.warm_up(server, caller)
            subjects.append((build, server, bench.by_h2load(server, caller)))
        for round_ in range(rounds):
            for shape in SHAPES:
                for build, server, run in subjects if round_ % 2 == 0 else subjects[::-1]:
                    calls = bench.calls_for(server.name, server, "generate", 64, shape)
                    row = run("generate", 64, shape, calls)
                    bench.rates[(server.name, "generate", 64, shape)] = row["rate"]
                    measured[(shape, build)].append(row)
    finally:
        bench.stop()
    return {
        (shape, figure): [
            new[figure] / old[figure]
            for new, old in zip(measured[(shape, "new")], measured[(shape, "old")], strict=True)
        ]
        for shape in SHAPES
        for figure in FIGURES
    }


def main():
    scratch, pairs, rounds, seconds = sys.argv[1], *(int(each) for each in sys.argv[2:])
    tools = read_tools(f"{scratch}/tools")
    ratios = [measure_pair(scratch, tools, number, rounds, seconds) for number in range(pairs)]
    print("\n| ratio of this build to the older one | median | pairs of processes |\n| --- | ---: | --- |")
    for shape in SHAPES:
        for figure, name in FIGURES.items():
            each = [pair[(shape, figure)] for pair in ratios]
            medians = ", ".join(f"{statistics.median(values):.2f}" for values in each)
            print(f"| {name}, {shape.replace('x', ' x ')} | {statistics.median(sum(each, [])):.3f} | {medians} |")


if __name__ == "__main__":
    main()
