package dev.hmacd.client;

import io.grpc.Status;
import io.netty.handler.ssl.NotSslRecordException;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/// The classification of a gRPC error that is not from a daemon: a fault of the connection or of
/// TLS, or a server that is not a daemon.
///
/// gRPC reports these faults in the description and the causes of a status. Messages of OpenSSL and
/// dumps of bytes are not repeated.
///
/// @param text what is wrong, one line
/// @param transientFault whether the fault may end without a correction of certificates or target
/// @param tlsFault why TLS failed; null for another reason than [ErrorReason#TLS_FAILED]
record ConnectionFailure(
    ErrorReason reason, String text, boolean transientFault, @Nullable TlsFault tlsFault) {
  /// Alerts of TLS (RFC 8446, section 6.2) with which a server refuses the client's certificate, as
  /// BoringSSL and the JDK name them.
  private static final List<String> CERTIFICATE_ALERTS =
      List.of(
          "CERTIFICATE_EXPIRED",
          "CERTIFICATE_REVOKED",
          "CERTIFICATE_UNKNOWN",
          "CERTIFICATE_REQUIRED",
          "UNSUPPORTED_CERTIFICATE",
          "BAD_CERTIFICATE",
          "NO_CERTIFICATE",
          "UNKNOWN_CA",
          "ACCESS_DENIED");

  /// The alert that a server with BoringSSL, such as an older hmacd, sends for a client certificate
  /// of an unknown authority, as BoringSSL and the JDK name it.
  private static final Pattern INTERNAL_ERROR = Pattern.compile("ALERT(_|: )INTERNAL_ERROR");

  private static final String HTTP_STATUS = "HTTP status code ";

  /// "HTTP/" in hexadecimal digits, as in the message of a [NotSslRecordException].
  private static final String HTTP_IN_HEX = "485454502f";

  static ConnectionFailure of(Status status) {
    List<Throwable> causes = causes(status.getCause());
    return ofCertificate(causes)
        .or(() -> ofTls(causes))
        .or(() -> ofProtocol(status, causes))
        .or(() -> ofSocket(status, causes))
        .orElseGet(
            () ->
                new ConnectionFailure(
                    reason(status.getCode()), description(status), true, /* tlsFault= */ null));
  }

  /// A certificate of the daemon that the client refuses.
  private static Optional<ConnectionFailure> ofCertificate(List<Throwable> causes) {
    for (Throwable cause : causes) {
      if (cause instanceof CertificateExpiredException
          || cause instanceof CertificateNotYetValidException) {
        return tls(
            TlsFault.DAEMON_CERTIFICATE_NOT_VALID,
            "the certificate of the daemon, or of its authority, has expired or is not valid yet ("
                + cause.getMessage()
                + ")");
      }
    }
    for (Throwable cause : causes) {
      String message = String.valueOf(cause.getMessage());
      if (cause instanceof CertificateException
          && (message.startsWith("No subject alternative") || message.startsWith("No name "))) {
        return tls(
            TlsFault.DAEMON_NAME_MISMATCH,
            "the certificate of the daemon does not have the target's name (" + message + ")");
      }
    }
    for (Throwable cause : causes) {
      if (cause instanceof CertificateException
          || cause instanceof CertPathValidatorException
          || cause instanceof CertPathBuilderException) {
        return tls(
            TlsFault.DAEMON_NOT_TRUSTED,
            "the client does not trust the certificate of the daemon ("
                + innermostMessage(causes)
                + ")");
      }
    }
    return Optional.empty();
  }

  /// A server that does not speak TLS, or that refuses the client in the TLS handshake.
  private static Optional<ConnectionFailure> ofTls(List<Throwable> causes) {
    for (Throwable cause : causes) {
      String message = String.valueOf(cause.getMessage());
      if (cause instanceof NotSslRecordException) {
        return tls(
            TlsFault.NO_TLS,
            message.contains(HTTP_IN_HEX)
                ? "the server answers in HTTP/1.1 without TLS, as the port of AWS KMS or of metrics"
                    + " does"
                : "the server does not speak TLS");
      }
      if (cause instanceof SSLException) {
        String name = message.toUpperCase(Locale.ROOT);
        for (String alert : CERTIFICATE_ALERTS) {
          if (name.contains(alert)) {
            return tls(
                TlsFault.CLIENT_CERTIFICATE_REFUSED,
                "the daemon refused the certificate of the client (TLS alert "
                    + alert.toLowerCase(Locale.ROOT)
                    + ")");
          }
        }
        if (INTERNAL_ERROR.matcher(name).find()) {
          return tls(
              TlsFault.CLIENT_CERTIFICATE_REFUSED,
              "the daemon refused the client in the TLS handshake (TLS alert internal_error);"
                  + " usually it does not trust the authority of the client's certificate");
        }
      }
    }
    return causes.stream().anyMatch(SSLException.class::isInstance)
        ? unreachable("TLS failed: " + symbol(innermostMessage(causes)))
        : Optional.empty();
  }

  /// A server that answers, but not with gRPC.
  private static Optional<ConnectionFailure> ofProtocol(Status status, List<Throwable> causes) {
    String description = description(status);
    if (description.startsWith(HTTP_STATUS)) {
      String code = description.substring(HTTP_STATUS.length());
      String text =
          "the server answered with HTTP status "
              + code
              + ", not with gRPC"
              + (String.valueOf(status.getDescription()).contains("application/x-amz-json")
                  ? ": it is the port of AWS KMS"
                  : "");
      // UNAVAILABLE is the status of a proxy whose server is unavailable.
      return status.getCode() == Status.Code.UNAVAILABLE ? unreachable(text) : notADaemon(text);
    }
    if (description.startsWith("Failed ALPN negotiation")) {
      return notADaemon("the server does not support HTTP/2 over TLS (ALPN h2)");
    }
    for (Throwable cause : causes) {
      if (String.valueOf(cause.getMessage()).startsWith("First received frame was not SETTINGS")) {
        return notADaemon("the server does not speak HTTP/2");
      }
    }
    return Optional.empty();
  }

  /// A socket that cannot be connected, or that was closed.
  private static Optional<ConnectionFailure> ofSocket(Status status, List<Throwable> causes) {
    if (status.getCode() != Status.Code.UNAVAILABLE && status.getCode() != Status.Code.UNKNOWN) {
      return Optional.empty(); // For example an answer that is not a valid message.
    }
    for (Throwable cause : causes) {
      if (cause instanceof ClosedChannelException) {
        return unreachable("the server closed the connection before it answered");
      }
      if (cause instanceof IOException && cause.getMessage() != null) {
        return unreachable("no connection: " + cause.getMessage());
      }
    }
    return Optional.empty();
  }

  private static Optional<ConnectionFailure> tls(TlsFault fault, String text) {
    return Optional.of(new ConnectionFailure(ErrorReason.TLS_FAILED, text, false, fault));
  }

  private static Optional<ConnectionFailure> notADaemon(String text) {
    return Optional.of(
        new ConnectionFailure(ErrorReason.CONNECTION_FAILED, text, false, /* tlsFault= */ null));
  }

  private static Optional<ConnectionFailure> unreachable(String text) {
    return Optional.of(
        new ConnectionFailure(ErrorReason.CONNECTION_FAILED, text, true, /* tlsFault= */ null));
  }

  /// The causes of a status, the outermost first.
  private static List<Throwable> causes(@Nullable Throwable outermost) {
    var causes = new ArrayList<Throwable>();
    for (Throwable cause = outermost;
        cause != null && !causes.contains(cause);
        cause = cause.getCause()) {
      causes.add(cause);
    }
    return causes;
  }

  private static String innermostMessage(List<Throwable> causes) {
    String innermost = "no details";
    for (Throwable cause : causes) {
      String message = cause.getMessage();
      if (message != null && !message.isEmpty()) {
        innermost = message;
      }
    }
    return innermost;
  }

  /// The name of an error in a message of OpenSSL, such as `error:10000410:SSL
  /// routines:OPENSSL_internal:SSLV3_ALERT_HANDSHAKE_FAILURE`; another message as it is.
  private static String symbol(String message) {
    if (!message.startsWith("error:")) {
      return message;
    }
    return message
        .substring(message.lastIndexOf(':') + 1)
        .replaceFirst("^(SSLV3|TLSV1)_(ALERT_)?", "")
        .toLowerCase(Locale.ROOT);
  }

  /// The first line of the description. gRPC appends lines about Netty's pipeline, header fields
  /// and bodies.
  private static String description(Status status) {
    String text = status.getDescription();
    return text == null
        ? status.getCode().name()
        : text.lines().findFirst().orElse(status.getCode().name());
  }

  private static ErrorReason reason(Status.Code code) {
    return switch (code) {
      case UNAVAILABLE -> ErrorReason.CONNECTION_FAILED;
      case DEADLINE_EXCEEDED -> ErrorReason.DEADLINE_EXCEEDED;
      case CANCELLED -> ErrorReason.CANCELLED;
      default -> ErrorReason.UNKNOWN;
    };
  }
}
