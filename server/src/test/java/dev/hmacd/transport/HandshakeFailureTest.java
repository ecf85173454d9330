package dev.hmacd.transport;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.handler.ssl.NotSslRecordException;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertPathValidatorException.BasicReason;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.util.Arrays;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/// The reason of a failed TLS handshake, by the exception of the TLS library.
final class HandshakeFailureTest {
  static Stream<Arguments> exceptions() {
    return Stream.of(
        row(new NotSslRecordException("not an SSL/TLS record"), HandshakeFailure.PLAINTEXT),
        row(caused(new CertificateExpiredException()), HandshakeFailure.EXPIRED_CERTIFICATE),
        row(caused(new CertificateNotYetValidException()), HandshakeFailure.EXPIRED_CERTIFICATE),
        row(
            caused(new CertificateException("path", path(BasicReason.EXPIRED))),
            HandshakeFailure.EXPIRED_CERTIFICATE),
        row(
            caused(new CertificateException("path", path(BasicReason.INVALID_SIGNATURE))),
            HandshakeFailure.UNTRUSTED_CERTIFICATE),
        row(caused(new CertificateException("no path")), HandshakeFailure.UNTRUSTED_CERTIFICATE),
        row(new ClosedChannelException(), HandshakeFailure.CLOSED_BY_PEER),
        row(new IOException("Connection reset by peer"), HandshakeFailure.CLOSED_BY_PEER),
        row(new SSLException((String) null), HandshakeFailure.OTHER),
        row(new IllegalStateException(), HandshakeFailure.OTHER));
  }

  private static Arguments row(Exception failure, HandshakeFailure reason) {
    return Arguments.of(failure, reason);
  }

  private static SSLException caused(Exception cause) {
    var failure = new SSLHandshakeException("General OpenSslEngine problem");
    var _ = failure.initCause(cause);
    return failure;
  }

  private static CertPathValidatorException path(BasicReason reason) {
    return new CertPathValidatorException("path", null, null, -1, reason);
  }

  @ParameterizedTest
  @MethodSource("exceptions")
  void exceptionHasAReason(Exception failure, HandshakeFailure reason) {
    assertThat(HandshakeFailure.of(failure)).isEqualTo(reason);
  }

  @ParameterizedTest
  @CsvSource({
    "PEER_DID_NOT_RETURN_A_CERTIFICATE, NO_CERTIFICATE",
    "UNSUPPORTED_PROTOCOL, PROTOCOL_OR_CIPHER",
    "NO_SHARED_CIPHER, PROTOCOL_OR_CIPHER",
    "SSLV3_ALERT_HANDSHAKE_FAILURE, PROTOCOL_OR_CIPHER",
    "TLSV1_ALERT_PROTOCOL_VERSION, PROTOCOL_OR_CIPHER",
    "TLSV1_ALERT_UNKNOWN_CA, CLOSED_BY_PEER",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN, CLOSED_BY_PEER",
    "HTTP_REQUEST, PLAINTEXT",
    "BAD_ALERT, OTHER",
    "DECODE_ERROR, OTHER"
  })
  void reasonOfBoringSslHasAReason(String text, HandshakeFailure reason) {
    var failure = new SSLHandshakeException("error:1000007d:SSL routines:OPENSSL_internal:" + text);
    assertThat(HandshakeFailure.of(failure)).isEqualTo(reason);
  }

  /// Labels of metrics are lowercase, and no two reasons have the same label.
  @Test
  void labelsAreUnique() {
    assertThat(Arrays.stream(HandshakeFailure.values()).map(HandshakeFailure::label))
        .doesNotHaveDuplicates()
        .allMatch(label -> label.matches("[a-z_]+"));
  }
}
