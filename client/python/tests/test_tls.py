"""Tests of TLS and of renewed certificates, with a fake that has certificates of its own."""

import contextlib
import datetime as dt
import os
import socket
import tempfile
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import grpc
from support import KEY, RUNNER, Authority, Files, HangingRead, ends, open_channels, pkcs8

import hmacd
from hmacd import MacAlgorithm, aio
from hmacd.testing import Fake

LONG = 120  # Seconds: a busy machine never takes as long.


class TlsFake(Fake):
    """Records the principal and the connection of each attempt."""

    def __init__(self, authority, **certificate):
        pem, key = authority.issue("daemon", **certificate)
        self.callers = []
        super().__init__(
            {"k": KEY},
            grpc.ssl_server_credentials(
                [(pkcs8(key), pem)], authority.pem, require_client_auth=True
            ),
        )

    def _follow_order(self, context):
        self.callers.append(
            (context.auth_context()["x509_common_name"][0].decode(), context.peer())
        )
        return super()._follow_order(context)


class TlsTest(unittest.TestCase):
    def setUp(self):
        self.authority = Authority()
        self.files = Files(self.enterContext(tempfile.TemporaryDirectory()), self.authority, "old")

    def open(self, target, **settings):
        settings = {"timeout": LONG} | settings
        client = self.enterContext(hmacd.Client(target, **self.files.settings(), **settings))
        return client.key("k", MacAlgorithm.HMAC_SHA_256)

    def fake(self, **certificate):
        return self.enterContext(TlsFake(self.authority, **certificate))

    def fails(self, target, text, line):
        key = self.open(target, timeout=3)
        with self.assertRaises(hmacd.TlsFailed) as caught:
            key.generate(b"hello")
        self.assertEqual(("TLS_FAILED", 1), (caught.exception.reason, caught.exception.attempts))
        self.assertIn(text, str(caught.exception))
        self.assertRegex(key._client.doctor()[0], line)

    def test_daemon_with_another_name_is_refused(self):
        self.fails(self.fake(ip="127.0.0.2").target, "is for another name", "daemon's name")

    def test_daemon_with_an_ended_certificate_is_refused(self):
        fake = self.fake(ends=-dt.timedelta(hours=1))
        self.fails(fake.target, "has ended", "daemon not trusted: certificate has expired")

    def test_daemon_of_an_ended_authority_is_refused(self):
        self.authority = Authority(ends=-dt.timedelta(hours=1))
        self.files = Files(self.enterContext(tempfile.TemporaryDirectory()), self.authority)
        pem, key = self.authority.issue("daemon")
        pair = [(pkcs8(key), pem)]
        fake = self.enterContext(Fake({"k": KEY}, grpc.ssl_server_credentials(pair)))
        self.fails(fake.target, "has ended", "daemon not trusted: certificate has expired")

    def test_peer_without_tls_is_refused(self):
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
            threading.Thread(target=self.answer_http, args=(server,), daemon=True).start()
            target = f"127.0.0.1:{server.getsockname()[1]}"
            self.fails(target, "the peer does not speak TLS", "TLS: the peer does not speak TLS")

    def answer_http(self, server):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with contextlib.suppress(OSError), connection:
                    connection.recv(1000)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    def test_doctor_names_the_first_check_that_failed(self):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            target = f"127.0.0.1:{closed.getsockname()[1]}"
        client = self.open(target)._client
        self.assertEqual([f"failed: {target}, connection: Connection refused"], client.doctor())
        long = f"{'x' * 64}.invalid:1"
        lines = self.open(long)._client.doctor()
        self.assertEqual([f"failed: {long}, name: the name is not found"], lines)
        client = self.open("no-such-name.invalid:1")._client
        target = "no-such-name.invalid:1"
        self.assertEqual([f"failed: {target}, name: the name is not found"], client.doctor())
        self.files.certificate.unlink()
        self.assertRegex(
            client.doctor()[0], f"^failed: {target}, files: certificate: .*cannot be read"
        )

    def test_renewed_certificate_is_in_use(self):
        fake = self.fake()
        key = self.open(fake.target, file_interval=1)
        key.generate(b"hello")
        self.files.write(*self.authority.issue("new"))
        end = time.monotonic() + LONG
        while fake.callers[-1][0] == "old" and time.monotonic() < end:
            time.sleep(0.1)
            key.generate(b"hello")
        self.assertEqual("new", fake.callers[-1][0])

    def test_call_in_flight_ends_on_its_old_channel(self):
        fake = self.fake()
        key = self.open(fake.target)
        fake.delay(1)
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(key.generate, b"hello")
            while not fake.callers:
                time.sleep(0.01)
            self.files.write(*self.authority.issue("new"))
            key._client._renewal.read_now().result(LONG)
            key.generate(b"hello")
            self.assertEqual(2, len(open_channels(key._client)))
            self.assertEqual(32, len(call.result(LONG)))
        self.assertEqual(["old", "new"], [name for name, _ in fake.callers])
        self.assertEqual(1, len(open_channels(key._client)))

    def test_unauthenticated_call_is_repeated_with_the_files_of_now(self):
        fake = self.fake()
        key = self.open(fake.target, file_interval=5)
        key.generate(b"hello")
        self.files.write(*self.authority.issue("new"))
        fake.fail("UNAUTHENTICATED")
        key.generate(b"hello")
        self.assertEqual(["old", "old", "new"], [name for name, _ in fake.callers])

    def test_unauthenticated_call_is_repeated_over_a_new_connection_with_the_same_files(self):
        fake = self.fake()
        key = self.open(fake.target)
        key.generate(b"hello")
        fake.fail("UNAUTHENTICATED")
        key.generate(b"hello")
        first, second, third = (peer for _, peer in fake.callers)
        self.assertEqual(first, second)
        self.assertNotEqual(second, third)

    def test_files_that_are_not_good_leave_the_client_in_use(self):
        fake = self.fake()
        key = self.open(fake.target, file_interval=1)
        self.files.private_key.write_bytes(b"no key")
        key.generate(b"hello")
        fake.fail("UNAUTHENTICATED")
        key.generate(b"hello")
        self.assertEqual(["old"] * 3, [name for name, _ in fake.callers])
        self.assertRegex(key._client.doctor()[0], "files: private_key: .* is not a private key")

    def test_fifo_blocks_no_call(self):
        fake = self.fake()
        key = self.open(fake.target, file_interval=1)
        key.generate(b"hello")
        self.files.private_key.unlink()
        os.mkfifo(self.files.private_key)
        fake.fail("UNAUTHENTICATED")
        self.assertEqual(32, len(ends(self, key.generate, b"hello").result()))
        line = ends(self, key._client.doctor).result()[0]
        self.assertRegex(line, "^failed: .*, files: private_key: .* is not a regular file$")

    def open_aio(self, target, **settings):
        client = aio.Client(target, **self.files.settings(), **settings)
        self.addCleanup(lambda: RUNNER.run(client.close()))
        return client.key("k", MacAlgorithm.HMAC_SHA_256)

    def test_call_waits_for_a_read_of_the_files_until_its_deadline(self):
        fake = self.fake()
        for kind, open_key in (("threads", self.open), ("asyncio", self.open_aio)):
            with self.subTest(kind):
                key = open_key(fake.target, timeout=4, file_interval=5)
                hanging = HangingRead(self)
                fake.fail("UNAUTHENTICATED")
                call = (lambda key=key: RUNNER.run(key.generate(b"m"))) if kind == "asyncio" else (
                    lambda key=key: key.generate(b"m"))  # fmt: skip
                error = ends(self, call).exception()
                self.assertIs(hmacd.DeadlineExceeded, type(error))
                self.assertIn("after UNAUTHENTICATED", str(error))
                self.assertEqual(1, error.attempts)
                self.assertTrue(hanging.started.is_set())
                hanging.released.set()

    def test_doctor_does_not_wait_for_a_read_of_the_files_that_does_not_end(self):
        client = self.open(self.fake().target)._client
        HangingRead(self)
        line = ends(self, client.doctor).result()[0]
        self.assertRegex(line, "^failed: .*, files: the read of the files does not end$")

    def test_close_ends_the_wait_for_a_read_of_the_files(self):
        fake = self.fake()
        key = self.open(fake.target, file_interval=5)
        hanging = HangingRead(self)
        fake.fail("UNAUTHENTICATED")
        with ThreadPoolExecutor(1) as pool, mock.patch("hmacd._client._DRAIN", 0.1):
            call = pool.submit(key.generate, b"hello")
            hanging.started.wait(LONG)
            key._client.close()
            self.assertIs(hmacd.Closed, type(call.exception(LONG)))


if __name__ == "__main__":
    unittest.main()
