package dev.hmacd.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.TestCa;
import dev.hmacd.v1.KeySpec;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.net.SocketException;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// The TLS alert for a refused client certificate names the reason (RFC 8446, section 6.2).
final class ClientAlertTest {
  private static final List<String> VERSIONS = List.of("TLSv1.3", "TLSv1.2");

  private static final int ATTEMPTS = 50;

  private static final LoopbackDaemon daemon = LoopbackDaemon.withAdmin();

  @BeforeAll
  static void start() {
    daemon.start();
  }

  @AfterAll
  static void stop() {
    daemon.close();
  }

  /// Why the daemon refuses a certificate.
  enum Reason {
    UNKNOWN_AUTHORITY("unknown_ca") {
      @Override
      X509Bundle certificate() {
        // The authority has the same name: a client selects its certificate by this name.
        return new TestCa("test CA").client("admin");
      }
    },
    EXPIRED("certificate_expired") {
      @Override
      X509Bundle certificate() {
        Instant now = Instant.now();
        return daemon
            .ca()
            .issue(
                b ->
                    named(b)
                        .notBefore(now.minus(Duration.ofDays(2)))
                        .notAfter(now.minus(Duration.ofDays(1))));
      }
    },
    NOT_YET_VALID("certificate_expired") {
      @Override
      X509Bundle certificate() {
        Instant now = Instant.now();
        return daemon
            .ca()
            .issue(
                b ->
                    named(b)
                        .notBefore(now.plus(Duration.ofDays(1)))
                        .notAfter(now.plus(Duration.ofDays(2))));
      }
    },
    NOT_FOR_CLIENTS("bad_certificate") {
      @Override
      X509Bundle certificate() {
        return daemon.ca().issue(b -> named(b).addExtendedKeyUsageServerAuth());
      }
    },
    TOO_MANY_CERTIFICATES("bad_certificate") {
      @Override
      X509Bundle certificate() {
        // The chain also has the client's own certificate.
        TestCa authority = daemon.ca();
        for (int i = 1; i <= ClientTrustManager.MAX_CHAIN; i++) {
          authority = authority.subordinate("below-" + i);
        }
        return authority.client("admin");
      }
    };

    private final String alert;

    Reason(String alert) {
      this.alert = alert;
    }

    abstract X509Bundle certificate();
  }

  private static CertificateBuilder named(CertificateBuilder builder) {
    return builder.subject("CN=admin").addSanUriName(URI.create("spiffe://test/admin"));
  }

  static Stream<Arguments> refusals() {
    return Stream.of(Reason.values())
        .flatMap(
            reason ->
                VERSIONS.stream()
                    .map(version -> argumentSet(reason + " " + version, reason, version)));
  }

  /// The message of the client's exception. With TLS 1.3, a client learns only after its handshake
  /// that the daemon has refused its certificate.
  private static String refusal(LoopbackDaemon of, X509Bundle certificate, String version)
      throws IOException {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      var factory = of.ca().context(certificate).getSocketFactory();
      try (var socket = (SSLSocket) factory.createSocket("127.0.0.1", of.port())) {
        socket.setEnabledProtocols(new String[] {version});
        socket.setSoTimeout(Math.toIntExact(Eventually.LIMIT.toMillis()));
        socket.startHandshake();
        return "no alert, but " + socket.getInputStream().read();
      } catch (SSLException e) {
        if (!(e.getCause() instanceof SocketException)) {
          return String.valueOf(e.getMessage());
        }
      } catch (SocketException e) {
        // The connection was reset before the client could read the alert.
      }
    }
    return "connection reset " + ATTEMPTS + " times";
  }

  @ParameterizedTest
  @MethodSource("refusals")
  void alertNamesTheReason(Reason reason, String version) throws IOException {
    assertThat(refusal(daemon, reason.certificate(), version)).contains(reason.alert);
  }

  @Test
  void nameOutsideTheConstraintsOfTheAuthorityIsRefused() throws IOException {
    TestCa authority = TestCa.constrained("constrained", "URI:test");
    X509Bundle outside =
        authority.issue(
            b -> b.subject("CN=admin").addSanUriName(URI.create("spiffe://other/admin")));
    try (var constrained = LoopbackDaemon.withAdmin().ca(authority).start()) {
      assertThat(constrained.as("admin").createKey(KeySpec.KEY_SPEC_HMAC_256)).isNotEmpty();
      for (String version : VERSIONS) {
        assertThat(refusal(constrained, outside, version)).contains("bad_certificate");
      }
    }
  }

  @Test
  void trustedCertificateIsAccepted() {
    assertThat(daemon.as("admin").createKey(KeySpec.KEY_SPEC_HMAC_256)).isNotEmpty();
  }
}
