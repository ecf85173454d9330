"""Tests of the dependency of FastAPI, with the fake."""

import unittest
from typing import Annotated

from fastapi import Depends, FastAPI
from support import KEY, RUNNER, VECTORS

from hmacd import MacAlgorithm
from hmacd.fastapi import VerifiedBody
from hmacd.testing import Fake, _Order
from hmacd.webhooks import GITHUB

BODY = VECTORS["webhooks"]["body"].encode()
HEADERS = VECTORS["webhooks"]["github"]


class FastApiTest(unittest.TestCase):
    runner = RUNNER

    def setUp(self):
        self.fake = self.enterContext(Fake({"k": KEY}))
        client = self.fake.aio_client(timeout=120)
        self.addCleanup(lambda: self.runner.run(client.close()))
        github = VerifiedBody(GITHUB, client.key("k", MacAlgorithm.HMAC_SHA_256))
        self.app = FastAPI()
        self.received = []

        @self.app.post("/")
        async def receive(body: Annotated[bytes, Depends(github)]) -> None:
            self.received.append(body)

    def post(self, body, headers):
        """Sends a request in two parts. Returns the status."""
        return self.post_parts(iter([(body[:10], True), (body[10:], False)]), headers)

    def post_parts(self, parts, headers):
        sent = []

        async def receive():
            part, more = next(parts)
            return {"type": "http.request", "body": part, "more_body": more}

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/",
            "raw_path": b"/",
            "query_string": b"",
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        }
        self.runner.run(self.app(scope, receive, send))
        return sent[0]["status"]

    def test_verified_body_is_given_to_the_handler(self):
        self.assertEqual(200, self.post(BODY, HEADERS))
        self.assertEqual([BODY], self.received)

    def test_wrong_or_missing_signature_is_401(self):
        self.assertEqual(401, self.post(BODY + b" ", HEADERS))
        self.assertEqual(401, self.post(BODY, {}))
        self.assertEqual([], self.received)

    def test_reserved_content_is_401(self):
        self.fake.fail("RESERVED_MESSAGE")
        self.assertEqual(401, self.post(BODY, HEADERS))
        self.assertEqual([], self.received)

    def test_local_reason_of_a_daemon_is_503(self):
        for reason in ("INVALID_ARGUMENT", "CLOSED"):
            self.fake._add([_Order(reason)])
            self.assertEqual(503, self.post(BODY, HEADERS))

    def test_outage_is_503(self):
        self.fake.fail("INTERNAL")
        self.assertEqual(503, self.post(BODY, HEADERS))
        self.assertEqual([], self.received)

    def test_long_body_is_413_without_a_call(self):
        self.assertEqual(413, self.post(bytes(65_537), HEADERS))
        self.assertEqual(0, self.fake.attempts)

    def test_empty_body_is_400_without_a_call(self):
        self.assertEqual(400, self.post(b"", HEADERS))
        self.assertEqual(0, self.fake.attempts)

    def test_endless_body_is_413_after_the_longest_message(self):
        parts = ((bytes(16_384), True) for _ in range(5))  # The sixth part would be an error.
        self.assertEqual(413, self.post_parts(parts, HEADERS))

    def test_dependency_without_key_is_refused(self):
        self.assertRaises(TypeError, VerifiedBody, GITHUB)

    def test_key_of_the_synchronous_client_is_refused(self):
        with self.fake.client() as client, self.assertRaises(TypeError):
            VerifiedBody(GITHUB, client.key("k", MacAlgorithm.HMAC_SHA_256))


if __name__ == "__main__":
    unittest.main()
