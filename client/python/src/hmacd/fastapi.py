"""A dependency of FastAPI that verifies a webhook. Requires the extra `fastapi`.

github = VerifiedBody(webhooks.GITHUB, client.key("alias/webhooks", MacAlgorithm.HMAC_SHA_256))

@app.post("/github")
async def receive(body: Annotated[bytes, Depends(github)]) -> None: ...
"""

from fastapi import HTTPException, Request

from hmacd import aio
from hmacd._errors import HmacdError, InvalidMac, MessageTooLong
from hmacd.webhooks import Scheme

__all__ = ["VerifiedBody"]


class VerifiedBody:
    """The body of a request, after one of its signatures was verified.

    The response is 401 for a wrong signature, 413 for a body that is too long, 400 for an empty
    body in the format of GitHub, and 503 if there is no verdict.
    """

    def __init__(self, scheme: Scheme, *keys: aio.Key) -> None:
        """:param keys: keys of a `hmacd.aio.Client`; one that matches is enough"""
        if not keys or not all(isinstance(key, aio.Key) for key in keys):
            raise TypeError("the dependency requires keys of a hmacd.aio.Client")
        self._scheme = scheme
        self._keys = keys
        self._most_bytes = max(key.max_message_bytes for key in keys)

    async def __call__(self, request: Request) -> bytes:
        body = await self._read(request)
        try:
            await self._scheme.averify(body, request.headers, *self._keys)
        except InvalidMac:
            raise HTTPException(401, "the signature is wrong") from None
        except MessageTooLong:
            raise HTTPException(413, "the body is too long") from None
        except HmacdError as error:
            if error.reason == "INVALID_ARGUMENT" and error.attempts == 0:
                raise HTTPException(400, "the body is empty") from None
            raise HTTPException(503, "the signature cannot be verified now") from error
        return body

    async def _read(self, request: Request) -> bytes:
        """Reads no more than can be verified: the sender is not known yet."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._most_bytes:
                raise HTTPException(413, "the body is too long")
        return bytes(body)
