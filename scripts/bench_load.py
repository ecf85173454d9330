"""The load generators of scripts/bench, and the checks that a run is valid."""

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
    """An invalid run."""


class Requests:
    """The requests of the load generators, and the expected MACs."""

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
        """Returns the path of a file with the request as a gRPC message frame."""
        path = os.path.join(self._folder, f"{op}-{size}")
        if not os.path.exists(path):
            request = self.request(op, self.message(size)).SerializeToString()
            with open(path, "wb") as file:
                file.write(struct.pack(">BI", 0, len(request)) + request)
        return path


class Caller:
    """A client that has the key: it compares each answer with the MAC of hashlib."""

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
        """Returns the number of bytes of the answer, with gRPC's frame."""
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
    """Makes a call every SAMPLE_EVERY seconds during a load. Yields the number of calls with messages of `size` bytes."""
    made = {"calls": 0, "of_size": 0}
    failure = []
    stop = threading.Event()

    def run():
        try:
            while not stop.wait(SAMPLE_EVERY):
                # Alternates between the message of the load and a new random message of another length.
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
    """Runs a command. Returns its output and its processor time in seconds."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Invalid(f"{os.path.basename(command[0])} exited with status {process.returncode}: {output[-500:]}")
    return output, usage.ru_utime + usage.ru_stime


UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def h2load(server, requests, op, size, shape, calls, log=None):
    """Returns (seconds, processor seconds of the client, bytes of answers)."""
    connections, streams = shape
    method = "GenerateMac" if op == "generate" else "VerifyMac"
    output, cpu = usage_of(
        [
            "h2load", "-n", str(calls), "-c", str(connections), "-m", str(streams), "-t", "1", "-B", server.target(),
            "-d", requests.body(op, size), "-H", "content-type: application/grpc", "-H", "te: trailers",
            *([f"--log-file={log}"] if log else []), f"http://localhost/hmacd.v1.MacService/{method}",
        ]
    )
    done = re.search(r"requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, 0 failed, 0 errored", output)
    if done is None or int(done.group(1)) != calls:
        raise Invalid("h2load: " + "; ".join(line for line in output.splitlines() if line.startswith("requests")))
    finished = re.search(r"finished in ([\d.]+)(us|ms|s),", output)
    data = re.search(r"\((\d+)\) data", output)
    return float(finished.group(1)) * UNITS[finished.group(2)], cpu, int(data.group(1))


def read_log(path):
    """Reads the log of h2load: (end, microseconds) of each request. An end is in seconds since the first request."""
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
    """Measures the processor time of a run, and checks the count of the token."""

    def __init__(self, server, size):
        self._server, self._size = server, size
        self._cpu, self._all, self._start = server.cpu(), machine_cpu(), time.monotonic()
        self._signed, self._failed = server.count.signed(size), server.count.failed()

    def check(self, expected):
        signed, failed = self._server.count.signed(self._size) - self._signed, self._server.count.failed() - self._failed
        if self._server.counts and (signed != expected or failed):
            raise Invalid(f"the token computed {signed} MACs for {expected} requests, and {failed} calls failed")

    def row(self, calls, seconds, client_cpu):
        server_cpu = self._server.cpu() - self._cpu
        # The process of the load generator runs slightly longer than the load.
        others = machine_cpu() - self._all - server_cpu - client_cpu
        return {
            "calls": calls, "seconds": seconds, "rate": calls / seconds, "server_us": 1e6 * server_cpu / calls,
            "client_us": 1e6 * client_cpu / calls, "rss_mb": self._server.rss_mb(),
            "others": max(0.0, others / (CPUS * (time.monotonic() - self._start))),
        }


def measure(server, caller, requests, op, size, shape, calls, log):
    """One round with h2load: rate and processor time of a run without a log, then percentiles of a run with a log."""
    answer = caller.call(op, requests.message(size))
    logged = max(shape[0] * shape[1] * 4, calls // 3)
    watch = Watch(server, size)
    with sampled(caller, op, size) as made:
        seconds, client_cpu, data = h2load(server, requests, op, size, shape, calls)
    # The sampled calls are not in `calls`, but in the processor time of the server: at most a hundredth of it.
    row = watch.row(calls, seconds, client_cpu)
    with sampled(caller, op, size) as more:
        _, _, logged_data = h2load(server, requests, op, size, shape, logged, log)
    watch.check(calls + logged + made["of_size"] + more["of_size"])
    # A failed call has no data. h2load alone counts it as a success.
    if data + logged_data != answer * (calls + logged):
        raise Invalid(f"{data + logged_data} bytes of answers; expected {calls + logged} answers of {answer} bytes")
    server.calls += calls + logged
    ends = read_log(log)
    row["logged_rate"] = len(ends) / max(end for end, _ in ends)
    return row | percentiles(took for _, took in ends)


def measure_frames(server, caller, requests, tools, op, size, shape, calls, tls):
    """One round with bench/go/load, which checks every answer. With `tls`, over mutual TLS."""
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
        output, _ = usage_of(command)
    result = json.loads(output)
    watch.check(calls + made["of_size"])
    if op == "generate":
        answer = mac_service_pb2.GenerateMacResponse.FromString(bytes.fromhex(result["answer"])[5:])
        if answer.mac != requests.mac(requests.message(size)):
            raise Invalid("all answers have the same MAC, and it is wrong")
    server.calls += calls
    return watch.row(calls, result["seconds"], result["cpu"]) | {name: result[name] for name in ("p50", "p99", "p999")}


def measure_macs(server, requests, tools, module, kind, threads, size, seconds):
    """One round of the C loop, with a module in its process or through p11-kit."""
    environment = server.environment()
    environment["P11_KIT_SERVER_ADDRESS"] = "unix:path=" + server.socket
    watch = Watch(server, size) if server.process else None
    signed, failed = server.count.signed(size), server.count.failed()
    output, _ = usage_of(
        [
            tools["macs"], module, "hmacd-dev", server.file("pin"), KEY_LABEL, kind, str(threads), str(size), str(seconds),
        ],
        environment,
    )
    result = json.loads(output)
    counted = server.count.signed(size) - signed
    if module != tools["module"] and (counted != result["signed"] or server.count.failed() != failed):
        raise Invalid(f"the token computed {counted} MACs, but the loop got {result['signed']}")
    if bytes.fromhex(result["mac"]) != requests.mac(requests.message(size)):
        raise Invalid("all MACs are the same, and wrong")
    row = {"calls": result["calls"], "seconds": result["seconds"], "rate": result["calls"] / result["seconds"]}
    row["client_us"] = 1e6 * result["cpu"] / result["calls"]
    if watch:
        # The p11-kit process of this loop ends with its connection. The parent process then has the processor time of
        # the p11-kit process.
        time.sleep(0.1)
        row["server_us"] = watch.row(result["calls"], result["seconds"], result["cpu"])["server_us"]
    return row | {name: result[name] for name in ("p50", "p99", "p999")}
