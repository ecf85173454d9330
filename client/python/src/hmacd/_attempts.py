"""The attempts of a call, without input and output.

`attempts` is a generator: it yields steps, and the driver sends the result of each. The synchronous
and the asyncio client are two drivers of the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from google.protobuf.message import Message

from hmacd._budget import Budget
from hmacd._calls import Call
from hmacd._errors import (
    Closed,
    DeadlineExceeded,
    HmacdError,
    InvalidMac,
    MessageTooLong,
    TlsFailed,
)
from hmacd._failure import DAMAGE, Failure
from hmacd._picker import Pick, Picker
from hmacd._stubs.error_reason_pb2 import ErrorReason

R = TypeVar("R", bound=Message)


class Attempt(NamedTuple):
    """Send the request to a target. The result is an `Answer` or a `Failure`."""

    target: int
    timeout: float
    """Seconds, more than 0."""
    wait_for_ready: bool


@dataclass(frozen=True, slots=True)
class Renew:
    """Read the certificates, and open a new channel to the target. The result is None."""

    target: int


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait for some seconds, or until the client cancels its calls. The result is None."""

    seconds: float


class Answer(NamedTuple, Generic[R]):
    response: R
    request_id: Callable[[], str]
    """Reads the trailers, which only the error of a damaged answer needs."""


Step: TypeAlias = Attempt | Renew | Sleep
Result: TypeAlias = "Answer[Any] | Failure | None"


@dataclass(frozen=True, slots=True)
class Rules:
    """The state that all calls of a client share."""

    targets: tuple[str, ...]
    attempt_timeout: float
    picker: Picker
    budget: Budget
    clock: Callable[[], float]
    """Monotonic, in seconds."""
    random: Callable[[], float]
    """From 0 to 1."""


@dataclass(slots=True)
class Progress:
    """What is known about a call. The driver may read it, also after the end of the call."""

    attempts: int = 0
    target: str = ""
    request_id: str = ""
    may_have_run: bool = False
    no_connection: Failure | None = None
    """Why the last attempt had no connection at its start."""
    before: str = ""
    """The reason of the attempt before the last one."""
    unknown_reason: bool = False
    """Whether the error has a reason of the daemon that this version does not know."""
    repeated: tuple[Action, ...] = ()


class Action(Enum):
    """What follows the failure of an attempt."""

    FAIL = auto()
    SUSPEND = auto()
    """Suspend the target, and use the next one."""
    BACK_OFF = auto()
    """Use the next target after a back-off."""
    ONCE_MORE = auto()
    RENEW = auto()
    """Once more, over a new channel."""


_ACTIONS = {
    "STOPPING": Action.SUSPEND,
    "TOKEN_UNAVAILABLE": Action.BACK_OFF,
    "KEY_UNAVAILABLE": Action.BACK_OFF,
    "REGISTRY_UNAVAILABLE": Action.BACK_OFF,
    "TOKEN_BUSY": Action.BACK_OFF,
    "REGISTRY_BUSY": Action.BACK_OFF,
    "MEMORY_BUSY": Action.BACK_OFF,
    "CHECKSUM_MISMATCH": Action.ONCE_MORE,
    "UNAUTHENTICATED": Action.RENEW,
}
_RETRYABLE = {
    *(reason for reason in _ACTIONS if reason != "UNAUTHENTICATED"),
    "CONNECTION_FAILED",
    "DEADLINE_EXCEEDED",
}
_KNOWN = {name.removeprefix("ERROR_REASON_") for name in ErrorReason.keys()} - {"UNSPECIFIED"}
# The daemon refuses the request before it executes it: all reasons of the contract but these.
_NOT_RUN = _KNOWN - {
    "KMS_INVALID_MAC",
    "DRY_RUN_OPERATION",
    "MEMORY_BUSY",
    "DEADLINE_EXCEEDED",
    "TOKEN_UNAVAILABLE",
    "KEY_UNAVAILABLE",
    "REGISTRY_UNAVAILABLE",
    "STOPPING",
    "INTERNAL",
}


def attempts(
    call: Call[R], deadline: float, rules: Rules, progress: Progress
) -> Generator[Step, Result, Answer[R]]:
    """The steps of a call. Returns the answer, which is not damaged.

    :param deadline: a time of the clock of `rules`
    :raises HmacdError: if the call failed
    """
    picker, clock = rules.picker, rules.clock
    pick = picker.pick(clock())
    while True:
        try:
            # A change is not repeated, so it has the whole time of the call.
            remaining = deadline - clock()
            limited = call.repeatable and pick.others and remaining > rules.attempt_timeout
            result: Result = _DEADLINE
            if remaining > 0:
                progress.attempts += 1
                progress.target = rules.targets[pick.target]
                progress.no_connection = None
                timeout = rules.attempt_timeout if limited else remaining
                result = yield Attempt(pick.target, timeout, wait_for_ready=False)
                if pick.waits and isinstance(result, Failure) and result.not_sent:
                    result = yield from _waiting(pick, result, deadline, rules, progress)
        except BaseException:
            picker.abandoned(pick)
            raise
        if isinstance(result, Answer):
            if picker.suspended:
                picker.answered(pick)
            if call.intact(result.response):
                if progress.attempts == 1 and not rules.budget.full:
                    rules.budget.earn()
                return result
            failure = replace(DAMAGE, request_id=result.request_id())
        else:
            assert result is not None
            failure = result
        progress.request_id = failure.request_id or progress.request_id
        damaged = isinstance(result, Answer)
        refused = failure.reason in _NOT_RUN and not damaged
        progress.may_have_run |= not (failure.not_sent or refused)

        action = _action(failure, limited)
        if action is Action.SUSPEND:
            picker.failed(pick, clock())
        elif failure.reason:
            picker.answered(pick)
        else:
            picker.abandoned(pick)
        delay = _delay(action, failure, rules, progress)
        in_time = delay == 0 or clock() + delay < deadline
        if not (in_time and _repeated(action, call, failure, rules, progress)):
            raise _error(call, failure, progress)
        progress.before = failure.reason or failure.text

        if action is Action.RENEW:
            yield Renew(pick.target)
            pick = picker.repeat(pick, clock())
            continue
        if delay > 0:
            yield Sleep(delay)
        pick = picker.pick(clock(), avoid=pick.target)


def _waiting(
    pick: Pick, failure: Failure, deadline: float, rules: Rules, progress: Progress
) -> Generator[Step, Result, Result]:
    """The attempt again, with a call that waits for its connection.

    Such a call never says why there is no connection, so `failure` is that of a call before it.
    """
    progress.no_connection = failure
    remaining = deadline - rules.clock()
    if remaining <= 0:
        return _DEADLINE
    return (yield Attempt(pick.target, remaining, wait_for_ready=True))


_DEADLINE = Failure(code="DEADLINE_EXCEEDED", not_sent=True)


def _action(failure: Failure, limited: bool) -> Action:
    if limited and failure.code == "DEADLINE_EXCEEDED":
        return Action.SUSPEND  # Also if the daemon noticed it first.
    if _is_marked_unknown(failure):
        return Action.BACK_OFF
    if failure.reason:
        return _ACTIONS.get(failure.reason, Action.FAIL)
    return Action.SUSPEND if failure.code == "UNAVAILABLE" else Action.FAIL


def _is_unknown(failure: Failure) -> bool:
    """Whether a daemon gave a reason that this version does not know, or a local reason."""
    return failure.reason != "" and failure.reason not in _KNOWN


def _is_marked_unknown(failure: Failure) -> bool:
    """Whether a newer daemon permits a retry (RetryInfo) after a reason of its own."""
    return failure.retry_after is not None and _is_unknown(failure)


def _repeated(
    action: Action, call: Call[Any], failure: Failure, rules: Rules, progress: Progress
) -> bool:
    """Whether the attempt is repeated. Takes the token of the retry."""
    if action is Action.FAIL or not call.repeatable or failure.no_retry:
        return False
    if action in {Action.ONCE_MORE, Action.RENEW}:
        if action in progress.repeated:
            return False
        progress.repeated += (action,)
    return failure.not_sent or rules.budget.take()


def _delay(action: Action, failure: Failure, rules: Rules, progress: Progress) -> float:
    """Seconds before the next attempt. A suspension needs none while another target is usable."""
    if action in {Action.ONCE_MORE, Action.RENEW}:
        return 0
    if action is Action.SUSPEND and rules.picker.any_usable(rules.clock()):
        return 0
    if failure.retry_after == 0:
        return 0  # The daemon says that a wait changes nothing.
    back_off = rules.random() * min(0.05 * 2.0 ** min(progress.attempts - 1, 5), 1.0)
    return (failure.retry_after or 0) + back_off  # Clients do not retry together.


def _error(call: Call[Any], failure: Failure, progress: Progress) -> HmacdError:
    fields: dict[str, Any] = {
        "may_have_run": progress.may_have_run,
        "target": progress.target,
        "attempts": progress.attempts,
        "request_id": progress.request_id,
    }
    reason = failure.reason or failure.code
    what = failure.text
    if _is_unknown(failure):
        progress.unknown_reason = True
        return HmacdError(reason, what, retryable=_is_marked_unknown(failure), **fields)
    if reason == "KMS_INVALID_MAC":
        return InvalidMac(reason, what, **fields)
    if reason in {"MESSAGE_TOO_LONG", "REQUEST_TOO_LONG"}:
        is_request = reason == "REQUEST_TOO_LONG"
        size = call.request.ByteSize() if is_request else failure.given or call.size
        return MessageTooLong(reason, what, limit=failure.maximum, size=size, **fields)
    if reason == "DEADLINE_EXCEEDED":
        return _too_late(failure, progress, fields)
    if failure.tls:
        return TlsFailed("TLS_FAILED", what, **fields)
    if reason == "UNAVAILABLE":
        reason = "CONNECTION_FAILED"
    return HmacdError(reason, what, retryable=reason in _RETRYABLE, **fields)


def _too_late(failure: Failure, progress: Progress, fields: dict[str, Any]) -> HmacdError:
    """The error at the deadline, with the cause if there was no connection."""
    no_connection = progress.no_connection
    if not failure.reason and no_connection and no_connection.tls:
        return TlsFailed("TLS_FAILED", no_connection.text, **fields)
    what = "the deadline passed"
    if not failure.reason and no_connection:
        what += f": {no_connection.text}"
    elif progress.before:
        what += f" after {progress.before}"
    return DeadlineExceeded("DEADLINE_EXCEEDED", what, retryable=True, **fields)


def closed(progress: Progress) -> Closed:
    """The error of a call that `close` cancelled, or refused."""
    return Closed(
        "CLOSED",
        "the client is closed",
        may_have_run=progress.attempts > 0,
        target=progress.target,
        attempts=progress.attempts,
        request_id=progress.request_id,
    )
