"""The results of scripts/bench: goals, tables, CSV files and plots."""

import csv
import os
import platform
import re
import statistics
import subprocess

from bench_svg import bars, lines

BUCKET = 0.1  # Seconds.
SUSTAINED = 5  # Buckets.
GO = "go, "
QUIET = 0.1  # The acceptable share of other processes in the processor time.


def pace(ends):
    """Returns the number of calls that ended in each tenth of a second."""
    counts = [0] * (int(max(ends) / BUCKET) + 1)
    for end in ends:
        counts[int(end / BUCKET)] += 1
    return counts


def time_to_90(counts, warm_rate):
    """Returns (seconds, calls) from the first call until the rate stays above 90 % of the warm rate for half a second."""
    for i in range(len(counts) - SUSTAINED):
        if sum(counts[i : i + SUSTAINED]) / (SUSTAINED * BUCKET) >= 0.9 * warm_rate:
            return i * BUCKET, sum(counts[:i])
    return None


class Table:
    """The rounds, with their medians and ratios."""

    def __init__(self, rounds):
        self.rounds = rounds
        self.servers = list(dict.fromkeys(row["server"] for row in rounds))

    def values(self, server, shape, what, op="generate", size=64):
        return {
            row["round"]: row[what]
            for row in self.rounds
            if (row["server"], row["shape"], row["op"], row["size"]) == (server, shape, op, size) and what in row
        }

    def median(self, server, shape, what, op="generate", size=64):
        values = self.values(server, shape, what, op, size)
        return statistics.median(values.values()) if values else None

    def ratios(self, ours, theirs, shape, what):
        """Returns the ratio of ours to theirs for each round that has both."""
        a, b = self.values(ours, shape, what), self.values(theirs, shape, what)
        return [a[i] / b[i] for i in a if i in b]

    def go(self):
        return [server for server in self.servers if server.startswith(GO)]


class Goal:
    def __init__(self, name, value, wanted, at_least, text):
        self.name, self.value, self.wanted, self.at_least, self.text = name, value, wanted, at_least, text

    def line(self):
        if self.value is None:
            return f"| {self.name} | {self.wanted_text()} | not measured | | {self.text} |"
        met = self.value >= self.wanted if self.at_least else self.value <= self.wanted
        verdict = "met" if met else f"**missed** by {abs(self.value / self.wanted - 1):.0%}"
        return f"| {self.name} | {self.wanted_text()} | {self.value:.2f} | {verdict} | {self.text} |"

    def wanted_text(self):
        return f"{'at least' if self.at_least else 'at most'} {self.wanted:g}"


def spread(values):
    return f"rounds {min(values):.2f} to {max(values):.2f}" if values else ""


def goals_of(results):
    table = Table(results["rounds"])
    found = []

    def against_go(shape, what, wanted, at_least, name, unit):
        # The best of the Go minimums: the fastest, or the one with the least processor time.
        pick = max if what == "rate" else min
        known = [g for g in table.go() if table.median(g, shape, what)]
        best = pick(known, key=lambda g: table.median(g, shape, what)) if known else None
        ratios = table.ratios("hmacd", best, shape, what)
        text = (
            f"{table.median('hmacd', shape, what):,.1f} against {table.median(best, shape, what):,.1f} {unit} of {best};"
            f" {spread(ratios)}"
            if ratios
            else ""
        )
        found.append(Goal(name, statistics.median(ratios) if ratios else None, wanted, at_least, text))

    against_go("4x16", "rate", 1.25, True, "GenerateMac a second at 4 x 16, ratio to the best Go minimum", "/s")
    against_go("64x1", "rate", 1.15, True, "GenerateMac a second at 64 x 1, ratio to the best Go minimum", "/s")
    against_go("4x16", "server_us", 1.0, False, "CPU a call at 4 x 16, ratio to the Go minimum with least CPU", "us")
    against_go("64x1", "server_us", 1.0, False, "CPU a call at 64 x 1, ratio to the Go minimum with least CPU", "us")
    against_go("1x1", "p50", 1.5, False, "one call at a time: p50, ratio to the best Go minimum", "us")

    forwarded = loop_medians(results, "p11-kit, session", 64)
    ours = table.median("hmacd", "4x16", "rate")
    found.append(
        Goal(
            "GenerateMac a second at 4 x 16, ratio to MACs through p11-kit",
            ours / max(forwarded.values()) if forwarded and ours else None, 2.5, True,
            f"{max(forwarded.values()):,.0f} MACs/s: {max(forwarded, key=forwarded.get)}" if forwarded else "",
        )
    )
    memory = results["memory"].get("hmacd")
    found.append(
        Goal(
            "memory after a million calls, MB", memory["rss_mb"] if memory else None, 200, False,
            f"after {memory['calls']:,} calls" if memory else "",
        )
    )
    ceiling = ours or 0
    within = [row for row in results["slow"] if row["most"] < ceiling / 2]
    worst = min(within, key=lambda row: row["efficiency"]) if within else None
    found.append(
        Goal(
            "slow HSM: the lowest share of n / (2 x delay)", worst["efficiency"] if worst else None, 0.9, True,
            f"{worst['lanes']} lanes, {worst['delay'] * 1e3:g} ms; a C loop has"
            f" {worst.get('loop_rate', 0) / worst['most']:.2f};"
            f" {len(within)} of {len(results['slow'])} settings are"
            f" below half the daemon's maximum of {ceiling:,.0f}/s" if worst else "",
        )
    )
    return found


def loop_medians(results, prefix, size):
    names = dict.fromkeys(row["name"] for row in results["macs"] if row["name"].startswith(prefix) and row["size"] == size)
    return {
        name: statistics.median(row["rate"] for row in results["macs"] if row["name"] == name and row["size"] == size)
        for name in names
    }


def machine():
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*:\s*(.*)", file.read())
    return f"{os.cpu_count()} processors ({model.group(1) if model else 'unknown'}), Linux {platform.release()}"


def version(command):
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    return (completed.stdout + completed.stderr).strip().splitlines()[0]


def number(value, digits=0):
    return "" if value is None else f"{value:,.{digits}f}"


def rounds_tables(table):
    for op, size in dict.fromkeys((row["op"], row["size"]) for row in table.rounds):
        yield f"\n### {op}, {size} bytes\n"
        yield "| server | shape | calls/s | p50 us | p99 us | p99.9 us | server us/call | client us/call | resident MB | others' CPU |"
        yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
        for shape in dict.fromkeys(row["shape"] for row in table.rounds):
            for server in table.servers:
                cell = lambda what, digits=0: number(table.median(server, shape, what, op, size), digits)  # noqa: E731, B023
                if not cell("rate"):
                    continue
                others = table.median(server, shape, "others", op, size)
                yield (
                    f"| {server} | {shape.replace('x', ' x ')} | {cell('rate')} | {cell('p50')} | {cell('p99')} |"
                    f" {cell('p999')} | {cell('server_us', 1)} | {cell('client_us', 1)} | {cell('rss_mb')} | {others:.0%} |"
                )


def macs_table(results):
    yield "\n## The token alone, and through p11-kit\n"
    yield "| subject | bytes | MACs/s | p50 us | p99 us | p99.9 us | loop us/MAC | p11-kit server us/MAC |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name, size in sorted({(row["name"], row["size"]) for row in results["macs"]}, key=lambda k: (k[1], k[0])):
        rows = [row for row in results["macs"] if (row["name"], row["size"]) == (name, size)]
        cell = lambda what: number(median_of(rows, what), 1)  # noqa: E731, B023
        yield (
            f"| {name} | {size} | {number(median_of(rows, 'rate'))} | {cell('p50')} | {cell('p99')} | {cell('p999')} |"
            f" {cell('client_us')} | {cell('server_us')} |"
        )


def median_of(rows, what):
    values = [row[what] for row in rows if what in row]
    return statistics.median(values) if values else None


def slow_table(results):
    yield "\n## A slow HSM\n"
    yield "C_SignInit and C_Sign take the delay each. 4 connections have n calls in flight each, for n lanes."
    yield "\n| lanes | delay ms | calls/s | n / (2 x delay) | share | C loop, n threads | p50 ms | p99 ms | measured delay, ms |"
    yield "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for row in sorted(results["slow"], key=lambda row: (row["delay"], row["lanes"])):
        yield (
            f"| {row['lanes']} | {row['delay'] * 1e3:g} | {row['rate']:,.0f} | {row['most']:,.0f} | {row['efficiency']:.2f} |"
            f" {number(row.get('loop_rate'))} | {row['p50'] / 1e3:.1f} | {row['p99'] / 1e3:.1f} | {row['real_delay'] * 1e3:.3f} |"
        )


def several_lanes(results):
    return len({row["lanes"] for row in results["slow"]}) > 1


def warm_table(results, table):
    yield "\n## Warm-up\n"
    yield "From the first call after the start, at 4 x 16 with 64 bytes, until the rate stays above 90 % of the warm"
    yield "rate for half a second."
    yield "\n| server | seconds | calls | warm calls/s |"
    yield "| --- | ---: | ---: | ---: |"
    for server, counts in results["warm"].items():
        warm = table.median(server, "4x16", "logged_rate")
        if warm:
            reached = time_to_90(counts, warm)
            when = f"{reached[0]:.1f} | {reached[1]:,}" if reached else "not reached | "
            yield f"| {server} | {when} | {warm:,.0f} |"


def markdown(results, tools):
    table = Table(results["rounds"])
    others = [row["others"] for row in results["rounds"]]
    yield "# Measurements of hmacd\n"
    yield f"{machine()}; {version([tools['java'], '--version'])}; {version(['go', 'version'])}; {version(['h2load', '--version'])}."
    yield f"Mode {results['mode']}; {results['minutes']:.0f} minutes. Medians of rounds; ratios are medians of each round's ratio."
    if others:
        yield (
            f"Other processes (with this script) used {statistics.median(others):.0%} of the processors in the median,"
            f" {max(others):.0%} at most. Absolute values differ by a tenth between two processes: compare ratios."
        )
    if results["invalid"]:
        yield "\n**Invalid runs:**\n"
        yield from (f"- {each}" for each in results["invalid"])
    else:
        yield (
            "\nIn every run, the token's count of C_Sign equals the number of requests, every answer has data, and the"
            " sampled MACs are correct."
        )
    yield "\n## Goals\n"
    yield from disturbance(results)
    yield from goal_lines(results)
    yield "\n![calls a second](throughput.svg)"
    yield "![processor time a call](cpu.svg)"
    yield "\n## Servers"
    yield from rounds_tables(table)
    yield from macs_table(results)
    yield from slow_table(results)
    if several_lanes(results):
        yield "\n![a slow HSM](slow.svg)"
    yield from warm_table(results, table)
    yield "\n![the first seconds](warm.svg)"
    yield "\n## Memory at the end\n"
    yield "| server | calls | resident MB |\n| --- | ---: | ---: |"
    yield from (f"| {name} | {m['calls']:,} | {m['rss_mb']:.0f} |" for name, m in results["memory"].items())


def disturbance(results):
    shares = [row["others"] for row in results["rounds"]]
    if shares and statistics.median(shares) > QUIET:
        yield f"Provisional: other processes used {statistics.median(shares):.0%} of the processors during the run.\n"


def goal_lines(results):
    yield "| goal | required | measured | result | details |"
    yield "| --- | --- | ---: | --- | --- |"
    yield from (goal.line() for goal in goals_of(results))


def write_csv(path, rows):
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def plots(results, output):
    table = Table(results["rounds"])
    shapes = list(dict.fromkeys(row["shape"] for row in table.rounds))

    def grouped(what):
        return {
            server: [table.median(server, shape, what) or 0 for shape in shapes]
            for server in table.servers
        }

    labels = [shape.replace("x", " x ") for shape in shapes]
    save(output, "throughput.svg", bars("GenerateMac of 64 bytes, calls a second", labels, grouped("rate"), 0))
    save(output, "cpu.svg", bars("GenerateMac of 64 bytes, the server's CPU in us a call", labels, grouped("server_us"), 1))
    warm = {
        server: [
            ((i + SUSTAINED / 2) * BUCKET, sum(counts[i : i + SUSTAINED]) / (SUSTAINED * BUCKET))
            for i in range(max(1, len(counts) - SUSTAINED))
        ]
        for server, counts in results["warm"].items()
    }
    save(output, "warm.svg", lines("The first calls after a start, 4 x 16", "seconds", "calls a second", warm))
    slow = {}
    for row in sorted(results["slow"], key=lambda row: row["lanes"]):
        slow.setdefault(f"{row['delay'] * 1e3:g} ms", []).append((row["lanes"], row["rate"]))
        slow.setdefault(f"{row['delay'] * 1e3:g} ms, n / (2 x delay)", []).append((row["lanes"], row["most"]))
    if several_lanes(results):
        save(output, "slow.svg", lines("A slow HSM", "lanes", "calls a second", slow, logarithmic=True))


def save(output, name, text):
    with open(os.path.join(output, name), "w") as file:
        file.write(text)


def write(results, output, tools):
    """Writes the report into the folder. Returns the goals, for the terminal."""
    os.makedirs(output, exist_ok=True)
    save(output, "report.md", "\n".join(markdown(results, tools)) + "\n")
    write_csv(os.path.join(output, "rounds.csv"), results["rounds"])
    write_csv(os.path.join(output, "macs.csv"), results["macs"])
    write_csv(os.path.join(output, "slow.csv"), results["slow"])
    write_csv(
        os.path.join(output, "warm.csv"),
        [
            {"server": server, "seconds": round((i + 1) * BUCKET, 1), "calls": count}
            for server, counts in results["warm"].items()
            for i, count in enumerate(counts)
        ],
    )
    plots(results, output)
    return "\n".join([*disturbance(results), *goal_lines(results)])
