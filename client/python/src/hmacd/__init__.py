"""Client of hmacd, a daemon that computes HMACs under keys in an HSM.

`Client` is synchronous, `hmacd.aio.Client` is for asyncio.
"""

from hmacd._algorithm import MacAlgorithm
from hmacd._certificates import CertificateError
from hmacd._client import Client, Key
from hmacd._errors import (
    Closed,
    DeadlineExceeded,
    HmacdError,
    InvalidMac,
    MessageTooLong,
    TlsFailed,
)

__all__ = [
    "CertificateError",
    "Client",
    "Closed",
    "DeadlineExceeded",
    "HmacdError",
    "InvalidMac",
    "Key",
    "MacAlgorithm",
    "MessageTooLong",
    "TlsFailed",
]
