"""Tests of hmacd_jwt against unmodified PyJWT, which has the same key as a secret.

HMACD_SHARED_KEY is the name of the key in hmacd, HMACD_SHARED_SECRET the file with its bytes.
"""

import base64
import os
import socket
import time
import unittest
from pathlib import Path

import boto3
import jwt
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

from hmacd_jwt import HsmKey, hmacd_jwt


def tampered(token):
    """Returns the token with other claims and the same signature."""
    header, _, signature = token.split(".")
    claims = base64.urlsafe_b64encode(b'{"sub": "0815"}').rstrip(b"=").decode()
    return ".".join((header, claims, signature))


class JwtTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hmacd = hmacd_jwt(boto3.client("kms"))
        cls.key = HsmKey(os.environ["HMACD_SHARED_KEY"])
        cls.secret = Path(os.environ["HMACD_SHARED_SECRET"]).read_bytes()
        cls.claims = {"sub": "4711", "exp": int(time.time()) + 60}

    def hmacd_decodes(self, token):
        return self.hmacd.decode(token, self.key, algorithms=["HS256"])

    def plain_decodes(self, token):
        return jwt.decode(token, self.secret, algorithms=["HS256"])

    def test_token_of_hmacd_is_accepted_by_the_library(self):
        token = self.hmacd.encode(self.claims, self.key, algorithm="HS256")
        self.assertEqual(self.claims, self.plain_decodes(token))

    def test_token_of_hmacd_with_other_claims_is_refused_by_the_library(self):
        token = self.hmacd.encode(self.claims, self.key, algorithm="HS256")
        with self.assertRaises(jwt.InvalidSignatureError):
            self.plain_decodes(tampered(token))

    def test_token_of_the_library_is_accepted_through_hmacd(self):
        token = jwt.encode(self.claims, self.secret, algorithm="HS256")
        self.assertEqual(self.claims, self.hmacd_decodes(token))

    def test_changed_token_of_the_library_is_refused_through_hmacd(self):
        token = jwt.encode(self.claims, self.secret, algorithm="HS256")
        unsigned = token.rsplit(".", 1)[0] + "."
        none = jwt.encode(self.claims, None, algorithm="none")
        hs384 = jwt.encode(self.claims, self.secret * 2, algorithm="HS384")
        long = jwt.encode({"sub": "4711" * 1024}, self.secret, algorithm="HS256")
        expired = jwt.encode({"exp": int(time.time()) - 60}, self.secret, algorithm="HS256")
        for name, refused, error in (
            ("other claims", tampered(token), jwt.InvalidSignatureError),
            ("no signature", unsigned, jwt.InvalidSignatureError),
            ("a signature with one more byte", token + "A", jwt.InvalidSignatureError),
            ("a signature with invalid base64", token + "!", jwt.DecodeError),
            ("longer than the maximum of hmacd", long, jwt.InvalidTokenError),
            ("no algorithm", none, jwt.InvalidAlgorithmError),
            ("another algorithm", hs384, jwt.InvalidAlgorithmError),
            ("expired", expired, jwt.ExpiredSignatureError),
        ):
            with self.subTest(name):
                with self.assertRaises(jwt.InvalidTokenError) as caught:
                    self.hmacd_decodes(refused)
                self.assertIs(error, type(caught.exception))

    def test_algorithm_in_the_token_is_ignored(self):
        hs384 = jwt.encode(self.claims, self.secret * 2, algorithm="HS384")
        none = jwt.encode(self.claims, None, algorithm="none")
        for name, token in (("none", none), ("HS384", hs384)):
            with self.subTest(name), self.assertRaises(jwt.InvalidAlgorithmError):
                self.hmacd.decode(token, self.key, algorithms=["HS256", "HS384", "none"])
            with self.subTest("encode " + name), self.assertRaises(NotImplementedError):
                self.hmacd.encode(self.claims, self.key, algorithm=name)

    def test_outage_is_not_reported_as_a_wrong_signature(self):
        token = jwt.encode(self.claims, self.secret, algorithm="HS256")
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        once = Config(retries={"total_max_attempts": 1})
        nobody = boto3.client("kms", endpoint_url=f"http://127.0.0.1:{port}", config=once)
        with self.assertRaises(EndpointConnectionError):
            hmacd_jwt(nobody).decode(token, self.key, algorithms=["HS256"])
        with self.assertRaises(ClientError) as caught:
            self.hmacd.decode(token, HsmKey("alias/no-such-key"), algorithms=["HS256"])
        self.assertEqual("NotFoundException", caught.exception.response["Error"]["Code"])

    def test_other_tokens_of_the_process_do_not_reach_hmacd(self):
        secret = "alias/secret-of-another-library-in-this-process"  # It could be the name of a key.
        token = jwt.encode(self.claims, secret, algorithm="HS256")
        self.assertEqual(self.claims, jwt.decode(token, secret, algorithms=["HS256"]))
        with self.assertRaises(jwt.InvalidSignatureError):
            self.plain_decodes(token)

    def test_secret_is_not_used_as_the_name_of_a_key(self):
        token = jwt.encode(self.claims, self.secret, algorithm="HS256")
        tokens = hmacd_jwt(None)  # A call would fail with another error.
        for secret in (self.secret, self.secret.decode(), self.key.key_id):
            with self.assertRaises(jwt.InvalidKeyError) as caught:
                tokens.decode(token, secret, algorithms=["HS256"])
            self.assertNotIn(self.secret.decode(), str(caught.exception))
            with self.assertRaises(jwt.InvalidKeyError):
                tokens.encode(self.claims, secret, algorithm="HS256")

    def test_name_of_a_key_is_not_used_as_a_secret(self):
        with self.assertRaises(TypeError):
            jwt.encode(self.claims, self.key, algorithm="HS256")


if __name__ == "__main__":
    unittest.main()
