"""Signed cookies and links with itsdangerous. Requires the extra `itsdangerous`.

links = serializer(key, salt="unsubscribe")
links.loads(text, max_age=3600)   # BadSignature, or HmacdError without a verdict
"""

from __future__ import annotations

import hashlib
from typing import Any

from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from itsdangerous.signer import SigningAlgorithm

from hmacd._client import Key
from hmacd._errors import InvalidMac

__all__ = ["serializer", "signer"]

_NO_SECRET = b""  # itsdangerous requires one. The key in the HSM is the only secret.


def signer(key: Key, salt: str) -> TimestampSigner:
    """A signer of byte strings with a timestamp.

    :param salt: the purpose: a value that was signed with another salt is refused
    """
    return TimestampSigner(_NO_SECRET, salt=salt, **_options(key))


def serializer(key: Key, salt: str) -> URLSafeTimedSerializer:
    """A serializer of JSON values for URLs and cookies, with a timestamp.

    :param salt: the purpose: a value that was signed with another salt is refused
    """
    # A default of the process for these would verify values with the empty secret.
    return URLSafeTimedSerializer(
        _NO_SECRET,
        salt=salt,
        signer=TimestampSigner,
        signer_kwargs=_options(key),
        fallback_signers=[],
    )


def _options(key: Key) -> dict[str, Any]:
    return {
        "key_derivation": "concat",
        "digest_method": hashlib.sha256,
        "algorithm": _HsmAlgorithm(key),
    }


class _HsmAlgorithm(SigningAlgorithm):
    """The derived "key" of itsdangerous is a hash of the salt only. It is a part of the message."""

    def __init__(self, key: Key) -> None:
        if not isinstance(key, Key):
            # `verify` of a key of hmacd.aio raises nothing.
            raise TypeError("the key is not a hmacd.Key")
        self._key = key

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return self._key.generate(key + value)

    def verify_signature(self, key: bytes, value: bytes, sig: bytes) -> bool:
        try:
            self._key.verify(key + value, sig)
        except InvalidMac:
            return False  # Any other error is not a verdict.
        return True
