"""The client for asyncio. It follows the rules of the synchronous one."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self, TypeVar

import grpc.aio
from google.protobuf.message import Message

from hmacd import _calls, _failure, _fork
from hmacd._attempts import Answer, Attempt, Progress, Renew, Result, Sleep, Step, attempts, closed
from hmacd._base import BaseClient
from hmacd._certificates import CertificateError
from hmacd._channels import (
    OPTIONS,
    Channels,
    ChannelsClosed,
    Connection,
    address,
    credentials,
)
from hmacd._failure import Failure

if TYPE_CHECKING:
    from types import TracebackType

    from hmacd._algorithm import MacAlgorithm
    from hmacd._calls import Bytes, Call, Text
    from hmacd._certificates import Pem
    from hmacd._settings import Target

R = TypeVar("R", bound=Message)

_DRAIN = 5.0  # Seconds for calls in flight, when the client closes.


class Client(BaseClient):
    """A client of hmacd for one event loop: that of its first call.

    It can be created outside of the loop. The cancellation of a task cancels its call on the wire.
    """

    def _prepare(self) -> None:
        self._channels: Channels[Connection] = Channels(
            self._settings.targets, _open, self._close_later
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._cancelled = asyncio.Event()

    def key(self, name: str, algorithm: MacAlgorithm) -> Key:
        """Binds a name to an algorithm, without a call.

        :param name: key id, key ARN, alias (`alias/...`) or alias ARN
        """
        return Key(self, name, algorithm, "")

    async def open_key(self, name: str, *, timeout: float | None = None) -> Key:
        """Gets the algorithm and the ARN of a key from the daemon (DescribeKey).

        :param timeout: seconds, if less than the timeout of the client
        :raises HmacdError: if the call failed, or this version does not know the algorithm
        """
        metadata = (await self._call(_calls.describe(name), timeout)).key_metadata
        return Key(self, name, _calls.algorithm_of_key(metadata), metadata.key_arn)

    async def create_key(
        self, algorithm: MacAlgorithm, *, description: str = "", timeout: float | None = None
    ) -> Key:
        """Creates a key in the HSM, with one attempt. The name of the result is the key's ARN.

        :raises HmacdError: if the call failed; with `may_have_run`, there may be a key
        """
        call = _calls.create(algorithm, description)
        metadata = (await self._call(call, timeout)).key_metadata
        return Key(self, metadata.key_arn, algorithm, metadata.key_arn)

    async def doctor(self) -> list[str]:
        """Checks each target, and returns one line for each. Makes no MAC.

        A line is `ok: ...`, or has the first check that failed. A failed check raises no error. A
        target that does not answer takes up to 6 seconds.
        """
        _fork.check()
        return await asyncio.to_thread(self._diagnose)

    async def close(self) -> None:
        """Refuses new calls, waits up to 5 seconds for calls in flight, and cancels the others.

        May be called again.
        """
        if _fork.lost():
            return  # The calls in flight and the channels are those of the parent.
        self._closed = True
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN):
                    await self._idle.wait()
        finally:
            self._stop.set()
            self._cancelled.set()
            if self._renewal is not None:
                self._renewal.release()
            await asyncio.gather(
                *self._closing,
                *(connection.channel.close(None) for connection in self._channels.take_all()),
            )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _call(self, call: Call[R], timeout: float | None) -> R:
        deadline = self._deadline(timeout)
        if self._generation != _fork.generation:
            self._begin()
        self._check_loop()
        progress = Progress()
        if self._closed:
            raise closed(progress)
        self._in_flight += 1
        self._idle.clear()
        try:
            if not self._telemetry.active:
                return await self._run(call, deadline, progress)
            with self._telemetry.observe(call, progress):
                return await self._run(call, deadline, progress)
        finally:
            self._in_flight -= 1
            if self._in_flight == 0:
                self._idle.set()

    def _check_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise RuntimeError(
                "this client was used in another event loop: create one hmacd.aio.Client for each"
            )

    async def _run(self, call: Call[R], deadline: float, progress: Progress) -> R:
        steps = attempts(call, deadline, self._rules, progress)
        used: Connection | None = None
        result: Result = None
        try:
            step: Step = next(steps)
            while True:
                match step:
                    case Attempt():
                        slot = self._channels.take(step.target, self._pem)
                        try:
                            used = slot.channel
                            result = await self._attempt(used, call, step, progress)
                        finally:
                            self._channels.give_back(slot)
                    case Renew():
                        await self._read_files(deadline)
                        self._channels.renew(step.target, used)
                        result = None
                    case Sleep():
                        await self._sleep(step.seconds, progress)
                        result = None
                step = steps.send(result)
        except StopIteration as end:
            answer: Answer[R] = end.value
            return answer.response
        except ChannelsClosed:
            raise closed(progress) from None
        finally:
            steps.close()

    async def _sleep(self, seconds: float, progress: Progress) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._cancelled.wait()
                raise closed(progress)

    async def _read_files(self, deadline: float) -> None:
        """Reads the PEM files, and waits for the end of the read until the deadline."""
        if self._renewal is None:
            return
        reading = asyncio.wrap_future(self._renewal.read_now())
        if self._cancelled.is_set():
            reading.cancel()
            return
        with contextlib.suppress(TimeoutError, CertificateError):
            async with asyncio.timeout(deadline - self._rules.clock()):
                await reading

    async def _attempt(
        self, connection: Connection, call: Call[R], step: Attempt, progress: Progress
    ) -> Answer[R] | Failure:
        method = connection.methods.get(call.response) or connection.method(call)
        rpc = method(call.request, timeout=step.timeout, wait_for_ready=step.wait_for_ready)
        try:
            response = await rpc
            trailers = await rpc.trailing_metadata()
        except grpc.RpcError as error:
            if self._cancelled.is_set() and error.code() is grpc.StatusCode.CANCELLED:
                raise closed(progress) from None
            return _failure.of(error)
        except asyncio.CancelledError:
            # gRPC also raises it for a call of a closed channel.
            task = asyncio.current_task()
            if self._cancelled.is_set() and task is not None and not task.cancelling():
                raise closed(progress) from None
            raise
        if response is None:  # grpc.aio could not parse it.
            return _failure.UNREADABLE
        return Answer(response, lambda: _failure.request_id(trailers))

    def _close_later(self, connection: Connection) -> None:
        task = asyncio.get_running_loop().create_task(connection.channel.close(None))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


class Key:
    """A key with its algorithm."""

    def __init__(self, client: Client, name: str, algorithm: MacAlgorithm, arn: str) -> None:
        self._client = client
        self._arn = arn
        self.name, self.algorithm = _calls.checked(name, algorithm)

    @property
    def arn(self) -> str:
        """The ARN of the key in the last answer; empty before the first answer."""
        return self._arn

    @property
    def max_message_bytes(self) -> int:
        """The setting of the client: the maximum length of a message."""
        return self._client._settings.max_message_bytes

    @property
    def timeout(self) -> float:
        """The setting of the client: the deadline of a call, in seconds."""
        return self._client._settings.timeout

    async def generate(self, message: Text, *, timeout: float | None = None) -> bytes:
        """Computes the MAC of a message.

        :param message: 1 to `max_message_bytes` bytes; a str is encoded as UTF-8
        :param timeout: seconds, if less than the timeout of the client
        :raises HmacdError: if there is no MAC
        """
        call = _calls.generate(self.name, self.algorithm, message, self.max_message_bytes)
        answer = await self._client._call(call, timeout)
        self._arn = answer.key_id
        return answer.mac

    async def verify(self, message: Text, mac: Bytes, *, timeout: float | None = None) -> None:
        """Returns if the MAC is right.

        :param mac: bytes; a str is refused, because it could be hex or base64
        :param timeout: seconds, if less than the timeout of the client
        :raises InvalidMac: if the MAC is wrong
        :raises HmacdError: of any other class, if there is no verdict
        """
        call = _calls.verify(self.name, self.algorithm, message, mac, self.max_message_bytes)
        self._arn = (await self._client._call(call, timeout)).key_id

    def __repr__(self) -> str:
        return f"Key({self.name!r}, {self.algorithm})"


def _open(target: Target, pem: Pem | None) -> Connection:
    if pem is None:
        return Connection(grpc.aio.insecure_channel(address(target), options=OPTIONS))
    return Connection(
        grpc.aio.secure_channel(address(target), credentials(pem), options=OPTIONS)
    )
