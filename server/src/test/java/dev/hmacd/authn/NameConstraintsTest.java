package dev.hmacd.authn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.access.Principal;
import dev.hmacd.authn.Authentication.Authenticated;
import dev.hmacd.authn.Authentication.Refused;
import dev.hmacd.testing.SettableClock;
import dev.hmacd.testing.TestCa;
import dev.hmacd.transport.TlsContext;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.Arrays;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The name constraints of an authority in `client_ca` limit the names that the daemon accepts.
final class NameConstraintsTest {
  /// Permits SPIFFE IDs of the trust domain `test`.
  private static final TestCa CONSTRAINED = TestCa.constrained("constrained", "URI:test");

  private static final TestCa FREE = new TestCa("free");

  @TempDir private Path folder;

  private final SettableClock clock = new SettableClock(Instant.now());
  private TrustFiles files;
  private TlsContext tls;

  @BeforeEach
  void makeFiles() {
    files = new TrustFiles(folder);
    tls = files.context(clock);
  }

  private void trust(TestCa... authorities) throws IOException {
    files.trust(
        Arrays.stream(authorities).map(NameConstraintsTest::own).toArray(X509Certificate[]::new));
    tls.reload();
  }

  private static X509Certificate own(TestCa authority) {
    return authority.self().getCertificate();
  }

  private Authentication check(X509Bundle client, X509Certificate... more) {
    X509Certificate[] chain =
        Stream.concat(Stream.of(client.getCertificate()), Arrays.stream(more))
            .toArray(X509Certificate[]::new);
    return new ClientCertificate(chain, tls, null).check(clock.instant());
  }

  private static UnaryOperator<CertificateBuilder> withUri(String uri) {
    return builder -> builder.subject("CN=client").addSanUriName(URI.create(uri));
  }

  private static UnaryOperator<CertificateBuilder> withDnsName(String name) {
    return builder -> builder.subject("CN=client").addSanDnsName(name);
  }

  @Test
  void permittedNameMakesACaller() throws IOException {
    trust(CONSTRAINED);
    X509Bundle client = CONSTRAINED.client("a");
    assertThat(check(client)).isInstanceOf(Authenticated.class);
    assertThat(check(client, own(CONSTRAINED))).isInstanceOf(Authenticated.class);
    TestCa below = CONSTRAINED.subordinate("below");
    assertThat(check(below.client("a"), own(below))).isInstanceOf(Authenticated.class);
    assertThat(check(below.client("a"), own(below), own(CONSTRAINED)))
        .isInstanceOf(Authenticated.class);
  }

  @ParameterizedTest
  @ValueSource(strings = {"spiffe://other/a", "spiffe://sub.test/a", "urn:test"})
  void otherNameIsRefused(String uri) throws IOException {
    trust(CONSTRAINED);
    X509Bundle client = CONSTRAINED.issue(withUri(uri));
    assertThat(check(client)).isEqualTo(Refused.CERTIFICATE_NOT_TRUSTED);
    assertThat(check(client, own(CONSTRAINED))).isEqualTo(Refused.CERTIFICATE_NOT_TRUSTED);
    TestCa below = CONSTRAINED.subordinate("below");
    X509Bundle belowClient = below.issue(withUri(uri));
    assertThat(check(belowClient, own(below))).isEqualTo(Refused.CERTIFICATE_NOT_TRUSTED);
    assertThat(check(belowClient, own(CONSTRAINED), own(below)))
        .isEqualTo(Refused.CERTIFICATE_NOT_TRUSTED);
  }

  /// A certificate with the name and the key of the authority is no exception.
  @Test
  void constraintsHoldForACertificateWithTheKeyOfTheAuthority() throws IOException {
    trust(CONSTRAINED);
    X509Bundle client =
        CONSTRAINED.issue(
            builder ->
                builder
                    .subject(own(CONSTRAINED).getSubjectX500Principal())
                    .keyPair(CONSTRAINED.self().getKeyPair())
                    .addSanUriName(URI.create("spiffe://other/a")));
    assertThat(check(client)).isEqualTo(Refused.CERTIFICATE_NOT_TRUSTED);
    assertThat(check(client, own(CONSTRAINED))).isEqualTo(Refused.CERTIFICATE_NOT_TRUSTED);
  }

  @Test
  void constraintsHoldForTheirAuthorityOnly() throws IOException {
    trust(CONSTRAINED, FREE, TestCa.constrained("third", "URI:other"));
    assertThat(check(FREE.issue(withUri("spiffe://other/a")))).isInstanceOf(Authenticated.class);
    assertThat(check(CONSTRAINED.client("a"))).isInstanceOf(Authenticated.class);
    assertThat(check(CONSTRAINED.issue(withUri("spiffe://other/a"))))
        .isEqualTo(Refused.CERTIFICATE_NOT_TRUSTED);
  }

  @Test
  void dnsNameIsConstrained() throws IOException {
    TestCa authority = TestCa.constrained("dns", "DNS:example.org");
    trust(authority);
    assertThat(check(authority.issue(withDnsName("a.example.org"))))
        .isInstanceOf(Authenticated.class);
    assertThat(check(authority.issue(withDnsName("a.example.com"))))
        .isEqualTo(Refused.CERTIFICATE_NOT_TRUSTED);
  }

  /// The JDK's check of name constraints adds the CN to the DNS names of the parsed certificate,
  /// also for constraints of an intermediate certificate.
  @Test
  void validationAddsNoDnsNameForACommonName() throws IOException {
    trust(FREE);
    TestCa below = FREE.subordinate("below", "DNS:example.org");
    X509Bundle client = below.issue(b -> b.subject("CN=a.example.org").addSanIpAddress("10.0.0.1"));
    X509Certificate[] chain = {client.getCertificate(), own(below)};
    assertThat(tls.trust(clock.instant()).accepts(chain)).isTrue();
    assertThat(new ClientCertificate(chain, tls, null).principal())
        .contains(Principal.commonName("a.example.org"));
  }

  @Test
  void malformedConstraintsAreRefused() throws Exception {
    Instant now = clock.instant();
    X509Bundle malformed =
        new CertificateBuilder()
            .ecp256()
            .subject("CN=malformed")
            .notBefore(now.minusSeconds(9))
            .notAfter(now.plusSeconds(999))
            .setIsCertificateAuthority(true)
            .addExtensionOctetString("2.5.29.30", false, new byte[] {4, 0})
            .buildSelfSigned();
    files.trust(malformed.getCertificate());
    assertThatThrownBy(tls::reload)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("grpc.tls.client_ca")
        .hasMessageContaining("malformed name constraints");
  }
}
