"""Tests of processes: forks, and the end of a process with an open client."""

import subprocess
import sys
import tempfile
import textwrap
import unittest

from support import KEY, Authority, Files
from test_tls import TlsFake

from hmacd.testing import Fake

LONG = 120  # Seconds: a busy machine never takes as long.

FORK = """
import os, sys
import hmacd

def fork(call):
    pid = os.fork()
    if pid == 0:
        try:
            print("child", len(call()), flush=True)
        except RuntimeError as error:
            print("child", error, flush=True)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0

SHA_256 = hmacd.MacAlgorithm.HMAC_SHA_256
key = hmacd.Client(sys.argv[1], timeout=60).key("k", SHA_256)
"""


class ProcessTest(unittest.TestCase):
    def setUp(self):
        self.fake = self.enterContext(Fake({"k": KEY}))

    def run_script(self, script, *arguments):
        """Runs a script in a process of its own. Returns the lines of its output."""
        command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
        done = subprocess.run(command, timeout=LONG, check=True, text=True, capture_output=True)
        return done.stdout.splitlines()

    def run_with_fake(self, script):
        return self.run_script(FORK + textwrap.dedent(script), self.fake.target)

    def test_client_created_before_a_fork_is_usable_in_both_processes_after_it(self):
        lines = self.run_with_fake("""
            fork(lambda: key.generate(b"hello"))
            print("parent", len(key.generate(b"hello")))
            """)
        self.assertEqual(["child 32", "parent 32"], lines)

    def test_client_used_before_a_fork_fails_at_once_in_the_child(self):
        child, parent = self.run_with_fake("""
            key.generate(b"hello")
            fork(lambda: key.generate(b"hello"))
            print("parent", len(key.generate(b"hello")))
            """)
        self.assertRegex(child, "^child .*make the first call after the fork")
        self.assertEqual("parent 32", parent)
        self.assertEqual(2, self.fake.attempts)

    def test_new_client_in_the_child_of_a_process_that_used_grpc_fails_at_once(self):
        (child,) = self.run_with_fake("""
            key.generate(b"hello")
            fork(lambda: hmacd.Client(sys.argv[1]).key("k", SHA_256).generate(b"hello"))
            """)
        self.assertRegex(child, "^child .*make the first call after the fork")

    def test_grandchild_is_refused_too(self):
        (child,) = self.run_with_fake("""
            key.generate(b"hello")
            fork(lambda: fork(lambda: key.generate(b"hello")) or os._exit(0))
            """)
        self.assertRegex(child, "^child .*make the first call after the fork")

    def test_close_in_the_child_of_a_process_with_a_call_in_flight_returns_at_once(self):
        self.fake.hang()
        lines = self.run_with_fake("""
            import threading, time
            hmacd._client._DRAIN = 3600
            threading.Thread(target=key.generate, args=(b"hello",), daemon=True).start()
            while key._client._in_flight == 0:
                time.sleep(0.01)
            fork(lambda: key._client.close() or "closed")
            os._exit(0)
            """)
        self.assertEqual(["child 6"], lines)

    def test_open_client_does_not_keep_the_process_alive(self):
        authority = Authority()
        files = Files(self.enterContext(tempfile.TemporaryDirectory()), authority)
        fake = self.enterContext(TlsFake(authority))
        script = """
            import sys, threading
            import hmacd
            ca, certificate, private_key = sys.argv[2:]
            client = hmacd.Client(
                sys.argv[1], ca=ca, certificate=certificate, private_key=private_key, timeout=60)
            print(len(client.key("k", hmacd.MacAlgorithm.HMAC_SHA_256).generate(b"hello")))
            print([thread.name for thread in threading.enumerate()])
            """
        paths = (str(path) for path in files.settings().values())
        lines = self.run_script(script, fake.target, *paths)
        self.assertEqual(["32", "['MainThread', 'hmacd-files']"], lines)


if __name__ == "__main__":
    unittest.main()
