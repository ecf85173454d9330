package dev.hmacd.authn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.authn.Authentication.Refused;
import dev.hmacd.testing.TestCa;
import dev.hmacd.transport.ClientAuthorities;
import dev.hmacd.transport.TlsContext;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.CertificateBuilder.Algorithm;
import io.netty.pkitesting.CertificateBuilder.KeyUsage;
import io.netty.pkitesting.X509Bundle;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PublicKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.X509EncodedKeySpec;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Rules for client certificates that the JDK does not have.
final class ClientCertificateProfileTest {
  private static final TestCa CA = new TestCa("rules");
  private static final String ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0";
  private static final String EXTENDED_KEY_USAGE = "2.5.29.37";

  /// The object identifier of an RSA signature without its last byte (RFC 8017, appendix C).
  private static final byte[] PKCS1 = HexFormat.of().parseHex("06092a864886f70d0101");

  private static final byte SHA256_WITH_RSA = 11;

  /// A public key on the curve secp224r1, for which the JDK generates no key.
  private static final byte[] EC_224 =
      HexFormat.of()
          .parseHex(
              "304e301006072a8648ce3d020106052b81040021033a0004bdce0c81a8226fdb17b1de49a860469e3558"
                  + "7602e2a46f7eb6e755ee58341544d6f036d68db68f477eb59296e3d55fb94091551d8fdd130c");

  @TempDir private Path folder;

  static Stream<Arguments> clientCertificates() {
    return Stream.of(
        certificate("EC with 256 bits", b -> b),
        certificate("EC with 384 bits", b -> b.algorithm(Algorithm.ecp384)),
        certificate("RSA with 2048 bits", b -> b.keyPair(rsa(2048))),
        certificate("Ed25519", b -> b.algorithm(Algorithm.ed25519)),
        certificate("no extendedKeyUsage", b -> b),
        certificate("clientAuth", CertificateBuilder::addExtendedKeyUsageClientAuth),
        certificate(
            "serverAuth and clientAuth",
            b -> b.addExtendedKeyUsageServerAuth().addExtendedKeyUsageClientAuth()),
        certificate(
            "digitalSignature and keyAgreement",
            b -> b.setKeyUsage(true, KeyUsage.digitalSignature, KeyUsage.keyAgreement)));
  }

  private static Arguments certificate(String name, UnaryOperator<CertificateBuilder> what) {
    return argumentSet(name, what);
  }

  static Stream<Arguments> otherCertificates() {
    return Stream.of(
        refused("RSA with 1024 bits", Refused.WEAK_KEY, b -> b.keyPair(rsa(1024))),
        refused("EC with 224 bits", Refused.WEAK_KEY, b -> b.publicKey(ec224())),
        refused(
            "certificate of an authority",
            Refused.AUTHORITY_CERTIFICATE,
            b -> b.setIsCertificateAuthority(true)),
        refused(
            "serverAuth only",
            Refused.NOT_FOR_CLIENTS,
            CertificateBuilder::addExtendedKeyUsageServerAuth),
        refused(
            "anyExtendedKeyUsage only",
            Refused.NOT_FOR_CLIENTS,
            b -> b.addExtendedKeyUsage(ANY_EXTENDED_KEY_USAGE)),
        refused(
            "malformed extendedKeyUsage",
            Refused.MALFORMED_EXTENSION,
            b -> b.addExtensionOctetString(EXTENDED_KEY_USAGE, false, new byte[] {4, 0})),
        refused(
            "keyAgreement only",
            Refused.NOT_FOR_SIGNATURES,
            b -> b.setKeyUsage(true, KeyUsage.keyAgreement)));
  }

  private static Arguments refused(
      String name, Refused reason, UnaryOperator<CertificateBuilder> what) {
    return argumentSet(name, reason, what);
  }

  private static KeyPair rsa(int bits) {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
      generator.initialize(bits);
      return generator.generateKeyPair();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static PublicKey ec224() {
    try {
      return KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(EC_224));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static X509Certificate issued(UnaryOperator<CertificateBuilder> what) {
    return CA.issue(b -> what.apply(b.subject("CN=client"))).getCertificate();
  }

  @ParameterizedTest
  @MethodSource("clientCertificates")
  void certificateOfAClientIsAccepted(UnaryOperator<CertificateBuilder> what) throws Exception {
    ClientCertificateProfile.checkLeaf(issued(what));
  }

  @ParameterizedTest
  @MethodSource("otherCertificates")
  void certificateThatBreaksARuleIsRefused(Refused reason, UnaryOperator<CertificateBuilder> what) {
    X509Certificate certificate = issued(what);
    assertRefused(reason, () -> ClientCertificateProfile.checkLeaf(certificate));
  }

  private interface Check {
    void run() throws CertificateRefusedException;
  }

  private static void assertRefused(Refused reason, Check check) {
    assertThatThrownBy(check::run)
        .isInstanceOfSatisfying(
            CertificateRefusedException.class, e -> assertThat(e.reason()).isEqualTo(reason));
  }

  /// A root with RSA, or an authority with RSA that another authority issued.
  private static X509Bundle authority(String name, @Nullable X509Bundle issuer, int bits) {
    var builder =
        new CertificateBuilder()
            .subject("CN=" + name)
            .notBefore(Instant.now().minus(Duration.ofHours(1)))
            .notAfter(Instant.now().plus(Duration.ofDays(1)))
            .setIsCertificateAuthority(true)
            .setKeyUsage(true, KeyUsage.keyCertSign);
    try {
      return issuer == null
          ? builder.algorithm(Algorithm.rsa2048).buildSelfSigned()
          : builder.keyPair(rsa(bits)).buildIssuedBy(issuer, "SHA256withRSA");
    } catch (Exception e) { // The builder declares Exception.
      throw new IllegalStateException(e);
    }
  }

  private static X509Certificate leaf(X509Bundle issuer) {
    try {
      return new CertificateBuilder()
          .subject("CN=leaf")
          .ecp256()
          .buildIssuedBy(issuer, "SHA256withRSA")
          .getCertificate();
    } catch (Exception e) { // The builder declares Exception.
      throw new IllegalStateException(e);
    }
  }

  /// The certificate with another algorithm of its RSA signature. The signature itself does not
  /// change, and is not valid any more.
  private static X509Certificate withSignature(X509Certificate certificate, int lastByte)
      throws GeneralSecurityException {
    byte[] der = certificate.getEncoded();
    int changes = 0;
    for (int i = 0; i + PKCS1.length < der.length; i++) {
      boolean found = Arrays.equals(der, i, i + PKCS1.length, PKCS1, 0, PKCS1.length);
      if (found && der[i + PKCS1.length] == SHA256_WITH_RSA) {
        der[i + PKCS1.length] = (byte) lastByte;
        changes++;
      }
    }
    assertThat(changes).isEqualTo(2); // In the signed part, and outside.
    return (X509Certificate)
        CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(der));
  }

  private ClientAuthorities.Anchors anchors(X509Certificate... authorities) throws IOException {
    TlsContext tls = new TrustFiles(folder).trust(authorities).context(Clock.systemUTC());
    tls.reload();
    return tls.trust(Instant.now());
  }

  private static X509Certificate[] chain(X509Certificate... certificates) {
    return certificates;
  }

  /// MD5withRSA (4), SHA1withRSA (5), RSASSA-PSS without parameters, whose hash is SHA-1 (10).
  @ParameterizedTest
  @ValueSource(ints = {4, 5, 10})
  void weakSignatureInTheChainIsRefused(int signature) throws Exception {
    X509Bundle root = authority("root", null, 2048);
    X509Bundle middle = authority("middle", root, 2048);
    X509Certificate leaf = leaf(middle);
    X509Certificate strong = middle.getCertificate();
    X509Certificate weak = withSignature(strong, signature);
    X509Certificate weakLeaf = withSignature(leaf, signature);
    ClientAuthorities.Anchors roots = anchors(root.getCertificate());
    ClientCertificateProfile.checkPath(chain(leaf, strong), roots);
    ClientCertificateProfile.checkPath(chain(leaf, strong, root.getCertificate()), roots);
    assertRefused(
        Refused.WEAK_SIGNATURE, () -> ClientCertificateProfile.checkPath(chain(leaf, weak), roots));
    assertRefused(
        Refused.WEAK_SIGNATURE,
        () -> ClientCertificateProfile.checkPath(chain(weakLeaf, strong), roots));
    // A chain without order, in which the path continues behind the trust anchor.
    assertRefused(
        Refused.WEAK_SIGNATURE,
        () -> ClientCertificateProfile.checkPath(chain(leaf, root.getCertificate(), weak), roots));
  }

  @ParameterizedTest
  @ValueSource(ints = {4, 5, 10})
  void signatureOfATrustAnchorHasNoMeaning(int signature) throws Exception {
    X509Bundle root = authority("root", null, 2048);
    X509Bundle middle = authority("middle", root, 2048);
    X509Certificate leaf = leaf(middle);
    X509Certificate weak = withSignature(middle.getCertificate(), signature);
    ClientAuthorities.Anchors trusted = anchors(weak);
    ClientCertificateProfile.checkPath(chain(leaf), trusted);
    ClientCertificateProfile.checkPath(chain(leaf, weak), trusted);
    X509Certificate weakRoot = withSignature(root.getCertificate(), signature);
    ClientCertificateProfile.checkPath(chain(leaf, weak, weakRoot), trusted);
  }

  @Test
  void weakKeyInTheChainIsRefused() throws Exception {
    X509Bundle root = authority("root", null, 2048);
    X509Bundle weak = authority("weak", root, 1024);
    X509Certificate[] chain = chain(leaf(weak), weak.getCertificate());
    ClientAuthorities.Anchors roots = anchors(root.getCertificate());
    assertRefused(Refused.WEAK_KEY, () -> ClientCertificateProfile.checkPath(chain, roots));
  }
}
