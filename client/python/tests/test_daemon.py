"""Tests of both clients, with the daemon in the environment."""

import os
import socket
import tempfile
import unittest

from support import RUNNER, Authority, Files

import hmacd
from hmacd import MacAlgorithm, aio

LONG = 60  # Seconds: a busy machine never takes as long.


class Calls:
    """The tests of both clients. `do` runs a call of the client."""

    def setUp(self):
        self.client = self.open()
        self.key = self.do(self.client.create_key, MacAlgorithm.HMAC_SHA_256)

    def open(self, **settings):
        client = self.kind.from_env(**{"timeout": LONG, "attempt_timeout": LONG} | settings)
        self.addCleanup(lambda: self.do(client.close))
        return client

    def refused(self, reason, call, *arguments, **options):
        with self.assertRaises(hmacd.HmacdError) as caught:
            self.do(call, *arguments, **options)
        self.assertEqual(reason, caught.exception.reason)
        return caught.exception

    def test_mac_is_verified(self):
        mac = self.do(self.key.generate, "Grüße")
        self.assertEqual(32, len(mac))
        self.do(self.key.verify, "Grüße".encode(), mac)

    def test_wrong_mac_is_refused(self):
        mac = self.do(self.key.generate, b"hello")
        wrong = mac[:31] + bytes([mac[31] ^ 1])
        error = self.refused("KMS_INVALID_MAC", self.key.verify, b"hello", wrong)
        self.assertIs(hmacd.InvalidMac, type(error))
        self.assertEqual(36, len(error.request_id))

    def test_key_of_each_algorithm_is_created_and_opened(self):
        for algorithm in MacAlgorithm:
            with self.subTest(algorithm):
                created = self.do(self.client.create_key, algorithm, description="test")
                opened = self.do(self.client.open_key, created.name)
                self.assertEqual((algorithm, created.arn), (opened.algorithm, opened.arn))
                mac = self.do(opened.generate, b"hello")
                self.assertEqual(algorithm.mac_bytes, len(mac))
                self.do(created.verify, b"hello", mac)

    def test_refusals_of_the_daemon_have_their_reason(self):
        missing = self.client.key("00000000-0000-4000-8000-000000000000", MacAlgorithm.HMAC_SHA_256)
        self.refused("KEY_NOT_FOUND", missing.generate, b"hello")
        self.refused("KEY_NOT_FOUND", self.client.open_key, missing.name)
        other = self.client.key(self.key.name, MacAlgorithm.HMAC_SHA_512)
        self.refused("INVALID_KEY_USAGE", other.generate, b"hello")
        self.refused("RESERVED_MESSAGE", self.key.generate, b"hmacd check value v1\0")

    def test_limit_of_the_daemon_is_the_authority(self):
        key = self.open(max_message_bytes=100_000).key(self.key.name, MacAlgorithm.HMAC_SHA_256)
        self.refused("MESSAGE_TOO_LONG", key.generate, bytes(65_537))
        self.do(key.generate, bytes(65_536))

    def test_two_targets_are_used_in_turn(self):
        targets = [os.environ["HMACD_TARGET"], f"unix:{os.environ['HMACD_SOCKET']}"]
        key = self.open(targets=targets).key(self.key.name, MacAlgorithm.HMAC_SHA_256)
        self.assertEqual(1, len({self.do(key.generate, b"hello") for _ in range(4)}))

    def test_doctor_finds_no_fault(self):
        targets = [os.environ["HMACD_TARGET"], f"unix:{os.environ['HMACD_SOCKET']}"]
        lines = self.do(self.open(targets=targets).doctor)
        self.assertEqual(
            [f"ok: {targets[0]}, TLSv1.3, SERVING", f"ok: {targets[1]}, Unix socket, SERVING"],
            lines,
        )

    def test_caller_of_another_authority_is_refused(self):
        files = self.files_of_another_authority(trust_daemon=True)
        client = self.open(**files.settings(), timeout=3)
        key = client.key(self.key.name, MacAlgorithm.HMAC_SHA_256)
        error = self.refused("TLS_FAILED", key.generate, b"hello")
        self.assertIs(hmacd.TlsFailed, type(error))
        self.assertIn("refused the client certificate", str(error))
        self.assertRegex(self.do(client.doctor)[0], "client certificate: the daemon refused it")

    def test_daemon_of_another_authority_is_refused(self):
        client = self.open(**self.files_of_another_authority().settings(), timeout=3)
        key = client.key(self.key.name, MacAlgorithm.HMAC_SHA_256)
        error = self.refused("TLS_FAILED", key.generate, b"hello")
        self.assertIn("the certificate of the daemon is not trusted", str(error))
        self.assertFalse(error.retryable)
        self.assertRegex(self.do(client.doctor)[0], "daemon not trusted")

    def files_of_another_authority(self, trust_daemon=False):
        files = Files(self.enterContext(tempfile.TemporaryDirectory()), Authority())
        if trust_daemon:
            files.ca = os.environ["HMACD_CA"]
        return files

    def test_silent_server_is_left_at_the_deadline(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            target = f"127.0.0.1:{silent.getsockname()[1]}"
            key = self.open(targets=target).key("k", MacAlgorithm.HMAC_SHA_256)
            error = self.refused("DEADLINE_EXCEEDED", key.generate, b"hello", timeout=0.3)
        self.assertEqual((target, 1), (error.target, error.attempts))


class DaemonTest(Calls, unittest.TestCase):
    kind = hmacd.Client

    def do(self, call, *arguments, **options):
        return call(*arguments, **options)


class AioDaemonTest(Calls, unittest.TestCase):
    kind = aio.Client
    runner = RUNNER

    def do(self, call, *arguments, **options):
        async def run():
            return await call(*arguments, **options)

        return self.runner.run(run())


if __name__ == "__main__":
    unittest.main()
