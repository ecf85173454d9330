package dev.hmacd.authn;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.authn.Authentication.Refused;
import dev.hmacd.testing.TestCa;
import io.netty.pkitesting.CertificateBuilder;
import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// The principal of a certificate, or the reason why the certificate has none.
final class CertificateNamesTest {
  private static final TestCa CA = new TestCa("names");
  private static final String SUBJECT_ALTERNATIVE_NAME = "2.5.29.17";

  /// Tags of GeneralName (RFC 5280, section 4.2.1.6).
  private static final int DNS = 0x82;

  private static final int URI_NAME = 0x86;
  private static final int SEQUENCE = 0x30;

  static Stream<Arguments> names() {
    return Stream.of(
        named("SPIFFE ID", "spiffe://td/a", b -> b.addSanUriName(URI.create("spiffe://td/a"))),
        named(
            "SPIFFE ID before DNS name and CN",
            "spiffe://td/a",
            b -> b.subject("CN=c").addSanDnsName("d").addSanUriName(URI.create("spiffe://td/a"))),
        named(
            "another URI is ignored: DNS name",
            "dns:d.example",
            b -> b.addSanUriName(URI.create("https://a.example/")).addSanDnsName("d.example")),
        named(
            "another URI is ignored: CN",
            "cn:c",
            b -> b.subject("CN=c").addSanUriName(URI.create("urn:spiffe://td/a"))),
        named("DNS name", "dns:d.example", b -> b.addSanDnsName("d.example")),
        named(
            "first of several DNS names",
            "dns:d1.example",
            b -> b.subject("CN=c").addSanDnsName("d1.example").addSanDnsName("d2.example")),
        named(
            "IP address is ignored: CN",
            "cn:c",
            b -> b.subject("CN=c").addSanIpAddress("10.0.0.1")),
        named("CN", "cn:billing", b -> b.subject("CN=billing")),
        named("CN among others", "cn:billing", b -> b.subject("CN=billing,OU=cn,O=x")),
        named("CN first in a multi-valued RDN", "cn:a", b -> b.subject("CN=a+OU=u")),
        named("CN last in a multi-valued RDN", "cn:a", b -> b.subject("C=DE+CN=a")));
  }

  private static Arguments named(
      String name, String principal, UnaryOperator<CertificateBuilder> certificate) {
    return argumentSet(name, principal, certificate);
  }

  static Stream<Arguments> refusals() {
    return Stream.of(
        refused(
            "two SPIFFE IDs and a DNS name",
            Refused.MALFORMED_NAME,
            b ->
                b.addSanUriName(URI.create("spiffe://td/a"))
                    .addSanUriName(URI.create("spiffe://td/b"))
                    .addSanDnsName("d")),
        refused(
            "duplicate SPIFFE ID",
            Refused.MALFORMED_NAME,
            b ->
                b.addSanUriName(URI.create("spiffe://td/a"))
                    .addSanUriName(URI.create("spiffe://td/a"))),
        refused(
            "SPIFFE ID and another URI",
            Refused.MALFORMED_NAME,
            b ->
                b.addSanUriName(URI.create("https://a.example/"))
                    .addSanUriName(URI.create("spiffe://td/a"))),
        spiffe("too long SPIFFE ID", "spiffe://td/" + "x".repeat(2048)),
        spiffe("no path", "spiffe://td"),
        spiffe("trailing slash", "spiffe://td/a/"),
        spiffe("empty segment", "spiffe://td//a"),
        spiffe("parent segment", "spiffe://td/operators/../x"),
        spiffe("uppercase scheme", "SPIFFE://td/a"),
        spiffe("uppercase trust domain", "spiffe://TD/a"),
        spiffe("no authority", "spiffe:/td/a"),
        spiffe("opaque URI", "spiffe:td/a"),
        spiffe("port", "spiffe://td:443/a"),
        spiffe("user info", "spiffe://u@td/a"),
        spiffe("query", "spiffe://td/a?b"),
        spiffe("fragment", "spiffe://td/a#b"),
        spiffe("percent-encoding", "spiffe://td/%61"),
        spiffe("wildcard", "spiffe://td/*"),
        // The JDK parses no URI with a blank, and reports the extension as absent.
        encoded("blank in a URI", Refused.MALFORMED_EXTENSION, URI_NAME, "spiffe://td/a b"),
        encoded("NUL in a DNS name", Refused.MALFORMED_NAME, DNS, "billing\0.example.org"),
        encoded("line feed in a DNS name", Refused.MALFORMED_NAME, DNS, "a\nb.example.org"),
        encoded("blank in a DNS name", Refused.MALFORMED_NAME, DNS, "a b.example.org"),
        encoded("wildcard in a DNS name", Refused.MALFORMED_NAME, DNS, "*.example.org"),
        encoded("empty DNS name", Refused.MALFORMED_NAME, DNS, ""),
        encoded("too long DNS name", Refused.MALFORMED_NAME, DNS, "a.".repeat(126) + "aa"),
        encoded("malformed first DNS name", Refused.MALFORMED_NAME, DNS, "*", "a.example.org"),
        refused(
            "malformed extension and a CN",
            Refused.MALFORMED_EXTENSION,
            b ->
                b.subject("CN=c")
                    .addExtensionOctetString(
                        SUBJECT_ALTERNATIVE_NAME, false, new byte[] {SEQUENCE, 5})),
        refused(
            "IP address only", Refused.NO_NAME, b -> b.subject("O=o").addSanIpAddress("10.0.0.1")),
        refused("two CNs", Refused.NO_NAME, b -> b.subject("CN=a,CN=b")),
        refused("two CNs in one RDN", Refused.NO_NAME, b -> b.subject("CN=a+CN=b")),
        refused("no CN", Refused.NO_NAME, b -> b.subject("O=billing")),
        refused("e-mail address", Refused.NO_NAME, b -> b.subject("EMAILADDRESS=a@b.example,O=x")),
        commonName("empty CN", ""),
        commonName("CN in the form of a SPIFFE ID", "spiffe://td/a"),
        commonName("CN in the form of a uid", "uid:0"),
        commonName("CN with an escaped comma", "a\\,CN\\=b"),
        commonName("CN with a line break", "a\\0Ab"),
        commonName("CN with a NUL", "a\\00b"),
        commonName("CN with a blank", "hmacd dev client"),
        commonName("CN with non-ASCII characters", "Schlüssel-🔑"),
        commonName("CN with an asterisk", "*"));
  }

  private static Arguments refused(
      String name, Refused reason, UnaryOperator<CertificateBuilder> certificate) {
    return argumentSet(name, reason, certificate);
  }

  /// A malformed SPIFFE ID beside a DNS name and a CN, which must not replace it.
  private static Arguments spiffe(String name, String id) {
    return refused(
        name,
        Refused.MALFORMED_NAME,
        b -> b.subject("CN=c").addSanDnsName("d.example").addSanUriName(URI.create(id)));
  }

  private static Arguments commonName(String name, String value) {
    return refused(name, Refused.MALFORMED_NAME, b -> b.subject("CN=" + value));
  }

  /// Alternative names that the builder refuses, beside a CN.
  private static Arguments encoded(String name, Refused reason, int tag, String... values) {
    var names = new ByteArrayOutputStream();
    for (String value : values) {
      names.writeBytes(der(tag, value.getBytes(ISO_8859_1)));
    }
    byte[] extension = der(SEQUENCE, names.toByteArray());
    return refused(
        name,
        reason,
        b -> b.subject("CN=c").addExtensionOctetString(SUBJECT_ALTERNATIVE_NAME, false, extension));
  }

  /// The DER encoding of a value with at most 65535 bytes.
  private static byte[] der(int tag, byte[] value) {
    var encoded = new ByteArrayOutputStream();
    encoded.write(tag);
    if (value.length > 255) {
      encoded.write(0x82); // Two bytes of length follow.
      encoded.write(value.length >> 8);
    } else if (value.length > 127) {
      encoded.write(0x81); // One byte of length follows.
    }
    encoded.write(value.length);
    encoded.writeBytes(value);
    return encoded.toByteArray();
  }

  @ParameterizedTest
  @MethodSource("names")
  void certificateHasThePrincipalOfItsPreferredName(
      String principal, UnaryOperator<CertificateBuilder> what) throws Exception {
    var certificate = CA.issue(b -> what.apply(b.subject("O=nobody"))).getCertificate();
    assertThat(CertificateNames.principal(certificate).name()).isEqualTo(principal);
  }

  @ParameterizedTest
  @MethodSource("refusals")
  void certificateWithoutAValidPreferredNameHasNoPrincipal(
      Refused reason, UnaryOperator<CertificateBuilder> what) {
    var certificate = CA.issue(b -> what.apply(b.subject("O=nobody"))).getCertificate();
    assertThatThrownBy(() -> CertificateNames.principal(certificate))
        .isInstanceOfSatisfying(
            CertificateRefusedException.class, e -> assertThat(e.reason()).isEqualTo(reason));
  }
}
