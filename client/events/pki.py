"""Certificates of the events, made with openssl: authorities, daemons and clients."""

import datetime
import pathlib
import subprocess

CONFIG = """
[ca]
default_ca = this
[this]
database = {folder}/index.txt
new_certs_dir = {folder}
serial = {folder}/serial
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = {server_names}
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectAltName = URI:spiffe://dev.hmacd/client
"""

DAEMON_NAMES = "DNS:localhost, IP:127.0.0.1"
DAY = 24 * 3600


class Authority:
    """A certificate authority in a folder of its own. `certificate` is the path of its certificate."""

    def __init__(self, folder):
        self._folder = pathlib.Path(folder)
        self._folder.mkdir(mode=0o700)
        self.certificate = self._folder / "ca.pem"
        self._key = self._folder / "ca-key.pem"
        (self._folder / "index.txt").write_text("")
        (self._folder / "serial").write_text("1000\n")
        openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self._key,
            "-out", self.certificate, "-days", "1", "-subj", f"/CN=events {self._folder.name}",
        )  # fmt: skip

    def issue(self, kind, certificate, key, seconds=DAY, server_names=DAEMON_NAMES):
        """Writes a certificate and its new private key, both by renaming a complete file.

        kind: server or client. seconds: the time until the certificate ends; negative if it has ended.
        """
        (self._folder / "openssl.cnf").write_text(CONFIG.format(folder=self._folder, server_names=server_names))
        request, made, new_key = (self._folder / name for name in ("request.pem", "made.pem", "key.pem"))
        openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", new_key, "-out", request,
            "-subj", f"/CN=events {kind}",
        )  # fmt: skip
        now = datetime.datetime.now(datetime.UTC)
        openssl(
            "ca", "-batch", "-notext", "-config", self._folder / "openssl.cnf", "-cert", self.certificate, "-keyfile",
            self._key, "-in", request, "-out", made, "-extensions", kind,
            "-startdate", time(now - datetime.timedelta(days=2)), "-enddate", time(now + datetime.timedelta(seconds=seconds)),
        )  # fmt: skip
        new_key.replace(key)
        made.replace(certificate)


def bundle(path, *authorities):
    """Writes the certificates of several authorities to one file."""
    new = pathlib.Path(f"{path}.new")
    new.write_text("".join(each.certificate.read_text() for each in authorities))
    new.replace(path)


def time(moment):
    return moment.strftime("%Y%m%d%H%M%SZ")


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]} failed: {done.stderr[-500:]}")
