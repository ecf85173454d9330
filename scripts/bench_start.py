"""The measurement of scripts/bench-start: FOLDER HMACD HMACCTL VENV_BIN RUNS."""

import base64
import json
import os
import re
import signal
import socket
import statistics
import struct
import shutil
import subprocess
import sys
import time
import urllib.request

import grpc
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hmacd.v1 import key_service_pb2, key_service_pb2_grpc, mac_service_pb2, mac_service_pb2_grpc

FOLDER, HMACD, HMACCTL, VENV_BIN, RUNS = sys.argv[1:5] + [int(sys.argv[5])]
SOCKET = FOLDER + "/hmacd.sock"
LIMIT = 30
CALLS = 400_000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(connect, process):
    """Tries to connect every two milliseconds until the process listens."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        try:
            connect().close()
            return
        except OSError:
            if process.poll() is not None:
                sys.exit("a server ended before it listened")
            time.sleep(0.002)
    sys.exit("a server did not listen in time")


def unix():
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(SOCKET)
    except OSError:
        s.close()
        raise
    return s


def serve():
    if os.path.exists(SOCKET):
        os.unlink(SOCKET)
    return subprocess.Popen(
        [HMACD, "serve", "--config", FOLDER + "/hmacd.yaml"],
        stdout=subprocess.DEVNULL,
        stderr=open(FOLDER + "/serve.log", "w"),
    )


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.wait(LIMIT)


def macs(channel):
    return mac_service_pb2_grpc.MacServiceStub(channel)


def request(key):
    return mac_service_pb2.GenerateMacRequest(key_id=key, message=b"m" * 64, mac_algorithm=2)


def hmacd_first(key):
    start = time.perf_counter()
    process = serve()
    wait_for(unix, process)
    with grpc.insecure_channel("unix:" + SOCKET) as channel:
        macs(channel).GenerateMac(request(key), wait_for_ready=True, timeout=LIMIT)
        seconds = time.perf_counter() - start
    stop(process)
    return seconds


def kms(port, operation, body, environment):
    """Makes one call as an AWS client does."""
    call = AWSRequest(
        "POST",
        f"http://127.0.0.1:{port}/",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService." + operation},
    )
    credentials = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(credentials, "kms", environment["AWS_REGION"]).add_auth(call)
    signed = urllib.request.Request(call.url, data=call.data, headers=dict(call.headers))
    with urllib.request.urlopen(signed, timeout=LIMIT) as answer:
        return json.load(answer)


def create_and_mac(port, environment):
    made = kms(port, "CreateKey", {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}, environment)
    kms(
        port,
        "GenerateMac",
        {
            "KeyId": made["KeyMetadata"]["KeyId"],
            "Message": base64.b64encode(b"m" * 64).decode(),
            "MacAlgorithm": "HMAC_SHA_256",
        },
        environment,
    )


def dev_first():
    """Measures the start in a new folder: token, certificates, access keys, key, MAC."""
    folder = FOLDER + "/new"
    shutil.rmtree(folder, ignore_errors=True)
    start = time.perf_counter()
    process = subprocess.Popen(
        [HMACD, "dev", "--dir", folder],
        env=dict(os.environ, SOFTHSM2_CONF=""),  # Not the token of the other folder.
        stdout=subprocess.DEVNULL,
        stderr=open(FOLDER + "/dev.log", "w"),
    )
    end = time.monotonic() + LIMIT
    while not os.path.exists(folder + "/env"):
        if process.poll() is not None or time.monotonic() > end:
            sys.exit("hmacd dev did not start: " + open(FOLDER + "/dev.log").read())
        time.sleep(0.002)
    with open(folder + "/env") as env:
        environment = dict(
            line.removeprefix("export ").strip().replace("'", "").split("=", 1)
            for line in env if line.startswith("export ")
        )
    create_and_mac(environment["HMACD_AWS_ENDPOINT"].rsplit(":", 1)[1], environment)
    seconds = time.perf_counter() - start
    stop(process)
    return seconds


def moto_first():
    port = free_port()
    start = time.perf_counter()
    process = subprocess.Popen(
        [VENV_BIN + "/moto_server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(lambda: socket.create_connection(("127.0.0.1", port)), process)
    # moto stores no keys, so the run includes a CreateKey of a few milliseconds. moto does not check signatures.
    credentials = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
    create_and_mac(port, credentials)
    seconds = time.perf_counter() - start
    stop(process)
    return seconds


def whole(command, environment=None):
    start = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def resident_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
    raise ValueError("no VmRSS")


def compare(name, a, b):
    a, b = a[1:], b[1:]  # The first run of each warms the file cache.
    ratio = statistics.median(x / y for x, y in zip(a, b))
    print(
        f"{name}: median {statistics.median(a):.3f} s against {statistics.median(b):.3f} s,"
        f" ratio {ratio:.2f} (min {min(a):.3f} / {min(b):.3f}, {len(a)} pairs)",
        flush=True,
    )


def hmacctl_environment(process):
    """Returns the environment for hmacctl, with the address from the daemon's log."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        with open(FOLDER + "/serve.log") as log:
            for line in log:
                if "mutual TLS" in line:
                    address = re.search(r'address="/?([^"]+)"', line)[1]
                    return dict(
                        os.environ,
                        HMACD_TARGET=address,
                        HMACD_CA=FOLDER + "/ca.pem",
                        HMACD_CERT=FOLDER + "/client.pem",
                        HMACD_KEY=FOLDER + "/client-key.pem",
                    )
        time.sleep(0.01)
    sys.exit("the daemon's log has no TLS port")


def main():
    process = serve()
    wait_for(unix, process)
    with grpc.insecure_channel("unix:" + SOCKET) as channel:
        made = key_service_pb2_grpc.KeyServiceStub(channel).CreateKey(
            key_service_pb2.CreateKeyRequest(key_spec=2), wait_for_ready=True, timeout=LIMIT
        )
    key = made.key_metadata.key_id
    stop(process)

    ours, new, theirs = [], [], []
    for _ in range(RUNS + 1):
        ours.append(hmacd_first(key))
        new.append(dev_first())
        theirs.append(moto_first())
    compare("first MAC: hmacd serve against moto_server", ours, theirs)
    compare("first key and MAC from an empty folder: hmacd dev against moto_server", new, theirs)

    process = serve()
    wait_for(unix, process)
    environment = hmacctl_environment(process)
    call = [HMACCTL, "generate-mac", "--key-id", key, "--mac-algorithm", "HMAC_SHA_256", "--message", "m"]
    ours, theirs = [], []
    for _ in range(RUNS + 1):
        ours.append(whole(call, environment))
        theirs.append(whole([VENV_BIN + "/aws", "--version"]))
    compare("whole process: hmacctl generate-mac against aws --version", ours, theirs)

    body = request(key).SerializeToString()
    with open(FOLDER + "/body", "wb") as file:
        file.write(struct.pack(">BI", 0, len(body)) + body)
    report = subprocess.run(
        [
            "h2load", "-n", str(CALLS), "-c", "4", "-m", "16", "-t", "1", "-B", "unix:" + SOCKET, "-d", FOLDER + "/body",
            "-H", "content-type: application/grpc", "-H", "te: trailers",
            "http://localhost/hmacd.v1.MacService/GenerateMac",
        ],
        check=True, capture_output=True, text=True,
    ).stdout
    rate = next(line for line in report.splitlines() if line.startswith("finished"))
    print(f"after {CALLS} calls ({rate.strip()}): resident {resident_mib(process.pid):.0f} MiB")
    with grpc.insecure_channel("unix:" + SOCKET) as channel:
        macs(channel).GenerateMac(request(key), timeout=LIMIT)
    stop(process)


if __name__ == "__main__":
    main()
