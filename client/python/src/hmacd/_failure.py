"""The failure of one attempt, read from a gRPC error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from hmacd import _tls

_DOMAIN = "hmacd.dev"
_LONGEST_TEXT = 200
_LOCAL = {"CONNECTION_FAILED", "TLS_FAILED", "CANCELLED", "CLOSED", "INVALID_ARGUMENT"}
"""Reasons that only the client itself has."""


@dataclass(frozen=True, slots=True)
class Failure:
    """`reason` is empty if the failure is not from a daemon."""

    code: str
    reason: str = ""
    text: str = ""
    request_id: str = ""
    retry_after: float | None = None
    """The delay of the daemon's `google.rpc.RetryInfo`, in seconds, 0 or more."""
    no_retry: bool = False
    not_sent: bool = False
    """Whether the attempt certainly did not reach the daemon."""
    tls: bool = False
    """Whether TLS failed; `text` has the cause."""
    maximum: int = 0
    """The limit of the daemon, of a reason that has one."""
    given: int = 0
    """What the request has, of a reason that has it."""


DAMAGE = Failure(
    code="DATA_LOSS", reason="CHECKSUM_MISMATCH", text="the answer was damaged in transit"
)

UNREADABLE = Failure(code="INTERNAL", text="the answer is not from hmacd")


def of(error: Any) -> Failure:
    """Reads a `grpc.Call` that failed, or a `grpc.aio.AioRpcError`."""
    trailers = dict(error.trailing_metadata() or ())
    code = error.code().name
    pushback = str(trailers.get("grpc-retry-pushback-ms", "0"))
    common: dict[str, Any] = {
        "code": code,
        "request_id": request_id(error.trailing_metadata()),
        "no_retry": not pushback.isdecimal(),
    }
    info, retry_after = _details(trailers.get("grpc-status-details-bin", b""))
    if info.reason:
        reason = _printable(info.reason)
        return Failure(
            reason="UNKNOWN" if reason in _LOCAL else reason,
            text=_text(error.details()),
            retry_after=retry_after,
            maximum=_number(info, "maximum"),
            given=_number(info, "given"),
            **common,
        )
    connection = _tls.cause(error.details() or "") if code == "UNAVAILABLE" else None
    if connection:
        return Failure(
            text=connection.text, not_sent=connection.not_sent, tls=connection.tls, **common
        )
    return Failure(text="the answer is not from hmacd", **common)


def _details(encoded: bytes | str) -> tuple[ErrorInfo, float | None]:
    """The daemon's reason with its metadata, and the delay until a retry."""
    found, retry_after = ErrorInfo(), None
    try:
        for detail in Status.FromString(encoded).details:
            info, retry = ErrorInfo(), RetryInfo()
            if detail.Unpack(info) and info.domain == _DOMAIN:
                found = info
            elif detail.Unpack(retry):
                retry_after = max(retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9, 0)
    except DecodeError:
        return ErrorInfo(), None
    return found, retry_after


def _number(info: ErrorInfo, name: str) -> int:
    """A number of the metadata; 0 if there is none."""
    value = info.metadata[name]
    return int(value) if value.isascii() and value.isdecimal() and len(value) <= 18 else 0


def request_id(trailers: Any) -> str:
    """The daemon's id of the call; empty if there is none."""
    return next((_text(value) for key, value in trailers or () if key == "x-request-id"), "")


def _text(value: object) -> str:
    """The first line, printable: the server decides the content."""
    return _printable(str(value).partition("\n")[0])


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:_LONGEST_TEXT]
