package dev.hmacd.authn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.limit.Owner;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SettableClock;
import dev.hmacd.testing.TestCa;
import dev.hmacd.transport.TlsContext;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.CallObserver;
import dev.hmacd.usecase.Outcome;
import dev.hmacd.v1.KeySpec;
import java.io.IOException;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The issuer of a client certificate, which shares a token with other issuers, is the trust
/// anchor. A client cannot choose it with further certificates.
final class CertificateIssuerTest {
  private static final TestCa FIRST = new TestCa("first");
  private static final TestCa SECOND = new TestCa("second");
  private static final TestCa STRANGER = new TestCa("stranger");

  @TempDir private Path folder;

  private final Instant now = Instant.now();
  private TlsContext tls;

  @BeforeEach
  void trustTwoAuthorities() throws IOException {
    var files = new TrustFiles(folder);
    tls = files.context(new SettableClock(now));
    files.trust(FIRST.self().getCertificate(), SECOND.self().getCertificate());
    tls.reload();
  }

  private String issuer(X509Certificate... chain) {
    Authentication result = new ClientCertificate(chain, tls, tls.trust(now)).check(now);
    assertThat(result).isInstanceOf(Authentication.Authenticated.class);
    return ((Authentication.Authenticated) result).owner().issuer();
  }

  @Test
  void issuerIsTheAuthorityThatSigned() {
    assertThat(issuer(FIRST.client("a").getCertificate())).isEqualTo("CN=first");
    assertThat(issuer(SECOND.client("a").getCertificate())).isEqualTo("CN=second");
  }

  @Test
  void issuerBehindIntermediateCertificatesIsTheTrustAnchor() {
    X509Certificate intermediate = STRANGER.crossSigned(SECOND).getCertificate();
    assertThat(issuer(STRANGER.client("a").getCertificate(), intermediate)).isEqualTo("CN=second");
  }

  @Test
  void furtherCertificatesDoNotChangeTheIssuer() {
    X509Certificate client = FIRST.client("a").getCertificate();
    assertThat(issuer(client, FIRST.self().getCertificate())).isEqualTo("CN=first");
    assertThat(issuer(client, FIRST.self().getCertificate(), SECOND.self().getCertificate()))
        .isEqualTo("CN=first");
    assertThat(issuer(client, FIRST.self().getCertificate(), STRANGER.self().getCertificate()))
        .isEqualTo("CN=first");
  }

  @Test
  void renewedAuthorityIsTheSameIssuer() throws IOException {
    var files = new TrustFiles(folder);
    files.trust(FIRST.renewed(now, now.plus(Duration.ofDays(1))).self().getCertificate());
    tls.reload();
    assertThat(issuer(FIRST.client("a").getCertificate())).isEqualTo("CN=first");
  }

  @Test
  void issuerIsKnownAfterAHandshake() {
    Queue<Owner> owners = new ConcurrentLinkedQueue<>();
    var observer =
        new CallObserver() {
          @Override
          public void concluded(Call call, Outcome outcome) {
            call.caller().ifPresent(_ -> owners.add(call.owner()));
          }
        };
    try (var daemon = LoopbackDaemon.withAdmin().observing(observer).start()) {
      String key = daemon.as("admin").createKey(KeySpec.KEY_SPEC_HMAC_256);
      assertThat(daemon.as("admin").generateMac(key, "message")).hasSize(32);
    }
    assertThat(owners).hasSize(2).containsOnly(Owner.of("CN=test CA", "spiffe://test/admin"));
  }
}
