"""The loads of scripts/bench, and the proof that what was measured was done."""

import contextlib
import hashlib
import hmac
import json
import os
import re
import struct
import subprocess
import threading
import time

import grpc
from bench_servers import KEY, KEY_LABEL, LIMIT, machine_cpu, CPUS
from hmacd.v1 import mac_service_pb2, mac_service_pb2_grpc

HMAC_SHA_256 = 2
SAMPLE_EVERY = 0.1


class Invalid(Exception):
    """A run that does not count."""


class Requests:
    """The requests that the loads send, and what is right."""

    def __init__(self, folder, secret):
        self._folder = folder
        self._secret = secret

    def mac(self, message):
        return hmac.digest(self._secret, message, hashlib.sha256)

    def message(self, size):
        return b"m" * size

    def request(self, op, message):
        if op == "generate":
            return mac_service_pb2.GenerateMacRequest(key_id=KEY, message=message, mac_algorithm=HMAC_SHA_256)
        return mac_service_pb2.VerifyMacRequest(
            key_id=KEY, message=message, mac_algorithm=HMAC_SHA_256, mac=self.mac(message)
        )

    def body(self, op, size):
        """A file with the request as gRPC frames it."""
        path = os.path.join(self._folder, f"{op}-{size}")
        if not os.path.exists(path):
            request = self.request(op, self.message(size)).SerializeToString()
            with open(path, "wb") as file:
                file.write(struct.pack(">BI", 0, len(request)) + request)
        return path


class Caller:
    """A client that knows the key: it compares each answer with what hashlib says."""

    def __init__(self, requests, server, tls=None):
        self._requests = requests
        self._server = server
        self._channel = (
            grpc.insecure_channel(server.target())
            if tls is None
            else grpc.secure_channel(server.tls_target(), credentials(server))
        )
        self._stub = mac_service_pb2_grpc.MacServiceStub(self._channel)

    def call(self, op, message):
        """Returns the answer's bytes, those of gRPC's frame included."""
        method = self._stub.GenerateMac if op == "generate" else self._stub.VerifyMac
        try:
            answer = method(self._requests.request(op, message), timeout=LIMIT, wait_for_ready=True)
        except grpc.RpcError as e:
            raise Invalid(f"a sampled call failed: {e.code()} {e.details()}") from e
        if self._server.counts:
            right = answer.mac == self._requests.mac(message) if op == "generate" else answer.mac_valid
            if not right:
                raise Invalid("a sampled MAC is wrong")
        return 5 + answer.ByteSize()

    def close(self):
        self._channel.close()


def credentials(server):
    read = lambda name: open(server.file(name), "rb").read()  # noqa: E731
    return grpc.ssl_channel_credentials(read("ca.pem"), read("client-key.pem"), read("client.pem"))


@contextlib.contextmanager
def sampled(caller, op, size):
    """Calls now and then while a load runs. Yields how many calls it made with messages of `size` bytes."""
    made = {"calls": 0, "of_size": 0}
    failure = []
    stop = threading.Event()

    def run():
        try:
            while not stop.wait(SAMPLE_EVERY):
                # In turn the load's own message and one that nobody has sent before, of another length.
                if made["calls"] % 2 == 0:
                    message = b"m" * size
                    made["of_size"] += 1
                else:
                    message = os.urandom(1 + made["calls"] % 63)
                made["calls"] += 1
                caller.call(op, message)
        except Invalid as e:
            failure.append(e)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield made
    finally:
        stop.set()
        thread.join()
    if failure:
        raise failure[0]
    if made["calls"] == 0:  # The load was short.
        caller.call(op, b"short")


def usage_of(command, environment=None):
    """Runs a command; returns what it printed and the processor seconds that it took."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Invalid(f"{os.path.basename(command[0])} ended with {process.returncode}: {said[-500:]}")
    return said, usage.ru_utime + usage.ru_stime


UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def h2load(server, requests, op, size, shape, calls, log=None):
    """Returns (seconds, client's processor seconds, bytes of answers)."""
    connections, streams = shape
    method = "GenerateMac" if op == "generate" else "VerifyMac"
    said, cpu = usage_of(
        [
            "h2load", "-n", str(calls), "-c", str(connections), "-m", str(streams), "-t", "1", "-B", server.target(),
            "-d", requests.body(op, size), "-H", "content-type: application/grpc", "-H", "te: trailers",
            *([f"--log-file={log}"] if log else []), f"http://localhost/hmacd.v1.MacService/{method}",
        ]
    )
    done = re.search(r"requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, 0 failed, 0 errored", said)
    if done is None or int(done.group(1)) != calls:
        raise Invalid("h2load: " + "; ".join(line for line in said.splitlines() if line.startswith("requests")))
    finished = re.search(r"finished in ([\d.]+)(us|ms|s),", said)
    data = re.search(r"\((\d+)\) data", said)
    return float(finished.group(1)) * UNITS[finished.group(2)], cpu, int(data.group(1))


def read_log(path):
    """What h2load logged: (end, microseconds) of each request; the ends in seconds from the first request."""
    with open(path) as file:
        rows = [line.split("\t") for line in file]
    os.unlink(path)
    if any(row[1] != "200" for row in rows):
        raise Invalid("an HTTP status other than 200")
    calls = [(int(row[0]), int(row[2])) for row in rows]
    first = min(start for start, _ in calls)
    return [((start - first + took) / 1e6, took) for start, took in calls]


def percentiles(micros):
    micros = sorted(micros)
    return {name: micros[int(q * (len(micros) - 1))] for name, q in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))}


class Watch:
    """What a run took of the machine, and that the token's count fits."""

    def __init__(self, server, size):
        self._server, self._size = server, size
        self._cpu, self._all, self._start = server.cpu(), machine_cpu(), time.monotonic()
        self._signed, self._failed = server.count.signed(size), server.count.failed()

    def check(self, expected):
        signed, failed = self._server.count.signed(self._size) - self._signed, self._server.count.failed() - self._failed
        if self._server.counts and (signed != expected or failed):
            raise Invalid(f"the token made {signed} MACs for {expected} requests, and refused {failed}")

    def row(self, calls, seconds, client_cpu):
        server_cpu = self._server.cpu() - self._cpu
        # The load's process lives a little longer than its load.
        others = machine_cpu() - self._all - server_cpu - client_cpu
        return {
            "calls": calls, "seconds": seconds, "rate": calls / seconds, "server_us": 1e6 * server_cpu / calls,
            "client_us": 1e6 * client_cpu / calls, "rss_mb": self._server.rss_mb(),
            "others": max(0.0, others / (CPUS * (time.monotonic() - self._start))),
        }


def measure(server, caller, requests, op, size, shape, calls, log):
    """One round by h2load: rate and processor time of a run without a log, then percentiles of one with it."""
    answer = caller.call(op, requests.message(size))
    logged = max(shape[0] * shape[1] * 4, calls // 3)
    watch = Watch(server, size)
    with sampled(caller, op, size) as made:
        seconds, client_cpu, data = h2load(server, requests, op, size, shape, calls)
    # Without what the sampled calls took of the server: they are part of its time, a hundredth at most.
    row = watch.row(calls, seconds, client_cpu)
    with sampled(caller, op, size) as more:
        _, _, logged_data = h2load(server, requests, op, size, shape, logged, log)
    watch.check(calls + logged + made["of_size"] + more["of_size"])
    # A call that failed has no data; h2load itself takes it for a success.
    if data + logged_data != answer * (calls + logged):
        raise Invalid(f"{data + logged_data} bytes of answers; {calls + logged} of {answer} each were expected")
    server.calls += calls + logged
    ends = read_log(log)
    row["logged_rate"] = len(ends) / max(end for end, _ in ends)
    return row | percentiles(took for _, took in ends)


def measure_frames(server, caller, requests, tools, op, size, shape, calls, tls):
    """One round by bench/go/load, which looks at every answer; over mutual TLS if told to."""
    caller.call(op, requests.message(size))
    watch = Watch(server, size)
    method = "GenerateMac" if op == "generate" else "VerifyMac"
    command = [
        tools["load"], "-address", server.tls_target() if tls else server.target(), "-body", requests.body(op, size),
        "-path", "/hmacd.v1.MacService/" + method, "-connections", str(shape[0]), "-streams", str(shape[1]),
        "-calls", str(calls),
    ]
    if tls:
        command += ["-ca", server.file("ca.pem"), "-cert", server.file("client.pem"), "-key", server.file("client-key.pem")]
    with sampled(caller, op, size) as made:
        said, _ = usage_of(command)
    told = json.loads(said)
    watch.check(calls + made["of_size"])
    if op == "generate":
        answer = mac_service_pb2.GenerateMacResponse.FromString(bytes.fromhex(told["answer"])[5:])
        if answer.mac != requests.mac(requests.message(size)):
            raise Invalid("all answers have the same MAC, and it is wrong")
    server.calls += calls
    return watch.row(calls, told["seconds"], told["cpu"]) | {name: told[name] for name in ("p50", "p99", "p999")}


def measure_macs(server, requests, tools, module, kind, threads, size, seconds):
    """One round of the C loop, on a module in this process or through p11-kit."""
    environment = server.environment()
    environment["P11_KIT_SERVER_ADDRESS"] = "unix:path=" + server.socket
    watch = Watch(server, size) if server.process else None
    signed, failed = server.count.signed(size), server.count.failed()
    said, _ = usage_of(
        [
            tools["macs"], module, "hmacd-dev", server.file("pin"), KEY_LABEL, kind, str(threads), str(size), str(seconds),
        ],
        environment,
    )
    told = json.loads(said)
    counted = server.count.signed(size) - signed
    if module != tools["module"] and (counted != told["signed"] or server.count.failed() != failed):
        raise Invalid(f"the token made {counted} MACs, the loop had {told['signed']}")
    if bytes.fromhex(told["mac"]) != requests.mac(requests.message(size)):
        raise Invalid("all MACs are the same, and wrong")
    row = {"calls": told["calls"], "seconds": told["seconds"], "rate": told["calls"] / told["seconds"]}
    row["client_us"] = 1e6 * told["cpu"] / told["calls"]
    if watch:
        # The process that served this loop ends with its connection; its time is known when it was waited for.
        time.sleep(0.1)
        row["server_us"] = watch.row(told["calls"], told["seconds"], told["cpu"])["server_us"]
    return row | {name: told[name] for name in ("p50", "p99", "p999")}
