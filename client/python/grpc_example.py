"""Generates and verifies a MAC with hmacd: grpc_example.py [KEY MESSAGE]

Without a key, it creates one. The file "env" of hmacd dev sets the address and the certificates of
hmacd in the environment.
"""

import os
import sys

import grpc

from hmacd.v1 import (
    key_service_pb2,
    key_service_pb2_grpc,
    key_spec_pb2,
    mac_algorithm_pb2,
    mac_service_pb2,
    mac_service_pb2_grpc,
)
from hmacd_grpc import connect, credentials_from_env, reason


def main(arguments):
    with connect(os.environ["HMACD_TARGET"], credentials_from_env()) as channel:
        keys = key_service_pb2_grpc.KeyServiceStub(channel)
        macs = mac_service_pb2_grpc.MacServiceStub(channel)

        if len(arguments) == 2:
            key_id, message = arguments[0], arguments[1].encode()
        else:
            request = key_service_pb2.CreateKeyRequest(key_spec=key_spec_pb2.KEY_SPEC_HMAC_256)
            key_id, message = keys.CreateKey(request).key_metadata.key_id, b"pay 100 EUR to account 4711"
            print("key", key_id)

        algorithm = mac_algorithm_pb2.MAC_ALGORITHM_HMAC_SHA_256
        request = mac_service_pb2.GenerateMacRequest(key_id=key_id, message=message, mac_algorithm=algorithm)
        mac = macs.GenerateMac(request).mac
        print("mac", mac.hex())

        # An answer means that the MAC is correct. A wrong MAC is an error.
        request = mac_service_pb2.VerifyMacRequest(key_id=key_id, message=message, mac_algorithm=algorithm, mac=mac)
        macs.VerifyMac(request)
        print("verified")

        request.message = b"not " + message
        try:
            macs.VerifyMac(request)
        except grpc.RpcError as error:
            if reason(error) != "KMS_INVALID_MAC":
                raise  # Another error does not mean that the MAC is wrong.
            print("refused", reason(error))
        else:
            sys.exit("a changed message was not refused")


if __name__ == "__main__":
    main(sys.argv[1:])
