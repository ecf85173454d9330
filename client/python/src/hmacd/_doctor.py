"""Finds out why a target cannot be used."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime

import grpc

from hmacd import _certificates, _failure
from hmacd._certificates import CertificateError, Pem, Renewal
from hmacd._channels import OPTIONS, address, credentials
from hmacd._settings import Settings, Target, TlsFiles

_TIMEOUT = 2.0  # Seconds for each check.
_HEALTH = "/grpc.health.v1.Health/Check"
_HEALTH_STATUS = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


class _CheckError(Exception):
    """A check failed. The text says which one."""


def diagnose(settings: Settings, renewal: Renewal | None) -> list[str]:
    """One line for each target: `ok: ...`, or `failed: ...` with the first check that failed."""
    return [_line(target, settings.files, renewal) for target in settings.targets]


def _line(target: Target, files: TlsFiles | None, renewal: Renewal | None) -> str:
    try:
        if target.is_unix:
            _connect_unix(target)
            return f"ok: {target.name}, Unix socket, {_health(target, None)}"
        assert files is not None
        assert renewal is not None
        _check_files(files, renewal)
        facts = _handshake(target, files)
        return f"ok: {target.name}, {facts}, {_health(target, renewal.current)}"
    except _CheckError as error:
        return f"failed: {target.name}, {error}"


def _check_files(files: TlsFiles, renewal: Renewal) -> None:
    try:
        pem = renewal.inspect().result(_TIMEOUT)
        _certificates.check(pem, files, datetime.now(UTC))
    except CertificateError as error:
        raise _CheckError(f"files: {error}") from error
    except TimeoutError as error:
        raise _CheckError("files: the read of the files does not end") from error


def _connect_unix(target: Target) -> None:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_TIMEOUT)
            connection.connect(target.host)
    except OSError as error:
        raise _CheckError(f"connection: {_strerror(error)}") from error


def _handshake(target: Target, files: TlsFiles) -> str:
    """Connects with TLS, apart from gRPC, whose errors are less exact. Returns facts."""
    try:
        connection = socket.create_connection((target.host, target.port), _TIMEOUT)
    except (socket.gaierror, UnicodeError) as error:  # UnicodeError: a part of over 63 characters.
        raise _CheckError("name: the name is not found") from error
    except OSError as error:
        raise _CheckError(f"connection: {_strerror(error)}") from error
    with connection:
        try:
            context = ssl.create_default_context(cafile=str(files.ca))
            context.load_cert_chain(files.certificate, files.private_key)
            context.set_alpn_protocols(["h2"])
            with context.wrap_socket(connection, server_hostname=target.host) as tls:
                # With TLS 1.3, the daemon refuses a certificate after the handshake. HTTP/2 begins
                # with a frame of the daemon.
                if not tls.recv(1):
                    raise _CheckError("client certificate: the daemon closed the connection")
                return str(tls.version())
        except ssl.SSLCertVerificationError as error:
            raise _CheckError(_untrusted(error)) from error
        except ssl.SSLError as error:
            raise _CheckError(_refused(error)) from error
        except TimeoutError as error:
            raise _CheckError("TLS: no answer") from error
        except OSError as error:
            raise _CheckError(f"TLS: {_strerror(error)}") from error


def _untrusted(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in {62, 64}:  # X509_V_ERR_HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH
        return "daemon's name: the certificate of the daemon is for another name"
    return f"daemon not trusted: {error.verify_message}"


def _refused(error: ssl.SSLError) -> str:
    reason = error.reason or "the handshake failed"
    if "ALERT" in reason:
        return f"client certificate: the daemon refused it ({reason})"
    if reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"}:
        return "TLS: the peer does not speak TLS"
    return f"TLS: {reason}"


def _health(target: Target, pem: Pem | None) -> str:
    """The health status, by gRPC."""
    channel = (
        grpc.insecure_channel(address(target), OPTIONS)
        if pem is None
        else grpc.secure_channel(address(target), credentials(pem), OPTIONS)
    )
    with channel:
        # The request is empty. The response has the status in field 1, a varint.
        try:
            answer: bytes = channel.unary_unary(_HEALTH)(b"", timeout=_TIMEOUT)
        except grpc.RpcError as error:
            failure = _failure.of(error)
            raise _CheckError(
                f"health: {failure.reason or failure.code}: {failure.text}"
            ) from error
    number = answer[1] if answer[:1] == b"\x08" and len(answer) == 2 else 0
    status = _HEALTH_STATUS.get(number, str(number))
    if status != "SERVING":
        raise _CheckError(f"health: {status}")
    return status


def _strerror(error: OSError) -> str:
    return error.strerror or ("no answer" if isinstance(error, TimeoutError) else "failed")
