"""Tests of itsdangerous, with the fake."""

import unittest

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer
from support import KEY

import hmacd
from hmacd import MacAlgorithm
from hmacd.itsdangerous import serializer, signer
from hmacd.testing import Fake


class ItsdangerousTest(unittest.TestCase):
    def setUp(self):
        self.fake = self.enterContext(Fake({"k": KEY, "other": b"another key"}))
        self.client = self.enterContext(self.fake.client(timeout=120))
        self.key = self.client.key("k", MacAlgorithm.HMAC_SHA_256)
        self.serializer = serializer(self.key, "cart")

    def test_value_is_signed_and_verified(self):
        self.assertEqual({"a": 1}, self.serializer.loads(self.serializer.dumps({"a": 1})))
        one = signer(self.key, "cart")
        self.assertEqual(b"value", one.unsign(one.sign("value")))
        self.assertEqual(4, self.fake.attempts)

    def test_changed_value_is_refused(self):
        text = self.serializer.dumps({"a": 1})
        self.assertRaises(BadSignature, self.serializer.loads, "x" + text)
        self.assertRaises(BadSignature, self.serializer.loads, text[:-4])

    def test_value_of_another_purpose_is_refused(self):
        text = self.serializer.dumps({"a": 1})
        self.assertRaises(BadSignature, serializer(self.key, "login").loads, text)

    def test_value_of_another_key_is_refused(self):
        text = self.serializer.dumps({"a": 1})
        other = self.client.key("other", MacAlgorithm.HMAC_SHA_256)
        self.assertRaises(BadSignature, serializer(other, "cart").loads, text)

    def test_value_without_the_key_of_the_hsm_is_refused(self):
        text = URLSafeTimedSerializer(b"", salt="cart").dumps({"a": 1})
        self.assertRaises(BadSignature, self.serializer.loads, text)

    def test_old_value_is_refused(self):
        text = self.serializer.dumps({"a": 1})
        self.assertRaises(SignatureExpired, self.serializer.loads, text, max_age=-1)

    def test_key_of_the_asyncio_client_is_refused(self):
        key = self.fake.aio_client().key("k", MacAlgorithm.HMAC_SHA_256)
        self.assertRaises(TypeError, signer, key, "cart")
        self.assertRaises(TypeError, serializer, key, "cart")

    def test_outage_is_not_a_bad_signature(self):
        text = self.serializer.dumps({"a": 1})
        self.fake.fail("INTERNAL")
        self.assertRaises(hmacd.HmacdError, self.serializer.loads, text)


if __name__ == "__main__":
    unittest.main()
