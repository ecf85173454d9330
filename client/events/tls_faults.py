"""The faults of TLS. Each must give its own error, with a cause of rule 8 of BEHAVIOR.md.

Each function gets the world and the callers, and returns the error of the first call of each caller.
"""

import contextlib
import socketserver
import ssl
import threading

from pki import Authority


class Peer(socketserver.ThreadingTCPServer):
    """A server on a loopback port that is no daemon: it answers over TLS or, without a context, in HTTP/1.1."""

    daemon_threads = True

    def __init__(self, context=None):
        super().__init__(("127.0.0.1", 0), _Answer)
        self.context = context
        self.target = f"localhost:{self.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class _Answer(socketserver.BaseRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError):
            if self.server.context:
                self.server.context.wrap_socket(self.request, server_side=True).close()
            elif self.request.recv(1):
                self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def daemon_of_another_authority(world, callers):
    world.daemon()
    return callers.first_errors(HMACD_CA=str(Authority(world.folder / "others").certificate))


def daemon_with_another_name(world, callers):
    world.daemon(certificate={"server_names": "DNS:other.example"})
    return callers.first_errors()


def daemon_certificate_ended(world, callers):
    """hmacd does not start with a certificate that has ended."""
    certificate, key = world.folder / "ended.pem", world.folder / "ended-key.pem"
    world.authority.issue("server", certificate, key, seconds=-60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    with Peer(context) as peer:
        return callers.first_errors(HMACD_TARGET=peer.target)


def client_of_another_authority(world, callers):
    world.daemon()
    Authority(world.folder / "others").issue("client", world.certificate, world.key)
    return callers.first_errors()


def client_certificate_ended(world, callers):
    """The constructor of the client refuses the certificate."""
    world.clients.issue("client", world.certificate, world.key, seconds=-60)
    return callers.first_errors(HMACD_TARGET="localhost:1")


def server_without_tls(_, callers):
    with Peer() as peer:
        return callers.first_errors(HMACD_TARGET=peer.target)


# The texts of the errors, as regular expressions.
FAULTS = {
    daemon_of_another_authority: r"TLS_FAILED: .*not trust.*",
    daemon_with_another_name: r"TLS_FAILED: .*(another name|not have the target's name).*",
    daemon_certificate_ended: r"TLS_FAILED: .*certificate.* (ended|expired).*",
    client_of_another_authority: r"TLS_FAILED: .*daemon refused the (client certificate|certificate of the client).*",
    client_certificate_ended: r".*certificate.* (ended|expired).*",
    server_without_tls: r"TLS_FAILED: .*(not speak TLS|without TLS).*",
}
