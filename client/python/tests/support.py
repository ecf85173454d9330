"""Vectors, certificates and clocks of the tests."""

from __future__ import annotations

import asyncio
import atexit
import datetime as dt
import ipaddress
import json
import threading
from concurrent.futures import Future, wait
from pathlib import Path
from unittest import mock

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from hmacd import _certificates

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/vectors.json").read_text())
KEY = bytes.fromhex(VECTORS["key"])
NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


# gRPC logs errors if a process has several event loops, one after the other.
RUNNER = asyncio.Runner()
atexit.register(RUNNER.close)


def open_channels(client):
    """The channels of a client, also those that wait for their last call."""
    channels = client._channels
    return [slot.channel for slot in channels._slots if slot] + list(channels._retired)


def ends(test, function, *arguments):
    """The future of a function, which must end."""
    outcome = Future()

    def run():
        try:
            outcome.set_result(function(*arguments))
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    test.assertTrue(wait([outcome], 60).done, "the function has not ended in 60 s")
    return outcome


class HangingRead:
    """A read of the PEM files that does not end before `released`, as of a network file system."""

    def __init__(self, test):
        self.count = 0
        self.started = threading.Event()
        self.released = threading.Event()
        test.enterContext(mock.patch("hmacd._certificates.read", self))
        test.addCleanup(self.released.set)

    def __call__(self, files, read=_certificates.read):
        self.count += 1
        self.started.set()
        self.released.wait()
        return read(files)


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Authority:
    """A certificate authority."""

    def __init__(self, ends=dt.timedelta(days=1)) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
        self.pem = self._sign(self._name, self._key.public_key(), authority=True, ends=ends)

    def issue(self, name="client", *, ends=dt.timedelta(days=1), key=None, ip="127.0.0.1"):
        """Returns the PEM of a certificate, and its key."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key.public_key(), ends=ends, ip=ip)
        return certificate, key

    def _sign(self, subject, public_key, *, authority=False, ends=dt.timedelta(days=1), ip=None):
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=2))
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if ip:
            names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ip))])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


def pkcs8(key, password=None):
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def traditional(key, password=None):
    """PKCS#1 for RSA, SEC1 for EC."""
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, encryption)


def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Files:
    """The three PEM files of a client, in a folder of the test."""

    def __init__(self, folder, authority, name="client"):
        self.ca = Path(folder) / "ca.pem"
        self.certificate = Path(folder) / "client.pem"
        self.private_key = Path(folder) / "client-key.pem"
        self.ca.write_bytes(authority.pem)
        self.write(*authority.issue(name))

    def write(self, certificate, key):
        self.certificate.write_bytes(certificate)
        self.private_key.write_bytes(pkcs8(key))

    def settings(self):
        return {"ca": self.ca, "certificate": self.certificate, "private_key": self.private_key}
