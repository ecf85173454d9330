"""Tests of import-key: a refused secret never reaches the HSM."""

import subprocess
import tempfile
import unittest
from pathlib import Path


class ImportKeyTest(unittest.TestCase):
    def test_secret_of_another_length_than_32_bytes_is_refused(self):
        for content in (b"", b"s" * 31, b"s" * 32 + b"\n", b"s" * 64):
            with self.subTest(len(content)), tempfile.TemporaryDirectory() as folder:
                secret = Path(folder, "secret")
                secret.write_bytes(content)
                command = ["./import-key", secret, f"alias/length-{len(content)}"]
                run = subprocess.run(command, capture_output=True, text=True)
                self.assertEqual(1, run.returncode)
                self.assertIn(f"has {len(content)} bytes, not 32", run.stderr)
                self.assertEqual("", run.stdout)


if __name__ == "__main__":
    unittest.main()
