"""Lets PyJWT make and check HS256 tokens under a key in the HSM.

After `use_hmacd(macs)`, `jwt.encode` and `jwt.decode` take the key's name in hmacd where they take a secret otherwise:

    token = jwt.encode({"sub": "4711", "exp": ...}, "alias/tokens", algorithm="HS256")
    claims = jwt.decode(token, "alias/tokens", algorithms=["HS256"])
"""

import grpc
import jwt

from hmacd.v1 import mac_algorithm_pb2, mac_service_pb2
from hmacd_grpc import reason

MAC_BYTES = 32
MAX_MESSAGE_BYTES = 4096  # A longer token cannot be made or checked through hmacd.


def use_hmacd(macs):
    """From now on HS256 is hmacd's matter, in this process: `macs` is a MacServiceStub."""
    jwt.unregister_algorithm("HS256")
    jwt.register_algorithm("HS256", _Hs256(macs))


class _Hs256(jwt.algorithms.Algorithm):
    def __init__(self, macs):
        self._macs = macs

    def prepare_key(self, key):
        return key  # Its name. The key itself stays in the HSM.

    def sign(self, msg, key):
        request = mac_service_pb2.GenerateMacRequest(
            key_id=key, message=msg, mac_algorithm=mac_algorithm_pb2.MAC_ALGORITHM_HMAC_SHA_256
        )
        return self._macs.GenerateMac(request).mac

    def verify(self, msg, key, sig):
        if len(sig) != MAC_BYTES or len(msg) > MAX_MESSAGE_BYTES:
            return False  # hmacd calls such a request wrong, but it is the token that is.
        request = mac_service_pb2.VerifyMacRequest(
            key_id=key, message=msg, mac_algorithm=mac_algorithm_pb2.MAC_ALGORITHM_HMAC_SHA_256, mac=sig
        )
        try:
            self._macs.VerifyMac(request)
        except grpc.RpcError as error:
            if reason(error) == "KMS_INVALID_MAC":
                return False
            raise  # No answer is no verdict.
        return True

    @staticmethod
    def to_jwk(key_obj, as_dict=False):
        raise NotImplementedError("the key is in the HSM")

    @staticmethod
    def from_jwk(jwk):
        raise NotImplementedError("the key is in the HSM")
