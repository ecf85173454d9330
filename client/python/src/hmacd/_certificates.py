"""The PEM files of a client, and their renewal."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

if TYPE_CHECKING:
    from pathlib import Path

    from hmacd._settings import TlsFiles

_MOST_BYTES = 1024 * 1024
# The open of a FIFO does not wait for its writer, and a terminal does not become that of the
# process. Windows has neither flag.
_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


class CertificateError(ValueError):
    """A PEM file cannot be used. The text has its path, and no content."""


@dataclass(frozen=True, slots=True)
class Pem:
    """The content of the three files."""

    ca: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    private_key: bytes = field(repr=False)


def read(files: TlsFiles) -> Pem:
    """:raises CertificateError: if a file cannot be read"""
    return Pem(
        _read("ca", files.ca),
        _read("certificate", files.certificate),
        _read("private_key", files.private_key),
    )


def _read(setting: str, path: Path) -> bytes:
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | _FLAGS)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise CertificateError(f"{setting}: {path} is not a regular file")
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise CertificateError(f"{setting}: {path} cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise CertificateError(f"{setting}: {path} has more than {_MOST_BYTES} bytes")
    return content


def check(pem: Pem, files: TlsFiles, now: datetime) -> None:
    """Checks a set: PEM, the key belongs to the certificate, the certificate has not ended.

    :raises CertificateError: with the first fault
    """
    _certificate("ca", files.ca, pem.ca)
    certificate = _certificate("certificate", files.certificate, pem.certificate)
    if certificate.not_valid_after_utc <= now:
        raise CertificateError(
            f"certificate: {files.certificate} has ended at "
            f"{certificate.not_valid_after_utc:%FT%TZ}"
        )
    if b"ENCRYPTED" in pem.private_key:
        raise CertificateError(
            f"private_key: {files.private_key} is encrypted: decrypt it with openssl pkey"
        )
    try:
        key = load_pem_private_key(pem.private_key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The cause is not chained: its text may have bytes of the key.
        raise CertificateError(
            f"private_key: {files.private_key} is not a private key in PEM (PKCS#8, PKCS#1 or SEC1)"
        ) from None
    try:
        belongs = key.public_key() == certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(
            f"certificate: {files.certificate} has a key of an unsupported type"
        ) from error
    if not belongs:
        raise CertificateError(
            f"private_key: {files.private_key} does not belong to {files.certificate}"
        )


def _certificate(setting: str, path: Path, pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(pem)[0]
    except (ValueError, x509.InvalidVersion) as error:
        raise CertificateError(f"{setting}: {path} is not a certificate in PEM") from error


class _Read:
    """A read of the files, for all callers that asked for it before its start."""

    def __init__(self) -> None:
        self.at_once = False
        self.result: Future[Pem] = Future()
        self.result.set_running_or_notify_cancel()  # No caller can cancel it for the others.

    def end(self, pem: Pem | None, error: Exception | None = None) -> None:
        with suppress(InvalidStateError):  # `release` was first.
            if error is not None:
                self.result.set_exception(error)
            elif pem is not None:
                self.result.set_result(pem)


class Renewal:
    """Decides which set of files is in use. Thread-safe.

    A changed set is in use when two reads in a row have the same content, and it is good. Until
    then, and if it is not good, the last good set stays in use.

    At most one read is in flight: a read of a network file system may never end.
    """

    def __init__(
        self, files: TlsFiles, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """:raises CertificateError: if the set is not good"""
        self._lock = threading.Lock()
        self._files = files
        self._now = now
        self._current = read(files)
        self._seen = self._current
        self._in_flight: _Read | None = None
        self._next: _Read | None = None
        check(self._current, files, now())

    @property
    def current(self) -> Pem:
        """The set in use: a new object for each new set."""
        return self._current

    def read(self) -> None:
        """Reads the files. Changes the set in use at the second read of the same content.

        Does nothing while another read is in flight.
        """
        with self._lock:
            if self._in_flight is not None:
                return
            self._in_flight = _Read()
        self._run()

    def read_now(self) -> Future[Pem]:
        """Reads the files in another thread. Changes the set in use at once.

        The result is the set on the disk, or a `CertificateError`.
        """
        return self._start(at_once=True)

    def inspect(self) -> Future[Pem]:
        """`read` in another thread. The result is the set on the disk, or a `CertificateError`."""
        return self._start(at_once=False)

    def release(self) -> None:
        """Ends all waits for a read."""
        with self._lock:
            reads = [self._in_flight, self._next]
            self._next = None
        for one in reads:
            if one is not None:
                one.end(None, CertificateError("the client is closed"))

    def _start(self, *, at_once: bool) -> Future[Pem]:
        with self._lock:
            one = self._next or _Read()
            if self._in_flight is not None:
                self._next = one  # The read in flight may have read the files too early.
            else:
                threading.Thread(target=self._run, name="hmacd-read", daemon=True).start()
                self._in_flight = one
            one.at_once |= at_once
            return one.result

    def _run(self) -> None:
        """Reads the files, until no caller waits for a read."""
        with self._lock:
            one = self._in_flight
        while one is not None:
            try:
                pem = read(self._files)
                self._observe(pem, one.at_once)
                one.end(pem)
            except Exception as error:
                one.end(None, error)
            with self._lock:
                one = self._in_flight = self._next
                self._next = None

    def _observe(self, pem: Pem, at_once: bool) -> None:
        stable = pem == self._seen
        self._seen = pem
        if pem != self._current and (stable or at_once):
            check(pem, self._files, self._now())
            self._current = pem


def watch(renewal: Renewal, interval: float, stop: threading.Event) -> None:
    """Reads the files each `interval` seconds until `stop`. The thread keeps no process alive."""

    def run() -> None:
        while not stop.wait(interval):
            renewal.read()

    threading.Thread(target=run, name="hmacd-files", daemon=True).start()
