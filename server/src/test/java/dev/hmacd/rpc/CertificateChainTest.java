package dev.hmacd.rpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.KnownMac;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp2;
import dev.hmacd.testing.TestCa;
import io.netty.pkitesting.X509Bundle;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The bounds on a client's certificate chain. The memory that it needs: its count, and its end.
final class CertificateChainTest {
  private static final String MEMORY = "hmacd_connection_memory_bytes";

  /// The size of an extension that makes a chain longer than its bound.
  private static final int TOO_LONG = 17_000;

  private static final int LONG = 14_000;

  /// The maximum number of certificates in a chain.
  private static final int MAX_CERTIFICATES = 6;

  /// Upper bounds on the memory of idle connections whose chains have the usual length: 27 KiB for
  /// each connection.
  private static final int ONE_CONNECTION = 28_000;

  private static final int TWO_CONNECTIONS = 2 * ONE_CONNECTION;

  private static final LoopbackDaemon daemon = LoopbackDaemon.withAdmin();
  private static Caller admin;
  private static KnownMac mac;

  @BeforeAll
  static void start() {
    daemon.start();
    admin = daemon.as("admin");
    mac = KnownMac.create(admin);
  }

  @AfterAll
  static void stop() {
    daemon.close();
  }

  /// A certificate of the admin with an extension of this size.
  private static X509Bundle certificate(int size) {
    return daemon
        .ca()
        .issue(
            builder ->
                builder
                    .subject("CN=admin")
                    .addSanUriName(URI.create("spiffe://test/admin"))
                    .addExtendedKeyUsageClientAuth()
                    .addExtensionOctetString("1.3.6.1.4.1.32473.1", false, new byte[size]));
  }

  private static SSLSocket socket(X509Bundle certificate, String version) throws IOException {
    var socket =
        (SSLSocket)
            daemon
                .ca()
                .context(certificate)
                .getSocketFactory()
                .createSocket("127.0.0.1", daemon.port());
    socket.setEnabledProtocols(new String[] {version});
    return socket;
  }

  @ParameterizedTest
  @ValueSource(strings = {"TLSv1.3", "TLSv1.2"})
  void tooLongChainIsRefused(String version) throws IOException {
    X509Bundle tooLong = certificate(TOO_LONG);
    assertThat(mac.isDisconnected(() -> new RawHttp2(socket(tooLong, version)).preface())).isTrue();
    mac.assertServed(admin);
  }

  @ParameterizedTest
  @ValueSource(strings = {"TLSv1.3", "TLSv1.2"})
  void longChainIsServedAndCounted(String version) throws IOException {
    awaitOnlyTheAdmin();
    try (RawHttp2 caller = new RawHttp2(socket(certificate(LONG), version)).preface()) {
      mac.assertServed(caller, 1);
      Eventually.holds("the chain is counted", () -> daemon.metric(MEMORY) > TWO_CONNECTIONS);
    }
    awaitOnlyTheAdmin();
  }

  /// A chain of the admin with this number of valid certificates, without that of the root.
  private static X509Bundle chainOf(int certificates) {
    TestCa authority = daemon.ca();
    for (int i = 1; i < certificates; i++) {
      authority = authority.subordinate("below-" + i);
    }
    X509Bundle chain = authority.client("admin");
    assertThat(chain.getCertificatePath()).hasSize(certificates);
    return chain;
  }

  @ParameterizedTest
  @ValueSource(strings = {"TLSv1.3", "TLSv1.2"})
  void chainOfTooManyCertificatesIsRefused(String version) throws IOException {
    X509Bundle most = chainOf(MAX_CERTIFICATES);
    X509Bundle tooMany = chainOf(MAX_CERTIFICATES + 1);
    try (RawHttp2 caller = new RawHttp2(socket(most, version)).preface()) {
      mac.assertServed(caller, 1);
    }
    assertThat(mac.isDisconnected(() -> new RawHttp2(socket(tooMany, version)).preface())).isTrue();
    mac.assertServed(admin);
  }

  private static void awaitOnlyTheAdmin() {
    Eventually.holds(
        "the memory is that of one connection", () -> daemon.metric(MEMORY) <= ONE_CONNECTION);
  }

  @Test
  void usualChainIsPartOfTheMemoryOfAConnection() throws IOException {
    awaitOnlyTheAdmin();
    try (RawHttp2 caller = new RawHttp2(socket(daemon.ca().client("admin"), "TLSv1.3")).preface()) {
      mac.assertServed(caller, 1);
      Eventually.holds(
          "the memory is that of two connections", () -> daemon.metric(MEMORY) <= TWO_CONNECTIONS);
    }
  }

  /// A session that can be resumed without a ticket would stay in the memory of the daemon, with
  /// the chain.
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void sessionIsNotResumed(boolean withTickets, @TempDir Path folder) throws Exception {
    Path certificate = folder.resolve("client.pem");
    Path key = folder.resolve("client.key");
    TestCa.write(daemon.ca().client("admin"), certificate, key);
    List<String> command =
        List.of("openssl", "s_client", "-connect", "127.0.0.1:" + daemon.port(), "-alpn", "h2");
    List<String> options =
        List.of("-tls1_2", "-reconnect", "-cert", "" + certificate, "-key", "" + key);
    List<String> tickets = withTickets ? List.of() : List.of("-no_ticket");
    Process openssl =
        new ProcessBuilder(Stream.of(command, options, tickets).flatMap(List::stream).toList())
            .redirectErrorStream(true)
            .redirectInput(new File("/dev/null"))
            .start();
    String output = new String(openssl.getInputStream().readAllBytes(), UTF_8);
    assertThat(output.split("New, TLSv1.2", -1)).hasSizeGreaterThan(2);
    assertThat(output).doesNotContain("Reused, TLSv1.2");
  }
}
