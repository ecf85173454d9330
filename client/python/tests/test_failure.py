"""Tests of the failure of an attempt, read from a gRPC error."""

import unittest

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from hmacd import _failure


class Error:
    """A `grpc.Call` that failed."""

    def __init__(self, code, *details, text="text", domain="hmacd.dev", trailers=()):
        status = Status()
        for detail in details:
            packed = Any()
            packed.Pack(
                ErrorInfo(reason=detail, domain=domain) if isinstance(detail, str) else detail
            )
            status.details.append(packed)
        encoded = ("grpc-status-details-bin", status.SerializeToString())
        self._code, self._text, self._trailers = code, text, (encoded, *trailers)

    def code(self):
        return self._code

    def details(self):
        return self._text

    def trailing_metadata(self):
        return self._trailers


UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
# gRPC's texts, of version 1.85.
NO_CONNECTION = "connections to all backends failing; last error: UNKNOWN: ipv4:127.0.0.1:1: "


class FailureTest(unittest.TestCase):
    def test_error_of_a_daemon_has_its_reason(self):
        error = Error(UNAVAILABLE, "STOPPING", trailers=[("x-request-id", "id-1")])
        failure = _failure.of(error)
        self.assertEqual(
            ("UNAVAILABLE", "STOPPING", "text", "id-1", False),
            (failure.code, failure.reason, failure.text, failure.request_id, failure.not_sent),
        )

    def test_reason_of_another_domain_is_not_the_daemons(self):
        error = Error(grpc.StatusCode.INVALID_ARGUMENT, "KMS_INVALID_MAC", domain="example.org")
        self.assertEqual("", _failure.of(error).reason)

    def test_details_that_are_not_a_status_are_ignored(self):
        error = Error(UNAVAILABLE)
        error._trailers = (("grpc-status-details-bin", b"\xff\xff"),)
        self.assertEqual("", _failure.of(error).reason)
        error._trailers = None
        self.assertEqual("", _failure.of(error).reason)

    def test_numbers_of_the_metadata_are_read(self):
        for metadata, numbers in (
            ({"maximum": "64", "given": "65"}, (64, 65)),
            ({"maximum": "many", "given": "9" * 5000}, (0, 0)),
            ({"maximum": "\u0662", "given": "-1"}, (0, 0)),
        ):
            info = ErrorInfo(reason="MESSAGE_TOO_LONG", domain="hmacd.dev", metadata=metadata)
            failure = _failure.of(Error(grpc.StatusCode.INVALID_ARGUMENT, info))
            self.assertEqual(numbers, (failure.maximum, failure.given))

    def test_retry_info_is_a_delay(self):
        retry = RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000))
        self.assertEqual(1.5, _failure.of(Error(UNAVAILABLE, "STOPPING", retry)).retry_after)
        self.assertIsNone(_failure.of(Error(UNAVAILABLE, "STOPPING")).retry_after)
        for seconds, delay in ((2**62, 2.0**62), (-1, 0)):
            retry = RetryInfo(retry_delay=Duration(seconds=seconds))
            self.assertEqual(delay, _failure.of(Error(UNAVAILABLE, "X", retry)).retry_after)

    def test_negative_or_malformed_pushback_forbids_a_retry(self):
        for value, forbidden in (("-1", True), ("x", True), ("", True), ("0", False), ("9", False)):
            error = Error(UNAVAILABLE, trailers=[("grpc-retry-pushback-ms", value)])
            self.assertEqual(forbidden, _failure.of(error).no_retry, value)
        self.assertFalse(_failure.of(Error(UNAVAILABLE)).no_retry)

    def test_text_is_one_short_line(self):
        text = "first\x1b[1m\nsecond"
        self.assertEqual("first[1m", _failure.of(Error(UNAVAILABLE, "INTERNAL", text=text)).text)
        self.assertEqual(200, len(_failure.of(Error(UNAVAILABLE, "X", text="x" * 999)).text))

    def test_reason_is_one_line(self):
        forged = Error(UNAVAILABLE, "TOKEN_BUSY\n2026 forged")
        self.assertEqual("TOKEN_BUSY2026 forged", _failure.of(forged).reason)

    def test_text_of_a_failed_connection_is_not_grpcs(self):
        for details, text, tls, not_sent in (
            (f"{NO_CONNECTION}Failed to connect to remote host: Connection refused",
             "connection refused", False, True),
            (f"{NO_CONNECTION}Custom verification check failed with error: UNAUTHENTICATED: "
             "Hostname Verification Check failed.",
             "the certificate of the daemon is for another name", True, True),
            (f"{NO_CONNECTION}Tls handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: "
             "CERTIFICATE_VERIFY_FAILED: certificate has expired: OK",
             "the certificate of the daemon, or of its authority, has ended", True, True),
            (f"{NO_CONNECTION}Handshake read failed (Socket closed)",
             "the peer closed the connection in the TLS handshake", False, True),
            ("errors resolving x:1: Domain name not found",
             "the name of the target is not found", False, True),
            (f"{NO_CONNECTION}something new", "no connection", False, True),
            ("recvmsg:Connection reset by peer",
             "the connection was lost, or the server is unavailable", False, False),
            ("Unwrap failed (TSI_DATA_CORRUPTED)",
             "the connection was lost, or the server is unavailable", False, False),
            ("", "the connection was lost, or the server is unavailable", False, False),
        ):  # fmt: skip
            with self.subTest(details):
                failure = _failure.of(Error(UNAVAILABLE, text=details))
                self.assertEqual(
                    ("", text, tls, not_sent),
                    (failure.reason, failure.text, failure.tls, failure.not_sent),
                )

    def test_another_code_without_reason_is_sent(self):
        failure = _failure.of(Error(grpc.StatusCode.INTERNAL, text=NO_CONNECTION))
        self.assertEqual(("INTERNAL", "", False), (failure.code, failure.reason, failure.not_sent))


if __name__ == "__main__":
    unittest.main()
