"""The settings of a client, checked."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TypeAlias

PathArgument: TypeAlias = "str | PathLike[str]"

_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")
_FILE_CONTENT = re.compile(r"[\0\r\n]|-----BEGIN")
_MOST_TARGETS = 16
_MOST_MESSAGE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """The address of a daemon: `host:port`, or `unix:/absolute/path`."""

    name: str

    def __post_init__(self) -> None:
        if self.is_unix:
            valid = self.name.startswith("unix:/")
        else:
            match = _HOST_PORT.fullmatch(self.name)
            valid = match is not None and 1 <= int(match["port"]) <= 65535
        if not valid:
            raise ValueError(
                f"targets: {_shown(self.name)} is not host:port or unix:/absolute/path"
            )

    @property
    def is_unix(self) -> bool:
        return self.name.startswith("unix:")

    @property
    def host(self) -> str:
        """The host without brackets; the path of a Unix socket."""
        return self.name[5:] if self.is_unix else self.name.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port; 0 for a Unix socket."""
        return 0 if self.is_unix else int(self.name.rpartition(":")[2])


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The paths of the PEM files."""

    ca: Path
    certificate: Path
    private_key: Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Times are in seconds."""

    targets: tuple[Target, ...]
    files: TlsFiles | None
    timeout: float
    attempt_timeout: float
    max_message_bytes: int
    file_interval: float

    @classmethod
    def of(
        cls,
        targets: str | Iterable[str],
        *,
        ca: PathArgument | None,
        certificate: PathArgument | None,
        private_key: PathArgument | None,
        timeout: float,
        attempt_timeout: float,
        max_message_bytes: int,
        file_interval: float,
    ) -> Settings:
        """
        :raises TypeError: if a setting has a wrong type
        :raises ValueError: if a value is out of range, or a file is missing for `host:port`
        """
        checked = _targets(targets)
        files = None
        if not all(target.is_unix for target in checked):
            files = TlsFiles(
                _path("ca", ca),
                _path("certificate", certificate),
                _path("private_key", private_key),
            )
        return cls(
            targets=checked,
            files=files,
            timeout=seconds("timeout", timeout),
            attempt_timeout=seconds("attempt_timeout", attempt_timeout),
            max_message_bytes=_bytes("max_message_bytes", max_message_bytes),
            file_interval=seconds("file_interval", file_interval, 1, 5),
        )


def from_environment(environment: Mapping[str, str]) -> dict[str, str | list[str]]:
    """The settings in HMACD_TARGET, HMACD_CA, HMACD_CERT and HMACD_KEY, as arguments.

    :raises ValueError: without HMACD_TARGET
    """
    if not environment.get("HMACD_TARGET"):
        raise ValueError("HMACD_TARGET is not set: set it to host:port or unix:/absolute/path")
    arguments: dict[str, str | list[str]] = {
        "targets": [target.strip() for target in environment["HMACD_TARGET"].split(",")]
    }
    names = {"ca": "HMACD_CA", "certificate": "HMACD_CERT", "private_key": "HMACD_KEY"}
    for setting, variable in names.items():
        if environment.get(variable):
            arguments[setting] = environment[variable]
    return arguments


def seconds(name: str, value: object, least: float = 0.001, most: float = 86_400) -> float:
    """Checks a duration in seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name}: {_shown(value)} is not a number of seconds")
    if math.isnan(value) or not least <= value <= most:
        raise ValueError(f"{name}: {value!r} is not from {least} to {most} seconds")
    return float(value)


def _bytes(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}: {_shown(value)} is not a number of bytes")
    if not 1 <= value <= _MOST_MESSAGE_BYTES:
        raise ValueError(f"{name}: {value!r} is not from 1 to {_MOST_MESSAGE_BYTES} bytes")
    return value


def _targets(value: object) -> tuple[Target, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, Iterable):
        raise TypeError(f"targets: {_shown(value)} is not a string, or several strings")
    targets = []
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"targets: {_shown(name)} is not a string")
        targets.append(Target(name))
    if not 1 <= len(targets) <= _MOST_TARGETS:
        raise ValueError(f"targets: {len(targets)} targets are not from 1 to {_MOST_TARGETS}")
    return tuple(targets)


def _path(name: str, value: object) -> Path:
    if value is None:
        raise ValueError(f"{name}: None is not a PEM file: a target host:port requires one")
    path = fspath(value) if isinstance(value, PathLike) else value
    if not isinstance(path, str):
        raise TypeError(f"{name}: {_shown(path)} is not a path")
    if _FILE_CONTENT.search(path):
        raise ValueError(f"{name}: {_shown(path)} is not the path of a PEM file")
    return Path(path)


def _shown(value: object) -> str:
    """A value in an error: not the content of a file, which may be a private key."""
    if isinstance(value, str):
        return "(the content of a file)" if _FILE_CONTENT.search(value) else repr(value)
    return repr(value) if value is None or isinstance(value, int | float) else type(value).__name__
