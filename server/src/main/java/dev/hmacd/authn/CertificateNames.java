package dev.hmacd.authn;

import dev.hmacd.access.Principal;
import dev.hmacd.authn.Authentication.Refused;
import dev.hmacd.transport.CertificateCopy;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.function.Function;
import javax.naming.NamingException;
import javax.naming.directory.Attribute;
import javax.naming.ldap.LdapName;
import javax.naming.ldap.Rdn;

/// Reads the principal from a client's certificate: the SPIFFE ID of its URI SAN, else its first
/// DNS SAN, else its subject's CN. A malformed name is refused, and the next kind of name does not
/// replace it: an authority that issued the certificate for the malformed name may not have
/// verified the others.
final class CertificateNames {
  private static final String SUBJECT_ALTERNATIVE_NAME = "2.5.29.17";

  /// GeneralName types (RFC 5280, section 4.2.1.6).
  private static final int DNS_NAME = 2;

  private static final int URI = 6;

  /// The scheme of SPIFFE IDs. A URI scheme has no case (RFC 3986, section 3.1), so `SPIFFE:` is a
  /// malformed SPIFFE ID, and no other URI.
  private static final String SPIFFE_SCHEME = "spiffe:";

  private CertificateNames() {}

  static Principal principal(X509Certificate certificate) throws CertificateRefusedException {
    List<String> uris = new ArrayList<>();
    List<String> names = new ArrayList<>();
    for (List<?> name : alternativeNames(certificate)) {
      if (name.get(0) instanceof Integer type && name.get(1) instanceof String value) {
        if (type == URI) {
          uris.add(value);
        } else if (type == DNS_NAME) {
          names.add(value);
        }
      }
    }
    if (uris.stream().anyMatch(CertificateNames::isSpiffe)) {
      // X509-SVID, section 2, requires exactly one URI SAN.
      if (uris.size() > 1) {
        throw new CertificateRefusedException(Refused.MALFORMED_NAME);
      }
      return named(uris.getFirst(), Principal::spiffe);
    }
    return names.isEmpty()
        ? named(commonName(certificate), Principal::commonName)
        : named(names.getFirst(), Principal::dns);
  }

  private static Collection<List<?>> alternativeNames(X509Certificate certificate)
      throws CertificateRefusedException {
    Collection<List<?>> names;
    try {
      // The validation may have changed the parsed names.
      names = CertificateCopy.of(certificate).getSubjectAlternativeNames();
    } catch (CertificateException e) {
      throw new CertificateRefusedException(Refused.MALFORMED_EXTENSION);
    }
    // For example, the JDK parses no URI with a blank.
    if (ClientCertificateProfile.isUnreadable(certificate, SUBJECT_ALTERNATIVE_NAME, names)) {
      throw new CertificateRefusedException(Refused.MALFORMED_EXTENSION);
    }
    return names == null ? List.of() : names;
  }

  private static boolean isSpiffe(String uri) {
    return uri.regionMatches(true, 0, SPIFFE_SCHEME, 0, SPIFFE_SCHEME.length());
  }

  private static Principal named(String name, Function<String, Principal> kind)
      throws CertificateRefusedException {
    try {
      return kind.apply(name);
    } catch (IllegalArgumentException e) {
      throw new CertificateRefusedException(Refused.MALFORMED_NAME);
    }
  }

  private static String commonName(X509Certificate certificate) throws CertificateRefusedException {
    Object name = null;
    int count = 0;
    try {
      for (Rdn rdn : new LdapName(certificate.getSubjectX500Principal().getName()).getRdns()) {
        // An RDN may have several attributes (RFC 4514, section 2.2).
        Attribute names = rdn.toAttributes().get("CN");
        for (int i = 0; names != null && i < names.size(); i++) {
          name = names.get(i);
          count++;
        }
      }
    } catch (NamingException e) {
      throw new CertificateRefusedException(Refused.MALFORMED_NAME);
    }
    if (count == 1 && name instanceof String text) {
      return text;
    }
    throw new CertificateRefusedException(Refused.NO_NAME);
  }
}
