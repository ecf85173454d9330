"""Connects to hmacd with mutual TLS, and tells why it refused a call."""

import os
from pathlib import Path

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status


def credentials_from_env():
    """Whom to trust and who we are: the files that the file `env` of hmacd dev names."""
    return grpc.ssl_channel_credentials(
        root_certificates=Path(os.environ["HMACD_CA"]).read_bytes(),
        private_key=Path(os.environ["HMACD_KEY"]).read_bytes(),
        certificate_chain=Path(os.environ["HMACD_CERT"]).read_bytes(),
    )


def connect(target, credentials, timeout_seconds=5.0):
    """A connection that serves any number of threads at once: make one and keep it.

    A call without a `timeout` of its own has this one.
    """
    return grpc.intercept_channel(grpc.secure_channel(target, credentials), _Deadline(timeout_seconds))


class _Deadline(grpc.UnaryUnaryClientInterceptor):
    # Not grpc.service_config: a timeout that is set there ends up to a second early.

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
    """Why hmacd refused the call, as a name from error_reason.proto.

    None when the error is not hmacd's, for example when no connection was made.
    """
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        info = ErrorInfo()
        if detail.Unpack(info) and info.domain == "hmacd.dev":
            return info.reason
    return None
