"""The channels of a client: one for each target, renewed with the certificates."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Generic, TypeVar

import grpc

from hmacd._calls import Call
from hmacd._certificates import Pem
from hmacd._settings import Target

C = TypeVar("C")

OPTIONS = [
    ("grpc.primary_user_agent", f"hmacd-python/{version('hmacd')}"),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    (
        "grpc.min_reconnect_backoff_ms",
        5_000,
    ),  # Despite its name: the limit of one connection attempt.
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.enable_retries", 0),  # The rules of the client decide.
    # Otherwise a new channel to the same target uses the connection of the old one.
    ("grpc.use_local_subchannel_pool", 1),
]


def address(target: Target) -> str:
    """The target in gRPC's form."""
    return target.name if target.is_unix else f"dns:///{target.name}"


def credentials(pem: Pem) -> Any:
    return grpc.ssl_channel_credentials(pem.ca, pem.private_key, pem.certificate)


class Connection:
    """A channel of gRPC with its methods. Thread-safe.

    gRPC makes a new object each time it is asked for a method.
    """

    def __init__(self, channel: Any) -> None:
        """:param channel: a `grpc.Channel` or a `grpc.aio.Channel`"""
        self.channel = channel
        self.methods: dict[type, Any] = {}
        """The methods by the types of their responses."""

    def method(self, call: Call[Any]) -> Any:
        """Makes the method of a call. Of two threads at the same time, the last one's stays."""
        method = self.channel.unary_unary(
            call.path,
            type(call.request).SerializeToString,
            call.response.FromString,
            _registered_method=True,  # As in the stubs of protoc: the call is cheaper.
        )
        self.methods[call.response] = method
        return method


class ChannelsClosed(Exception):
    """The client is closed."""


@dataclass(slots=True)
class Slot(Generic[C]):
    """A channel in use."""

    channel: C
    pem: Pem | None
    calls: int = 0
    retired: bool = False


class Channels(Generic[C]):
    """Opens a channel at the first call to a target. Thread-safe.

    A channel is retired when the certificates are others, or `renew` says so: new calls use a new
    channel, and the old one closes after its last call.
    """

    def __init__(
        self,
        targets: tuple[Target, ...],
        open_channel: Callable[[Target, Pem | None], C],
        close_channel: Callable[[C], None],
    ) -> None:
        self._lock = threading.Lock()
        self._targets = targets
        self._secure = [not target.is_unix for target in targets]
        self._open = open_channel
        self._close = close_channel
        self._slots: list[Slot[C] | None] = [None] * len(targets)
        self._retired: set[C] = set()
        self._closed = False

    def take(self, target: int, pem: Pem | None) -> Slot[C]:
        """Takes the channel for a call to a target, with the certificates `pem`.

        The call ends with `give_back`.

        :raises ChannelsClosed: after `take_all`
        """
        wanted = pem if self._secure[target] else None
        with self._lock:
            if self._closed:
                raise ChannelsClosed
            slot = self._slots[target]
            idle = None
            if slot is None or slot.pem is not wanted:
                idle = self._retire(target)
                slot = Slot(self._open(self._targets[target], wanted), wanted)
                self._slots[target] = slot
            slot.calls += 1
        if idle is not None:
            self._close(idle)
        return slot

    def give_back(self, slot: Slot[C]) -> None:
        """The end of a call. Closes a retired channel after its last call."""
        with self._lock:
            slot.calls -= 1
            last = slot.retired and slot.calls == 0
            if last:
                self._retired.discard(slot.channel)
        if last:
            self._close(slot.channel)

    def renew(self, target: int, channel: C | None) -> None:
        """Retires `channel`, unless another call did so before."""
        with self._lock:
            slot = self._slots[target]
            idle = self._retire(target) if slot is not None and slot.channel is channel else None
        if idle is not None:
            self._close(idle)

    def _retire(self, target: int) -> C | None:
        """Retires the channel of a target, under the lock. Returns it if it has no call."""
        slot = self._slots[target]
        self._slots[target] = None
        if slot is None:
            return None
        slot.retired = True
        if slot.calls == 0:
            return slot.channel
        self._retired.add(slot.channel)
        return None

    def take_all(self) -> list[C]:
        """Returns all channels, to close them. No channel is opened any more."""
        with self._lock:
            self._closed = True
            return [slot.channel for slot in self._slots if slot is not None] + list(self._retired)
