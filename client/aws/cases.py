#!/usr/bin/env python3
"""Runs the cases of cases.json with a client: cases.py NAME COMMAND...

NAME is the name of the client in the member "not" of cases. COMMAND makes the calls. It reads each call as a line of
JSON, and writes a line with the outcome:

    {"call": "GenerateMac", "input": {...}, "credentials": null, "pages": false}
    {"answer": {...}}
    {"error": "NotFoundException", "status": 400, "message": "..."}

"credentials" is a list with the id and the secret of an access key, or null for the environment's. With "pages", the
answer has the lists of all pages of one item. An answer has no absent members. "status" is absent if the client does
not show it. "message" is null if the error has no text. Any other failure is {"fault": "..."}.

README.md describes the members of a case. The output has a line for each case: "ok - ", "not ok - " or "skipped: ",
and the name of the case.
"""

import base64
import json
import os
import re
import secrets
import subprocess
import sys
import threading
from pathlib import Path

CLIENTS = {"aws-cli", "boto3", "go", "java", "node", "wire"}
MEMBERS = {"name", "kms", "call", "input", "answer", "error", "message", "as", "pages", "save", "not"}
ANSWER_LIMIT_SECONDS = 60

CALLERS = {
    "nobody": ("HMACD_AKID2", "HMACD_SECRET2"),
    "wrong secret": ("AWS_ACCESS_KEY_ID", None),
    "unknown access key": (None, None),
}

MAKERS = {"letters": lambda number: "a" * number, "zeros": lambda number: base64.b64encode(bytes(number)).decode()}


class Mismatch(Exception):
    """A result that differs from the case."""


def main(client, command):
    cases = json.loads(Path(__file__).with_name("cases.json").read_text(encoding="utf-8"))
    check_table(cases)
    # Without retries, which could hide a fault of the daemon.
    with subprocess.Popen(
        command, env=os.environ | {"AWS_MAX_ATTEMPTS": "1"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as caller:
        variables = {
            "run": secrets.token_hex(4), "region": os.environ["AWS_REGION"], "nobody": os.environ["HMACD_ARN2"]
        }
        failures = 0
        for case in cases:
            if client in case.get("not", ()):
                print("skipped:", case["name"], flush=True)
                continue
            try:
                check(case, caller, variables)
                print("ok -", case["name"], flush=True)
            except Mismatch as mismatch:
                print(f"not ok - {case['name']}: {mismatch}", flush=True)
                failures += 1
        try:
            caller.communicate(timeout=ANSWER_LIMIT_SECONDS)  # Closes its input, and waits for its end.
        except subprocess.TimeoutExpired:
            caller.kill()
        if caller.wait() != 0:
            print(f"not ok - the client program exited with status {caller.returncode}")
            failures += 1
    return min(failures, 1)


def check_table(cases):
    """Checks the form of the cases: a misspelt member must not disable a check."""
    names = set()
    for case in cases:
        well_formed = (
            case.keys() <= MEMBERS and ("answer" in case) != ("error" in case)
            and set(case.get("not", ())) <= CLIENTS and ("error" in case or "message" not in case)
        )
        if not well_formed or case["name"] in names:
            sys.exit(f"cases.json: malformed or duplicate case: {case}")
        names.add(case["name"])


def check(case, caller, variables):
    seen = exchange(caller, {
        "call": case["call"],
        "input": filled_in(case["input"], variables),
        "credentials": credentials(case.get("as")),
        "pages": case.get("pages", False),
    })
    if "error" in case:
        check_error(case, seen, variables)
        return
    if "answer" not in seen:
        raise Mismatch(f"want an answer, got {seen}")
    expected, answer = filled_in(case["answer"], variables), seen["answer"]
    same = all_listed if case.get("pages") else matches
    if not same(expected, answer):
        raise Mismatch(f"want {json.dumps(expected)}, got {json.dumps(answer)}")
    for name, path in case.get("save", {}).items():
        variables[name] = follow(path, answer)


def exchange(caller, call):
    limit = threading.Timer(ANSWER_LIMIT_SECONDS, caller.kill)
    limit.start()
    try:
        caller.stdin.write(json.dumps(call) + "\n")
        caller.stdin.flush()
        line = caller.stdout.readline()
    except BrokenPipeError:
        line = ""
    finally:
        limit.cancel()
    if not line:
        raise Mismatch("the client program ended, or did not answer in time and was killed")
    return json.loads(line)


def check_error(case, seen, variables):
    if seen.get("error") != case["error"]:
        raise Mismatch(f"want {case['error']}, got {seen}")
    if seen.get("status", 400) != 400:
        raise Mismatch(f"want status 400, got {seen}")
    if "message" in case and seen.get("message") != filled_in(case["message"], variables):
        raise Mismatch(f"want the text {filled_in(case['message'], variables)!r}, got {seen}")


def credentials(caller):
    if caller is None:
        return None
    key_id, secret = CALLERS[caller]
    return [os.environ[key_id] if key_id else "AKIA" + "A" * 16, os.environ[secret] if secret else "s" * 40]


def filled_in(value, variables):
    """Returns the value with all ${name} in its texts replaced."""
    if isinstance(value, dict):
        return {name: filled_in(member, variables) for name, member in value.items()}
    if isinstance(value, list):
        return [filled_in(item, variables) for item in value]
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)(?::(\d+))?}", lambda found: meaning(*found.groups(), variables), value)
    return value


def meaning(name, number, variables):
    if number is not None:
        return MAKERS[name](int(number))
    if name not in variables:
        raise Mismatch(f"undefined variable {name}")
    return variables[name]


def matches(expected, seen):
    """Returns whether the value has all expected members, and no member that must be absent."""
    if expected is None or expected == "*":
        return (seen is None) == (expected is None)
    if isinstance(expected, dict):
        return isinstance(seen, dict) and all(matches(member, seen.get(name)) for name, member in expected.items())
    if isinstance(expected, list):
        return isinstance(seen, list) and len(seen) == len(expected) and all(map(matches, expected, seen))
    return type(seen) is type(expected) and seen == expected


def all_listed(expected, seen):
    """Returns whether the lists of the answer have all expected items. More items are allowed."""
    return all(
        any(matches(item, each) for each in seen.get(name, ())) for name, items in expected.items() for item in items
    )


def follow(path, answer):
    value = answer
    for step in path.split("."):
        try:
            value = value[int(step) if isinstance(value, list) else step]
        except (KeyError, IndexError, TypeError):
            raise Mismatch(f"{json.dumps(answer)} has no {path}") from None
    return value


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in CLIENTS - {"wire"}:
        sys.exit("usage: cases.py NAME COMMAND..., with a NAME of: " + ", ".join(sorted(CLIENTS - {"wire"})))
    sys.exit(main(sys.argv[1], sys.argv[2:]))
