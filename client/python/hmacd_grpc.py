"""Connects to hmacd with mutual TLS, and reads the reasons of errors."""

import os
from pathlib import Path

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status


def credentials_from_env():
    """Reads the authorities, the client's key and its certificate from the files in the environment of hmacd dev."""
    return grpc.ssl_channel_credentials(
        root_certificates=Path(os.environ["HMACD_CA"]).read_bytes(),
        private_key=Path(os.environ["HMACD_KEY"]).read_bytes(),
        certificate_chain=Path(os.environ["HMACD_CERT"]).read_bytes(),
    )


def connect(target, credentials, timeout_seconds=5.0):
    """Makes a channel. A channel is thread-safe: create one and share it.

    A call without its own `timeout` has the timeout `timeout_seconds`.
    """
    return grpc.intercept_channel(grpc.secure_channel(target, credentials), _Deadline(timeout_seconds))


class _Deadline(grpc.UnaryUnaryClientInterceptor):
    # Not grpc.service_config: a timeout in it ends calls up to a second early.

    def __init__(self, timeout_seconds):
        self._timeout_seconds = timeout_seconds

    def intercept_unary_unary(self, continuation, client_call_details, request):
        return continuation(_Details(client_call_details, self._timeout_seconds), request)


class _Details(grpc.ClientCallDetails):
    def __init__(self, details, timeout_seconds):
        self.method = details.method
        self.timeout = timeout_seconds if details.timeout is None else details.timeout
        self.metadata = details.metadata
        self.credentials = details.credentials
        self.wait_for_ready = details.wait_for_ready
        self.compression = details.compression


def reason(error):
    """Returns the reason of an error, a name in error_reason.proto.

    None if the error is not from hmacd, for example if the connection failed.
    """
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        info = ErrorInfo()
        if detail.Unpack(info) and info.domain == "hmacd.dev":
            return info.reason
    return None
