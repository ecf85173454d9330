package dev.hmacd.authn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.access.Principal;
import dev.hmacd.testing.TestCa;
import io.netty.pkitesting.CertificateBuilder;
import java.net.URI;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// The principal of a certificate; null if the certificate has none.
final class CertificateNamesTest {
  private static final TestCa CA = new TestCa("names");

  static Stream<Arguments> names() {
    return Stream.of(
        row("SPIFFE ID", "spiffe://td/a", b -> b.addSanUriName(URI.create("spiffe://td/a"))),
        row(
            "SPIFFE ID before DNS name and CN",
            "spiffe://td/a",
            b -> b.subject("CN=c").addSanDnsName("d").addSanUriName(URI.create("spiffe://td/a"))),
        row(
            "two SPIFFE IDs and a DNS name: no principal",
            null,
            b ->
                b.addSanUriName(URI.create("spiffe://td/a"))
                    .addSanUriName(URI.create("spiffe://td/b"))
                    .addSanDnsName("d")),
        row(
            "duplicate SPIFFE ID: no principal",
            null,
            b ->
                b.addSanUriName(URI.create("spiffe://td/a"))
                    .addSanUriName(URI.create("spiffe://td/a"))),
        row(
            "SPIFFE ID and another URI: no principal",
            null,
            b ->
                b.addSanUriName(URI.create("https://a.example/"))
                    .addSanUriName(URI.create("spiffe://td/a"))),
        row(
            "too long SPIFFE ID and a CN: no principal",
            null,
            b -> b.subject("CN=c").addSanUriName(URI.create("spiffe://td/" + "x".repeat(2048)))),
        row(
            "another URI is ignored: DNS name",
            "dns:d.example",
            b -> b.addSanUriName(URI.create("https://a.example/")).addSanDnsName("d.example")),
        row(
            "another URI is ignored: CN",
            "cn:c",
            b -> b.subject("CN=c").addSanUriName(URI.create("urn:spiffe://td/a"))),
        row("DNS name", "dns:d.example", b -> b.addSanDnsName("d.example")),
        row(
            "first of several DNS names",
            "dns:d1.example",
            b -> b.subject("CN=c").addSanDnsName("d1.example").addSanDnsName("d2.example")),
        row(
            "IP address is ignored: CN",
            "cn:c",
            b -> b.subject("CN=c").addSanIpAddress("10.0.0.1")),
        row(
            "IP address only: no principal",
            null,
            b -> b.subject("O=o").addSanIpAddress("10.0.0.1")),
        row("CN", "cn:billing", b -> b.subject("CN=billing")),
        row("CN among others", "cn:billing", b -> b.subject("CN=billing,OU=cn,O=x")),
        row("two CNs: no principal", null, b -> b.subject("CN=a,CN=b")),
        row("two CNs in one RDN: no principal", null, b -> b.subject("CN=a+CN=b")),
        row("CN first in a multi-valued RDN", "cn:a", b -> b.subject("CN=a+OU=u")),
        row("CN last in a multi-valued RDN", "cn:a", b -> b.subject("C=DE+CN=a")),
        row("no CN: no principal", null, b -> b.subject("O=billing")),
        row("empty CN: no principal", null, b -> b.subject("CN=")),
        row(
            "CN in the form of a SPIFFE ID is a CN",
            "cn:spiffe://td/a",
            b -> b.subject("CN=spiffe://td/a")),
        row("CN in the form of a uid is a CN", "cn:uid:0", b -> b.subject("CN=uid:0")),
        row("CN with an escaped comma", "cn:a,CN=b", b -> b.subject("CN=a\\,CN\\=b")),
        row("CN with a line break", "cn:a\nb", b -> b.subject("CN=a\\0Ab")),
        row("CN with a NUL", "cn:a\0b", b -> b.subject("CN=a\\00b")),
        row("CN with non-ASCII characters", "cn:Schlüssel-🔑", b -> b.subject("CN=Schlüssel-🔑")),
        row("CN with an asterisk", "cn:*", b -> b.subject("CN=*")),
        row("e-mail address: no principal", null, b -> b.subject("EMAILADDRESS=a@b.example,O=x")));
  }

  private static Arguments row(
      String name, @Nullable String principal, UnaryOperator<CertificateBuilder> certificate) {
    return argumentSet(name, principal, certificate);
  }

  @ParameterizedTest
  @MethodSource("names")
  void certificateHasOnePrincipalOrNone(
      @Nullable String principal, UnaryOperator<CertificateBuilder> what) {
    var certificate = CA.issue(b -> what.apply(b.subject("O=nobody"))).getCertificate();
    assertThat(CertificateNames.principal(certificate).map(Principal::name).orElse(null))
        .isEqualTo(principal);
  }
}
