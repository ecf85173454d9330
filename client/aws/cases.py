#!/usr/bin/env python3
"""Tries the cases of cases.json through a client: cases.py NAME COMMAND...

NAME is the client's in the "not" of cases. COMMAND makes the calls: it reads each as a line of JSON, and answers so.

    {"call": "GenerateMac", "input": {...}, "credentials": null, "pages": false}
    {"answer": {...}}
    {"error": "NotFoundException", "status": 400, "message": "..."}

Credentials are a list of an access key's id and secret, or null for those of the environment. With "pages" the answer
has the lists of all pages, each asked for with one item. An answer leaves out what is absent; "status" is left out by
a client that does not show it; a "message" is null where the error has no text. Whatever else goes wrong is
{"fault": "..."}.

README.md says what is in a case. Each gets a line: "ok - ", "not ok - " or "skipped: ", and its name.
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
    """What a case says is not so."""


def main(client, command):
    cases = json.loads(Path(__file__).with_name("cases.json").read_text(encoding="utf-8"))
    check_table(cases)
    # Without retries, so that a fault of the daemon's is seen.
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
            caller.communicate(timeout=ANSWER_LIMIT_SECONDS)  # Tells it that there is no more, and waits for its end.
        except subprocess.TimeoutExpired:
            caller.kill()
        if caller.wait() != 0:
            print(f"not ok - the caller ended with {caller.returncode}")
            failures += 1
    return min(failures, 1)


def check_table(cases):
    """A slip of the pen must not make a case that checks nothing."""
    names = set()
    for case in cases:
        well_formed = (
            case.keys() <= MEMBERS and ("answer" in case) != ("error" in case)
            and set(case.get("not", ())) <= CLIENTS and ("error" in case or "message" not in case)
        )
        if not well_formed or case["name"] in names:
            sys.exit(f"cases.json: not a case, or there twice: {case}")
        names.add(case["name"])


def check(case, caller, variables):
    seen = ask(caller, {
        "call": case["call"],
        "input": filled_in(case["input"], variables),
        "credentials": credentials(case.get("as")),
        "pages": case.get("pages", False),
    })
    if "error" in case:
        check_error(case, seen, variables)
        return
    if "answer" not in seen:
        raise Mismatch(f"no answer, but {seen}")
    expected, answer = filled_in(case["answer"], variables), seen["answer"]
    same = all_listed if case.get("pages") else matches
    if not same(expected, answer):
        raise Mismatch(f"want {json.dumps(expected)}, got {json.dumps(answer)}")
    for name, path in case.get("save", {}).items():
        variables[name] = follow(path, answer)


def ask(caller, call):
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
        raise Mismatch("the caller has ended, or gave no answer in time and was ended")
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
    """The value with what the ${name} in its texts stand for."""
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
        raise Mismatch(f"no case saved {name}")
    return variables[name]


def matches(expected, seen):
    """Whether all that is expected is there, and nothing that is expected to be absent."""
    if expected is None or expected == "*":
        return (seen is None) == (expected is None)
    if isinstance(expected, dict):
        return isinstance(seen, dict) and all(matches(member, seen.get(name)) for name, member in expected.items())
    if isinstance(expected, list):
        return isinstance(seen, list) and len(seen) == len(expected) and all(map(matches, expected, seen))
    return type(seen) is type(expected) and seen == expected


def all_listed(expected, seen):
    """Whether the lists of the answer have the items of the lists that are expected, others beside them or not."""
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
