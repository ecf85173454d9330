package dev.hmacd.client;

import static java.time.temporal.ChronoUnit.DAYS;

import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.nio.file.Path;
import java.time.Instant;

/// A certificate of a test authority, in PEM files. Each run of the tests has a new authority.
///
/// @param ca the authority's certificate
/// @param cert a certificate
/// @param key its private key
public record TestPki(Path ca, Path cert, Path key) {
  private static final X509Bundle AUTHORITY = authority();

  /// For a daemon with this DNS name; for `localhost` also with the loopback address.
  public static TestPki daemon(String name) {
    CertificateBuilder certificate =
        new CertificateBuilder().ecp256().subject("CN=" + name).addSanDnsName(name);
    return issued(
        name.equals("localhost") ? certificate.addSanIpAddress("127.0.0.1") : certificate,
        AUTHORITY);
  }

  /// For a client.
  public static TestPki client() {
    return issued(new CertificateBuilder().ecp256().subject("CN=billing"), AUTHORITY);
  }

  /// For a daemon on the loopback interface. The certificate has expired.
  public static TestPki expiredDaemon() {
    return issued(
        expired(
            new CertificateBuilder()
                .ecp256()
                .subject("CN=localhost")
                .addSanDnsName("localhost")
                .addSanIpAddress("127.0.0.1")),
        AUTHORITY);
  }

  /// For a daemon on the loopback interface. The certificate of its authority has expired.
  public static TestPki daemonOfAnExpiredAuthority() {
    return issued(
        new CertificateBuilder()
            .ecp256()
            .subject("CN=localhost")
            .addSanDnsName("localhost")
            .addSanIpAddress("127.0.0.1"),
        authority(expired(new CertificateBuilder())));
  }

  /// For a client. The certificate has expired.
  public static TestPki expiredClient() {
    return issued(expired(new CertificateBuilder().ecp256().subject("CN=billing")), AUTHORITY);
  }

  /// For a client, from an untrusted authority.
  public static TestPki stranger() {
    return issued(new CertificateBuilder().ecp256().subject("CN=billing"), authority());
  }

  private static CertificateBuilder expired(CertificateBuilder certificate) {
    Instant now = Instant.now();
    return certificate.notBefore(now.minus(2, DAYS)).notAfter(now.minus(1, DAYS));
  }

  private static TestPki issued(CertificateBuilder certificate, X509Bundle authority) {
    try {
      X509Bundle bundle = certificate.buildIssuedBy(authority);
      return new TestPki(
          authority.toTempRootCertPem().toPath(),
          bundle.toTempCertChainPem().toPath(),
          bundle.toTempPrivateKeyPem().toPath());
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  private static X509Bundle authority() {
    return authority(new CertificateBuilder());
  }

  private static X509Bundle authority(CertificateBuilder certificate) {
    try {
      return certificate
          .ecp256()
          .subject("CN=test authority")
          .setIsCertificateAuthority(true)
          .buildSelfSigned();
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }
}
