"""What error_reason.proto and BEHAVIOR.md say about each reason."""

import pathlib
import re
from dataclasses import dataclass
from enum import Enum

import grpc

from hmacd._stubs import error_reason_pb2

ROOT = pathlib.Path(__file__).parents[2]
PREFIX = "ERROR_REASON_"
# The daemon forbids a retry by gRPC itself after these codes: the comment of ErrorReason.
NO_RETRY_CODES = {"RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "INTERNAL"}
TYPES = {
    "KMS_INVALID_MAC": "InvalidMac",
    "MESSAGE_TOO_LONG": "MessageTooLong",
    "REQUEST_TOO_LONG": "MessageTooLong",
    "DEADLINE_EXCEEDED": "DeadlineExceeded",
}


class Retry(Enum):
    """What follows a failed attempt."""

    NEVER = "no retry"
    ONCE = "one retry"
    AGAIN = "next"


@dataclass(frozen=True)
class Reason:
    name: str
    code: grpc.StatusCode
    retry_info: bool
    """Whether the daemon sends `google.rpc.RetryInfo`: `[retry]`."""
    retry: Retry
    may_have_run: bool

    @property
    def type(self):
        return TYPES.get(self.name, "Hmacd")

    @property
    def retryable(self):
        return self.retry_info or self.name == "DEADLINE_EXCEEDED"

    @property
    def forbids_retry(self):
        """Whether the daemon sends `grpc-retry-pushback-ms: -1`."""
        return not self.retry_info and self.code.name in NO_RETRY_CODES


def read():
    """The reasons of the stubs by their names.

    :raises ValueError: if a reason of the stubs has no comment with a code, or if proto and BEHAVIOR.md differ
    """
    proto, behavior = ROOT / "proto/hmacd/v1/error_reason.proto", ROOT / "client/BEHAVIOR.md"
    return parse(proto.read_text(), behavior.read_text())


def parse(proto, behavior):
    """`read`, with the texts of both files."""
    comments = _comments(proto)
    actions, executed = _actions(behavior), _executed(behavior)
    reasons = {}
    for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values:
        name = value.name.removeprefix(PREFIX)
        if value.number == 0:
            continue
        code = re.match(r"([A-Z_]+):", comments.get(name, ""))
        if not code:
            raise ValueError(f"error_reason.proto has no code for {name}")
        retry = actions.pop(name, Retry.NEVER)
        marked, may_have_run = "[retry]" in comments[name], not executed.isdisjoint({name, code[1]})
        reasons[name] = Reason(name, grpc.StatusCode[code[1]], marked, retry, may_have_run)
    if actions:
        raise ValueError(f"BEHAVIOR.md has reasons that the stubs do not have: {', '.join(actions)}")
    retried = {name for name, reason in reasons.items() if reason.retry is not Retry.NEVER}
    marked = {name for name, reason in reasons.items() if reason.retry_info}
    # The retry after UNAUTHENTICATED is over a new channel, not to the same daemon later.
    if different := (retried - {"UNAUTHENTICATED"}) ^ marked:
        raise ValueError(f"BEHAVIOR.md and error_reason.proto differ: {', '.join(sorted(different))}")
    return reasons


def _comments(proto):
    """The comment above each value."""
    found = re.finditer(rf"((?:^ *//.*\n)+) *{PREFIX}([A-Z_0-9]+) = \d+;", proto, re.MULTILINE)
    return {each[2]: re.sub(r"\s*//\s*", " ", each[1]).strip() for each in found}


def _actions(behavior):
    """The action of each reason in the table of rule 6."""
    actions = {}
    for failures, action in re.findall(r"^\| (.*) \| (.*) \|$", _rule(6, behavior), re.MULTILINE):
        retry = next((each for each in Retry if each.value in action), None)
        for name in re.findall(r"`([A-Z_]+)`", failures):
            if name != "UNAVAILABLE":  # A code, not a reason.
                actions[name] = retry
    if None in actions.values():
        raise ValueError("BEHAVIOR.md has an unknown action in the table of rule 6")
    return actions


def _executed(behavior):
    """The codes and reasons with which the daemon may have executed a call: a sentence of rule 8."""
    sentence = re.search(r"The daemon may have executed a call that fails with [^.]*", _rule(8, behavior))
    if not sentence:
        raise ValueError("rule 8 of BEHAVIOR.md does not say which calls may have run")
    return set(re.findall(r"`([A-Z_]+)`", sentence[0]))


def _rule(number, behavior):
    return behavior.partition(f"\n## {number}.")[2].partition("\n## ")[0]
