"""The world of one event: its daemons, its authorities and the files of the caller."""

import os
import pathlib
import subprocess

from daemon import Daemon
from pki import Authority, bundle


class World:
    """Daemons with one key, an authority for them and an authority for the clients, and the files of the caller."""

    def __init__(self, binary, made, module, faults, scratch):
        """The arguments are those of events.py."""
        self._binary, self._made, self._module = binary, made, module
        self._faults = pathlib.Path(faults)
        self.folder = pathlib.Path(scratch)
        self.folder.mkdir(parents=True)
        self.authority = Authority(self.folder / "daemons")
        self.clients = Authority(self.folder / "clients")
        self.ca, self.certificate, self.key = (self.folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
        bundle(self.ca, self.authority)
        self.clients.issue("client", self.certificate, self.key)
        self.daemons = []

    def daemon(self, module=None, certificate=None, **settings):
        """Starts one more daemon.

        module: another PKCS#11 module. certificate: arguments of Authority.issue. settings: arguments of Daemon.
        """
        folder = self.folder / f"daemon-{len(self.daemons)}"
        daemon = Daemon(self._binary, self._made, folder, module or self._module, **settings)
        self.authority.issue("server", daemon.file("server.pem"), daemon.file("server-key.pem"), **(certificate or {}))
        bundle(daemon.file("client-ca.pem"), self.clients)
        self.daemons.append(daemon)
        daemon.start()
        return daemon

    @property
    def slow_module(self):
        """The PKCS#11 module of one daemon whose token `delay_macs` delays."""
        return self._faults / "libhmacd-fault.so"

    def delay_macs(self, seconds):
        """Delays each MAC of the token of the daemon with the slow module."""
        command = ["delay", "C_Sign", str(round(seconds * 1e6))]
        subprocess.run([self._faults / "drill", self._faults / "control", *command], check=True, capture_output=True)

    def environment(self):
        return dict(
            os.environ, HMACD_TARGET=",".join(each.target for each in self.daemons), HMACD_CA=str(self.ca),
            HMACD_CERT=str(self.certificate), HMACD_KEY=str(self.key),
        )  # fmt: skip

    def close(self):
        for daemon in self.daemons:
            daemon.stop()
