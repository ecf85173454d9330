package dev.hmacd.transport;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.IOException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.Optional;

/// The name constraints of a certificate authority (RFC 5280, section 4.2.1.10).
///
/// The PKIX validation of the JDK checks the name constraints of intermediate certificates. The
/// validation ignores all extensions of a trust anchor, and refuses a `TrustAnchor` with name
/// constraints.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // Certificates do not change.
final class NameConstraints {
  private static final String EXTENSION = "2.5.29.30";

  /// The bit of a DER length that announces further bytes of the length.
  private static final int LONG_FORM = 0x80;

  private final X509Certificate authority;

  /// Matches the certificates whose names are permitted.
  @GuardedBy("this")
  private final X509CertSelector permitted = new X509CertSelector();

  private NameConstraints(X509Certificate authority, byte[] extension) throws IOException {
    this.authority = authority;
    permitted.setNameConstraints(octetStringContent(extension));
  }

  /// The name constraints of an authority; empty if it has none.
  ///
  /// @throws CertificateParsingException if the JDK cannot parse them
  static Optional<NameConstraints> of(X509Certificate authority)
      throws CertificateParsingException {
    byte[] extension = authority.getExtensionValue(EXTENSION);
    if (extension == null) {
      return Optional.empty();
    }
    try {
      return Optional.of(new NameConstraints(authority, extension));
    } catch (IOException e) {
      throw new CertificateParsingException("malformed name constraints: " + e.getMessage(), e);
    }
  }

  /// The content of an OCTET STRING in DER, without tag and length.
  /// [X509Certificate#getExtensionValue] returns an OCTET STRING.
  private static byte[] octetStringContent(byte[] octetString) {
    int length = octetString[1] & 0xff;
    int header = length < LONG_FORM ? 2 : 2 + (length & ~LONG_FORM);
    return Arrays.copyOfRange(octetString, header, octetString.length);
  }

  /// Whether the constraints permit all certificates below the authority in a valid path (RFC 5280,
  /// section 6.1.3, b and c).
  ///
  /// @param chain the client's own certificate first
  boolean permit(X509Certificate[] chain) {
    int length = pathLength(chain);
    for (int i = 0; i < length; i++) {
      boolean isExempt = i > 0 && (isSelfIssued(chain[i]) || isAuthority(chain[i]));
      if (!isExempt && !permits(chain[i])) {
        return false;
      }
    }
    return true;
  }

  /// Whether a certificate is self-issued (RFC 5280, section 3.2), for example the new key of an
  /// authority, signed with its old key.
  private static boolean isSelfIssued(X509Certificate certificate) {
    return certificate.getSubjectX500Principal().equals(certificate.getIssuerX500Principal());
  }

  /// Number of certificates before this authority. If the chain is not in order, all certificates
  /// count, because the JDK searches the chain for a path.
  private int pathLength(X509Certificate[] chain) {
    for (int i = 1; i < chain.length; i++) {
      if (!chain[i].getSubjectX500Principal().equals(chain[i - 1].getIssuerX500Principal())) {
        return chain.length;
      }
      if (isAuthority(chain[i])) {
        return i;
      }
    }
    return chain.length;
  }

  private boolean isAuthority(X509Certificate certificate) {
    return certificate.getSubjectX500Principal().equals(authority.getSubjectX500Principal())
        && certificate.getPublicKey().equals(authority.getPublicKey());
  }

  private synchronized boolean permits(X509Certificate certificate) {
    try {
      return permitted.match(CertificateCopy.of(certificate));
    } catch (CertificateException | RuntimeException e) {
      return false; // For example, the JDK throws a NullPointerException for a URI without a host.
    }
  }
}
