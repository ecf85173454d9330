"""Tests of the retry rules, without input and output."""

import unittest
from dataclasses import replace

from support import Clock

from hmacd import _calls
from hmacd._algorithm import MacAlgorithm
from hmacd._attempts import Answer, Attempt, Progress, Renew, Rules, Sleep, attempts, closed
from hmacd._budget import Budget
from hmacd._errors import DeadlineExceeded, HmacdError, InvalidMac, MessageTooLong, TlsFailed
from hmacd._failure import Failure
from hmacd._picker import Picker
from hmacd._stubs import mac_service_pb2 as macs

MAC = bytes(32)
RIGHT = Answer(
    macs.GenerateMacResponse(
        mac=MAC,
        mac_algorithm="MAC_ALGORITHM_HMAC_SHA_256",
        mac_crc32c=_calls.crc32c(MAC),
        verified_message_crc32c=True,
    ),
    lambda: "id-1",
)
DAMAGED = Answer(macs.GenerateMacResponse(mac=MAC, mac_crc32c=1), lambda: "id-2")
LOST = Failure(code="UNAVAILABLE", text="lost")
REFUSED = Failure(code="UNAVAILABLE", text="connection refused", not_sent=True)
UNTRUSTED = Failure(code="UNAVAILABLE", text="not trusted", not_sent=True, tls=True)
LATE = Failure(code="DEADLINE_EXCEEDED")


def answer(reason, **fields):
    return Failure(code="UNKNOWN", reason=reason, text="text of the daemon", **fields)


class AttemptsTest(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.budget = Budget()
        self.progress = Progress()

    def drive(self, *results, targets=2, call=None, timeout=5.0, random=1.0):
        """Runs a call with the results of its attempts. Returns the answer; keeps the steps."""
        self.steps, remaining = [], list(results)
        names = tuple(f"target-{i}:1" for i in range(targets))
        rules = Rules(
            targets=names,
            attempt_timeout=1.0,
            picker=Picker(targets, lambda: 0.5),
            budget=self.budget,
            clock=self.clock,
            random=lambda: random,
        )
        self.rules = rules
        call = call or _calls.generate("k", MacAlgorithm.HMAC_SHA_256, b"m", 65_536)
        run = attempts(call, self.clock.now + timeout, rules, self.progress)
        step = next(run)
        try:
            while True:
                self.steps.append(step)
                result = None
                if isinstance(step, Attempt):
                    result = remaining.pop(0)
                    if result is LATE:
                        self.clock.now += step.timeout
                elif isinstance(step, Sleep):
                    self.clock.now += step.seconds
                step = run.send(result)
        except StopIteration as end:
            self.assertEqual([], remaining)
            return end.value

    def fails(self, kind, *results, **arguments):
        with self.assertRaises(kind) as caught:
            self.drive(*results, **arguments)
        self.assertIs(kind, type(caught.exception))
        return caught.exception

    def targets(self):
        return [step.target for step in self.steps if isinstance(step, Attempt)]

    def sleeps(self):
        return [step.seconds for step in self.steps if isinstance(step, Sleep)]

    def tokens(self):
        return sum(iter(self.budget.take, False))

    def test_answer_of_the_first_attempt_is_the_result(self):
        self.assertIs(RIGHT, self.drive(RIGHT))
        self.assertEqual([Attempt(0, 1.0, wait_for_ready=False)], self.steps)

    def test_reasons_of_a_busy_or_unavailable_daemon_are_repeated_after_a_back_off(self):
        reasons = (
            "TOKEN_UNAVAILABLE",
            "KEY_UNAVAILABLE",
            "REGISTRY_UNAVAILABLE",
            "TOKEN_BUSY",
            "REGISTRY_BUSY",
            "MEMORY_BUSY",
        )
        for reason in reasons:
            with self.subTest(reason):
                self.setUp()
                self.assertIs(RIGHT, self.drive(answer(reason), answer(reason), RIGHT))
                self.assertEqual(([0, 1, 0], [0.05, 0.1]), (self.targets(), self.sleeps()))

    def test_other_reasons_are_not_repeated(self):
        reasons = (
            "KEY_NOT_FOUND",
            "ACCESS_DENIED",
            "INTERNAL",
            "LIMIT_EXCEEDED",
            "NEW_REASON",
            "DRY_RUN_OPERATION",
        )
        for reason in reasons:
            with self.subTest(reason):
                self.setUp()
                error = self.fails(HmacdError, answer(reason))
                self.assertEqual(
                    (reason, 1, False), (error.reason, error.attempts, error.retryable)
                )

    def test_codes_without_a_reason_are_not_repeated(self):
        for code in ("UNIMPLEMENTED", "INTERNAL", "UNKNOWN", "UNAUTHENTICATED", "INVALID_ARGUMENT"):
            with self.subTest(code):
                self.setUp()
                self.assertEqual(code, self.fails(HmacdError, Failure(code=code)).reason)

    def test_lost_connection_is_repeated_at_once_at_the_next_target(self):
        self.assertIs(RIGHT, self.drive(LOST, RIGHT))
        self.assertEqual(([0, 1], []), (self.targets(), self.sleeps()))
        self.assertEqual({1}, {self.rules.picker.pick(self.clock.now).target for _ in range(3)})

    def test_stopping_daemon_is_suspended(self):
        self.assertIs(RIGHT, self.drive(answer("STOPPING"), RIGHT))
        self.assertEqual(([0, 1], []), (self.targets(), self.sleeps()))
        self.assertEqual({1}, {self.rules.picker.pick(self.clock.now).target for _ in range(3)})

    def test_busy_daemon_is_not_suspended(self):
        self.drive(answer("TOKEN_BUSY"), RIGHT)
        self.assertEqual({0, 1}, {self.rules.picker.pick(self.clock.now).target for _ in range(2)})

    def test_attempt_timeout_suspends_the_target(self):
        self.assertIs(RIGHT, self.drive(LATE, RIGHT))
        self.assertEqual([1.0, 4.0], [step.timeout for step in self.steps])

    def test_change_has_no_attempt_timeout(self):
        create = _calls.create(MacAlgorithm.HMAC_SHA_256, "")
        self.fails(DeadlineExceeded, LATE, call=create)
        self.assertEqual([5.0], [step.timeout for step in self.steps])

    def test_deadline_of_the_daemon_in_an_attempt_timeout_is_an_attempt_timeout(self):
        late = Failure(code="DEADLINE_EXCEEDED", reason="DEADLINE_EXCEEDED")
        self.assertIs(RIGHT, self.drive(late, RIGHT))
        self.assertEqual([0, 1], self.targets())

    def test_deadline_of_the_call_is_not_repeated(self):
        error = self.fails(DeadlineExceeded, LATE, timeout=0.5)
        self.assertEqual([Attempt(0, 0.5, wait_for_ready=False)], self.steps)
        self.assertEqual((True, True, 1), (error.retryable, error.may_have_run, error.attempts))

    def test_call_without_time_makes_no_attempt(self):
        error = self.fails(DeadlineExceeded, timeout=0)
        self.assertEqual((0, "", False), (error.attempts, error.target, error.may_have_run))

    def test_one_target_has_no_attempt_timeout_and_waits_for_its_connection(self):
        self.assertIs(RIGHT, self.drive(REFUSED, RIGHT, targets=1))
        self.assertEqual(
            [Attempt(0, 5.0, wait_for_ready=False), Attempt(0, 5.0, wait_for_ready=True)],
            self.steps,
        )
        self.assertEqual(1, self.progress.attempts)

    def test_without_usable_target_the_attempt_waits_until_the_deadline(self):
        error = self.fails(DeadlineExceeded, REFUSED, REFUSED, REFUSED, LATE, random=0)
        last = self.steps[-1]
        self.assertEqual((0, True), (last.target, last.wait_for_ready))
        self.assertAlmostEqual(1005.0, self.clock.now)
        self.assertIn("connection refused", str(error))

    def test_tls_failure_is_the_error_at_the_deadline(self):
        error = self.fails(TlsFailed, UNTRUSTED, LATE, targets=1)
        self.assertEqual("TLS_FAILED: not trusted (target target-0:1, 1 attempts)", str(error))

    def test_cause_of_an_earlier_attempt_is_not_the_error_at_the_deadline(self):
        error = self.fails(DeadlineExceeded, UNTRUSTED, answer("TOKEN_BUSY"), LATE, targets=1)
        self.assertEqual(
            "DEADLINE_EXCEEDED: the deadline passed after TOKEN_BUSY "
            "(target target-0:1, 2 attempts)",
            str(error),
        )

    def test_lost_connections_to_the_only_target_are_repeated_after_a_back_off(self):
        self.drive(LOST, LOST, RIGHT, targets=1)
        self.assertEqual([0.05, 0.1], self.sleeps())

    def test_back_off_is_at_most_1_second(self):
        failures = [answer("TOKEN_BUSY")] * 8
        self.drive(*failures, RIGHT, timeout=60)
        self.assertEqual([0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0], self.sleeps())

    def test_retry_info_is_added_to_the_back_off(self):
        for reason in ("TOKEN_BUSY", "STOPPING", "NEW_REASON"):
            busy = answer(reason, retry_after=0.25)
            for random, sleeps in ((1.0, [0.3, 0.35]), (0.5, [0.275, 0.3]), (0.0, [0.25, 0.25])):
                with self.subTest(reason, random=random):
                    self.setUp()
                    self.drive(busy, busy, RIGHT, targets=1, random=random)
                    for expected, slept in zip(sleeps, self.sleeps(), strict=True):
                        self.assertAlmostEqual(expected, slept)

    def test_retry_info_of_0_means_no_wait(self):
        for reason in ("TOKEN_BUSY", "STOPPING", "NEW_REASON"):
            with self.subTest(reason):
                self.setUp()
                self.drive(answer(reason, retry_after=0.0), RIGHT, targets=1)
                self.assertEqual([], self.sleeps())

    def test_unknown_reason_with_retry_info_is_repeated_at_the_next_target(self):
        for reason in ("NEW_REASON", "UNSPECIFIED"):
            with self.subTest(reason):
                self.setUp()
                busy = answer(reason, retry_after=0.0)
                self.assertIs(RIGHT, self.drive(busy, busy, RIGHT))
                self.assertEqual(([0, 1, 0], 98), (self.targets(), self.tokens()))

    def test_unknown_reason_is_retryable_only_with_retry_info(self):
        for reason, retry_after, retryable in (
            ("NEW_REASON", 0.0, True),
            ("NEW_REASON", None, False),
            ("ACCESS_DENIED", 0.0, False),
            ("TOKEN_BUSY", None, True),
        ):
            with self.subTest(reason, retry_after=retry_after):
                self.setUp()
                failure = answer(reason, retry_after=retry_after, no_retry=True)
                self.assertEqual(retryable, self.fails(HmacdError, failure).retryable)

    def test_known_reason_with_retry_info_keeps_its_rule(self):
        for reason in ("ACCESS_DENIED", "INTERNAL"):
            with self.subTest(reason):
                self.setUp()
                self.assertEqual(1, self.fails(HmacdError, answer(reason, retry_after=0.0)).attempts)

    def test_wait_that_ends_at_the_deadline_is_not_begun(self):
        for timeout, attempts_made in ((0.25, 1), (0.375, 2)):
            with self.subTest(timeout):
                self.setUp()
                busy = answer("TOKEN_BUSY", retry_after=0.25)
                error = self.fails(HmacdError, busy, *[busy] * (attempts_made - 1), timeout=timeout)
                self.assertEqual(attempts_made, error.attempts)

    def test_local_reasons_are_retryable_or_not(self):
        for failure, reason, retryable in (
            (LOST, "CONNECTION_FAILED", True),
            (UNTRUSTED, "TLS_FAILED", False),
            (Failure(code="CANCELLED"), "CANCELLED", False),
        ):
            with self.subTest(reason), self.assertRaises(HmacdError) as caught:
                self.setUp()
                self.drive(replace(failure, no_retry=True))
            self.assertEqual(
                (reason, retryable), (caught.exception.reason, caught.exception.retryable)
            )
        self.assertFalse(closed(self.progress).retryable)

    def test_back_off_beyond_the_deadline_ends_the_call_at_once(self):
        error = self.fails(HmacdError, answer("TOKEN_BUSY", retry_after=6))
        self.assertEqual(
            ("TOKEN_BUSY", True, [], 1000.0),
            (error.reason, error.retryable, self.sleeps(), self.clock.now),
        )
        self.assertEqual(100, self.tokens())

    def test_pushback_forbids_the_retry(self):
        error = self.fails(HmacdError, answer("TOKEN_BUSY", no_retry=True))
        self.assertEqual(1, error.attempts)

    def test_retry_takes_a_token(self):
        self.drive(answer("TOKEN_BUSY"), RIGHT)
        self.assertEqual(99, self.tokens())

    def test_attempt_without_connection_takes_no_token(self):
        self.drive(REFUSED, RIGHT)
        self.assertEqual(100, self.tokens())

    def test_without_token_the_call_fails_with_the_last_error(self):
        self.tokens()
        error = self.fails(HmacdError, answer("TOKEN_BUSY"))
        self.assertEqual(("TOKEN_BUSY", 1), (error.reason, error.attempts))

    def test_without_token_an_attempt_without_connection_is_repeated(self):
        self.tokens()
        self.assertIs(RIGHT, self.drive(REFUSED, RIGHT))

    def test_success_at_the_first_attempt_earns(self):
        self.tokens()
        for _ in range(11):
            self.progress = Progress()
            self.drive(RIGHT)
        self.assertEqual(1, self.tokens())

    def test_damage_is_repeated_once(self):
        self.assertIs(RIGHT, self.drive(DAMAGED, RIGHT))
        self.assertEqual([], self.sleeps())

    def test_second_damage_is_the_error(self):
        for damage in (DAMAGED, answer("CHECKSUM_MISMATCH")):
            self.setUp()
            error = self.fails(HmacdError, damage, DAMAGED)
            self.assertEqual(
                ("CHECKSUM_MISMATCH", 2, True, "id-2"),
                (error.reason, error.attempts, error.retryable, error.request_id),
            )

    def test_unauthenticated_call_is_repeated_once_over_a_new_channel(self):
        refused = answer("UNAUTHENTICATED")
        self.assertIs(RIGHT, self.drive(refused, RIGHT))
        self.assertEqual([Attempt, Renew, Attempt], [type(step) for step in self.steps])
        self.assertEqual([0, 0], self.targets())
        self.setUp()
        error = self.fails(HmacdError, refused, refused)
        self.assertEqual(
            ("UNAUTHENTICATED", False, False), (error.reason, error.retryable, error.may_have_run)
        )

    def test_change_is_attempted_once(self):
        create = _calls.create(MacAlgorithm.HMAC_SHA_256, "")
        for failure in (LOST, REFUSED, answer("TOKEN_BUSY"), answer("UNAUTHENTICATED")):
            with self.subTest(failure):
                self.setUp()
                error = self.fails(HmacdError, failure, call=create)
                self.assertEqual((1, failure is LOST), (error.attempts, error.may_have_run))

    def test_wrong_mac_is_a_type_of_its_own(self):
        error = self.fails(InvalidMac, answer("KMS_INVALID_MAC", request_id="id-3"))
        self.assertEqual(("target-0:1", "id-3"), (error.target, error.request_id))

    def test_wrong_mac_without_the_reason_of_a_daemon_is_no_verdict(self):
        self.fails(HmacdError, Failure(code="INVALID_ARGUMENT", text="KMS_INVALID_MAC"))

    def test_message_too_long_has_the_sizes_of_the_daemon(self):
        error = self.fails(MessageTooLong, answer("MESSAGE_TOO_LONG", maximum=64, given=65))
        self.assertEqual((64, 65, 1), (error.limit, error.size, error.attempts))
        self.assertFalse(error.retryable or error.may_have_run)

    def test_request_too_long_has_limit_and_size(self):
        error = self.fails(MessageTooLong, answer("REQUEST_TOO_LONG", maximum=64))
        request = _calls.generate("k", MacAlgorithm.HMAC_SHA_256, b"m", 65_536).request
        self.assertEqual((64, request.ByteSize()), (error.limit, error.size))
        self.assertFalse(error.retryable or error.may_have_run)

    def test_lost_connection_may_have_run_and_a_refused_one_not(self):
        self.tokens()
        self.assertTrue(self.fails(HmacdError, LOST).may_have_run)
        self.progress = Progress()
        self.assertFalse(self.fails(HmacdError, answer("TOKEN_BUSY")).may_have_run)

    def test_only_checks_before_the_execution_exclude_it(self):
        for reason, may_have_run in (
            ("ALIAS_NOT_FOUND", False),
            ("LIMIT_EXCEEDED", False),
            ("CHECKSUM_MISMATCH", False),
            ("MEMORY_BUSY", True),
            ("NEW_REASON", True),
        ):
            self.progress = Progress()
            error = self.fails(HmacdError, answer(reason, no_retry=True))
            self.assertEqual(may_have_run, error.may_have_run, reason)

    def test_retry_goes_to_the_next_target_also_if_another_call_took_its_turn(self):
        self.drive(RIGHT)
        call = _calls.generate("k", MacAlgorithm.HMAC_SHA_256, b"m", 65_536)
        run = attempts(call, self.clock.now + 5, self.rules, Progress())
        first = next(run)
        self.assertIsInstance(run.send(answer("TOKEN_BUSY")), Sleep)
        self.rules.picker.pick(self.clock.now)
        self.assertNotEqual(first.target, run.send(None).target)

    def test_ended_generator_gives_the_probe_back(self):
        self.drive(LOST, RIGHT)
        self.clock.now += 1
        call = _calls.generate("k", MacAlgorithm.HMAC_SHA_256, b"m", 65_536)
        for _ in range(2):
            run = attempts(call, self.clock.now + 5, self.rules, Progress())
            if next(run).target == 0:
                run.close()
                break
        self.assertEqual({0, 1}, {self.rules.picker.pick(self.clock.now).target for _ in range(2)})


if __name__ == "__main__":
    unittest.main()
