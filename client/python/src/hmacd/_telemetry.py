"""Spans and durations of calls for OpenTelemetry, which is optional."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hmacd._errors import HmacdError

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer

    from hmacd._attempts import Progress
    from hmacd._calls import Call


def server(target: str) -> dict[str, str | int]:
    """The address and the port of a target. A Unix socket has its path, and no port."""
    if target.startswith("unix:"):
        return {"server.address": target.removeprefix("unix:")}
    host, _, port = target.rpartition(":")
    return {"server.address": host.strip("[]"), "server.port": int(port)}


class Telemetry:
    """No attribute has a message, a MAC or the name of a key."""

    def __init__(self, tracer: Tracer | None, meter: Meter | None) -> None:
        self.active = tracer is not None or meter is not None
        """Whether `observe` records anything."""
        self._tracer = tracer
        self._duration = None
        if meter is not None:
            self._duration = meter.create_histogram(
                "rpc.client.duration", unit="ms", description="Duration of the calls to hmacd."
            )

    @contextmanager
    def observe(self, call: Call[Any], progress: Progress) -> Iterator[None]:
        """Records the call in its block."""
        start_time, start = time.time_ns(), time.perf_counter()
        error_type = ""
        try:
            yield
        except HmacdError as error:
            # The peer's text would have any number of values.
            error_type = "UNKNOWN" if progress.unknown_reason else error.reason
            raise
        except BaseException:  # Cancellation by asyncio, KeyboardInterrupt.
            error_type = "CANCELLED"
            raise
        finally:
            attributes: dict[str, str | int] = {
                "rpc.system": "grpc",
                "rpc.service": call.service,
                "rpc.method": call.method,
            }
            if progress.target:
                attributes |= server(progress.target)
            if error_type:
                attributes["error.type"] = error_type
            if self._duration is not None:
                self._duration.record((time.perf_counter() - start) * 1000, attributes)
            if self._tracer is not None:
                self._span(call, start_time, attributes | {"hmacd.attempts": progress.attempts})

    def _span(self, call: Call[Any], start_time: int, attributes: dict[str, str | int]) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode  # Optional.

        assert self._tracer is not None
        span = self._tracer.start_span(
            f"{call.service}/{call.method}",
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=start_time,
        )
        if "error.type" in attributes:
            span.set_status(Status(StatusCode.ERROR))
        span.end()
