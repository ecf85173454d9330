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
import java.util.List;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;

/// Validates the certificate chains of clients with the PKIX validation of the JDK. Thread-safe.
///
/// A refusal has the error code of its reason, from which the TLS library derives the alert for the
/// client. Without the code, the client gets `internal_error`.
final class ClientTrustManager extends X509ExtendedTrustManager {
  private final X509ExtendedTrustManager pkix;

  /// @param anchors one or more certificates
  ClientTrustManager(List<X509Certificate> anchors) {
    pkix = pkix(anchors);
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

  /// A validation of one chain.
  private interface Validation {
    void run() throws CertificateException;
  }

  private static void validate(Validation validation) throws CertificateException {
    try {
      validation.run();
    } catch (CertificateException e) {
      throw refusal(e);
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
    for (Throwable each = failure; each != null; each = each.getCause()) {
      if (isUnknownAuthority(each)) {
        return CertificateVerifier.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
      }
    }
    return CertificateVerifier.X509_V_ERR_CERT_REJECTED;
  }

  /// Whether a failure means that no trust anchor issued the certificate. A signature is invalid if
  /// another authority has the name of a trust anchor.
  private static boolean isUnknownAuthority(Throwable failure) {
    return failure instanceof CertPathBuilderException
        || (failure instanceof CertPathValidatorException path
            && (path.getReason() == PKIXReason.NO_TRUST_ANCHOR
                || path.getReason() == BasicReason.INVALID_SIGNATURE));
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    validate(() -> pkix.checkClientTrusted(chain, authType));
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    validate(() -> pkix.checkClientTrusted(chain, authType, socket));
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    validate(() -> pkix.checkClientTrusted(chain, authType, engine));
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
    return new CertificateException("client_ca is only for certificates of clients");
  }

  /// The trust anchors, whose names a handshake sends to the client.
  @Override
  public X509Certificate[] getAcceptedIssuers() {
    return pkix.getAcceptedIssuers();
  }
}
