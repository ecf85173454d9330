package dev.hmacd.transport;

import java.io.ByteArrayInputStream;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;

/// Copies of certificates whose parsed names no other code shares.
///
/// The JDK's check of name constraints adds the CN of a certificate to its parsed DNS names (SAN).
/// The JDK caches parsed certificates, so the added name appears wherever the certificate is read
/// later.
public final class CertificateCopy {
  private CertificateCopy() {}

  /// Parses the encoding of a certificate again. Uses `generateCertificates`, because the JDK
  /// caches the certificates of `generateCertificate` only.
  public static X509Certificate of(X509Certificate certificate) throws CertificateException {
    for (Certificate copy :
        CertificateFactory.getInstance("X.509")
            .generateCertificates(new ByteArrayInputStream(certificate.getEncoded()))) {
      if (copy instanceof X509Certificate parsed) {
        return parsed;
      }
    }
    throw new CertificateException("not an X.509 certificate");
  }
}
