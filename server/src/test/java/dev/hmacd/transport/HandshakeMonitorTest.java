package dev.hmacd.transport;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.TestCa;
import io.netty.pkitesting.X509Bundle;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Each reason of a failed TLS handshake is counted and logged, on each edge where it can occur.
@Tag("slow")
final class HandshakeMonitorTest {
  private static final List<String> VERSIONS = List.of("TLSv1.3", "TLSv1.2");

  /// The start of a ClientHello.
  private static final String INCOMPLETE_HELLO = "16030100c8010000c40303";

  /// A ClientHello of one byte.
  private static final String INVALID_HELLO = "16030100050100000100";

  /// The connection preface of HTTP/2 with an empty SETTINGS frame (RFC 9113, section 3.4).
  private static final String PREFACE_AND_SETTINGS =
      HexFormat.of().formatHex("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(US_ASCII))
          + "000000040000000000";

  private static final LoopbackDaemon daemon =
      LoopbackDaemon.withAdmin().awsKmsWithTls().allowingUserAll("admin");

  /// A daemon with a short timeout, for connections that send nothing.
  private static final LoopbackDaemon impatient =
      LoopbackDaemon.withAdmin()
          .awsKmsWithTls()
          .limit("handshake_timeout: 1s")
          .awsLimit("handshake_timeout: 1s");

  private static LogWatch log;

  @BeforeAll
  static void start() {
    log = LogWatch.start();
    daemon.start();
    impatient.start();
  }

  @AfterAll
  static void stop() {
    impatient.close();
    daemon.close();
    log.close();
  }

  enum Edge {
    GRPC("grpc") {
      @Override
      int port(LoopbackDaemon of) {
        return of.port();
      }
    },
    AWS_KMS("aws_kms") {
      @Override
      int port(LoopbackDaemon of) {
        return of.awsPort();
      }
    };

    private final String label;

    Edge(String label) {
      this.label = label;
    }

    abstract int port(LoopbackDaemon of);
  }

  /// Clients of the AWS edge have no certificate.
  private static boolean needsClientCertificate(HandshakeFailure reason) {
    return switch (reason) {
      case NO_CERTIFICATE, UNTRUSTED_CERTIFICATE, EXPIRED_CERTIFICATE, NO_PRINCIPAL -> true;
      case PROTOCOL_OR_CIPHER, PLAINTEXT, CLOSED_BY_PEER, TIMEOUT, OTHER -> false;
    };
  }

  static Stream<Arguments> reasons() {
    return Stream.of(Edge.values())
        .flatMap(
            edge ->
                Stream.of(HandshakeFailure.values())
                    .filter(reason -> edge == Edge.GRPC || !needsClientCertificate(reason))
                    .map(reason -> Arguments.of(edge, reason)));
  }

  private static double count(LoopbackDaemon of, Edge edge, HandshakeFailure reason) {
    return of.metric(
        "hmacd_tls_handshake_failures_total{edge=\"%s\",reason=\"%s\"}"
            .formatted(edge.label, reason.label()));
  }

  private static double countOfOthers(Edge edge, HandshakeFailure reason) {
    return Stream.of(HandshakeFailure.values())
        .filter(other -> other != reason)
        .mapToDouble(other -> count(daemon, edge, other))
        .sum();
  }

  @ParameterizedTest
  @MethodSource("reasons")
  void failedHandshakeIsCountedAndLogged(Edge edge, HandshakeFailure reason) throws IOException {
    LoopbackDaemon of = reason == HandshakeFailure.TIMEOUT ? impatient : daemon;
    double others = countOfOthers(edge, reason);
    for (String version : VERSIONS) {
      double before = count(of, edge, reason);
      fail(of, edge, reason, version);
      Eventually.holds("the failure is counted once", () -> count(of, edge, reason) == before + 1);
    }
    assertThat(countOfOthers(edge, reason)).isEqualTo(others);
    Eventually.holds(
        "the first failure is logged",
        () ->
            log.count(
                    "TLS handshakes failed",
                    "edge=\"" + edge.label + "\"",
                    "reason=\"" + reason.label() + "\"",
                    "remote_address=\"127.0.0.1:",
                    "times=\"")
                > 0);
  }

  /// Causes one failed handshake, and waits for the end of the connection.
  private static void fail(LoopbackDaemon of, Edge edge, HandshakeFailure reason, String version)
      throws IOException {
    Instant now = Instant.now();
    switch (reason) {
      case NO_CERTIFICATE -> connect(edge, null, version);
      case UNTRUSTED_CERTIFICATE ->
          // The authority has the same name: a client selects its certificate by this name.
          connect(edge, new TestCa("test CA").client("admin"), version);
      case EXPIRED_CERTIFICATE ->
          connect(
              edge,
              daemon
                  .ca()
                  .issue(
                      b ->
                          b.subject("CN=admin")
                              .addSanUriName(URI.create("spiffe://test/admin"))
                              .notBefore(now.minus(Duration.ofDays(2)))
                              .notAfter(now.minus(Duration.ofDays(1)))),
              version);
      case NO_PRINCIPAL -> connect(edge, daemon.ca().issue(b -> b.subject("O=nobody")), version);
      case PROTOCOL_OR_CIPHER -> connectWithoutSharedCipher(edge);
      case PLAINTEXT -> send(of, edge, "GET / HTTP/1.1\r\n\r\n".getBytes(US_ASCII));
      case CLOSED_BY_PEER -> {
        try (Socket socket = tcp(of, edge)) {
          socket.getOutputStream().write(HexFormat.of().parseHex(INCOMPLETE_HELLO));
        }
      }
      case TIMEOUT -> send(of, edge);
      case OTHER -> send(of, edge, HexFormat.of().parseHex(INVALID_HELLO));
    }
  }

  private static Socket tcp(LoopbackDaemon of, Edge edge) throws IOException {
    return new Socket(InetAddress.getLoopbackAddress(), edge.port(of));
  }

  /// Sends bytes without TLS, and waits until the daemon closes the connection.
  private static void send(LoopbackDaemon of, Edge edge, byte... bytes) throws IOException {
    try (var caller = new RawHttp1(tcp(of, edge))) {
      assertThat(caller.write(bytes).isEventuallyClosedByPeer()).isTrue();
    }
  }

  private static SSLSocket tls(Edge edge, @Nullable X509Bundle certificate) throws IOException {
    return (SSLSocket)
        daemon
            .ca()
            .context(certificate)
            .getSocketFactory()
            .createSocket("127.0.0.1", edge.port(daemon));
  }

  /// Connects with HTTP/2. With TLS 1.3, a client learns only after its handshake that the daemon
  /// has refused its certificate.
  private static void connect(Edge edge, @Nullable X509Bundle certificate, String version)
      throws IOException {
    try (SSLSocket socket = tls(edge, certificate)) {
      socket.setEnabledProtocols(new String[] {version});
      var parameters = socket.getSSLParameters();
      parameters.setApplicationProtocols(new String[] {"h2"});
      socket.setSSLParameters(parameters);
      socket.setSoTimeout(Math.toIntExact(Eventually.LIMIT.toMillis()));
      socket.startHandshake();
      socket.getOutputStream().write(HexFormat.of().parseHex(PREFACE_AND_SETTINGS));
      awaitSettingsAck(new DataInputStream(socket.getInputStream()));
    } catch (IOException e) {
      assertThat(e).isInstanceOfAny(SSLException.class, SocketException.class, EOFException.class);
    }
  }

  /// Waits until the daemon has read the client's SETTINGS frame (RFC 9113, section 6.5.3). gRPC
  /// passes the connection to the daemon then.
  private static void awaitSettingsAck(DataInputStream in) throws IOException {
    while (true) {
      int lengthAndType = in.readInt();
      boolean isAck = (lengthAndType & 0xff) == 4 && in.readByte() == 1;
      if (isAck) {
        return;
      }
      in.skipNBytes(((lengthAndType & 0xff) == 4 ? 4 : 5) + (lengthAndType >>> 8));
    }
  }

  /// HTTP/2 forbids this cipher suite (RFC 9113, appendix A).
  private static void connectWithoutSharedCipher(Edge edge) throws IOException {
    try (SSLSocket socket = tls(edge, daemon.ca().client("admin"))) {
      socket.setEnabledProtocols(new String[] {"TLSv1.2"});
      socket.setEnabledCipherSuites(new String[] {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"});
      socket.startHandshake();
      throw new AssertionError("the daemon has accepted the cipher suite");
    } catch (SSLException e) {
      assertThat(e).hasMessageContaining("handshake_failure");
    }
  }

  /// The handshake succeeds, but the client cannot use the edge.
  @Test
  void clientWithoutAlpnH2IsCountedOnTheGrpcEdge() throws IOException {
    double before = count(daemon, Edge.GRPC, HandshakeFailure.PROTOCOL_OR_CIPHER);
    try (SSLSocket socket = tls(Edge.GRPC, daemon.ca().client("admin"))) {
      socket.startHandshake();
    }
    Eventually.holds(
        "the failure is counted",
        () -> count(daemon, Edge.GRPC, HandshakeFailure.PROTOCOL_OR_CIPHER) == before + 1);
  }

  /// For example, because the client does not trust the daemon's certificate.
  @ParameterizedTest
  @EnumSource
  void alertOfTheClientIsCounted(Edge edge) throws IOException {
    double before = count(daemon, edge, HandshakeFailure.CLOSED_BY_PEER);
    var factory = new TestCa("other").context(daemon.ca().client("admin")).getSocketFactory();
    try (SSLSocket socket = (SSLSocket) factory.createSocket("127.0.0.1", edge.port(daemon))) {
      socket.startHandshake();
      throw new AssertionError("the client trusts another authority");
    } catch (SSLException e) {
      Eventually.holds(
          "the alert is counted",
          () -> count(daemon, edge, HandshakeFailure.CLOSED_BY_PEER) == before + 1);
    }
  }

  /// The plaintext at the end proves that the daemon has handled all connections before.
  @ParameterizedTest
  @EnumSource
  void successfulHandshakeAndTestOfThePortAreNotCounted(Edge edge) throws IOException {
    double others = countOfOthers(edge, HandshakeFailure.PLAINTEXT);
    for (int i = 0; i < 10; i++) {
      tcp(daemon, edge).close();
    }
    if (edge == Edge.GRPC) {
      daemon.raw("admin").preface().close();
    } else {
      assertThat(daemon.accessKey("admin").id()).isNotEmpty();
      try (SSLSocket socket = tls(edge, null)) {
        socket.startHandshake();
      }
    }
    double before = count(daemon, edge, HandshakeFailure.PLAINTEXT);
    send(daemon, edge, "x".repeat(5).getBytes(US_ASCII));
    Eventually.holds(
        "the last failure is counted",
        () -> count(daemon, edge, HandshakeFailure.PLAINTEXT) == before + 1);
    assertThat(countOfOthers(edge, HandshakeFailure.PLAINTEXT)).isEqualTo(others);
  }
}
