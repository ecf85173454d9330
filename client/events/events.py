"""Runs the table of events: what a caller at 200 calls/s sees while daemons, certificates and connections change.

    events.py BINARY MADE MODULE KEY SCRATCH NAME=COMMAND...

The callers of all languages run at the same time.

BINARY is the daemon's launcher, MADE the folder of a stopped `hmacd dev` with KEY on its token, MODULE the path of the
token's PKCS#11 module, and SCRATCH an empty folder. Each NAME=COMMAND is a caller of one language; README.md says what
a caller does. HMACD_EVENTS selects events by their names, separated by commas. HMACD_EVENTS_SECONDS is the duration of a
hang (6). Prints a table in Markdown. Exits with 1 if a caller got a wrong MAC, failed or hung. With HMACD_EVENTS_CHECK=1,
also exits with 1 if a caller saw an error that the event does not allow: on a busy machine, calls can be late.
"""

import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import time

from daemon import Daemon
from pki import Authority, bundle

RATE = 200  # Calls a second.
CHECK = os.environ.get("HMACD_EVENTS_CHECK") == "1"
HANG = float(os.environ.get("HMACD_EVENTS_SECONDS", "6"))
LIMIT = 60  # Seconds.


class World:
    """Daemons with one key, an authority for them and an authority for the clients, and the files of the caller."""

    def __init__(self, binary, made, module, scratch):
        self._binary, self._made, self._module = binary, made, module
        self.folder = pathlib.Path(scratch)
        self.folder.mkdir(parents=True)
        self.authority = Authority(self.folder / "daemons")
        self.clients = Authority(self.folder / "clients")
        self.ca, self.certificate, self.key = (self.folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
        bundle(self.ca, self.authority)
        self.clients.issue("client", self.certificate, self.key)
        self.daemons = []

    def daemon(self, limits=""):
        """Starts one more daemon. `limits` is the content of `grpc.limits`."""
        folder = self.folder / f"daemon-{len(self.daemons)}"
        daemon = Daemon(self._binary, self._made, folder, self._module, limits)
        self.authority.issue("server", daemon.file("server.pem"), daemon.file("server-key.pem"))
        bundle(daemon.file("client-ca.pem"), self.clients)
        self.daemons.append(daemon)
        daemon.start()
        return daemon

    def environment(self):
        return dict(
            os.environ, HMACD_TARGET=",".join(each.target for each in self.daemons), HMACD_CA=str(self.ca),
            HMACD_CERT=str(self.certificate), HMACD_KEY=str(self.key),
        )  # fmt: skip

    def close(self):
        for daemon in self.daemons:
            daemon.stop()


class Callers:
    """One process of each caller, at the same time. The constructor returns after the first MAC of each."""

    def __init__(self, commands, key, environment, seconds):
        self._seconds = seconds
        self._processes = {}
        try:
            for name, command in commands.items():
                self._processes[name] = subprocess.Popen(
                    [*command, key], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, text=True,
                )  # fmt: skip
            for name, process in self._processes.items():
                if process.stdout.readline() != "ready\n":
                    self.kill()
                    raise RuntimeError(f"the caller {name} did not start: {process.stderr.read()[-1000:]}")
        except OSError:
            self.kill()
            raise

    def kill(self):
        for process in self._processes.values():
            process.kill()

    def results(self):
        """Waits for the end of each caller. Returns the result of each by its name."""
        results = {}
        end = time.monotonic() + self._seconds + LIMIT
        try:
            for name, process in self._processes.items():
                output, errors = process.communicate(timeout=max(1, end - time.monotonic()))
                if process.returncode != 0:
                    raise RuntimeError(f"the caller {name} exited with {process.returncode}: {errors[-1000:]}")
                results[name] = json.loads(output)
        finally:
            self.kill()
        return results


# --- Events: each gets the world and a function that starts the callers, and returns their results ---


def killed_and_back(world, call):
    daemon = world.daemon()
    callers = call(8)
    time.sleep(2)
    daemon.kill()
    time.sleep(1.5)
    daemon.start()
    return callers.results()


def one_of_two_killed(world, call):
    world.daemon()
    killed = world.daemon()
    callers = call(6)
    time.sleep(2)
    killed.kill()
    return callers.results()


def one_of_two_hangs(world, call):
    world.daemon()
    hanging = world.daemon()
    callers = call(HANG + 4)
    time.sleep(2)
    hanging.send(signal.SIGSTOP)
    time.sleep(HANG)
    hanging.send(signal.SIGCONT)
    return callers.results()


def one_of_two_stopped(world, call):
    world.daemon()
    stopped = world.daemon()
    callers = call(6)
    time.sleep(2)
    stopped.send(signal.SIGTERM)
    return callers.results()


def connections_age(world, call):
    world.daemon(limits="connection_age: 2s")
    return call(8).results()


def authority_rotated(world, call):
    """The caller trusts both authorities first, then the daemon gets a certificate of the new one."""
    daemon = world.daemon()
    callers = call(14)
    new = Authority(world.folder / "new-daemons")
    bundle(world.ca, world.authority, new)
    time.sleep(6)  # The caller has read the file.
    new.issue("server", daemon.file("server.pem"), daemon.file("server-key.pem"))
    time.sleep(3)
    bundle(world.ca, new)
    return callers.results()


def daemon_certificate_renewed(world, call):
    daemon = world.daemon()
    callers = call(6)
    world.authority.issue("server", daemon.file("server.pem"), daemon.file("server-key.pem"))
    return callers.results()


def client_certificate_renewed(world, call):
    """The first certificate ends while the caller runs."""
    world.clients.issue("client", world.certificate, world.key, seconds=14)
    world.daemon()
    callers = call(18)
    time.sleep(1)
    world.clients.issue("client", world.certificate, world.key)
    return callers.results()


def short_deadlines(world, call):
    """The deadline of 50 ms has passed before the daemon answers: every call ends, and none hangs."""
    daemon = world.daemon()
    callers = call(6, HMACD_LOAD_TIMEOUT_MS="50")
    time.sleep(2)
    daemon.send(signal.SIGSTOP)
    time.sleep(2)
    daemon.send(signal.SIGCONT)
    return callers.results()


# The reasons of errors that an event allows. All other events allow none.
EVENTS = {
    killed_and_back: (),
    one_of_two_killed: (),
    one_of_two_hangs: (),
    one_of_two_stopped: (),
    connections_age: (),
    authority_rotated: (),
    daemon_certificate_renewed: (),
    client_certificate_renewed: (),
    short_deadlines: ("DEADLINE_EXCEEDED",),
}


def run(event, commands, key, arguments, scratch):
    """Returns the result of each caller by its name."""
    world = World(*arguments, scratch)

    def call(seconds, **settings):
        load = {"HMACD_LOAD_RATE": str(RATE), "HMACD_LOAD_SECONDS": str(seconds)}
        return Callers(commands, key, world.environment() | load | settings, seconds)

    try:
        return event(world, call)
    finally:
        world.close()


def row(result, allowed):
    """Returns the cells of a result, and whether the run may pass with it."""
    errors = result["errors"]
    none_wrong = result["wrong"] == 0
    as_allowed = none_wrong and result["right"] > 0 and all(reason in allowed for reason in errors)
    text = ", ".join(f"{count} {reason}" for reason, count in sorted(errors.items())) or "0"
    if result["wrong"]:
        text += f", {result['wrong']} wrong"
    times = f"{result['p50_ms']:.1f} | {result['p99_ms']:.1f} | {result['max_ms']:.0f}"
    return f"{result['calls']} | {text} | {times} | {'yes' if as_allowed else '**no**'}", as_allowed if CHECK else none_wrong


def main():
    binary, made, module, key, scratch = sys.argv[1:6]
    commands = {name: shlex.split(command) for name, command in (each.split("=", 1) for each in sys.argv[6:])}
    chosen = os.environ.get("HMACD_EVENTS", "")
    names = chosen.split(",") if chosen else [event.__name__ for event in EVENTS]
    unknown = set(names) - {event.__name__ for event in EVENTS}
    if unknown:
        sys.exit(f"unknown events: {', '.join(sorted(unknown))}")
    print(
        "| event | caller | calls | errors | p50, ms | p99, ms | max, ms | as allowed |"
        "\n| --- | --- | ---: | --- | ---: | ---: | ---: | --- |"
    )
    failures = 0
    for event, allowed in EVENTS.items():
        if event.__name__ not in names:
            continue
        try:
            results = run(event, commands, key, (binary, made, module), os.path.join(scratch, event.__name__))
        except (OSError, RuntimeError, subprocess.TimeoutExpired) as e:
            print(f"| {event.__name__} | all | | FAILED: {e} | | | | **no** |", flush=True)
            failures += 1
            continue
        for name, result in results.items():
            cells, good = row(result, allowed)
            failures += not good
            print(f"| {event.__name__} | {name} | {cells} |", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
