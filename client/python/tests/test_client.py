"""Tests of both clients, with the fake."""

import asyncio
import pickle
import tempfile
import threading
import time
import unittest
import unittest.mock
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support import KEY, RUNNER, VECTORS, open_channels

import hmacd
from hmacd import MacAlgorithm, aio
from hmacd._stubs.error_reason_pb2 import ErrorReason
from hmacd.testing import Fake, _Order

SHA_256 = MacAlgorithm.HMAC_SHA_256
LONG = 120  # Seconds: a busy machine never takes as long.


class Rules:
    """The tests of both clients. `do` runs a call of the client."""

    def setUp(self):
        self.fake = self.enterContext(Fake({"k": KEY}))
        self.key = self.open(self.fake).key("k", SHA_256)

    def open(self, *fakes, **settings):
        settings = {"timeout": LONG, "attempt_timeout": LONG} | settings
        client = self.kind([fake.target for fake in fakes], **settings)
        self.addCleanup(lambda: self.do(client.close))
        return client

    def fails(self, kind, call, *arguments, **options):
        with self.assertRaises(kind) as caught:
            self.do(call, *arguments, **options)
        self.assertIs(kind, type(caught.exception))
        return caught.exception

    def test_macs_of_the_vectors_are_generated_and_verified(self):
        client = self.key._client
        for vector in VECTORS["macs"]:
            message, mac = bytes.fromhex(vector["message"]), bytes.fromhex(vector["mac"])
            key = client.key("k", MacAlgorithm(vector["algorithm"]))
            self.assertEqual(mac, self.do(key.generate, message))
            self.assertIsNone(self.do(key.verify, message, mac))
            wrong = bytes([mac[0] ^ 1]) + mac[1:]
            self.fails(hmacd.InvalidMac, key.verify, message, wrong)

    def test_text_is_encoded_as_utf_8(self):
        for vector in VECTORS["texts"]:
            mac = bytes.fromhex(vector["mac"])
            self.assertEqual(mac, self.do(self.key.generate, vector["text"]))
            self.assertEqual(mac, self.do(self.key.generate, bytes.fromhex(vector["utf8"])))
            self.do(self.key.verify, vector["text"], mac)

    def test_bytes_of_each_type_are_accepted(self):
        mac = self.do(self.key.generate, b"hello")
        for kind in (bytes, bytearray, memoryview):
            self.do(self.key.verify, kind(b"hello"), kind(mac))

    def test_values_of_other_types_are_refused(self):
        for message in (None, 5, ["hello"]):
            self.fails(TypeError, self.key.generate, message)
        self.fails(TypeError, self.key.verify, b"hello", "00" * 32)
        self.assertEqual(0, self.fake.attempts)

    def test_text_that_is_not_unicode_is_refused_without_its_content(self):
        error = self.fails(hmacd.HmacdError, self.key.generate, "secret\udc80")
        self.assertEqual("INVALID_ARGUMENT", error.reason)
        self.assertNotIn("secret", str(error))
        self.assertIsNone(error.__cause__)

    def test_empty_message_is_refused_without_a_call(self):
        error = self.fails(hmacd.HmacdError, self.key.generate, b"")
        self.assertEqual(
            ("INVALID_ARGUMENT", 0, 0), (error.reason, error.attempts, self.fake.attempts)
        )
        self.assertEqual(
            "INVALID_ARGUMENT: the message is empty (no target, 0 attempts)", str(error)
        )

    def test_long_message_is_refused_without_a_call(self):
        error = self.fails(hmacd.MessageTooLong, self.key.generate, bytes(65_537))
        self.assertEqual(
            ("MESSAGE_TOO_LONG", 65_536, 65_537, 0),
            (error.reason, error.limit, error.size, self.fake.attempts),
        )
        key = self.open(self.fake, max_message_bytes=8).key("k", SHA_256)
        self.do(key.generate, bytes(8))
        self.fails(hmacd.MessageTooLong, key.generate, bytes(9))

    def test_message_that_is_too_long_for_the_daemon_is_reported_with_its_limit(self):
        key = self.open(self.fake, max_message_bytes=100_000).key("k", SHA_256)
        self.do(key.generate, bytes(65_536))
        error = self.fails(hmacd.MessageTooLong, key.generate, bytes(65_537))
        self.assertEqual(
            ("MESSAGE_TOO_LONG", 65_536, 65_537, 1, False, False),
            (
                error.reason,
                error.limit,
                error.size,
                error.attempts,
                error.retryable,
                error.may_have_run,
            ),
        )

    def test_mac_of_another_length_is_wrong_without_a_call(self):
        mac = self.do(self.key.generate, b"hello")
        for wrong in (b"", mac[:31], mac + b"\0"):
            self.fails(hmacd.InvalidMac, self.key.verify, b"hello", wrong)
        self.assertEqual(1, self.fake.attempts)

    def test_error_has_all_fields(self):
        error = self.fails(hmacd.HmacdError, self.key._client.key("x", SHA_256).generate, b"m")
        self.assertEqual(
            ("KEY_NOT_FOUND", False, False, self.fake.target, 1),
            (error.reason, error.retryable, error.may_have_run, error.target, error.attempts),
        )
        self.assertEqual(36, len(error.request_id))
        self.assertEqual(
            f"KEY_NOT_FOUND: ordered by the test (target {self.fake.target}, 1 attempts)", str(error)
        )

    def test_failed_attempts_are_repeated(self):
        self.fake.fail("TOKEN_BUSY", times=2)
        self.do(self.key.generate, b"hello")
        self.assertEqual(3, self.fake.attempts)

    def test_retry_info_and_pushback_are_read_from_the_answer(self):
        self.fake.fail("TOKEN_BUSY", retry_after=10 * LONG)
        self.assertEqual(1, self.fails(hmacd.HmacdError, self.key.generate, b"m").attempts)
        self.fake.fail("TOKEN_BUSY", retry=False)
        self.assertEqual(1, self.fails(hmacd.HmacdError, self.key.generate, b"m").attempts)

    def test_damage_is_repeated_once(self):
        mac = self.do(self.key.generate, b"hello")
        for call in ((self.key.generate, b"hello"), (self.key.verify, b"hello", mac)):
            self.fake.damage()
            self.do(*call)
            self.fake.damage(times=2)
            error = self.fails(hmacd.HmacdError, *call)
            self.assertEqual(("CHECKSUM_MISMATCH", 2), (error.reason, error.attempts))

    def test_outage_is_no_verdict(self):
        mac = self.do(self.key.generate, b"hello")
        for reason in ("INTERNAL", "ACCESS_DENIED", "UNAUTHENTICATED", "DEADLINE_EXCEEDED"):
            self.fake.fail(reason, times=2 if reason == "UNAUTHENTICATED" else 1)
            with self.assertRaises(hmacd.HmacdError) as caught:
                self.do(self.key.verify, b"hello", mac)
            self.assertNotIsInstance(caught.exception, hmacd.InvalidMac)
            self.assertEqual(reason, caught.exception.reason)

    def test_unauthenticated_call_is_repeated_over_a_new_channel(self):
        self.do(self.key.generate, b"hello")
        client = self.key._client
        before = open_channels(client)
        self.fake.fail("UNAUTHENTICATED")
        self.do(self.key.generate, b"hello")
        after = open_channels(client)
        self.assertEqual((1, 1, 3), (len(before), len(after), self.fake.attempts))
        self.assertIsNot(before[0], after[0])

    def test_local_reason_of_a_daemon_is_an_unknown_reason(self):
        local = ("CONNECTION_FAILED", "TLS_FAILED", "CANCELLED", "CLOSED", "INVALID_ARGUMENT")
        for reason in (*local, "UNAVAILABLE", "UNSPECIFIED", "NEW_REASON"):
            for retry_after in (None, 0):
                with self.subTest(reason, retry_after=retry_after):
                    self.fake._add([_Order(reason, retry_after, retry=False)])
                    error = self.fails(hmacd.HmacdError, self.key.generate, b"m")
                    self.assertEqual(
                        ("UNKNOWN" if reason in local else reason, retry_after is not None, True, 1),
                        (error.reason, error.retryable, error.may_have_run, error.attempts),
                    )
        self.fake._add([_Order("CLOSED", 0)])
        attempts = self.fake.attempts
        self.do(self.key.generate, b"m")
        self.assertEqual(attempts + 2, self.fake.attempts)

    def test_reasons_of_a_daemon_that_are_also_local_keep_their_types(self):
        self.fake.fail("DEADLINE_EXCEEDED")
        self.assertTrue(self.fails(hmacd.DeadlineExceeded, self.key.generate, b"m").retryable)
        self.fake.fail("MESSAGE_TOO_LONG")
        self.fails(hmacd.MessageTooLong, self.key.generate, b"m")

    def test_lost_connection_goes_to_the_next_target(self):
        other = self.enterContext(Fake({"k": KEY}))
        key = self.open(self.fake, other).key("k", SHA_256)
        self.fake.fail("")
        for _ in range(3):
            self.do(key.generate, b"hello")
        self.assertEqual(4, self.fake.attempts + other.attempts)
        self.assertGreaterEqual(other.attempts, 1)

    def test_hanging_target_is_left_after_the_attempt_timeout(self):
        other = self.enterContext(Fake({"k": KEY}))
        key = self.open(self.fake, other, attempt_timeout=0.2).key("k", SHA_256)
        self.do(key.generate, b"hello")  # Target 0.
        self.do(key.generate, b"hello")  # Target 1.
        self.fake.hang()
        self.do(key.generate, b"hello")
        self.assertEqual(4, self.fake.attempts + other.attempts)

    def test_ended_target_is_replaced_by_the_other(self):
        other = self.enterContext(Fake({"k": KEY}))
        key = self.open(self.fake, other).key("k", SHA_256)
        self.fake.close()
        for _ in range(4):
            self.do(key.generate, b"hello")
        self.assertEqual(4, other.attempts)

    def test_call_ends_at_its_deadline(self):
        self.fake.hang()
        error = self.fails(hmacd.DeadlineExceeded, self.key.generate, b"hello", timeout=0.2)
        self.assertEqual(
            ("DEADLINE_EXCEEDED", True, True, 1),
            (error.reason, error.retryable, error.may_have_run, error.attempts),
        )

    def test_timeout_of_the_client_is_the_longest(self):
        key = self.open(self.fake, timeout=0.2).key("k", SHA_256)
        self.fake.hang()
        self.fails(hmacd.DeadlineExceeded, key.generate, b"hello", timeout=LONG)

    def test_timeout_that_is_not_valid_is_refused(self):
        self.fails(TypeError, self.key.generate, b"hello", timeout="1")
        self.fails(ValueError, self.key.generate, b"hello", timeout=float("nan"))
        self.fails(hmacd.DeadlineExceeded, self.key.generate, b"hello", timeout=0)

    def test_call_without_daemon_says_why_at_its_deadline(self):
        self.fake.close()
        error = self.fails(hmacd.DeadlineExceeded, self.key.generate, b"hello", timeout=0.2)
        self.assertIn("the Unix socket does not exist", str(error))

    def test_call_waits_for_a_daemon_that_starts(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        client = self.kind(f"unix:{folder}/socket", timeout=LONG)
        self.addCleanup(lambda: self.do(client.close))
        socket = Path(self.fake.target.removeprefix("unix:"))
        start = threading.Timer(0.3, (folder / "socket").symlink_to, [socket])
        start.start()
        self.addCleanup(start.join)
        self.do(client.key("k", SHA_256).generate, b"hello")
        self.assertEqual(1, self.fake.attempts)

    def test_key_has_the_arn_of_the_last_answer(self):
        self.assertEqual("", self.key.arn)
        self.do(self.key.generate, b"hello")
        self.assertTrue(self.key.arn.startswith("arn:aws:kms:"))
        self.assertEqual(SHA_256, self.key.algorithm)

    def test_key_that_is_not_valid_is_refused(self):
        client = self.key._client
        self.assertRaises(TypeError, client.key, b"k", SHA_256)
        self.assertRaises(ValueError, client.key, "", SHA_256)
        self.assertRaises(ValueError, client.key, "k", "HMAC_MD5")

    def test_closed_client_refuses_calls(self):
        client = self.key._client
        self.do(client.close)
        self.do(client.close)
        error = self.fails(hmacd.Closed, self.key.generate, b"hello")
        self.assertEqual(("CLOSED", 0), (error.reason, error.attempts))

    def test_doctor_reports_each_target(self):
        ended = self.enterContext(Fake({}))
        ended.close()
        lines = self.do(self.open(self.fake, ended).doctor)
        self.assertIn("health: UNIMPLEMENTED", lines[0])  # The fake has no health service.
        self.assertTrue(lines[0].startswith(f"failed: {self.fake.target}, "))
        self.assertEqual(
            f"failed: {ended.target}, connection: No such file or directory", lines[1]
        )


class ClientTest(Rules, unittest.TestCase):
    kind = hmacd.Client

    def do(self, call, *arguments, **options):
        return call(*arguments, **options)

    def test_close_waits_for_calls_in_flight(self):
        self.fake.delay(0.5)
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(self.key.generate, b"hello")
            self.wait_for_attempt()
            self.key._client.close()
            self.assertEqual(32, len(call.result(0)))

    def test_close_cancels_calls_in_flight_after_the_limit(self):
        self.fake.hang()
        with ThreadPoolExecutor(1) as pool, unittest.mock.patch("hmacd._client._DRAIN", 0.1):
            call = pool.submit(self.key.generate, b"hello")
            self.wait_for_attempt()
            self.key._client.close()
            error = call.exception(LONG)
        self.assertIs(hmacd.Closed, type(error))
        self.assertTrue(error.may_have_run)

    def test_close_ends_a_back_off(self):
        self.fake.fail("TOKEN_BUSY", retry_after=LONG / 2)
        with ThreadPoolExecutor(1) as pool, unittest.mock.patch("hmacd._client._DRAIN", 0.1):
            call = pool.submit(self.key.generate, b"hello")
            self.wait_for_attempt()
            self.key._client.close()
            self.assertIs(hmacd.Closed, type(call.exception(LONG)))

    def test_threads_share_a_client(self):
        with ThreadPoolExecutor(8) as pool:
            macs = set(pool.map(self.key.generate, [b"hello"] * 200))
        self.assertEqual(1, len(macs))
        self.assertEqual(200, self.fake.attempts)

    def test_client_that_is_dropped_ends_its_thread(self):
        client = hmacd.Client(self.fake.target)
        stop = client._stop
        del client
        self.assertTrue(stop.is_set())

    def test_block_closes_the_client(self):
        with self.fake.client() as client:
            client.key("k", SHA_256).generate(b"hello")
        self.assertRaises(hmacd.Closed, client.key("k", SHA_256).generate, b"hello")

    def wait_for_attempt(self):
        end = time.monotonic() + LONG
        while self.fake.attempts == 0 and time.monotonic() < end:
            threading.Event().wait(0.01)


class AioClientTest(Rules, unittest.TestCase):
    kind = aio.Client
    runner = RUNNER

    def do(self, call, *arguments, **options):
        async def run():
            return await call(*arguments, **options)

        return self.runner.run(run())

    async def attempt(self):
        while self.fake.attempts == 0:
            await asyncio.sleep(0.01)

    def test_cancelled_task_cancels_the_call_on_the_wire(self):
        self.fake.hang()

        async def run():
            task = asyncio.create_task(self.key.generate(b"hello"))
            await self.attempt()
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        self.runner.run(run())
        end = time.monotonic() + LONG
        while self.fake.cancelled == 0 and time.monotonic() < end:
            time.sleep(0.01)
        self.assertEqual(1, self.fake.cancelled)

    def test_close_cancels_calls_in_flight_after_the_limit(self):
        async def run(order):
            order()
            task = asyncio.create_task(self.key.generate(b"hello"))
            await self.attempt()
            with unittest.mock.patch("hmacd.aio._client._DRAIN", 0.1):
                await self.key._client.close()
            with self.assertRaises(hmacd.Closed) as caught:
                await task
            self.assertTrue(caught.exception.may_have_run)

        self.runner.run(run(self.fake.hang))

    def test_close_waits_for_calls_in_flight(self):
        self.fake.delay(0.5)

        async def run():
            task = asyncio.create_task(self.key.generate(b"hello"))
            await self.attempt()
            await self.key._client.close()
            return await task

        self.assertEqual(32, len(self.runner.run(run())))

    def test_cancelled_close_cancels_calls_in_flight(self):
        self.fake.hang()

        async def run():
            call = asyncio.create_task(self.key.generate(b"hello"))
            await self.attempt()
            close = asyncio.create_task(self.key._client.close())
            await asyncio.sleep(0)
            close.cancel()
            with self.assertRaises(hmacd.Closed):
                await call
            with self.assertRaises(asyncio.CancelledError):
                await close

        self.runner.run(run())

    def test_another_event_loop_is_refused(self):
        self.do(self.key.generate, b"hello")
        with self.assertRaisesRegex(RuntimeError, "another event loop"):
            asyncio.run(self.key.generate(b"hello"))

    def test_calls_run_concurrently(self):
        async def run():
            return await asyncio.gather(*(self.key.generate(b"hello") for _ in range(100)))

        self.assertEqual(1, len(set(self.runner.run(run()))))

    def test_block_closes_the_client(self):
        async def run():
            async with self.fake.aio_client() as client:
                await client.key("k", SHA_256).generate(b"hello")
            await client.key("k", SHA_256).generate(b"hello")

        self.assertRaises(hmacd.Closed, self.runner.run, run())


class FakeTest(unittest.TestCase):
    def test_each_reason_of_a_daemon_arrives(self):
        with Fake({"k": KEY}) as fake, fake.client(timeout=LONG) as client:
            for name in ErrorReason.keys()[1:]:
                reason = name.removeprefix("ERROR_REASON_")
                fake.fail(reason, retry=False)
                with self.subTest(reason), self.assertRaises(hmacd.HmacdError) as caught:
                    client.key("k", SHA_256).generate(b"hello")
                self.assertEqual((reason, 1), (caught.exception.reason, caught.exception.attempts))

    def test_unknown_reason_is_refused(self):
        with Fake({}) as fake, self.assertRaises(ValueError):
            fake.fail("TOKEN_BUZY")


class ErrorsTest(unittest.TestCase):
    def test_errors_can_be_pickled(self):
        fields = {
            "retryable": True,
            "may_have_run": True,
            "target": "t:1",
            "attempts": 2,
            "request_id": "id",
        }
        kinds = (
            hmacd.HmacdError,
            hmacd.InvalidMac,
            hmacd.TlsFailed,
            hmacd.Closed,
            hmacd.DeadlineExceeded,
        )
        errors = [kind("REASON", "text", **fields) for kind in kinds]
        errors.append(hmacd.MessageTooLong("REASON", "text", limit=1, size=2, **fields))
        for error in errors:
            copy = pickle.loads(pickle.dumps(error))
            self.assertEqual(
                (type(error), str(error), vars(error)), (type(copy), str(copy), vars(copy))
            )

    def test_text_is_one_line_with_target_and_attempts(self):
        error = hmacd.HmacdError("REASON", "what is wrong", target="t:1", attempts=2)
        self.assertEqual("REASON: what is wrong (target t:1, 2 attempts)", str(error))


if __name__ == "__main__":
    unittest.main()
