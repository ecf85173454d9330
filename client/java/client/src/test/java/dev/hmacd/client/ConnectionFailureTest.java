package dev.hmacd.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.grpc.Status;
import java.io.IOException;
import java.net.ConnectException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The reason and the text of a fault of the connection, over real connections where possible.
@Timeout(60)
class ConnectionFailureTest {
  private static final TestPki CLIENT = TestPki.client();

  private static HmacdException failure(String target, TestPki pki) {
    return failure(target, pki.ca(), pki.cert(), pki.key());
  }

  /// The failure of a call that is not retried. Its text never has a message of OpenSSL or a dump.
  private static HmacdException failure(String target, Path ca, Path cert, Path key) {
    try (var client = HmacdClient.builder().target(target).tls(ca, cert, key).build()) {
      return failure(client);
    }
  }

  private static HmacdException failure(HmacdClient client) {
    var failure = catchThrowableOfType(HmacdException.class, () -> client.health(""));
    assertThat(failure.getMessage())
        .startsWith(failure.reason() + ": ")
        .doesNotContain("OPENSSL", "Pipeline", "exception")
        .doesNotContainPattern("[0-9a-f]{40}")
        .hasLineCount(1);
    return failure;
  }

  private static void assertFault(HmacdException failure, TlsFault fault) {
    assertThat(failure.reason()).isEqualTo(ErrorReason.TLS_FAILED);
    assertThat(failure.retryable()).isFalse();
    assertThat(failure.mayHaveRun()).isFalse();
    assertThat(((TlsFailedException) failure).fault()).isEqualTo(fault);
  }

  private static ConnectionFailure unreachable(String text) {
    return new ConnectionFailure(ErrorReason.CONNECTION_FAILED, text, true, /* tlsFault= */ null);
  }

  @Test
  void certificateOfAnotherAuthorityIsNotTrusted() {
    try (var daemon = FakeDaemon.overTls(TestPki.daemon("localhost"))) {
      HmacdException failure =
          failure(daemon.target(), TestPki.stranger().ca(), CLIENT.cert(), CLIENT.key());
      assertFault(failure, TlsFault.DAEMON_NOT_TRUSTED);
      assertThat(daemon.calls()).isEmpty();
    }
  }

  @Test
  void certificateWithAnotherNameIsRefused() {
    try (var daemon = FakeDaemon.overTls(TestPki.daemon("elsewhere.example"))) {
      HmacdException failure = failure(daemon.target(), CLIENT);
      assertFault(failure, TlsFault.DAEMON_NAME_MISMATCH);
      assertThat(failure).hasMessageContaining("127.0.0.1");
    }
  }

  @Test
  void expiredCertificateOfTheDaemonIsRefused() {
    try (var daemon = FakeDaemon.overTls(TestPki.expiredDaemon())) {
      HmacdException failure = failure(daemon.target(), CLIENT);
      assertFault(failure, TlsFault.DAEMON_CERTIFICATE_NOT_VALID);
      assertThat(failure).hasMessageContaining("NotAfter");
    }
  }

  @Test
  void expiredAuthorityOfTheDaemonIsRefused(@TempDir Path folder) throws IOException {
    TestPki pki = TestPki.daemonOfAnExpiredAuthority();
    try (var daemon = FakeDaemon.overTls(new TestPki(CLIENT.ca(), pki.cert(), pki.key()))) {
      HmacdException failure = failure(daemon.target(), pki.ca(), CLIENT.cert(), CLIENT.key());
      assertFault(failure, TlsFault.DAEMON_CERTIFICATE_NOT_VALID);
      assertThat(failure).hasMessageContaining("NotAfter");
      Path both = concatenation(folder.resolve("both.pem"), CLIENT.ca(), pki.ca());
      assertFault(
          failure(daemon.target(), both, CLIENT.cert(), CLIENT.key()),
          TlsFault.DAEMON_CERTIFICATE_NOT_VALID);
      assertThat(daemon.calls()).isEmpty();
    }
  }

  @Test
  void expiredCertificateOfTheDaemonIsRefusedAlsoAsItsOwnAuthority(@TempDir Path folder)
      throws IOException {
    TestPki pki = TestPki.expiredDaemon();
    Path certificate = folder.resolve("daemon.pem");
    Files.writeString(certificate, certificate(pki.cert()));
    try (var daemon = FakeDaemon.overTls(pki)) {
      assertFault(
          failure(daemon.target(), certificate, CLIENT.cert(), CLIENT.key()),
          TlsFault.DAEMON_CERTIFICATE_NOT_VALID);
      assertThat(daemon.calls()).isEmpty();
    }
  }

  @Test
  void expiredAuthorityBesideThatOfTheDaemonDoesNotMatter(@TempDir Path folder) throws IOException {
    Path both =
        concatenation(
            folder.resolve("both.pem"), TestPki.daemonOfAnExpiredAuthority().ca(), CLIENT.ca());
    try (var daemon = FakeDaemon.overTls(TestPki.daemon("localhost"));
        var client =
            HmacdClient.builder()
                .target(daemon.target())
                .tls(both, CLIENT.cert(), CLIENT.key())
                .deadlineAfter(Duration.ofMinutes(1))
                .build()) {
      assertThat(client.health("")).isEqualTo(HealthStatus.SERVING);
    }
  }

  private static Path concatenation(Path target, Path first, Path second) throws IOException {
    return Files.writeString(target, Files.readString(first) + Files.readString(second));
  }

  /// The first certificate of a chain.
  private static String certificate(Path chain) throws IOException {
    String end = "-----END CERTIFICATE-----\n";
    String text = Files.readString(chain).replace("\r", "");
    return text.substring(0, text.indexOf(end) + end.length());
  }

  @Test
  void refusalOfTheClientsCertificateNamesTheAlert() {
    try (var daemon = FakeDaemon.overTls(TestPki.daemon("localhost"))) {
      TestPki client = TestPki.stranger();
      HmacdException failure;
      do { // A reset of the connection can discard the alert.
        failure = failure(daemon.target(), CLIENT.ca(), client.cert(), client.key());
      } while (failure.reason() == ErrorReason.CONNECTION_FAILED);
      assertFault(failure, TlsFault.CLIENT_CERTIFICATE_REFUSED);
      assertThat(failure).hasMessageContaining("TLS alert ");
      assertThat(daemon.calls()).isEmpty();
    }
  }

  @Test
  void serverWithoutTlsIsNotADaemon() {
    try (var http = RawServer.overTcp(RawServer.BAD_REQUEST);
        var ssh = RawServer.overTcp("SSH-2.0-OpenSSH_10.0\r\n")) {
      HmacdException ofHttp = failure(http.target(), CLIENT);
      assertFault(ofHttp, TlsFault.NO_TLS);
      assertThat(ofHttp).hasMessageContaining("HTTP/1.1 without TLS");
      HmacdException ofSsh = failure(ssh.target(), CLIENT);
      assertFault(ofSsh, TlsFault.NO_TLS);
      assertThat(ofSsh).hasMessageContaining("does not speak TLS");
      assertThat(ofSsh.retryable()).isFalse();
    }
  }

  @Test
  void serverThatSpeaksHttp1OnAUnixSocketIsNotADaemon(@TempDir Path directory) {
    Path socket = directory.resolve("http.sock");
    try (var http = RawServer.overUnixSocket(socket, RawServer.BAD_REQUEST);
        var client = HmacdClient.builder().target(http.target()).build()) {
      HmacdException failure = failure(client);
      assertThat(failure.reason()).isEqualTo(ErrorReason.CONNECTION_FAILED);
      assertThat(failure.retryable()).isTrue();
      assertThat(failure).hasMessageContaining("does not speak HTTP/2");
    }
  }

  @Test
  void socketThatDoesNotExistIsUnreachable(@TempDir Path directory) {
    Path socket = directory.resolve("none.sock");
    try (var client = HmacdClient.builder().target("unix:" + socket).build()) {
      HmacdException failure = failure(client);
      assertThat(failure.reason()).isEqualTo(ErrorReason.CONNECTION_FAILED);
      assertThat(failure).hasMessageContaining("no connection: ");
      assertThat(failure.retryable()).isTrue();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "error:10000416:SSL routines:OPENSSL_internal:SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "Received fatal alert: certificate_unknown",
        "(certificate_unknown) Received fatal alert: certificate_unknown"
      })
  void alertIsFoundInTheMessagesOfBoringSslAndOfTheJdk(String message) {
    ConnectionFailure failure =
        ConnectionFailure.of(
            Status.UNAVAILABLE
                .withDescription("ssl exception")
                .withCause(new SSLHandshakeException(message)));
    assertThat(failure)
        .isEqualTo(
            new ConnectionFailure(
                ErrorReason.TLS_FAILED,
                "the daemon refused the certificate of the client (TLS alert"
                    + " certificate_unknown)",
                false,
                TlsFault.CLIENT_CERTIFICATE_REFUSED));
  }

  @Test
  void otherErrorOfTlsHasItsNameOnly() {
    ConnectionFailure failure =
        ConnectionFailure.of(
            Status.UNAVAILABLE
                .withDescription("io exception\nChannel Pipeline: [a, b]")
                .withCause(
                    new SSLException(
                        "error:10000410:SSL"
                            + " routines:OPENSSL_internal:SSLV3_ALERT_HANDSHAKE_FAILURE")));
    assertThat(failure).isEqualTo(unreachable("TLS failed: handshake_failure"));
  }

  /// The descriptions of gRPC for answers without gRPC.
  @ParameterizedTest
  @CsvSource({
    "UNIMPLEMENTED, 404, application/x-amz-json-1.1, false, AWS KMS",
    "INTERNAL, 400, text/html, false, 400",
    "PERMISSION_DENIED, 403, text/html, false, 403",
    "UNAVAILABLE, 503, text/plain, true, 503"
  })
  void answerWithoutGrpcHasItsHttpStatus(
      Status.Code code, int http, String contentType, boolean transientFault, String text) {
    ConnectionFailure failure =
        ConnectionFailure.of(
            code.toStatus()
                .withDescription(
                    "HTTP status code "
                        + http
                        + "\ninvalid content-type: "
                        + contentType
                        + "\nheaders: Metadata(:status="
                        + http
                        + ")\nDATA-----------------------------\n{}"));
    assertThat(failure.reason()).isEqualTo(ErrorReason.CONNECTION_FAILED);
    assertThat(failure.transientFault()).isEqualTo(transientFault);
    assertThat(failure.text()).contains("HTTP status " + http, text).hasLineCount(1);
  }

  @Test
  void serverWithoutHttp2IsNotADaemon() {
    assertThat(
            ConnectionFailure.of(
                Status.UNAVAILABLE.withDescription(
                    "Failed ALPN negotiation: Unable to find compatible protocol")))
        .returns(ErrorReason.CONNECTION_FAILED, ConnectionFailure::reason)
        .returns(false, ConnectionFailure::transientFault);
  }

  @Test
  void closedOrRefusedConnectionIsUnreachable() {
    assertThat(
            ConnectionFailure.of(
                Status.UNKNOWN
                    .withDescription("channel closed")
                    .withCause(new ClosedChannelException())))
        .isEqualTo(unreachable("the server closed the connection before it answered"));
    assertThat(
            ConnectionFailure.of(
                Status.UNAVAILABLE
                    .withDescription("io exception")
                    .withCause(new ConnectException("Connection refused: /127.0.0.1:1"))))
        .isEqualTo(unreachable("no connection: Connection refused: /127.0.0.1:1"));
  }

  @Test
  void errorWithoutACauseKeepsItsDescription() {
    assertThat(ConnectionFailure.of(Status.UNAVAILABLE.withDescription("unknown host: a:1")))
        .isEqualTo(unreachable("unknown host: a:1"));
    assertThat(ConnectionFailure.of(Status.DEADLINE_EXCEEDED))
        .returns(ErrorReason.DEADLINE_EXCEEDED, ConnectionFailure::reason)
        .returns("DEADLINE_EXCEEDED", ConnectionFailure::text);
    assertThat(ConnectionFailure.of(Status.INTERNAL.withDescription("Received headers twice")))
        .returns(ErrorReason.UNKNOWN, ConnectionFailure::reason)
        .returns("Received headers twice", ConnectionFailure::text);
  }
}
