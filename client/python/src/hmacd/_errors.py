"""The errors of calls."""

from __future__ import annotations

from typing import Any


class HmacdError(Exception):
    """A call failed. Errors without a subclass of their own have this class.

    `reason` is the name of an `ErrorReason` of the daemon without its prefix, or a local reason:
    CONNECTION_FAILED, TLS_FAILED, DEADLINE_EXCEEDED, CANCELLED, CLOSED, MESSAGE_TOO_LONG or
    INVALID_ARGUMENT. An answer without a reason of hmacd has the name of its gRPC status code.

    Only `InvalidMac` means that a MAC is wrong. The error can be pickled.
    """

    def __init__(
        self,
        reason: str,
        what: str,
        *,
        retryable: bool = False,
        may_have_run: bool = False,
        target: str = "",
        attempts: int = 0,
        request_id: str = "",
    ) -> None:
        """
        :param reason: why the call failed
        :param what: what is wrong, one line, without secrets
        :param retryable: whether the same call may succeed later
        :param may_have_run: false only if the daemon certainly has not executed the call
        :param target: the target of the last attempt; empty if there was none
        :param attempts: the number of attempts, 0 or more
        :param request_id: the request id of the last answer; empty if there was none
        """
        where = f"target {target}" if target else "no target"
        super().__init__(f"{reason}: {what} ({where}, {attempts} attempts)")
        self.reason = reason
        self.what = what
        self.retryable = retryable
        self.may_have_run = may_have_run
        self.target = target
        self.attempts = attempts
        self.request_id = request_id

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), str(self), self.__dict__)


def _restore(kind: type[HmacdError], text: str, state: dict[str, Any]) -> HmacdError:
    error = kind.__new__(kind, text)
    error.args = (text,)
    error.__dict__.update(state)
    return error


class InvalidMac(HmacdError):
    """The MAC is wrong. Do not trust the message."""


class MessageTooLong(HmacdError):
    """The message has `size` bytes, more than `limit`. A number that is not known is 0.

    With the reason REQUEST_TOO_LONG, both are numbers of the request.
    """

    def __init__(self, reason: str, what: str, *, limit: int, size: int, **fields: Any) -> None:
        super().__init__(reason, what, **fields)
        self.limit = limit
        self.size = size


class TlsFailed(HmacdError):
    """TLS with the daemon failed. The text has the cause."""


class Closed(HmacdError):
    """The client is closed."""


class DeadlineExceeded(HmacdError):
    """The deadline of the call, or the limit of the daemon, passed before the answer."""
