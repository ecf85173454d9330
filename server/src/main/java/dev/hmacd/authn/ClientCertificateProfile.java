package dev.hmacd.authn;

import dev.hmacd.authn.Authentication.Refused;
import dev.hmacd.transport.ClientAuthorities;
import java.io.IOException;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.PublicKey;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECKey;
import java.security.interfaces.EdECKey;
import java.security.interfaces.RSAKey;
import java.security.spec.PSSParameterSpec;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Required properties of client certificates, in addition to the PKIX validation of the JDK: key
/// size, signature algorithm, key usage. The JDK accepts SHA-1, RSA with 1024 bits, certificates of
/// authorities, and anyExtendedKeyUsage without clientAuth. [CertificateNames] has the rules for
/// names.
final class ClientCertificateProfile {
  private static final int MIN_RSA_BITS = 2048;
  private static final int MIN_EC_BITS = 256;

  /// Names of signature algorithms (Java Security Standard Algorithm Names) with SHA-2 or SHA-3, or
  /// of EdDSA.
  private static final Pattern STRONG_SIGNATURE =
      Pattern.compile(
          "SHA(224|256|384|512|3-)[-/0-9]*with.*|Ed(25519|448|DSA)", Pattern.CASE_INSENSITIVE);

  private static final Pattern STRONG_HASH = Pattern.compile("SHA-?(224|256|384|512|3-).*");
  private static final String PSS = "RSASSA-PSS";

  /// `id-kp-clientAuth` (RFC 5280, section 4.2.1.12).
  private static final String CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

  private static final String KEY_USAGE = "2.5.29.15";
  private static final String EXTENDED_KEY_USAGE = "2.5.29.37";

  /// Index of digitalSignature in [X509Certificate#getKeyUsage].
  private static final int DIGITAL_SIGNATURE = 0;

  private ClientCertificateProfile() {}

  /// Checks the client's own certificate.
  static void checkLeaf(X509Certificate leaf) throws CertificateRefusedException {
    boolean[] keyUsage = leaf.getKeyUsage();
    List<String> extendedKeyUsage = extendedKeyUsage(leaf);
    if (isUnreadable(leaf, KEY_USAGE, keyUsage)
        || isUnreadable(leaf, EXTENDED_KEY_USAGE, extendedKeyUsage)) {
      throw new CertificateRefusedException(Refused.MALFORMED_EXTENSION);
    }
    if (leaf.getBasicConstraints() >= 0) {
      throw new CertificateRefusedException(Refused.AUTHORITY_CERTIFICATE);
    }
    if (keyUsage != null && !keyUsage[DIGITAL_SIGNATURE]) {
      throw new CertificateRefusedException(Refused.NOT_FOR_SIGNATURES);
    }
    if (extendedKeyUsage != null && !extendedKeyUsage.contains(CLIENT_AUTH)) {
      throw new CertificateRefusedException(Refused.NOT_FOR_CLIENTS);
    }
    requireStrongKey(leaf);
  }

  private static @Nullable List<String> extendedKeyUsage(X509Certificate certificate) {
    try {
      return certificate.getExtendedKeyUsage();
    } catch (CertificateParsingException e) {
      return null;
    }
  }

  /// Whether a certificate has an extension that the JDK cannot parse. The JDK reports such an
  /// extension as absent, unless it is critical.
  ///
  /// @param parsed the content that the JDK reports; null for an absent extension
  static boolean isUnreadable(X509Certificate certificate, String oid, @Nullable Object parsed) {
    return parsed == null && certificate.getExtensionValue(oid) != null;
  }

  /// Checks the signatures and keys of a chain that the authorities accept. The signature of a
  /// trust anchor in the chain has no meaning.
  ///
  /// @param chain the client's own certificate first
  static void checkPath(X509Certificate[] chain, ClientAuthorities.Anchors anchors)
      throws CertificateRefusedException {
    int length = pathLength(chain, anchors);
    for (int i = 0; i < length; i++) {
      // In a chain without order, the path can continue behind a trust anchor.
      if (!isAnchor(chain, i, anchors)) {
        requireStrongSignature(chain[i]);
        requireStrongKey(chain[i]);
      }
    }
  }

  /// Number of certificates in a chain before the trust anchor at which the validation ends. All
  /// certificates of a chain without order, because the JDK searches for a path then. At least 1.
  ///
  /// @param chain the client's own certificate first
  static int pathLength(X509Certificate[] chain, ClientAuthorities.Anchors anchors) {
    for (int i = 0; i < chain.length; i++) {
      if (i > 0
          && !chain[i].getSubjectX500Principal().equals(chain[i - 1].getIssuerX500Principal())) {
        return chain.length;
      }
      if (isAnchor(chain, i, anchors)) {
        return Math.max(1, i);
      }
    }
    return chain.length;
  }

  private static boolean isAnchor(
      X509Certificate[] chain, int index, ClientAuthorities.Anchors anchors) {
    return index == 0 ? anchors.contains(chain[0]) : anchors.isNamedAsAnchor(chain[index]);
  }

  private static void requireStrongSignature(X509Certificate certificate)
      throws CertificateRefusedException {
    if (!hasStrongSignature(certificate)) {
      throw new CertificateRefusedException(Refused.WEAK_SIGNATURE);
    }
  }

  private static boolean hasStrongSignature(X509Certificate certificate) {
    String algorithm = certificate.getSigAlgName();
    if (!algorithm.equals(PSS)) {
      return STRONG_SIGNATURE.matcher(algorithm).matches();
    }
    byte[] parameters = certificate.getSigAlgParams();
    if (parameters == null) {
      return false; // The default hash is SHA-1 (RFC 4055, section 3.1).
    }
    try {
      var pss = AlgorithmParameters.getInstance(PSS);
      pss.init(parameters);
      return STRONG_HASH
          .matcher(pss.getParameterSpec(PSSParameterSpec.class).getDigestAlgorithm())
          .matches();
    } catch (GeneralSecurityException | IOException e) {
      return false;
    }
  }

  private static void requireStrongKey(X509Certificate certificate)
      throws CertificateRefusedException {
    if (!isStrong(certificate.getPublicKey())) {
      throw new CertificateRefusedException(Refused.WEAK_KEY);
    }
  }

  private static boolean isStrong(PublicKey key) {
    return switch (key) {
      case RSAKey rsa -> rsa.getModulus().bitLength() >= MIN_RSA_BITS;
      case ECKey ec -> ec.getParams().getCurve().getField().getFieldSize() >= MIN_EC_BITS;
      case EdECKey _ -> true;
      default -> false;
    };
  }
}
