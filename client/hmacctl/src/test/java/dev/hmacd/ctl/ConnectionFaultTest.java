package dev.hmacd.ctl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.client.FakeDaemon;
import dev.hmacd.client.RawServer;
import dev.hmacd.client.TestPki;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Faults of files and connections: the exit code, the error and the hint. A fault of a file ends
/// with 2, of an identity with 3, of the way to the daemon with 6.
@Timeout(60)
class ConnectionFaultTest {
  private static final TestPki CLIENT = TestPki.client();

  private final Path folder;

  ConnectionFaultTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /// Calls a daemon over TLS. The error never has a message of OpenSSL, a dump or a stack trace.
  private static Ctl.Result call(String target, Path ca, Path cert, Path key) {
    return checked(
        Ctl.run(
            Map.of(
                "HMACD_TARGET", target,
                "HMACD_CA", ca.toString(),
                "HMACD_CERT", cert.toString(),
                "HMACD_KEY", key.toString()),
            "health")); // Not retried.
  }

  private static Ctl.Result call(String target) {
    return call(target, CLIENT.ca(), CLIENT.cert(), CLIENT.key());
  }

  private static Ctl.Result checked(Ctl.Result result) {
    assertThat(result.out()).isEmpty();
    assertThat(result.err())
        .startsWith("hmacctl: ")
        .doesNotContain("OPENSSL", "Pipeline", "Exception", "\tat ")
        .doesNotContainPattern("[0-9a-f]{40}");
    return result;
  }

  private static void assertFailed(Ctl.Result result, int exitCode, String reason, String hint) {
    assertThat(result.exitCode()).as(result.err()).isEqualTo(exitCode);
    assertThat(result.err())
        .startsWith("hmacctl: " + reason + ": ")
        .contains("\nhint: ")
        .contains(hint)
        .hasLineCount(2);
  }

  @Test
  void daemonOfAnotherAuthorityIsAFaultOfIdentity() {
    try (var daemon = FakeDaemon.overTls(TestPki.daemon("localhost"))) {
      assertFailed(
          call(daemon.target(), TestPki.stranger().ca(), CLIENT.cert(), CLIENT.key()),
          3,
          "TLS_FAILED",
          "--ca");
    }
  }

  @Test
  void daemonWithAnotherNameIsAFaultOfIdentity() {
    try (var daemon = FakeDaemon.overTls(TestPki.daemon("elsewhere.example"))) {
      assertFailed(call(daemon.target()), 3, "TLS_FAILED", "--target");
    }
  }

  @Test
  void expiredCertificateOfTheDaemonIsAFaultOfIdentity() {
    try (var daemon = FakeDaemon.overTls(TestPki.expiredDaemon())) {
      assertFailed(call(daemon.target()), 3, "TLS_FAILED", "renew");
    }
  }

  @Test
  void refusedCertificateOfTheClientIsAFaultOfIdentity() {
    try (var daemon = FakeDaemon.overTls(TestPki.daemon("localhost"))) {
      TestPki client = TestPki.stranger();
      Ctl.Result result;
      do { // A reset of the connection can discard the alert.
        result = call(daemon.target(), CLIENT.ca(), client.cert(), client.key());
      } while (result.exitCode() == 6);
      assertFailed(result, 3, "TLS_FAILED", "--cert");
      assertThat(daemon.calls()).isEmpty();
    }
  }

  @Test
  void filesThatDoNotFitAreAFaultOfTheCommandLine() throws IOException {
    TestPki other = TestPki.client();
    Path encrypted =
        Files.writeString(
            folder.resolve("encrypted.pem"),
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    Ctl.Result mismatch = call("127.0.0.1:1", CLIENT.ca(), CLIENT.cert(), other.key());
    assertThat(mismatch.exitCode()).isEqualTo(2);
    assertThat(mismatch.err())
        .isEqualTo(
            "hmacctl: "
                + other.key()
                + " is not the private key of the certificate in "
                + CLIENT.cert()
                + "; use the key of this certificate\n");
    Ctl.Result exchanged = call("127.0.0.1:1", CLIENT.ca(), CLIENT.key(), CLIENT.cert());
    assertThat(exchanged.exitCode()).isEqualTo(2);
    assertThat(exchanged.err())
        .isEqualTo(
            "hmacctl: "
                + CLIENT.key()
                + " has a private key (BEGIN PRIVATE KEY), no certificate (BEGIN CERTIFICATE);"
                + " exchange the files of the certificate and the key\n");
    Ctl.Result unconverted = call("127.0.0.1:1", CLIENT.ca(), CLIENT.cert(), encrypted);
    assertThat(unconverted.exitCode()).isEqualTo(2);
    assertThat(unconverted.err())
        .contains("encrypted key")
        .contains("openssl pkcs8 -topk8 -nocrypt -in " + encrypted + " -out NEW");
    TestPki ended = TestPki.expiredClient();
    Ctl.Result expired = call("127.0.0.1:1", ended.ca(), ended.cert(), ended.key());
    assertThat(expired.exitCode()).isEqualTo(2);
    assertThat(expired.err()).contains("has a certificate that expired at ");
    Ctl.Result absent = call("127.0.0.1:1", CLIENT.ca(), CLIENT.cert(), folder.resolve("none"));
    assertThat(absent.exitCode()).isEqualTo(2);
    assertThat(absent.err())
        .isEqualTo("hmacctl: cannot read " + folder.resolve("none") + ": no such file\n");
  }

  @Test
  void portWithoutTlsIsNotTheDaemon() {
    try (var http = RawServer.overTcp(RawServer.BAD_REQUEST)) {
      assertFailed(call(http.target()), 6, "TLS_FAILED", "grpc.listen");
    }
  }

  @Test
  void socketOfAnotherServerIsNotTheDaemon() {
    Path socket = folder.resolve("http.sock");
    try (var http = RawServer.overUnixSocket(socket, RawServer.BAD_REQUEST)) {
      Ctl.Result result = checked(Ctl.run(Map.of(), "health", "--target", http.target()));
      assertFailed(result, 6, "CONNECTION_FAILED", "grpc.unix_socket");
    }
  }

  @Test
  void refusedConnectionAndAbsentSocketAreUnreachable() throws IOException {
    assertFailed(call(nobody()), 6, "CONNECTION_FAILED", "running");
    Path socket = folder.resolve("none.sock");
    Ctl.Result absent = checked(Ctl.run(Map.of(), "health", "--socket", socket.toString()));
    assertFailed(absent, 6, "CONNECTION_FAILED", "--socket");
    assertThat(absent.err()).contains("no connection: ");
  }

  @Test
  void unknownHostIsUnreachable() {
    assertFailed(call("hmacd.invalid:1"), 6, "CONNECTION_FAILED", "--target");
  }

  /// An address without a listener.
  private static String nobody() throws IOException {
    try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return "127.0.0.1:" + socket.getLocalPort();
    }
  }
}
