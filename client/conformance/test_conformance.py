"""Tests of the comparison: each difference of an outcome is found."""

import types
import unittest

import cases
import conformance
import reasons

PROTO = (reasons.ROOT / "proto/hmacd/v1/error_reason.proto").read_text()
BEHAVIOR = (reasons.ROOT / "client/BEHAVIOR.md").read_text()
TARGET = "unix:/server"
INVALID_MAC = cases.Step(cases.verify(), cases.INVALID_MAC)
REFUSED = {
    "outcome": "error",
    "type": "InvalidMac",
    "reason": "KMS_INVALID_MAC",
    "retryable": False,
    "may_have_run": True,
    "target": TARGET,
    "attempts": 1,
    "request_id": "id",
    "text": f"KMS_INVALID_MAC: the MAC is wrong (target {TARGET}, 1 attempts)",
}


def attempt(**changes):
    fields = {
        "method": "/hmacd.v1.MacService/VerifyMac",
        "request_id": "id",
        "seconds_left": 5.0,
        "user_agent": "hmacd-go/1",
        "checksums_fit": lambda: True,
    }
    return types.SimpleNamespace(**fields | changes)


def differences(step, outcome, *attempts):
    server = types.SimpleNamespace(target=TARGET, attempts=list(attempts))
    return list(conformance.differences(step, "go", outcome, server))


class ConformanceTest(unittest.TestCase):
    def test_expected_outcome_has_no_difference(self):
        self.assertEqual([], differences(INVALID_MAC, REFUSED, attempt()))

    def test_each_field_of_an_error_is_compared(self):
        for name in REFUSED:
            with self.subTest(name):
                self.assertNotEqual([], differences(INVALID_MAC, REFUSED | {name: "another"}, attempt()))

    def test_success_instead_of_an_error_is_a_difference(self):
        self.assertNotEqual([], differences(INVALID_MAC, {"outcome": "right"}, attempt()))

    def test_error_of_another_package_is_a_difference(self):
        crash = {"outcome": "error", "type": "IndexError", "text": "list index out of range"}
        self.assertNotEqual([], differences(INVALID_MAC, crash, attempt()))

    def test_number_of_attempts_is_compared(self):
        self.assertNotEqual([], differences(INVALID_MAC, REFUSED))
        self.assertNotEqual([], differences(INVALID_MAC, REFUSED, attempt(), attempt()))

    def test_each_request_is_checked(self):
        for changes in (
            {"checksums_fit": lambda: False},
            {"seconds_left": None},
            {"seconds_left": 9.0},
            {"user_agent": "grpc-go/1"},
        ):
            with self.subTest(changes):
                self.assertNotEqual([], differences(INVALID_MAC, REFUSED, attempt(**changes)))

    def test_deadline_of_the_caller_is_that_of_the_request(self):
        late = cases.Step(INVALID_MAC.request | {"timeout_ms": 150}, INVALID_MAC.outcome)
        self.assertEqual([], differences(late, REFUSED, attempt(seconds_left=0.15)))
        self.assertNotEqual([], differences(late, REFUSED, attempt(seconds_left=5.0)))

    def test_text_with_a_secret_or_a_second_line_is_a_difference(self):
        message, mac = cases.MESSAGE, cases.MAC
        for part in ("a\nb", "a\x1b[1m", message.decode(), message.hex(), mac.hex(), cases.NAME):
            with self.subTest(part):
                text = f"KMS_INVALID_MAC: {part} (target {TARGET}, 1 attempts)"
                self.assertNotEqual([], differences(INVALID_MAC, REFUSED | {"text": text}, attempt()))

    def test_difference_of_a_readme_replaces_the_field(self):
        step = cases.Step(INVALID_MAC.request, INVALID_MAC.outcome, differs={"go": {"retryable": True}})
        self.assertEqual([], differences(step, REFUSED | {"retryable": True}, attempt()))
        self.assertNotEqual([], differences(step, REFUSED, attempt()))


class ReasonsTest(unittest.TestCase):
    def test_contract_and_rules_agree(self):
        self.assertIn("TOKEN_BUSY", reasons.parse(PROTO, BEHAVIOR))

    def test_reason_without_a_code_is_refused(self):
        with self.assertRaisesRegex(ValueError, "no code for TOKEN_BUSY"):
            reasons.parse(PROTO.replace("// RESOURCE_EXHAUSTED: the queue of the token", "// The queue"), BEHAVIOR)

    def test_mark_without_a_rule_is_refused(self):
        with self.assertRaisesRegex(ValueError, "differ: TOKEN_BUSY"):
            reasons.parse(PROTO, BEHAVIOR.replace("`TOKEN_BUSY`, ", ""))

    def test_rule_for_an_unknown_reason_is_refused(self):
        with self.assertRaisesRegex(ValueError, "NEW_REASON"):
            reasons.parse(PROTO, BEHAVIOR.replace("| `STOPPING`", "| `STOPPING`, `NEW_REASON`"))

    def test_unknown_action_is_refused(self):
        with self.assertRaisesRegex(ValueError, "unknown action"):
            reasons.parse(PROTO, BEHAVIOR.replace("| one retry |", "| perhaps |"))


if __name__ == "__main__":
    unittest.main()
