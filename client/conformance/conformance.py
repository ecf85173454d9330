"""Runs the conformance table: the same requests in all languages, with the outcomes of BEHAVIOR.md.

    conformance.py KEY SECRET SCRATCH NAME=COMMAND...

KEY is a key of the daemon in the environment (HMACD_TARGET, HMACD_CA, HMACD_CERT, HMACD_KEY), SECRET the file with
its bytes, and SCRATCH an empty folder. Each NAME=COMMAND is the program of one language; README.md says what a program
does. HMACD_CONFORMANCE selects cases by the starts of their names, separated by commas. Prints a table in Markdown,
and then the differences. Exits with 1 if there is one.
"""

import base64
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys
import threading
import time

import grpc

import cases
import reasons
from server import DESCRIBE, HEALTH, Server

LIMIT = 240  # Seconds, of one program.
USER_AGENT = "hmacd-"


class Program:
    """The program of one language. It answers one request at a time."""

    def __init__(self, command, target):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HMACD_")}
        self._process = subprocess.Popen(
            shlex.split(command), env=environment | {"HMACD_TARGET": target}, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._errors = ""
        self._reader = threading.Thread(target=self._read_errors)
        self._reader.start()
        self._timer = threading.Timer(LIMIT, self._process.kill)
        self._timer.start()

    def _read_errors(self):
        self._errors = self._process.stderr.read()

    def call(self, request):
        """Returns the outcome. Its bytes are bytes.

        :raises RuntimeError: if the program ended
        """
        try:
            self._process.stdin.write(json.dumps(encoded(request)) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._process.kill()
            self._reader.join()
            raise RuntimeError(f"the program ended: {self._errors[-1000:]}")
        outcome = json.loads(line)
        return outcome | ({"mac": base64.b64decode(outcome["mac"])} if "mac" in outcome else {})

    def close(self):
        self._timer.cancel()
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reader.join()


def encoded(request):
    """The request with its bytes in base64."""
    text = lambda value: base64.b64encode(value).decode() if isinstance(value, bytes) else value  # noqa: E731
    return {name: text(value) for name, value in request.items()}


# --- The comparison: each function returns what is different ---


def differences(step, language, outcome, server):
    attempts = server.attempts
    expected = dict(step.outcome) | step.differs.get(language, {})
    if expected.get("size") == "request":
        expected["size"] = len(attempts[-1].bytes) if attempts else -1
    arrived = expected.pop("arrived")
    if not fits(arrived, len(attempts)):
        yield f"{len(attempts)} attempts arrived, not {shown(arrived)}"
    for attempt in attempts:
        yield from of_attempt(attempt, step.request.get("timeout_ms", cases.TIMEOUT))
    for name, value in expected.items():
        if not fits(value, outcome.get(name)):
            yield f"{name} is {outcome.get(name)!r}, not {shown(value)}"
    if outcome["outcome"] != "error":
        return
    if "reason" not in outcome:
        yield f"the error is none of the package: {outcome['text']!r}"
        return
    if outcome["attempts"] == 0:  # A local error, also after an answer.
        attempts = []
    target = server.target if attempts else ""
    if outcome["target"] != target:
        yield f"target is {outcome['target']!r}, not {target!r}"
    request_id = next((each.request_id for each in reversed(attempts) if each.request_id), "")
    if outcome["request_id"] != request_id:
        yield f"request_id is {outcome['request_id']!r}, not {request_id!r}"
    yield from of_text(step.request, outcome)


def of_attempt(attempt, timeout):
    """What each request has.

    :param timeout: of the call, in milliseconds
    """
    if attempt.method == HEALTH:
        return
    if attempt.method != DESCRIBE and not attempt.checksums_fit():
        yield "a request has no checksums, or wrong ones"
    rounding = 0.1  # Seconds. gRPC rounds up.
    if attempt.seconds_left is None or attempt.seconds_left > timeout / 1000 + rounding:
        yield f"a request has the deadline {attempt.seconds_left} s"
    if not attempt.user_agent.startswith(USER_AGENT):
        yield f"user-agent is {attempt.user_agent!r}"


def of_text(request, outcome):
    """Rule 8: one line in a fixed form, without secrets."""
    text = outcome["text"]
    where = f"target {outcome['target']}" if outcome["target"] else "no target"
    end = f" ({where}, {outcome['attempts']} attempts)"
    # A type of Java has no reason of a newer daemon: the text has it.
    start = f"{outcome['reason']}: " if outcome["reason"] != "UNKNOWN" else ""
    if not text.startswith(start) or not text.endswith(end):
        yield f"the text is not {start!r}...{end!r}: {text!r}"
    if not text.isprintable():
        yield f"the text is not one line: {text!r}"
    if any(secret in text for secret in secrets(request)):
        yield f"the text has the message, the MAC or the name of the key: {text!r}"


def secrets(request):
    """The encodings of the fields that no text may have. Short fields could be in a text by chance."""
    for name in ("message", "mac"):
        content = request.get(name, b"")
        if len(content) >= 8:
            yield content.decode("latin-1")
            yield content.hex()
            yield base64.b64encode(content).decode()
    if "key" in request:
        yield request["key"]


def fits(expected, value):
    return expected(value) if callable(expected) else expected == value


def shown(expected):
    return "as expected" if callable(expected) else repr(expected)


# --- The run ---


def run(language, command, scratch, key, secret):
    """Returns the differences of each case by its name."""
    with channel() as daemon:
        server = Server(scratch / f"{language}.sock", daemon)
        program = Program(command, server.target)
        try:
            return dict(results(language, program, server, key, secret))
        finally:
            program.close()
            server.close()


def results(language, program, server, key, secret):
    chosen = tuple(os.environ.get("HMACD_CONFORMANCE", "").split(","))
    for group in cases.groups(reasons.read(), server.target, key, secret):
        program.call({"operation": "open"})
        for case in group:
            if case.name.startswith(chosen):
                yield case.name, list(of_case(case, language, program, server))


def of_case(case, language, program, server):
    for number, step in enumerate(case.steps, 1):
        server.plan(step.answers, step.then)
        outcome = program.call(step.request)
        for each in differences(step, language, outcome, server):
            yield f"step {number}, {step.request['operation']}: {each}"


def channel():
    """A channel to the daemon in the environment."""
    target = os.environ["HMACD_TARGET"]
    if target.startswith("unix:"):
        return grpc.insecure_channel(target)
    names = ("HMACD_CA", "HMACD_KEY", "HMACD_CERT")
    files = (pathlib.Path(os.environ[name]).read_bytes() for name in names)
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(*files))


def main():
    key, secret, scratch = sys.argv[1], pathlib.Path(sys.argv[2]).read_bytes(), pathlib.Path(sys.argv[3])
    scratch.mkdir(parents=True, exist_ok=True)
    commands = dict(each.split("=", 1) for each in sys.argv[4:])
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(len(commands)) as pool:
        runs = {name: pool.submit(run, name, command, scratch, key, secret) for name, command in commands.items()}
        found, broken = {}, {}
        for name, each in runs.items():
            try:
                found[name] = each.result()
            except (OSError, RuntimeError, ValueError) as e:
                found[name], broken[name] = {}, e
    seconds = time.monotonic() - start
    names = list(dict.fromkeys(case for results in found.values() for case in results))
    print(f"| case | {' | '.join(found)} |\n| --- |{' --- |' * len(found)}")
    for case in names:
        marks = ("**no**" if results.get(case, ["not run"]) else "yes" for results in found.values())
        print(f"| {case} | {' | '.join(marks)} |")
    lines = [f"{name}: {e}" for name, e in broken.items()]
    for name, results in found.items():
        lines += [f"{case}, {name}: {each}" for case in names for each in results.get(case, ())]
    counts = f"{len(names)} cases in {len(found)} languages, {seconds:.0f} s, {len(lines)} differences"
    print(f"\n{counts}", *lines, sep="\n")
    return 1 if lines or not names else 0


if __name__ == "__main__":
    sys.exit(main())
