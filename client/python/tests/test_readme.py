"""Runs the examples of README.md with the fake."""

import re
import unittest
from pathlib import Path
from unittest import mock

from support import KEY

import hmacd
from hmacd import aio
from hmacd.testing import Fake

README = (Path(__file__).parents[1] / "README.md").read_text()
EXAMPLES = re.findall(r"^<!-- test -->\n```python\n(.*?)^```$", README, re.M | re.S)


class ReadmeTest(unittest.TestCase):
    def setUp(self):
        self.fake = self.enterContext(Fake({"alias/webhooks": KEY, "alias/tokens": KEY}))
        clients = {hmacd.Client: self.fake.client, aio.Client: self.fake.aio_client}
        for kind, create in clients.items():
            self.enterContext(mock.patch.object(kind, "from_env", create))
        self.webhook, self.token = EXAMPLES

    def run_example(self, text):
        names = {}
        exec(compile(text, "README.md", "exec"), names)
        return names

    def test_examples_have_at_most_15_lines(self):
        for text in EXAMPLES:
            self.assertLessEqual(len([line for line in text.splitlines() if line]), 15)

    def test_example_of_a_webhook_has_a_route(self):
        app = self.run_example(self.webhook)["app"]
        self.assertIn("/github", app.openapi()["paths"])

    def test_example_of_a_token_decodes_it(self):
        names = self.run_example(self.token)
        self.assertEqual({"sub": "4711", "aud": "shop"}, names["claims"])
        self.assertEqual(2, self.fake.attempts)


if __name__ == "__main__":
    unittest.main()
