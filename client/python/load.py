"""The caller of client/events: makes calls at a fixed rate, and prints their outcomes as JSON: load.py KEY"""

import collections
import concurrent.futures
import json
import os
import signal
import sys
import threading
import time

from hmacd import Client, HmacdError, MacAlgorithm

MESSAGE = b"events"
MAX_CALLS = 1000  # In flight.
CHILD_LIMIT = 60  # Seconds. A child process that hangs ends by a signal.


def main(name):
    rate, seconds = int(os.environ["HMACD_LOAD_RATE"]), float(os.environ["HMACD_LOAD_SECONDS"])
    timeout = float(os.environ.get("HMACD_LOAD_TIMEOUT_MS", "5000")) / 1000
    close_after = os.environ.get("HMACD_LOAD_CLOSE_AFTER")
    lock = threading.Lock()
    outcomes, errors, times = collections.Counter(), collections.Counter(), []
    with Client.from_env() as client, concurrent.futures.ThreadPoolExecutor(MAX_CALLS) as pool:
        key = client.key(name, MacAlgorithm.HMAC_SHA_256)
        for _ in range(int(os.environ.get("HMACD_LOAD_WARM_UP", "1"))):
            right = key.generate(MESSAGE)
        print("ready", flush=True)
        sys.stdin.readline()  # The start of the load.
        child = os.fork() if os.environ.get("HMACD_LOAD_FORK") else None
        if child == 0:
            signal.alarm(CHILD_LIMIT)

        def call(planned):
            try:
                outcome, reason = "right" if key.generate(MESSAGE, timeout=timeout) == right else "wrong", None
            except HmacdError as e:
                outcome, reason = "errors", e.reason
            except RuntimeError:  # In a child process.
                outcome, reason = "errors", "RuntimeError"
            took = time.monotonic() - planned
            with lock:
                outcomes[outcome] += 1
                if reason:
                    errors[reason] += 1
                times.append(took * 1000)

        if close_after is not None:
            threading.Timer(float(close_after), client.close).start()
        start = time.monotonic()
        for i in range(round(rate * seconds)):
            planned = start + i / rate
            time.sleep(max(0, planned - time.monotonic()))
            pool.submit(call, planned)
    times.sort()
    quantile = lambda q: times[round(q * (len(times) - 1))]  # noqa: E731
    result = {"calls": len(times), "right": outcomes["right"], "wrong": outcomes["wrong"], "errors": errors}
    if child == 0:
        result["where"] = "child process"
    elif child and os.waitpid(child, 0)[1] != 0:
        sys.exit("the child process failed")
    print(json.dumps(result | {"p50_ms": quantile(0.5), "p99_ms": quantile(0.99), "max_ms": times[-1]}))


if __name__ == "__main__":
    main(sys.argv[1])
