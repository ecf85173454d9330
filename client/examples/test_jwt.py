"""Checks of hmacd_jwt against PyJWT as it comes, which has the same key as a secret.

HMACD_SHARED_KEY names the key in hmacd, HMACD_SHARED_SECRET the file with its bytes.
"""

import base64
import os
import time
import unittest
from pathlib import Path

import boto3
import jwt

from hmacd_jwt import use_hmacd


def tampered(token):
    """The token with other claims, under the old signature."""
    header, _, signature = token.split(".")
    claims = base64.urlsafe_b64encode(b'{"sub": "0815"}').rstrip(b"=").decode()
    return ".".join((header, claims, signature))


class JwtTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        use_hmacd(boto3.client("kms"))
        cls.key = os.environ["HMACD_SHARED_KEY"]
        cls.secret = Path(os.environ["HMACD_SHARED_SECRET"]).read_bytes()
        cls.plain = jwt.PyJWT()  # An instance has algorithms of its own, which use_hmacd leaves alone.
        cls.claims = {"sub": "4711", "exp": int(time.time()) + 60}

    def hmacd_decodes(self, token):
        return jwt.decode(token, self.key, algorithms=["HS256"])

    def plain_decodes(self, token):
        return self.plain.decode(token, self.secret, algorithms=["HS256"])

    def test_token_of_hmacd_is_accepted_by_the_library(self):
        token = jwt.encode(self.claims, self.key, algorithm="HS256")
        self.assertEqual(self.claims, self.plain_decodes(token))

    def test_token_of_hmacd_with_other_claims_is_refused_by_the_library(self):
        token = jwt.encode(self.claims, self.key, algorithm="HS256")
        with self.assertRaises(jwt.InvalidSignatureError):
            self.plain_decodes(tampered(token))

    def test_token_of_the_library_is_accepted_through_hmacd(self):
        token = self.plain.encode(self.claims, self.secret, algorithm="HS256")
        self.assertEqual(self.claims, self.hmacd_decodes(token))

    def test_token_of_the_library_that_was_changed_is_refused_through_hmacd(self):
        token = self.plain.encode(self.claims, self.secret, algorithm="HS256")
        unsigned = token.rsplit(".", 1)[0] + "."
        long = self.plain.encode({"sub": "4711" * 1024}, self.secret, algorithm="HS256")
        expired = self.plain.encode({"exp": int(time.time()) - 60}, self.secret, algorithm="HS256")
        for name, refused, error in (
            ("other claims", tampered(token), jwt.InvalidSignatureError),
            ("no signature", unsigned, jwt.InvalidSignatureError),
            ("longer than hmacd takes", long, jwt.InvalidSignatureError),
            ("expired", expired, jwt.ExpiredSignatureError),
        ):
            with self.subTest(name), self.assertRaises(error):
                self.hmacd_decodes(refused)


if __name__ == "__main__":
    unittest.main()
