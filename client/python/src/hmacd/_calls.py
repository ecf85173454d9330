"""Requests, and the check of their answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeAlias, TypeVar

import google_crc32c
from google.protobuf.message import Message

from hmacd._algorithm import MacAlgorithm
from hmacd._errors import HmacdError, InvalidMac, MessageTooLong
from hmacd._stubs import key_service_pb2 as keys
from hmacd._stubs import mac_algorithm_pb2 as algorithms
from hmacd._stubs import mac_service_pb2 as macs
from hmacd._stubs.key_metadata_pb2 import KeyMetadata

R = TypeVar("R", bound=Message)

Bytes: TypeAlias = bytes | bytearray | memoryview
Text: TypeAlias = Bytes | str
_BYTES = (bytes, bytearray, memoryview)  # isinstance is faster than with the union.

MAC_SERVICE = "hmacd.v1.MacService"
_KEY_SERVICE = "hmacd.v1.KeyService"


class Call(NamedTuple, Generic[R]):
    """One call of a method."""

    service: str
    method: str
    request: Message
    response: type[R]
    intact: Callable[[R], bool] = lambda _: True
    """Whether the answer was not damaged in transit."""
    repeatable: bool = True
    size: int = 0
    """The length of the message in bytes."""

    @property
    def path(self) -> str:
        return f"/{self.service}/{self.method}"


crc32c: Callable[[bytes], int] = google_crc32c.value
"""CRC32C (Castagnoli, RFC 3720)."""


def checked(name: str, algorithm: MacAlgorithm) -> tuple[str, MacAlgorithm]:
    """
    :raises TypeError: if the name is not a string
    :raises ValueError: if it is empty, or the algorithm is unknown
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of the key is {type(name).__name__}, not str")
    if not name:
        raise ValueError("the name of the key is empty")
    return name, MacAlgorithm(algorithm)


def generate(
    name: str, algorithm: MacAlgorithm, message: Text, most_bytes: int
) -> Call[macs.GenerateMacResponse]:
    """:raises HmacdError: if the message is empty or too long"""
    data = _message(message, most_bytes)
    number = _NUMBERS[algorithm]

    def intact(answer: macs.GenerateMacResponse) -> bool:
        mac = answer.mac
        return (
            answer.verified_message_crc32c
            and answer.mac_crc32c == crc32c(mac)
            and len(mac) == algorithm.mac_bytes
            and answer.mac_algorithm == number
        )

    request = macs.GenerateMacRequest(
        key_id=name, message=data, mac_algorithm=number, message_crc32c=crc32c(data)
    )
    return Call(
        MAC_SERVICE, "GenerateMac", request, macs.GenerateMacResponse, intact, size=len(data)
    )


def verify(
    name: str, algorithm: MacAlgorithm, message: Text, mac: Bytes, most_bytes: int
) -> Call[macs.VerifyMacResponse]:
    """
    :raises InvalidMac: if the MAC has another length than that of the algorithm
    :raises HmacdError: if the message is empty or too long
    """
    if not isinstance(mac, _BYTES):
        raise TypeError(f"the MAC is {type(mac).__name__}, not bytes: decode hex or base64 first")
    data, tag = _message(message, most_bytes), bytes(mac)
    if len(tag) != algorithm.mac_bytes:
        raise InvalidMac("KMS_INVALID_MAC", f"a MAC of {algorithm} has {algorithm.mac_bytes} bytes")
    number = _NUMBERS[algorithm]

    def intact(answer: macs.VerifyMacResponse) -> bool:
        return (
            answer.mac_valid
            and answer.verified_message_crc32c
            and answer.verified_mac_crc32c
            and answer.mac_algorithm == number
        )

    request = macs.VerifyMacRequest(
        key_id=name,
        message=data,
        mac_algorithm=number,
        mac=tag,
        message_crc32c=crc32c(data),
        mac_crc32c=crc32c(tag),
    )
    return Call(MAC_SERVICE, "VerifyMac", request, macs.VerifyMacResponse, intact, size=len(data))


def describe(name: str) -> Call[keys.DescribeKeyResponse]:
    request = keys.DescribeKeyRequest(key_id=name)
    return Call(_KEY_SERVICE, "DescribeKey", request, keys.DescribeKeyResponse)


def create(algorithm: MacAlgorithm, description: str) -> Call[keys.CreateKeyResponse]:
    spec = "KEY_SPEC_" + MacAlgorithm(algorithm).replace("_SHA", "")
    request = keys.CreateKeyRequest(key_spec=spec, description=description)
    return Call(_KEY_SERVICE, "CreateKey", request, keys.CreateKeyResponse, repeatable=False)


def algorithm_of_key(metadata: KeyMetadata) -> MacAlgorithm:
    """The algorithm of a key.

    :raises HmacdError: if there is not exactly one, or this version does not know it
    """
    try:
        (number,) = metadata.mac_algorithms
        return algorithm_of(number)
    except ValueError:
        what = "the key does not have one algorithm that this version of the client knows"
        raise HmacdError("INVALID_ARGUMENT", what) from None


def algorithm_of(number: int) -> MacAlgorithm:
    """The algorithm with a number of the contract."""
    name = algorithms.MacAlgorithm.Name(number)
    return MacAlgorithm(name.removeprefix("MAC_ALGORITHM_"))


_NUMBERS: dict[MacAlgorithm, algorithms.MacAlgorithm] = {
    algorithm: getattr(algorithms, f"MAC_ALGORITHM_{algorithm}") for algorithm in MacAlgorithm
}


def to_bytes(message: Text) -> bytes:
    """The bytes of a message; a str in UTF-8.

    :raises TypeError: if the message is neither bytes nor str
    :raises HmacdError: if a str is not valid Unicode
    """
    if isinstance(message, _BYTES):
        return bytes(message)
    if not isinstance(message, str):
        raise TypeError(f"the message is {type(message).__name__}, not bytes or str")
    try:
        return message.encode()
    except UnicodeEncodeError:
        # The cause is not chained: it has the message.
        raise HmacdError("INVALID_ARGUMENT", "the message is not valid Unicode") from None


def _message(message: Text, most_bytes: int) -> bytes:
    data = message if type(message) is bytes else to_bytes(message)
    if not data:
        raise HmacdError("INVALID_ARGUMENT", "the message is empty")
    if len(data) > most_bytes:
        raise MessageTooLong(
            "MESSAGE_TOO_LONG",
            f"the message has {len(data)} bytes, the limit is {most_bytes}",
            limit=most_bytes,
            size=len(data),
        )
    return data
