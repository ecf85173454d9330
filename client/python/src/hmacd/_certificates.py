"""The PEM files of a client, and their renewal."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

if TYPE_CHECKING:
    from pathlib import Path

    from hmacd._settings import TlsFiles


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
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(f"{setting}: {path} cannot be read: {error.strerror}") from error


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


class Renewal:
    """Decides which set of files is in use. Thread-safe.

    A changed set is in use when two reads in a row have the same content, and it is good. Until
    then, and if it is not good, the last good set stays in use.
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
        self._problem = ""
        check(self._current, files, now())

    @property
    def current(self) -> Pem:
        """The set in use: a new object for each new set."""
        return self._current

    @property
    def problem(self) -> str:
        """What is wrong with the files on the disk; empty if nothing."""
        return self._problem

    def read(self) -> None:
        """Reads the files. Changes the set in use at the second read of the same content."""
        self._read(at_once=False)

    def read_now(self) -> None:
        """Reads the files. Changes the set in use at once."""
        self._read(at_once=True)

    def _read(self, *, at_once: bool) -> None:
        with self._lock:
            try:
                pem = read(self._files)
                stable = pem == self._seen
                self._seen = pem
                if pem == self._current:
                    self._problem = ""
                elif stable or at_once:
                    check(pem, self._files, self._now())
                    self._current, self._problem = pem, ""
            except CertificateError as error:
                self._problem = str(error)


def watch(renewal: Renewal, interval: float, stop: threading.Event) -> None:
    """Reads the files each `interval` seconds until `stop`. The thread keeps no process alive."""

    def run() -> None:
        while not stop.wait(interval):
            renewal.read()

    threading.Thread(target=run, name="hmacd-files", daemon=True).start()
