"""Generates and verifies a MAC with boto3, as with AWS KMS: boto3_example.py [KEY MESSAGE]

Without a key, it creates one. AWS_ENDPOINT_URL_KMS sets the endpoint of hmacd.
The file "env" of hmacd dev sets it, and also an access key and the region.
"""

import sys

import boto3


def main(arguments):
    kms = boto3.client("kms")

    if len(arguments) == 2:
        key_id, message = arguments[0], arguments[1].encode()
    else:
        created = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        key_id, message = created["KeyMetadata"]["KeyId"], b"pay 100 EUR to account 4711"
        print("key", key_id)

    mac = kms.generate_mac(KeyId=key_id, Message=message, MacAlgorithm="HMAC_SHA_256")["Mac"]
    print("mac", mac.hex())

    # An answer means that the MAC is correct. A wrong MAC is an error.
    kms.verify_mac(KeyId=key_id, Message=message, MacAlgorithm="HMAC_SHA_256", Mac=mac)
    print("verified")

    try:
        kms.verify_mac(KeyId=key_id, Message=b"not " + message, MacAlgorithm="HMAC_SHA_256", Mac=mac)
    except kms.exceptions.KMSInvalidMacException:
        print("refused KMSInvalidMacException")
    else:
        sys.exit("a changed message was not refused")


if __name__ == "__main__":
    main(sys.argv[1:])
