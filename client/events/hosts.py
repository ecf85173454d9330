"""Names of hosts for the callers only."""

import os
import pathlib
import subprocess


class NotPossible(Exception):
    """This machine does not allow what the event needs."""


class Hosts:
    """A file in the place of /etc/hosts, in a private mount namespace of each caller.

    `wrapper` is a command that runs the command after its own arguments with this file.
    """

    def __init__(self, path, name, address):
        """address: the first address of the name."""
        self._path = pathlib.Path(path)
        self._name = name
        self._path.write_text(self._text(address))
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        mount = f'mount --bind "{path}" /etc/hosts && exec "$@"'
        self.wrapper = ["unshare", *user, "--mount", "sh", "-c", mount, "sh"]
        try:
            subprocess.run([*self.wrapper, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as e:
            raise NotPossible from e

    def move(self, address):
        """Changes the address of the name. It has the same length as the first one, so the file is never incomplete."""
        with open(self._path, "r+") as file:
            file.write(self._text(address))

    def _text(self, address):
        return f"{address} {self._name}\n127.0.0.1 localhost\n"
