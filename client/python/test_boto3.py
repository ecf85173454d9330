"""Checks of boto3 on the daemon that the environment names.

HMACD_AKID2, HMACD_SECRET2 and HMACD_ARN2 are those of a caller who may do nothing.
"""

import os
import unittest
import uuid

import boto3
from botocore.exceptions import ClientError

UNKNOWN = "00000000-0000-4000-8000-000000000000"


class Boto3Test(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kms = boto3.client("kms")

    def setUp(self):
        created = self.kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        self.key_id, self.arn = created["KeyMetadata"]["KeyId"], created["KeyMetadata"]["Arn"]

    def generate(self, kms=None, **changes):
        request = {"KeyId": self.key_id, "Message": b"hello", "MacAlgorithm": "HMAC_SHA_256"} | changes
        return (kms or self.kms).generate_mac(**request)["Mac"]

    def verify(self, mac, **changes):
        request = {"KeyId": self.key_id, "Message": b"hello", "MacAlgorithm": "HMAC_SHA_256"} | changes
        return self.kms.verify_mac(Mac=mac, **request)

    def assert_refused(self, code, message, call, *arguments, **named):
        """Refused with the code and the text of AWS KMS; with no text where `message` is empty."""
        with self.assertRaises(ClientError) as caught:
            call(*arguments, **named)
        response = caught.exception.response
        seen = (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"])
        self.assertEqual((400, code, message), seen)

    def test_mac_is_verified(self):
        mac = self.generate()
        self.assertEqual(32, len(mac))
        answer = self.verify(mac)
        self.assertEqual(
            (True, self.arn, "HMAC_SHA_256"), (answer["MacValid"], answer["KeyId"], answer["MacAlgorithm"])
        )

    def test_wrong_mac_is_refused(self):
        mac = self.generate()
        self.assert_refused("KMSInvalidMacException", "", self.verify, mac[:31] + bytes([mac[31] ^ 1]))

    def test_unknown_key_is_refused(self):
        self.assert_refused(
            "NotFoundException", f"Key '{self.arn.replace(self.key_id, UNKNOWN)}' does not exist",
            self.generate, KeyId=UNKNOWN,
        )

    def test_algorithm_of_another_spec_is_refused(self):
        self.assert_refused(
            "InvalidKeyUsageException", "Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256.",
            self.generate, MacAlgorithm="HMAC_SHA_512",
        )

    def test_message_of_4097_bytes_is_refused(self):
        self.assert_refused(
            "ValidationException",
            "1 validation error detected: Value at 'message' failed to satisfy constraint: "
            "Member must have length less than or equal to 4096",
            self.generate, Message=bytes(4097),
        )

    def test_dry_run_is_answered_by_an_error(self):
        self.assert_refused(
            "DryRunOperationException", "The request would have succeeded, but the DryRun option is set.",
            self.generate, DryRun=True,
        )

    def test_caller_without_rights_is_refused(self):
        nobody = boto3.client(
            "kms", aws_access_key_id=os.environ["HMACD_AKID2"], aws_secret_access_key=os.environ["HMACD_SECRET2"]
        )
        self.assert_refused(
            "AccessDeniedException",
            f"User: {os.environ['HMACD_ARN2']} is not authorized to perform: kms:GenerateMac on resource: {self.arn}"
            " because no identity-based policy allows the kms:GenerateMac action",
            self.generate, nobody,
        )

    def test_wrong_secret_is_refused(self):
        forger = boto3.client("kms", aws_secret_access_key="a" * 40, aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"])
        self.assert_refused(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret"
            " Access Key and signing method. Consult the service documentation for details.",
            self.generate, forger,
        )

    def test_disabled_key_is_refused_until_it_is_enabled(self):
        mac = self.generate()
        self.kms.disable_key(KeyId=self.key_id)
        self.assert_refused("DisabledException", f"{self.arn} is disabled.", self.generate)
        self.assert_refused("DisabledException", f"{self.arn} is disabled.", self.verify, mac)
        self.kms.enable_key(KeyId=self.key_id)
        self.assertEqual(mac, self.generate())

    def test_key_that_waits_for_its_deletion_is_refused_until_that_is_cancelled(self):
        mac = self.generate()
        scheduled = self.kms.schedule_key_deletion(KeyId=self.key_id, PendingWindowInDays=7)
        self.assertEqual((self.arn, "PendingDeletion", 7),
                         (scheduled["KeyId"], scheduled["KeyState"], scheduled["PendingWindowInDays"]))
        self.assert_refused("KMSInvalidStateException", f"{self.arn} is pending deletion.", self.generate)
        self.assertEqual(self.arn, self.kms.cancel_key_deletion(KeyId=self.key_id)["KeyId"])
        self.assertEqual("Disabled", self.kms.describe_key(KeyId=self.key_id)["KeyMetadata"]["KeyState"])
        self.kms.enable_key(KeyId=self.key_id)
        self.assertEqual(mac, self.generate())

    def test_key_is_described_and_listed(self):
        self.kms.update_key_description(KeyId=self.key_id, Description="for orders")
        described = self.kms.describe_key(KeyId=self.arn)["KeyMetadata"]
        self.assertEqual(
            ("for orders", "Enabled", "HMAC_256", ["HMAC_SHA_256"], "GENERATE_VERIFY_MAC", "AWS_KMS"),
            tuple(described[name] for name in
                  ("Description", "KeyState", "KeySpec", "MacAlgorithms", "KeyUsage", "Origin")),
        )
        pages = self.kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1})
        self.assertIn({"KeyId": self.key_id, "KeyArn": self.arn}, [key for page in pages for key in page["Keys"]])

    def test_alias_names_the_key_that_it_points_to_now(self):
        alias = f"alias/{uuid.uuid4()}"
        other = self.kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
        self.kms.create_alias(AliasName=alias, TargetKeyId=self.key_id)
        self.assertEqual(self.generate(), self.generate(KeyId=alias))
        self.kms.update_alias(AliasName=alias, TargetKeyId=other)
        self.assertEqual(self.generate(KeyId=other), self.generate(KeyId=alias))
        listed = self.kms.list_aliases(KeyId=other)["Aliases"]
        self.assertEqual([(alias, other)], [(entry["AliasName"], entry["TargetKeyId"]) for entry in listed])
        self.kms.delete_alias(AliasName=alias)
        self.assert_refused(
            "NotFoundException", f"Alias {self.arn.split(':key/')[0]}:{alias} is not found.", self.generate, KeyId=alias
        )

    def test_tags_are_set_listed_and_removed(self):
        tags = [{"TagKey": "team", "TagValue": "billing"}, {"TagKey": "stage", "TagValue": ""}]
        self.kms.tag_resource(KeyId=self.key_id, Tags=tags)
        self.assertEqual(tags, self.kms.list_resource_tags(KeyId=self.key_id)["Tags"])
        self.kms.untag_resource(KeyId=self.key_id, TagKeys=["team"])
        self.assertEqual(tags[1:], self.kms.list_resource_tags(KeyId=self.key_id)["Tags"])

    def test_random_bytes_differ(self):
        first, second = (self.kms.generate_random(NumberOfBytes=32)["Plaintext"] for _ in range(2))
        self.assertEqual((32, 32), (len(first), len(second)))
        self.assertNotEqual(first, second)

    def test_operation_for_other_keys_is_refused_as_for_a_mac_key(self):
        self.assert_refused(
            "InvalidKeyUsageException", f"{self.arn} key usage is GENERATE_VERIFY_MAC which is not valid for Sign.",
            self.kms.sign, KeyId=self.key_id, Message=b"hello", SigningAlgorithm="ECDSA_SHA_256",
        )


if __name__ == "__main__":
    unittest.main()
