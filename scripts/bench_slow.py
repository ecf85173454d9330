"""The measurement of scripts/bench-slow: SCRATCH ROUNDS SECONDS LANES...

SCRATCH has the file tools, and the folder made of a stopped daemon, with the key on its token.
"""

import statistics
import sys

from bench_load import Caller, h2load, measure, measure_macs
from bench_run import Bench
from bench_servers import Go, Hmacd, read_tools

DELAY = 0.001  # In seconds, in each of the two calls of a MAC.
SLOW_WARM_UP = 100_000  # Calls.


def measure_lanes(scratch, tools, lanes, rounds, seconds):
    """Returns (rows of the daemon, rows of the C loop), one of each for a round."""
    bench = Bench(f"{scratch}/made", scratch, tools, True, rounds, seconds)
    shape = (4, lanes // 4)
    try:
        server = bench.add(Hmacd, f"hmacd {lanes}", lanes)
        caller = Caller(bench.requests, server)
        h2load(server, bench.requests, "generate", 64, shape, -(-server.warm_up // lanes) * lanes)
        server.count.delay(DELAY)
        # The lanes wait between calls only now: the JVM compiles other paths.
        h2load(server, bench.requests, "generate", 64, shape, -(-SLOW_WARM_UP // lanes) * lanes)
        loop = Go(f"c {lanes}", bench.made, scratch, tools, 0)  # Only its folder with a token: it never starts.
        loop.count.delay(DELAY)
        calls = max(1, round(seconds / (2 * DELAY))) * lanes
        rows = ([], [])

        def daemon():
            rows[0].append(measure(server, caller, bench.requests, "generate", 64, shape, calls, bench.log))

        def c_loop():
            row = measure_macs(loop, bench.requests, tools, tools["count"], "session", lanes, 64, seconds)
            rows[1].append(row)

        for round_ in range(rounds):
            for run in (daemon, c_loop) if round_ % 2 == 0 else (c_loop, daemon):
                run()
        return rows
    finally:
        bench.stop()


def main():
    scratch, rounds, seconds = sys.argv[1], *(int(each) for each in sys.argv[2:4])
    tools = read_tools(f"{scratch}/tools")
    print(
        "\nProcessor time a call in us: of the daemon with its token, of the load generator, of the C loop with its token.\n"
        "\n| lanes | hmacd, calls/s | C loop, calls/s | ratio | rounds | daemon | load generator | C loop |"
        "\n| ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: |"
    )
    for lanes in (int(each) for each in sys.argv[4:]):
        own, loop = measure_lanes(scratch, tools, lanes, rounds, seconds)
        ratios = [a["rate"] / b["rate"] for a, b in zip(own, loop, strict=True)]
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(
            f"| {lanes} | {median(own, 'rate'):,.0f} | {median(loop, 'rate'):,.0f}"
            f" | {statistics.median(ratios):.3f} | {each} | {median(own, 'server_us'):.0f}"
            f" | {median(own, 'client_us'):.0f} | {median(loop, 'client_us'):.0f} |",
            flush=True,
        )


def median(rows, field):
    return statistics.median(row[field] for row in rows)


if __name__ == "__main__":
    main()
