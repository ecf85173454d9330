package dev.hmacd.authn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.authn.Authentication.Authenticated;
import dev.hmacd.authn.Authentication.Refused;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.SettableClock;
import dev.hmacd.testing.TestCa;
import dev.hmacd.transport.TlsContext;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The daemon accepts certificates of an authority only within its validity period, also on
/// connections that are open at its end.
final class AuthorityValidityTest {
  @SuppressWarnings("TimeInStaticInitializer") // All certificates relate to one time.
  private static final Instant NOW = Instant.now().truncatedTo(ChronoUnit.SECONDS);

  private static final Instant END = NOW.plus(Duration.ofHours(1));
  private static final Instant BEGIN = NOW.plus(Duration.ofHours(2));
  private static final Instant PAST = NOW.minus(Duration.ofDays(2));

  private static final TestCa LASTING = new TestCa("lasting");
  private static final TestCa EXPIRING = new TestCa("expiring", PAST, END);
  private static final TestCa LATER = new TestCa("later", BEGIN, BEGIN.plus(Duration.ofDays(9)));
  private static final TestCa EXPIRED = new TestCa("expired", PAST, NOW.minusSeconds(1));

  @TempDir private Path folder;

  private final SettableClock clock = new SettableClock(NOW);
  private TrustFiles files;
  private TlsContext tls;

  @BeforeEach
  void makeFiles() {
    files = new TrustFiles(folder);
    tls = files.context(clock);
  }

  private void trust(TestCa... authorities) throws IOException {
    X509Certificate[] certificates = new X509Certificate[authorities.length];
    for (int i = 0; i < authorities.length; i++) {
      certificates[i] = authorities[i].self().getCertificate();
    }
    files.trust(certificates);
    tls.reload();
  }

  /// A connection with this chain, whose trust anchors in the handshake are unknown.
  private ClientCertificate connected(X509Bundle client, X509Certificate... more) {
    X509Certificate[] chain = new X509Certificate[1 + more.length];
    chain[0] = client.getCertificate();
    System.arraycopy(more, 0, chain, 1, more.length);
    return new ClientCertificate(chain, tls, null);
  }

  private Authentication check(ClientCertificate connection) {
    return connection.check(clock.instant());
  }

  @Test
  void certificateOfAnExpiredAuthorityIsRefusedAlsoOnOpenConnections() throws IOException {
    trust(LASTING, EXPIRING);
    var lasting =
        new ClientCertificate(
            new X509Certificate[] {LASTING.client("a").getCertificate()}, tls, tls.trust(NOW));
    var expiring =
        new ClientCertificate(
            new X509Certificate[] {EXPIRING.client("b").getCertificate()}, tls, tls.trust(NOW));
    assertThat(check(lasting)).isInstanceOf(Authenticated.class);
    clock.advance(Duration.between(NOW, END)); // The last instant of the authority.
    assertThat(check(expiring)).isInstanceOf(Authenticated.class);
    assertThat(tls.isTrustOutdated()).isFalse();
    clock.advance(Duration.ofNanos(1));
    assertThat(check(expiring)).isEqualTo(Refused.CERTIFICATE_NOT_TRUSTED);
    assertThat(check(lasting)).isInstanceOf(Authenticated.class);
    assertThat(tls.isTrustOutdated()).isTrue();
    assertThat(tls.authoritiesLeftOut()).isEqualTo(1);
    try (LogWatch log = LogWatch.start()) {
      tls.reload();
      assertThat(
              log.count(
                  "Certificate authority left out",
                  "CN=expiring",
                  PAST.toString(),
                  END.toString(),
                  folder.resolve("clients.pem").toString(),
                  "grpc.tls.client_ca"))
          .isEqualTo(1);
    }
    assertThat(tls.isTrustOutdated()).isFalse();
    assertThat(check(expiring)).isEqualTo(Refused.CERTIFICATE_NOT_TRUSTED);
    assertThat(check(connected(EXPIRING.client("b")))).isEqualTo(Refused.CERTIFICATE_NOT_TRUSTED);
  }

  @Test
  void authorityThatIsNotValidYetMakesCallersFromItsBegin() throws IOException {
    try (LogWatch log = LogWatch.start()) {
      trust(LASTING, LATER);
      assertThat(log.count("Certificate authority left out", "CN=later")).isEqualTo(1);
    }
    ClientCertificate connection = connected(LATER.client("a"));
    assertThat(check(connection)).isEqualTo(Refused.CERTIFICATE_NOT_TRUSTED);
    assertThat(tls.authoritiesLeftOut()).isEqualTo(1);
    clock.advance(Duration.between(NOW, BEGIN).minusNanos(1));
    assertThat(check(connection)).isEqualTo(Refused.CERTIFICATE_NOT_TRUSTED);
    clock.advance(Duration.ofNanos(1));
    assertThat(tls.isTrustOutdated()).isTrue();
    assertThat(check(connection)).isInstanceOf(Authenticated.class);
    assertThat(tls.authoritiesLeftOut()).isZero();
  }

  @Test
  void filesWithoutAValidAuthorityAreRefused() {
    assertThatThrownBy(() -> trust(EXPIRED, LATER))
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith("grpc.tls.client_ca: " + folder.resolve("clients.pem"))
        .hasMessageContaining("no certificate authority that is valid now")
        .hasMessageContaining("CN=expired is valid from")
        .hasMessageContaining("CN=later is valid from");
  }

  @Test
  void withoutAValidAuthorityTheOldFilesStayAndEachCertificateIsRefused() throws IOException {
    trust(EXPIRING);
    ClientCertificate connection = connected(EXPIRING.client("a"));
    assertThat(check(connection)).isInstanceOf(Authenticated.class);
    assertThat(tls.earliestAuthorityExpiry()).isEqualTo(END);
    clock.advance(Duration.between(NOW, END).plusNanos(1));
    for (int i = 0; i < 2; i++) {
      assertThat(check(connection)).isEqualTo(Refused.CERTIFICATE_NOT_TRUSTED);
      assertThat(tls.earliestAuthorityExpiry()).isEqualTo(END);
      assertThat(tls.authoritiesLeftOut()).isEqualTo(1);
      assertThatThrownBy(tls::reload).hasMessageContaining("no certificate authority");
    }
    assertThatThrownBy(() -> trust(EXPIRED)).isInstanceOf(IOException.class);
    assertThat(check(connection)).isEqualTo(Refused.CERTIFICATE_NOT_TRUSTED);
    trust(LASTING);
    assertThat(check(connected(LASTING.client("a")))).isInstanceOf(Authenticated.class);
  }

  @Test
  void renewedAuthorityInTheFileMakesCallersOfTheOldOne() throws IOException {
    trust(EXPIRED, EXPIRED.renewed(PAST, END));
    assertThat(check(connected(EXPIRED.client("a")))).isInstanceOf(Authenticated.class);
    assertThat(tls.authoritiesLeftOut()).isEqualTo(1);
    assertThat(tls.earliestAuthorityExpiry()).isEqualTo(END);
  }

  /// Whoever writes the file names callers.
  @Test
  void fileThatOthersCanWriteIsRefused() throws IOException {
    trust(LASTING);
    Files.setPosixFilePermissions(
        folder.resolve("clients.pem"), PosixFilePermissions.fromString("rw-r--rw-"));
    assertThatThrownBy(tls::reload)
        .hasMessageContaining("grpc.tls.client_ca")
        .hasMessageContaining("others have permission w on ");
  }

  @Test
  void clientCanStillSendTheExpiredCertificateOfARenewedAuthority() throws IOException {
    trust(EXPIRED.renewed(PAST, END));
    X509Certificate old = EXPIRED.self().getCertificate();
    ClientCertificate connection = connected(EXPIRED.client("a"), old);
    assertThat(check(connection)).isInstanceOf(Authenticated.class);
    assertThat(check(connection)).isInstanceOf(Authenticated.class);
    var handshake =
        new ClientCertificate(
            new X509Certificate[] {EXPIRED.client("a").getCertificate(), old}, tls, tls.trust(NOW));
    assertThat(check(handshake)).isInstanceOf(Authenticated.class);
  }

  @Test
  void clientCannotReviveAnExpiredAuthority() throws IOException {
    trust(LASTING, EXPIRED);
    X509Bundle client = EXPIRED.client("a");
    X509Certificate renewed = EXPIRED.renewed(PAST, END).self().getCertificate();
    var stranger = new TestCa("stranger");
    X509Certificate[][] more = {
      {},
      {EXPIRED.self().getCertificate()},
      {renewed},
      {renewed, EXPIRED.self().getCertificate()},
      {EXPIRED.crossSigned(stranger).getCertificate(), stranger.self().getCertificate()},
      {EXPIRED.crossSigned(EXPIRED).getCertificate(), LASTING.self().getCertificate()},
    };
    for (X509Certificate[] each : more) {
      assertThat(check(connected(client, each))).isInstanceOf(Refused.class);
    }
    // A valid authority can sign a certificate for the key of the expired authority.
    X509Certificate signed = EXPIRED.crossSigned(LASTING).getCertificate();
    assertThat(check(connected(client, signed))).isInstanceOf(Authenticated.class);
  }
}
