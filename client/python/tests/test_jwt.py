"""Tests of JSON Web Tokens, with the fake."""

import hmac
import json
import unittest
import warnings

import jwt
from jwt.utils import base64url_encode
from support import KEY, VECTORS

import hmacd
from hmacd import MacAlgorithm
from hmacd.jwt import Tokens
from hmacd.testing import Fake

CLAIMS = VECTORS["jwt"]["claims"]
ALGORITHMS = {
    "HS256": MacAlgorithm.HMAC_SHA_256,
    "HS384": MacAlgorithm.HMAC_SHA_384,
    "HS512": MacAlgorithm.HMAC_SHA_512,
}


class JwtTest(unittest.TestCase):
    def setUp(self):
        # The key of the vectors is shorter than PyJWT recommends for HS384 and HS512.
        self.enterContext(warnings.catch_warnings())
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        self.fake = self.enterContext(Fake({"k": KEY}))
        self.client = self.enterContext(self.fake.client(timeout=120))
        self.tokens = self.of("HS256")
        self.token = VECTORS["jwt"]["right"][0]["token"]

    def of(self, name):
        return Tokens({"k1": self.client.key("k", ALGORITHMS[name])})

    def test_right_tokens_of_the_vectors_are_verified(self):
        for vector in VECTORS["jwt"]["right"]:
            self.assertEqual(CLAIMS, self.of(vector["alg"]).decode(vector["token"]))

    def test_wrong_tokens_of_the_vectors_are_refused(self):
        for vector in VECTORS["jwt"]["wrong"]:
            before = self.fake.attempts
            with self.subTest(vector["why"]), self.assertRaises(jwt.InvalidTokenError):
                self.of(vector["alg"]).decode(vector["token"])
            calls = vector["why"] == "another key"
            self.assertEqual(before + calls, self.fake.attempts, vector["why"])

    def test_accepted_tokens_of_the_vectors_are_verified(self):
        for vector in VECTORS["jwt"]["accepted"]:
            with self.subTest(vector["why"]):
                self.assertEqual(CLAIMS, self.of(vector["alg"]).decode(vector["token"]))

    def test_wrong_signature_is_pyjwts_error(self):
        vector = next(v for v in VECTORS["jwt"]["wrong"] if v["why"] == "another key")
        self.assertRaises(jwt.InvalidSignatureError, self.tokens.decode, vector["token"])
        self.assertEqual(1, self.fake.attempts)

    def test_unknown_kid_and_other_algorithm_are_refused_without_a_call(self):
        other = "k" * 64
        for headers, secret, algorithm, error in (
            ({"kid": "k2"}, other, "HS256", jwt.InvalidTokenError),
            ({}, other, "HS256", jwt.InvalidTokenError),
            ({"kid": "k1"}, other, "HS512", jwt.InvalidAlgorithmError),
            ({"kid": "k1"}, None, "none", jwt.InvalidAlgorithmError),
        ):
            token = jwt.encode(CLAIMS, secret, algorithm, headers=headers)
            with self.subTest(headers=headers, algorithm=algorithm):
                self.assertRaises(error, self.tokens.decode, token)
        self.assertEqual(0, self.fake.attempts)

    def test_critical_extension_is_refused_without_a_call(self):
        for extension in (
            {"crit": ["b64"], "b64": False},
            {"crit": ["b64"], "b64": True},
            {"b64": False},
            {"b64": "false"},
            {"crit": ["x"], "x": 1},
            {"crit": ["x"]},
            {"crit": []},
            {"crit": "b64"},
        ):
            token = self.signed({"alg": "HS256", "kid": "k1"} | extension)
            with self.subTest(extension):
                self.assertRaises(jwt.InvalidTokenError, self.tokens.decode, token)
        self.assertEqual(0, self.fake.attempts)
        self.assertEqual(CLAIMS, self.tokens.decode(self.signed({"alg": "HS256", "kid": "k1"})))

    def signed(self, header):
        """A token with the right signature, and any header."""
        parts = (base64url_encode(json.dumps(part).encode()) for part in (header, CLAIMS))
        signed = b".".join(parts)
        return signed + b"." + base64url_encode(hmac.digest(KEY, signed, "sha256"))

    def test_text_that_is_not_a_token_is_refused_without_a_call(self):
        for token in ("", "a", "a.b", "a.b.c", "....", b"\xff.\xff.\xff"):
            self.assertRaises(jwt.InvalidTokenError, self.tokens.decode, token)
        self.assertEqual(0, self.fake.attempts)

    def test_other_text_of_a_signature_is_refused_without_a_call(self):
        digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        unused_bit = self.token[:-1] + digits[digits.index(self.token[-1]) | 1]
        for token in (unused_bit, f"{self.token}\n", f"{self.token}!!!!", f"{self.token}="):
            for text in (token, token.encode()):
                with self.subTest(text):
                    self.assertRaises(jwt.DecodeError, self.tokens.decode, text)
        self.assertEqual(0, self.fake.attempts)

    def test_token_is_signed(self):
        for name in ALGORITHMS:
            token = self.of(name).encode(CLAIMS, kid="k1", headers={"cty": "x"})
            header = jwt.get_unverified_header(token)
            self.assertEqual({"alg": name, "kid": "k1", "typ": "JWT", "cty": "x"}, header)
            self.assertEqual(CLAIMS, jwt.decode(token, KEY, algorithms=[name]))

    def test_header_cannot_replace_kid_and_alg(self):
        for field in ("kid", "alg"):
            with self.assertRaises(ValueError):
                self.tokens.encode(CLAIMS, kid="k1", headers={field: "x"})
        self.assertRaises(KeyError, self.tokens.encode, CLAIMS, kid="k2")

    def test_outage_is_never_an_error_of_pyjwt(self):
        for reason in ("INTERNAL", "ACCESS_DENIED", "DEADLINE_EXCEEDED"):
            self.fake.fail(reason)
            with self.assertRaises(hmacd.HmacdError) as caught:
                self.tokens.decode(self.token)
            self.assertEqual(reason, caught.exception.reason)
        self.client.close()
        self.assertRaises(hmacd.Closed, self.tokens.decode, self.token)

    def test_long_token_has_no_verdict(self):
        token = self.of("HS256").encode({"sub": "4711"}, kid="k1")
        long = jwt.encode({"sub": "x" * 66_000}, KEY, "HS256", headers={"kid": "k1"})
        self.assertRaises(hmacd.MessageTooLong, self.tokens.decode, long)
        self.tokens.decode(token)

    def test_claims_are_checked(self):
        token = self.tokens.encode({"exp": 1, "aud": "a"}, kid="k1")
        self.assertRaises(jwt.ExpiredSignatureError, self.tokens.decode, token, audience="a")
        token = self.tokens.encode({"aud": "a", "iss": "i"}, kid="k1")
        self.assertRaises(jwt.InvalidAudienceError, self.tokens.decode, token, audience="b")
        self.assertRaises(
            jwt.InvalidIssuerError, self.tokens.decode, token, audience="a", issuer="j"
        )
        self.tokens.decode(token, audience="a", issuer="i")
        with self.assertRaises(jwt.MissingRequiredClaimError):
            self.tokens.decode(token, audience="a", options={"require": ["exp"]})

    def test_verification_cannot_be_switched_off(self):
        forged = jwt.encode(CLAIMS, "x" * 32, "HS256", headers={"kid": "k1"})
        for value in (False, None, 0):
            with self.assertRaises(ValueError):
                self.tokens.decode(forged, options={"verify_signature": value})

    def test_key_without_a_name_in_jwt_is_refused(self):
        with self.assertRaises(ValueError):
            Tokens({"k1": self.client.key("k", MacAlgorithm.HMAC_SHA_224)})

    def test_key_of_the_asyncio_client_is_refused(self):
        key = self.fake.aio_client().key("k", MacAlgorithm.HMAC_SHA_256)
        self.assertRaises(TypeError, Tokens, {"k1": key})

    def test_rest_of_the_process_does_not_reach_the_daemon(self):
        token = jwt.encode(CLAIMS, KEY, "HS256")
        self.assertEqual(CLAIMS, jwt.decode(token, KEY, algorithms=["HS256"]))
        self.assertEqual(0, self.fake.attempts)


if __name__ == "__main__":
    unittest.main()
