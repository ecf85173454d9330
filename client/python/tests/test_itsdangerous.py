"""Tests of itsdangerous, with the fake."""

import hashlib
import unittest
from contextlib import ExitStack
from unittest import mock

from itsdangerous import (
    BadSignature,
    HMACAlgorithm,
    NoneAlgorithm,
    Serializer,
    SignatureExpired,
    Signer,
    TimedSerializer,
    TimestampSigner,
    URLSafeTimedSerializer,
)
from support import KEY

import hmacd
from hmacd import MacAlgorithm
from hmacd.itsdangerous import serializer, signer
from hmacd.testing import Fake


class UnkeyedSigner(TimestampSigner):
    """Makes and accepts empty signatures."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options | {"algorithm": NoneAlgorithm()})


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

    def test_default_of_the_process_does_not_weaken_the_serializer(self):
        """A fallback, or another signer, would use the secret of the serializer, which is empty."""
        with ExitStack() as defaults:
            for owner, name, value in (
                (Serializer, "default_fallback_signers", [{"digest_method": hashlib.sha512}, {}]),
                (TimedSerializer, "default_signer", UnkeyedSigner),
                (Signer, "default_key_derivation", "none"),
                (Signer, "default_digest_method", staticmethod(hashlib.md5)),
                (HMACAlgorithm, "default_digest_method", staticmethod(hashlib.md5)),
            ):
                defaults.enter_context(mock.patch.object(owner, name, value))
            serializer_, signer_ = serializer(self.key, "cart"), signer(self.key, "cart")
            for options in (
                {},
                {"digest_method": hashlib.sha512},
                {"digest_method": hashlib.md5},
                {"key_derivation": "concat"},
            ):
                common = {"salt": "cart", "signer": TimestampSigner, "signer_kwargs": options}
                forged = URLSafeTimedSerializer(b"", **common).dumps({"a": 1})
                self.assertRaises(BadSignature, serializer_.loads, forged)
                forged = TimestampSigner(b"", salt="cart", **options).sign("value")
                self.assertRaises(BadSignature, signer_.unsign, forged)
            forged = URLSafeTimedSerializer("", salt="cart", signer=UnkeyedSigner).dumps({"a": 1})
            self.assertRaises(BadSignature, serializer_.loads, forged)
            self.assertEqual(4, serializer_.loads(self.serializer.dumps(4)))
            self.assertEqual(b"v", signer_.unsign(signer(self.key, "cart").sign("v")))

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
