"""Signed webhooks, in the formats of GitHub, Stripe, Slack and Standard Webhooks.

    GITHUB.verify(body, request.headers, key)      # returns, or raises
    headers = STRIPE.sign(body, key)
    await SLACK.averify(body, headers, aio_key)    # with keys of hmacd.aio

`body` is the body as received: not parsed, and not encoded again. Keys have HMAC_SHA_256.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from hmacd import aio
from hmacd._algorithm import MacAlgorithm
from hmacd._calls import Text, to_bytes
from hmacd._client import Key
from hmacd._errors import HmacdError, InvalidMac
from hmacd._settings import seconds

__all__ = ["GITHUB", "SLACK", "STANDARD", "STRIPE", "Scheme"]

_TOLERANCE = 300  # Seconds, in both directions.
_MOST_SIGNATURES = 8  # Each one is a call: the sender must not choose their number.
_MAC_BYTES = MacAlgorithm.HMAC_SHA_256.mac_bytes
_HEX_MAC = re.compile(r"[0-9a-fA-F]{64}")
_TIMESTAMP = re.compile(r"[1-9][0-9]{0,11}")
_clock = time.monotonic
_MESSAGE_ID = re.compile(r"[!-\-/-~]{1,256}")  # No full stop: it separates the signed parts.


_Headers: TypeAlias = dict[str, list[str]]  # The values by the name in lower case.


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A signed message with the MACs of its headers, of which one must be right."""

    message: bytes
    macs: Sequence[bytes]


class _Deadline:
    """The deadline that all calls of a verification share."""

    def __init__(self, timeout: float | None) -> None:
        """:param timeout: seconds, 0 or more; None for the timeout of the client"""
        self._start = _clock()
        self._timeout = None if timeout is None else seconds("timeout", timeout, least=0)

    def remaining(self, key: Key | aio.Key) -> float:
        """The seconds for the next call, 0 or more."""
        timeout = key.timeout if self._timeout is None else min(self._timeout, key.timeout)
        return max(self._start + timeout - _clock(), 0)


class Scheme(ABC):
    """A format of signed webhooks. Names of headers are case-insensitive."""

    def verify(
        self,
        body: Text,
        headers: Mapping[str, str],
        *keys: Key,
        timeout: float | None = None,
        now: float | None = None,
    ) -> None:
        """Returns if a signature is right under one of the keys.

        :param timeout: seconds for all calls together, if less than the timeout of the client
        :param now: seconds since 1970, for tests
        :raises InvalidMac: if no signature is right, a header is missing or malformed, or the
            timestamp differs from `now` by more than 300 seconds
        :raises HmacdError: of any other class, if a key gives no verdict and no other key matches
        """
        deadline = _Deadline(timeout)
        _check_keys(keys, Key)
        delivery = self._received(body, headers, now)
        error: HmacdError | None = None
        for key in keys:
            for mac in delivery.macs:
                try:
                    return key.verify(delivery.message, mac, timeout=deadline.remaining(key))
                except HmacdError as failure:
                    error = _weightier(error, failure)
        raise error or _invalid("the headers have no signature")

    async def averify(
        self,
        body: Text,
        headers: Mapping[str, str],
        *keys: aio.Key,
        timeout: float | None = None,
        now: float | None = None,
    ) -> None:
        """`verify`, with keys of `hmacd.aio`."""
        deadline = _Deadline(timeout)
        _check_keys(keys, aio.Key)
        delivery = self._received(body, headers, now)
        error: HmacdError | None = None
        for key in keys:
            for mac in delivery.macs:
                try:
                    left = deadline.remaining(key)
                    return await key.verify(delivery.message, mac, timeout=left)
                except HmacdError as failure:
                    error = _weightier(error, failure)
        raise error or _invalid("the headers have no signature")

    def sign(
        self, body: Text, key: Key, *, message_id: str = "", now: float | None = None
    ) -> dict[str, str]:
        """Returns the headers of a webhook.

        :param message_id: required for Standard Webhooks; the other formats ignore it
        :param now: seconds since 1970, for tests
        :raises HmacdError: if there is no MAC
        """
        _check_keys([key], Key)
        timestamp = _seconds(now)
        return self._headers(
            key.generate(self._message(to_bytes(body), timestamp, message_id)),
            timestamp,
            message_id,
        )

    async def asign(
        self, body: Text, key: aio.Key, *, message_id: str = "", now: float | None = None
    ) -> dict[str, str]:
        """`sign`, with a key of `hmacd.aio`."""
        _check_keys([key], aio.Key)
        timestamp = _seconds(now)
        return self._headers(
            await key.generate(self._message(to_bytes(body), timestamp, message_id)),
            timestamp,
            message_id,
        )

    def _received(self, body: Text, headers: Mapping[str, str], now: float | None) -> _Delivery:
        lower: _Headers = {}
        for name, value in headers.items():  # A multi-dict has several items of one name.
            lower.setdefault(name.lower(), []).append(value)
        delivery = self._delivery(to_bytes(body), lower, time.time() if now is None else now)
        if len(delivery.macs) > _MOST_SIGNATURES:
            raise _invalid(f"the headers have more than {_MOST_SIGNATURES} signatures")
        return delivery

    @abstractmethod
    def _message(self, body: bytes, timestamp: str, message_id: str) -> bytes:
        """The signed message."""

    @abstractmethod
    def _headers(self, mac: bytes, timestamp: str, message_id: str) -> dict[str, str]: ...

    @abstractmethod
    def _delivery(self, body: bytes, headers: _Headers, now: float) -> _Delivery:
        """Reads the headers.

        :raises InvalidMac: if one is missing or malformed, or the timestamp is out of tolerance
        """


class _GitHub(Scheme):
    def _message(self, body: bytes, timestamp: str, message_id: str) -> bytes:
        return body

    def _headers(self, mac: bytes, timestamp: str, message_id: str) -> dict[str, str]:
        return {"X-Hub-Signature-256": f"sha256={mac.hex()}"}

    def _delivery(self, body: bytes, headers: _Headers, now: float) -> _Delivery:
        signature = _header(headers, "x-hub-signature-256")
        return _Delivery(body, [_hex_mac(signature, "sha256=")])


class _Stripe(Scheme):
    def _message(self, body: bytes, timestamp: str, message_id: str) -> bytes:
        return f"{timestamp}.".encode() + body

    def _headers(self, mac: bytes, timestamp: str, message_id: str) -> dict[str, str]:
        return {"Stripe-Signature": f"t={timestamp},v1={mac.hex()}"}

    def _delivery(self, body: bytes, headers: _Headers, now: float) -> _Delivery:
        parts = _header(headers, "stripe-signature").split(",")
        times = [part.removeprefix("t=") for part in parts if part.startswith("t=")]
        if len(times) != 1:
            raise _invalid("stripe-signature does not have one time stamp")
        timestamp = _fresh(times[0], now)
        macs = [_hex_mac(part, "v1=") for part in parts if part.startswith("v1=")]
        return _Delivery(self._message(body, timestamp, ""), macs)


class _Slack(Scheme):
    def _message(self, body: bytes, timestamp: str, message_id: str) -> bytes:
        return f"v0:{timestamp}:".encode() + body

    def _headers(self, mac: bytes, timestamp: str, message_id: str) -> dict[str, str]:
        return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={mac.hex()}"}

    def _delivery(self, body: bytes, headers: _Headers, now: float) -> _Delivery:
        timestamp = _fresh(_header(headers, "x-slack-request-timestamp"), now)
        macs = [_hex_mac(_header(headers, "x-slack-signature"), "v0=")]
        return _Delivery(self._message(body, timestamp, ""), macs)


class _Standard(Scheme):
    def _message(self, body: bytes, timestamp: str, message_id: str) -> bytes:
        if not _MESSAGE_ID.fullmatch(message_id):
            raise ValueError("message_id must have 1 to 256 visible ASCII characters and no '.'")
        return f"{message_id}.{timestamp}.".encode() + body

    def _headers(self, mac: bytes, timestamp: str, message_id: str) -> dict[str, str]:
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        }

    def _delivery(self, body: bytes, headers: _Headers, now: float) -> _Delivery:
        message_id = _header(headers, "webhook-id")
        if not _MESSAGE_ID.fullmatch(message_id):
            raise _invalid("webhook-id is malformed")
        timestamp = _fresh(_header(headers, "webhook-timestamp"), now)
        signatures = _header(headers, "webhook-signature").split(" ")
        macs = [_base64_mac(one, "v1,") for one in signatures if one.startswith("v1,")]
        return _Delivery(self._message(body, timestamp, message_id), macs)


GITHUB: Scheme = _GitHub()
"""`X-Hub-Signature-256`. It has no timestamp: a webhook can be replayed."""
STRIPE: Scheme = _Stripe()
"""`Stripe-Signature`."""
SLACK: Scheme = _Slack()
"""`X-Slack-Signature` and `X-Slack-Request-Timestamp`."""
STANDARD: Scheme = _Standard()
"""`webhook-id`, `webhook-timestamp` and `webhook-signature`."""


def _check_keys(keys: Sequence[Key] | Sequence[aio.Key], kind: type[Key | aio.Key]) -> None:
    if not keys:
        raise ValueError("a webhook requires at least one key")
    for key in keys:
        if not isinstance(key, kind):
            # `verify` of a key of the other client raises nothing.
            raise TypeError(f"the key is not a {kind.__module__.removesuffix('._client')}.Key")
        if key.algorithm is not MacAlgorithm.HMAC_SHA_256:
            raise ValueError(f"a webhook requires a key with HMAC_SHA_256, not {key.algorithm}")


def _weightier(error: HmacdError | None, failure: HmacdError) -> HmacdError:
    """A failure without a verdict is never covered by a wrong MAC."""
    return _verdict(failure) if error is None or isinstance(error, InvalidMac) else error


def _verdict(failure: HmacdError) -> HmacdError:
    """hmacd makes no MAC of a reserved message, so a signature of it is wrong."""
    if failure.reason != "RESERVED_MESSAGE":
        return failure
    return InvalidMac(
        "KMS_INVALID_MAC",
        "hmacd makes no MAC of this content, which is reserved",
        target=failure.target,
        attempts=failure.attempts,
        request_id=failure.request_id,
    )


def _invalid(what: str) -> InvalidMac:
    return InvalidMac("KMS_INVALID_MAC", what)


def _header(headers: _Headers, name: str) -> str:
    values = headers.get(name, [])
    if not values:
        raise _invalid(f"the header {name} is missing")
    if len(values) > 1:
        # The application may read another value than the verified one, for example of webhook-id.
        raise _invalid(f"the header {name} is repeated")
    return values[0]


def _seconds(now: float | None) -> str:
    return str(int(time.time() if now is None else now))


def _fresh(timestamp: str, now: float) -> str:
    if not _TIMESTAMP.fullmatch(timestamp):
        raise _invalid("the time stamp is malformed")
    if not abs(int(timestamp) - now) <= _TOLERANCE:  # Also for NaN.
        raise _invalid(f"the time stamp is more than {_TOLERANCE} seconds away")
    return timestamp


def _hex_mac(text: str, prefix: str) -> bytes:
    """:raises InvalidMac: if the text is not the prefix and a MAC in hex"""
    digits = text.removeprefix(prefix)
    if not text.startswith(prefix) or not _HEX_MAC.fullmatch(digits):
        raise _malformed()
    return bytes.fromhex(digits)


def _base64_mac(text: str, prefix: str) -> bytes:
    """:raises InvalidMac: if the text is not the prefix and a MAC in base64"""
    encoded = text.removeprefix(prefix)
    try:
        mac = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise _malformed() from None
    # b64decode ignores unused bits.
    if len(mac) != _MAC_BYTES or base64.b64encode(mac).decode() != encoded:
        raise _malformed()
    return mac


def _malformed() -> InvalidMac:
    return _invalid("a signature of the headers is malformed")
