package dev.hmacd.transport;

import io.netty.handler.ssl.NotSslRecordException;
import io.netty.handler.ssl.SslHandshakeTimeoutException;
import java.io.IOException;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertPathValidatorException.BasicReason;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.util.Locale;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;

/// The reason of a failed TLS handshake.
public enum HandshakeFailure {
  /// The client presented no certificate.
  NO_CERTIFICATE,
  /// No authority of `client_ca` issued the client's certificate, the certificate is not for
  /// clients, or its chain has too many certificates.
  UNTRUSTED_CERTIFICATE,
  /// A certificate in the client's chain has expired, or is not valid yet.
  EXPIRED_CERTIFICATE,
  /// The client's certificate is trusted, but names no principal, or breaks a rule for client
  /// certificates. The connection is open, and each of its calls is refused.
  NO_PRINCIPAL,
  /// Client and daemon have no TLS version, cipher suite or ALPN protocol in common.
  PROTOCOL_OR_CIPHER,
  /// The first bytes of the client are not TLS.
  PLAINTEXT,
  /// The client closed the connection or sent an alert, for example because it does not trust the
  /// daemon's certificate.
  CLOSED_BY_PEER,
  /// The handshake did not end within its timeout.
  TIMEOUT,
  OTHER;

  // Reasons of BoringSSL, which are part of the message of its exceptions.
  private static final Pattern WITHOUT_CERTIFICATE =
      Pattern.compile("PEER_DID_NOT_RETURN_A_CERTIFICATE");
  private static final Pattern NOTHING_IN_COMMON =
      Pattern.compile(
          "UNSUPPORTED_PROTOCOL|UNKNOWN_PROTOCOL|WRONG_VERSION_NUMBER|WRONG_SSL_VERSION"
              + "|INAPPROPRIATE_FALLBACK|NO_SHARED_CIPHER|NO_SHARED_GROUP"
              + "|NO_COMMON_SIGNATURE_ALGORITHMS|NO_APPLICATION_PROTOCOL"
              + "|ALERT_PROTOCOL_VERSION|ALERT_HANDSHAKE_FAILURE|ALERT_INSUFFICIENT_SECURITY");
  private static final Pattern HTTP = Pattern.compile("HTTP_REQUEST|HTTPS_PROXY_REQUEST");
  private static final Pattern ALERT_OF_PEER = Pattern.compile("(SSLV3|TLSV1)_ALERT_|close_notify");

  /// The reason as the value of a label and of a log field.
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /// Classifies the exception of a failed handshake.
  static HandshakeFailure of(Throwable failure) {
    boolean untrusted = false;
    for (Throwable each = failure; each != null; each = each.getCause()) {
      if (each instanceof NotSslRecordException) {
        return PLAINTEXT;
      }
      if (each instanceof SslHandshakeTimeoutException) {
        return TIMEOUT;
      }
      if (isOutsideValidity(each)) {
        return EXPIRED_CERTIFICATE;
      }
      untrusted |= each instanceof CertificateException;
    }
    if (untrusted) {
      return UNTRUSTED_CERTIFICATE;
    }
    if (failure instanceof IOException && !(failure instanceof SSLException)) {
      return CLOSED_BY_PEER; // For example, the peer has reset the connection.
    }
    return ofMessage(String.valueOf(failure.getMessage()));
  }

  private static boolean isOutsideValidity(Throwable failure) {
    return failure instanceof CertificateExpiredException
        || failure instanceof CertificateNotYetValidException
        || (failure instanceof CertPathValidatorException path
            && (path.getReason() == BasicReason.EXPIRED
                || path.getReason() == BasicReason.NOT_YET_VALID));
  }

  private static HandshakeFailure ofMessage(String message) {
    if (WITHOUT_CERTIFICATE.matcher(message).find()) {
      return NO_CERTIFICATE;
    }
    if (NOTHING_IN_COMMON.matcher(message).find()) {
      return PROTOCOL_OR_CIPHER;
    }
    if (HTTP.matcher(message).find()) {
      return PLAINTEXT;
    }
    return ALERT_OF_PEER.matcher(message).find() ? CLOSED_BY_PEER : OTHER;
  }
}
