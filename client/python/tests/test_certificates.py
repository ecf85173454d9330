"""Tests of the PEM files."""

import base64
import datetime as dt
import os
import subprocess
import tempfile
import threading
import unittest
from concurrent.futures import wait
from pathlib import Path

from support import Authority, Files, HangingRead, ends, pkcs8, rsa_key, traditional

from hmacd._certificates import CertificateError, Renewal, watch
from hmacd._settings import TlsFiles


class CertificatesTest(unittest.TestCase):
    def setUp(self):
        self.authority = Authority()
        self.files = Files(self.enterContext(tempfile.TemporaryDirectory()), self.authority)
        self.paths = TlsFiles(self.files.ca, self.files.certificate, self.files.private_key)

    def renewal(self):
        return Renewal(self.paths)

    def refuses(self, text):
        with self.assertRaises(CertificateError) as caught:
            self.renewal()
        self.assertIn(text, str(caught.exception))

    def test_keys_of_each_format_are_read(self):
        ec_certificate, ec_key = self.authority.issue()
        rsa_certificate, rsa = self.authority.issue(key=rsa_key())
        for name, certificate, key in (
            ("PKCS#8 EC", ec_certificate, pkcs8(ec_key)),
            ("SEC1", ec_certificate, traditional(ec_key)),
            ("PKCS#8 RSA", rsa_certificate, pkcs8(rsa)),
            ("PKCS#1", rsa_certificate, traditional(rsa)),
        ):
            with self.subTest(name):
                self.files.certificate.write_bytes(certificate)
                self.files.private_key.write_bytes(key)
                self.assertEqual(key, self.renewal().current.private_key)

    def test_key_of_openssl_ecparam_is_read(self):
        command = ["openssl", "ecparam", "-name", "prime256v1", "-genkey"]
        pem = subprocess.run(command, check=True, capture_output=True).stdout
        self.assertIn(b"EC PARAMETERS", pem)
        self.files.private_key.write_bytes(pem)
        self.refuses("does not belong to")  # It was read.

    def test_encrypted_key_is_refused(self):
        certificate, key = self.authority.issue()
        self.files.certificate.write_bytes(certificate)
        for pem in (pkcs8(key, b"password"), traditional(key, b"password")):
            self.files.private_key.write_bytes(pem)
            self.refuses("is encrypted")

    def test_file_without_pem_is_refused(self):
        for path, text in (
            (self.files.private_key, "is not a private key"),
            (self.files.certificate, "is not a certificate"),
            (self.files.ca, "is not a certificate"),
        ):
            with self.subTest(path.name):
                path.write_bytes(b"secret bytes")
                self.refuses(f"{path} {text}")

    def test_damaged_certificate_is_refused(self):
        lines = self.files.certificate.read_text().splitlines()
        content = bytearray(base64.b64decode("".join(lines[1:-1])))
        content[content.index(b"\xa0\x03\x02\x01\x02") + 4] = 9  # The version of X.509.
        lines[1:-1] = [base64.b64encode(content).decode()]
        self.files.certificate.write_text("\n".join(lines))
        self.refuses("is not a certificate")

    def test_text_has_no_content(self):
        self.files.private_key.write_bytes(
            b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"
        )
        with self.assertRaises(CertificateError) as caught:
            self.renewal()
        self.assertNotIn("c2VjcmV0", str(caught.exception))
        self.assertIsNone(caught.exception.__cause__)

    def test_key_of_another_certificate_is_refused(self):
        self.files.private_key.write_bytes(pkcs8(self.authority.issue()[1]))
        self.refuses("does not belong to")

    def test_ended_certificate_is_refused(self):
        self.files.write(*self.authority.issue(ends=-dt.timedelta(hours=1)))
        self.refuses("has ended")

    def test_missing_file_is_refused(self):
        self.files.certificate.unlink()
        self.refuses("cannot be read: No such file")

    def test_file_that_is_not_a_regular_file_is_refused(self):
        for name, make in (
            ("FIFO", os.mkfifo),
            ("endless device", lambda path: path.symlink_to("/dev/zero")),
            ("device without content", lambda path: path.symlink_to("/dev/null")),
        ):
            for path in (self.files.ca, self.files.certificate, self.files.private_key):
                with self.subTest(name, path=path.name):
                    content = path.read_bytes()
                    path.unlink()
                    make(path)
                    error = ends(self, self.renewal).exception()
                    self.assertIs(CertificateError, type(error))
                    self.assertIn(f"{path} is not a regular file", str(error))
                    path.unlink()
                    path.write_bytes(content)

    def test_folder_is_refused(self):
        self.files.ca.unlink()
        self.files.ca.mkdir()
        self.refuses("cannot be read: Is a directory")

    def test_length_of_a_file_is_limited(self):
        content = self.files.ca.read_bytes()
        self.files.ca.write_bytes(content + b"\n" * (1024 * 1024 - len(content)))
        self.renewal()
        with self.files.ca.open("ab") as file:
            file.write(b"\n")
        self.refuses("ca.pem has more than 1048576 bytes")
        os.truncate(self.files.ca, 1 << 40)  # A sparse file.
        self.refuses("ca.pem has more than 1048576 bytes")

    def test_fifo_leaves_the_last_good_set_in_use(self):
        renewal = self.renewal()
        first = renewal.current
        self.files.private_key.unlink()
        os.mkfifo(self.files.private_key)
        for read in (renewal.read, lambda: wait([renewal.read_now()], 60)):
            ends(self, read).result()
            self.assertIs(first, renewal.current)
            error = renewal.inspect().exception(60)
            self.assertIn("is not a regular file", str(error))

    def test_second_read_does_not_start_while_one_is_in_flight(self):
        renewal = self.renewal()
        hanging = HangingRead(self)
        first = renewal.read_now()
        hanging.started.wait(60)
        renewal.read()
        later = {renewal.read_now(), renewal.inspect(), renewal.read_now()}
        self.assertEqual((1, 1), (len(later), hanging.count))
        self.files.write(*self.authority.issue())
        hanging.released.set()
        self.assertEqual(2, len(wait([first, *later], 60).done))
        self.assertEqual(2, hanging.count)
        self.assertEqual(self.files.certificate.read_bytes(), renewal.current.certificate)
        renewal.read()
        self.assertEqual(3, hanging.count)

    def test_read_that_was_not_waited_for_is_not_cancelled(self):
        renewal = self.renewal()
        self.assertFalse(renewal.read_now().cancel())

    def test_new_set_is_in_use_at_its_second_read(self):
        renewal = self.renewal()
        first = renewal.current
        self.files.write(*self.authority.issue())
        renewal.read()
        self.assertIs(first, renewal.current)
        renewal.read()
        self.assertEqual(self.files.certificate.read_bytes(), renewal.current.certificate)
        second = renewal.current
        renewal.read()
        self.assertIs(second, renewal.current)

    def test_set_that_still_changes_is_not_in_use(self):
        renewal = self.renewal()
        first = renewal.current
        for _ in range(3):
            self.files.write(*self.authority.issue())
            renewal.read()
        self.assertIs(first, renewal.current)

    def test_set_that_is_not_good_leaves_the_last_good_one_in_use(self):
        renewal = self.renewal()
        first = renewal.current
        self.files.certificate.write_bytes(self.authority.issue()[0])
        renewal.read()
        renewal.read()
        self.assertIs(first, renewal.current)
        self.assertIn("does not belong to", str(renewal.inspect().exception(60)))
        self.files.certificate.unlink()
        renewal.read()
        self.assertIn("cannot be read", str(renewal.inspect().exception(60)))
        self.assertIs(first, renewal.current)
        self.files.certificate.write_bytes(first.certificate)
        renewal.read()
        self.assertEqual(first, renewal.inspect().result(60))

    def test_set_is_in_use_at_once_after_read_now(self):
        renewal = self.renewal()
        self.files.write(*self.authority.issue())
        wait([renewal.read_now()], 60)
        self.assertEqual(self.files.certificate.read_bytes(), renewal.current.certificate)

    def test_set_that_is_not_good_is_not_in_use_after_read_now(self):
        renewal = self.renewal()
        first = renewal.current
        self.files.private_key.write_bytes(b"half of a k")
        wait([renewal.read_now()], 60)
        self.assertIs(first, renewal.current)

    def test_watch_reads_until_the_stop_in_a_thread_that_keeps_no_process_alive(self):
        read, stop = threading.Event(), threading.Event()

        class Reader:
            def read(self):
                read.set()

        watch(Reader(), 0.001, stop)
        self.assertTrue(read.wait(60))
        thread = next(t for t in threading.enumerate() if t.name == "hmacd-files")
        self.assertTrue(thread.daemon)
        stop.set()
        thread.join(60)
        self.assertFalse(thread.is_alive())

    def test_repr_has_no_key(self):
        key = Path(self.files.private_key).read_text().splitlines()[1]
        self.assertNotIn(key, repr(self.renewal().current))


if __name__ == "__main__":
    unittest.main()
