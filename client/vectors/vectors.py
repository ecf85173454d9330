"""Writes vectors.json: the test vectors of all client packages. Run it after a change: python3 vectors.py

The MACs are those of the standard library of Python.
"""

import base64
import hashlib
import hmac
import json

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
HASHES = {"HMAC_SHA_224": hashlib.sha224, "HMAC_SHA_256": hashlib.sha256, "HMAC_SHA_384": hashlib.sha384,
          "HMAC_SHA_512": hashlib.sha512}  # fmt: skip
JWT = {"HS256": "HMAC_SHA_256", "HS384": "HMAC_SHA_384", "HS512": "HMAC_SHA_512"}
# Texts that a wrong decoding changes: base64 ignores the end of the first two, hex decodes the third.
TEXTS = ["order4711amount100", "order4711amount101", "deadbeef", "Grüße 🔑", "e\u0301", "\u00e9", "a\r\nb", "\x00", " x "]
BODY = '{"event":"paid","amount":"100.00 €"}'
TIME = 1_700_000_000


def mac(message, key=KEY, algorithm="HMAC_SHA_256"):
    return hmac.digest(key, message, HASHES[algorithm])


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(alg, kid, claims, key=KEY, **more):
    """kid: None for a header without `kid`. more: more members of the header."""
    header = {"alg": alg, "typ": "JWT"} | ({} if kid is None else {"kid": kid}) | more
    signed = ".".join(base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{signed}.{base64url(mac(signed.encode(), key, JWT[alg]))}"


def macs():
    messages = [b"\x00", b"hello", bytes(range(256)), b"m" * 4096]
    return [
        {"algorithm": algorithm, "message": message.hex(), "mac": mac(message, KEY, algorithm).hex(),
         "message_crc32c": crc32c(message)}
        for algorithm in HASHES for message in messages
    ]  # fmt: skip


def texts():
    return [{"text": text, "utf8": text.encode().hex(), "mac": mac(text.encode()).hex()} for text in TEXTS]


def webhooks():
    body = BODY.encode()
    stripe = mac(f"{TIME}.".encode() + body).hex()
    slack = mac(f"v0:{TIME}:".encode() + body).hex()
    standard = base64.b64encode(mac(f"msg_1.{TIME}.".encode() + body)).decode()
    return {
        "body": BODY,
        "time": TIME,
        "github": {"X-Hub-Signature-256": f"sha256={mac(body).hex()}"},
        "stripe": {"Stripe-Signature": f"t={TIME},v1={stripe}"},
        "slack": {"X-Slack-Signature": f"v0={slack}", "X-Slack-Request-Timestamp": str(TIME)},
        "standard": {"webhook-id": "msg_1", "webhook-timestamp": str(TIME), "webhook-signature": f"v1,{standard}"},
        "variants": variants(),
    }


def variants():
    """Other headers, and whether `verify` at TIME accepts them. Each has a MAC that is right for its signed content."""
    body = BODY.encode()
    github = mac(body).hex()

    def stripe(header, time=TIME):
        return {"Stripe-Signature": header.format(t=time, v1=mac(f"{time}.".encode() + body).hex())}

    def slack(time):
        signature = mac(f"v0:{time}:".encode() + body).hex()
        return {"X-Slack-Signature": f"v0={signature}", "X-Slack-Request-Timestamp": time}

    def standard(message_id="msg_1", time=TIME, signatures="v1,{v1}"):
        v1 = base64.b64encode(mac(f"{message_id}.{time}.".encode() + body)).decode()
        return {"webhook-id": message_id, "webhook-timestamp": str(time),
                "webhook-signature": signatures.format(v1=v1)}  # fmt: skip

    rows = [
        ("github", "upper case hex", True, {"X-Hub-Signature-256": f"sha256={github.upper()}"}),
        ("github", "a blank after the MAC", False, {"X-Hub-Signature-256": f"sha256={github} x"}),
        ("stripe", "a signature of another scheme", True, stripe("t={t},v1={v1},v0=00")),
        ("stripe", "another element", True, stripe("t={t},x=1,v1={v1}")),
        ("stripe", "a malformed signature beside the right one", False, stripe("t={t},v1=00,v1={v1}")),
        ("stripe", "a blank after a comma", False, stripe("t={t}, v1={v1}")),
        ("stripe", "an empty second time", False, stripe("t=,t={t},v1={v1}")),
        ("stripe", "a time with a leading zero", False, stripe("t={t},v1={v1}", f"0{TIME}")),
        ("stripe", "a time with a sign", False, stripe("t={t},v1={v1}", f"+{TIME}")),
        ("slack", "a time with a leading zero", False, slack(f"0{TIME}")),
        ("slack", "a time with a sign", False, slack(f"+{TIME}")),
        ("standard", "a signature of another version", True, standard(signatures="v1a,00 v1,{v1}")),
        ("standard", "a malformed signature beside the right one", False, standard(signatures="v1,00 v1,{v1}")),
        ("standard", "an id with 256 characters", True, standard("m" * 256)),
        ("standard", "an id with 257 characters", False, standard("m" * 257)),
        ("standard", "an id with a blank", False, standard("a b")),
        ("standard", "an id with a full stop", False, standard("a.b")),
        ("standard", "a time with a leading zero", False, standard(time=f"0{TIME}")),
    ]
    return [{"format": row[0], "why": row[1], "accepted": row[2], "headers": row[3]} for row in rows]


def tokens():
    claims = {"sub": "4711", "exp": 4_000_000_000}
    return {
        "claims": claims,
        "right": [{"alg": alg, "kid": "k1", "token": token(alg, "k1", claims)} for alg in JWT],
        "wrong": [
            {"why": "another key", "alg": "HS256", "token": token("HS256", "k1", claims, OTHER_KEY)},
            {"why": "another alg than the key's", "alg": "HS256", "token": token("HS512", "k1", claims)},
            {"why": "an unknown kid", "alg": "HS256", "token": token("HS256", "k2", claims)},
            {"why": "no signature", "alg": "HS256", "token": token("HS256", "k1", claims).rpartition(".")[0] + "."},
            {"why": "no kid", "alg": "HS256", "token": token("HS256", None, claims)},
            {"why": "a kid that is a number", "alg": "HS256", "token": token("HS256", 1, claims)},
            {"why": "an empty crit", "alg": "HS256", "token": token("HS256", "k1", claims, crit=[])},
            {"why": "a crit of null", "alg": "HS256", "token": token("HS256", "k1", claims, crit=None)},
            {"why": "a crit", "alg": "HS256", "token": token("HS256", "k1", claims, crit=["exp"], exp=1)},
            {"why": "b64 false", "alg": "HS256", "token": token("HS256", "k1", claims, b64=False)},
        ],
        "accepted": [
            {"why": "b64 true", "alg": "HS256", "token": token("HS256", "k1", claims, b64=True)},
            {"why": "a jku, which is ignored", "alg": "HS256", "token": token("HS256", "k1", claims, jku="https://x")},
        ],
    }


def main():
    vectors = {"key": KEY.hex(), "macs": macs(), "texts": texts(), "webhooks": webhooks(), "jwt": tokens()}
    with open("vectors.json", "w") as file:
        json.dump(vectors, file, indent=1, ensure_ascii=True)
        file.write("\n")


if __name__ == "__main__":
    main()
