package dev.hmacd.authn;

import dev.hmacd.access.Principal;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import javax.naming.NamingException;
import javax.naming.directory.Attribute;
import javax.naming.ldap.LdapName;
import javax.naming.ldap.Rdn;

/// Reads the principal from a client's certificate: the SPIFFE ID of its URI SAN, else its first
/// DNS SAN, else its subject's CN.
final class CertificateNames {
  /// GeneralName types (RFC 5280, section 4.2.1.6).
  private static final int DNS_NAME = 2;

  private static final int URI = 6;
  private static final String SPIFFE = "spiffe://";

  private CertificateNames() {}

  static Optional<Principal> principal(X509Certificate certificate) {
    List<String> uris = new ArrayList<>();
    List<String> names = new ArrayList<>();
    try {
      Collection<List<?>> all = certificate.getSubjectAlternativeNames();
      for (List<?> name : all == null ? List.<List<?>>of() : all) {
        if (name.get(0) instanceof Integer type && name.get(1) instanceof String value) {
          if (type == URI) {
            uris.add(value);
          } else if (type == DNS_NAME) {
            names.add(value);
          }
        }
      }
    } catch (CertificateParsingException e) {
      return Optional.empty();
    }
    try {
      if (uris.stream().anyMatch(uri -> uri.startsWith(SPIFFE))) {
        // X509-SVID, section 2, requires exactly one URI SAN. A certificate with several names no
        // principal.
        return uris.size() == 1 ? Optional.of(Principal.spiffe(uris.getFirst())) : Optional.empty();
      }
      if (!names.isEmpty()) {
        return Optional.of(Principal.dns(names.getFirst()));
      }
      return commonName(certificate).map(Principal::commonName);
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  private static Optional<String> commonName(X509Certificate certificate) {
    try {
      List<Object> found = new ArrayList<>();
      for (Rdn rdn : new LdapName(certificate.getSubjectX500Principal().getName()).getRdns()) {
        // An RDN may have several attributes (RFC 4514, section 2.2).
        Attribute names = rdn.toAttributes().get("CN");
        for (int i = 0; names != null && i < names.size(); i++) {
          found.add(names.get(i));
        }
      }
      return found.size() == 1 && found.getFirst() instanceof String name
          ? Optional.of(name)
          : Optional.empty();
    } catch (NamingException e) {
      return Optional.empty();
    }
  }
}
