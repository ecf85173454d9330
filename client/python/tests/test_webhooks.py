"""Tests of signed webhooks, with the fake."""

import unittest
from unittest import mock

from slack_sdk.signature import SignatureVerifier
from support import KEY, RUNNER, VECTORS, Clock

import hmacd
from hmacd import MacAlgorithm
from hmacd.testing import Fake
from hmacd.webhooks import GITHUB, SLACK, STANDARD, STRIPE

BODY = VECTORS["webhooks"]["body"].encode()
TIME = VECTORS["webhooks"]["time"]
HEADERS = {name: VECTORS["webhooks"][name] for name in ("github", "stripe", "slack", "standard")}
SCHEMES = {"github": GITHUB, "stripe": STRIPE, "slack": SLACK, "standard": STANDARD}
SHA_256 = MacAlgorithm.HMAC_SHA_256
MAC = HEADERS["github"]["X-Hub-Signature-256"].removeprefix("sha256=")
BASE64 = HEADERS["standard"]["webhook-signature"].removeprefix("v1,")
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
# The last digit has 2 bits that are not in the MAC.
OTHER_BASE64 = BASE64[:-2] + _DIGITS[_DIGITS.index(BASE64[-2]) | 1] + "="
MALFORMED = [
    ("github", {"X-Hub-Signature-256": ""}),
    ("github", {"X-Hub-Signature-256": MAC}),
    ("github", {"X-Hub-Signature-256": f"sha1={MAC}"}),
    ("github", {"X-Hub-Signature-256": f"sha256={MAC[:62]}"}),
    ("github", {"X-Hub-Signature-256": f"sha256={MAC}00"}),
    ("github", {"X-Hub-Signature-256": f"sha256={'x' * 64}"}),
    ("github", {"X-Hub-Signature-256": f"sha256= {MAC}"}),
    ("stripe", {"Stripe-Signature": ""}),
    ("stripe", {"Stripe-Signature": f"v1={MAC}"}),
    ("stripe", {"Stripe-Signature": f"t={TIME}"}),
    ("stripe", {"Stripe-Signature": f"t={TIME},v0={MAC}"}),
    ("stripe", {"Stripe-Signature": f"t=x,v1={MAC}"}),
    ("stripe", {"Stripe-Signature": f"t=-{TIME},v1={MAC}"}),
    ("stripe", {"Stripe-Signature": f"t={TIME},t={TIME},v1={MAC}"}),
    ("stripe", {"Stripe-Signature": f"t={TIME},v1={MAC},v1="}),
    ("slack", HEADERS["slack"] | {"X-Slack-Signature": MAC}),
    ("slack", HEADERS["slack"] | {"X-Slack-Signature": f"v1={MAC}"}),
    ("slack", HEADERS["slack"] | {"X-Slack-Request-Timestamp": f"{TIME}.0"}),
    ("slack", HEADERS["slack"] | {"X-Slack-Request-Timestamp": "9" * 13}),
    ("standard", HEADERS["standard"] | {"webhook-signature": BASE64}),
    ("standard", HEADERS["standard"] | {"webhook-signature": f"v2,{BASE64}"}),
    ("standard", HEADERS["standard"] | {"webhook-signature": f"v1,{BASE64[:-4]}"}),
    ("standard", HEADERS["standard"] | {"webhook-signature": f"v1,{BASE64}!"}),
    ("standard", HEADERS["standard"] | {"webhook-signature": f"v1,{OTHER_BASE64}"}),
    ("standard", HEADERS["standard"] | {"webhook-id": ""}),
    ("standard", HEADERS["standard"] | {"webhook-id": "a.b"}),
    ("standard", HEADERS["standard"] | {"webhook-timestamp": "now"}),
]


class Verification:
    """The tests of both kinds of keys. `verify` and `sign` run a method of a scheme."""

    def setUp(self):
        self.fake = self.enterContext(Fake({"k": KEY, "other": b"another key"}))
        self.client = self.open()
        self.key = self.client.key("k", SHA_256)
        self.other = self.client.key("other", SHA_256)

    def verify_all(self, headers, *keys, body=BODY, now=TIME, scheme="standard"):
        return self.verify(SCHEMES[scheme], body, headers, *keys, now=now)

    def refused(self, headers, *keys, **arguments):
        with self.assertRaises(hmacd.InvalidMac):
            self.verify_all(headers, *(keys or [self.key]), **arguments)

    def test_vectors_are_verified(self):
        for name in SCHEMES:
            with self.subTest(name):
                self.verify_all(HEADERS[name], self.key, scheme=name)
                self.refused(HEADERS[name], body=BODY + b" ", scheme=name)
                self.refused(HEADERS[name], self.other, scheme=name)

    def test_variants_of_the_vectors_have_their_result(self):
        for variant in VECTORS["webhooks"]["variants"]:
            with self.subTest(variant["format"], why=variant["why"]):
                before = self.fake.attempts
                if variant["accepted"]:
                    self.verify_all(variant["headers"], self.key, scheme=variant["format"])
                else:
                    self.refused(variant["headers"], scheme=variant["format"])
                self.assertEqual(before + variant["accepted"], self.fake.attempts)

    def test_reserved_content_has_a_wrong_signature(self):
        for keys in ([self.key], [self.other, self.key]):
            self.fake.fail("RESERVED_MESSAGE", times=len(keys))
            self.refused(HEADERS["github"], *keys, scheme="github")
        self.fake.fail("RESERVED_MESSAGE")
        self.fake.fail("INTERNAL")
        with self.assertRaises(hmacd.HmacdError) as caught:
            self.verify_all(HEADERS["github"], self.other, self.key, scheme="github")
        self.assertEqual("INTERNAL", caught.exception.reason)

    def test_vectors_are_signed(self):
        for name, scheme in SCHEMES.items():
            with self.subTest(name):
                headers = self.sign(scheme, BODY, self.key, now=TIME, message_id="msg_1")
                self.assertEqual(HEADERS[name], headers)

    def test_slacks_library_is_on_the_other_side(self):
        """node/tests has the libraries of the other providers."""
        library = SignatureVerifier(KEY.decode())  # The key of the vectors is ASCII.
        headers = self.sign(SLACK, BODY, self.key)
        self.assertTrue(library.is_valid_request(BODY, headers))
        self.assertFalse(library.is_valid_request(BODY + b" ", headers))
        signature = library.generate_signature(timestamp=str(TIME), body=BODY)
        made = {"X-Slack-Signature": signature, "X-Slack-Request-Timestamp": str(TIME)}
        self.verify_all(made, self.key, scheme="slack")
        self.refused(made, body=BODY + b" ", scheme="slack")

    def test_names_of_headers_have_no_case(self):
        for change in (str.lower, str.upper):
            headers = {change(name): value for name, value in HEADERS["slack"].items()}
            self.verify_all(headers, self.key, scheme="slack")

    def test_one_key_of_several_is_enough(self):
        for name in SCHEMES:
            self.verify_all(HEADERS[name], self.other, self.key, scheme=name)
            self.verify_all(HEADERS[name], self.key, self.other, scheme=name)

    def test_missing_header_is_refused_without_a_call(self):
        for name in SCHEMES:
            for missing in HEADERS[name]:
                headers = {key: value for key, value in HEADERS[name].items() if key != missing}
                with self.subTest(missing):
                    self.refused(headers, scheme=name)
        self.assertEqual(0, self.fake.attempts)

    def test_repeated_header_is_refused_without_a_call(self):
        for name in SCHEMES:
            for repeated in HEADERS[name]:
                headers = {repeated.swapcase(): "x"} | HEADERS[name]
                with self.subTest(repeated):
                    self.refused(headers, scheme=name)
        self.assertEqual(0, self.fake.attempts)
        self.verify_all({"Accept": "a", "accept": "b"} | HEADERS["slack"], self.key, scheme="slack")

    def test_malformed_header_is_refused_without_a_call(self):
        for name, headers in MALFORMED:
            with self.subTest(headers):
                self.refused(headers, scheme=name)
        self.assertEqual(0, self.fake.attempts)

    def test_time_stamp_out_of_tolerance_is_refused_without_a_call(self):
        for name in ("stripe", "slack", "standard"):
            for now in (TIME - 301, TIME + 301, float("nan")):
                self.refused(HEADERS[name], now=now, scheme=name)
        self.assertEqual(0, self.fake.attempts)
        for name in ("stripe", "slack", "standard"):
            for now in (TIME - 300, TIME + 300):
                self.verify_all(HEADERS[name], self.key, now=now, scheme=name)

    def test_one_signature_of_several_is_enough(self):
        stripe = HEADERS["stripe"]["Stripe-Signature"]
        headers = {"Stripe-Signature": stripe.replace(",v1=", f",v1={'0' * 64},v0=x,v1=")}
        self.verify_all(headers, self.key, scheme="stripe")
        right = HEADERS["standard"]["webhook-signature"]
        wrong = f"v1,{'A' * 43}="
        headers = HEADERS["standard"] | {"webhook-signature": f"{wrong} v1a,x {right}"}
        self.verify_all(headers, self.key)
        self.assertEqual(4, self.fake.attempts)

    def test_many_signatures_are_refused_without_a_call(self):
        right = HEADERS["standard"]["webhook-signature"]
        self.refused(HEADERS["standard"] | {"webhook-signature": " ".join([right] * 9)})
        self.assertEqual(0, self.fake.attempts)

    def test_outage_is_not_a_wrong_signature(self):
        for keys in ([self.key], [self.key, self.other], [self.other, self.key]):
            self.fake.fail("INTERNAL", times=len(keys))
            with self.assertRaises(hmacd.HmacdError) as caught:
                self.verify_all(HEADERS["standard"], *keys)
            self.assertEqual("INTERNAL", caught.exception.reason)

    def test_outage_of_one_key_is_not_covered_by_a_wrong_signature_of_another(self):
        self.fake.fail("INTERNAL")
        with self.assertRaises(hmacd.HmacdError) as caught:
            self.verify_all(HEADERS["standard"], self.key, self.other)
        self.assertNotIsInstance(caught.exception, hmacd.InvalidMac)

    def test_outage_of_one_key_does_not_hide_the_match_of_another(self):
        self.fake.fail("INTERNAL")
        self.verify_all(HEADERS["standard"], self.other, self.key)

    def timeouts(self, **options):
        """The timeouts of the four calls of a verification. Each call takes 50 s."""
        clock = Clock()

        def refuse(message, mac, *, timeout):
            clock.now += 50
            raise hmacd.InvalidMac("KMS_INVALID_MAC", "wrong")

        stripe = HEADERS["stripe"]["Stripe-Signature"]
        headers = {"Stripe-Signature": f"{stripe},v1={'0' * 64}"}
        with (
            mock.patch("hmacd.webhooks._clock", clock),
            mock.patch.object(type(self.key), "verify", side_effect=refuse) as calls,
            self.assertRaises(hmacd.InvalidMac),
        ):
            self.verify(STRIPE, BODY, headers, self.key, self.other, now=TIME, **options)
        return [call.kwargs["timeout"] for call in calls.call_args_list]

    def test_calls_share_the_timeout_of_the_client(self):
        self.assertEqual([120, 70, 20, 0], self.timeouts())
        self.assertEqual([120, 70, 20, 0], self.timeouts(timeout=500))

    def test_calls_share_the_timeout_of_the_caller(self):
        self.assertEqual([60, 10, 0, 0], self.timeouts(timeout=60))

    def test_webhook_without_time_has_no_verdict_and_no_call(self):
        with self.assertRaises(hmacd.DeadlineExceeded):
            self.verify(GITHUB, BODY, HEADERS["github"], self.key, self.other, timeout=0)
        self.assertEqual(0, self.fake.attempts)

    def test_timeout_out_of_range_is_refused(self):
        for timeout in (-1, float("nan"), 100_000):
            with self.assertRaises(ValueError):
                self.verify(GITHUB, BODY, HEADERS["github"], self.key, timeout=timeout)

    def test_unusable_arguments_are_refused(self):
        with self.assertRaises(ValueError):
            self.verify_all(HEADERS["github"], scheme="github")
        sha_512 = self.client.key("k", MacAlgorithm.HMAC_SHA_512)
        with self.assertRaises(ValueError):
            self.verify_all(HEADERS["github"], sha_512, scheme="github")
        with self.assertRaises(ValueError):
            self.sign(STANDARD, BODY, self.key, message_id="a.b")
        with self.assertRaises(TypeError):
            self.verify_all(HEADERS["github"], self.key, body=None, scheme="github")


class WebhooksTest(Verification, unittest.TestCase):
    def open(self):
        return self.enterContext(self.fake.client(timeout=120))

    def test_key_of_the_asyncio_client_is_refused(self):
        key = self.fake.aio_client().key("k", SHA_256)
        self.assertRaises(TypeError, GITHUB.verify, BODY, HEADERS["github"], key)
        self.assertRaises(TypeError, GITHUB.sign, BODY, key)

    def verify(self, scheme, *arguments, **options):
        return scheme.verify(*arguments, **options)

    def sign(self, scheme, *arguments, **options):
        return scheme.sign(*arguments, **options)


class AioWebhooksTest(Verification, unittest.TestCase):
    runner = RUNNER

    def open(self):
        client = self.fake.aio_client(timeout=120)
        self.addCleanup(lambda: self.runner.run(client.close()))
        return client

    def test_key_of_the_synchronous_client_is_refused(self):
        key = self.enterContext(self.fake.client()).key("k", SHA_256)
        with self.assertRaises(TypeError):
            self.runner.run(GITHUB.averify(BODY, HEADERS["github"], key))
        with self.assertRaises(TypeError):
            self.runner.run(GITHUB.asign(BODY, key))

    def verify(self, scheme, *arguments, **options):
        return self.runner.run(scheme.averify(*arguments, **options))

    def sign(self, scheme, *arguments, **options):
        return self.runner.run(scheme.asign(*arguments, **options))


if __name__ == "__main__":
    unittest.main()
