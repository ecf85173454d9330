"""Runs the table of events: what a caller at up to 200 calls/s sees while daemons, certificates and connections change.

    events.py BINARY MADE MODULE FAULTS KEY SCRATCH NAME=COMMAND...

The callers of all languages run at the same time.

BINARY is the daemon's launcher, MADE the folder of a stopped `hmacd dev` with KEY on its token, MODULE the path of the
token's PKCS#11 module, FAULTS the folder of `hsm-drill install` for this module, and SCRATCH an empty folder. Each
NAME=COMMAND is a caller of one language; README.md says what a caller does. HMACD_EVENTS selects events by their names,
separated by commas. HMACD_EVENTS_SECONDS is the duration of a hang (6). Prints a table in Markdown. Exits with 1 if a
caller got a wrong MAC, failed or hung. With HMACD_EVENTS_CHECK=1, also exits with 1 if a caller saw an error that the
event does not allow: on a busy machine, calls can be late.
"""

import concurrent.futures
import functools
import os
import re
import shlex
import signal
import subprocess
import sys
import time

from callers import Callers
from hosts import Hosts, NotPossible
from pki import Authority, bundle
from tls_faults import FAULTS
from world import World

CHECK = os.environ.get("HMACD_EVENTS_CHECK") == "1"
HANG = float(os.environ.get("HMACD_EVENTS_SECONDS", "6"))
THREADS_ONLY = {"go", "java", "rust"}  # Languages whose programs do not fork.
TOGETHER = 2  # Events of CHANGES and of WAITS at the same time, at most.
WARM_UP = 1000  # Calls of a caller before its load.
LOW_RATE = 20  # Calls a second, in events that need few calls.


# --- Events: each gets the world and the callers, and returns the results of the callers ---


def killed_and_back(world, callers):
    daemon = world.daemon()
    load = callers.start(8)
    time.sleep(2)
    daemon.kill()
    time.sleep(1.5)
    daemon.start()
    return load.results()


def one_of_two_killed(world, callers):
    world.daemon()
    killed = world.daemon()
    load = callers.start(6)
    time.sleep(2)
    killed.kill()
    return load.results()


def one_of_two_hangs(world, callers):
    world.daemon()
    hanging = world.daemon()
    load = callers.start(HANG + 4)
    time.sleep(2)
    hanging.send(signal.SIGSTOP)
    time.sleep(HANG)
    hanging.send(signal.SIGCONT)
    return load.results()


def one_of_two_stopped(world, callers):
    world.daemon()
    stopped = world.daemon()
    load = callers.start(6)
    time.sleep(2)
    stopped.send(signal.SIGTERM)
    return load.results()


def connections_age(world, callers):
    world.daemon(limits="connection_age: 2s")
    return callers.start(8).results()


def authority_rotated(world, callers):
    """The caller trusts both authorities first, then the daemon gets a certificate of the new one."""
    daemon = world.daemon()
    load = callers.start(14)
    new = Authority(world.folder / "new-daemons")
    bundle(world.ca, world.authority, new)
    time.sleep(6)  # The caller has read the file.
    new.issue("server", daemon.file("server.pem"), daemon.file("server-key.pem"))
    time.sleep(3)
    bundle(world.ca, new)
    return load.results()


def daemon_certificate_renewed(world, callers):
    daemon = world.daemon()
    load = callers.start(6)
    world.authority.issue("server", daemon.file("server.pem"), daemon.file("server-key.pem"))
    return load.results()


def client_certificate_renewed(world, callers):
    """The first certificate ends while the caller runs."""
    world.clients.issue("client", world.certificate, world.key, seconds=20)
    world.daemon()
    load = callers.start(24)
    time.sleep(1)
    world.clients.issue("client", world.certificate, world.key)
    return load.results()


def short_deadlines(world, callers):
    """The deadline of 50 ms has passed before the daemon answers: every call ends, and none hangs."""
    daemon = world.daemon()
    load = callers.start(6, LOW_RATE, HMACD_LOAD_TIMEOUT_MS="50")
    time.sleep(2)
    daemon.send(signal.SIGSTOP)
    time.sleep(2)
    daemon.send(signal.SIGCONT)
    return load.results()


def token_busy(world, callers):
    """The callers have 600 calls in flight. The token needs 10 ms for a MAC, and its queue has 64 places."""
    world.daemon(module=world.slow_module, token="lanes: 1, queue: 64")
    world.delay_macs(0.01)
    return callers.start(1, 600 // callers.count, HMACD_LOAD_WARM_UP="1").results()


def address_changed(world, callers):
    """The name of the target gets another address, then the daemon at the first address stops."""
    name = "daemon.events.test"
    certificate = {"server_names": f"DNS:{name}"}
    hosts = Hosts(world.folder / "hosts", name, "127.0.0.1")
    first = world.daemon(certificate=certificate)
    world.daemon(certificate=certificate, host="127.0.0.2", port=first.port)
    load = callers.start(14, LOW_RATE, wrapper=hosts.wrapper, HMACD_TARGET=f"{name}:{first.port}")
    hosts.move("127.0.0.2")
    time.sleep(6)  # Go reads the file again after 5 s.
    first.send(signal.SIGTERM)
    return load.results()


def close_under_load(world, callers):
    """The clients close while calls wait for the daemon. The daemon answers within the 5 s of rule 10."""
    daemon = world.daemon()
    load = callers.start(4, LOW_RATE, HMACD_LOAD_CLOSE_AFTER="2")
    time.sleep(1.5)
    daemon.send(signal.SIGSTOP)
    time.sleep(2)
    daemon.send(signal.SIGCONT)
    return load.results()


def fork_or_workers(world, callers):
    """The load also runs in a child process of C++ and Python, after a fork, and in a worker thread of Node."""
    world.daemon()
    results = callers.start(3, LOW_RATE, HMACD_LOAD_FORK="1").results()
    for name in results.keys() - THREADS_ONLY:
        if "where" not in results[name] and not any(each.startswith(f"{name}, ") for each in results):
            raise RuntimeError(f"the caller {name} made no load in a child process or worker thread")
    return {f"{name}, threads" if name in THREADS_ONLY else name: result for name, result in results.items()}


# The errors that an event allows, as a regular expression. Events of LOADS run one after the other.
NONE = "(?!)"
IN_CHILD = "CLOSED|RuntimeError"  # Rule 11: calls in a child process fail at once.
LOADS = {
    killed_and_back: NONE,
    one_of_two_killed: NONE,
    one_of_two_hangs: NONE,
    one_of_two_stopped: NONE,
    short_deadlines: "DEADLINE_EXCEEDED",
    token_busy: "TOKEN_BUSY|DEADLINE_EXCEEDED",
}
# No call fails here, also on a busy machine. A measurement runs them one after the other.
CHANGES = {
    authority_rotated: NONE,
    client_certificate_renewed: NONE,
    connections_age: NONE,
    daemon_certificate_renewed: NONE,
}
# These events run at the same time, because their callers wait for timeouts most of the time.
WAITS = FAULTS | {
    close_under_load: "CLOSED|CANCELLED",
    fork_or_workers: NONE,
    address_changed: NONE,
}
EVENTS = LOADS | CHANGES | WAITS


def rows(event, commands, key, arguments, scratch, together):
    """Runs an event beside others. Returns the row of each caller in the table, and the number of failures."""
    folder = os.path.join(scratch, event.__name__)
    try:
        world = World(*arguments, folder)
        try:
            callers = Callers(commands, key, world.environment, warm_up=WARM_UP if CHECK else 1, together=together)
            results = event(world, callers)
        finally:
            world.close()
    except NotPossible:
        return [f"| {event.__name__} | all | | not possible here | | | | |"], 0
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as e:
        return [f"| {event.__name__} | all | | FAILED: {' '.join(str(e).split())} | | | | **no** |"], 1
    table, failures = [], 0
    for name, result in results.items():
        good = as_allowed(event, result)
        failures += result["wrong"] > 0 or (CHECK and not good)
        text = cells(result).replace(f"{folder}/", "")
        table.append(f"| {event.__name__} | {name} | {text} | {'yes' if good else '**no**'} |")
    return table, failures


def as_allowed(event, result):
    in_child = result.get("where") == "child process"
    allowed = IN_CHILD if in_child else EVENTS[event]
    some_right = result["right"] > 0 or in_child or event in FAULTS
    return some_right and not result["wrong"] and all(re.fullmatch(allowed, each) for each in result["errors"])


def cells(result):
    errors = [f"{count} {reason}" for reason, count in sorted(result["errors"].items())]
    if result["wrong"]:
        errors.append(f"{result['wrong']} wrong")
    text = ", ".join(errors).replace("|", "/") or "0"
    times = f"{result['p50_ms']:.1f} | {result['p99_ms']:.1f} | {result['max_ms']:.0f}" if "p50_ms" in result else "| |"
    return f"{result['calls']} | {text} | {times}"


def main():
    binary, made, module, faults, key, scratch = sys.argv[1:7]
    commands = {name: shlex.split(command) for name, command in (each.split("=", 1) for each in sys.argv[7:])}
    chosen = os.environ.get("HMACD_EVENTS", "")
    names = chosen.split(",") if chosen else [event.__name__ for event in EVENTS]
    unknown = set(names) - {event.__name__ for event in EVENTS}
    if unknown:
        sys.exit(f"unknown events: {', '.join(sorted(unknown))}")
    print(
        "| event | caller | calls | errors | p50, ms | p99, ms | max, ms | as allowed |"
        "\n| --- | --- | ---: | --- | ---: | ---: | ---: | --- |"
    )
    run = functools.partial(
        rows, commands=commands, key=key, arguments=(binary, made, module, faults), scratch=scratch
    )
    failures = 0
    for events, together in ((LOADS, 1), (CHANGES, 1 if CHECK else TOGETHER), (WAITS, TOGETHER)):
        selected = [event for event in events if event.__name__ in names]
        with concurrent.futures.ThreadPoolExecutor(together) as pool:
            for table, failed in pool.map(functools.partial(run, together=together), selected):
                print("\n".join(table), flush=True)
                failures += failed
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
