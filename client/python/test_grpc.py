"""Tests of the gRPC client, with the daemon in the environment."""

import os
import socket
import time
import unittest
from pathlib import Path

import grpc

from hmacd.v1 import (
    key_service_pb2,
    key_service_pb2_grpc,
    key_spec_pb2,
    mac_algorithm_pb2,
    mac_service_pb2,
    mac_service_pb2_grpc,
)
from hmacd_grpc import connect, credentials_from_env, reason

SHA_256 = mac_algorithm_pb2.MAC_ALGORITHM_HMAC_SHA_256
SHA_512 = mac_algorithm_pb2.MAC_ALGORITHM_HMAC_SHA_512


class GrpcTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.channel = cls.enterClassContext(connect(os.environ["HMACD_TARGET"], credentials_from_env()))
        cls.macs = mac_service_pb2_grpc.MacServiceStub(cls.channel)
        cls.key_id = (
            key_service_pb2_grpc.KeyServiceStub(cls.channel)
            .CreateKey(key_service_pb2.CreateKeyRequest(key_spec=key_spec_pb2.KEY_SPEC_HMAC_256))
            .key_metadata.key_id
        )

    def generate(self, key_id=None, message=b"hello", algorithm=SHA_256):
        request = mac_service_pb2.GenerateMacRequest(
            key_id=key_id or self.key_id, message=message, mac_algorithm=algorithm
        )
        return self.macs.GenerateMac(request).mac

    def verify(self, mac, message=b"hello"):
        request = mac_service_pb2.VerifyMacRequest(
            key_id=self.key_id, message=message, mac_algorithm=SHA_256, mac=mac
        )
        return self.macs.VerifyMac(request).mac_valid

    def assert_refused(self, code, expected, call, **arguments):
        with self.assertRaises(grpc.RpcError) as caught:
            call(**arguments)
        self.assertEqual((code, expected), (caught.exception.code(), reason(caught.exception)))

    def test_mac_is_verified(self):
        mac = self.generate()
        self.assertEqual(32, len(mac))
        self.assertTrue(self.verify(mac))

    def test_wrong_mac_is_refused(self):
        mac = self.generate()
        wrong = mac[:31] + bytes([mac[31] ^ 1])
        self.assert_refused(grpc.StatusCode.INVALID_ARGUMENT, "KMS_INVALID_MAC", self.verify, mac=wrong)

    def test_unknown_key_is_refused(self):
        self.assert_refused(
            grpc.StatusCode.NOT_FOUND, "KEY_NOT_FOUND", self.generate,
            key_id="00000000-0000-4000-8000-000000000000",
        )

    def test_algorithm_of_another_spec_is_refused(self):
        self.assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT, "INVALID_KEY_USAGE", self.generate, algorithm=SHA_512
        )

    def test_message_of_4097_bytes_is_refused(self):
        self.assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", self.generate, message=bytes(4097)
        )

    def list_keys(self, target, credentials, timeout_seconds=5.0):
        with connect(target, credentials, timeout_seconds) as channel:
            return key_service_pb2_grpc.KeyServiceStub(channel).ListKeys(key_service_pb2.ListKeysRequest())

    def test_caller_without_certificate_is_refused(self):
        nobody = grpc.ssl_channel_credentials(Path(os.environ["HMACD_CA"]).read_bytes())
        self.assert_refused(
            grpc.StatusCode.UNAVAILABLE, None, self.list_keys,
            target=os.environ["HMACD_TARGET"], credentials=nobody,
        )

    def test_call_to_a_silent_server_ends_at_its_deadline(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            start = time.monotonic()
            self.assert_refused(
                grpc.StatusCode.DEADLINE_EXCEEDED, None, self.list_keys,
                target=f"127.0.0.1:{silent.getsockname()[1]}", credentials=credentials_from_env(),
                timeout_seconds=0.3,
            )
            self.assertGreaterEqual(time.monotonic() - start, 0.25)  # The deadline uses another clock.


if __name__ == "__main__":
    unittest.main()
