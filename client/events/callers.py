"""The processes of the callers. README.md says what a caller does."""

import json
import re
import subprocess
import time

RATE = 200  # Calls a second of a caller, at most.
RATE_TOGETHER = 600  # Calls a second of all callers, at most: more of them overload a machine with two cores.
LIMIT = 60  # Seconds.
READY = b"ready\n"
# The text of an error, by rule 8 of BEHAVIOR.md.
ERROR_TEXT = re.compile(r"\b[A-Z][A-Z_]+: .*(?= \((?:target |no target))")


class Callers:
    """The caller of each language, for the world of one event."""

    def __init__(self, commands, key, environment, warm_up=1, together=1):
        """
        commands: the command of each caller by its name.
        environment: a function that returns the environment with the present settings of the client.
        warm_up: the number of calls of a caller before its load.
        together: the number of events at the same time.
        """
        self._commands = commands
        self._key = key
        self._environment = environment
        self._warm_up = warm_up
        self._max_rate = min(RATE, RATE_TOGETHER // (len(commands) * together))

    @property
    def count(self):
        return len(self._commands)

    def start(self, seconds, rate=None, wrapper=(), **settings):
        """Starts the loads of all callers at the same time, after the first MAC of each.

        The callers start one after the other: on a busy machine, six cold programs at the same time can need longer
        for their first calls than the timeout of a call.

        rate: calls a second of each caller. Without it, as many as the machine allows, up to 200.
        wrapper: a command that runs the command after its own arguments. settings: more variables.
        """
        rate = rate or self._max_rate
        load = {"HMACD_LOAD_RATE": rate, "HMACD_LOAD_SECONDS": seconds, "HMACD_LOAD_WARM_UP": self._warm_up}
        environment = self._environment() | {name: str(value) for name, value in load.items()} | settings
        processes = {}
        try:
            for name, command in self._commands.items():
                processes[name] = _start([*wrapper, *command, self._key], environment)
                if processes[name].stdout.readline() != READY:
                    processes[name].kill()
                    error = processes[name].stderr.read()[-1000:].decode()
                    raise RuntimeError(f"the caller {name} did not start: {error}")
            return Load(processes, seconds)
        except (OSError, RuntimeError):
            _kill(processes)
            raise

    def first_errors(self, **settings):
        """Runs callers whose first call must fail. Returns the text of the error of each as its result."""
        environment = self._environment() | {"HMACD_LOAD_RATE": "1", "HMACD_LOAD_SECONDS": "1"} | settings
        processes = {name: _start([*command, self._key], environment) for name, command in self._commands.items()}
        return {
            name: {"calls": 1, "right": 0, "wrong": 0, "errors": {text: 1}}
            for name, text in ((name, _first_error(name, process)) for name, process in _ended(processes, LIMIT))
        }


def _start(command, environment):
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        bufsize=0,  # Otherwise readline could read more than a line.
    )  # fmt: skip


class Load:
    """One process of each caller. The constructor starts all loads."""

    def __init__(self, processes, seconds):
        self._processes = processes
        self._seconds = seconds
        for process in processes.values():
            process.stdin.write(b"\n")

    def results(self):
        """Waits for the end of each caller. Returns the result of each by its name.

        The name of a second result of a caller also has the field `where`.
        """
        results = {}
        for name, (process, output, errors) in _ended(self._processes, self._seconds + LIMIT):
            if process.returncode != 0 or not output:
                raise RuntimeError(f"the caller {name} exited with {process.returncode}: {errors[-1000:]}")
            for result in map(json.loads, output.splitlines()):
                results[f"{name}, {result['where']}" if "where" in result else name] = result
        return results


def _ended(processes, seconds):
    """Yields (name, (process, output, errors)) of each process after its end. Kills all processes at the end."""
    end = time.monotonic() + seconds
    try:
        for name, process in processes.items():
            output, errors = process.communicate(timeout=max(1, end - time.monotonic()))
            yield name, (process, output.decode(), errors.decode())
    finally:
        _kill(processes)


def _kill(processes):
    for process in processes.values():
        process.kill()


def _first_error(name, ended):
    process, output, errors = ended
    if process.returncode == 0 or output:
        raise RuntimeError(f"the first call of the caller {name} did not fail")
    found = ERROR_TEXT.search(errors)
    if found:
        return found.group()
    # The error of a constructor may have another form. It is before or after a stack trace, which is indented.
    lines = [line for line in errors.splitlines() if "certificate" in line and not line.startswith((" ", "\t"))]
    return lines[0] if lines else errors[-200:]
