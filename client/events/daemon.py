"""The daemons of the events: each is a process with a copy of one folder, so all have the same key."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

LIMIT = 60  # Seconds.

CONFIGURATION = """
grpc:
  listen: {host}:{port}
  tls: {{certificate: server.pem, private_key: server-key.pem, client_ca: client-ca.pem}}
  limits: {{{limits}}}
token: {{module: '{module}', label: hmacd-dev, pin_file: pin, {token}}}
registry: {{path: registry.db}}
arn: {{region: us-east-1, account: "000000000000"}}
access:
  rules:
    - principals: ['spiffe://dev.hmacd/client']
      actions: ["*"]
      keys: ["*"]
"""


class Daemon:
    """A daemon on a fixed port of a loopback address, so that it comes back at the same address.

    port: without it, a free port. limits: the content of grpc.limits. token: more settings of the token.
    """

    def __init__(self, binary, made, folder, module, *, host="127.0.0.1", port=None, limits="", token=""):
        self._binary = binary
        self.folder = pathlib.Path(folder)
        shutil.copytree(made, self.folder, ignore=shutil.ignore_patterns("*.sock", "*.lock", "env", "*.log"))
        self.folder.chmod(0o700)
        self._replace("softhsm2.conf", str(made), str(self.folder))
        self.host = host
        self.port = port or free_port()
        (self.folder / "hmacd.yaml").write_text(
            CONFIGURATION.format(host=host, port=self.port, module=module, limits=limits, token=token)
        )
        self._environment = dict(os.environ, SOFTHSM2_CONF=str(self.folder / "softhsm2.conf"))
        self._process = None

    def _replace(self, name, old, new):
        path = self.folder / name
        path.write_text(path.read_text().replace(old, new))

    @property
    def target(self):
        return f"localhost:{self.port}"

    def file(self, name):
        return self.folder / name

    def start(self):
        with open(self.folder / "log", "a") as log:
            self._process = subprocess.Popen(
                [self._binary, "serve", "--config", str(self.folder / "hmacd.yaml")],
                env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        end = time.monotonic() + LIMIT
        while not self.listens():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the daemon did not start: {(self.folder / 'log').read_text()[-1000:]}")
            time.sleep(0.02)

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0

    def send(self, number):
        """Sends a signal to the process."""
        self._process.send_signal(number)

    def kill(self):
        self.send(signal.SIGKILL)
        self._process.wait(LIMIT)

    def stop(self):
        """Ends the process in any state."""
        if self._process is None or self._process.poll() is not None:
            return
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            self._process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
