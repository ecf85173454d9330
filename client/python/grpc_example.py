"""Generates and verifies a MAC with hmacd: grpc_example.py [KEY MESSAGE]

Without a key, it creates one. The file "env" of hmacd dev sets the address and the certificates of
hmacd in the environment.
"""

import sys

from hmacd import Client, InvalidMac, MacAlgorithm


def main(arguments):
    with Client.from_env() as client:
        if len(arguments) == 2:
            key, message = client.key(arguments[0], MacAlgorithm.HMAC_SHA_256), arguments[1]
        else:
            key, message = (
                client.create_key(MacAlgorithm.HMAC_SHA_256),
                "pay 100 EUR to account 4711",
            )
            print("key", key.name)

        mac = key.generate(message)
        print("mac", mac.hex())

        key.verify(message, mac)
        print("verified")

        try:
            key.verify("not " + message, mac)
        except InvalidMac as error:
            print("refused", error.reason)
        else:
            sys.exit("a changed message was not refused")


if __name__ == "__main__":
    main(sys.argv[1:])
