package dev.hmacd.testing;

import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
import java.util.function.UnaryOperator;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/// A certificate authority for tests.
public final class TestCa {
  private static final FileAttribute<?> OWNER_ONLY =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

  private static final String NAME_CONSTRAINTS = "2.5.29.30";

  /// Tags of the DER encoding of name constraints (RFC 5280, sections 4.2.1.6 and 4.2.1.10).
  private static final int SEQUENCE = 0x30;

  private static final int DNS_NAME = 0x82;
  private static final int URI = 0x86;
  private static final int PERMITTED_SUBTREES = 0xa0;

  private final X509Bundle authority;

  /// An authority with a long validity period, also for daemons with another clock.
  public TestCa(String name) {
    this(name, Instant.EPOCH, Instant.now().plus(Duration.ofDays(10_000)));
  }

  public TestCa(String name, Instant notBefore, Instant notAfter) {
    this(
        built(
            base()
                .subject("CN=" + name)
                .notBefore(notBefore)
                .notAfter(notAfter)
                .setIsCertificateAuthority(true)
                .setKeyUsage(true, CertificateBuilder.KeyUsage.keyCertSign),
            null));
  }

  private TestCa(X509Bundle authority) {
    this.authority = authority;
  }

  /// An authority with critical name constraints (RFC 5280, section 4.2.1.10).
  ///
  /// @param permitted permitted names: `DNS:` with a domain, or `URI:` with the host of the URI
  public static TestCa constrained(String name, String... permitted) {
    return new TestCa(built(constraining(name, permitted), null));
  }

  /// An authority below this authority, with critical name constraints.
  ///
  /// @param permitted as for [#constrained]; without any, the authority has no name constraints
  public TestCa subordinate(String name, String... permitted) {
    return new TestCa(built(constraining(name, permitted), authority));
  }

  private static CertificateBuilder constraining(String name, String... permitted) {
    CertificateBuilder builder =
        base()
            .subject("CN=" + name)
            .setIsCertificateAuthority(true)
            .setKeyUsage(true, CertificateBuilder.KeyUsage.keyCertSign);
    return permitted.length == 0
        ? builder
        : builder.addExtensionOctetString(NAME_CONSTRAINTS, true, nameConstraints(permitted));
  }

  private static byte[] nameConstraints(String... permitted) {
    var subtrees = new ByteArrayOutputStream();
    for (String each : permitted) {
      int tag = each.startsWith("URI:") ? URI : DNS_NAME;
      byte[] name = each.substring(each.indexOf(':') + 1).getBytes(StandardCharsets.US_ASCII);
      subtrees.writeBytes(der(SEQUENCE, der(tag, name)));
    }
    return der(SEQUENCE, der(PERMITTED_SUBTREES, subtrees.toByteArray()));
  }

  /// The DER encoding of a value with at most 127 bytes.
  private static byte[] der(int tag, byte[] value) {
    byte[] encoded = new byte[2 + value.length];
    encoded[0] = (byte) tag;
    encoded[1] = (byte) value.length;
    System.arraycopy(value, 0, encoded, 2, value.length);
    return encoded;
  }

  /// An authority with the name and the key of this authority, and another validity period.
  public TestCa renewed(Instant notBefore, Instant notAfter) {
    return new TestCa(
        built(
            base()
                .subject(authority.getCertificate().getSubjectX500Principal())
                .keyPair(authority.getKeyPair())
                .notBefore(notBefore)
                .notAfter(notAfter)
                .setIsCertificateAuthority(true)
                .setKeyUsage(true, CertificateBuilder.KeyUsage.keyCertSign),
            authority)); // Signed with the same key, hence self-signed.
  }

  /// A certificate for the name and the key of this authority, which another authority signs.
  public X509Bundle crossSigned(TestCa signer) {
    return built(
        base()
            .subject(authority.getCertificate().getSubjectX500Principal())
            .keyPair(authority.getKeyPair())
            .setIsCertificateAuthority(true)
            .setKeyUsage(true, CertificateBuilder.KeyUsage.keyCertSign),
        signer.authority);
  }

  private static CertificateBuilder base() {
    Instant now = Instant.now();
    return new CertificateBuilder()
        .ecp256()
        .notBefore(now.minus(Duration.ofHours(1)))
        .notAfter(now.plus(Duration.ofDays(1)));
  }

  private static X509Bundle built(CertificateBuilder builder, @Nullable X509Bundle issuer) {
    try {
      return issuer == null ? builder.buildSelfSigned() : builder.buildIssuedBy(issuer);
    } catch (Exception e) { // The builder declares Exception.
      throw new IllegalStateException(e);
    }
  }

  /// The authority's own certificate.
  public X509Bundle self() {
    return authority;
  }

  /// A certificate for a daemon on loopback.
  public X509Bundle server() {
    return issue(
        builder ->
            builder
                .subject("CN=server")
                .addSanDnsName("localhost")
                .addSanIpAddress("127.0.0.1")
                .addExtendedKeyUsageServerAuth());
  }

  /// A client's certificate with the SPIFFE ID `spiffe://test/NAME`.
  public X509Bundle client(String name) {
    return issue(
        builder ->
            builder
                .subject("CN=" + name)
                .addSanUriName(java.net.URI.create("spiffe://test/" + name))
                .addExtendedKeyUsageClientAuth());
  }

  /// Any certificate, with a validity of one day and a P-256 key.
  public X509Bundle issue(UnaryOperator<CertificateBuilder> what) {
    return built(
        what.apply(base().setKeyUsage(true, CertificateBuilder.KeyUsage.digitalSignature)),
        authority);
  }

  /// A TLS context of the JDK for a client that trusts only this authority.
  ///
  /// @param client the client's certificate; null for none
  public SSLContext context(@Nullable X509Bundle client) {
    try {
      return contextWith(client == null ? null : client.toKeyManagerFactory().getKeyManagers());
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  /// As [#context(X509Bundle)], for a client that renews its certificate.
  public SSLContext renewableContext(RenewableIdentity client) {
    try {
      return contextWith(new KeyManager[] {client});
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private SSLContext contextWith(KeyManager @Nullable [] keys) throws GeneralSecurityException {
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys, authority.toTrustManagerFactory().getTrustManagers(), null);
    return context;
  }

  public String pem() {
    return authority.getCertificatePEM();
  }

  /// Writes a certificate and its key to files of a daemon.
  public static void write(X509Bundle bundle, Path certificate, Path key) {
    try {
      Files.writeString(certificate, bundle.getCertificatePEM());
      if (Files.notExists(key)) {
        Files.createFile(key, OWNER_ONLY); // The daemon refuses a key that others can read.
      }
      Files.writeString(key, bundle.getPrivateKeyPEM());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
