package dev.hmacd.rpc;

import static dev.hmacd.testing.Reasons.failsWith;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.Footprint;
import dev.hmacd.testing.KnownMac;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp2;
import dev.hmacd.testing.TestCa;
import io.grpc.Status.Code;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The daemon disconnects callers without a valid certificate, without TLS, or that send nothing.
/// Other callers are served meanwhile.
final class BadConnectionTest {
  /// Longer than the default of Netty's TLS handler, which is 10 s.
  private static final Duration HANDSHAKE_TIMEOUT = Duration.ofSeconds(20);

  private static final LoopbackDaemon daemon =
      LoopbackDaemon.withAdmin().limit("handshake_timeout: " + HANDSHAKE_TIMEOUT.toSeconds() + "s");
  private static Caller admin;
  private static KnownMac mac;
  private static Footprint before;

  @BeforeAll
  static void start() {
    daemon.start();
    admin = daemon.as("admin");
    mac = KnownMac.create(admin);
    before = Footprint.of(daemon);
  }

  @AfterAll
  static void stop() {
    daemon.close();
  }

  @AfterEach
  void callersAreServedAndMemoryIsReleased() {
    mac.assertServed(admin);
    before.awaitRestored(daemon);
    try (Caller fresh = daemon.as("admin")) {
      mac.assertServed(fresh);
    }
    before.awaitRestored(daemon);
  }

  private static SSLSocket tls(@Nullable X509Bundle certificate) throws IOException {
    return (SSLSocket)
        daemon
            .ca()
            .context(certificate)
            .getSocketFactory()
            .createSocket("127.0.0.1", daemon.port());
  }

  static Stream<Arguments> certificates() {
    var other = new TestCa("test CA"); // The same name with another key.
    Instant now = Instant.now();
    return Stream.of(
        certificate("none", () -> null),
        certificate("of another authority with the same name", () -> other.client("admin")),
        certificate("self-signed", other::self),
        certificate(
            "expired a second ago",
            () ->
                daemon
                    .ca()
                    .issue(
                        b ->
                            b.subject("CN=admin")
                                .addSanUriName(URI.create("spiffe://test/admin"))
                                .notBefore(now.minus(Duration.ofDays(2)))
                                .notAfter(now.minusSeconds(1)))),
        certificate(
            "valid in one hour",
            () ->
                daemon
                    .ca()
                    .issue(
                        b ->
                            b.subject("CN=admin")
                                .addSanUriName(URI.create("spiffe://test/admin"))
                                .notBefore(now.plus(Duration.ofHours(1))))),
        certificate("for server authentication only", () -> daemon.ca().server()));
  }

  private static Arguments certificate(String name, Supplier<@Nullable X509Bundle> certificate) {
    return argumentSet(name, certificate);
  }

  @ParameterizedTest
  @MethodSource("certificates")
  void callerWithoutValidCertificateIsDisconnected(Supplier<@Nullable X509Bundle> certificate)
      throws IOException {
    for (String version : List.of("TLSv1.3", "TLSv1.2")) {
      SSLSocket socket = tls(certificate.get());
      socket.setEnabledProtocols(new String[] {version});
      assertThat(isRefused(socket)).as(version).isTrue();
    }
  }

  /// Whether the daemon disconnects a caller that sends a request, without an answer.
  private static boolean isRefused(Socket socket) throws IOException {
    try (socket) {
      return mac.isDisconnected(() -> new RawHttp2(socket).preface());
    }
  }

  @Test
  void certificateWithoutAPrincipalIsUnauthenticated() {
    try (Caller nobody = daemon.as(daemon.ca().issue(b -> b.subject("O=nobody")))) {
      assertThatThrownBy(() -> nobody.generateMac("alias/there", "hello"))
          .satisfies(failsWith(Code.UNAUTHENTICATED, "UNAUTHENTICATED"));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"http/1.1", "h3", "spdy/3"})
  void callerWithoutAlpnH2IsDisconnected(String protocol) throws IOException {
    try (SSLSocket socket = tls(daemon.ca().client("admin"))) {
      var parameters = socket.getSSLParameters();
      parameters.setApplicationProtocols(new String[] {protocol});
      socket.setSSLParameters(parameters);
      assertThat(isClosed(socket, "GET / HTTP/1.1\r\n\r\n".getBytes(US_ASCII))).isTrue();
    }
  }

  private static boolean isClosed(Socket socket, byte... sent) throws IOException {
    socket.setSoTimeout(Math.toIntExact(Eventually.LIMIT.toMillis()));
    try {
      socket.getOutputStream().write(sent);
      while (socket.getInputStream().read() >= 0) {}
      return true;
    } catch (SSLException | SocketException e) {
      return true;
    } catch (SocketTimeoutException e) {
      return false;
    }
  }

  static Stream<Arguments> notTls() {
    return Stream.of(
        argumentSet("HTTP/1.1", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(US_ASCII)),
        argumentSet(
            "HTTP/2 without TLS",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0".getBytes(US_ASCII)),
        argumentSet("zeros", new byte[100_000]),
        argumentSet("random bytes", noise()),
        argumentSet("a TLS record of 64 KiB", HexFormat.of().parseHex("160301ffff01")),
        argumentSet("a handshake of 16 MiB", HexFormat.of().parseHex("160301000401ffffff")),
        argumentSet(
            "close_notify before the handshake", HexFormat.of().parseHex("1503010002010000")),
        argumentSet("SSL 2", HexFormat.of().parseHex("802e0100020015000000100100800200")),
        argumentSet("SSH", "SSH-2.0-OpenSSH_9.2\r\n".getBytes(US_ASCII)));
  }

  private static byte[] noise() {
    byte[] noise = new byte[100_000];
    new Random(1).nextBytes(noise);
    return noise;
  }

  @ParameterizedTest
  @MethodSource("notTls")
  void callerWithoutTlsIsDisconnected(byte[] sent) throws IOException {
    try (Socket socket = daemon.tcp()) {
      assertThat(isClosed(socket, sent)).isTrue();
    }
  }

  /// Ways to stop after the first byte and before the first request.
  private static Map<String, Opened> silentConnections() {
    return Map.of(
        "within the first record",
            () -> {
              Socket socket = daemon.tcp();
              socket.getOutputStream().write(HexFormat.of().parseHex("1603010200010001fc0303"));
              return socket;
            },
        "after the handshake",
            () -> {
              SSLSocket socket = h2(tls(daemon.ca().client("admin")));
              socket.startHandshake();
              return socket;
            },
        "within HTTP/2's magic",
            () -> {
              SSLSocket socket = h2(tls(daemon.ca().client("admin")));
              socket.getOutputStream().write("PRI * HTTP/2.0\r\n".getBytes(US_ASCII));
              return socket;
            },
        "after HTTP/2's magic",
            () -> {
              SSLSocket socket = h2(tls(daemon.ca().client("admin")));
              socket.getOutputStream().write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(US_ASCII));
              return socket;
            });
  }

  interface Opened {
    Socket open() throws IOException;
  }

  private static SSLSocket h2(SSLSocket socket) {
    var parameters = socket.getSSLParameters();
    parameters.setApplicationProtocols(new String[] {"h2"});
    socket.setSSLParameters(parameters);
    return socket;
  }

  /// The connections are concurrent: each lasts at most for `handshake_timeout`. Only this timeout
  /// ends a connection before its first byte.
  @Test
  void silentCallerIsDisconnected() throws IOException {
    Map<String, Socket> silent = new HashMap<>();
    long startNanos = System.nanoTime();
    try (Socket withoutByte = daemon.tcp()) {
      for (Map.Entry<String, Opened> each : silentConnections().entrySet()) {
        silent.put(each.getKey(), each.getValue().open());
      }
      assertThat(isClosed(withoutByte)).as("before the first byte").isTrue();
      assertThat(Duration.ofNanos(System.nanoTime() - startNanos))
          .as("before the first byte")
          .isGreaterThanOrEqualTo(HANDSHAKE_TIMEOUT);
      for (Map.Entry<String, Socket> each : silent.entrySet()) {
        assertThat(isClosed(each.getValue())).as(each.getKey()).isTrue();
      }
    } finally {
      for (Socket each : silent.values()) {
        each.close();
      }
    }
  }

  /// The bytes arrive in short intervals, so only a timeout for the complete handshake helps.
  @Test
  void slowHandshakeIsDisconnected() throws IOException {
    byte[] hello = new byte[512]; // The start of a ClientHello, then zeros.
    System.arraycopy(HexFormat.of().parseHex("16030101fb010001f70303"), 0, hello, 0, 11);
    var next = new AtomicInteger();
    try (Socket socket = daemon.tcp();
        var clock = Executors.newSingleThreadScheduledExecutor()) {
      var dripping =
          clock.scheduleAtFixedRate(
              () -> drip(socket, hello[next.getAndIncrement()]), 0, 100, TimeUnit.MILLISECONDS);
      assertThat(isClosed(socket)).isTrue();
      dripping.cancel(true);
    }
    assertThat(next.get()).as("bytes sent").isBetween(2, hello.length);
  }

  private static void drip(Socket socket, int value) {
    try {
      socket.getOutputStream().write(value);
    } catch (IOException e) {
      throw new UncheckedIOException(e); // Ends the schedule.
    }
  }

  @Test
  void connectionsResetInTheHandshakeAreReleased() throws IOException {
    for (int i = 0; i < 200; i++) {
      Socket socket = daemon.tcp();
      socket.getOutputStream().write(HexFormat.of().parseHex("1603010200010001fc0303"));
      socket.setSoLinger(true, 0);
      socket.close();
    }
  }
}
