"""What a failed connection means, from gRPC's text about it."""

from __future__ import annotations

from dataclasses import dataclass

# gRPC's texts if it had no connection for a call: the call was not sent.
_NO_CONNECTION = (
    "connections to all backends failing",
    "failed to connect to all addresses",
    "errors resolving",
    "DNS resolution failed",
    "empty address list",
)
_TLS = (
    ("Hostname Verification Check failed", "the certificate of the daemon is for another name"),
    ("certificate has expired", "the certificate of the daemon, or of its authority, has ended"),
    ("certificate is not yet valid", "the certificate of the daemon is not valid yet"),
    ("CERTIFICATE_VERIFY_FAILED", "the certificate of the daemon is not trusted"),
    ("WRONG_VERSION_NUMBER", "the peer does not speak TLS"),
    # With TLS 1.3, the daemon's alert is the first record after the handshake.
    ("Unwrap failed", "the daemon refused the client certificate"),
    ("ALERT", "the daemon refused the client certificate"),
    ("Tls handshake failed", "the TLS handshake failed"),
    ("Cannot check peer", "the peer does not support HTTP/2 over TLS"),
)
_OTHERS = (
    ("Connection refused", "connection refused"),
    ("No such file", "the Unix socket does not exist"),
    ("Domain name not found", "the name of the target is not found"),
    ("errors resolving", "the name of the target cannot be looked up"),
    ("DNS resolution failed", "the name of the target cannot be looked up"),
    ("Handshake read failed", "the peer closed the connection in the TLS handshake"),
    ("timed out", "the connection timed out"),
)


@dataclass(frozen=True, slots=True)
class Cause:
    text: str
    tls: bool
    not_sent: bool


def cause(details: str) -> Cause:
    """Classifies the details of an UNAVAILABLE status without a daemon's reason."""
    not_sent = details.startswith(_NO_CONNECTION)
    if not_sent:
        for sign, text in _TLS:
            if sign in details:
                return Cause(text, tls=True, not_sent=True)
    for sign, text in _OTHERS:
        if sign in details:
            return Cause(text, tls=False, not_sent=not_sent)
    text = "no connection" if not_sent else "the connection was lost, or the server is unavailable"
    return Cause(text, tls=False, not_sent=not_sent)
