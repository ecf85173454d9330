package dev.hmacd.transport;

import com.google.errorprone.annotations.Immutable;
import com.google.errorprone.annotations.ThreadSafe;
import java.security.GeneralSecurityException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// The certificate authorities in the PEM file `client_ca`: the trust anchors of client
/// certificates.
///
/// An authority is a trust anchor only within the validity period of its certificate. The PKIX
/// validation of the JDK does not check the validity of a trust anchor (RFC 5280, section 6.1.1).
/// So an authority outside its period is left out of the trust store. A client cannot bring it back
/// with a certificate for the same name and key: that certificate is an intermediate certificate,
/// which a valid authority must have signed.
///
/// The PKIX validation of the JDK does not check the name constraints of a trust anchor either
/// ([NameConstraints]).
@ThreadSafe
@SuppressWarnings("ThreadSafe") // Certificates do not change.
public final class ClientAuthorities {
  private final List<X509Certificate> all;

  /// The name constraints of the authorities that have some.
  private final Map<X509Certificate, NameConstraints> constraints = new HashMap<>();

  /// The anchors of the last known period. Two threads may compute the same anchors twice.
  private volatile Anchors current;

  /// @param all the certificates of the file
  /// @throws CertificateParsingException if an authority has malformed name constraints
  ClientAuthorities(List<X509Certificate> all, Instant now) throws CertificateParsingException {
    this.all = List.copyOf(all);
    for (X509Certificate each : all) {
      NameConstraints.of(each).ifPresent(found -> constraints.put(each, found));
    }
    this.current = new Anchors(this.all, constraints, now);
  }

  /// The trust anchors at a time: the same object, until an authority expires or its period begins.
  /// Thread-safe. Never blocks.
  public Anchors at(Instant now) {
    Anchors known = current;
    if (!known.isFor(now)) {
      known = new Anchors(all, constraints, now);
      current = known;
    }
    return known;
  }

  /// The earliest expiry of the authorities that are valid at a time. If none is valid, the latest
  /// expiry of all authorities.
  Instant earliestExpiry(Instant now) {
    List<X509Certificate> valid = at(now).valid;
    return valid.isEmpty()
        ? expiries(all).max(Comparator.naturalOrder()).orElseThrow()
        : expiries(valid).min(Comparator.naturalOrder()).orElseThrow();
  }

  private static Stream<Instant> expiries(List<X509Certificate> authorities) {
    return authorities.stream().map(each -> each.getNotAfter().toInstant());
  }

  /// An immutable set of trust anchors, for a period of time without a change. The object identity
  /// is the version of the trust.
  @Immutable
  @SuppressWarnings("Immutable") // Certificates and trust managers do not change.
  public static final class Anchors {
    private final List<X509Certificate> valid;
    private final List<X509Certificate> leftOut;
    private final Instant from;

    /// The first instant after the period.
    private final Instant end;

    /// Null without a valid authority: a trust manager needs at least one trust anchor.
    private final @Nullable ClientTrustManager trustManager;

    private Anchors(
        List<X509Certificate> all, Map<X509Certificate, NameConstraints> constraints, Instant now) {
      valid = all.stream().filter(each -> isValid(each, now)).toList();
      leftOut = all.stream().filter(each -> !isValid(each, now)).toList();
      from = changes(all).filter(each -> !each.isAfter(now)).max(order()).orElse(Instant.MIN);
      end = changes(all).filter(each -> each.isAfter(now)).min(order()).orElse(Instant.MAX);
      trustManager = valid.isEmpty() ? null : new ClientTrustManager(valid, constraints);
    }

    private static Comparator<Instant> order() {
      return Comparator.naturalOrder();
    }

    private static Instant begin(X509Certificate authority) {
      return authority.getNotBefore().toInstant();
    }

    /// The first instant after the validity period, whose last instant is `notAfter`.
    private static Instant end(X509Certificate authority) {
      return authority.getNotAfter().toInstant().plusNanos(1);
    }

    private static boolean isValid(X509Certificate authority, Instant now) {
      return !now.isBefore(begin(authority)) && now.isBefore(end(authority));
    }

    /// The instants at which the set of valid authorities changes.
    private static Stream<Instant> changes(List<X509Certificate> all) {
      return all.stream().flatMap(each -> Stream.of(begin(each), end(each)));
    }

    private boolean isFor(Instant now) {
      return !now.isBefore(from) && now.isBefore(end);
    }

    /// The trust manager for handshakes; null if no authority is valid.
    @Nullable ClientTrustManager trustManager() {
      return trustManager;
    }

    /// The authorities that have expired, or are not valid yet.
    List<X509Certificate> leftOut() {
      return leftOut;
    }

    /// Whether a client's certificate chain is valid now (RFC 5280, section 6).
    ///
    /// @param chain the client's own certificate first
    public boolean accepts(X509Certificate[] chain) {
      ClientTrustManager trust = trustManager;
      if (trust == null) {
        return false;
      }
      try {
        trust.checkClientTrusted(chain, chain[0].getPublicKey().getAlgorithm());
        return true;
      } catch (CertificateException e) {
        return false;
      }
    }

    /// The name of the trust anchor that issued a client's certificate, directly or through
    /// intermediate certificates of the chain. Verifies the signatures, because a client chooses
    /// the certificates behind its own certificate. Authorities with the same name are one issuer,
    /// so a renewed authority stays the same issuer.
    ///
    /// @param chain an accepted chain, the client's own certificate first
    /// @return empty if no anchor issued the certificate
    public Optional<String> issuerOf(X509Certificate[] chain) {
      X509Certificate current = chain[0];
      for (X509Certificate _ : chain) { // Each step uses another certificate.
        if (isNamedAsAnchor(current)) {
          return Optional.of(current.getSubjectX500Principal().getName());
        }
        Optional<X509Certificate> anchor = issuer(current, valid);
        if (anchor.isPresent()) {
          return anchor.map(each -> each.getSubjectX500Principal().getName());
        }
        Optional<X509Certificate> next = issuer(current, List.of(chain));
        if (next.isEmpty()) {
          return Optional.empty();
        }
        current = next.get();
      }
      return Optional.empty();
    }

    /// The certificate that issued another one.
    private static Optional<X509Certificate> issuer(
        X509Certificate issued, List<X509Certificate> candidates) {
      return candidates.stream()
          .filter(each -> each.getSubjectX500Principal().equals(issued.getIssuerX500Principal()))
          .filter(each -> isSignedBy(issued, each))
          .findFirst();
    }

    private static boolean isSignedBy(X509Certificate issued, X509Certificate issuer) {
      try {
        issued.verify(issuer.getPublicKey());
        return true;
      } catch (GeneralSecurityException e) {
        return false;
      }
    }

    /// Whether the certificate itself is a trust anchor.
    public boolean contains(X509Certificate certificate) {
      return valid.contains(certificate);
    }

    /// Whether a certificate has the name and the public key of a trust anchor. The validation of
    /// an ordered chain ends at such a certificate, and ignores its signature.
    public boolean isNamedAsAnchor(X509Certificate certificate) {
      return valid.stream()
          .anyMatch(
              anchor ->
                  anchor.getSubjectX500Principal().equals(certificate.getSubjectX500Principal())
                      && anchor.getPublicKey().equals(certificate.getPublicKey()));
    }
  }
}
