"""JSON Web Tokens with PyJWT, under keys in the HSM. Requires the extra `jwt`.

    tokens = Tokens({"2026-01": client.key("alias/tokens", MacAlgorithm.HMAC_SHA_256)})
    token = tokens.encode({"sub": "4711", "exp": ...}, kid="2026-01")
    claims = tokens.decode(token)

The module does not change PyJWT for other code in the process.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from datetime import timedelta
from typing import Any, NoReturn

import jwt
from jwt.algorithms import Algorithm
from jwt.types import Options
from jwt.utils import base64url_decode, base64url_encode

from hmacd._algorithm import MacAlgorithm
from hmacd._client import Key
from hmacd._errors import InvalidMac

__all__ = ["Tokens"]

_NAMES = {
    MacAlgorithm.HMAC_SHA_256: "HS256",
    MacAlgorithm.HMAC_SHA_384: "HS384",
    MacAlgorithm.HMAC_SHA_512: "HS512",
}


class Tokens:
    """Signs and verifies tokens. Thread-safe."""

    def __init__(self, keys: Mapping[str, Key]) -> None:
        """
        :param keys: the allowed `kid`s, with the key of each
        :raises TypeError: if a key is not a `hmacd.Key`
        :raises ValueError: if JWT has no name for the algorithm of a key
        """
        for kid, key in keys.items():
            if not isinstance(key, Key):
                raise TypeError(f"kid {kid!r}: the key is not a hmacd.Key")
            if key.algorithm not in _NAMES:
                raise ValueError(f"kid {kid!r}: JWT has no name for {key.algorithm}")
        self._keys = dict(keys)
        self._pyjwt = jwt.PyJWT()
        # PyJWT has no public method for this. Without it, PyJWT's own algorithms refuse every Key.
        self._pyjwt._jws = jwt.PyJWS(algorithms=[])
        for name in _NAMES.values():
            self._pyjwt._jws.register_algorithm(name, _HsmAlgorithm())

    def encode(
        self, claims: Mapping[str, Any], *, kid: str, headers: Mapping[str, Any] | None = None
    ) -> str:
        """Signs claims with the key of `kid`.

        :param headers: further fields of the token's header
        :raises KeyError: if `kid` is not in the table
        :raises ValueError: if `headers` has `alg` or `kid`
        :raises HmacdError: if there is no MAC
        """
        key: Any = self._keys[kid]  # PyJWT's types have no other keys than its own.
        header = dict(headers or {})
        if {"alg", "kid"} & header.keys():
            raise ValueError("the key decides alg and kid of the header")
        return self._pyjwt.encode(
            dict(claims), key, algorithm=_NAMES[key.algorithm], headers=header | {"kid": kid}
        )

    def decode(
        self,
        token: str | bytes,
        *,
        audience: str | Iterable[str] | None = None,
        issuer: str | Container[str] | None = None,
        subject: str | None = None,
        leeway: float | timedelta = 0,
        options: Options | None = None,
    ) -> dict[str, Any]:
        """Verifies a token, and returns its claims. The arguments are those of `jwt.decode`.

        :raises ValueError: if `options` disables the verification of the signature
        :raises jwt.InvalidSignatureError: if the signature is wrong
        :raises jwt.InvalidTokenError: if the token is refused; for an unknown `kid`, another
            algorithm than that of the key, or a critical extension, there is no call
        :raises HmacdError: if there is no verdict; it is not an error of PyJWT
        """
        if options and options.get("verify_signature", True) is not True:
            raise ValueError("options: verify_signature cannot be switched off")
        header = self._pyjwt._jws.get_unverified_header(token)
        if "crit" in header or header.get("b64", True) is not True:  # PyJWT supports b64.
            raise jwt.InvalidTokenError("the token has a critical extension, or a payload as text")
        kid = header.get("kid")
        if not _is_canonical(token):
            raise jwt.DecodeError("the signature of the token is not in canonical base64url")
        key: Any = self._keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise jwt.InvalidTokenError("the kid of the token is not allowed")
        return self._pyjwt.decode(
            token,
            key,
            algorithms=[_NAMES[key.algorithm]],
            audience=audience,
            issuer=issuer,
            subject=subject,
            leeway=leeway,
            options=options,
        )


def _is_canonical(token: str | bytes) -> bool:
    """Whether the signature has the only text for its bytes. PyJWT also accepts other texts."""
    text = (token.encode() if isinstance(token, str) else token).rpartition(b".")[2]
    return base64url_encode(base64url_decode(text)) == text


class _HsmAlgorithm(Algorithm):
    """Calls the daemon. The key has the algorithm, which `Tokens` compares with the token's."""

    def prepare_key(self, key: Any) -> Key:
        if not isinstance(key, Key):
            raise jwt.InvalidKeyError("the key is not a key of hmacd")  # It may be a secret.
        return key

    def sign(self, msg: bytes, key: Key) -> bytes:
        return key.generate(msg)

    def verify(self, msg: bytes, key: Key, sig: bytes) -> bool:
        try:
            key.verify(msg, sig)
        except InvalidMac:
            return False  # Any other error is not a verdict.
        return True

    @staticmethod
    def to_jwk(key_obj: Any, as_dict: bool = False) -> NoReturn:
        raise NotImplementedError("the key is in the HSM")

    @staticmethod
    def from_jwk(jwk: str | dict[str, Any]) -> NoReturn:
        raise NotImplementedError("the key is in the HSM")
