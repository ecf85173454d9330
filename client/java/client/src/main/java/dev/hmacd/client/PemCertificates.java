package dev.hmacd.client;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.ByteArrayInputStream;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// Parser of the certificates of a PEM file. The error for another file says what the file has, and
/// what to use.
final class PemCertificates {
  private static final Pattern CERTIFICATE =
      Pattern.compile("-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\\s]+-----END CERTIFICATE-----");

  private PemCertificates() {}

  /// The certificates of a file, at least one, in the order of the file. Other PEM blocks of the
  /// file are ignored.
  ///
  /// @throws IllegalArgumentException if the file has no certificate, or a damaged certificate
  static X509Certificate[] parse(PemFile file) {
    String blocks =
        CERTIFICATE
            .matcher(file.text())
            .results()
            .map(MatchResult::group)
            .collect(Collectors.joining("\n"));
    if (blocks.isEmpty() && !file.isDer()) {
      throw new IllegalArgumentException(file.path() + absent(file));
    }
    byte[] encoded = blocks.isEmpty() ? file.content() : blocks.getBytes(ISO_8859_1);
    try {
      X509Certificate[] certificates =
          CertificateFactory.getInstance("X.509")
              .generateCertificates(new ByteArrayInputStream(encoded))
              .stream()
              .map(X509Certificate.class::cast)
              .toArray(X509Certificate[]::new);
      if (certificates.length > 0) {
        return certificates;
      }
    } catch (CertificateException e) {
      throw new IllegalArgumentException(file.path() + damaged(file, blocks), e);
    }
    throw new IllegalArgumentException(file.path() + damaged(file, blocks));
  }

  private static String absent(PemFile file) {
    for (String label : file.labels()) {
      if (label.endsWith("PRIVATE KEY")) {
        return " has a private key (BEGIN "
            + label
            + "), no certificate (BEGIN CERTIFICATE); exchange the files of the certificate and the"
            + " key";
      }
      if (label.endsWith("CERTIFICATE REQUEST")) {
        return " has a certificate request (BEGIN "
            + label
            + "), no certificate (BEGIN CERTIFICATE); use the certificate that the authority"
            + " issued";
      }
    }
    return " has no certificate (BEGIN CERTIFICATE); add the certificate, followed by its chain";
  }

  private static String damaged(PemFile file, String blocks) {
    return blocks.isEmpty()
        ? " is not PEM, and has no certificate in DER; convert a PKCS #12 file with openssl pkcs12"
            + " -nokeys -in "
            + file.path()
            + " -out NEW"
        : " has a damaged certificate (BEGIN CERTIFICATE)";
  }
}
