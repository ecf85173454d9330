"""The algorithms of the contract."""

from enum import StrEnum


class MacAlgorithm(StrEnum):
    """HMAC (RFC 2104) with a SHA-2 hash."""

    HMAC_SHA_224 = "HMAC_SHA_224"
    HMAC_SHA_256 = "HMAC_SHA_256"
    HMAC_SHA_384 = "HMAC_SHA_384"
    HMAC_SHA_512 = "HMAC_SHA_512"

    mac_bytes: int
    """The length of a MAC: 28, 32, 48 or 64 bytes."""

    def __init__(self, name: str) -> None:
        self.mac_bytes = self._bits // 8

    @property
    def hash_name(self) -> str:
        """The name of the hash in `hashlib`."""
        return f"sha{self._bits}"

    @property
    def _bits(self) -> int:
        return int(self.value.rpartition("_")[2])
