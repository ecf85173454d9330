"""Tests of the requests, and of the check of their answers."""

import unittest

from support import VECTORS

from hmacd import HmacdError, MacAlgorithm, _calls
from hmacd._stubs import mac_service_pb2 as macs
from hmacd._stubs.key_metadata_pb2 import KeyMetadata

SHA_256 = MacAlgorithm.HMAC_SHA_256
NUMBER = 2  # MAC_ALGORITHM_HMAC_SHA_256
MAC = bytes(32)


class CallsTest(unittest.TestCase):
    def test_checksums_are_those_of_the_vectors(self):
        for vector in VECTORS["macs"]:
            message = bytes.fromhex(vector["message"])
            self.assertEqual(vector["message_crc32c"], _calls.crc32c(message))

    def test_request_has_the_checksums(self):
        call = _calls.verify("k", SHA_256, b"hello", MAC, 65_536)
        request = macs.VerifyMacRequest(
            key_id="k",
            message=b"hello",
            mac=MAC,
            mac_algorithm=NUMBER,
            message_crc32c=_calls.crc32c(b"hello"),
            mac_crc32c=_calls.crc32c(MAC),
        )
        self.assertEqual(request, call.request)
        self.assertEqual("/hmacd.v1.MacService/VerifyMac", call.path)

    def test_key_without_a_known_algorithm_is_refused(self):
        self.assertEqual(SHA_256, _calls.algorithm_of_key(KeyMetadata(mac_algorithms=[NUMBER])))
        for numbers in ([], [0], [99], [NUMBER, NUMBER + 1]):
            with self.assertRaises(HmacdError) as caught:
                _calls.algorithm_of_key(KeyMetadata(mac_algorithms=numbers))
            self.assertEqual("INVALID_ARGUMENT", caught.exception.reason)

    def test_answer_of_generate_with_another_field_is_damaged(self):
        intact = _calls.generate("k", SHA_256, b"hello", 65_536).intact
        right = {
            "mac": MAC,
            "mac_algorithm": NUMBER,
            "mac_crc32c": _calls.crc32c(MAC),
            "verified_message_crc32c": True,
        }
        self.assertTrue(intact(macs.GenerateMacResponse(**right)))
        for change in (
            {"mac": bytes(31) + b"\1"},
            {"mac": b"", "mac_crc32c": 0},
            {"mac": bytes(33), "mac_crc32c": _calls.crc32c(bytes(33))},
            {"mac_algorithm": 1},
            {"mac_crc32c": 1},
            {"verified_message_crc32c": False},
        ):
            with self.subTest(change):
                self.assertFalse(intact(macs.GenerateMacResponse(**right | change)))

    def test_answer_of_verify_with_another_field_is_damaged(self):
        intact = _calls.verify("k", SHA_256, b"hello", MAC, 65_536).intact
        right = {
            "mac_valid": True,
            "mac_algorithm": NUMBER,
            "verified_message_crc32c": True,
            "verified_mac_crc32c": True,
        }
        self.assertTrue(intact(macs.VerifyMacResponse(**right)))
        for field in right:
            with self.subTest(field):
                self.assertFalse(intact(macs.VerifyMacResponse(**right | {field: 0})))

    def test_algorithms_have_the_lengths_of_the_contract(self):
        lengths = {algorithm.value: algorithm.mac_bytes for algorithm in MacAlgorithm}
        expected = {v["algorithm"]: len(v["mac"]) // 2 for v in VECTORS["macs"]}
        self.assertEqual(expected, lengths)


if __name__ == "__main__":
    unittest.main()
