"""What both clients have: settings, certificates, and the state of the rules."""

from __future__ import annotations

import os
import random
import threading
import time
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from hmacd import _doctor, _fork
from hmacd._attempts import Rules
from hmacd._budget import Budget
from hmacd._certificates import Pem, Renewal, watch
from hmacd._picker import Picker
from hmacd._settings import PathArgument, Settings, from_environment, seconds
from hmacd._telemetry import Telemetry

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer


class BaseClient:
    """The constructor and the state of both clients."""

    def __init__(
        self,
        targets: str | Iterable[str],
        *,
        ca: PathArgument | None = None,
        certificate: PathArgument | None = None,
        private_key: PathArgument | None = None,
        timeout: float = 5.0,
        attempt_timeout: float = 1.0,
        max_message_bytes: int = 65_536,
        file_interval: float = 2.0,
        tracer: Tracer | None = None,
        meter: Meter | None = None,
    ) -> None:
        """Checks the settings and reads the PEM files. Does not connect.

        :param targets: 1 to 16 daemons, each `host:port` or `unix:/absolute/path`
        :param ca: path of the authorities of the daemons; required for `host:port`
        :param certificate: path of the client certificate; required for `host:port`
        :param private_key: path of its key (PKCS#8, PKCS#1 or SEC1); required for `host:port`
        :param timeout: deadline of a call, in seconds
        :param attempt_timeout: limit of one attempt while another target is usable, in seconds
        :param max_message_bytes: maximum length of a message, 1 to 1,048,576; the daemon has its
            own maximum
        :param file_interval: period of the check of the PEM files, 1 to 5 seconds
        :param tracer: gets a span of each call
        :param meter: gets the histogram `rpc.client.duration`
        :raises TypeError: if a setting is unknown or has a wrong type
        :raises ValueError: if a value is out of range
        :raises CertificateError: if a PEM file cannot be used (a `ValueError`)
        """
        self._settings = Settings.of(
            targets,
            ca=ca,
            certificate=certificate,
            private_key=private_key,
            timeout=timeout,
            attempt_timeout=attempt_timeout,
            max_message_bytes=max_message_bytes,
            file_interval=file_interval,
        )
        files = self._settings.files
        self._renewal = Renewal(files) if files else None
        self._telemetry = Telemetry(tracer, meter)
        self._rules = Rules(
            targets=tuple(target.name for target in self._settings.targets),
            attempt_timeout=self._settings.attempt_timeout,
            picker=Picker(len(self._settings.targets), random.random),
            budget=Budget(),
            clock=time.monotonic,
            random=random.random,
        )
        self._stop = threading.Event()
        weakref.finalize(self, self._stop.set)  # For a client that is not closed.
        self._watching = False
        self._generation = -1  # That of the process in which `_begin` has ended.
        self._lock = threading.Lock()
        self._prepare()

    def _prepare(self) -> None:
        """Creates the state of the subclass."""
        raise NotImplementedError

    @classmethod
    def from_env(cls, **settings: Any) -> Self:
        """A client with the targets and files in HMACD_TARGET, HMACD_CA, HMACD_CERT and HMACD_KEY.

        HMACD_TARGET has targets separated by commas.

        :param settings: arguments of the constructor; they replace those of the environment
        """
        return cls(**from_environment(os.environ) | settings)

    def _begin(self) -> None:
        """Prepares this process for a call. Nothing is shared with a parent process before."""
        _fork.check()
        with self._lock:
            if self._renewal is not None and not self._watching:
                self._watching = True
                watch(self._renewal, self._settings.file_interval, self._stop)
            self._generation = _fork.generation

    def _deadline(self, timeout: float | None) -> float:
        """The deadline of a call that begins now: the earlier one of caller and settings."""
        limit = self._settings.timeout
        if timeout is not None:
            limit = min(limit, seconds("timeout", timeout, least=0))
        return self._rules.clock() + limit

    @property
    def _pem(self) -> Pem | None:
        return self._renewal.current if self._renewal is not None else None

    def _diagnose(self) -> list[str]:
        return _doctor.diagnose(self._settings, self._renewal)
