"""An in-process fake of hmacd for tests.

    with Fake({"alias/orders": b"a key of the test"}) as fake, fake.client() as client:
        fake.fail("TOKEN_BUSY", times=2)
        client.key("alias/orders", MacAlgorithm.HMAC_SHA_256).generate(b"hello")

The client is the real one: it talks gRPC over a Unix socket.
"""

from __future__ import annotations

import hmac
import tempfile
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from hmacd import _calls, _fork, aio
from hmacd._client import Client
from hmacd._stubs import mac_service_pb2 as macs
from hmacd._stubs.error_reason_pb2 import ErrorReason

_MOST_BYTES = 65_536
"""The daemon's default of `grpc.limits.max_message_bytes`."""
_CODES = {
    grpc.StatusCode.UNAUTHENTICATED: {"UNAUTHENTICATED"},
    grpc.StatusCode.PERMISSION_DENIED: {"ACCESS_DENIED"},
    grpc.StatusCode.NOT_FOUND: {"KEY_NOT_FOUND", "ALIAS_NOT_FOUND"},
    grpc.StatusCode.FAILED_PRECONDITION: {"KEY_NOT_USABLE", "MECHANISM_NOT_SUPPORTED"},
    grpc.StatusCode.RESOURCE_EXHAUSTED: {
        "TOKEN_BUSY",
        "REGISTRY_BUSY",
        "MEMORY_BUSY",
        "LIMIT_EXCEEDED",
        "REQUEST_TOO_LONG",
    },
    grpc.StatusCode.DEADLINE_EXCEEDED: {"DEADLINE_EXCEEDED"},
    grpc.StatusCode.UNAVAILABLE: {
        "TOKEN_UNAVAILABLE",
        "KEY_UNAVAILABLE",
        "REGISTRY_UNAVAILABLE",
        "STOPPING",
        "",
    },
    grpc.StatusCode.INTERNAL: {"INTERNAL"},
}


@dataclass(frozen=True, slots=True)
class _Order:
    reason: str | None = None
    """Fail with it; the empty text fails without a reason, like a lost connection."""
    retry_after: float | None = None
    retry: bool = True
    delay: float = 0
    damaged: bool = False


class Fake:
    """Serves MacService with real HMAC under keys of the test. Thread-safe.

    The orders (`fail`, `delay`, `damage`, `hang`) form a queue: each applies to one attempt.
    """

    def __init__(
        self, keys: Mapping[str, bytes], credentials: grpc.ServerCredentials | None = None
    ) -> None:
        """Starts the server.

        :param keys: the key under each name; every algorithm can be used with it
        :param credentials: serves on a port of 127.0.0.1 with TLS, instead of a Unix socket
        """
        _fork.check()
        self._keys = dict(keys)
        self._lock = threading.Lock()
        self._orders: deque[_Order] = deque()
        self._attempts = 0
        self._cancelled = 0
        self._ended = threading.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="hmacd-fake-")
        self._server = grpc.server(ThreadPoolExecutor(32))
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    _calls.MAC_SERVICE,
                    {
                        "GenerateMac": _handler(self._generate, macs.GenerateMacRequest),
                        "VerifyMac": _handler(self._verify, macs.VerifyMacRequest),
                    },
                ),
            )
        )
        if credentials is None:
            self.target = f"unix:{Path(self._folder.name) / 'socket'}"
            self._server.add_insecure_port(self.target)
        else:
            port = self._server.add_secure_port("127.0.0.1:0", credentials)
            self.target = f"127.0.0.1:{port}"
        self._server.start()

    def client(self, **settings: Any) -> Client:
        """A client of this fake. The settings are those of the constructor of `Client`."""
        return Client(self.target, **settings)

    def aio_client(self, **settings: Any) -> aio.Client:
        """An asyncio client of this fake."""
        return aio.Client(self.target, **settings)

    @property
    def attempts(self) -> int:
        """The number of attempts that arrived."""
        return self._attempts

    @property
    def cancelled(self) -> int:
        """The number of attempts that ended at the client before a late answer."""
        return self._cancelled

    def fail(
        self, reason: str, *, times: int = 1, retry_after: float | None = None, retry: bool = True
    ) -> None:
        """The next attempts fail.

        :param reason: of `ErrorReason`; empty for UNAVAILABLE without a reason
        :param retry_after: seconds of `google.rpc.RetryInfo`
        :param retry: if false, `grpc-retry-pushback-ms` forbids a retry
        :raises ValueError: if the reason is unknown
        """
        if reason and f"ERROR_REASON_{reason}" not in ErrorReason.DESCRIPTOR.values_by_name:
            raise ValueError(f"{reason!r} is not a reason of error_reason.proto")
        self._add([_Order(reason=reason, retry_after=retry_after, retry=retry)] * times)

    def delay(self, seconds: float, *, times: int = 1) -> None:
        """The next attempts are answered late."""
        self._add([_Order(delay=seconds)] * times)

    def damage(self, *, times: int = 1) -> None:
        """The next attempts are answered with a damaged CRC32C."""
        self._add([_Order(damaged=True)] * times)

    def hang(self, *, times: int = 1) -> None:
        """The next attempts are not answered."""
        self._add([_Order(delay=threading.TIMEOUT_MAX)] * times)

    def close(self) -> None:
        """Stops the server, also during attempts. May be called again."""
        self._ended.set()
        self._server.stop(None).wait()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _add(self, orders: Iterable[_Order]) -> None:
        with self._lock:
            self._orders.extend(orders)

    def _follow_order(self, context: Any) -> _Order:
        context.set_trailing_metadata((("x-request-id", str(uuid.uuid4())),))
        with self._lock:
            self._attempts += 1
            order = self._orders.popleft() if self._orders else _Order()
        if order.delay:
            gone = threading.Event()
            if context.add_callback(gone.set):
                _wait(order.delay, gone, self._ended)
            with self._lock:
                self._cancelled += gone.is_set()
        if order.reason is not None:
            _abort(context, order.reason, order.retry_after, order.retry)
        return order

    def _mac(self, request: Any, context: Any) -> bytes:
        algorithm = _calls.algorithm_of(request.mac_algorithm)
        size = len(request.message)
        if size > _MOST_BYTES:
            metadata = {"maximum": str(_MOST_BYTES), "given": str(size)}
            _abort(context, "MESSAGE_TOO_LONG", metadata=metadata)
        if request.key_id not in self._keys:
            _abort(context, "KEY_NOT_FOUND")
        _check_crc32c(request, "message", context)
        return hmac.digest(self._keys[request.key_id], request.message, algorithm.hash_name)

    def _generate(self, request: macs.GenerateMacRequest, context: Any) -> Any:
        order = self._follow_order(context)
        mac = self._mac(request, context)
        return macs.GenerateMacResponse(
            key_id=_arn(request.key_id),
            mac=mac,
            mac_algorithm=request.mac_algorithm,
            key_version=1,
            mac_crc32c=_calls.crc32c(mac) ^ order.damaged,
            verified_message_crc32c=request.HasField("message_crc32c"),
        )

    def _verify(self, request: macs.VerifyMacRequest, context: Any) -> Any:
        order = self._follow_order(context)
        _check_crc32c(request, "mac", context)
        if not hmac.compare_digest(self._mac(request, context), request.mac):
            _abort(context, "KMS_INVALID_MAC")
        return macs.VerifyMacResponse(
            key_id=_arn(request.key_id),
            mac_valid=True,
            mac_algorithm=request.mac_algorithm,
            key_version=1,
            verified_message_crc32c=request.HasField("message_crc32c"),
            verified_mac_crc32c=request.HasField("mac_crc32c") and not order.damaged,
        )


def _handler(behavior: Callable[[Any, Any], Any], request: Any) -> Any:
    return grpc.unary_unary_rpc_method_handler(
        behavior, request.FromString, lambda response: response.SerializeToString()
    )


def _check_crc32c(request: Any, field: str, context: Any) -> None:
    checksum = f"{field}_crc32c"
    expected = _calls.crc32c(getattr(request, field))
    if request.HasField(checksum) and getattr(request, checksum) != expected:
        _abort(context, "CHECKSUM_MISMATCH")


def _arn(name: str) -> str:
    """The ARN of the fake's key with this name."""
    return f"arn:aws:kms:us-east-1:000000000000:key/{uuid.uuid5(uuid.NAMESPACE_URL, name)}"


def _wait(seconds: float, gone: threading.Event, ended: threading.Event) -> None:
    """Waits until the caller has gone, the fake ends, or the time passes."""
    while seconds > 0 and not ended.is_set() and not gone.wait(min(seconds, 0.05)):
        seconds -= 0.05


def _abort(
    context: Any,
    reason: str,
    retry_after: float | None = None,
    retry: bool = True,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Ends the call with an error, as hmacd does. Does not return."""
    trailers = list(context.trailing_metadata())
    if not retry:
        trailers.append(("grpc-retry-pushback-ms", "-1"))
    default = grpc.StatusCode.INVALID_ARGUMENT
    code = next((code for code, reasons in _CODES.items() if reason in reasons), default)
    if reason:
        status = Status(code=code.value[0], message="ordered by the test")
        details: list[Any] = [ErrorInfo(reason=reason, domain="hmacd.dev", metadata=metadata)]
        if retry_after is not None:
            delay = Duration()
            delay.FromMilliseconds(round(retry_after * 1000))
            details.append(RetryInfo(retry_delay=delay))
        for detail in details:
            packed = AnyMessage()
            packed.Pack(detail)
            status.details.append(packed)
        trailers.append(("grpc-status-details-bin", status.SerializeToString()))
    context.set_trailing_metadata(trailers)
    context.abort(code, "ordered by the test")
