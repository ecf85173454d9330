package dev.hmacd.transport;

import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.OpenSslCertificateException;
import io.netty.internal.tcnative.CertificateVerifier;
import java.io.IOException;
import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertPathValidatorException.BasicReason;
import java.security.cert.CertificateException;
import java.security.cert.PKIXReason;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;

/// Validates the certificate chains of clients with the PKIX validation of the JDK, and checks the
/// name constraints of the trust anchors. Thread-safe.
///
/// A refusal has the error code of its reason, from which the TLS library derives the alert for the
/// client. Without the code, the client gets `internal_error`.
final class ClientTrustManager extends X509ExtendedTrustManager {
  /// Maximum number of certificates in a chain. For a chain without order, the JDK searches the
  /// paths between names, and verifies signatures only at a trust anchor's name. A caller without
  /// credentials can send a chain in which the number of paths is exponential in its length.
  static final int MAX_CHAIN = 6;

  private final List<AnchorGroup> groups = new ArrayList<>();
  private final X509Certificate[] anchors;

  /// Trust anchors with the same name constraints: one anchor with constraints, or all anchors
  /// without.
  private record AnchorGroup(
      X509ExtendedTrustManager pkix, Optional<NameConstraints> constraints) {}

  /// @param anchors one or more certificates
  /// @param constraints the name constraints of the anchors that have some
  ClientTrustManager(
      List<X509Certificate> anchors, Map<X509Certificate, NameConstraints> constraints) {
    this.anchors = anchors.toArray(X509Certificate[]::new);
    List<X509Certificate> unconstrained =
        anchors.stream().filter(each -> !constraints.containsKey(each)).toList();
    if (!unconstrained.isEmpty()) {
      groups.add(new AnchorGroup(pkix(unconstrained), Optional.empty()));
    }
    for (X509Certificate each : anchors) {
      NameConstraints known = constraints.get(each);
      if (known != null) {
        groups.add(new AnchorGroup(pkix(List.of(each)), Optional.of(known)));
      }
    }
  }

  private static X509ExtendedTrustManager pkix(List<X509Certificate> anchors) {
    try {
      KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
      store.load(null, null);
      int i = 0;
      for (X509Certificate each : anchors) {
        store.setCertificateEntry("ca-" + i++, each);
      }
      TrustManagerFactory factory =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      factory.init(store);
      return (X509ExtendedTrustManager) factory.getTrustManagers()[0];
    } catch (GeneralSecurityException | IOException e) {
      throw new IllegalStateException("trust store of client_ca not built", e);
    }
  }

  /// A validation of a chain with one of several trust managers.
  private interface Validation {
    void run(X509ExtendedTrustManager pkix) throws CertificateException;
  }

  /// Validates a chain of at most [#MAX_CHAIN] certificates: the anchors of one group must accept
  /// it, and their name constraints must permit it.
  private void validate(X509Certificate[] chain, Validation validation)
      throws CertificateException {
    if (chain.length > MAX_CHAIN) {
      throw refusal(
          new CertificateException(
              "the chain has %d certificates, the maximum is %d"
                  .formatted(chain.length, MAX_CHAIN)));
    }
    CertificateException failure = null;
    for (AnchorGroup group : groups) {
      try {
        validation.run(group.pkix());
        requirePermitted(group, chain);
        return;
      } catch (CertificateException e) {
        // An unknown authority is the least specific reason.
        failure = failure == null || isUnknownAuthority(failure) ? e : failure;
      }
    }
    throw refusal(failure == null ? new CertificateException("no trust anchor") : failure);
  }

  private static void requirePermitted(AnchorGroup group, X509Certificate[] chain)
      throws CertificateException {
    if (group.constraints().isPresent() && !group.constraints().get().permit(chain)) {
      throw new CertificateException(
          "the name constraints of the authority do not permit a name in the chain");
    }
  }

  private static CertificateException refusal(CertificateException failure) {
    OpenSsl.ensureAvailability(); // The TLS library has the values of the error codes.
    return new OpenSslCertificateException(
        String.valueOf(failure.getMessage()), failure, errorCode(failure));
  }

  /// The error code of a refusal, from which BoringSSL derives the alert (RFC 8446, section 6.2):
  /// `certificate_expired`, `unknown_ca`, or `bad_certificate` for all other reasons.
  private static int errorCode(CertificateException failure) {
    if (HandshakeFailure.of(failure) == HandshakeFailure.EXPIRED_CERTIFICATE) {
      return CertificateVerifier.X509_V_ERR_CERT_HAS_EXPIRED;
    }
    return isUnknownAuthority(failure)
        ? CertificateVerifier.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        : CertificateVerifier.X509_V_ERR_CERT_REJECTED;
  }

  /// Whether a failure means that no trust anchor issued the certificate. A signature is invalid if
  /// another authority has the name of a trust anchor.
  private static boolean isUnknownAuthority(CertificateException failure) {
    for (Throwable each = failure; each != null; each = each.getCause()) {
      if (each instanceof CertPathBuilderException
          || (each instanceof CertPathValidatorException path
              && (path.getReason() == PKIXReason.NO_TRUST_ANCHOR
                  || path.getReason() == BasicReason.INVALID_SIGNATURE))) {
        return true;
      }
    }
    return false;
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    validate(chain, pkix -> pkix.checkClientTrusted(chain, authType));
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    validate(chain, pkix -> pkix.checkClientTrusted(chain, authType, socket));
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    validate(chain, pkix -> pkix.checkClientTrusted(chain, authType, engine));
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    throw notForServers();
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    throw notForServers();
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    throw notForServers();
  }

  private static CertificateException notForServers() {
    return new CertificateException(
        "this trust manager validates client certificates only, no server certificates");
  }

  /// The trust anchors, whose names a handshake sends to the client.
  @Override
  public X509Certificate[] getAcceptedIssuers() {
    return anchors.clone();
  }
}
