"""PyJWT with HS256 tokens under a key in the HSM.

    tokens = hmacd_jwt(boto3.client("kms"))
    key = HsmKey("alias/tokens")
    token = tokens.encode({"sub": "4711", "exp": ...}, key, algorithm="HS256")
    claims = tokens.decode(token, key, algorithms=["HS256"])

Only this object has the algorithm. Other code in the process that calls `jwt.encode` and
`jwt.decode` with its own secrets does not reach hmacd.

The caller selects the key of a token. If tokens name one of several keys in `kid`, map `kid` to a
key in your own table: the creator of a token controls its header.
"""

from dataclasses import dataclass

import jwt

MAC_BYTES = 32
MAX_MESSAGE_BYTES = 4096  # The maximum of AWS KMS, also for tokens.


@dataclass(frozen=True)
class HsmKey:
    """The name of a key in the HSM: key id, ARN or alias.

    The type is not str, so that code cannot confuse a name and a secret.
    """

    key_id: str


def hmacd_jwt(kms):
    """Returns a PyJWT with only HS256, under keys in the HSM. `kms` is boto3's client."""
    tokens = jwt.PyJWT()
    # PyJWT has no public method for this. Without _jws, its own algorithms refuse every HsmKey.
    tokens._jws = jwt.PyJWS(algorithms=[])
    tokens._jws.register_algorithm("HS256", _Hs256(kms))
    return tokens


class _Hs256(jwt.algorithms.Algorithm):
    def __init__(self, kms):
        self._kms = kms

    def prepare_key(self, key):
        if not isinstance(key, HsmKey):
            # The key may be a secret: the error must not show it.
            raise jwt.InvalidKeyError("the key must be an HsmKey")
        return key.key_id

    def sign(self, msg, key):
        return self._kms.generate_mac(KeyId=key, Message=msg, MacAlgorithm="HMAC_SHA_256")["Mac"]

    def verify(self, msg, key, sig):
        if len(sig) != MAC_BYTES:
            return False  # Not a signature of this algorithm. hmacd would refuse the request.
        if len(msg) > MAX_MESSAGE_BYTES:
            raise jwt.InvalidTokenError("the token is too long to verify")
        try:
            self._kms.verify_mac(KeyId=key, Message=msg, MacAlgorithm="HMAC_SHA_256", Mac=sig)
        except self._kms.exceptions.KMSInvalidMacException:
            return False  # Any other error does not mean that the signature is wrong.
        return True

    @staticmethod
    def to_jwk(key_obj, as_dict=False):
        raise NotImplementedError("the key is in the HSM")

    @staticmethod
    def from_jwk(jwk):
        raise NotImplementedError("the key is in the HSM")
