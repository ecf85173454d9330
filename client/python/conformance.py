"""The program of client/conformance: makes one call for each line of JSON, and prints its outcome: conformance.py [aio]"""

import asyncio
import base64
import json
import sys

import hmacd
import hmacd.aio
from hmacd import HmacdError, MacAlgorithm


class Blocking:
    """The synchronous client behind the interface of the asyncio client."""

    def __init__(self, target):
        self._target = target

    def __getattr__(self, name):
        method = getattr(self._target, name)

        async def call(*arguments, **options):
            return method(*arguments, **options)

        return call


async def outcome(client, request):
    operation = request["operation"]
    if operation == "doctor":
        return {"outcome": "lines", "lines": await client.doctor()}
    options = {"timeout": request["timeout_ms"] / 1000} if "timeout_ms" in request else {}
    if operation == "open_key":
        key = await client.open_key(request["key"], **options)
        return {"outcome": "key", "algorithm": key.algorithm, "arn": key.arn}
    if isinstance(client, Blocking):
        key = Blocking(await client.key(request["key"], MacAlgorithm(request["algorithm"])))
    else:
        key = client.key(request["key"], MacAlgorithm(request["algorithm"]))
    message = base64.b64decode(request["message"])
    if operation == "generate":
        mac = await key.generate(message, **options)
        return {"outcome": "mac", "mac": base64.b64encode(mac).decode()}
    await key.verify(message, base64.b64decode(request["mac"]), **options)
    return {"outcome": "right"}


def failure(error):
    if not isinstance(error, HmacdError):
        return {"outcome": "error", "type": type(error).__name__, "text": str(error)}
    fields = ("reason", "retryable", "may_have_run", "target", "attempts", "request_id", "limit", "size")
    kind = type(error).__name__.replace("HmacdError", "Hmacd")
    found = {name: getattr(error, name) for name in fields if hasattr(error, name)}
    return {"outcome": "error", "type": kind, "text": str(error)} | found


async def main(create):
    client = create()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["operation"] in {"open", "close"}:
                await client.close()
                client = create() if request["operation"] == "open" else client
                answer = {"outcome": "done"}
            else:
                answer = await outcome(client, request)
        except Exception as error:  # noqa: BLE001 - each error is an outcome.
            answer = failure(error)
        print(json.dumps(answer), flush=True)
    await client.close()


if __name__ == "__main__":
    asyncio.run(main(hmacd.aio.Client.from_env if "aio" in sys.argv[1:] else lambda: Blocking(hmacd.Client.from_env())))
