"""Tests of the types, with mypy."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

RIGHT = """
from hmacd import Client, Key, MacAlgorithm, aio

def sign(client: Client) -> bytes:
    key: Key = client.key("k", MacAlgorithm.HMAC_SHA_256)
    key.verify("text", key.generate(b"bytes", timeout=1))
    return key.generate("text")

async def sign_later(client: aio.Client) -> bytes:
    return await client.key("k", MacAlgorithm.HMAC_SHA_256).generate(b"bytes")
"""
WRONG = """
from hmacd import Client, Key, aio

def wrong(client: Client, key: Key, later: aio.Client) -> bool:
    Client(5)
    Client("unix:/a", timout=1)
    key.verify(b"message", "00")
    later.key("k", "HS256")
    return key.verify(b"message", b"mac")
"""


class TypesTest(unittest.TestCase):
    def mypy(self, *arguments):
        command = [sys.executable, "-m", "mypy", *arguments]
        folder = Path(__file__).parents[1]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True)

    def check(self, text):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "user.py").write_text(text)
        return self.mypy("--strict", "--config-file", "", str(folder / "user.py")).stdout

    def test_package_is_typed(self):
        result = self.mypy()
        self.assertEqual(0, result.returncode, result.stdout)

    def test_types_of_the_installed_package_accept_right_calls(self):
        self.assertIn("Success", self.check(RIGHT))

    def test_types_of_the_installed_package_refuse_wrong_calls(self):
        result = self.check(WRONG)
        lines = {int(line.split(":")[1]) for line in result.splitlines() if ": error: " in line}
        self.assertEqual({5, 6, 7, 8, 9}, lines, result)


if __name__ == "__main__":
    unittest.main()
