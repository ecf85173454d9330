"""The caller of scripts/bench-clients: the cost of a call of the package, or of the stub alone.

cost.py stub|package KEY WARM_UP CALLS CONCURRENCY. The script has the meaning of the arguments, of
the environment and of the output.
"""

import concurrent.futures
import contextlib
import json
import os
import sys
import time

MESSAGE = b"m" * 32
TIMEOUT = 5.0


@contextlib.contextmanager
def stub(name):
    """Yields a function that makes one call, and returns the MAC."""
    import grpc

    # Of protoc. The folder precedes the package, which has the same name.
    from hmacd.v1 import mac_algorithm_pb2, mac_service_pb2, mac_service_pb2_grpc

    files = []
    for variable in ("HMACD_CA", "HMACD_KEY", "HMACD_CERT"):
        with open(os.environ[variable], "rb") as file:
            files.append(file.read())
    credentials = grpc.ssl_channel_credentials(*files)
    with grpc.secure_channel(os.environ["HMACD_TARGET"], credentials) as channel:
        service = mac_service_pb2_grpc.MacServiceStub(channel)

        def call():
            request = mac_service_pb2.GenerateMacRequest(
                key_id=name,
                message=MESSAGE,
                mac_algorithm=mac_algorithm_pb2.MAC_ALGORITHM_HMAC_SHA_256,
            )
            return service.GenerateMac(request, timeout=TIMEOUT).mac

        yield call


@contextlib.contextmanager
def package(name):
    """Yields a function that makes one call, and returns the MAC."""
    from hmacd import Client, MacAlgorithm

    with Client.from_env(timeout=TIMEOUT) as client:
        key = client.key(name, MacAlgorithm.HMAC_SHA_256)
        yield lambda: key.generate(MESSAGE)


def loops(pool, call, right, calls, concurrency):
    """Makes calls in closed loops. Returns their number."""
    each = -(-calls // concurrency)

    def loop():
        for _ in range(each):
            if call() != right:
                raise ValueError("a wrong MAC")

    for end in [pool.submit(loop) for _ in range(concurrency)]:
        end.result()
    return each * concurrency


def main(mode, name, *numbers):
    warm_up, calls, concurrency = (int(number) for number in numbers)
    pool = concurrent.futures.ThreadPoolExecutor(concurrency)
    with {"stub": stub, "package": package}[mode](name) as call, pool:
        right = call()
        print("ready", flush=True)
        loops(pool, call, right, warm_up, concurrency)
        start, cpu = time.perf_counter(), time.process_time()
        made = loops(pool, call, right, calls, concurrency)
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    print(json.dumps({"calls": made, "seconds": seconds, "cpu_seconds": cpu_seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
