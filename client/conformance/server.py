"""A daemon that answers as a script says, or forwards requests to a real daemon and damages them on the way."""

import concurrent.futures
import hashlib
import hmac
import threading
import uuid

import google_crc32c
import grpc
from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from hmacd._stubs import key_service_pb2 as keys
from hmacd._stubs import mac_algorithm_pb2 as algorithms
from hmacd._stubs import mac_service_pb2 as macs

KEY = bytes(range(32))  # That of client/vectors.
KEY_ARN = "arn:aws:kms:us-east-1:000000000000:key/3f6a2f8e-0f4e-4c0e-9d7b-5d1f0a6b7c11"
ALGORITHMS = {
    name.removeprefix("MAC_ALGORITHM_"): number for name, number in algorithms.MacAlgorithm.items() if number
}
GENERATE, VERIFY = "/hmacd.v1.MacService/GenerateMac", "/hmacd.v1.MacService/VerifyMac"
DESCRIBE, HEALTH = "/hmacd.v1.KeyService/DescribeKey", "/grpc.health.v1.Health/Check"
REQUESTS = {GENERATE: macs.GenerateMacRequest, VERIFY: macs.VerifyMacRequest, DESCRIBE: keys.DescribeKeyRequest}
RESPONSES = {GENERATE: macs.GenerateMacResponse, VERIFY: macs.VerifyMacResponse, DESCRIBE: keys.DescribeKeyResponse}


class Server:
    """Serves on a Unix socket. `plan` sets the answers of the next attempts."""

    def __init__(self, path, daemon):
        """
        :param daemon: the channel to the real daemon
        """
        self.target = f"unix:{path}"
        self.daemon = daemon
        self._lock = threading.Lock()
        self._answers, self._then, self._attempts = [], right, []
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), handlers=[_Handlers(self)])
        self._server.add_insecure_port(self.target)
        self._server.start()

    def plan(self, answers, then):
        """The next attempts get `answers`, and all others `then`."""
        with self._lock:
            self._answers, self._then, self._attempts = list(answers), then, []

    @property
    def attempts(self):
        """The attempts since `plan`."""
        with self._lock:
            return list(self._attempts)

    def close(self):
        self._server.stop(None).wait()

    def handle(self, method, request, context):
        attempt = Attempt(method, request, context)
        with self._lock:
            answer = self._answers.pop(0) if self._answers else self._then
            self._attempts.append(attempt)
        return answer(self, attempt)


class Attempt:
    """A request that arrived."""

    def __init__(self, method, request, context):
        self.method, self.bytes, self.context = method, request, context
        self.seconds_left = context.time_remaining()
        self.user_agent = dict(context.invocation_metadata()).get("user-agent", "")
        self.request_id = ""
        """That of the answer; empty if the answer has none."""
        self.request = REQUESTS[method].FromString(request) if method in REQUESTS else None

    def identify(self, request_id=None, trailers=()):
        """Sets the trailers of the answer: the request id, and others."""
        self.request_id = request_id or str(uuid.uuid4())
        self.context.set_trailing_metadata((("x-request-id", self.request_id), *trailers))

    def checksums_fit(self):
        """Whether the request has the checksums of its fields."""
        return all(
            self.request.HasField(f"{field}_crc32c")
            and getattr(self.request, f"{field}_crc32c") == crc32c(getattr(self.request, field))
            for field in ("message", "mac")
            if field in self.request.DESCRIPTOR.fields_by_name
        )


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, server):
        self._server = server

    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._server.handle(details.method, request, context)
        )


def crc32c(data):
    return google_crc32c.value(bytes(data))


def mac_of(algorithm, message, key=KEY):
    """The MAC with an algorithm of the contract, by name or number."""
    names = {number: name for name, number in ALGORITHMS.items()}
    name = names.get(algorithm, algorithm)
    return hmac.digest(key, message, getattr(hashlib, "sha" + name.rpartition("_")[2]))


# --- Answers: each is a function of the server and the attempt, and returns the bytes of the response ---


def right(_, attempt):
    """As a daemon with KEY under each name. DescribeKey has one algorithm, HMAC_SHA_256."""
    return _right(attempt).SerializeToString()


def _right(attempt):
    attempt.identify()
    request = attempt.request
    if attempt.method == DESCRIBE:
        metadata = {"key_arn": KEY_ARN, "mac_algorithms": [ALGORITHMS["HMAC_SHA_256"]]}
        return keys.DescribeKeyResponse(key_metadata=metadata)
    mac = mac_of(request.mac_algorithm, request.message)
    common = {"key_id": KEY_ARN, "mac_algorithm": request.mac_algorithm, "key_version": 1}
    common["verified_message_crc32c"] = True
    if attempt.method == GENERATE:
        return macs.GenerateMacResponse(mac=mac, mac_crc32c=crc32c(mac), **common)
    if not hmac.compare_digest(mac, request.mac):
        refuse("KMS_INVALID_MAC", grpc.StatusCode.INVALID_ARGUMENT)(None, attempt)
    return macs.VerifyMacResponse(mac_valid=True, verified_mac_crc32c=True, **common)


def refuse(
    reason, code, *, delay=None, forbidden=False, metadata=None, text="refused by the script", domain="hmacd.dev"
):
    """An error as the daemon sends it.

    :param reason: of ErrorInfo; None for no ErrorInfo
    :param delay: milliseconds of RetryInfo; None for no RetryInfo
    :param forbidden: whether `grpc-retry-pushback-ms` forbids a retry
    """

    def answer(_, attempt):
        status = Status(code=code.value[0], message=text)
        if reason is not None:
            _add(status, ErrorInfo(reason=reason, domain=domain, metadata=metadata))
        if delay is not None:
            retry = RetryInfo()
            retry.retry_delay.FromMilliseconds(delay)
            _add(status, retry)
        trailers = [("grpc-status-details-bin", status.SerializeToString())] if status.details else []
        if forbidden:
            trailers.append(("grpc-retry-pushback-ms", "-1"))
        attempt.identify(trailers=trailers)
        attempt.context.abort(code, text)

    return answer


def _add(status, detail):
    packed = Any()
    packed.Pack(detail)
    status.details.append(packed)


def changed(change):
    """The right response, after `change`."""

    def answer(_, attempt):
        response = _right(attempt)
        change(response)
        return response.SerializeToString()

    return answer


def raw(response):
    """Bytes that need not be a message of the contract."""
    return lambda _, attempt: response


def hang(_, attempt):
    """No answer until the attempt ends."""
    ended = threading.Event()
    if attempt.context.add_callback(ended.set):
        ended.wait()
    return b""


def forward(request_damage=None, response_damage=None):
    """The answer of the real daemon. The damages change the messages on the way."""

    def answer(server, attempt):
        request = _damaged(REQUESTS[attempt.method], attempt.bytes, request_damage)
        try:
            response, call = server.daemon.unary_unary(attempt.method).with_call(
                request, timeout=attempt.context.time_remaining()
            )
        except grpc.RpcError as error:
            trailers = dict(error.trailing_metadata())
            attempt.identify(trailers.pop("x-request-id"), trailers.items())
            attempt.context.abort(error.code(), error.details())
        attempt.identify(dict(call.trailing_metadata())["x-request-id"])
        return _damaged(RESPONSES[attempt.method], response, response_damage)

    return answer


def _damaged(kind, encoded, damage):
    if damage is None:
        return encoded
    message = kind.FromString(encoded)
    damage(message)
    return message.SerializeToString()
