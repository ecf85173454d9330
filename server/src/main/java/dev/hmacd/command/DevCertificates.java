package dev.hmacd.command;

import dev.hmacd.StartException;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPrivateKey;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.HexFormat;

/// The certificates of `hmacd dev`: an authority, the daemon's and one client's. The authority's
/// key is thrown away, so nobody can make more.
final class DevCertificates {
  /// The principal of the client's certificate.
  static final String CLIENT = "spiffe://dev.hmacd/client";

  private static final Duration LIFE = Duration.ofDays(30);

  /// How long they must at least last when they are taken again.
  private static final Duration REST = Duration.ofDays(1);

  /// What stands before the 32 bytes of a P-256 key in PKCS #8, and between them and its point.
  private static final String P256_KEY =
      "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420";

  private static final String P256_POINT = "a144034200";
  private static final int POINT_BYTES = 65;

  private DevCertificates() {}

  static void ensure(DevFolder folder) throws StartException, IOException {
    if (lasts(folder)) {
      return;
    }
    try {
      Instant start = Instant.now().minus(Duration.ofMinutes(5));
      var base = new CertificateBuilder().notBefore(start).notAfter(start.plus(LIFE));
      X509Bundle authority =
          base.copy()
              // What a JVM that has just started checks fastest, by a tenth of a second each time.
              .rsa2048()
              .subject("CN=hmacd development CA")
              .setIsCertificateAuthority(true)
              .setKeyUsage(true, CertificateBuilder.KeyUsage.keyCertSign)
              .buildSelfSigned();
      X509Bundle server =
          leaf(base)
              .subject("CN=hmacd dev")
              .addSanDnsName("localhost")
              .addSanIpAddress("127.0.0.1")
              .addSanIpAddress("::1")
              .addExtendedKeyUsageServerAuth()
              .buildIssuedBy(authority);
      X509Bundle client =
          leaf(base)
              .subject("CN=hmacd dev client")
              .addSanUriName(CLIENT)
              .addExtendedKeyUsageClientAuth()
              .buildIssuedBy(authority);
      folder.write("server-key.pem", privateKey(server));
      folder.write("server.pem", server.getCertificatePEM());
      folder.write("client-key.pem", privateKey(client));
      folder.write("client.pem", client.getCertificatePEM());
      folder.write("ca.pem", authority.getCertificatePEM());
    } catch (IOException e) {
      throw e;
    } catch (Exception e) { // What the builder declares.
      throw new StartException("cannot make certificates", StartException.CONFIG, e);
    }
  }

  private static CertificateBuilder leaf(CertificateBuilder base) {
    return base.copy().ecp256().setKeyUsage(true, CertificateBuilder.KeyUsage.digitalSignature);
  }

  /// The key in PKCS #8, with the public key in it: the JDK leaves that out, as RFC 5915 allows,
  /// and then TLS libraries of other languages refuse the file.
  private static String privateKey(X509Bundle bundle) {
    var key = (ECPrivateKey) bundle.getKeyPair().getPrivate();
    String scalar = "%064x".formatted(key.getS());
    byte[] info = bundle.getKeyPair().getPublic().getEncoded();
    String point = HexFormat.of().formatHex(info, info.length - POINT_BYTES, info.length);
    byte[] der = HexFormat.of().parseHex(P256_KEY + scalar + P256_POINT + point);
    var base64 = Base64.getMimeEncoder(64, new byte[] {'\n'});
    return "-----BEGIN PRIVATE KEY-----\n"
        + base64.encodeToString(der)
        + "\n-----END PRIVATE KEY-----\n";
  }

  /// Written last, the authority says that all are there.
  private static boolean lasts(DevFolder folder) throws IOException {
    if (!Files.exists(folder.file("ca.pem"))) {
      return false;
    }
    try (InputStream in = Files.newInputStream(folder.file("ca.pem"))) {
      var certificate =
          (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
      return Instant.now().plus(REST).isBefore(certificate.getNotAfter().toInstant());
    } catch (CertificateException e) {
      return false;
    }
  }
}
