package dev.hmacd.authn;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.access.Principal;
import dev.hmacd.limit.Owner;
import dev.hmacd.transport.ClientAuthorities;
import dev.hmacd.transport.TlsContext;
import java.security.cert.Certificate;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.Arrays;
import java.util.Optional;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/// The client certificate of a TLS connection, with its chain. In the handshake, the client proved
/// possession of the certificate's private key.
///
/// The principal is read once for each connection. Expiry and trust are checked at each call,
/// because a connection can outlive its certificate, its authority and the trust in the issuer.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // The chain does not change.
public final class ClientCertificate implements Credentials, VerifiedCredentials {
  /// Issuer of all certificates whose trust anchor is unknown.
  private static final String UNKNOWN_ISSUER = "unknown authority";

  /// Size of the encoded chain that the memory of an idle connection includes.
  private static final int USUAL_BYTES = 2048;

  /// Bytes of heap for each byte of a longer chain: the encoding, and copies in the parsed form.
  private static final int HEAP_WEIGHT = 4;

  /// The verified certificate chain, the client's own certificate first.
  private final X509Certificate[] chain;

  /// Expiry of the client's own certificate.
  private final Instant notAfter;

  private final TlsContext tls;

  /// The principal of the certificate, or the rule that it breaks.
  private final Authentication identity;

  /// The last validation of the chain. The first validation is in the handshake.
  private volatile Validation validation;

  /// A successful validation of the chain.
  ///
  /// @param anchors the trust anchors; null if the trust anchors of the handshake are unknown
  /// @param notAfter the earliest expiry of a certificate in the certification path
  private record Validation(ClientAuthorities.@Nullable Anchors anchors, Instant notAfter) {}

  ClientCertificate(
      X509Certificate[] chain,
      TlsContext tls,
      ClientAuthorities.@Nullable Anchors trustOfHandshake) {
    this.chain = chain;
    this.notAfter = chain[0].getNotAfter().toInstant();
    this.tls = tls;
    this.identity = identity(chain, trustOfHandshake);
    this.validation = validation(chain, trustOfHandshake);
  }

  /// The certification path ends before the first certificate with the name and the key of a trust
  /// anchor. The expiry of that certificate and of all certificates behind it has no meaning: a
  /// client may still send the old certificate of a renewed authority.
  private static Validation validation(
      X509Certificate[] chain, ClientAuthorities.@Nullable Anchors anchors) {
    int length =
        anchors == null ? chain.length : ClientCertificateProfile.pathLength(chain, anchors);
    return new Validation(
        anchors,
        Arrays.stream(chain, 0, length)
            .map(certificate -> certificate.getNotAfter().toInstant())
            .min(Instant::compareTo)
            .orElseThrow());
  }

  private Authentication identity(
      X509Certificate[] accepted, ClientAuthorities.@Nullable Anchors trustOfHandshake) {
    try {
      ClientCertificateProfile.checkLeaf(accepted[0]);
      if (trustOfHandshake != null) {
        ClientCertificateProfile.checkPath(accepted, trustOfHandshake);
      }
      String issuer =
          trustOfHandshake == null
              ? UNKNOWN_ISSUER
              : trustOfHandshake.issuerOf(accepted).orElse(UNKNOWN_ISSUER);
      Principal principal = CertificateNames.principal(accepted[0]);
      return new Authentication.Authenticated(principal, Owner.of(issuer, principal.name()), this);
    } catch (CertificateRefusedException e) {
      return e.reason();
    }
  }

  /// The credentials of a TLS connection: its client certificate, or [NoCredentials] if the client
  /// has presented none.
  ///
  /// @param session the TLS session after the complete handshake; null if unknown
  /// @param tls the TLS context with the present trust anchors
  public static Credentials of(@Nullable SSLSession session, TlsContext tls) {
    if (session == null) {
      return new NoCredentials();
    }
    try {
      Certificate[] certificates = session.getPeerCertificates();
      return new ClientCertificate(
          Arrays.copyOf(certificates, certificates.length, X509Certificate[].class),
          tls,
          TlsContext.trustOf(session));
    } catch (SSLPeerUnverifiedException | ArrayStoreException e) {
      return new NoCredentials();
    }
  }

  /// The principal in the certificate, even if the certificate is not valid any more; empty if the
  /// certificate breaks a rule.
  public Optional<Principal> principal() {
    return identity instanceof Authentication.Authenticated authenticated
        ? Optional.of(authenticated.principal())
        : Optional.empty();
  }

  /// Heap of the certificate chain, in bytes, in addition to the memory of an idle connection. Zero
  /// for a chain of usual length.
  public long heapBytes() {
    long encoded = 0;
    for (X509Certificate each : chain) {
      try {
        encoded += each.getEncoded().length;
      } catch (CertificateEncodingException e) {
        throw new IllegalStateException(e); // Not thrown: the certificate was parsed.
      }
    }
    return HEAP_WEIGHT * Math.max(0, encoded - USUAL_BYTES);
  }

  /// The client's own certificate.
  X509Certificate leaf() {
    return chain[0];
  }

  /// The earliest expiry of a certificate in the certification path of the last [#check]. The
  /// expiry of the trust anchor does not count: another trust anchor may have its name and key.
  Instant pathNotAfter() {
    return validation.notAfter();
  }

  /// Checks the expiry and the trust of the certificate chain. Thread-safe.
  Authentication check(Instant now) {
    if (!(identity instanceof Authentication.Authenticated)) {
      return identity;
    }
    if (now.isAfter(notAfter)) {
      return Authentication.Refused.CERTIFICATE_EXPIRED;
    }
    ClientAuthorities.Anchors present = tls.trust(now);
    Validation last = validation;
    if (last.anchors() != present) {
      if (!present.accepts(chain)) {
        return Authentication.Refused.CERTIFICATE_NOT_TRUSTED;
      }
      try {
        ClientCertificateProfile.checkPath(chain, present);
      } catch (CertificateRefusedException e) {
        return e.reason();
      }
      last = validation(chain, present);
      validation = last;
    }
    if (now.isAfter(last.notAfter())) {
      return Authentication.Refused.CERTIFICATE_EXPIRED;
    }
    return identity;
  }
}
