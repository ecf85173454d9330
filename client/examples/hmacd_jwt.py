"""Lets PyJWT make and check HS256 tokens under a key in the HSM.

After `use_hmacd(boto3.client("kms"))`, `jwt.encode` and `jwt.decode` take the key's name where they take a secret
otherwise:

    token = jwt.encode({"sub": "4711", "exp": ...}, "alias/tokens", algorithm="HS256")
    claims = jwt.decode(token, "alias/tokens", algorithms=["HS256"])
"""

import jwt

MAC_BYTES = 32
MAX_MESSAGE_BYTES = 4096  # As of AWS KMS: a longer token cannot be made or checked.


def use_hmacd(kms):
    """From now on HS256 is hmacd's matter, in this process: `kms` is boto3's client."""
    jwt.unregister_algorithm("HS256")
    jwt.register_algorithm("HS256", _Hs256(kms))


class _Hs256(jwt.algorithms.Algorithm):
    def __init__(self, kms):
        self._kms = kms

    def prepare_key(self, key):
        return key  # Its name. The key itself stays in the HSM.

    def sign(self, msg, key):
        return self._kms.generate_mac(KeyId=key, Message=msg, MacAlgorithm="HMAC_SHA_256")["Mac"]

    def verify(self, msg, key, sig):
        if len(sig) != MAC_BYTES or len(msg) > MAX_MESSAGE_BYTES:
            return False  # hmacd calls such a request wrong, but it is the token that is.
        try:
            self._kms.verify_mac(KeyId=key, Message=msg, MacAlgorithm="HMAC_SHA_256", Mac=sig)
        except self._kms.exceptions.KMSInvalidMacException:
            return False  # Any other error is no verdict.
        return True

    @staticmethod
    def to_jwk(key_obj, as_dict=False):
        raise NotImplementedError("the key is in the HSM")

    @staticmethod
    def from_jwk(jwk):
        raise NotImplementedError("the key is in the HSM")
