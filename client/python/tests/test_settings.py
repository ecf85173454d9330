"""Tests of the settings."""

import os
import traceback
import unittest
from pathlib import Path
from unittest import mock

import hmacd
from hmacd import aio

UNIX = "unix:/run/hmacd.sock"


class SettingsTest(unittest.TestCase):
    def refuses(self, kind, text, targets=UNIX, **settings):
        for client in (hmacd.Client, aio.Client):
            with self.subTest(client=client), self.assertRaises(kind) as caught:
                client(targets, **settings)
            self.assertIn(text, str(caught.exception))

    def test_valid_targets_are_accepted(self):
        for targets in (UNIX, [UNIX, "unix:/b"], [f"unix:/{i}" for i in range(16)]):
            with self.subTest(targets):
                hmacd.Client(targets).close()

    def test_target_of_another_form_is_refused_with_its_value(self):
        for target in (
            "",
            "host",
            "host:",
            "host:0",
            "host:65536",
            "host:1:2",
            "unix:relative",
            "https://host:1",
            "a:1,b:2",
            "::1:8443",
            "host:8443 ",
        ):
            self.refuses(ValueError, f"targets: {target!r}", target)

    def test_number_of_targets_out_of_range_is_refused(self):
        self.refuses(ValueError, "targets: 0", [])
        self.refuses(ValueError, "targets: 17", [UNIX] * 17)

    def test_targets_of_another_type_are_refused(self):
        self.refuses(TypeError, "targets: 5", 5)
        self.refuses(TypeError, "targets: bytes", [b"x"])

    def test_values_out_of_range_are_refused(self):
        for name, value in (
            ("timeout", 0),
            ("timeout", -1),
            ("timeout", float("nan")),
            ("timeout", float("inf")),
            ("attempt_timeout", 0),
            ("max_message_bytes", 0),
            ("max_message_bytes", 1_048_577),
            ("file_interval", 0.9),
            ("file_interval", 5.1),
        ):
            self.refuses(ValueError, f"{name}: {value!r}", **{name: value})

    def test_limits_of_a_message_are_accepted(self):
        for most in (1, 1_048_576):
            with hmacd.Client(UNIX, max_message_bytes=most) as client:
                self.assertEqual(most, client._settings.max_message_bytes)

    def test_values_of_another_type_are_refused(self):
        for name, value in (
            ("timeout", "5"),
            ("timeout", True),
            ("attempt_timeout", None),
            ("max_message_bytes", 65536.0),
            ("file_interval", "2"),
        ):
            self.refuses(TypeError, f"{name}: {value!r}", **{name: value})

    def test_unknown_setting_is_refused(self):
        self.refuses(TypeError, "timout", timout=5)

    def test_host_requires_the_files(self):
        self.refuses(ValueError, "ca: None", "host:8443")
        self.refuses(ValueError, "certificate: None", ["host:8443", UNIX], ca="ca.pem")
        self.refuses(TypeError, "ca: 5", "host:8443", ca=5)

    def test_content_of_a_file_is_refused_and_not_shown(self):
        secret = "c2VjcmV0"
        pem = f"-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n"

        class BytesPath:
            def __fspath__(self):
                return pem.encode()

        for content, kind in (
            (pem, ValueError),
            (f"{secret}\nrest", ValueError),
            (f"{secret}\rrest", ValueError),
            (f"{secret}\0rest", ValueError),
            (f"-----BEGIN PRIVATE KEY-----{secret}", ValueError),
            (Path(pem), ValueError),
            (pem.encode(), TypeError),
            (bytearray(pem.encode()), TypeError),
            (BytesPath(), TypeError),
            ([pem], TypeError),
        ):
            paths = {"ca": "/no/ca.pem", "certificate": "/no/c.pem", "private_key": "/no/k.pem"}
            for name in paths:
                with self.subTest(content, name=name), self.assertRaises(kind) as caught:
                    hmacd.Client("host:8443", **paths | {name: content})
                text = "".join(traceback.format_exception(caught.exception))
                self.assertIn(f"Error: {name}: ", text)
                self.assertNotIn(secret, text)

    def test_content_of_a_file_in_another_setting_is_not_shown(self):
        pem = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"
        for settings in (
            {"targets": pem},
            {"targets": [pem]},
            {"targets": pem.encode()},
            {"timeout": pem},
            {"max_message_bytes": pem.encode()},
            {"file_interval": [pem]},
            {"key": pem},
        ):
            with (
                self.subTest(settings.keys()),
                self.assertRaises((TypeError, ValueError)) as caught,
            ):
                hmacd.Client(**{"targets": UNIX} | settings)
            self.assertNotIn("c2VjcmV0", str(caught.exception))

    def test_missing_file_is_refused_with_its_path(self):
        files = {"ca": "/no/ca.pem", "certificate": "/no/c.pem", "private_key": "/no/k.pem"}
        self.refuses(hmacd.CertificateError, "ca: /no/ca.pem", "host:8443", **files)

    def test_environment_has_several_targets(self):
        with mock.patch.dict(os.environ, {"HMACD_TARGET": "unix:/a, unix:/b"}, clear=True):
            client = hmacd.Client.from_env(timeout=1)
        self.assertEqual(("unix:/a", "unix:/b"), client._rules.targets)
        self.assertEqual(1.0, client._settings.timeout)

    def test_environment_without_target_is_refused(self):
        with (
            mock.patch.dict(os.environ, clear=True),
            self.assertRaisesRegex(ValueError, "HMACD_TARGET"),
        ):
            hmacd.Client.from_env()


if __name__ == "__main__":
    unittest.main()
